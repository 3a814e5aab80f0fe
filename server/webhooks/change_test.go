package webhooks

import (
	"net/http"
	"testing"
	"time"

	"rollcall/store"
)

// hanging is a receiver that answers nothing until the test ends.
func hanging(t *testing.T) *receiver {
	t.Helper()
	end := make(chan struct{})
	r := newReceiver(t, func(w http.ResponseWriter, req *http.Request, _ int) {
		w.(*statusWriter).status = 0
		select {
		case <-end:
		case <-req.Context().Done():
		}
	})
	t.Cleanup(func() { close(end) }) // before the server closes
	return r
}

// slowly gives a deliverer timeouts that no test waits for: what happens, happens
// because of a change.
func slowly(o *Options) {
	o.Timeout, o.Lease = time.Hour, 2*time.Hour
	o.Backoff = func(int) time.Duration { return time.Hour }
}

func TestAChangeCountsAtOnce(t *testing.T) {
	for name, answer := range map[string]int{"while a POST hangs": 0, "while it waits": http.StatusInternalServerError, "while it is paused": http.StatusGone} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			old := hanging(t)
			if answer != 0 {
				old.answer = func(w http.ResponseWriter, _ *http.Request, _ int) { w.WriteHeader(answer) }
			}
			d := b.deliverer("n1", slowly)
			w := b.set(theScope, old.URL)
			d.Set(theScope, w)
			b.feed.add(theScope, "user.login", 3)
			eventually(t, "the old one is tried", func() bool { return len(old.all()) == 1 })
			if answer != 0 {
				eventually(t, "and failed", func() bool { return d.Failing() == 1 })
			}
			r := newReceiver(t, nil)
			d.Set(theScope, b.set(theScope, r.URL))
			eventually(t, "the new one gets all", func() bool { return len(r.taken()) == 3 })
			wantSeqs(t, r.taken(), seqs(1, 3))
			if len(old.all()) != 1 {
				t.Error("the old one was tried again")
			}
		})
	}
}

func TestARemovedWebhookIsForgottenAndOneSetUpAnewBeginsAtTheHead(t *testing.T) {
	b := newBench(t)
	old := hanging(t)
	d := b.deliverer("n1", slowly)
	w := b.set(theScope, old.URL)
	d.Set(theScope, w)
	b.feed.add(theScope, "user.login", 3)
	eventually(t, "it is tried", func() bool { return len(old.all()) == 1 })
	b.set(theScope, "")
	d.Set(theScope, nil)
	d.Set(theScope, nil)
	eventually(t, "its place is forgotten", func() bool { return b.state(theScope, w).Position.Epoch == "" })
	if n := len(d.Scopes()); n != 0 {
		t.Errorf("%d scopes", n)
	}
	b.feed.add(theScope, "user.login", 1)
	r := newReceiver(t, nil)
	d.Set(theScope, b.set(theScope, r.URL))
	b.feed.add(theScope, "user.login", 1)
	eventually(t, "it came", func() bool { return len(r.taken()) > 0 })
	wantSeqs(t, r.taken(), []int64{5})

	// Removed and set up anew, of which this node saw the outcome alone.
	b.feed.add(theScope, "user.login", 1)
	eventually(t, "it came", func() bool { return len(r.taken()) == 2 })
	b.set(theScope, "")
	b.feed.add(theScope, "user.banned", 1)
	anew := newReceiver(t, nil)
	d.Set(theScope, b.set(theScope, anew.URL))
	b.feed.add(theScope, "user.login", 1)
	eventually(t, "it came", func() bool { return len(anew.taken()) > 0 })
	wantSeqs(t, anew.taken(), []int64{8})
	b.feed.mu.Lock()
	defer b.feed.mu.Unlock()
	if n := len(b.feed.watchers); n != 1 {
		t.Errorf("%d watch the feed", n)
	}
}

func TestAWebhookWithoutABeginningBeginsAtTheHead(t *testing.T) {
	b := newBench(t)
	b.feed.add(theScope, "user.login", 4)
	r := newReceiver(t, nil)
	w := *b.set(theScope, r.URL)
	w.Start = nil
	d := b.deliverer("n1")
	d.Set(theScope, &w)
	eventually(t, "it has a place", func() bool { return b.state(theScope, &w).Position.Seq == 4 })
	b.feed.add(theScope, "user.login", 1)
	eventually(t, "it came", func() bool { return len(r.taken()) > 0 })
	wantSeqs(t, r.taken(), []int64{5})
}

func TestACloseBreaksOffWhatHangs(t *testing.T) {
	b := newBench(t)
	r := hanging(t)
	d := b.deliverer("n1", slowly)
	w := b.set(theScope, r.URL)
	d.Set(theScope, w)
	b.feed.add(theScope, "user.login", 1)
	eventually(t, "it hangs", func() bool { return len(r.all()) == 1 })
	closeNow(d)
	if n := len(b.state(theScope, w).Deliveries); n != 0 {
		t.Error("what we broke off counts as a failure")
	}
	if c, err := b.store.ClaimWebhook(t.Context(), theScope, "n2", w, *w.Start, time.Minute); err != nil || !c.Held {
		t.Errorf("the lease is kept: %+v, %v", c, err)
	}
	var _ Cursors = (*store.Store)(nil)
}
