package store

import (
	"fmt"
	"strconv"
	"testing"
	"time"

	"rollcall/protocol"
)

// After seven days without an event a feed's key is gone.
func TestAFeedThatWasQuietForLongGoesOn(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		p, ctx := feedPartOf(testScope), t.Context()
		tp, _ := followFeed(t, s, testScope)
		tellMany(t, s, 0, 50)
		eventually(t, "fifty events come", func() bool { return len(tp.names()) == 50 })
		head, err := s.FeedHead(ctx, testScope)
		if err != nil {
			t.Fatal(err)
		}
		full, _ := strconv.Atoi(s.client.HGet(ctx, p.meta(testScope), "b").Val())
		s.client.Del(ctx, p.feed(testScope))
		tellMany(t, s, 50, 5)
		eventually(t, "five more come", func() bool { return len(tp.names()) == 55 })
		if tp.losses() > 0 {
			t.Error("what was too old is told as a loss")
		}
		if ok, err := s.FeedReaches(ctx, testScope, head); err != nil || !ok {
			t.Errorf("reaches back to where it was quiet: %v %v", ok, err)
		}
		if bytes, _ := strconv.Atoi(s.client.HGet(ctx, p.meta(testScope), "b").Val()); bytes > full/2 {
			t.Errorf("five events count as %d bytes, fifty did as %d", bytes, full)
		}
	})
}

func TestALossIsNoticedBesideABusyFeed(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		busy := ""
		for i := 0; busy == "" || feedPartOf(busy) != feedPartOf(testScope); i++ {
			busy = fmt.Sprint("busy ", i)
		}
		tp := &tape{}
		f := s.FollowFeeds(func(u FeedUpdate) {
			if u.Scope == testScope {
				tp.update(u)
			}
		})
		t.Cleanup(f.Close)
		for _, scope := range []string{busy, testScope} {
			if _, err := f.Add(t.Context(), scope); err != nil {
				t.Fatal(err)
			}
		}
		tellMany(t, s, 0, 5)
		eventually(t, "five events come", func() bool { return len(tp.names()) == 5 })
		p := feedPartOf(testScope)
		s.client.Del(t.Context(), p.feed(testScope), p.meta(testScope))
		for range 100 { // far below feedBlock apart, for ten seconds
			if err := s.TellAdminAction(t.Context(), busy, protocol.EventData{Admin: "ops"}); err != nil {
				t.Fatal(err)
			}
			if tp.losses() > 0 {
				return
			}
			time.Sleep(100 * time.Millisecond)
		}
		t.Error("the loss was not noticed while another feed was busy")
	})
}

// A login is two events at once: the number that is due to trim may be passed.
func TestHistoryIsBoundedWhateverStepsItGrowsBy(t *testing.T) {
	s := openTest(t, Config{FeedEvents: 10})
	tellMany(t, s, 0, 1)
	for i := range 150 {
		at := s.now()
		if i >= 100 {
			at = at.Add(feedYoung + time.Minute)
		}
		e := toldEvent{name: protocol.EventAdminAction, data: "{}"}
		err := s.appendFeed(t.Context(), telling{id: fmt.Sprint("effect", i), at: at, scope: testScope, events: []toldEvent{e, e}})
		if err != nil {
			t.Fatal(err)
		}
	}
	n := s.client.XLen(t.Context(), feedPartOf(testScope).feed(testScope)).Val()
	if n > 150 {
		t.Errorf("%d events are kept", n)
	}
}
