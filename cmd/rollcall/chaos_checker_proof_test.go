package main

import (
	"slices"
	"strings"
	"testing"

	"rollcall/protocol"
)

// The checker is itself held against records that are good, and against each
// mistake that it is there to find.

func entrySub(epoch string, seq int64, recovered bool) chaosEntry {
	return chaosEntry{kind: entrySubscribed, pos: protocol.FeedPosition{Epoch: epoch, Seq: seq}, recovered: recovered}
}

func entryOfLoss(epoch string, seq int64) chaosEntry {
	return chaosEntry{kind: entryLost, pos: protocol.FeedPosition{Epoch: epoch, Seq: seq}}
}

func entryEv(epoch string, seq int64, id, event, player string) chaosEntry {
	return chaosEntry{kind: entryEvent, pos: protocol.FeedPosition{Epoch: epoch, Seq: seq, EventID: id}, event: event, player: player}
}

const (
	evLogin   = protocol.EventUserLogin
	evResumed = protocol.EventUserResumed
	evOnline  = protocol.EventUserOnline
	evOffline = protocol.EventUserOffline
)

// goodRecord is one of two logins of p1 and one of p2, over a reconnect.
func goodRecord() chaosRecord {
	return chaosRecord{"a", []chaosEntry{
		entrySub("A", 7, true),
		entryEv("A", 8, "e8", evOnline, "p1"),
		entryEv("A", 9, "e9", evLogin, "p1"),
		entrySub("A", 11, true),
		entryEv("A", 10, "e10", evOnline, "p2"),
		entryEv("A", 11, "e11", evResumed, "p2"),
		entryEv("A", 12, "e12", evOffline, "p1"),
		entryEv("A", 13, "e13", evOnline, "p1"),
		entryEv("A", 14, "e14", evLogin, "p1"),
		entryEv("A", 15, "e15", evOffline, "p2"),
		entryEv("A", 16, "e16", evOffline, "p1"),
	}}
}

// changedRecord is a good record after a change.
func changedRecord(change func(e []chaosEntry) []chaosEntry) chaosRecord {
	r := goodRecord()
	r.entries = change(r.entries)
	return r
}

// goodAcks is what the players of goodRecord were told is done.
func goodAcks() ackCounts {
	return ackCounts{"p1": {evLogin: {acked: 2}}, "p2": {evResumed: {acked: 1}}}
}

// wantProblem checks that something was found, and says so in these words; or,
// without words, that nothing was.
func wantProblem(t *testing.T, problems []string, words string) {
	t.Helper()
	switch {
	case words == "" && len(problems) > 0:
		t.Errorf("found %q in what is good", problems)
	case words != "" && !slices.ContainsFunc(problems, func(p string) bool { return strings.Contains(p, words) }):
		t.Errorf("found %q, want %q", problems, words)
	}
}

