package loadtest

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/gobwas/ws"

	"rollcall/protocol"
)

// answerTimeout is how long a request may go without an answer before it counts
// as timed out: the server's own bound for the work on one.
const answerTimeout = 10 * time.Second

// maxInFlight bounds the requests under way on one connection: below the 64 of a
// server's default, beyond which it answers 807.
const maxInFlight = 48

// A conn is one WebSocket connection. It is read by one goroutine, and written
// by any.
type conn struct {
	w      *worker
	nc     net.Conn
	frames frameReader // owned by the reader

	mu      sync.Mutex
	pending []pending
	lastID  uint32
	reading bool // its reader has begun: from now on requests expire
	lost    bool
	bye     *protocol.Bye

	writing atomic.Int64 // the moment at which the write under way began; 0: none
}

// A pending request is one that waits for its answer.
type pending struct {
	id       uint32
	op       operation
	intended moment
	sent     moment
	account  *account           // whose login it is; nil for others
	answered func(reply, error) // nil: only counted
}

// readsResult reports whether it matters what the result is.
func (p *pending) readsResult() bool { return p.answered != nil || p.op == opResume || p.op == opStorm }

// dial opens a connection for the k-th of all. The reader has not begun.
func (w *worker) dial(ctx context.Context, k int) (*conn, error) {
	nc, early, err := w.dialer.dial(ctx, k)
	if err != nil {
		return nil, err
	}
	c := &conn{w: w, nc: nc}
	c.frames.src = newSource(nc)
	c.frames.early(early)
	w.conns.add(c)
	return c, nil
}

// close ends the connection at once, by a reset. The reader sees it as lost.
func (c *conn) close() { _ = c.nc.Close() }

// leave ends the connection as a client does who goes: by a close frame. The
// reader ends when the server has closed it in turn; a server that does not
// within a second is left.
func (c *conn) leave() {
	if c.control(ws.OpClose, binary.BigEndian.AppendUint16(nil, uint16(ws.StatusNormalClosure))) != nil {
		c.close()
		return
	}
	_ = c.nc.SetReadDeadline(time.Now().Add(time.Second))
}

// read reads until the connection is lost and returns why. Replies go to what
// waits for them, other messages to push, which may be nil.
func (c *conn) read(push func(text []byte)) error {
	c.mu.Lock()
	c.reading = true
	c.mu.Unlock()
	for {
		if err := c.readOne(push); err != nil {
			c.lose(errLost)
			return err
		}
	}
}

func (c *conn) readOne(push func(text []byte)) error {
	op, payload, err := c.frames.next()
	if err != nil {
		return err
	}
	defer c.frames.release()
	switch op {
	case ws.OpPing:
		return c.control(ws.OpPong, payload)
	case ws.OpPong:
		return nil
	case ws.OpClose:
		code, reason := ws.ParseCloseFrameData(payload)
		_ = c.control(ws.OpClose, payload[:min(2, len(payload))])
		return closedError{int(code), reason}
	case ws.OpText:
		c.text(payload, push)
		return nil
	}
	return fmt.Errorf("a frame of the server has operation code %d", op)
}

// A closedError says that the server closed the connection.
type closedError struct {
	code   int
	reason string
}

func (e closedError) Error() string {
	return "closed by the server: " + strconv.Itoa(e.code) + " " + e.reason
}

func (c *conn) text(text []byte, push func([]byte)) {
	if id, ok := scanResult(text); ok {
		if p, ok := c.take(id); ok {
			r := reply{id: id}
			if p.readsResult() {
				r, _ = decodeReply(text) // without a result where it can't be read
			}
			c.settle(p, r)
		}
		return
	}
	if bytes.HasPrefix(text, []byte("[")) || bytes.HasPrefix(text, []byte(`{"event":"user.`)) {
		if push != nil { // told by its head, since a watcher gets many
			push(text)
		}
		return
	}
	if r, err := decodeReply(text); err == nil {
		if p, ok := c.take(r.id); ok {
			c.settle(p, r)
		}
		return
	}
	var bye protocol.Bye
	if json.Unmarshal(text, &bye) == nil && bye.Event == "bye" {
		c.mu.Lock()
		c.bye = &bye
		c.mu.Unlock()
		return
	}
	if push != nil {
		push(text)
	}
}

// settle hands an answer to what waited for it.
func (c *conn) settle(p pending, r reply) {
	c.w.answered(p, r)
	if p.answered != nil {
		p.answered(r, nil)
	}
}

