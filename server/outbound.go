package server

import (
	"context"
	"sync"
	"time"

	"github.com/coder/websocket"

	"rollcall/protocol"
)

// A frame is one text message that waits to be written.
type frame struct {
	b        []byte
	buffer   *[]byte // where b is to go back to; nil for what is shared
	answered *conn   // whose request in flight ends with this frame; may be nil
	batch    bool    // a push that may share a frame with others
}

// Replies are built in pooled buffers; larger ones are left to the collector.
const (
	replyBuffer    = 512
	maxReplyBuffer = 16 << 10
)

var replyBuffers = sync.Pool{New: func() any { b := make([]byte, 0, replyBuffer); return &b }}

func getBuffer() *[]byte { return replyBuffers.Get().(*[]byte) }

func putBuffer(buffer *[]byte, b []byte) {
	if cap(b) <= maxReplyBuffer {
		*buffer = b[:0]
		replyBuffers.Put(buffer)
	}
}

// outbound is a connection's bounded queue of frames. There is no goroutine that
// waits to write: whoever adds a frame while nobody is writing writes until the
// queue is empty.
type outbound struct {
	mu      sync.Mutex
	frames  []frame
	bytes   int
	writing bool
	ping    bool          // a ping is to be sent
	pong    []byte        // a pong with this payload is to be sent; nil: none
	closing *closing      // the end of the queue; nothing is added after it
	room    chan struct{} // closed when the queue has shrunk; nil while nobody waits
}

// closing is why a connection is closed by us.
type closing struct {
	code       protocol.CloseCode
	reason     string
	retryAfter time.Duration
	bye        bool // send a bye frame first
}

// send queues a frame and, if nobody else is at it, writes what waits. It
// reports whether the frame was queued: not after the connection began to close,
// and not when it would exceed the bound, which closes the connection.
func (c *conn) send(f frame) bool {
	if !c.queue(f) {
		return false
	}
	c.writeUnlessWriting()
	return true
}

// queue queues a frame. If it reports true, out.mu is held.
func (c *conn) queue(f frame) bool {
	o := &c.out
	o.mu.Lock()
	if o.closing != nil {
		o.mu.Unlock()
		f.done()
		return false
	}
	if o.bytes > 0 && o.bytes+len(f.b) > c.srv.cfg.MaxOutbound {
		o.mu.Unlock()
		f.done()
		c.abandon(protocol.CloseTooSlow)
		return false
	}
	o.frames = append(o.frames, f)
	o.bytes += len(f.b)
	return true
}

// Push implements sessions.Sink: it queues a push, whose bytes are shared with
// others, and never writes itself.
func (c *conn) Push(push []byte, batch bool) bool {
	if !c.queue(frame{b: push, batch: batch}) {
		return false
	}
	o := &c.out
	if o.writing {
		o.mu.Unlock()
		return true
	}
	o.writing = true
	o.mu.Unlock()
	c.srv.workers.start((*connWriter)(c))
	return true
}

// A connWriter is the writing of what waits on a connection, as work.
type connWriter conn

func (w *connWriter) run() { (*conn)(w).write() }

// Room implements sessions.Sink: it waits until at most half of the queue's bound
// waits to be written, and reports false when the connection is closing.
func (c *conn) Room(ctx context.Context) bool {
	for {
		room := c.roomAwaited()
		if room == nil {
			return !c.isClosing()
		}
		select {
		case <-room:
		case <-ctx.Done():
			return false
		}
	}
}

// writeUnlessWriting needs out.mu, and releases it.
func (c *conn) writeUnlessWriting() {
	o := &c.out
	if o.writing {
		o.mu.Unlock()
		return
	}
	o.writing = true
	o.mu.Unlock()
	c.write()
}

// done is called once, when the frame was written or never will be.
func (f *frame) done() {
	if f.buffer != nil {
		putBuffer(f.buffer, f.b)
	}
	if f.answered != nil {
		f.answered.inFlight.Add(-1)
	}
}

