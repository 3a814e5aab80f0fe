package loadtest

import (
	"fmt"
	"reflect"
	"testing"

	"rollcall/loadtest/report"
	"rollcall/protocol"
)

// history is a feed as a made-up server sends it: the logins of accounts, by name.
func history(names ...string) (events []feedEvent) {
	for i, name := range names {
		e := feedEvent{Event: protocol.EventUserLogin, Seq: int64(i + 1), Epoch: "e", EventID: fmt.Sprint("event-", i)}
		e.Data.Username = name
		events = append(events, e)
	}
	return events
}

// checked returns what the checker says of a feed that one admin saw, when three
// players and one account with a password logged in that often.
func checked(events []feedEvent, acked, unknown counters) report.Feed {
	s := newSightings(7, 3, 1)
	for _, e := range events {
		s.see(e)
	}
	return *feedOf([]*tally{
		{Accounts: []accountTally{{0, acked[:2], unknown[:2]}}},
		{Accounts: []accountTally{{2, acked[2:], unknown[2:]}}, Watchers: []watcherTally{s.tally()}},
	})
}

func TestAFeedIsHeldAgainstWhatWasAcknowledged(t *testing.T) {
	whole := history("lt-7-0", "lt-7-1", "lt-7-0", "lt-7-2", "lt-7-p0")
	acked, none := counters{2, 1, 1, 1}, counters{0, 0, 0, 0}
	without := func(i int) []feedEvent { return append(append([]feedEvent(nil), whole[:i]...), whole[i+1:]...) }
	with := func(i int, e feedEvent) []feedEvent {
		return append(append(append([]feedEvent(nil), whole[:i]...), e), whole[i:]...)
	}
	again := func(e feedEvent, seq int64, id string) feedEvent { e.Seq, e.EventID = seq, id; return e }
	swapped := append([]feedEvent(nil), whole...)
	swapped[1], swapped[2] = swapped[2], swapped[1]

	for _, c := range []struct {
		name           string
		events         []feedEvent
		acked, unknown counters
		want           report.Feed
	}{
		{"whole", whole, acked, none, report.Feed{Logins: 5, Seen: 5}},
		{"one lost", without(1), acked, none, report.Feed{Logins: 5, Seen: 4, Lost: 1}},
		{"one of two lost", without(2), acked, none, report.Feed{Logins: 5, Seen: 4, Lost: 1}},
		{"one with a password lost", without(4), acked, none, report.Feed{Logins: 5, Seen: 4, Lost: 1}},
		{"all lost", nil, acked, none, report.Feed{Logins: 5, Lost: 5}},
		{"one sent twice", with(2, whole[1]), acked, none, report.Feed{Logins: 5, Seen: 5, Doubled: 1}},
		{"one recorded twice", append(whole, again(whole[1], 6, "another")), acked, none, report.Feed{Logins: 5, Seen: 6, Doubled: 1}},
		{"one lost and another twice", append(without(1), again(whole[3], 6, "another")), acked, none,
			report.Feed{Logins: 5, Seen: 5, Lost: 1, Doubled: 1}},
		{"two in the wrong order", swapped, acked, none, report.Feed{Logins: 5, Seen: 5, Disorder: 1}},
		{"a number twice", with(2, again(whole[1], 2, "another")), counters{2, 2, 1, 1}, none, report.Feed{Logins: 6, Seen: 6, Disorder: 1}},
		{"one that was never answered, seen", whole, counters{2, 0, 1, 1}, counters{0, 1, 0, 0}, report.Feed{Logins: 4, Unknown: 1, Seen: 5}},
		{"one that was never answered, not seen", without(1), counters{2, 0, 1, 1}, counters{0, 1, 0, 0}, report.Feed{Logins: 4, Unknown: 1, Seen: 4}},
		{"another's login", with(2, again(history("anna")[0], 2, "anna")), acked, none, report.Feed{Logins: 5, Seen: 5, Disorder: 1}},
		{"accounts of another seed or a larger run", append(whole, again(history("lt-70-0")[0], 6, "a"), again(history("lt-7-3")[0], 7, "b"),
			again(history("lt-7-p1")[0], 8, "c"), again(history("lt-7-sabc-0-1")[0], 9, "d")), acked, none, report.Feed{Logins: 5, Seen: 5}},
	} {
		c.want.Watchers = 1
		if got := checked(c.events, c.acked, c.unknown); got != c.want {
			t.Errorf("%s:\n%+v, want\n%+v", c.name, got, c.want)
		}
	}
}

