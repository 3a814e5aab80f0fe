package server_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"rollcall/protocol"
	"rollcall/server"
	"rollcall/server/wiretest"
	"rollcall/store"
	"rollcall/store/storetest"
)

// tellers appends events to the scope's feed without a server.
type tellers struct {
	t  *testing.T
	st *store.Store
}

func tellOn(t *testing.T, url string) tellers {
	t.Helper()
	st, err := store.Open(t.Context(), store.Config{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	return tellers{t, st}
}

// tell appends so many events at once, each with so much text.
func (ts tellers) tell(count int, text string) {
	ts.t.Helper()
	var telling sync.WaitGroup
	for range count {
		telling.Go(func() {
			if err := ts.st.TellAdminAction(ts.t.Context(), theScope, protocol.EventData{Admin: "admin", Action: "test", Reason: text}); err != nil {
				ts.t.Error(err)
			}
		})
	}
	telling.Wait()
	if ts.t.Failed() {
		ts.t.FailNow()
	}
}

// The events are large, so that all of them are more than the kernel keeps for a
// connection.
func TestASubscriberThatStopsReadingHoldsNobodyUpAndLosesNothing(t *testing.T) {
	const (
		events = 5000
		atOnce = 50
	)
	text := strings.Repeat("x", 4000)
	bounded := func(c *server.Config) { c.MaxOutbound = 2 * atOnce * (len(text) + 500) }
	url := storetest.SharedRedis(t).URL()
	a, b := startOn(t, url, called("n1"), bounded), startOn(t, url, called("n2"), bounded)
	ts := tellOn(t, url)

	readers := []*feed{
		a.follow(obj{"scope": theScope}), a.follow(obj{"scope": "*", "batch": true}), b.follow(obj{"scope": theScope, "batch": true}),
	}
	stopped := []*feed{a.follow(obj{"scope": theScope}), b.follow(obj{"scope": theScope, "batch": true})}
	start := stopped[0].heads[theScope]
	last := start
	for range events / atOnce {
		ts.tell(atOnce, text)
		for _, f := range readers {
			got := f.take(atOnce)
			wantRun(t, got, last)
			if f == readers[len(readers)-1] {
				last = behind(got[atOnce-1])
			}
		}
	}

	told := events
	for i, f := range stopped {
		t.Run(fmt.Sprint("the one on node ", i+1), func(t *testing.T) {
			e, err := f.End()
			if err != nil {
				t.Fatal(err)
			}
			if e.Close != nil && e.Close.Code != 4002 || e.Bye != nil && e.Bye.Code != 4002 {
				t.Errorf("the end is %v with bye %v, want 4002 or a cut", e.Close, e.Bye)
			}
			had := f.take(f.Held())
			if len(had) >= events {
				t.Fatalf("it has all %d events and was closed", events)
			}
			wantRun(t, had, start)
			at := start
			if len(had) > 0 {
				at = behind(had[len(had)-1])
			}
			back := b.follow(with(since(map[string]position{theScope: at}), obj{"batch": true}))
			back.wantRecovered()
			for left := told - len(had); left > 0; {
				got := back.take(min(left, atOnce))
				wantRun(t, got, at)
				at, left = behind(got[len(got)-1]), left-len(got)
			}
			if at != last {
				t.Errorf("the last event is %v, want %v", at, last)
			}
			ts.tell(1, "live") // and nothing comes twice
			told++
			p := back.next()
			wantRun(t, []wiretest.Push{p}, at)
			last = behind(p)
		})
	}
}

// While it reads nothing, it can't be done with the past, however fast this is.
func TestWhatComesWhileASubscriberIsGivenThePastFollowsOnce(t *testing.T) {
	const (
		past   = 3000
		atOnce = 50
	)
	text := strings.Repeat("x", 4000)
	bounded := func(c *server.Config) { c.MaxOutbound = 2 * atOnce * (len(text) + 500) }
	url := storetest.SharedRedis(t).URL()
	n := startOn(t, url, bounded)
	ts := tellOn(t, url)
	f := n.follow(obj{"scope": theScope})
	start := f.heads[theScope]
	f.Close()
	told := 0
	tell := func(count int) {
		for range count / atOnce {
			ts.tell(atOnce, text)
		}
		told += count
	}
	for what, meanwhile := range map[string]int{"some, which is kept for it": 200, "much, which is read again": 1000} {
		t.Run(what, func(t *testing.T) {
			tell(past)
			f := n.follow(since(at(theScope, start)))
			f.wantRecovered()
			tell(meanwhile)
			last := start
			for left := told; left > 0; left -= atOnce {
				got := f.take(atOnce)
				wantRun(t, got, last)
				last = behind(got[atOnce-1])
			}
			ts.tell(1, "live")
			p := f.next()
			wantRun(t, []wiretest.Push{p}, last)
			f.Close()
			start, told = behind(p), 0
		})
	}
}
