package webhooks

import (
	"context"
	"time"

	"rollcall/store"
)

// A hook is one webhook on this node. It is idle (somebody waits for a token of
// its feed), waits (for a timer), stands in a queue, or a worker has it; a paused
// one is none of these.
type hook struct {
	scope string
	setUp time.Time
	wake  <-chan struct{}
	stop  func()

	// Guarded by Deliverer.mu.
	config  *store.Webhook // nil when it was removed
	queued  bool
	working bool
	slow    bool               // the worker that has it counts in Deliverer.slow
	again   bool               // something came while a worker had it
	failing bool               // its last attempt failed
	timer   *time.Timer        // nil unless it waits
	quit    chan struct{}      // ends who waits for a token; nil unless it is idle
	abort   context.CancelFunc // breaks off what the worker does

	// Owned by the worker that has it, and by Close after all workers.
	work
}

// rest stops what waits for the hook, with mu held.
func (h *hook) rest() {
	if h.timer != nil {
		h.timer.Stop()
		h.timer = nil
	}
	if h.quit != nil {
		close(h.quit)
		h.quit = nil
	}
}

// enqueue gives a hook to the next free worker, with mu held.
func (d *Deliverer) enqueue(h *hook) {
	h.rest()
	switch {
	case d.closed || h.queued:
		return
	case h.working:
		h.again = true
		return
	case h.failing:
		d.retry = append(d.retry, h)
	default:
		d.ready = append(d.ready, h)
	}
	h.queued = true
	d.work.Signal()
}

func (d *Deliverer) kick(h *hook) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.enqueue(h)
}

// interrupt has a changed hook looked at at once, with mu held.
func (d *Deliverer) interrupt(h *hook) {
	if h.abort != nil {
		h.abort()
	}
	d.enqueue(h)
}

// remove takes a hook out; a worker forgets its place in the store.
func (d *Deliverer) remove(h *hook) {
	d.mu.Lock()
	h.config, h.failing = nil, false
	delete(d.hooks, h.scope)
	d.interrupt(h)
	d.mu.Unlock()
	h.stop()
}

// deliver is a worker: it takes one step of one hook after the other.
func (d *Deliverer) deliver() {
	for {
		h, w, ctx := d.take()
		if h == nil {
			return
		}
		d.put(h, d.step(ctx, h, w))
	}
}

// take waits for a hook to work on; nil when the deliverer closes. Of the
// workers one at least is for those that failed before, and half at most.
func (d *Deliverer) take() (*hook, *store.Webhook, context.Context) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for {
		var h *hook
		switch {
		case d.closed:
			return nil, nil, nil
		case len(d.retry) > 0 && (d.slow == 0 || len(d.ready) == 0 && d.slow < max(1, d.opts.Workers/2)):
			h, d.retry = d.retry[0], d.retry[1:]
			h.slow = true
			d.slow++
		case len(d.ready) > 0:
			h, d.ready = d.ready[0], d.ready[1:]
		default:
			d.work.Wait()
			continue
		}
		h.queued, h.working = false, true
		h.failed = h.failing
		ctx, cancel := context.WithCancel(d.ctx)
		h.abort = cancel
		return h, h.config, ctx
	}
}

// A result says when a hook needs a worker again.
type result struct {
	when    when
	wait    time.Duration // for later
	failing bool
}

type when int

const (
	now   when = iota // there may be more
	idle              // when its feed has moved
	later             // after the wait
	never             // not until it is set again
)

// put takes a hook back from a worker.
func (d *Deliverer) put(h *hook, r result) {
	d.mu.Lock()
	defer d.mu.Unlock()
	h.abort()
	h.abort, h.working = nil, false
	if h.slow {
		h.slow = false
		d.slow--
		d.work.Signal() // there may be room for another one
	}
	if d.closed {
		return
	}
	again := h.again
	h.again = false
	if !again {
		h.failing = r.failing
	}
	switch {
	case again || r.when == now:
		d.enqueue(h)
	case r.when == later:
		h.timer = time.AfterFunc(r.wait, func() { d.kick(h) })
	case r.when == idle:
		d.await(h)
	}
}

// await has a hook worked on when its feed moves, with mu held. The poll is for
// a token that was lost.
func (d *Deliverer) await(h *hook) {
	quit := make(chan struct{})
	h.quit = quit
	d.running.Go(func() {
		poll := time.NewTimer(d.opts.Poll)
		defer poll.Stop()
		select {
		case <-h.wake:
		case <-poll.C:
		case <-quit:
			return
		}
		d.kick(h)
	})
}