func TestTheCheckerFindsWhatBreaksARecordsOrder(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(e []chaosEntry) []chaosEntry
		want   string
	}{
		{"nothing", func(e []chaosEntry) []chaosEntry { return e }, ""},
		{"a missing seq", func(e []chaosEntry) []chaosEntry { return slices.Delete(e, 2, 3) }, "silent gap: A:10 follows A:8, 1 missing"},
		{"the first event missing", func(e []chaosEntry) []chaosEntry { return slices.Delete(e, 1, 2) }, "silent gap: A:9 follows A:7"},
		{"a missing seq over a reconnect", func(e []chaosEntry) []chaosEntry { return slices.Delete(e, 4, 5) }, "silent gap: A:11 follows A:9"},
		{"a doubled event", func(e []chaosEntry) []chaosEntry { return slices.Insert(e, 3, e[2]) }, "out of order or doubled: A:9 follows A:9"},
		{"a doubled event over a reconnect", func(e []chaosEntry) []chaosEntry { return slices.Insert(e, 4, e[2]) }, "out of order or doubled: A:9 follows A:9"},
		{"an event stored twice", func(e []chaosEntry) []chaosEntry { e[8].pos.EventID = "e9"; return e }, "event_id e9 of A:14 is that of seq 9"},
		{"events out of order", func(e []chaosEntry) []chaosEntry { e[6], e[7] = e[7], e[6]; return e }, "out of order or doubled: A:12 follows A:13"},
		{"no event_id", func(e []chaosEntry) []chaosEntry { e[6].pos.EventID = ""; return e }, "has no event_id"},
		{"a new epoch in silence", func(e []chaosEntry) []chaosEntry { e[10].pos.Epoch = "B"; return e }, "silent change of epoch: B:16 follows A:15"},
		{"a new epoch with recovered: true", func(e []chaosEntry) []chaosEntry {
			e[10].pos.Epoch = "B"
			return slices.Insert(e, 10, entrySub("B", 15, true))
		}, "silent change of epoch: B:16 follows A:15"},
		{"a new epoch with recovered: false", func(e []chaosEntry) []chaosEntry {
			return append(e, entrySub("B", 30, false), entryEv("B", 31, "e31", evLogin, "p1"))
		}, ""},
		{"a new epoch with feed.lost", func(e []chaosEntry) []chaosEntry {
			return append(e, entryOfLoss("B", 30), entryEv("B", 31, "e31", evLogin, "p1"))
		}, ""},
		{"an announced gap in an epoch", func(e []chaosEntry) []chaosEntry {
			return append(e, entryOfLoss("A", 30), entryEv("A", 31, "e31", evLogin, "p1"))
		}, ""},
		{"a gap after feed.lost", func(e []chaosEntry) []chaosEntry {
			return append(e, entryOfLoss("B", 30), entryEv("B", 33, "e33", evLogin, "p1"))
		}, "silent gap: B:33 follows B:30, 2 missing"},
		{"a gap after recovered: false", func(e []chaosEntry) []chaosEntry {
			return append(e, entrySub("B", 30, false), entryEv("B", 32, "e32", evLogin, "p1"))
		}, "silent gap: B:32 follows B:30"},
		{"feed.lost for what the admin has", func(e []chaosEntry) []chaosEntry { return append(e, entryOfLoss("A", 12)) }, "feed.lost up to A:12"},
		{"seq that falls with a new epoch", func(e []chaosEntry) []chaosEntry {
			return append(e, entryOfLoss("B", 3), entryEv("B", 4, "e4", evLogin, "p1"))
		}, "seq fell over a change of epoch"},
		{"a head behind the admin", func(e []chaosEntry) []chaosEntry { return append(e, entrySub("A", 12, true)) }, "recovered: true since A:16, but the head is A:12"},
		{"recovered: false at first", func(e []chaosEntry) []chaosEntry { e[0].recovered = false; return e }, "without since"},
		{"an event before the reply", func(e []chaosEntry) []chaosEntry { return e[1:] }, "before the first subscription's reply"},
		{"no subscription at all", func([]chaosEntry) []chaosEntry { return nil }, "never subscribed"},
	} {
		t.Run(c.name, func(t *testing.T) { wantProblem(t, checkContinuity(changedRecord(c.change)), c.want) })
	}
}

func TestTheCheckerFindsLoginsThatAreMissingOrTooMany(t *testing.T) {
	missing, problems := checkLogins(goodRecord(), goodAcks())
	if len(missing) > 0 || len(problems) > 0 {
		t.Errorf("found %v and %q in what is good", missing, problems)
	}

	// An acknowledged login that the record lacks, though its seq has no hole.
	missing, problems = checkLogins(changedRecord(func(e []chaosEntry) []chaosEntry { e[8].event = evOnline; return e }), goodAcks())
	if !slices.Equal(missing, []shortfall{{"p1", evLogin, 1}}) || len(problems) > 0 {
		t.Errorf("a missing login: %v, %q", missing, problems)
	}
	missing, _ = checkLogins(changedRecord(func(e []chaosEntry) []chaosEntry { e[5].player = "p1"; return e }), goodAcks())
	if !slices.Equal(missing, []shortfall{{"p2", evResumed, 1}}) {
		t.Errorf("a resume told of another player: %v", missing)
	}
	// A doubled event does not make up for a missing one.
	missing, _ = checkLogins(changedRecord(func(e []chaosEntry) []chaosEntry { e[8] = e[2]; return e }), goodAcks())
	if !slices.Equal(missing, []shortfall{{"p1", evLogin, 1}}) {
		t.Errorf("a login missing beside a doubled one: %v", missing)
	}

	// More than there were, with and without an unknown one.
	more := changedRecord(func(e []chaosEntry) []chaosEntry { return append(e, entryEv("A", 17, "e17", evLogin, "p1")) })
	_, problems = checkLogins(more, goodAcks())
	wantProblem(t, problems, "user.login of p1 3 times, where 2 were acknowledged and 0 more unknown")
	unknown := goodAcks()
	unknown["p1"][evLogin] = ackCount{acked: 2, unknown: 1}
	for _, r := range []chaosRecord{more, goodRecord()} {
		if missing, problems = checkLogins(r, unknown); len(missing) > 0 || len(problems) > 0 {
			t.Errorf("an unknown login that is there once or not at all: %v, %q", missing, problems)
		}
	}
}

