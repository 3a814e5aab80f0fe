package main

import (
	"slices"
	"strings"
	"testing"
	"time"

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
	return chaosEntry{kind: entryEvent, pos: protocol.FeedPosition{Epoch: epoch, Seq: seq, EventID: id}, event: event, player: player, time: second(seq)}
}

// second is when the event of a seq happened.
func second(seq int64) time.Time { return time.Unix(1_800_000_000+seq, 0) }

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

// goodAcks are what the players of goodRecord were told is done.
func goodAcks() acks {
	return acks{"p1": {ackAt(evLogin, 9, true), ackAt(evLogin, 14, true)}, "p2": {ackAt(evResumed, 11, true)}}
}

// ackAt is what a player did around the time of a seq.
func ackAt(event string, seq int64, known bool) ack {
	return ack{event: event, from: second(seq).Add(-100 * time.Millisecond), to: second(seq).Add(100 * time.Millisecond), known: known}
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
	p1 := []shortfall{{"p1", ackAt(evLogin, 14, true)}}
	more := func(e []chaosEntry) []chaosEntry { return append(e, entryEv("A", 17, "e17", evLogin, "p1")) }
	same := func(e []chaosEntry) []chaosEntry { return e }
	for _, c := range []struct {
		name    string
		change  func(e []chaosEntry) []chaosEntry
		acks    acks
		missing []shortfall
		want    string
	}{
		{"nothing", same, goodAcks(), nil, ""},
		{"a missing login, though seq has no hole", func(e []chaosEntry) []chaosEntry { e[8].event = evOnline; return e }, goodAcks(), p1, ""},
		{"a login told of another player", func(e []chaosEntry) []chaosEntry { e[8].player = "p2"; return e }, goodAcks(), p1, "user.login of p2 1 times"},
		{"a missing login beside a doubled one", func(e []chaosEntry) []chaosEntry { e[8] = e[2]; return e }, goodAcks(), p1, ""},
		{"a missing login beside one that may have happened", func(e []chaosEntry) []chaosEntry { return slices.Delete(more(e), 8, 9) },
			acks{"p1": {ackAt(evLogin, 9, true), ackAt(evLogin, 14, true), ackAt(evLogin, 17, false)}}, p1, ""},
		{"one too many", more, goodAcks(), nil, "user.login of p1 3 times, where 2 were acknowledged and 0 more may have happened"},
		{"one that may have happened, and did", more, acks{"p1": {ackAt(evLogin, 9, true), ackAt(evLogin, 14, true), ackAt(evLogin, 17, false)}}, nil, ""},
		{"one that may have happened, and was stored late", more, acks{"p1": {ackAt(evLogin, 9, true), ackAt(evLogin, 10, false), ackAt(evLogin, 14, true)}}, nil, ""},
		{"one that may have happened, and did not", same, acks{"p1": {ackAt(evLogin, 9, true), ackAt(evLogin, 14, true), ackAt(evLogin, 17, false)}}, nil, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			missing, problems := checkLogins(changedRecord(c.change), c.acks)
			if !slices.Equal(missing, c.missing) {
				t.Errorf("missing %v, want %v", missing, c.missing)
			}
			wantProblem(t, problems, c.want)
		})
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
	players := acks{"p1": nil, "p2": nil}
	wantProblem(t, checkPresence(goodRecord(), players), "")
	wantProblem(t, checkPresence(changedRecord(func(e []chaosEntry) []chaosEntry { return e[:10] }), players), "p1 came online at A:13 and never went")
	wantProblem(t, checkPresence(changedRecord(func(e []chaosEntry) []chaosEntry { return slices.Delete(e, 6, 7) }), players), "p1 comes online at A:13, and was since A:8")
	wantProblem(t, checkPresence(changedRecord(func(e []chaosEntry) []chaosEntry { return slices.Delete(e, 1, 2) }), players), "p1 goes offline () at A:12, and was not online")
	wantProblem(t, checkPresence(changedRecord(func(e []chaosEntry) []chaosEntry { return e[:10] }), acks{"p2": nil}), "")
}

func TestTheUnionHasWhatAnyAdminHas(t *testing.T) {
	half := chaosRecord{"b", []chaosEntry{entrySub("A", 7, true), entryEv("A", 8, "e8", evOnline, "p1"), entryEv("C", 9, "y", evLogin, "p1")}}
	if n := unionOf([]chaosRecord{goodRecord(), half}).events(); n != goodRecord().events()+1 {
		t.Errorf("%d events", n)
	}
}
