package sessions

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"rollcall/protocol"
	"rollcall/store"
)

// FeedStore is what the live feed needs of the store.
type FeedStore interface {
	FollowFeeds(update func(store.FeedUpdate)) *store.FeedFollower
	FeedReaches(ctx context.Context, scope string, since protocol.FeedPosition) (bool, error)
	FeedAfter(ctx context.Context, scope string, seq int64, limit int) ([]store.FeedEvent, error)
	FeedLast(ctx context.Context, scope string, upTo int64, n, reach int, want func(*store.FeedEvent) bool) ([]store.FeedEvent, error)
}

// A Sink takes the pushes of a subscription.
type Sink interface {
	// Push queues one push. It must not block. A sink that can't take it is one
	// whose reader is too slow, or gone: it reports false and gets no more.
	Push(push []byte, batch bool) bool

	// Room blocks until the sink has room for more of the past, or reports false
	// when it is closed.
	Room(ctx context.Context) bool
}

// A Feed hands the events of scopes on to their subscribers on this node. A
// scope is followed while somebody subscribes to it. Each event is encoded once,
// and the same bytes go to every subscriber.
type Feed struct {
	store    FeedStore
	log      *slog.Logger
	most     int // bytes that wait for a member: maxPending, but in tests
	follower *store.FeedFollower
	ctx      context.Context // of the work for subscribers
	stop     context.CancelFunc
	working  sync.WaitGroup

	mu     sync.Mutex // may be held while a topic's is taken, not the other way round
	topics map[string]*topic
	wide   map[*Subscription]bool // those of all scopes
	closed bool
}

// A topic is one scope's feed on this node.
type topic struct {
	scope string

	mu      sync.Mutex
	pos     protocol.FeedPosition // up to here the events were handed on
	members []*member
	ended   bool // nobody follows the scope by it any more
}

// A member is a subscription's part in one topic. Its fields are guarded by the
// topic's mu.
type member struct {
	sub     *Subscription
	live    bool   // gets events as they come; else the past is still being read for it
	pending []push // what came meanwhile
	bytes   int    // of pending
	from    int64  // seq behind which pending begins
	has     int64  // seq up to which the subscriber has everything; this node may be behind that
	told    int64  // seq that the subscriber knows the feed to have reached
}

// A push is an encoded event, with what decides who gets it.
type push struct {
	text  []byte
	event int // index in protocol.Events, -1 for what everybody gets
	seq   int64
	lost  bool // tells of a loss
}

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
	started bool
}

type topicMember struct {
	topic  *topic
	member *member
	begun  bool                  // the past is read for it, or was; guarded by feed.mu
	since  protocol.FeedPosition // where the subscriber is: what is behind it comes first
}

// maxPending bounds what waits for a subscriber while the past is read for it.
// Beyond it the past is read once more, up to where the feed is by then.
const maxPending = 1 << 20

// headEvery is how often a filtered subscriber is told where the feed is.
const headEvery = 5 * time.Second

// NewFeed returns the node's feed. It must be closed before the store is.
func NewFeed(st FeedStore, log *slog.Logger) *Feed {
	f := &Feed{store: st, log: log, most: maxPending, topics: map[string]*topic{}, wide: map[*Subscription]bool{}}
	f.ctx, f.stop = context.WithCancel(context.Background())
	f.follower = st.FollowFeeds(f.update)
	return f
}

// Run tells filtered subscribers where the feeds are, until ctx ends.
func (f *Feed) Run(ctx context.Context) {
	tick := time.NewTicker(headEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			f.tellHeads()
		}
	}
}

// Close ends all subscriptions.
func (f *Feed) Close() {
	f.mu.Lock()
	f.closed = true
	f.mu.Unlock()
	f.stop()
	f.follower.Close()
	f.working.Wait()
}

// Subscribers counts the subscriptions.
func (f *Feed) Subscribers() int {
	subs := map[*Subscription]bool{}
	for _, t := range f.all() {
		t.mu.Lock()
		for _, m := range t.members {
			subs[m.sub] = true
		}
		t.mu.Unlock()
	}
	return len(subs)
}

