// Package webhooks posts the events of scopes' feeds to the URLs that the scopes
// name: in order, in batches, signed, and again until they are taken.
//
// A [Deliverer] reads the same durable feed that admins subscribe to, and keeps
// the place in a cursor of its own in the store. Of several nodes one at a time
// delivers a scope's events: it holds a lease, which ends when the node dies. So
// every event is posted at least once, and once unless a node, or its storage,
// goes between a POST and noting the answer.
//
// What an endpoint costs does not depend on how it behaves. At most
// [Options.Workers] POSTs run at once, and endpoints that failed before share
// half of them, so that they can't keep the others waiting. While an endpoint
// waits for its next attempt it is a timer, without a goroutine, a connection or
// an event in memory.
//
// Nothing here logs or returns a URL, of which path and query may be secret, or
// a webhook's secret; an endpoint is named by its host.
package webhooks

import (
	"context"
	"crypto/x509"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"sync"
	"time"

	"rollcall/protocol"
	"rollcall/store"
)

// A Feed is where events come from. Its methods may be called by many goroutines
// at once.
type Feed interface {
	// Head returns the place behind the scope's last event.
	Head(ctx context.Context, scope string) (protocol.FeedPosition, error)
	// Since returns the events strictly behind a place, the oldest first, at most
	// limit of them. lost: the history no longer reaches back to the place, or
	// the epoch is another; then they are the oldest that are kept.
	Since(ctx context.Context, scope string, after protocol.FeedPosition, limit int) (events []protocol.Push, lost bool, err error)
	// Watch returns a channel that gets a token when the scope's feed has moved,
	// also while nobody reads it: it has room for one, and one is enough for
	// several events. stop ends it and may be called once.
	Watch(scope string) (wake <-chan struct{}, stop func())
}

// Cursors keep how far webhooks have come. *store.Store is one.
type Cursors interface {
	ClaimWebhook(ctx context.Context, scope, owner string, w *store.Webhook, start protocol.FeedPosition, ttl time.Duration) (store.WebhookCursor, error)
	AdvanceWebhook(ctx context.Context, scope, owner string, w *store.Webhook, step store.WebhookStep, ttl time.Duration) (held bool, err error)
	ReleaseWebhook(ctx context.Context, scope, owner string) error
	ForgetWebhook(ctx context.Context, scope string, setUp time.Time) error
}

// Outcomes of a POST, as [Options.Delivered] is told them.
const (
	Taken  = "taken"  // 2xx
	Failed = "failed" // to be tried again
	Gone   = "gone"   // 410: paused
)

// Options are a deliverer's bounds. What is zero takes the default.
type Options struct {
	Owner     string                           // who holds leases: the node's name. Required.
	UserAgent string                           // Rollcall
	Private   bool                             // private addresses are allowed, and http there
	Workers   int                              // POSTs at once; 8
	Timeout   time.Duration                    // of one POST; 10 s
	Lease     time.Duration                    // how long other nodes wait for a dead one; 15 s, and half as long again as Timeout at least
	Poll      time.Duration                    // how often a quiet feed is looked at all the same; 5 min
	Backoff   func(failures int) time.Duration // the pause after so many failures in a row, from 1; Backoff
	Delivered func(outcome string)             // called after each POST
	Resolver  *net.Resolver                    // finds the addresses of hosts
	Logger    *slog.Logger                     // slog.Default

	roots *x509.CertPool // whom certificates are held against, in tests
}

const (
	storeTimeout = 2 * time.Second // of one step at the store or the feed
	storePause   = 2 * time.Second // after the store could not be asked; up to twice that
)

// Backoff is the pause after a number of failures in a row: exponential with
// full jitter, from one second up to a ceiling that doubles from two seconds to
// five minutes.
func Backoff(failures int) time.Duration {
	ceiling := min(time.Second<<min(max(failures, 1), 9), 5*time.Minute)
	return time.Second + rand.N(ceiling-time.Second)
}

