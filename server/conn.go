package server

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/coder/websocket"

	"rollcall/protocol"
	"rollcall/sessions"
)

// A conn is one live connection. One goroutine at a time reads it; replies and
// pushes are written by whoever has one while nobody else is writing. An idle
// connection is a goroutine that waits for its client, see await.go, and nothing
// else: no timer, no second goroutine, no net/http state.
type conn struct {
	// static after construction
	srv    *Server
	ws     *websocket.Conn
	peer   *peerConn
	remote netip.Addr
	client *sessions.Client
	// private: nobody can listen in, for the connection is TLS, or does not
	// leave this machine
	private bool

	// changed by barrier messages alone, which run by themselves; read by the
	// requests that run between them
	phase phase
	scope *scopeEntry    // of a client
	admin *adminIdentity // of an admin
	info  clientInfo

	initTimer atomic.Pointer[time.Timer] // until the first message

	looking looking // at what has come in

	// owned by whoever reads
	offences int // undecodable frames of late

	shard int // of the table of connections

	inFlight atomic.Int32
	draining atomic.Bool
	hashing  hashing
	order    order
	out      outbound
	left     []byte // frames that Flush took and could not write; the next writer's first

	failures  atomic.Int32  // of the first message: wrong keys and passwords
	feeds     subscriptions // of an admin
	closeOnce sync.Once     // of the socket
	offline   string        // why the user goes offline by it; set by closeOnce
	closed    chan struct{} // made by closeOnce; closed when the socket is
}

// A phase is how far a connection has come.
type phase int8

const (
	phaseNew    phase = iota // before its first message
	phaseClient              // after core.init
	phaseAdmin               // after admin.login
)

// maxOffences is how many undecodable frames a connection may send, beyond one
// for each good frame, before it is closed with 4505.
const maxOffences = 16

// frameBuffers hold incoming frames while they are decoded.
var frameBuffers = sync.Pool{New: func() any { b := make([]byte, 2048); return &b }}

// read reads what has come in, until nothing more is there, which is then waited
// for, or until the connection is over. The last request that it finds ready to
// run it runs itself.
func (c *conn) read() {
	for {
		c.awaitRoom()
		var ready work
		if !c.tookControl() {
			var ok bool
			if ready, ok = c.readMessage(); !ok {
				c.leave()
				return
			}
		}
		idle := false
		c.look(func(in *bufio.Reader) { idle = in.Buffered() == 0 })
		if idle {
			go c.await()
			if ready != nil {
				ready.run()
			}
			return
		}
		if ready != nil {
			c.srv.workers.start(ready)
		}
	}
}

// tookControl deals with control frames, and reports whether all that was there
// was such.
func (c *conn) tookControl() (all bool) {
	var pong []byte
	c.look(func(in *bufio.Reader) {
		all, pong = takeControl(in)
		all = all && in.Buffered() == 0
	})
	if pong != nil {
		c.sendPong(pong)
	}
	return all
}

// readMessage reads one message and returns its work, if its turn has come. It
// reports false when the connection is over.
func (c *conn) readMessage() (ready work, ok bool) {
	typ, r, err := c.ws.Reader(context.Background())
	if err != nil {
		c.fail(err)
		return nil, false
	}
	if typ != websocket.MessageText {
		c.closeNow(websocket.StatusUnsupportedData, "text frames only")
		return nil, false
	}
	buf := frameBuffers.Get().(*[]byte)
	defer frameBuffers.Put(buf)
	n, err := readFrame(r, buf)
	if err != nil {
		c.fail(err)
		return nil, false
	}
	return c.receive((*buf)[:n])
}

// readFrame reads a whole frame into *buf, which it lets grow. The library holds
// the frame to protocol.MaxRequestBytes.
func readFrame(r io.Reader, buf *[]byte) (n int, err error) {
	for {
		if n == len(*buf) {
			*buf = append(*buf, make([]byte, len(*buf))...)
		}
		m, err := r.Read((*buf)[n:])
		n += m
		if errors.Is(err, io.EOF) {
			return n, nil
		}
		if err != nil {
			return n, err
		}
	}
}