func TestTheCheckerFindsEventsThatComeAgain(t *testing.T) {
	wantProblem(t, checkRepeats(goodRecord()), "")
	wantProblem(t, checkRepeats(changedRecord(func(e []chaosEntry) []chaosEntry {
		return append(e, entryOfLoss("B", 30), entryEv("B", 31, "e9", evLogin, "p1"))
	})), "event_id e9 at A:9 and at B:31")
}

func TestTheCheckerFindsAdminsThatDisagree(t *testing.T) {
	other := func(change func(e []chaosEntry) []chaosEntry) chaosRecord {
		r := changedRecord(change)
		r.admin = "b"
		return r
	}
	same := func(e []chaosEntry) []chaosEntry { return e }
	differs := func(e []chaosEntry) []chaosEntry { e[10].pos.EventID = "x"; return e }
	told := func(e []chaosEntry) []chaosEntry { return append(e, entryOfLoss("B", 30)) }
	wantProblem(t, checkAgreement([]chaosRecord{goodRecord(), other(same)}), "")
	wantProblem(t, checkAgreement([]chaosRecord{goodRecord(), other(func(e []chaosEntry) []chaosEntry { return e[:5] })}), "")
	wantProblem(t, checkAgreement([]chaosRecord{goodRecord(), other(differs)}), "disagree about A:16")
	wantProblem(t, checkAgreement([]chaosRecord{goodRecord(), other(func(e []chaosEntry) []chaosEntry { return told(differs(e)) })}), "")
	wantProblem(t, checkAgreement([]chaosRecord{changedRecord(told), other(differs)}), "")
	wantProblem(t, checkAgreement([]chaosRecord{goodRecord(), other(func(e []chaosEntry) []chaosEntry {
		return slices.Insert(differs(e), 4, entryOfLoss("A", 9)) // told of a loss, but before
	})}), "disagree about A:16")
	wantProblem(t, checkAgreement([]chaosRecord{goodRecord(), other(func(e []chaosEntry) []chaosEntry { e[2].player = "p2"; return e })}), "e9 is user.login of p2 to b")
}

func TestTheCheckerFindsPresenceThatDoesNotTakeTurns(t *testing.T) {
	players := ackCounts{"p1": {}, "p2": {}}
	wantProblem(t, checkPresence(goodRecord(), players), "")
	wantProblem(t, checkPresence(changedRecord(func(e []chaosEntry) []chaosEntry { return e[:10] }), players), "p1 came online at A:13 and never went")
	wantProblem(t, checkPresence(changedRecord(func(e []chaosEntry) []chaosEntry { return slices.Delete(e, 6, 7) }), players), "p1 comes online at A:13, and was since A:8")
	wantProblem(t, checkPresence(changedRecord(func(e []chaosEntry) []chaosEntry { return slices.Delete(e, 1, 2) }), players), "p1 goes offline () at A:12, and was not online")
	wantProblem(t, checkPresence(changedRecord(func(e []chaosEntry) []chaosEntry { return e[:10] }), ackCounts{"p2": {}}), "")
}

func TestTheUnionHasWhatAnyAdminHas(t *testing.T) {
	half := chaosRecord{"b", []chaosEntry{entrySub("A", 7, true), entryEv("A", 8, "e8", evOnline, "p1"), entryEv("C", 9, "y", evLogin, "p1")}}
	if n := unionOf([]chaosRecord{goodRecord(), half}).events(); n != goodRecord().events()+1 {
		t.Errorf("%d events", n)
	}
}