func TestEveryAdminHasToSeeAll(t *testing.T) {
	all, few := newSightings(7, 2, 0), newSightings(7, 2, 0)
	events := history("lt-7-0", "lt-7-1")
	for _, e := range events {
		all.see(e)
	}
	few.see(events[1])
	f := feedOf([]*tally{{Accounts: []accountTally{{0, counters{1, 1}, counters{0, 0}}}, Watchers: []watcherTally{all.tally(), few.tally()}}})
	if *f != (report.Feed{Watchers: 2, Logins: 2, Seen: 3, Lost: 1}) {
		t.Errorf("%+v", f)
	}
	if f := feedOf([]*tally{{Accounts: []accountTally{{0, counters{1}, counters{0}}}}}); f != nil {
		t.Errorf("%+v without an admin", f)
	}
}

func TestAnAdminComesBackWhereItWas(t *testing.T) {
	s := newSightings(7, 1, 0)
	s.subscribed(protocol.FeedPosition{Seq: 10, Epoch: "e"}, false)
	e := history("lt-7-0")[0]
	e.Seq = 11
	s.see(e)
	if got := s.since(); got != (protocol.FeedPosition{Seq: 11, Epoch: "e", EventID: "event-0"}) {
		t.Errorf("behind the event: %+v", got)
	}
	s.see(feedEvent{Event: protocol.EventFeedHead, Seq: 15, Epoch: "e"})
	s.subscribed(protocol.FeedPosition{Seq: 20, Epoch: "e"}, true) // 16 to 20 are still to come
	if got := s.since(); got != (protocol.FeedPosition{Seq: 15, Epoch: "e"}) {
		t.Errorf("behind the head: %+v", got)
	}
	e.Seq, e.Epoch, e.EventID = 3, "f", "event-1"
	s.see(e)
	if got := s.since(); got.Epoch != "f" || got.Seq != 3 {
		t.Errorf("in a new epoch: %+v", got)
	}
	// That seq fell, though it has to go on rising across epochs, is disorder.
	if got := s.tally(); got.Rejoined != 1 || got.Disorder != 1 {
		t.Errorf("%+v", got)
	}
}

func TestRememberedEventsAreBounded(t *testing.T) {
	s := newSightings(7, 1, 0)
	for i := range rememberedIDs + 10 {
		if s.recent.add(fmt.Sprint(i)) {
			t.Fatalf("%d is taken for another", i)
		}
	}
	if len(s.recent.known) != rememberedIDs || len(s.recent.ring) != rememberedIDs {
		t.Errorf("%d and %d are kept", len(s.recent.known), len(s.recent.ring))
	}
	if s.recent.add("0") || !s.recent.add(fmt.Sprint(rememberedIDs)) {
		t.Error("not the oldest is forgotten")
	}
}

func TestTheLiveFigureOfLostEventsIsOverAllAdmins(t *testing.T) {
	for _, c := range []struct {
		acked int64
		seen  []int64
		want  int64
	}{{5, []int64{5, 5}, 0}, {5, []int64{5, 3}, 2}, {5, []int64{7, 3}, 2}, {5, nil, 0}} {
		if got := lostSince(c.acked, c.seen); got != c.want {
			t.Errorf("%d of %d: %d, want %d", c.seen, c.acked, got, c.want)
		}
	}
}

func TestANameTellsItsAccount(t *testing.T) {
	for _, a := range []*account{{seed: 7, n: 0}, {seed: 7, n: 99_999}, {seed: 7, n: 3, password: true}} {
		n, password, ok := parseName(namePrefix(7), a.name())
		if !ok || n != a.n || password != a.password {
			t.Errorf("%s: %d %v %v", a.name(), n, password, ok)
		}
		if len(a.secret()) < 16 || a.secret() == (&account{seed: 8, n: a.n}).secret() {
			t.Errorf("%s: secret %s", a.name(), a.secret())
		}
	}
	for _, name := range []string{"", "lt-7-", "lt-7-x", "lt-8-1", "lt-7--1", "lt-7-p", "tiny"} {
		if n, _, ok := parseName(namePrefix(7), name); ok {
			t.Errorf("%q is account %d", name, n)
		}
	}
}

func TestCountersAreTheSameAfterJSON(t *testing.T) {
	for _, c := range []counters{{}, {0, 1, 127, 128, 1<<32 - 1}} {
		text, err := c.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		got := counters{9}
		if err := got.UnmarshalJSON(text); err != nil || !reflect.DeepEqual(got, c) {
			t.Errorf("%v: %v, %v", c, got, err)
		}
	}
	for _, text := range []string{`7`, `"!"`, `"/w=="`, `"//////////8B"`} {
		if err := new(counters).UnmarshalJSON([]byte(text)); err == nil {
			t.Errorf("%s is taken", text)
		}
	}
}
