package webhooks

import (
	"context"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"rollcall/protocol"
	"rollcall/store"
)

// A flaky store is one that can be cut off, and that can lose the next note.
type flaky struct {
	*store.Store
	mu   sync.Mutex
	cut  bool // nothing works
	deaf bool // steps can't be noted
}

func (f *flaky) set(cut, deaf bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.cut, f.deaf = cut, deaf
}

func (f *flaky) is() (cut, deaf bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.cut, f.deaf
}

func (f *flaky) ClaimWebhook(ctx context.Context, scope, owner string, w *store.Webhook, start protocol.FeedPosition, ttl time.Duration) (store.WebhookCursor, error) {
	if cut, _ := f.is(); cut {
		return store.WebhookCursor{}, store.ErrUnavailable
	}
	return f.Store.ClaimWebhook(ctx, scope, owner, w, start, ttl)
}

func (f *flaky) AdvanceWebhook(ctx context.Context, scope, owner string, w *store.Webhook, step store.WebhookStep, ttl time.Duration) (bool, error) {
	if cut, deaf := f.is(); cut || deaf {
		return false, store.ErrUnavailable
	}
	return f.Store.AdvanceWebhook(ctx, scope, owner, w, step, ttl)
}

func (f *flaky) ReleaseWebhook(ctx context.Context, scope, owner string) error {
	if cut, _ := f.is(); cut {
		return store.ErrUnavailable
	}
	return f.Store.ReleaseWebhook(ctx, scope, owner)
}

// flakyDeliverer starts one on a store of that kind.
func (b *bench) flakyDeliverer(owner string, lease time.Duration) (*Deliverer, *flaky) {
	f := &flaky{Store: b.store}
	d := New(b.feed, f, Options{
		Owner: owner, Timeout: lease / 2, Lease: lease, Logger: b.deliverer(owner).log,
		Backoff: func(int) time.Duration { return time.Millisecond },
	})
	b.t.Cleanup(func() { closeNow(d) })
	return d, f
}

func TestOfTwoNodesOneDeliversAndNothingComesTwice(t *testing.T) {
	b := newBench(t)
	r := newReceiver(t, func(http.ResponseWriter, *http.Request, int) { time.Sleep(3 * time.Millisecond) })
	w := b.set(theScope, r.URL)
	for _, owner := range []string{"n1", "n2", "n3"} {
		b.deliverer(owner).Set(theScope, w)
	}
	for range 50 {
		b.feed.add(theScope, "user.login", 3)
		time.Sleep(10 * time.Millisecond)
	}
	eventually(t, "all came", func() bool { return len(r.taken()) >= 150 })
	wantSeqs(t, r.taken(), seqs(1, 150))
	if most := r.mostAtOnce(); most != 1 {
		t.Errorf("%d POSTs of one scope at once", most)
	}
}

// A node dies between a POST and noting that it was taken: what comes again is
// that batch, maybe with more behind it, and nothing is left out.
func TestWhenANodeDiesAnotherGoesOnWithoutAGap(t *testing.T) {
	const lease = 2 * time.Second
	b := newBench(t)
	r := newReceiver(t, nil)
	w := b.set(theScope, r.URL)
	first, cutoff := b.flakyDeliverer("n1", lease)
	first.Set(theScope, w)
	b.feed.add(theScope, "user.login", 5)
	eventually(t, "the first one delivers", func() bool { return b.state(theScope, w).Position.Seq == 5 })
	second := b.deliverer("n2", func(o *Options) { o.Timeout, o.Lease = lease/2, lease })
	second.Set(theScope, w)

	cutoff.set(false, true)
	b.feed.add(theScope, "user.login", 5)
	eventually(t, "the first one's last POST", func() bool { return len(r.taken()) >= 10 })
	cutoff.set(true, true) // it is dead from now on
	b.feed.add(theScope, "user.login", 5)
	eventually(t, "the second one goes on", func() bool { return slices.Contains(r.taken(), 15) })
	got := r.taken()
	wantSeqs(t, got[:10], seqs(1, 10))
	again := slices.Index(got[10:], 6)
	if again != 0 { // from where the place was last noted, in order
		t.Errorf("got the events %v", got)
	}
	wantSeqs(t, got[10:], seqs(6, 15))

	// The first one comes to and must not move the place back.
	cutoff.set(false, false)
	b.feed.add(theScope, "user.login", 1)
	eventually(t, "the place is at the end", func() bool { return b.state(theScope, w).Position.Seq == 16 })
}

func TestACloseHandsOverAtOnce(t *testing.T) {
	b := newBench(t)
	r := newReceiver(t, nil)
	w := b.set(theScope, r.URL)
	hour := func(o *Options) { o.Lease = time.Hour }
	first, second := b.deliverer("n1", hour), b.deliverer("n2", hour)
	first.Set(theScope, w)
	b.feed.add(theScope, "user.login", 1)
	eventually(t, "the first one delivers", func() bool { return len(r.taken()) == 1 })
	first.Close(t.Context())
	first.Close(t.Context())
	first.Set(theScope, w) // does nothing
	second.Set(theScope, w)
	b.feed.add(theScope, "user.login", 1)
	eventually(t, "the second one goes on", func() bool { return len(r.taken()) == 2 })
	wantSeqs(t, r.taken(), seqs(1, 2))
}

func TestAStorageThatWasAwayIsNoReasonToPostAgain(t *testing.T) {
	b := newBench(t)
	r := newReceiver(t, nil)
	w := b.set(theScope, r.URL)
	d, away := b.flakyDeliverer("n1", time.Minute)
	d.Set(theScope, w)
	away.set(false, true)
	b.feed.add(theScope, "user.login", 2)
	eventually(t, "it is posted", func() bool { return len(r.taken()) == 2 })
	away.set(true, true)
	b.feed.change(func() { b.feed.down = true })
	time.Sleep(20 * time.Millisecond)
	away.set(false, false)
	b.feed.change(func() { b.feed.down = false })
	b.feed.add(theScope, "user.login", 2)
	eventually(t, "the rest came", func() bool { return len(r.taken()) >= 4 })
	wantSeqs(t, r.taken(), seqs(1, 4))
}

func TestAMissedTokenIsMadeUpForByThePoll(t *testing.T) {
	b := newBench(t)
	r := newReceiver(t, nil)
	d := b.deliverer("n1", func(o *Options) { o.Poll = 20 * time.Millisecond })
	d.Set(theScope, b.set(theScope, r.URL))
	b.feed.change(func() { b.feed.mute = true })
	b.feed.add(theScope, "user.login", 1)
	eventually(t, "it came", func() bool { return len(r.taken()) == 1 })
}
