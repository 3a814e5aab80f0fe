package client

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"

	"rollcall/protocol"
)

// closeWait bounds how long Close waits for the server's close frame.
const closeWait = time.Second

var (
	errNotSent = errors.New("connection lost before the frame was sent")
	errSilent  = errors.New("nothing was heard from the server for three ping intervals")
)

// A link is one connection of a client, from its first reply to its loss. One
// goroutine reads it, one writes it.
type link struct {
	c        *Client
	conn     *websocket.Conn
	interval time.Duration   // the server's ping interval; 0 where it named none
	ctx      context.Context // ends the reader
	cancel   context.CancelFunc
	start    time.Time
	heard    atomic.Int64 // when something was heard last, as time since start
	out      chan []byte
	dead     chan struct{} // closed when the link is lost
	bye      *protocol.Bye // owned by the reader

	mu      sync.Mutex // guards what follows
	pending map[int64]*call
	isLost  bool
}

// dial opens a connection without sending anything on it.
func (c *Client) dial(ctx context.Context) (*link, error) {
	l := &link{
		c:       c,
		start:   time.Now(),
		out:     make(chan []byte, 64),
		dead:    make(chan struct{}),
		pending: map[int64]*call{},
	}
	conn, resp, err := websocket.Dial(ctx, c.url, &websocket.DialOptions{
		HTTPClient:     c.http,
		Subprotocols:   []string{protocol.Subprotocol},
		OnPingReceived: func(context.Context, []byte) bool { l.hear(); return true },
		OnPongReceived: func(context.Context, []byte) { l.hear() },
	})
	if err != nil {
		return nil, &dialError{err: fmt.Errorf("connect to server: %w", err), retryAfter: retryAfter(resp)}
	}
	conn.SetReadLimit(protocol.MaxReplyBytes)
	l.conn = conn
	l.ctx, l.cancel = context.WithCancel(context.Background())
	return l, nil
}

// A dialError is a handshake that failed.
type dialError struct {
	err        error
	retryAfter time.Duration // what an answer of HTTP 503 asked for
}

func (e *dialError) Error() string { return e.err.Error() }
func (e *dialError) Unwrap() error { return e.err }

// retryAfter reads the header that comes with HTTP 503, in seconds.
func retryAfter(resp *http.Response) time.Duration {
	if resp == nil {
		return 0
	}
	seconds, err := strconv.Atoi(resp.Header.Get("Retry-After"))
	if err != nil || seconds < 0 || seconds > 3600 {
		return 0
	}
	return time.Duration(seconds) * time.Second
}

func (l *link) hear() { l.heard.Store(int64(time.Since(l.start))) }

// silence returns for how long nothing was heard.
func (l *link) silence() time.Duration { return time.Since(l.start) - time.Duration(l.heard.Load()) }

// receive reads one frame. A frame that can't be read is logged and left out.
func (l *link) receive(ctx context.Context) (protocol.Frame, error) {
	for {
		_, text, err := l.conn.Read(ctx)
		if err != nil {
			return protocol.Frame{}, l.closed(err)
		}
		l.hear()
		f, err := protocol.ParseFrame(text)
		if err != nil {
			l.c.opt.Logger.Warn("frame from the server can't be read", "bytes", len(text), "error", err)
			continue
		}
		if f.Bye != nil {
			l.bye = f.Bye
			continue
		}
		return f, nil
	}
}

// closed returns why reading ended: a *CloseError where the server said so.
func (l *link) closed(err error) error {
	if b := l.bye; b != nil {
		return &CloseError{b.Code, b.Reason, b.Reconnect, time.Duration(b.RetryAfterMS) * time.Millisecond}
	}
	var ce websocket.CloseError
	if errors.As(err, &ce) {
		code := protocol.CloseCode(ce.Code)
		reason := ce.Reason
		if reason == "" {
			reason = code.Reason()
		}
		return &CloseError{Code: code, Reason: reason, Reconnect: code.Reconnect()}
	}
	return fmt.Errorf("connection lost: %w", err)
}

// first sends the connection's first message and reads the reply into out.
// Nothing else may be read or written meanwhile.
func (l *link) first(ctx context.Context, m *protocol.Message, in, out any) error {
	id := l.c.nextID.Add(1)
	frame, err := protocol.AppendRequest(nil, id, m.Type, in)
	if err != nil {
		return protocol.Errorf(protocol.StatusEncodeFailed, "%s: the parameters have no JSON form", m.Type)
	}
	if err := l.conn.Write(ctx, websocket.MessageText, frame); err != nil {
		return fmt.Errorf("send %s: %w", m.Type, err)
	}
	for {
		f, err := l.receive(ctx)
		if err != nil {
			return err
		}
		r := f.Reply
		if r == nil || len(r.ID) > 0 && string(r.ID) != strconv.FormatInt(id, 10) {
			continue
		}
		if err := r.Err(); err != nil {
			return err
		}
		return protocol.DecodeResult(r.Result, out)
	}
}

