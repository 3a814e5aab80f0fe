package webhooks

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"rollcall/protocol"
	"rollcall/store"
)

func TestEventsArePostedInOrderAndOnceEach(t *testing.T) {
	b := newBench(t)
	b.feed.add(theScope, "user.login", 3) // before the webhook was set up
	r := newReceiver(t, nil)
	d := b.deliverer("n1")
	w := b.set(theScope, r.URL)
	d.Set(theScope, w)
	b.feed.add(theScope, "user.login", 250)
	eventually(t, "all came", func() bool { return len(r.taken()) >= 250 })
	for range 30 {
		b.feed.add(theScope, "user.created", 1)
		time.Sleep(time.Millisecond)
	}
	eventually(t, "all came", func() bool { return len(r.taken()) >= 280 })
	wantSeqs(t, r.taken(), seqs(4, 283))
	ids := map[string]bool{}
	for _, p := range r.all() {
		if len(p.Events) > protocol.MaxWebhookEvents || len(p.Events) == 0 || p.Lost || p.Scope != theScope || ids[p.Delivery] {
			t.Errorf("delivery %+v", p.WebhookDelivery)
		}
		ids[p.Delivery] = true
	}
	if e := r.all()[0].Events[0]; e.Event != "user.login" || e.EventID == "" || e.Epoch != "e1" || string(e.Data) != `{"username":"tiny"}` {
		t.Errorf("the first event is %+v", e)
	}
	if most := r.mostAtOnce(); most != 1 {
		t.Errorf("%d POSTs of one scope at once", most)
	}
	eventually(t, "the place is kept", func() bool { return b.state(theScope, w).Position.Seq == 283 })
	if d.Failing() != 0 || b.outcome(Failed) != 0 || b.outcome(Taken) != len(r.all()) {
		t.Errorf("%d failing, outcomes %v", d.Failing(), b.outcomes)
	}
}

// Whatever an endpoint does, in the end it has taken every event once, and in
// order; a retry is the same batch under the same id.
func TestWhatAnEndpointDoesChangesNeitherOrderNorNumber(t *testing.T) {
	other := newReceiver(t, nil) // where redirects lead
	hung := make(chan struct{})
	t.Cleanup(func() { close(hung) })
	b := newBench(t)
	r := newReceiver(t, func(w http.ResponseWriter, req *http.Request, n int) {
		switch n % 8 {
		case 0:
			w.WriteHeader(http.StatusInternalServerError)
		case 1:
			http.Redirect(w, req, other.URL, http.StatusTemporaryRedirect)
		case 2:
			w.WriteHeader(http.StatusFound)
		case 3: // no answer
			w.(*statusWriter).status = 0
			select {
			case <-hung:
			case <-req.Context().Done():
			}
		case 4: // the connection breaks
			w.(*statusWriter).status = 0
			panic(http.ErrAbortHandler)
		case 5: // slow, and it talks too much
			w.WriteHeader(http.StatusAccepted)
			fmt.Fprint(w, strings.Repeat("blah ", 10_000))
		case 6:
			w.WriteHeader(http.StatusTooManyRequests)
		case 7:
			time.Sleep(20 * time.Millisecond)
			w.WriteHeader(http.StatusNoContent)
		}
	})
	d := b.deliverer("n1", func(o *Options) { o.Timeout = time.Second })
	w := b.set(theScope, r.URL)
	d.Set(theScope, w)
	for range 5 {
		b.feed.add(theScope, "user.login", 7)
		time.Sleep(10 * time.Millisecond)
	}
	eventually(t, "all came", func() bool { return len(r.taken()) >= 35 })
	wantSeqs(t, r.taken(), seqs(1, 35))
	if posts := other.all(); len(posts) != 0 {
		t.Errorf("a redirect was followed: %+v", posts)
	}
	posts := r.all()
	for i := 1; i < len(posts); i++ {
		same := slices.EqualFunc(posts[i-1].Events, posts[i].Events, func(a, b protocol.Push) bool { return a.EventID == b.EventID })
		if posts[i-1].taken == same || same != (posts[i-1].Delivery == posts[i].Delivery) {
			t.Errorf("after %+v (taken %v) came %+v", posts[i-1].WebhookDelivery, posts[i-1].taken, posts[i].WebhookDelivery)
		}
	}
	// The connection that broke may have been tried twice by net/http.
	attempts := b.state(theScope, w).Deliveries
	var told []string
	for _, a := range attempts {
		told = append(told, fmt.Sprint(a.HTTPStatus, a.Error))
	}
	for _, want := range []string{"500", "307redirects are not followed", "302redirects are not followed", "0no answer in time", "0the connection failed", "202", "429"} {
		if len(posts) >= 8 && !slices.Contains(told, want) {
			t.Errorf("attempts are %q, which lack %q", told, want)
		}
	}
}

