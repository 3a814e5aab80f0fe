package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"rollcall/protocol"
)

// What the chaos tests hold the admins' records against. Nothing here knows of
// servers or connections, so that TestTheChecker... can prove that it finds what
// it is there to find.

// An entryKind is what an entry of an admin's record tells.
type entryKind int

const (
	entrySubscribed entryKind = iota // a reply to admin.subscribe
	entryEvent                       // an event of the feed
	entryLost                        // a feed.lost
)

// A chaosEntry is one line of an admin's record.
type chaosEntry struct {
	kind entryKind
	// pos is the event's own position, or the one from which it goes on: the
	// head in a reply to admin.subscribe, the place that a feed.lost names.
	pos       protocol.FeedPosition
	recovered bool   // of a reply
	event     string // of an event, as what follows
	userID    string
	player    string // whom user_id, or else the username, names
	reason    string
	time      time.Time     // when it happened, as the server says
	at        time.Duration // when the admin was told, since the run began
}

// A chaosRecord is what one admin was told, joined over its reconnects.
type chaosRecord struct {
	admin   string
	entries []chaosEntry
}

// announcements counts what told the admin that something is lost to it.
func (r chaosRecord) announcements() (notRecovered, lost int) {
	for _, e := range r.entries {
		switch {
		case e.kind == entrySubscribed && !e.recovered:
			notRecovered++
		case e.kind == entryLost:
			lost++
		}
	}
	return notRecovered, lost
}

func (r chaosRecord) announced() bool {
	a, b := r.announcements()
	return a+b > 0
}

func (r chaosRecord) events() int {
	n := 0
	for _, e := range r.entries {
		if e.kind == entryEvent {
			n++
		}
	}
	return n
}

// posText writes a position for a person.
func posText(p protocol.FeedPosition) string { return fmt.Sprintf("%s:%d", p.Epoch, p.Seq) }

// checkContinuity finds what breaks the order of a record: within an epoch seq
// rises by one, and only recovered: false or feed.lost lets it go on elsewhere,
// at the position that they name. Over a change of epoch seq goes on rising, and
// no event_id comes twice in one epoch.
func checkContinuity(r chaosRecord) (problems []string) {
	find := func(e chaosEntry, format string, args ...any) {
		problems = append(problems, fmt.Sprintf("%s at %v: ", r.admin, e.at.Round(time.Millisecond))+fmt.Sprintf(format, args...))
	}
	type place struct{ epoch, id string }
	seen := map[place]int64{}
	var here protocol.FeedPosition
	var highest int64
	started := false
	for _, e := range r.entries {
		switch {
		case e.kind == entrySubscribed && !started:
			if !e.recovered {
				find(e, "recovered: false for a subscription without since")
			}
			here, highest, started = e.pos, e.pos.Seq, true
		case e.kind == entrySubscribed && e.recovered:
			if e.pos.Epoch == here.Epoch && e.pos.Seq < here.Seq {
				find(e, "recovered: true since %s, but the head is %s", posText(here), posText(e.pos))
			}
		case e.kind == entrySubscribed:
			here = e.pos
		case e.kind == entryLost:
			if e.pos.Epoch == here.Epoch && e.pos.Seq <= here.Seq {
				find(e, "feed.lost up to %s, where the admin had %s already", posText(e.pos), posText(here))
			}
			here = e.pos
		case !started:
			find(e, "an event before the first subscription's reply: %s", posText(e.pos))
		default:
			switch {
			case e.pos.EventID == "":
				find(e, "event %s has no event_id", posText(e.pos))
			case seen[place{e.pos.Epoch, e.pos.EventID}] != 0:
				find(e, "event_id %s of %s is that of seq %d in the same epoch", e.pos.EventID, posText(e.pos), seen[place{e.pos.Epoch, e.pos.EventID}])
			}
			seen[place{e.pos.Epoch, e.pos.EventID}] = e.pos.Seq
			switch next := here.Seq + 1; {
			case e.pos.Epoch != here.Epoch:
				find(e, "silent change of epoch: %s follows %s without recovered: false or feed.lost", posText(e.pos), posText(here))
			case e.pos.Seq > next:
				find(e, "silent gap: %s follows %s, %d missing", posText(e.pos), posText(here), e.pos.Seq-next)
			case e.pos.Seq < next:
				find(e, "out of order or doubled: %s follows %s", posText(e.pos), posText(here))
			case e.pos.Seq <= highest:
				find(e, "seq fell over a change of epoch: %s, when %d was seen before", posText(e.pos), highest)
			}
			if e.pos.Epoch != here.Epoch || e.pos.Seq > here.Seq {
				here = e.pos
			}
			highest = max(highest, e.pos.Seq)
		}
	}
	if !started {
		problems = append(problems, r.admin+" never subscribed")
	}
	return problems
}

