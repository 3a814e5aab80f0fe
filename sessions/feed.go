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

	// Flush follows one or more pushes: they are to be sent now. It must not
	// block either.
	Flush()

	// Room blocks until the sink has room for more of the past, and flushes to get
	// it, or reports false when it is closed.
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

var errFeedClosed = fmt.Errorf("feed closed: %w", store.ErrUnavailable)

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
	sent := false
	for _, p := range pushes {
		has := p.seq <= m.has.Seq && (!p.lost || p.epoch == m.has.Epoch)
		if p.lost && !has {
			m.has = protocol.FeedPosition{}
		}
		switch {
		case has, !m.sub.wants(p.event):
		case m.live:
			m.sub.send(p)
			m.told, sent = p.seq, true
		case m.bytes+len(p.text) > m.sub.feed.most:
			// Too much came while the past was read: it is read again, from what
			// is kept in the feed.
			m.pending, m.bytes = nil, m.sub.feed.most
		default:
			m.pending = append(m.pending, p)
			m.bytes += len(p.text)
		}
	}
	if sent {
		m.sub.sink.Flush()
	}
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
			m.sub.sink.Flush()
			m.told = t.pos.Seq
		}
		t.mu.Unlock()
	}
}