func TestAFilterMovesThePlaceWithoutAPost(t *testing.T) {
	b := newBench(t)
	r := newReceiver(t, nil)
	d := b.deliverer("n1")
	w := b.set(theScope, r.URL, "user.banned", "user.created")
	d.Set(theScope, w)
	b.feed.add(theScope, "user.login", 1200)
	eventually(t, "the place moved", func() bool { return b.state(theScope, w).Position.Seq == 1200 })
	if n := len(r.all()); n != 0 {
		t.Errorf("%d POSTs of nothing", n)
	}
	b.feed.add(theScope, "user.banned", 1)
	b.feed.add(theScope, "user.login", 1)
	b.feed.add(theScope, "user.created", 1)
	eventually(t, "those came", func() bool { return len(r.taken()) >= 2 })
	wantSeqs(t, r.taken(), []int64{1201, 1203})
	if state := b.state(theScope, w); len(state.Deliveries) > 2 {
		t.Errorf("attempts %+v", state.Deliveries)
	}
}

func TestABatchIsBoundedByBytes(t *testing.T) {
	push := func(seq int64, size int) protocol.Push {
		return protocol.Push{Event: "user.login", Seq: seq, Epoch: "e1", Data: []byte(`"` + strings.Repeat("x", size) + `"`)}
	}
	cursor := store.WebhookCursor{Position: protocol.FeedPosition{Seq: 0, Epoch: "e1"}}
	for _, tt := range []struct {
		sizes []int
		want  int
	}{
		{[]int{100 << 10, 100 << 10, 100 << 10}, 2},
		{[]int{300 << 10, 10}, 1},
		{[]int{10, 300 << 10}, 1},
		{[]int{10, 10, 10}, 3},
	} {
		var events []protocol.Push
		for i, size := range tt.sizes {
			events = append(events, push(int64(i+1), size))
		}
		got, err := collect(&store.Webhook{}, cursor, events, false)
		if err != nil || len(got.events) != tt.want || got.to.Seq != int64(tt.want) {
			t.Errorf("of sizes %v: %d events to %d, %v", tt.sizes, len(got.events), got.to.Seq, err)
		}
	}
}

func TestWhatIsLostIsToldOnceAndTheRestGoesOn(t *testing.T) {
	t.Run("the history was cut", func(t *testing.T) {
		b := newBench(t)
		up := make(chan struct{})
		r := newReceiver(t, func(w http.ResponseWriter, _ *http.Request, _ int) {
			select {
			case <-up:
			default:
				w.WriteHeader(http.StatusServiceUnavailable)
			}
		})
		d := b.deliverer("n1")
		d.Set(theScope, b.set(theScope, r.URL))
		b.feed.add(theScope, "user.login", 10)
		eventually(t, "it failed", func() bool { return b.outcome(Failed) > 0 })
		b.feed.change(func() { b.feed.events[theScope] = b.feed.events[theScope][6:] })
		close(up)
		eventually(t, "the rest came", func() bool { s := r.taken(); return len(s) > 0 && s[len(s)-1] == 10 })
		wantSeqs(t, r.taken(), seqs(7, 10))
		b.feed.add(theScope, "user.login", 1)
		eventually(t, "more came", func() bool { s := r.taken(); return s[len(s)-1] == 11 })
		for _, p := range r.all() {
			if first := p.Events[0].Seq; p.taken && p.Lost != (first == 7) {
				t.Errorf("the delivery from %d says lost %v", first, p.Lost)
			}
		}
	})
	t.Run("the epoch is another and nothing is kept", func(t *testing.T) {
		b := newBench(t)
		r := newReceiver(t, nil)
		b.feed.add(theScope, "user.login", 5)
		w := b.set(theScope, r.URL)
		b.feed.change(func() { b.feed.epoch, b.feed.events[theScope] = "e2", nil })
		d := b.deliverer("n1")
		d.Set(theScope, w)
		eventually(t, "it is told", func() bool { return len(r.all()) == 1 })
		if p := r.all()[0]; !p.Lost || p.Events == nil || len(p.Events) != 0 {
			t.Errorf("told %+v", p)
		}
		b.feed.add(theScope, "user.login", 1)
		eventually(t, "more came", func() bool { return len(r.taken()) == 1 })
		if p := r.all()[1]; p.Lost || len(r.all()) != 2 || p.Events[0].Seq != 6 {
			t.Errorf("then %+v", p)
		}
	})
	t.Run("a feed without events has no epoch to lose", func(t *testing.T) {
		b := newBench(t)
		r := newReceiver(t, nil)
		b.feed.epoch = ""
		w := b.set(theScope, r.URL)
		b.feed.epoch = "e1"
		d := b.deliverer("n1")
		b.feed.add(theScope, "user.login", 2)
		d.Set(theScope, w)
		eventually(t, "they came", func() bool { return len(r.taken()) == 2 })
		if p := r.all()[0]; p.Lost {
			t.Error("the first events are told as a loss")
		}
	})
}

