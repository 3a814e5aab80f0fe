package server

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
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

func TestWhatIsCorkedGoesOutInOneWrite(t *testing.T) {
	here, there := net.Pipe()
	defer here.Close()
	defer there.Close()
	writes := &countingConn{Conn: here}
	p := newPeerConn(writes, nil, time.Minute)
	go func() {
		p.cork(nil)
		for _, s := range []string{"a", "b", "c\n"} {
			if _, err := io.WriteString(p, s); err != nil {
				t.Error(err)
			}
		}
		if _, err := p.uncork(); err != nil {
			t.Error(err)
		}
	}()
	line, err := bufio.NewReader(there).ReadString('\n')
	if err != nil || line != "abc\n" {
		t.Errorf("got %q, %v", line, err)
	}
	if writes.n != 1 {
		t.Errorf("%d writes, want 1", writes.n)
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
