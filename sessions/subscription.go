package sessions

import (
	"context"
	"errors"
	"slices"
	"time"

	"rollcall/protocol"
	"rollcall/store"
)

// A Subscription is one admin's interest in one scope, or in all.
type Subscription struct {
	feed   *Feed
	sink   Sink
	scope  string                  // protocol.AllScopes: every one that covers lets through
	covers func(scope string) bool // of the admin's account
	events uint32                  // a bit for each event that is wanted, by its index in protocol.Events
	narrow bool                    // there is a filter
	batch  bool
	ctx    context.Context
	cancel context.CancelFunc
	last   []store.FeedEvent // a backlog to push first, of all scopes by time

	// guarded by feed.mu
	members []*topicMember
	about   map[string]bool // of all scopes: those in which it is, or Subscribe is about to enrol it
	started bool
}

type topicMember struct {
	topic  *topic
	member *member
	since  *protocol.FeedPosition // what is behind it comes first; nil: nothing
}

// maxPending bounds what waits for a member while the past is read for it.
// Beyond it the past is read once more, up to where the feed is by then. It has
// to fit into a sink that has room.
const maxPending = 128 << 10

// A SubscribeRequest says what an admin wants to see.
type SubscribeRequest struct {
	protocol.SubscribeParams
	Scopes []string                // the scopes that are meant: one, or all that there are
	Covers func(scope string) bool // of the admin's account, for scopes to come
	Sink   Sink
}

// Subscribe enrols a subscriber and says from where on it gets what comes. Until
// Start is called it gets nothing.
func (f *Feed) Subscribe(ctx context.Context, req SubscribeRequest) (*Subscription, protocol.Subscription, error) {
	s := &Subscription{feed: f, sink: req.Sink, scope: req.Scope, covers: req.Covers, batch: req.Batch, narrow: len(req.Events) > 0}
	for i := range protocol.Events {
		if !s.narrow || slices.Contains(req.Events, protocol.Events[i].Name) {
			s.events |= 1 << i
		}
	}
	s.ctx, s.cancel = context.WithCancel(f.ctx)
	answer := protocol.Subscription{Recovered: true, Heads: make(map[string]protocol.FeedPosition, len(req.Scopes))}
	if req.Scope == protocol.AllScopes {
		f.mu.Lock()
		f.wide[s], s.about = true, make(map[string]bool, len(req.Scopes))
		for _, scope := range req.Scopes {
			s.about[scope] = true
		}
		f.mu.Unlock()
	}
	for _, scope := range req.Scopes {
		var from *protocol.FeedPosition
		if req.Since != nil {
			// A scope that is not named came to be since then: all of it is news.
			since := req.Since[scope]
			reaches, err := f.store.FeedReaches(ctx, scope, since)
			if err != nil {
				s.Close()
				return nil, answer, err
			}
			if reaches {
				from = &since
			} else {
				answer.Recovered, answer.Lost = false, append(answer.Lost, scope)
			}
		}
		head, err := f.enrol(ctx, s, scope, from)
		if err != nil {
			s.Close()
			return nil, answer, err
		}
		answer.Heads[scope] = head
	}
	if req.Last > 0 {
		if err := s.readLast(ctx, req.Last); err != nil {
			s.Close()
			return nil, answer, err
		}
	}
	slices.Sort(answer.Lost)
	return s, answer, nil
}

// readLast reads the newest events before the enrolment that the filter lets
// through, n of all scopes together.
func (s *Subscription) readLast(ctx context.Context, n int) error {
	const reach = 20 * store.MaxFeedPage
	want := func(e *store.FeedEvent) bool { return s.wants(indexOf(e.Name)) }
	s.feed.mu.Lock()
	members := slices.Clone(s.members)
	s.feed.mu.Unlock()
	for _, tm := range members {
		// from stays as it is until Start.
		events, err := s.feed.store.FeedLast(ctx, tm.topic.scope, tm.member.from.Seq, n, reach, want)
		if err != nil {
			return err
		}
		// There may be many scopes: of no more than two is everything in memory.
		all := merge(s.last, events)
		s.last = slices.Clone(all[max(0, len(all)-n):])
	}
	return nil
}

