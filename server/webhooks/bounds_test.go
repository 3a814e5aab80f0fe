package webhooks

import (
	"fmt"
	"net"
	"net/http"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// A deadHost accepts connections and never answers.
type deadHost struct {
	net.Listener
	mu         sync.Mutex
	open, most int
	accepted   atomic.Int64
	conns      sync.WaitGroup
}

func newDeadHost(t *testing.T) *deadHost {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h := &deadHost{Listener: l}
	h.conns.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			h.accepted.Add(1)
			h.count(1)
			h.conns.Go(func() {
				defer h.count(-1)
				defer c.Close()
				buf := make([]byte, 1024)
				for {
					if _, err := c.Read(buf); err != nil {
						return
					}
				}
			})
		}
	})
	t.Cleanup(func() { l.Close(); h.conns.Wait() })
	return h
}

func (h *deadHost) count(n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.open += n
	h.most = max(h.most, h.open)
}

func (h *deadHost) mostAtOnce() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.most
}

// A thousand scopes whose endpoints are dead, each in its own way, hold a bounded
// number of connections and goroutines, and keep a live one from nothing.
func TestAThousandDeadEndpointsCostNearlyNothing(t *testing.T) {
	const scopes = 1000
	b := newBench(t)
	silent := newDeadHost(t)
	refused, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	refused.Close() // nobody listens there
	broken := newReceiver(t, func(w http.ResponseWriter, _ *http.Request, _ int) { w.WriteHeader(http.StatusBadGateway) })

	before := runtime.NumGoroutine()
	d := b.deliverer("n1", func(o *Options) {
		o.Timeout = 20 * time.Millisecond
		o.Backoff = func(int) time.Duration { return time.Hour }
	})
	for i := range scopes {
		name := fmt.Sprintf("dead %d", i)
		b.scope(name)
		url := []string{"http://" + silent.Addr().String(), "http://" + refused.Addr().String(), broken.URL}[i%3]
		w := b.set(name, url)
		b.feed.add(name, "user.login", 200)
		d.Set(name, w)
	}
	eventually(t, "all have failed", func() bool { return b.outcome(Failed) >= scopes })
	eventually(t, "none is being worked on", func() bool { return d.Failing() == scopes })

	// Now they are timers.
	eventually(t, "goroutines are few", func() bool { return runtime.NumGoroutine() < before+40 })
	if most := silent.mostAtOnce(); most > 8+8 { // those being closed may overlap with new ones
		t.Errorf("%d connections at once to those who don't answer", most)
	}
	reads, posts := 0, b.outcome(Failed)
	b.feed.change(func() { reads = b.feed.reads })
	for i := range scopes {
		b.feed.add(fmt.Sprintf("dead %d", i), "user.login", 10)
	}
	r := newReceiver(t, nil)
	d.Set(theScope, b.set(theScope, r.URL))
	b.feed.add(theScope, "user.login", 5)
	eventually(t, "a live one is served", func() bool { return len(r.taken()) >= 5 })
	time.Sleep(50 * time.Millisecond)
	b.feed.mu.Lock()
	defer b.feed.mu.Unlock()
	if more := b.feed.reads - reads; more > 10 || b.outcome(Failed) != posts {
		t.Errorf("the dead ones were looked at: %d reads, %d POSTs", more, b.outcome(Failed)-posts)
	}
}

// Endpoints that hang and are due all the time take half of the workers, and a
// live one goes past them.
func TestThoseThatFailedBeforeDontKeepTheOthersWaiting(t *testing.T) {
	b := newBench(t)
	silent := newDeadHost(t)
	d := b.deliverer("n1", func(o *Options) { o.Workers, o.Timeout = 4, time.Second })
	for i := range 50 {
		name := fmt.Sprintf("dead %d", i)
		b.scope(name)
		w := b.set(name, "http://"+silent.Addr().String())
		b.feed.add(name, "user.login", 1)
		// They failed before: another node says so.
		if c, err := b.store.ClaimWebhook(t.Context(), name, "n0", w, *w.Start, time.Minute); err != nil || !c.Held {
			t.Fatal(c, err)
		}
		if held, err := b.store.AdvanceWebhook(t.Context(), name, "n0", w, failedBefore, time.Minute); err != nil || !held {
			t.Fatal(held, err)
		}
		d.Set(name, w)
	}
	eventually(t, "they are tried", func() bool { return silent.accepted.Load() >= 2 })
	r := newReceiver(t, nil)
	d.Set(theScope, b.set(theScope, r.URL))
	for n := range 20 {
		b.feed.add(theScope, "user.login", 1)
		eventually(t, "a live one is served", func() bool { return len(r.taken()) == n+1 })
	}
	d.mu.Lock()
	slow := d.slow
	d.mu.Unlock()
	if slow == 0 || slow > 2 || silent.accepted.Load() > 40 {
		t.Errorf("%d workers are with those that hang, %d attempts", slow, silent.accepted.Load())
	}
}
