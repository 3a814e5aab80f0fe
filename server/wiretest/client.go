package wiretest

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"syscall"
	"testing"
)

// A Client is a conversation over a Conn. Replies are read when somebody waits
// for one, and a client belongs to one goroutine. A test that writes beside its
// reading makes the frames first, with Frame, and gives them to WriteRaw.
//
// Pushes are kept in the order in which they came, beside the replies, until
// somebody takes them: NextPush and its like.
//
// Post, Await, Do, End, AwaitPush and AwaitPushes return errors, for goroutines
// of a test; the others end the test.
type Client struct {
	*Conn
	t testing.TB

	// Batch allows frames that are arrays of pushes. It is set by a test that
	// subscribes with batch.
	Batch bool

	last     int
	expected map[string]string // id → type, of what was posted
	replies  map[string]Reply  // read, not yet waited for
	pushes   []Push            // read, not yet taken
	frames   int               // that held pushes
	bye      *Bye
	handmade bool // SendText was used, so replies to unknown ids may come
}

// A Bye is the frame before a close by the server.
type Bye struct {
	Raw          string
	Code         int
	Reason       string
	Reconnect    bool
	RetryAfterMS *int64
}

// Dial opens a connection that the end of the test closes.
func Dial(t testing.TB, addr string) *Client {
	t.Helper()
	conn, err := Open(addr, nil)
	if err != nil {
		t.Fatalf("dial: %v", err)
	}
	t.Cleanup(func() { conn.Close() })
	return NewClient(t, conn)
}

// NewClient starts a conversation on a connection.
func NewClient(t testing.TB, conn *Conn) *Client {
	return &Client{Conn: conn, t: t, expected: map[string]string{}, replies: map[string]Reply{}}
}

// Encode makes the frame's text of a request.
func Encode(id any, typ string, data any) []byte {
	request := map[string]any{"id": id, "type": typ}
	if data != nil {
		request["data"] = data
	}
	text, err := json.Marshal(request)
	if err != nil {
		panic(err) // a mistake of the test's author
	}
	return text
}

// Post sends a request and returns its id.
func (c *Client) Post(typ string, data any) (id string, err error) {
	id, frame := c.Frame(typ, data)
	return id, c.WriteRaw(frame)
}

// Frame makes a request's frame without sending it, for a test that puts several
// in one write.
func (c *Client) Frame(typ string, data any) (id string, frame []byte) {
	c.last++
	id = strconv.Itoa(c.last)
	c.expected[id] = typ
	return id, AppendFrame(nil, Frame{Op: OpText, Payload: Encode(c.last, typ, data)})
}

// Read reads the next reply, whichever it is. Every reply is held against the
// contract: it has one of result and error, it belongs to a request, it comes
// once. Pushes before it are kept.
func (c *Client) Read() (Reply, error) {
	for {
		switch r, err := c.step(); {
		case err != nil && r != nil:
			return *r, err
		case err != nil:
			return Reply{}, err
		case r != nil:
			return *r, nil
		}
	}
}

// step reads one frame: a reply, or a bye or pushes, which it keeps.
func (c *Client) step() (*Reply, error) {
	text, err := c.ReadText()
	if err != nil {
		return nil, err
	}
	if c.bye != nil {
		return nil, fmt.Errorf("a frame after the bye: %s", text)
	}
	if err := checkSecrets(text); err != nil {
		return nil, err
	}
	if bye, err := parseBye(text); bye != nil || err != nil {
		c.bye = bye
		return nil, err
	}
	if pushes, err := parsePushes(text, c.Batch); len(pushes) > 0 || err != nil {
		c.frames++
		for i := range pushes {
			pushes[i].Frame = c.frames
		}
		c.pushes = append(c.pushes, pushes...)
		return nil, err
	}
	r, err := parseReply(text)
	if err != nil {
		return &r, err
	}
	if id := r.ID(); id != "" && !c.handmade {
		typ, ok := c.expected[id]
		switch {
		case !ok:
			return &r, fmt.Errorf("a reply that nobody waits for, or a second one: %s", text)
		case r.Type() != typ:
			return &r, fmt.Errorf("reply to %s has another type: %s", typ, text)
		}
		delete(c.expected, id)
	}
	return &r, nil
}