// merge puts two runs of events in order of their time. Each run stays in its own
// order, which for one scope is the feed's.
func merge(a, b []store.FeedEvent) []store.FeedEvent {
	all := make([]store.FeedEvent, 0, len(a)+len(b))
	for len(a) > 0 && len(b) > 0 {
		if b[0].Time.Before(a[0].Time) {
			all, b = append(all, b[0]), b[1:]
		} else {
			all, a = append(all, a[0]), a[1:]
		}
	}
	return append(append(all, a...), b...)
}

// Start begins to push, the past first.
func (s *Subscription) Start() {
	f := s.feed
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return
	}
	s.started = true
	members := slices.Clone(s.members)
	f.working.Go(func() {
		for i := range s.last {
			if p, err := encode(&s.last[i]); err == nil && s.sink.Room(s.ctx) {
				s.send(p)
			}
		}
		s.sink.Flush()
		s.last = nil
		for _, tm := range members {
			s.catchUp(tm)
		}
	})
}

// Close ends the subscription. It gets no more pushes, but for those that are
// under way.
func (s *Subscription) Close() {
	s.cancel()
	f := s.feed
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.wide, s)
	for _, tm := range s.members {
		t := tm.topic
		t.mu.Lock()
		t.members = slices.DeleteFunc(t.members, func(m *member) bool { return m == tm.member })
		empty := len(t.members) == 0
		t.ended = t.ended || empty
		t.mu.Unlock()
		if empty && f.topics[t.scope] == t {
			delete(f.topics, t.scope)
			f.follower.Remove(t.scope)
		}
	}
	s.members = nil
}

func (s *Subscription) wants(event int) bool { return event < 0 || s.events&(1<<event) != 0 }

func (s *Subscription) send(p push) {
	if s.ctx.Err() == nil && !s.sink.Push(p.text, s.batch) {
		s.cancel() // the sink closes its connection, which closes the subscription
	}
}

// catchUp pushes what a member is to get first, then what came meanwhile, and
// makes it live.
func (s *Subscription) catchUp(tm *topicMember) {
	t, m := tm.topic, tm.member
	at := m.from // where the subscriber is; from is changed here alone
	if tm.since != nil {
		at = *tm.since
	}
	for s.ctx.Err() == nil && s.sink.Room(s.ctx) {
		t.mu.Lock()
		if m.bytes < s.feed.most && at.Seq >= m.from.Seq {
			for _, p := range m.pending {
				s.send(p)
				m.told = p.seq
			}
			s.sink.Flush()
			m.pending, m.bytes, m.live = nil, 0, true
			t.mu.Unlock()
			return
		}
		if m.bytes >= s.feed.most { // what comes from now on is kept anew
			m.pending, m.bytes, m.from = nil, 0, t.pos
		}
		upTo := m.from
		t.mu.Unlock()
		if err := s.readPast(t.scope, &at, upTo); err != nil {
			return
		}
	}
}

var errGone = errors.New("subscriber is gone")

// readPast pushes the events behind at, up to a position, and moves at there.
func (s *Subscription) readPast(scope string, at *protocol.FeedPosition, upTo protocol.FeedPosition) error {
	const page = 250
	for at.Seq < upTo.Seq {
		events, err := s.feed.store.FeedAfter(s.ctx, scope, at.Seq, int(min(page, upTo.Seq-at.Seq)))
		switch {
		case s.ctx.Err() != nil:
			return errGone
		case err != nil:
			s.feed.log.Warn("the past of a feed can't be read, it is tried again", "scope", scope, "error", err)
			select {
			case <-time.After(500 * time.Millisecond):
			case <-s.ctx.Done():
			}
			continue
		case len(events) == 0 || events[0].Seq > upTo.Seq: // dropped meanwhile
			s.send(lostPush(scope, upTo))
			s.sink.Flush()
			*at = upTo
			return nil
		}
		for i := range events {
			e := &events[i]
			if e.Seq > upTo.Seq {
				break
			}
			// Before each one: a page may be more than the sink has room for, and
			// others may push to it too.
			if !s.sink.Room(s.ctx) {
				return errGone
			}
			if e.Seq != at.Seq+1 || at.Epoch != "" && e.Epoch != at.Epoch {
				s.send(lostPush(scope, protocol.FeedPosition{Seq: e.Seq - 1, Epoch: e.Epoch}))
			}
			if p, err := encode(e); err == nil && s.wants(p.event) {
				s.send(p)
			}
			*at = e.Position()
		}
		s.sink.Flush()
	}
	return nil
}
