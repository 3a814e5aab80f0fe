package server

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// deadlines gives each request a context that ends after the request timeout.
// Requests that begin within the same slice of time share one, which ends when
// the timeout of the last of them has passed, so that a message costs neither a
// timer nor an allocation.
type deadlines struct {
	parent  context.Context
	timeout time.Duration

	current atomic.Pointer[deadline]
	mu      sync.Mutex // of making the next one
}

// deadlineSlices is how many contexts a timeout is cut into: a request may take
// up to 1/32 longer than the timeout.
const deadlineSlices = 32

type deadline struct {
	ctx   context.Context
	until time.Time // requests that begin later need another
}

// context returns a context that ends after the timeout, or up to a slice later.
func (d *deadlines) context() context.Context {
	now := time.Now()
	if cur := d.current.Load(); cur != nil && now.Before(cur.until) {
		return cur.ctx
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if cur := d.current.Load(); cur != nil && now.Before(cur.until) {
		return cur.ctx
	}
	slice := d.timeout / deadlineSlices
	ctx, cancel := context.WithTimeout(d.parent, d.timeout+slice)
	context.AfterFunc(ctx, cancel) // it ends by itself, by its time or its parent's
	d.current.Store(&deadline{ctx: ctx, until: now.Add(slice)})
	return ctx
}
