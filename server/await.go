package server

import (
	"bufio"
	"sync"
	"time"
)

// A connection costs little while its client says nothing: a goroutine waits for
// the first byte at so shallow a depth that a stack of 2 KiB, the smallest there
// is, holds it. Reading, decoding and answering need four times as much, so they
// are done on a worker's goroutine, whose stack has grown long ago, and the wait
// goes on on a fresh one.

// looking is whether a goroutine of ours is at a connection's read buffer, to wait
// for its client or to see what is there. The WebSocket library does not know of
// that, so it must have ended before the library is told to close, which reads as
// well.
type looking struct {
	mu     sync.Mutex
	now    bool
	over   bool          // nobody looks any more: the connection is closing
	unused chan struct{} // closed when the last look has ended; nil while nobody asks
}

// begin reports whether to look: not once it is over.
func (l *looking) begin() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.now = !l.over
	return l.now
}

// end is called after begin allowed a look, when it has ended. If it was the last,
// it calls restore before anybody else can read.
func (l *looking) end(restore func(time.Time) error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.now = false
	if l.over {
		_ = restore(time.Time{})
	}
	if l.unused != nil {
		close(l.unused)
		l.unused = nil
	}
}

// look runs f on the read buffer, unless the connection is closing.
func (c *conn) look(f func(in *bufio.Reader)) {
	if !c.looking.begin() {
		return
	}
	f(c.peer.in)
	c.looking.end(c.peer.SetReadDeadline)
}

// await waits until the client has sent something, or the connection is broken
// or closing, and has a worker read on.
func (c *conn) await() {
	c.look(func(in *bufio.Reader) { _, _ = in.Peek(1) }) // an error comes again when it is read
	c.srv.workers.start((*connReader)(c))
}

// endLooking leaves the buffer to the library: what the client still sends is read
// by a goroutine that stays with the connection. It returns when that holds.
func (c *conn) endLooking() {
	l := &c.looking
	l.mu.Lock()
	l.over = true
	if !l.now {
		l.mu.Unlock()
		return
	}
	if l.unused == nil {
		l.unused = make(chan struct{})
	}
	unused := l.unused
	// Long ago: ends the wait. Set before the look can know that it was the last,
	// and take the deadline back.
	_ = c.peer.SetReadDeadline(time.Unix(1, 0))
	l.mu.Unlock()
	<-unused
}

// A connReader is the reading of what has come in on a connection, as work.
type connReader conn

func (r *connReader) run() { (*conn)(r).read() }
