package server

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// A client may send its first frames right behind the handshake, before it saw
// the answer. net/http may have read them already when the connection is taken
// over.
func TestFramesSentWithTheHandshakeAreNotLost(t *testing.T) {
	got := make(chan string, 1)
	ts := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := &leanHijacker{ResponseWriter: w, writeTimeout: time.Minute}
		ws, err := websocket.Accept(h, r, nil)
		if err != nil {
			t.Error(err)
			return
		}
		defer ws.CloseNow()
		_, b, err := ws.Read(r.Context())
		if err != nil {
			t.Error(err)
		}
		got <- string(b)
	}))
	defer ts.Close()
	c, err := net.Dial("tcp", ts.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	handshake := "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
	frame := "\x81\x85\x00\x00\x00\x00hello" // a masked text frame, its mask all zeros
	if _, err := io.WriteString(c, handshake+frame); err != nil {
		t.Fatal(err)
	}
	if s := <-got; s != "hello" {
		t.Errorf("got %q", s)
	}
}

func TestWhatWaitsGoesOutInOneWrite(t *testing.T) {
	here, there := net.Pipe()
	defer here.Close()
	defer there.Close()
	writes := &countingConn{Conn: here}
	c := &conn{peer: newPeerConn(writes, nil, time.Minute)}
	push := func(text string) frame { return frame{b: []byte(text), batch: true} }
	long := strings.Repeat("x", 300)
	go func() {
		err := c.writeBatch([]frame{{b: []byte("a")}, push("1"), push("2"), {b: []byte(long)}}, appendFrame(nil, opPing, nil))
		if err != nil {
			t.Error(err)
		}
		here.Close()
	}()
	got, err := io.ReadAll(there)
	// Unmasked frames as in RFC 6455, section 5.7.
	want := "\x81\x01a" + "\x81\x05[1,2]" + "\x81\x7e\x01\x2c" + long + "\x89\x00"
	if err != nil || string(got) != want {
		t.Errorf("got %q, %v", got, err)
	}
	if writes.n != 1 {
		t.Errorf("%d writes, want 1", writes.n)
	}
}

func TestAFrameOfAnyLengthHasTheHeaderOfTheRFC(t *testing.T) {
	for n, header := range map[int]string{
		0: "\x81\x00", 125: "\x81\x7d", 126: "\x81\x7e\x00\x7e", 65535: "\x81\x7e\xff\xff",
		65536: "\x81\x7f\x00\x00\x00\x00\x00\x01\x00\x00",
	} {
		if b := appendFrame(nil, opText, make([]byte, n)); string(b[:len(b)-n]) != header {
			t.Errorf("%d bytes: %x", n, b[:len(b)-n])
		}
	}
}

func TestWhatASocketDoesNotTakeAtOnceIsLeft(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	there, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer there.Close()
	here, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer here.Close()
	p := newPeerConn(here, nil, time.Minute)
	data := make([]byte, 1<<20)
	for i := range data {
		data[i] = byte(i % 251)
	}
	var want []byte
	for whole := true; whole; { // until the kernel takes no more
		var taken bool
		if taken, whole, err = p.tryWrite(data); err != nil || !taken {
			t.Fatalf("taken %v, %v", taken, err)
		}
		want = append(want, data...)
	}
	if taken, _, err := p.tryWrite(data); taken || err != nil {
		t.Errorf("before the rest of what was begun something else is taken, %v", err)
	}
	written := make(chan error, 1)
	go func() {
		_, err := p.Write([]byte("then"))
		written <- err
	}()
	want = append(want, "then"...)
	got := make([]byte, len(want))
	if _, err := io.ReadFull(there, got); err != nil || !bytes.Equal(got, want) {
		t.Errorf("what came is not what was sent: %v", err)
	}
	if err := <-written; err != nil {
		t.Error(err)
	}
	p.deadline = time.Now().Add(-time.Minute) // that of a write long ago
	if err := here.SetWriteDeadline(p.deadline); err != nil {
		t.Fatal(err)
	}
	if taken, whole, err := p.tryWrite([]byte("x")); !taken || !whole || err != nil {
		t.Errorf("after the deadline of an earlier write: %v, %v, %v", taken, whole, err)
	}
	there.Close()
	here.Close()
	if _, _, err := p.tryWrite(data); err == nil {
		t.Error("a closed socket takes something")
	}
	pipe, other := net.Pipe()
	defer pipe.Close()
	defer other.Close()
	if taken, _, err := newPeerConn(pipe, nil, time.Minute).tryWrite(data); taken || err != nil {
		t.Errorf("what is no socket took something, %v", err)
	}
}

type countingConn struct {
	net.Conn
	n int
}

func (c *countingConn) Write(b []byte) (int, error) {
	c.n++
	return c.Conn.Write(b)
}

func TestTheWriteDeadlineMovesOnlyWhenItIsNear(t *testing.T) {
	here, there := net.Pipe()
	defer here.Close()
	defer there.Close()
	go io.Copy(io.Discard, there)
	deadlines := &deadlineConn{Conn: here}
	p := newPeerConn(deadlines, nil, time.Minute)
	for range 10 {
		if _, err := p.Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
	}
	if deadlines.n != 1 {
		t.Errorf("ten writes moved the deadline %d times, want 1", deadlines.n)
	}
}

type deadlineConn struct {
	net.Conn
	n int
}

func (c *deadlineConn) SetWriteDeadline(t time.Time) error {
	c.n++
	return c.Conn.SetWriteDeadline(t)
}