// A Deliverer delivers the webhooks that it is told of. Its methods may be called
// by many goroutines at once.
type Deliverer struct {
	// Static after construction.
	feed    Feed
	cursors Cursors
	opts    Options
	log     *slog.Logger
	client  *http.Client
	ctx     context.Context // ends when Close has waited long enough
	cancel  context.CancelFunc

	setting sync.Mutex     // one Set or Close at a time
	running sync.WaitGroup // workers, and those who wait for a token

	mu     sync.Mutex
	work   *sync.Cond       // signalled when there is something for a worker
	hooks  map[string]*hook // by scope
	ready  []*hook          // queues; a hook stands in one of them, once
	retry  []*hook          // those that failed before
	slow   int              // workers that are busy with one of retry
	closed bool
}

// New starts a deliverer that has no webhooks yet. It must be closed.
func New(feed Feed, cursors Cursors, opts Options) *Deliverer {
	opts = opts.withDefaults()
	d := &Deliverer{
		feed: feed, cursors: cursors, opts: opts, log: opts.Logger,
		client: newClient(opts), hooks: make(map[string]*hook),
	}
	d.work = sync.NewCond(&d.mu)
	d.ctx, d.cancel = context.WithCancel(context.Background())
	for range opts.Workers {
		d.running.Go(d.deliver)
	}
	return d
}

func (o Options) withDefaults() Options {
	def := func(d *time.Duration, v time.Duration) {
		if *d <= 0 {
			*d = v
		}
	}
	def(&o.Timeout, 10*time.Second)
	def(&o.Lease, 15*time.Second)
	o.Lease = max(o.Lease, o.Timeout*3/2)
	def(&o.Poll, 5*time.Minute)
	if o.UserAgent == "" {
		o.UserAgent = "Rollcall"
	}
	if o.Workers <= 0 {
		o.Workers = 8
	}
	if o.Backoff == nil {
		o.Backoff = Backoff
	}
	if o.Delivered == nil {
		o.Delivered = func(string) {}
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	return o
}

// Set makes w the webhook of a scope, nil for none. A POST that is under way by
// another configuration is broken off. A webhook that is set as it was stays as
// it is; one that was removed forgets its place. After Close it does nothing.
func (d *Deliverer) Set(scope string, w *store.Webhook) {
	d.setting.Lock()
	defer d.setting.Unlock()
	d.mu.Lock()
	h, closed := d.hooks[scope], d.closed
	d.mu.Unlock()
	if closed || h == nil && w == nil {
		return
	}
	// One that was removed and set up anew is another one.
	if h != nil && (w == nil || !w.SetUp.Equal(h.setUp)) {
		d.remove(h)
		h = nil
	}
	switch {
	case w == nil:
	case h == nil:
		h = &hook{scope: scope, setUp: w.SetUp, config: w}
		h.wake, h.stop = d.feed.Watch(scope)
		d.mu.Lock()
		d.hooks[scope] = h
		d.enqueue(h)
		d.mu.Unlock()
	default:
		d.mu.Lock()
		if h.config.Rev != w.Rev {
			h.config, h.failing = w, false
			d.interrupt(h)
		}
		d.mu.Unlock()
	}
}

// Scopes returns the scopes that have a webhook, in no order.
func (d *Deliverer) Scopes() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	scopes := make([]string, 0, len(d.hooks))
	for scope := range d.hooks {
		scopes = append(scopes, scope)
	}
	return scopes
}

// Failing counts the webhooks whose last attempt from here failed, or that are
// paused.
func (d *Deliverer) Failing() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := 0
	for _, h := range d.hooks {
		if h.failing {
			n++
		}
	}
	return n
}

// Close begins no more POSTs, waits for those under way until ctx is done and
// breaks them off then, and gives up the leases, so that other nodes go on.
func (d *Deliverer) Close(ctx context.Context) {
	d.setting.Lock()
	defer d.setting.Unlock()
	d.mu.Lock()
	if d.closed {
		d.mu.Unlock()
		return
	}
	d.closed = true
	hooks := make([]*hook, 0, len(d.hooks))
	for _, h := range d.hooks {
		h.rest()
		hooks = append(hooks, h)
	}
	d.work.Broadcast()
	d.mu.Unlock()

	broken := context.AfterFunc(ctx, d.cancel)
	d.running.Wait()
	broken()
	d.cancel()
	released, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTimeout)
	defer cancel()
	for _, h := range hooks {
		h.stop()
		if time.Now().Before(h.heldUntil) && d.cursors.ReleaseWebhook(released, h.scope, d.opts.Owner) != nil {
			break // then the leases end by themselves
		}
	}
	d.client.CloseIdleConnections()
}