// checkAgreement finds positions at which two admins had different events. That
// may be only where a storage forgot an event and gave its number away, so every
// admin that holds the forgotten one must have been told of a loss after it.
func checkAgreement(records []chaosRecord) (problems []string) {
	type place struct {
		epoch string
		seq   int64
	}
	type holder struct {
		admin string
		told  bool // of a loss, after this event
		e     chaosEntry
	}
	type variants map[string][]holder // by event_id
	all := map[place]variants{}
	for _, r := range records {
		lastTold := -1
		for i, e := range r.entries {
			if e.kind == entryLost || e.kind == entrySubscribed && !e.recovered {
				lastTold = i
			}
		}
		for i, e := range r.entries {
			if e.kind != entryEvent {
				continue
			}
			p := place{e.pos.Epoch, e.pos.Seq}
			if all[p] == nil {
				all[p] = variants{}
			}
			all[p][e.pos.EventID] = append(all[p][e.pos.EventID], holder{r.admin, i < lastTold, e})
		}
	}
	places := slices.SortedFunc(maps.Keys(all), func(a, b place) int {
		if c := strings.Compare(a.epoch, b.epoch); c != 0 {
			return c
		}
		return int(a.seq - b.seq)
	})
	for _, p := range places {
		silent := map[string]holder{}
		for id, holders := range all[p] {
			for _, h := range holders {
				if h.e.event != holders[0].e.event || h.e.player != holders[0].e.player {
					problems = append(problems, fmt.Sprintf("%s:%d %s is %s of %s to %s, and %s of %s to %s", p.epoch, p.seq, id,
						h.e.event, h.e.player, h.admin, holders[0].e.event, holders[0].e.player, holders[0].admin))
				}
				if !h.told {
					silent[id] = h
				}
			}
		}
		if len(silent) > 1 {
			var say []string
			for _, id := range slices.Sorted(maps.Keys(silent)) {
				h := silent[id]
				say = append(say, fmt.Sprintf("%s has %s (%s of %s)", h.admin, id, h.e.event, h.e.player))
			}
			problems = append(problems, fmt.Sprintf("admins disagree about %s:%d and were not told of a loss after it: %s", p.epoch, p.seq, strings.Join(say, ", ")))
		}
	}
	return problems
}

// An ack is one thing that a player did, which must leave an event in the feed:
// acknowledged, or with an answer that never came, so that it happened once or
// not at all.
type ack struct {
	event    string
	node     string
	from, to time.Time // of the request and of its answer
	known    bool      // acknowledged
}

// clockSlack is by how much an event's time may lie outside the time from request
// to answer: it is cut to milliseconds.
const clockSlack = 3 * time.Millisecond

// during reports whether an event's time is that of the request.
func (a ack) during(t time.Time) bool {
	return !t.Before(a.from.Add(-clockSlack)) && !t.After(a.to.Add(clockSlack))
}

// Acks are what each player did, one thing after the other.
type acks map[string][]ack

// acknowledged are the events that follow from something a player was told is done.
var acknowledged = []string{protocol.EventUserLogin, protocol.EventUserResumed, protocol.EventUserCreated}

// A shortfall is an acknowledged thing that a record lacks.
type shortfall struct {
	player string
	ack    ack
}