// take removes the pending request of that id.
func (c *conn) take(id uint32) (pending, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	i := slices.IndexFunc(c.pending, func(p pending) bool { return p.id == id })
	if i < 0 {
		return pending{}, false
	}
	p := c.pending[i]
	last := len(c.pending) - 1
	c.pending[i] = c.pending[last]
	c.pending[last] = pending{}
	c.pending = c.pending[:last]
	return p, true
}

// inFlight returns how many requests wait for their answer.
func (c *conn) inFlight() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.pending)
}

var (
	errLost    = errors.New("the connection was lost")
	errTimeout = errors.New("no answer came in time")
)

// lose marks the connection as lost and fails what is pending on it.
func (c *conn) lose(why error) {
	c.mu.Lock()
	left := c.pending
	c.pending, c.lost = nil, true
	c.mu.Unlock()
	c.close()
	c.w.conns.remove(c)
	for _, p := range left {
		c.w.unanswered(p, why)
		if p.answered != nil {
			p.answered(reply{}, why)
		}
	}
}

// expire fails what has been pending for too long. It is called once a second
// for every connection.
func (c *conn) expire(now moment) {
	if began := moment(c.writing.Load()); began != 0 && now.since(began) > answerTimeout {
		c.close() // the server does not read
	}
	c.mu.Lock()
	if !c.reading {
		c.mu.Unlock()
		return
	}
	var late []pending
	if len(c.pending) > 0 {
		c.pending = slices.DeleteFunc(c.pending, func(p pending) bool {
			over := now.since(p.sent) > answerTimeout
			if over {
				late = append(late, p)
			}
			return over
		})
	}
	if len(c.pending) == 0 {
		c.pending = nil // an idle connection keeps nothing
	}
	c.mu.Unlock()
	for _, p := range late {
		c.w.unanswered(p, errTimeout)
		if p.answered != nil {
			p.answered(reply{}, errTimeout)
		}
	}
}

// send sends a request that p describes, whose id and sent it sets. The data is
// appended by a function, as JSON. An error means that nothing was sent, and
// that nobody will be told: the caller counts it.
func (c *conn) send(p pending, data func([]byte) []byte) error {
	buffer := requestBuffers.Get().(*requestBuffer)
	defer requestBuffers.Put(buffer)

	c.mu.Lock()
	if c.lost {
		c.mu.Unlock()
		return errLost
	}
	c.lastID = (c.lastID + 1) % 1e9
	p.id, p.sent = c.lastID, c.w.clock.now()
	c.pending = append(c.pending, p)
	c.mu.Unlock()

	c.writing.Store(int64(p.sent))
	_, err := c.nc.Write(buffer.request(p.id, p.op, data))
	c.writing.Store(0)
	if err != nil {
		c.close() // the reader ends, and fails what is pending, this request with it
	}
	return nil
}

// ignore sends a request whose answer nobody waits for. It takes as long as the
// server does not read; when the connection is closed it returns.
func (c *conn) ignore(op operation, data func([]byte) []byte) error {
	buffer := requestBuffers.Get().(*requestBuffer)
	defer requestBuffers.Put(buffer)
	_, err := c.nc.Write(buffer.request(0, op, data))
	return err
}

// control sends a control frame.
func (c *conn) control(op ws.OpCode, payload []byte) error {
	buffer := requestBuffers.Get().(*requestBuffer)
	defer requestBuffers.Put(buffer)
	buffer.b = append(append(buffer.b[:0], make([]byte, headRoom)...), payload...)
	_, err := c.nc.Write(buffer.masked(op))
	return err
}

// call sends a request and waits for its answer, while nobody else reads the
// connection: before its reader has begun.
func (c *conn) call(p pending, data func([]byte) []byte, push func([]byte)) (reply, error) {
	var answer *reply
	var failure error
	p.answered = func(r reply, err error) {
		answer, failure = &r, err
	}
	_ = c.nc.SetReadDeadline(time.Now().Add(answerTimeout))
	if err := c.send(p, data); err != nil {
		c.w.meter.failed(p.op, p.intended, statusName(err))
		return reply{}, err
	}
	for answer == nil {
		err := c.readOne(push)
		if err != nil && errors.Is(err, os.ErrDeadlineExceeded) {
			err = errTimeout
		}
		if err != nil {
			c.lose(err) // answers it
		}
	}
	_ = c.nc.SetReadDeadline(time.Time{})
	if failure == nil && answer.status != 0 {
		return *answer, &protocol.Error{Status: answer.status, Message: answer.text}
	}
	return *answer, failure
}
