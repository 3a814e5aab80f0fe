package webhooks

import (
	"fmt"
	"log/slog"
	"testing"
	"time"

	"rollcall/protocol"
	"rollcall/store"
)

// The store's own feed, from the write to the POST.
func TestTheStoresFeedIsPosted(t *testing.T) {
	b := newBench(t)
	r := newReceiver(t, nil)
	feed := NewStoreFeed(b.store)
	t.Cleanup(feed.Close)
	tell := func(n int) {
		t.Helper()
		for i := range n {
			if err := b.store.TellAdminAction(t.Context(), theScope, protocol.EventData{Admin: "ops", Action: "admin.users.ban", Target: fmt.Sprint("user ", i)}); err != nil {
				t.Fatal(err)
			}
		}
	}
	set := func() *store.Webhook {
		t.Helper()
		head, err := feed.Head(t.Context(), theScope)
		if err != nil {
			t.Fatal(err)
		}
		sc, err := b.store.UpdateScope(t.Context(), theScope, store.ScopeUpdate{
			Webhook: &protocol.WebhookConfig{URL: r.URL}, NewWebhook: store.NewWebhook{Secret: theSecret, Start: &head},
		})
		if err != nil {
			t.Fatal(err)
		}
		return sc.Webhook
	}
	start := func() *Deliverer {
		d := New(feed, b.store, Options{Owner: "n1", Logger: slog.New(slog.DiscardHandler)})
		t.Cleanup(func() { closeNow(d) })
		return d
	}
	w := set()
	d := start()
	d.Set(theScope, w)
	tell(3)
	eventually(t, "they came", func() bool { return len(r.taken()) >= 3 })
	wantSeqs(t, r.taken(), seqs(1, 3))
	if p := r.all()[0]; p.Lost || p.Events[0].EventID == "" || p.Events[0].Time.IsZero() || p.Events[0].Event != protocol.EventAdminAction {
		t.Errorf("got %+v", p.WebhookDelivery)
	}
	closeNow(d)
	tell(150) // while nobody delivers
	d = start()
	d.Set(theScope, w)
	eventually(t, "they came", func() bool { return len(r.taken()) >= 153 })
	tell(1)
	eventually(t, "and the last one", func() bool { return len(r.taken()) >= 154 })
	wantSeqs(t, r.taken(), seqs(1, 154))
	for _, p := range r.all() {
		if p.Lost {
			t.Errorf("a loss is told: %+v", p.WebhookDelivery)
		}
	}
	eventually(t, "it is noted", func() bool { return b.state(theScope, w).Position.Seq == 154 })
	d.Set(theScope, nil)
	if n := len(feed.watchers); n != 0 {
		t.Errorf("%d scopes are followed", n)
	}

	// A place that the feed does not know.
	events, lost, err := feed.Since(t.Context(), theScope, protocol.FeedPosition{Seq: 7, Epoch: "another"}, 10)
	if err != nil || !lost || len(events) != 10 || events[0].Seq != 8 {
		t.Errorf("of another epoch: %d events, lost %v, %v", len(events), lost, err)
	}
	events, lost, err = feed.Since(t.Context(), theScope, protocol.FeedPosition{Seq: 9000, Epoch: "another"}, 10)
	if err != nil || !lost || len(events) != 10 || events[0].Seq != 1 {
		t.Errorf("beyond the end: %d events, lost %v, %v", len(events), lost, err)
	}
	if time.Since(r.all()[0].Events[0].Time.Time) > time.Hour {
		t.Error("the time is wrong")
	}
}