// checkLogins looks for the event of everything that was acknowledged, by its
// time, and counts the events of each player, each event_id once. What is there
// more often than it can have happened is a problem; what is missing is returned
// by itself, for after an announced loss it may be.
func checkLogins(r chaosRecord, all acks) (missing []shortfall, problems []string) {
	found := eventsOf(r)
	for _, player := range slices.Sorted(maps.Keys(all)) {
		for _, event := range acknowledged {
			times := slices.Clone(found[player][event])
			have, known, unknown := len(times), 0, 0
			for _, a := range all[player] {
				switch i := slices.IndexFunc(times, a.during); {
				case a.event != event:
				case !a.known:
					unknown++
				case i < 0:
					known++
					missing = append(missing, shortfall{player, a})
				default:
					known++
					times = slices.Delete(times, i, i+1)
				}
			}
			if have > known+unknown {
				problems = append(problems, fmt.Sprintf("%s has %s of %s %d times, where %d were acknowledged and %d more may have happened",
					r.admin, event, player, have, known, unknown))
			}
		}
	}
	return missing, problems
}

// eventsOf are the times of a record's events, by player and event.
func eventsOf(r chaosRecord) map[string]map[string][]time.Time {
	found := map[string]map[string][]time.Time{}
	once := map[string]bool{}
	for _, e := range r.entries {
		if e.kind != entryEvent || once[e.pos.EventID] {
			continue
		}
		once[e.pos.EventID] = true
		if found[e.player] == nil {
			found[e.player] = map[string][]time.Time{}
		}
		found[e.player][e.event] = append(found[e.player][e.event], e.time)
	}
	return found
}

// checkRepeats finds an event_id that comes twice, in whatever epoch. After a
// loss that is no mistake: a login that was seen, lost before it was
// acknowledged and stored again keeps its event_id.
func checkRepeats(r chaosRecord) (repeated []string) {
	seen := map[string]protocol.FeedPosition{}
	for _, e := range r.entries {
		if e.kind != entryEvent {
			continue
		}
		if p, again := seen[e.pos.EventID]; again {
			repeated = append(repeated, fmt.Sprintf("%s has event_id %s at %s and at %s", r.admin, e.pos.EventID, posText(p), posText(e.pos)))
		}
		seen[e.pos.EventID] = e.pos
	}
	return repeated
}

// checkPresence finds players whose user.online and user.offline do not take
// turns, or who were left online at the end. It is for records without a loss.
func checkPresence(r chaosRecord, players acks) (problems []string) {
	online := map[string]protocol.FeedPosition{}
	for _, e := range r.entries {
		if e.kind != entryEvent || !has(players, e.player) {
			continue
		}
		since, is := online[e.player]
		switch e.event {
		case protocol.EventUserOnline:
			if is {
				problems = append(problems, fmt.Sprintf("%s: %s comes online at %s, and was since %s", r.admin, e.player, posText(e.pos), posText(since)))
			}
			online[e.player] = e.pos
		case protocol.EventUserOffline:
			if !is {
				problems = append(problems, fmt.Sprintf("%s: %s goes offline (%s) at %s, and was not online", r.admin, e.player, e.reason, posText(e.pos)))
			}
			delete(online, e.player)
		}
	}
	for _, player := range slices.Sorted(maps.Keys(online)) {
		problems = append(problems, fmt.Sprintf("%s: %s came online at %s and never went", r.admin, player, posText(online[player])))
	}
	return problems
}

// unionOf is a record of every event that any admin has, for counting alone: it
// has no order.
func unionOf(records []chaosRecord) chaosRecord {
	all := chaosRecord{admin: "all admins together"}
	once := map[string]bool{}
	for _, r := range records {
		for _, e := range r.entries {
			if e.kind == entryEvent && !once[e.pos.EventID] {
				once[e.pos.EventID] = true
				all.entries = append(all.entries, e)
			}
		}
	}
	return all
}

// missingOf counts the missing events of one kind.
func missingOf(missing []shortfall, event string) int {
	n := 0
	for _, m := range missing {
		if m.ack.event == event {
			n++
		}
	}
	return n
}

func has(all acks, player string) bool {
	_, ok := all[player]
	return ok
}