func parseBye(text []byte) (*Bye, error) {
	var b struct {
		Event        string `json:"event"`
		Code         int    `json:"code"`
		Reason       string `json:"reason"`
		Reconnect    *bool  `json:"reconnect"`
		RetryAfterMS *int64 `json:"retry_after_ms"`
	}
	if json.Unmarshal(text, &b) != nil || b.Event != "bye" {
		return nil, nil
	}
	if b.Reconnect == nil || b.Reason == "" || b.Code == 0 {
		return nil, fmt.Errorf("a bye without code, reason or reconnect: %s", text)
	}
	return &Bye{string(text), b.Code, b.Reason, *b.Reconnect, b.RetryAfterMS}, nil
}

// Await reads until the reply with this id is there.
func (c *Client) Await(id string) (Reply, error) {
	for {
		if r, ok := c.replies[id]; ok {
			delete(c.replies, id)
			return r, nil
		}
		r, err := c.Read()
		if err != nil {
			return r, fmt.Errorf("wait for the reply to %s: %w", id, err)
		}
		c.replies[r.ID()] = r
	}
}

// Do sends a request and waits for its reply.
func (c *Client) Do(typ string, data any) (Reply, error) {
	id, err := c.Post(typ, data)
	if err != nil {
		return Reply{}, err
	}
	return c.Await(id)
}

// isGone reports whether an error says that the TCP connection ended.
func isGone(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

// An Ending is how a connection ended.
type Ending struct {
	Bye   *Bye        // nil: there was none
	Close *CloseError // nil: the TCP connection just ended
}

// End reads until the server closes. Replies on the way are kept for Await. The
// close is echoed, and then the server must end the TCP connection.
func (c *Client) End() (Ending, error) {
	for {
		r, err := c.Read()
		var closed *CloseError
		switch {
		case err == nil:
			c.replies[r.ID()] = r
		case errors.As(err, &closed):
			payload := []byte(nil)
			if closed.Code != 1005 {
				payload = ClosePayload(closed.Code, "")
			}
			_ = c.WriteFrame(Frame{Op: OpClose, Payload: payload}) // the server may be gone already
			return Ending{c.bye, closed}, c.ReadEnd()
		case isTimeout(err):
			return Ending{}, errors.New("the server did not close")
		case isGone(err):
			return Ending{Bye: c.bye}, nil
		default:
			return Ending{}, err
		}
	}
}

// Send is Post.
func (c *Client) Send(typ string, data any) string {
	c.t.Helper()
	id, err := c.Post(typ, data)
	if err != nil {
		c.t.Fatalf("send %s: %v", typ, err)
	}
	return id
}

// SendText sends one text frame, which need not be a request. Its reply comes
// from Next, not from Wait.
func (c *Client) SendText(text string) {
	c.t.Helper()
	c.handmade = true
	if err := c.WriteFrame(Frame{Op: OpText, Payload: []byte(text)}); err != nil {
		c.t.Fatalf("send text: %v", err)
	}
}

// Wait is Await.
func (c *Client) Wait(id string) Reply {
	c.t.Helper()
	r, err := c.Await(id)
	if err != nil {
		c.t.Fatal(err)
	}
	return r
}

// Call is Do.
func (c *Client) Call(typ string, data any) Reply {
	c.t.Helper()
	r, err := c.Do(typ, data)
	if err != nil {
		c.t.Fatalf("%s: %v", typ, err)
	}
	return r
}

// Next is Read.
func (c *Client) Next() Reply {
	c.t.Helper()
	r, err := c.Read()
	if err != nil {
		c.t.Fatal(err)
	}
	return r
}

// WaitEnd is End.
func (c *Client) WaitEnd() Ending {
	c.t.Helper()
	e, err := c.End()
	if err != nil {
		c.t.Fatal(err)
	}
	return e
}
