package server

import (
	"context"
	"sync"
	"time"

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
	writing bool          // somebody is; left is his
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
	c.out.mu.Unlock()
	return true
}

// Flush implements sessions.Sink: it writes what is queued as far as that can be
// done without waiting, and has a worker write the rest.
func (c *conn) Flush() {
	o := &c.out
	o.mu.Lock()
	if o.writing || len(o.frames) == 0 {
		o.mu.Unlock()
		return
	}
	o.writing = true
	few := o.bytes <= maxGather
	o.mu.Unlock()
	if few && c.writeNow() {
		return
	}
	c.srv.workers.start((*connWriter)(c))
}

// writeNow writes what waits and reports whether all of it went out and nothing
// came meanwhile. If not, writing goes on to be the caller's.
func (c *conn) writeNow() bool {
	batch, control, ok := c.take(nil)
	if !ok {
		return true
	}
	buffer := getBuffer()
	b := appendBatch(*buffer, batch)
	b = append(b, control...)
	taken, whole, err := c.peer.tryWrite(b)
	switch {
	case err != nil:
	case !taken:
		c.left = append([]byte(nil), b...)
	case !whole:
		c.left = []byte{} // nothing of ours, but the socket's has to follow
	}
	putBuffer(buffer, b)
	c.written(batch)
	if err != nil {
		c.fail(err)
		return false
	}
	o := &c.out
	o.mu.Lock()
	defer o.mu.Unlock()
	if c.left != nil || o.waits() || o.closing != nil { // whoever closes leaves the end to the writer
		return false
	}
	o.writing = false
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
		c.Flush()
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
	var batch []frame
	for {
		err := c.writeLeft()
		if err == nil {
			var control []byte
			var more bool
			if batch, control, more = c.take(batch); !more {
				return
			}
			err = c.writeBatch(batch, control)
			c.written(batch)
		}
		if err != nil {
			c.fail(err)
		}
	}
}

// writeLeft writes what writeNow could not.
func (c *conn) writeLeft() error {
	if c.left == nil {
		return nil
	}
	_, err := c.peer.Write(c.left)
	c.left = nil
	return err
}

// take takes what waits to be written; spare is room for what comes next. When
// nothing waits it reports false, and nobody is writing any more.
func (c *conn) take(spare []frame) (batch []frame, control []byte, more bool) {
	o := &c.out
	o.mu.Lock()
	if o.waits() {
		batch, control = o.frames, o.control()
		o.frames = spare[:0]
		o.mu.Unlock()
		return batch, control, true
	}
	closing := o.closing
	o.writing = false
	if cap(o.frames) > 8 { // an idle connection keeps no queue
		o.frames = nil
	}
	o.mu.Unlock()
	if closing != nil {
		c.closeSocket(closing)
	}
	return nil, nil, false
}

// waits reports whether something waits to be written. It needs mu.
func (o *outbound) waits() bool { return len(o.frames) > 0 || o.ping || o.pong != nil }

// written gives back what was written, or never will be.
func (c *conn) written(batch []frame) {
	n := 0
	for i := range batch {
		n += len(batch[i].b)
		batch[i].done()
		batch[i] = frame{}
	}
	o := &c.out
	o.mu.Lock()
	o.bytes -= n
	if o.room != nil && o.bytes <= c.srv.cfg.MaxOutbound/4 {
		close(o.room)
		o.room = nil
	}
	o.mu.Unlock()
}

// maxGather is about how much goes out in one system call, at least a frame.
const maxGather = 64 << 10

// writeBatch writes frames, and control frames after them.
func (c *conn) writeBatch(batch []frame, control []byte) error {
	buffer := getBuffer()
	b := *buffer
	defer func() { putBuffer(buffer, b) }()
	for len(batch) > 0 {
		n := 0
		for size := 0; n < len(batch) && size < maxGather; n++ {
			size += len(batch[n].b)
		}
		b = appendBatch(b[:0], batch[:n])
		if batch = batch[n:]; len(batch) == 0 {
			break
		}
		if _, err := c.peer.Write(b); err != nil {
			return err
		}
		b = b[:0]
	}
	b = append(b, control...)
	_, err := c.peer.Write(b)
	return err
}

// appendBatch appends messages: pushes that may share one do.
func appendBatch(dst []byte, batch []frame) []byte {
	for len(batch) > 0 {
		n := together(batch)
		dst = appendMessage(dst, batch[:n])
		batch = batch[n:]
	}
	return dst
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
		frames = appendFrame(frames, opPing, nil)
	}
	if o.pong != nil {
		frames = appendFrame(frames, opPong, o.pong)
	}
	o.ping, o.pong = false, nil
	return frames
}