func (f *Feed) all() []*topic {
	f.mu.Lock()
	defer f.mu.Unlock()
	topics := make([]*topic, 0, len(f.topics))
	for _, t := range f.topics {
		topics = append(topics, t)
	}
	return topics
}

// A SubscribeRequest says what an admin wants to see.
type SubscribeRequest struct {
	protocol.SubscribeParams
	Scopes []string                // the scopes that are meant: one, or all that there are
	Covers func(scope string) bool // of the admin's account, for scopes to come
	Sink   Sink
}

var errFeedClosed = fmt.Errorf("feed closed: %w", store.ErrUnavailable)

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
		f.wide[s] = true
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

// enrol makes a subscription a member of a scope's topic, and returns where that
// is. A scope of which it is a member already is left as it is.
func (f *Feed) enrol(ctx context.Context, s *Subscription, scope string, since *protocol.FeedPosition) (protocol.FeedPosition, error) {
	for {
		t, err := f.topic(ctx, scope)
		if err != nil {
			return protocol.FeedPosition{}, err
		}
		f.mu.Lock()
		for _, tm := range s.members {
			if tm.topic.scope == scope {
				f.mu.Unlock()
				return tm.topic.position(), nil
			}
		}
		t.mu.Lock()
		if t.ended { // its last member has just left
			t.mu.Unlock()
			f.mu.Unlock()
			continue
		}
		m := &member{sub: s, from: t.pos.Seq, told: t.pos.Seq}
		head, begins := t.pos, t.pos
		if since != nil {
			begins = *since
		}
		if begins.Seq > head.Seq { // another node was faster
			head, m.has, m.told = begins, begins.Seq, begins.Seq
		}
		t.members = append(t.members, m)
		s.members = append(s.members, &topicMember{topic: t, member: m, since: begins})
		t.mu.Unlock()
		f.mu.Unlock()
		if s.ctx.Err() != nil {
			s.Close()
			return head, errGone
		}
		return head, nil
	}
}

// topic returns a scope's topic, and begins to follow the scope if nobody did.
// Nothing else waits for that: the topic's own mu is held meanwhile, so that no
// update comes through before the position is known.
func (f *Feed) topic(ctx context.Context, scope string) (*topic, error) {
	f.mu.Lock()
	if f.closed {
		f.mu.Unlock()
		return nil, errFeedClosed
	}
	t := f.topics[scope]
	if t != nil {
		f.mu.Unlock()
		t.position() // known once whoever made it has unlocked it
		return t, nil
	}
	t = &topic{scope: scope}
	t.mu.Lock()
	f.topics[scope] = t
	f.mu.Unlock()

	head, err := f.follower.Add(ctx, scope)
	t.pos, t.ended = head, err != nil
	t.mu.Unlock()
	if err == nil {
		return t, nil
	}
	f.mu.Lock()
	delete(f.topics, scope)
	f.mu.Unlock()
	return nil, err
}

func (t *topic) position() protocol.FeedPosition {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.pos
}

// readLast reads the newest events before the enrolment that the filter lets
// through, n of all scopes together.
func (s *Subscription) readLast(ctx context.Context, n int) error {
	const reach = 20 * store.MaxFeedPage
	want := func(e *store.FeedEvent) bool { return s.wants(indexOf(e.Name)) }
	s.feed.mu.Lock()
	members := slices.Clone(s.members) // a scope may appear meanwhile
	s.feed.mu.Unlock()
	var scopes [][]store.FeedEvent
	for _, tm := range members {
		events, err := s.feed.store.FeedLast(ctx, tm.topic.scope, tm.member.from, n, reach, want)
		if err != nil {
			return err
		}
		scopes = append(scopes, events)
	}
	all := merge(scopes)
	s.last = all[max(0, len(all)-n):]
	return nil
}