// write sends until the queue is empty. Several frames that wait go out in one
// system call.
func (c *conn) write() {
	o := &c.out
	var spare []frame
	for {
		o.mu.Lock()
		batch, control := o.frames, o.control()
		o.frames = spare[:0]
		if len(batch) == 0 && len(control) == 0 {
			closing := o.closing
			o.writing = false
			if cap(o.frames) > 8 { // an idle connection keeps no queue
				o.frames = nil
			}
			o.mu.Unlock()
			if closing != nil {
				c.closeSocket(closing)
			}
			return
		}
		o.mu.Unlock()

		err := c.writeBatch(batch, control)
		n := 0
		for i := range batch {
			n += len(batch[i].b)
			batch[i].done()
			batch[i] = frame{}
		}
		spare = batch

		o.mu.Lock()
		o.bytes -= n
		if o.room != nil && o.bytes <= c.srv.cfg.MaxOutbound/4 {
			close(o.room)
			o.room = nil
		}
		o.mu.Unlock()
		if err != nil {
			c.fail(err)
		}
	}
}

// writeBatch writes frames, and control frames after them.
func (c *conn) writeBatch(batch []frame, control []byte) error {
	gather := len(batch) > 1 || len(batch) == 1 && (len(control) > 0 || len(batch[0].b) > writeBuffer-maxHeader)
	var buffer *[]byte
	if gather {
		buffer = getBuffer()
		c.peer.cork(*buffer)
	}
	var err error
	for len(batch) > 0 && err == nil {
		n := together(batch)
		if n > 1 {
			err = c.writeTogether(batch[:n])
		} else {
			err = c.ws.Write(context.Background(), websocket.MessageText, batch[0].b)
		}
		batch = batch[n:]
	}
	if len(control) > 0 && err == nil {
		// Between frames, and by whoever holds the connection's writing. The
		// library writes each control frame of its own with a single Write, so
		// the two never mix.
		_, err = c.peer.Write(control)
	}
	if gather {
		gathered, e := c.peer.uncork()
		putBuffer(buffer, gathered)
		if err == nil {
			err = e
		}
	}
	return err
}

// maxTogether bounds a frame of several pushes.
const maxTogether = 64 << 10

// together returns how many of the first frames make one: pushes whose
// subscriber asked for it.
func together(batch []frame) int {
	n, size := 0, 0
	for n < len(batch) && batch[n].batch && size+len(batch[n].b) <= maxTogether {
		size += len(batch[n].b) + 1
		n++
	}
	return max(1, n)
}

// writeTogether writes several pushes as one frame, an array.
func (c *conn) writeTogether(batch []frame) error {
	buffer := getBuffer()
	b := append(*buffer, '[')
	for i := range batch {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, batch[i].b...)
	}
	b = append(b, ']')
	err := c.ws.Write(context.Background(), websocket.MessageText, b)
	putBuffer(buffer, b)
	return err
}

// awaitRoom blocks the reader while more than half of the queue's bound waits to
// be written, so that a client that does not read its replies is not read either.
func (c *conn) awaitRoom() {
	if room := c.roomAwaited(); room != nil {
		<-room
	}
}

// roomAwaited returns what is closed when there is room again; nil if there is
// now, or the connection is closing.
func (c *conn) roomAwaited() <-chan struct{} {
	o := &c.out
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.bytes <= c.srv.cfg.MaxOutbound/2 || o.closing != nil {
		return nil
	}
	if o.room == nil {
		o.room = make(chan struct{})
	}
	return o.room
}

// maxHeader is the largest header of a frame from a server (RFC 6455, section 5.2).
const maxHeader = 10

// sendPing queues a ping, whose pong is not waited for, as the library's Ping
// would: whatever the peer sends counts as being heard.
func (c *conn) sendPing() { c.sendControl(func(o *outbound) { o.ping = true }) }

// sendPong queues a pong. Of several that wait only the last is sent, which
// RFC 6455, section 5.5.3, allows.
func (c *conn) sendPong(payload []byte) { c.sendControl(func(o *outbound) { o.pong = payload }) }

func (c *conn) sendControl(queue func(*outbound)) {
	o := &c.out
	o.mu.Lock()
	if o.closing != nil {
		o.mu.Unlock()
		return
	}
	queue(o)
	c.writeUnlessWriting()
}

// control takes the control frames that wait, nil for none. It needs mu.
func (o *outbound) control() []byte {
	var frames []byte
	if o.ping {
		frames = appendControl(frames, opPing, nil)
	}
	if o.pong != nil {
		frames = appendControl(frames, opPong, o.pong)
	}
	o.ping, o.pong = false, nil
	return frames
}
