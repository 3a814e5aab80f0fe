package loadtest

import (
	"hash/maphash"
	"sync"

	"rollcall/protocol"
)

// rememberedIDs is how many event_ids an admin remembers, to know an event that
// comes twice. One that comes again later than that is found by its seq, which
// does not rise, and by its user's count.
const rememberedIDs = 1 << 16

// sightings are what one admin saw of the logins of a run.
type sightings struct {
	prefix  string // of the usernames of this run's accounts
	players int    // how many; accounts with a password are counted behind them

	mu       sync.Mutex
	seen     counters // by index of account
	sum      int64
	position protocol.FeedPosition // behind the last that came
	lastSeq  int64                 // of the last event
	recent   recentIDs
	doubled  int64
	disorder int64
	rejoined int64
}

func newSightings(seed uint64, players, passwords int) *sightings {
	return &sightings{prefix: namePrefix(seed), players: players, seen: make(counters, players+passwords), recent: recentIDs{seed: maphash.MakeSeed()}}
}

// A sighting is the n-th event of the account with an index.
type sighting struct {
	index int
	nth   uint32
}

// see notes an event, and returns what it is a sighting of, if it is of an
// account of the run and new.
func (s *sightings) see(e feedEvent) (sighting, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch e.Event {
	case protocol.EventUserLogin, protocol.EventUserResumed:
	case protocol.EventFeedHead, protocol.EventFeedLost:
		s.moved(protocol.FeedPosition{Seq: e.Seq, Epoch: e.Epoch})
		return sighting{}, false
	default:
		return sighting{}, false
	}
	if s.recent.add(e.EventID) {
		s.doubled++ // and not also in disorder
		return sighting{}, false
	}
	if e.Seq <= s.lastSeq {
		s.disorder++
	}
	s.lastSeq = max(s.lastSeq, e.Seq)
	s.moved(protocol.FeedPosition{Seq: e.Seq, Epoch: e.Epoch, EventID: e.EventID})
	n, password, ok := parseName(s.prefix, e.Data.Username)
	if password {
		n += s.players
	} else if n >= s.players {
		ok = false
	}
	if !ok || n >= len(s.seen) {
		return sighting{}, false
	}
	s.seen[n]++
	s.sum++
	return sighting{n, s.seen[n]}, true
}

// moved notes where the feed is. A position never goes back within an epoch.
func (s *sightings) moved(p protocol.FeedPosition) {
	if p.Epoch != s.position.Epoch || p.Seq > s.position.Seq {
		s.position = p
	}
}

// subscribed notes a subscription, which starts or goes on from its head.
func (s *sightings) subscribed(head protocol.FeedPosition, again bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if again {
		s.rejoined++
		return // what was missed is still to come
	}
	s.moved(head)
}

// since is from where a subscription goes on.
func (s *sightings) since() protocol.FeedPosition {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.position
}

func (s *sightings) total() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sum
}

func (s *sightings) tally() watcherTally {
	s.mu.Lock()
	defer s.mu.Unlock()
	return watcherTally{Seen: append(counters(nil), s.seen...), Doubled: s.doubled, Disorder: s.disorder, Rejoined: s.rejoined}
}

// recentIDs remembers the last rememberedIDs ids, by hashes of 64 bits: two of
// so many are the same with a probability of one in a billion.
type recentIDs struct {
	seed  maphash.Seed
	known map[uint64]struct{}
	ring  []uint64
	next  int
}

// add remembers an id and reports whether it was known.
func (r *recentIDs) add(id string) bool {
	h := maphash.String(r.seed, id)
	if _, ok := r.known[h]; ok {
		return true
	}
	if r.known == nil {
		r.known = make(map[uint64]struct{})
	}
	if len(r.ring) < rememberedIDs {
		r.ring = append(r.ring, h)
	} else {
		delete(r.known, r.ring[r.next])
		r.ring[r.next] = h
		r.next = (r.next + 1) % rememberedIDs
	}
	r.known[h] = struct{}{}
	return false
}