// send queues a frame. It returns errNotSent when the link is lost and the frame
// was certainly not sent.
func (l *link) send(ctx context.Context, id int64, call *call, frame []byte) error {
	l.mu.Lock()
	if l.isLost {
		l.mu.Unlock()
		return errNotSent
	}
	l.pending[id] = call
	l.mu.Unlock()

	select {
	case l.out <- frame:
		return nil
	case <-l.dead:
		l.forget(id)
		return errNotSent
	case <-ctx.Done():
		l.forget(id)
		return context.Cause(ctx)
	}
}

func (l *link) forget(id int64) {
	l.mu.Lock()
	delete(l.pending, id)
	l.mu.Unlock()
}

// abandon gives a call up whose caller has left. One that changes what the
// connection is stays, since its reply tells as whom we are logged in.
func (l *link) abandon(id int64, call *call) {
	if call.message.Order != protocol.OrderBarrier {
		l.forget(id)
	}
}

// serve reads until the link is lost, fails what is pending and returns why.
func (l *link) serve() error {
	l.hear()
	writer := make(chan error, 1)
	go func() { writer <- l.write() }()

	err := l.read()

	l.mu.Lock()
	l.isLost = true
	pending := l.pending
	l.pending = nil
	l.mu.Unlock()
	close(l.dead)
	l.cancel()
	_ = l.conn.CloseNow()
	if werr := <-writer; werr != nil {
		err = werr
	}
	for _, call := range pending {
		call.done <- outcome{err: lost()}
	}
	return err
}

func (l *link) read() error {
	for {
		f, err := l.receive(l.ctx)
		if err != nil {
			return err
		}
		if f.Reply != nil {
			l.reply(f.Reply)
		}
		for _, p := range f.Pushes {
			l.c.push(p)
		}
	}
}

func (l *link) reply(r *protocol.Reply) {
	id, err := strconv.ParseInt(string(r.ID), 10, 64)
	if err != nil {
		l.c.opt.Logger.Warn("server answered without an id", "status", int(r.Status), "error", r.Message)
		return
	}
	l.mu.Lock()
	call := l.pending[id]
	delete(l.pending, id)
	l.mu.Unlock()
	if call == nil {
		return // the answer to our ping, or its caller has left
	}
	if err := r.Err(); err != nil {
		call.done <- outcome{err: err}
		return
	}
	l.c.note(call, r.Result)
	if call.onResult != nil {
		call.onResult(r.Result)
	}
	call.done <- outcome{result: r.Result}
}

// write sends what is queued, until the link is lost or the client closed, and
// looks after the server's liveness. Its error, if any, is why the link is lost.
func (l *link) write() error {
	var tick <-chan time.Time
	if l.interval > 0 {
		t := time.NewTicker(l.interval / 2)
		defer t.Stop()
		tick = t.C
	}
	for {
		select {
		case frame := <-l.out:
			if err := l.writeFrame(frame); err != nil {
				l.cancel()
				return nil // the reader knows more: a close code, maybe
			}
		case <-tick:
			if err := l.checkLiveness(); err != nil {
				l.cancel()
				return err
			}
		case <-l.dead:
			return nil
		case <-l.c.ctx.Done():
			stop := time.AfterFunc(closeWait, l.cancel)
			defer stop.Stop()
			_ = l.conn.Close(websocket.StatusNormalClosure, "")
			return nil
		}
	}
}

func (l *link) writeFrame(frame []byte) error {
	ctx, cancel := context.WithTimeout(l.ctx, l.c.opt.WriteTimeout)
	defer cancel()
	return l.conn.Write(ctx, websocket.MessageText, frame)
}

// checkLiveness gives a server up that was silent for three ping intervals. After
// one it asks for a sign of life itself, for pings that don't come through.
func (l *link) checkLiveness() error {
	switch silence := l.silence(); {
	case silence >= 3*l.interval:
		return errSilent
	case silence > l.interval:
		ping, err := protocol.AppendRequest(nil, l.c.nextID.Add(1), protocol.CorePing.Type, protocol.None{})
		if err != nil {
			return err
		}
		return l.writeFrame(ping)
	}
	return nil
}
