package server

import (
	"sync"

	"github.com/google/uuid"

	"rollcall/protocol"
)

// order decides when the requests of one connection may run, by the contract's
// rules: a barrier waits for all before it and all after it wait for it; reads
// and writes of one user wait for the writes, and writes for the reads too, that
// were sent before them. Everything else runs at once, side by side.
//
// The zero order is ready to use. It holds nothing while no request is in flight.
type order struct {
	mu      sync.Mutex
	pending []*task // those not finished, as they were sent
}

// A task is one request on its way.
type task struct {
	kind    protocol.Order
	subject uuid.UUID // of reads and writes
	run     func()    // must call order.finish when it is done

	waits int     // unfinished tasks that this one waits for
	next  []*task // tasks that wait for this one
}

// conflicts reports whether b, sent after a, must wait for a.
func (a *task) conflicts(b *task) bool {
	if a.kind == protocol.OrderBarrier || b.kind == protocol.OrderBarrier {
		return true
	}
	if a.kind != protocol.OrderWrite && b.kind != protocol.OrderWrite {
		return false
	}
	return a.kind != protocol.OrderNone && b.kind != protocol.OrderNone && a.subject == b.subject
}

// add enters a task, and starts it on a goroutine of its own unless it must wait.
func (o *order) add(t *task) {
	o.mu.Lock()
	for _, p := range o.pending {
		if p.conflicts(t) {
			p.next = append(p.next, t)
			t.waits++
		}
	}
	o.pending = append(o.pending, t)
	ready := t.waits == 0
	o.mu.Unlock()
	if ready {
		go t.run()
	}
}

// finish takes a task out and starts those that waited for it alone.
func (o *order) finish(t *task) {
	o.mu.Lock()
	for i, p := range o.pending {
		if p == t {
			o.pending = append(o.pending[:i], o.pending[i+1:]...)
			break
		}
	}
	if len(o.pending) == 0 {
		o.pending = nil
	} else {
		clear(o.pending[len(o.pending):cap(o.pending)])
	}
	var ready []*task
	for _, n := range t.next {
		if n.waits--; n.waits == 0 {
			ready = append(ready, n)
		}
	}
	o.mu.Unlock()
	for _, n := range ready {
		go n.run()
	}
}

// whenIdle runs fn on a goroutine of its own once nothing that was added before
// is unfinished. It is a barrier, so what is added after it waits for fn.
func (o *order) whenIdle(fn func()) {
	t := &task{kind: protocol.OrderBarrier}
	t.run = func() {
		fn()
		o.finish(t)
	}
	o.add(t)
}
