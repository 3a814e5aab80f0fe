package server

import (
	"bufio"
	"errors"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// The buffers that a connection keeps while it is idle. Most frames from clients
// fit into the first; of a larger one the rest is read past it. The second holds
// the header of a frame that is being written, and one that would not fit is
// gathered in a buffer that the connections share.
const (
	readBuffer  = 512
	writeBuffer = 64
)

// A peerConn is the network connection below a WebSocket. It notes when the peer
// was last heard, bounds how long a write may take, and gathers several frames
// into one system call.
type peerConn struct {
	net.Conn
	writeTimeout time.Duration

	heard atomic.Int64 // UNIX nanoseconds of the last byte read

	// used by whoever reads the connection alone
	in     *bufio.Reader // from which the library reads
	prefix []byte        // what net/http had read beyond the handshake

	mu       sync.Mutex // writes: ours and the library's pongs
	corked   bool
	gathered []byte
	deadline time.Time // the write deadline that is set
}

func newPeerConn(c net.Conn, prefix []byte, writeTimeout time.Duration) *peerConn {
	p := &peerConn{Conn: c, writeTimeout: writeTimeout, prefix: prefix}
	p.in = bufio.NewReaderSize(p, readBuffer)
	p.heard.Store(time.Now().UnixNano())
	return p
}

// Read reads what net/http left over first.
func (p *peerConn) Read(b []byte) (int, error) {
	if len(p.prefix) > 0 {
		n := copy(b, p.prefix)
		if p.prefix = p.prefix[n:]; len(p.prefix) == 0 {
			p.prefix = nil
		}
		return n, nil
	}
	n, err := p.Conn.Read(b)
	if n > 0 {
		p.heard.Store(time.Now().UnixNano())
	}
	return n, err
}

// Write writes, or gathers while the connection is corked.
func (p *peerConn) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.corked {
		p.gathered = append(p.gathered, b...)
		return len(b), nil
	}
	return p.write(b)
}

// write needs mu. A write deadline is moved only when less than the timeout is
// left of it, so that a busy connection does not pay for one each time: a write
// may take between one and two timeouts.
func (p *peerConn) write(b []byte) (int, error) {
	if now := time.Now(); p.deadline.Before(now.Add(p.writeTimeout)) {
		p.deadline = now.Add(2 * p.writeTimeout)
		if err := p.SetWriteDeadline(p.deadline); err != nil {
			return 0, err
		}
	}
	return p.Conn.Write(b)
}

// cork gathers what is written until uncork sends it in one go.
func (p *peerConn) cork(buf []byte) {
	p.mu.Lock()
	p.corked, p.gathered = true, buf[:0]
	p.mu.Unlock()
}

// uncork sends what was gathered and returns its buffer for another use.
func (p *peerConn) uncork() ([]byte, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	buf := p.gathered
	p.corked, p.gathered = false, nil
	if len(buf) == 0 {
		return buf, nil
	}
	_, err := p.write(buf)
	return buf, err
}

// A leanHijacker lets the WebSocket library take a connection over from net/http
// without net/http's 4 KiB buffers. What net/http has already read of the
// client's first frames is carried over.
type leanHijacker struct {
	http.ResponseWriter
	writeTimeout time.Duration
	peer         *peerConn // set by Hijack
}

// Unwrap gives http.ResponseController the writer below.
func (h *leanHijacker) Unwrap() http.ResponseWriter { return h.ResponseWriter }

// Hijack implements http.Hijacker.
func (h *leanHijacker) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	hj, ok := h.ResponseWriter.(http.Hijacker)
	if !ok {
		return nil, nil, errors.New("connection can't be taken over")
	}
	c, rw, err := hj.Hijack()
	if err != nil {
		return nil, nil, err
	}
	if err := rw.Writer.Flush(); err != nil { // the 101 response itself
		c.Close()
		return nil, nil, err
	}
	early, _ := rw.Reader.Peek(rw.Reader.Buffered())
	if err := c.SetDeadline(time.Time{}); err != nil {
		c.Close()
		return nil, nil, err
	}
	h.peer = newPeerConn(c, append([]byte(nil), early...), h.writeTimeout)
	return h.peer, bufio.NewReadWriter(h.peer.in, bufio.NewWriterSize(h.peer, writeBuffer)), nil
}