// receive decodes one frame and returns its work, if its turn has come. It reports
// whether to read on. Once the connection is closing, frames are read for the
// sake of the closing handshake alone: nothing is done that could not be answered.
func (c *conn) receive(b []byte) (ready work, ok bool) {
	if c.isClosing() {
		return nil, true
	}
	if !utf8.Valid(b) {
		c.closeNow(websocket.StatusInvalidFramePayloadData, "invalid UTF-8")
		return nil, false
	}
	req, err := protocol.ParseRequest(b)
	if err != nil {
		c.replyError(protocol.Request{ID: req.ID}, asError(err), nil)
		c.srv.metrics.request(nil, protocol.StatusDecodeFailed, 0)
		if c.offences++; c.offences > maxOffences {
			c.Close(protocol.CloseProtocolAbuse, "")
		}
		return nil, true
	}
	if c.offences > 0 {
		c.offences--
	}
	return c.srv.route(c, req), true
}

// reply queues the result of a request in flight.
func (c *conn) reply(req protocol.Request, result any) {
	buffer := getBuffer()
	b, err := protocol.AppendReply(*buffer, req, result)
	if err == nil && len(b) > protocol.MaxReplyBytes {
		err = errors.New("result is larger than a frame may be")
	}
	if err != nil {
		c.srv.log.Error("reply could not be encoded", "type", req.Type, "error", err)
		b = protocol.AppendError(b[:0], req, &protocol.Error{Status: protocol.StatusEncodeFailed})
	}
	c.send(frame{b: b, buffer: buffer, answered: c})
}

// replyError queues an error; answered is c if the request is in flight.
func (c *conn) replyError(req protocol.Request, e *protocol.Error, answered *conn) {
	buffer := getBuffer()
	c.send(frame{b: protocol.AppendError(*buffer, req, e), buffer: buffer, answered: answered})
}

// Close closes the connection after what waits to be sent, with a bye before the
// close frame. It does not block. Only the first call counts.
func (c *conn) Close(code protocol.CloseCode, reason string) {
	go c.closeAfterQueue(&closing{code: code, reason: reason, bye: true})
}

// closeAfterQueue ends the queue, with a bye if asked for, and writes it out.
func (c *conn) closeAfterQueue(cl *closing) {
	o := &c.out
	o.mu.Lock()
	if o.closing != nil {
		o.mu.Unlock()
		return
	}
	if cl.bye {
		o.frames = append(o.frames, frame{b: protocol.AppendBye(nil, cl.code, cl.reason, cl.retryAfter)})
	}
	o.closing = cl
	if o.room != nil {
		close(o.room)
		o.room = nil
	}
	c.writeUnlessWriting()
}

// closeSocket does the closing handshake once the queue is empty.
func (c *conn) closeSocket(cl *closing) {
	if cl.code == 0 { // stopQueue's: whoever called that closes the socket
		return
	}
	c.closeOnce.Do(func() {
		c.srv.metrics.closed(int(cl.code))
		c.offline = sessions.OfflineReason(cl.code)
		reason := cl.reason
		if reason == "" {
			reason = cl.code.Reason()
		}
		c.handshake(websocket.StatusCode(cl.code), closeReason(reason))
	})
}

// closeReason cuts a reason to what a close frame holds, between characters: a
// client fails a connection whose reason is not UTF-8, and never sees the code.
func closeReason(reason string) string {
	const most = 123
	if len(reason) <= most {
		return reason
	}
	end := most
	for !utf8.RuneStart(reason[end]) {
		end--
	}
	return reason[:end]
}

// closeNow closes with a code of RFC 6455 for a frame that should not have been
// sent; there is no bye, and what waits is dropped.
func (c *conn) closeNow(code websocket.StatusCode, reason string) {
	c.stopQueue()
	c.closeOnce.Do(func() {
		c.srv.metrics.closed(int(code))
		c.offline = protocol.OfflineLost
		c.handshake(code, reason)
	})
}