func TestAPauseThatTheEndpointAsksForIsKept(t *testing.T) {
	b := newBench(t)
	r := newReceiver(t, func(w http.ResponseWriter, _ *http.Request, n int) {
		if n == 0 {
			w.Header().Set("Retry-After", "3600")
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	d := b.deliverer("n1")
	w := b.set(theScope, r.URL)
	d.Set(theScope, w)
	b.feed.add(theScope, "user.login", 1)
	eventually(t, "it failed", func() bool { return b.state(theScope, w).Failures == 1 })
	if until := time.Until(b.state(theScope, w).RetryAt.Time); until < 55*time.Minute || until > time.Hour {
		t.Errorf("the next attempt is in %v", until)
	}
	// Another node keeps it too, and setting the webhook ends it.
	b.deliverer("n2").Set(theScope, w)
	b.feed.add(theScope, "user.login", 1)
	time.Sleep(50 * time.Millisecond)
	if n := len(r.all()); n != 1 {
		t.Fatalf("%d POSTs", n)
	}
	d.Set(theScope, b.set(theScope, r.URL))
	eventually(t, "it came", func() bool { return len(r.taken()) == 2 })
}

func TestRetryAfterIsSecondsOrADateAndBounded(t *testing.T) {
	now := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	for header, want := range map[string]time.Duration{
		"": 0, "0": 0, "30": 30 * time.Second, "3600": time.Hour, "999999": time.Hour, "-5": 0, "soon": 0, "99999999999999999999": 0,
		"Sun, 01 Nov 2026 12:01:00 GMT": time.Minute, "Sun, 01 Nov 2026 11:00:00 GMT": 0, "Mon, 01 Nov 2027 11:00:00 GMT": time.Hour,
	} {
		if got := retryAfter(header, now); got != want {
			t.Errorf("%q: %v, want %v", header, got, want)
		}
	}
}

func TestThePauseGrowsFromASecondToFiveMinutes(t *testing.T) {
	for failures, most := range map[int]time.Duration{0: 2, 1: 2, 2: 4, 5: 32, 8: 256, 9: 300, 10: 300, 1000: 300} {
		seen := time.Duration(0)
		for range 500 {
			d := Backoff(failures)
			if d < time.Second || d > most*time.Second {
				t.Fatalf("%v after %d failures", d, failures)
			}
			seen = max(seen, d)
		}
		if failures > 1 && seen < most*time.Second/2 {
			t.Errorf("after %d failures %v at most", failures, seen)
		}
	}
}

func TestAPauseBy410LastsUntilTheWebhookIsSet(t *testing.T) {
	b := newBench(t)
	var once sync.Once
	r := newReceiver(t, func(w http.ResponseWriter, _ *http.Request, _ int) {
		once.Do(func() { w.WriteHeader(http.StatusGone) })
	})
	d := b.deliverer("n1")
	w := b.set(theScope, r.URL)
	d.Set(theScope, w)
	b.feed.add(theScope, "user.login", 1)
	eventually(t, "it is paused", func() bool { return b.state(theScope, w).Paused })
	b.feed.add(theScope, "user.login", 1)
	d.Set(theScope, w) // as it was: nothing changes
	closeNow(d)
	d = b.deliverer("n2") // a pause outlives the node
	d.Set(theScope, w)
	eventually(t, "it is known", func() bool { return d.Failing() == 1 })
	if n := len(r.all()); n != 1 || b.outcome(Gone) != 1 {
		t.Fatalf("%d POSTs while it is paused", n)
	}
	w = b.set(theScope, r.URL)
	d.Set(theScope, w)
	eventually(t, "both came", func() bool { return len(r.taken()) == 2 })
	wantSeqs(t, r.taken(), seqs(1, 2))
	eventually(t, "nothing fails", func() bool { return d.Failing() == 0 && !b.state(theScope, w).Paused })
}
