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
	workers *workers // run the work; nil: a goroutine each

	mu      sync.Mutex
	pending []*turn // those not finished, as they were sent
}

// A turn is a request's place in the order. It is part of what it orders, so
// that a request is one allocation.
type turn struct {
	kind    protocol.Order
	subject uuid.UUID // of reads and writes
	work    work

	waits int     // unfinished turns that this one waits for
	next  []*turn // turns that wait for this one
}

// work runs on a goroutine of its own when its turn has come. A turn's work must
// call order.finish when it is done.
type work interface{ run() }

// conflicts reports whether b, sent after a, must wait for a.
func (a *turn) conflicts(b *turn) bool {
	if a.kind == protocol.OrderBarrier || b.kind == protocol.OrderBarrier {
		return true
	}
	if a.kind != protocol.OrderWrite && b.kind != protocol.OrderWrite {
		return false
	}
	return a.kind != protocol.OrderNone && b.kind != protocol.OrderNone && a.subject == b.subject
}

// add enters a turn and reports whether it has come: then the caller runs the
// work. Else it is started when the turn comes.
func (o *order) add(t *turn) bool {
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
	return ready
}

func (o *order) start(w work) {
	if o.workers == nil {
		go w.run()
		return
	}
	o.workers.start(w)
}

// maxIdlePending is how much of an emptied list a connection keeps.
const maxIdlePending = 4

// finish takes a turn out and starts those that waited for it alone.
func (o *order) finish(t *turn) {
	o.mu.Lock()
	for i, p := range o.pending {
		if p == t {
			last := len(o.pending) - 1
			copy(o.pending[i:], o.pending[i+1:])
			o.pending[last] = nil
			o.pending = o.pending[:last]
			break
		}
	}
	if len(o.pending) == 0 && cap(o.pending) > maxIdlePending {
		o.pending = nil
	}
	var ready []*turn
	for _, n := range t.next {
		if n.waits--; n.waits == 0 {
			ready = append(ready, n)
		}
	}
	o.mu.Unlock()
	for _, n := range ready {
		o.start(n.work)
	}
}

// whenIdle runs fn once nothing that was added before is unfinished. It is a
// barrier, so what is added after it waits for fn.
func (o *order) whenIdle(fn func()) {
	w := &idleWork{order: o, fn: fn}
	w.turn = turn{kind: protocol.OrderBarrier, work: w}
	if o.add(&w.turn) {
		o.start(w)
	}
}

type idleWork struct {
	turn
	order *order
	fn    func()
}

func (w *idleWork) run() {
	w.fn()
	w.order.finish(&w.turn)
}