// handshake does the closing handshake on a goroutine of its own: it waits for
// the peer, up to 5 s, and neither writer nor reader must.
func (c *conn) handshake(code websocket.StatusCode, reason string) {
	c.closed = make(chan struct{})
	go func() {
		defer close(c.closed)
		// The library waits 5 s for the rest of a header, but without end for that
		// of a payload.
		cut := time.AfterFunc(handshakeTimeout, func() { _ = c.peer.Conn.Close() })
		defer cut.Stop()
		c.endLooking()
		_ = c.ws.Close(code, reason)
		_ = c.peer.Conn.Close()
	}()
}

// handshakeTimeout is how long a peer may keep a closing handshake waiting.
const handshakeTimeout = 10 * time.Second

// abandon closes a connection whose peer does not read: a close frame is tried,
// but nothing is waited for.
func (c *conn) abandon(code protocol.CloseCode) {
	c.stopQueue()
	c.closeOnce.Do(func() {
		c.srv.metrics.closed(int(code))
		c.offline = sessions.OfflineReason(code)
		_ = c.peer.SetWriteDeadline(time.Now().Add(time.Second))
		c.handshake(websocket.StatusCode(code), code.Reason())
	})
}

// fail ends a connection that is broken, or that the peer closed.
func (c *conn) fail(err error) {
	c.stopQueue()
	c.closeOnce.Do(func() {
		c.srv.metrics.ended(err)
		c.offline = protocol.OfflineLost
		if websocket.CloseStatus(err) != -1 {
			c.offline = protocol.OfflineClosed
		}
		c.closed = make(chan struct{})
		go func() {
			defer close(c.closed)
			_ = c.ws.CloseNow()
		}()
	})
}

func (c *conn) isClosing() bool {
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	return c.out.closing != nil
}

// stopQueue drops what waits and lets nothing more in.
func (c *conn) stopQueue() {
	o := &c.out
	o.mu.Lock()
	dropped := o.frames
	if o.closing == nil {
		o.closing = &closing{}
	}
	o.frames, o.bytes = nil, 0
	if o.room != nil {
		close(o.room)
		o.room = nil
	}
	o.mu.Unlock()
	for i := range dropped {
		dropped[i].done()
	}
}

// leave takes a connection that is over out of everything. Its place is free
// only when its socket is: a peer that keeps the closing handshake waiting keeps
// its place.
func (c *conn) leave() {
	c.stopInitTimer()
	c.hashing.end()
	c.feeds.end()
	c.client.Disconnect(c.offline) // set: a reader ends only after closeOnce has begun to close
	c.leaveAdmin()
	<-c.closed // likewise
	c.srv.conns.remove(c)
}

// maxFailures is how many wrong keys and passwords a connection may show before
// its first message holds.
const maxFailures = 5

// countFailure closes a connection that keeps trying keys or admin passwords.
func (c *conn) countFailure(m *protocol.Message, status protocol.Status) {
	guess := status == protocol.StatusWrongKey || status == protocol.StatusPasswordInvalid || status == protocol.StatusSessionInvalid
	if m.Access == protocol.AccessFirst && guess && c.failures.Add(1) >= maxFailures {
		c.Close(protocol.CloseProtocolAbuse, "too many wrong keys or passwords")
	}
}

func (c *conn) stopInitTimer() {
	if t := c.initTimer.Swap(nil); t != nil {
		t.Stop()
	}
}

// drain closes the connection for a shutdown: requests that are being worked on
// are answered first, new ones are told to come back.
func (c *conn) drain(retryAfter time.Duration) {
	c.draining.Store(true)
	c.stopInitTimer()
	c.order.whenIdle(func() {
		c.closeAfterQueue(&closing{code: protocol.CloseDraining, retryAfter: retryAfter, bye: true})
	})
}