// merge puts the events of several scopes in order of their time. Those of one
// scope stay in the order of the feed.
func merge(scopes [][]store.FeedEvent) (all []store.FeedEvent) {
	for {
		first := -1
		for i, events := range scopes {
			if len(events) > 0 && (first < 0 || events[0].Time.Before(scopes[first][0].Time)) {
				first = i
			}
		}
		if first < 0 {
			return all
		}
		all = append(all, scopes[first][0])
		scopes[first] = scopes[first][1:]
	}
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
	members := s.due()
	f.working.Go(func() {
		for i := range s.last {
			if p, err := encode(&s.last[i]); err == nil && s.sink.Room(s.ctx) {
				s.send(p)
			}
		}
		s.last = nil
		for _, tm := range members {
			s.catchUp(tm)
		}
	})
}

// due returns the members for which nobody has begun to read the past, and
// leaves that to the caller. It needs feed.mu.
func (s *Subscription) due() (all []*topicMember) {
	for _, tm := range s.members {
		if !tm.begun {
			tm.begun = true
			all = append(all, tm)
		}
	}
	return all
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

// Appeared enrols those who subscribe to all scopes in one that is new. It must
// be called for every scope that is created anywhere; more often does no harm.
func (f *Feed) Appeared(ctx context.Context, scope string) {
	f.mu.Lock()
	var subs []*Subscription
	for s := range f.wide {
		if s.covers(scope) {
			subs = append(subs, s)
		}
	}
	f.mu.Unlock()
	for _, s := range subs {
		f.mu.Lock()
		known := slices.ContainsFunc(s.members, func(tm *topicMember) bool { return tm.topic.scope == scope })
		f.mu.Unlock()
		if known {
			continue
		}
		if _, err := f.enrol(ctx, s, scope, &protocol.FeedPosition{}); err != nil {
			f.log.Warn("a new scope's feed is not followed", "scope", scope, "error", err)
			continue
		}
		f.mu.Lock()
		if s.started && !f.closed { // else Start does it, or nobody
			for _, tm := range s.due() {
				f.working.Go(func() { s.catchUp(tm) })
			}
		}
		f.mu.Unlock()
	}
}

func (s *Subscription) wants(event int) bool { return event < 0 || s.events&(1<<event) != 0 }

func indexOf(event string) int {
	for i := range protocol.Events {
		if protocol.Events[i].Name == event {
			return i
		}
	}
	return -1 // of a newer version: it goes to everybody
}

// encode makes the push of an event.
func encode(e *store.FeedEvent) (push, error) {
	text, err := protocol.AppendPush(nil, protocol.Push{
		Event: e.Name, Scope: e.Scope, Seq: e.Seq, Epoch: e.Epoch, EventID: e.ID, Time: protocol.Time{Time: e.Time},
	}, jsontext.Value(e.Data))
	if err != nil {
		return push{}, fmt.Errorf("encode event: %w", err)
	}
	return push{text: text, event: indexOf(e.Name), seq: e.Seq}, nil
}

// lostPush tells that events up to a position are lost.
func lostPush(scope string, pos protocol.FeedPosition) push {
	p := positionPush(protocol.EventFeedLost, scope, pos)
	p.lost = true
	return p
}

func positionPush(event, scope string, pos protocol.FeedPosition) push {
	text, err := protocol.AppendPosition(nil, event, scope, pos)
	if err != nil {
		panic("sessions: a position always has a JSON form: " + err.Error())
	}
	return push{text: text, event: -1, seq: pos.Seq}
}

// update hands on what came to a scope. It is called for one scope at a time.
func (f *Feed) update(u store.FeedUpdate) {
	f.mu.Lock()
	t := f.topics[u.Scope]
	f.mu.Unlock()
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	// The scope may have been left and followed anew while this was under way.
	for len(u.Events) > 0 && t.passed(u.Events[0].Position()) {
		u.Events = u.Events[1:]
	}
	if u.Lost != nil && t.passed(*u.Lost) {
		u.Lost = nil
	}
	pushes := make([]push, 0, len(u.Events)+1)
	if u.Lost != nil {
		pushes = append(pushes, lostPush(u.Scope, *u.Lost))
	}
	for i := range u.Events {
		p, err := encode(&u.Events[i])
		if err != nil {
			f.log.Error("an event could not be handed on", "scope", u.Scope, "seq", u.Events[i].Seq, "error", err)
			continue
		}
		pushes = append(pushes, p)
	}
	for _, m := range t.members {
		m.take(pushes)
	}
	if n := len(u.Events); n > 0 {
		t.pos = u.Events[n-1].Position()
	} else if u.Lost != nil {
		t.pos = *u.Lost
	}
}

// passed reports whether the topic is at a position or beyond. It needs mu.
func (t *topic) passed(pos protocol.FeedPosition) bool {
	return pos.Epoch == t.pos.Epoch && pos.Seq <= t.pos.Seq
}

// take gives a member pushes in their order, or keeps them until it has caught
// up. It needs the topic's mu.
func (m *member) take(pushes []push) {
	for _, p := range pushes {
		if p.lost {
			m.has = 0
		}
		switch {
		case !m.sub.wants(p.event), p.seq <= m.has && !p.lost:
		case m.live:
			m.sub.send(p)
			m.told = p.seq
		case m.bytes+len(p.text) > m.sub.feed.most:
			// Too much came while the past was read: it is read again, from what
			// is kept in the feed.
			m.pending, m.bytes = nil, m.sub.feed.most
		default:
			m.pending = append(m.pending, p)
			m.bytes += len(p.text)
		}
	}
}

func (s *Subscription) send(p push) {
	if s.ctx.Err() == nil && !s.sink.Push(p.text, s.batch) {
		s.cancel() // the sink closes its connection, which closes the subscription
	}
}

// catchUp pushes what a member is to get first, then what came meanwhile, and
// makes it live.
func (s *Subscription) catchUp(tm *topicMember) {
	t, m := tm.topic, tm.member
	at := tm.since
	for s.ctx.Err() == nil {
		t.mu.Lock()
		if m.bytes < s.feed.most && at.Seq >= m.from {
			for _, p := range m.pending {
				s.send(p)
				m.told = p.seq
			}
			m.pending, m.bytes, m.live = nil, 0, true
			t.mu.Unlock()
			return
		}
		if m.bytes >= s.feed.most { // what comes from now on is kept anew
			m.pending, m.bytes, m.from = nil, 0, t.pos.Seq
		}
		upTo := m.from
		t.mu.Unlock()
		if err := s.readPast(t.scope, &at, upTo); err != nil {
			return
		}
	}
}

var errGone = errors.New("subscriber is gone")

// readPast pushes the events behind at, up to a seq, and moves at there.
func (s *Subscription) readPast(scope string, at *protocol.FeedPosition, upTo int64) error {
	const page = 250
	for at.Seq < upTo {
		if !s.sink.Room(s.ctx) {
			return errGone
		}
		events, err := s.feed.store.FeedAfter(s.ctx, scope, at.Seq, int(min(page, upTo-at.Seq)))
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
		case len(events) == 0 || events[0].Seq > upTo: // dropped meanwhile
			s.send(lostPush(scope, protocol.FeedPosition{Seq: upTo, Epoch: at.Epoch}))
			at.Seq = upTo
			return nil
		}
		for i := range events {
			e := &events[i]
			if e.Seq > upTo {
				break
			}
			if e.Seq != at.Seq+1 || at.Epoch != "" && e.Epoch != at.Epoch {
				s.send(lostPush(scope, protocol.FeedPosition{Seq: e.Seq - 1, Epoch: e.Epoch}))
			}
			if p, err := encode(e); err == nil && s.wants(p.event) {
				s.send(p)
			}
			*at = e.Position()
		}
	}
	return nil
}

// tellHeads tells filtered subscribers how far the feeds are by now.
func (f *Feed) tellHeads() {
	for _, t := range f.all() {
		t.mu.Lock()
		var head *push
		for _, m := range t.members {
			if !m.sub.narrow || !m.live || m.told >= t.pos.Seq {
				continue
			}
			if head == nil {
				p := positionPush(protocol.EventFeedHead, t.scope, t.pos)
				head = &p
			}
			m.sub.send(*head)
			m.told = t.pos.Seq
		}
		t.mu.Unlock()
	}
}
