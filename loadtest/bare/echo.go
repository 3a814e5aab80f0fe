package bare

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/coder/websocket"
)

// Echo answers every frame with itself, on coder/websocket as its documentation
// shows it: what a message costs when nobody looks at it, what an idle connection
// costs when nothing is known of it, and what opening one costs when its first
// frame is all there is to answer.
func Echo() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ws, err := websocket.Accept(w, r, nil)
		if err != nil {
			return
		}
		defer ws.CloseNow()
		for {
			typ, msg, err := ws.Read(context.Background())
			if err != nil {
				return
			}
			if err := ws.Write(context.Background(), typ, msg); err != nil {
				return
			}
		}
	})
}

// LeanEcho is Echo with as little memory a connection as the library allows: the
// HTTP handler returns and a fresh goroutine reads, with buffers of 512 bytes
// instead of net/http's, and buffers for messages come from a pool. It is the
// least that a connection of this library costs.
func LeanEcho() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ws, err := websocket.Accept(leanHijacker{w}, r, &websocket.AcceptOptions{CompressionMode: websocket.CompressionDisabled})
		if err != nil {
			return
		}
		go leanEcho(ws)
	})
}

func leanEcho(ws *websocket.Conn) {
	defer ws.CloseNow()
	for {
		typ, r, err := ws.Reader(context.Background())
		if err != nil {
			return
		}
		buf := messages.Get().(*[]byte)
		n, err := readInto(r, buf)
		if err == nil {
			err = ws.Write(context.Background(), typ, (*buf)[:n])
		}
		messages.Put(buf)
		if err != nil {
			return
		}
	}
}

var messages = sync.Pool{New: func() any { b := make([]byte, 2048); return &b }}

// readInto reads all of r into *buf, which it lets grow.
func readInto(r io.Reader, buf *[]byte) (n int, err error) {
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

// leanBuffer is the size of a lean connection's two buffers.
const leanBuffer = 512

// A leanHijacker takes a connection over from net/http without its buffers. What
// net/http has already read of the client's first frame is carried over: the
// handshake's answer goes out before the connection is taken over.
type leanHijacker struct{ http.ResponseWriter }

func (h leanHijacker) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	c, rw, err := h.ResponseWriter.(http.Hijacker).Hijack()
	if err != nil {
		return nil, nil, err
	}
	if err := errors.Join(rw.Writer.Flush(), c.SetDeadline(time.Time{})); err != nil {
		c.Close()
		return nil, nil, err
	}
	if early, _ := rw.Reader.Peek(rw.Reader.Buffered()); len(early) > 0 {
		c = &earlyConn{c, bytes.Clone(early)}
	}
	return c, bufio.NewReadWriter(bufio.NewReaderSize(c, leanBuffer), bufio.NewWriterSize(c, leanBuffer)), nil
}

// An earlyConn reads what was read too early once more.
type earlyConn struct {
	net.Conn
	early []byte
}

func (c *earlyConn) Read(b []byte) (int, error) {
	if len(c.early) == 0 {
		return c.Conn.Read(b)
	}
	n := copy(b, c.early)
	c.early = c.early[n:]
	return n, nil
}
