package sessions

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
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
	live    bool                  // gets events as they come; else the past is still being read for it
	pending []push                // what came meanwhile
	bytes   int                   // of pending
	from    protocol.FeedPosition // behind which pending begins
	has     protocol.FeedPosition // up to here the subscriber has everything; this node may be behind that
	told    int64                 // seq that the subscriber knows the feed to have reached
}

// A push is an encoded event, with what decides who gets it.
type push struct {
	text  []byte
	event int // index in protocol.Events, -1 for what everybody gets
	seq   int64
	epoch string
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
	f.mu.Lock()
	subs := maps.Clone(f.wide) // also those for whom there is no scope yet
	f.mu.Unlock()
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
		m := &member{sub: s, from: t.pos, told: t.pos.Seq}
		head := t.pos
		if since != nil && since.Seq > head.Seq { // another node was faster
			head, m.has, m.told = *since, *since, since.Seq
		}
		t.members = append(t.members, m)
		tm := &topicMember{t, m, since}
		s.members = append(s.members, tm)
		if s.about != nil {
			s.about[scope] = true
		}
		if s.started && !f.closed { // else Start does it
			f.working.Go(func() { s.catchUp(tm) })
		}
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

// Appeared enrols those who subscribe to all scopes in one that is new. It must
// be called for every scope that is created anywhere, until it succeeds; more
// often does no harm.
func (f *Feed) Appeared(ctx context.Context, scope string) error {
	f.mu.Lock()
	var subs []*Subscription
	for s := range f.wide {
		if s.covers(scope) && !s.about[scope] {
			subs = append(subs, s)
		}
	}
	f.mu.Unlock()
	for _, s := range subs {
		if _, err := f.enrol(ctx, s, scope, &protocol.FeedPosition{}); err != nil && !errors.Is(err, errGone) {
			return fmt.Errorf("follow feed of a new scope: %w", err)
		}
	}
	return nil
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
	return push{text: text, event: indexOf(e.Name), seq: e.Seq, epoch: e.Epoch}, nil
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
	return push{text: text, event: -1, seq: pos.Seq, epoch: pos.Epoch}
}

// update hands on what came to a scope. It is called for one scope at a time.
func (f *Feed) update(u store.FeedUpdate) {
	f.mu.Lock()
	t := f.topics[u.Scope]
	f.mu.Unlock()
	if t == nil {
		return
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
	t.mu.Lock()
	defer t.mu.Unlock()
	known := func(epoch string, seq int64) bool { return epoch == t.pos.Epoch && seq <= t.pos.Seq }
	// An update may have been under way to a topic that ended, and come to the
	// next one, which began behind it.
	pushes = slices.DeleteFunc(pushes, func(p push) bool { return known(p.epoch, p.seq) })
	for _, m := range t.members {
		m.take(pushes)
	}
	to := u.Lost
	if n := len(u.Events); n > 0 {
		last := u.Events[n-1].Position()
		to = &last
	}
	if to != nil && !known(to.Epoch, to.Seq) {
		t.pos = *to
	}
}

// take gives a member pushes in their order, or keeps them until it has caught
// up. It needs the topic's mu.
func (m *member) take(pushes []push) {
	for _, p := range pushes {
		has := p.seq <= m.has.Seq && (!p.lost || p.epoch == m.has.Epoch)
		if p.lost && !has {
			m.has = protocol.FeedPosition{}
		}
		switch {
		case has, !m.sub.wants(p.event):
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
