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
// fit into the first; of a larger one the rest is read past it. The second is for
// what the library writes by itself, control frames: the largest fits, so that
// each is a single Write.
const (
	readBuffer  = 512
	writeBuffer = 2 + maxControl
)

// A peerConn is the network connection below a WebSocket. It notes when the peer
// was last heard and bounds how long a write may take.
type peerConn struct {
	net.Conn
	writeTimeout time.Duration

	heard atomic.Int64 // UNIX nanoseconds of the last byte read

	// used by whoever reads the connection alone
	in     *bufio.Reader // from which the library reads
	prefix []byte        // what net/http had read beyond the handshake

	// Whole frames are written, ours and the library's, so that they never mix.
	mu       sync.Mutex // of writing
	deadline time.Time  // the write deadline that is set
	rest     []byte     // of a frame that tryWrite began; goes before anything else
	try      *tryWriter // made by the first tryWrite; nil where there is none
	tried    bool
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

// Write writes.
func (p *peerConn) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.moveDeadline(); err != nil {
		return 0, err
	}
	if rest := p.rest; rest != nil {
		p.rest = nil
		if _, err := p.Conn.Write(rest); err != nil {
			return 0, err
		}
	}
	if len(b) == 0 {
		return 0, nil
	}
	return p.Conn.Write(b)
}

// moveDeadline comes before each write and needs mu. The deadline is moved only
// when less than the timeout is left of it, so that a busy connection does not
// pay for one each time: a write may take between one and two timeouts.
func (p *peerConn) moveDeadline() error {
	now := time.Now()
	if !p.deadline.Before(now.Add(p.writeTimeout)) {
		return nil
	}
	p.deadline = now.Add(2 * p.writeTimeout)
	return p.SetWriteDeadline(p.deadline)
}

// tryWrite writes frames without waiting, for the kernel or for another writer. It
// reports whether it took them, and whether all of them went out; if not, the
// rest goes before whatever is written next, which may be nothing.
func (p *peerConn) tryWrite(b []byte) (taken, whole bool, err error) {
	if !p.mu.TryLock() {
		return false, false, nil
	}
	defer p.mu.Unlock()
	if !p.tried {
		p.try, p.tried = newTryWriter(p.Conn), true
	}
	if p.try == nil || p.rest != nil {
		return false, false, nil
	}
	if err := p.moveDeadline(); err != nil { // one that has passed fails this write as well
		return false, false, err
	}
	n, err := p.try.write(b)
	if err != nil || n == 0 {
		return false, false, err
	}
	if n < len(b) {
		p.rest = append([]byte(nil), b[n:]...)
	}
	return true, n == len(b), nil
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
