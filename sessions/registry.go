package sessions

import (
	"slices"
	"sync"
	"sync/atomic"

	"github.com/google/uuid"

	"rollcall/protocol"
)

// The registry is sharded by user, so that a storm of logins doesn't wait for
// one lock. A power of two.
const shardCount = 64

// registry indexes who is logged in on the node's connections.
type registry struct {
	bindings [shardCount]bindingShard
	nHeld    atomic.Int64
}

type bindingShard struct {
	mu sync.Mutex
	m  map[uuid.UUID]*binding // the first of a list, by next
}

// A binding says that a connection is logged in as a user, or is about to be.
// It is entered before the store is asked, so that a signal which ends the
// session cannot slip through between the store's answer and the entry.
type binding struct {
	client *Client
	user   uuid.UUID
	where  Where
	place  string // under lease

	// guarded by the shard's mu
	lease    string
	session  string   // "" while the store has not answered
	endings  []ending // what was signalled meanwhile
	replaced string   // the session in which another connection took this one's place meanwhile
	outdone  bool     // another connection of the user came meanwhile, and there is to be one only
	next     *binding
	in       bool // entered
	held     bool // counted as a session
}

// An ending is one signal: the sessions of a user that it ends.
type ending struct{ session, except string }

func (e ending) hits(session string) bool {
	if e.session != "" {
		return e.session == session
	}
	return e.except == "" || e.except != session
}

func (r *registry) init() {
	for i := range shardCount {
		r.bindings[i].m = make(map[uuid.UUID]*binding)
	}
}

func (r *registry) shard(user uuid.UUID) *bindingShard { return &r.bindings[user[15]%shardCount] }

func (r *registry) countBindings() int { return int(r.nHeld.Load()) }

// begin enters a binding whose session is not known yet.
func (n *Node) begin(c *Client, user uuid.UUID, w Where) *binding {
	b := &binding{client: c, user: user, where: w, place: n.newPlace(), lease: n.presence.current()}
	n.registry.enter(b)
	return b
}

func (r *registry) enter(b *binding) {
	s := r.shard(b.user)
	s.mu.Lock()
	b.in = true
	b.next = s.m[b.user]
	s.m[b.user] = b
	s.mu.Unlock()
}

// hold completes a binding. It reports false when the session was ended since begin.
func (r *registry) hold(b *binding, session string) bool {
	s := r.shard(b.user)
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range b.endings {
		if e.hits(session) {
			return false
		}
	}
	b.session, b.endings, b.held = session, nil, true
	r.nHeld.Add(1)
	return true
}

// drop takes a binding out. Dropping it again does nothing.
func (r *registry) drop(b *binding) {
	s := r.shard(b.user)
	s.mu.Lock()
	defer s.mu.Unlock()
	if !b.in {
		return
	}
	b.in = false
	if b.held {
		b.held = false
		r.nHeld.Add(-1)
	}
	head := s.m[b.user]
	if head == b {
		if b.next == nil {
			delete(s.m, b.user)
		} else {
			s.m[b.user] = b.next
		}
		return
	}
	for p := head; p != nil; p = p.next {
		if p.next == b {
			p.next = b.next
			return
		}
	}
}

// bound reports whether a user is logged in, or about to be, at a place.
func (r *registry) bound(user uuid.UUID, place string) bool {
	s := r.shard(user)
	s.mu.Lock()
	defer s.mu.Unlock()
	for b := s.m[user]; b != nil; b = b.next {
		if b.place == place {
			return true
		}
	}
	return false
}

// each calls fn for every binding, with its shard locked.
func (r *registry) each(fn func(*binding)) {
	for i := range r.bindings {
		s := &r.bindings[i]
		s.mu.Lock()
		for _, b := range s.m {
			for ; b != nil; b = b.next {
				fn(b)
			}
		}
		s.mu.Unlock()
	}
}

// end closes the connections of a user's sessions: of one, or of all but one.
func (r *registry) end(user uuid.UUID, session, except string, code protocol.CloseCode, reason string) {
	e := ending{session, except}
	r.close(user, func(b *binding) bool {
		if b.session == "" {
			b.endings = append(b.endings, e)
			return false
		}
		return e.hits(b.session)
	}, code, reason)
}

// replace closes one connection, if it still is logged in by that session. One
// whose session is not known yet is closed when it is.
func (r *registry) replace(user uuid.UUID, session, conn string) {
	r.close(user, func(b *binding) bool {
		if b.client.conn() != conn {
			return false
		}
		if b.session == "" {
			b.replaced = session
		}
		return b.session == session
	}, protocol.CloseReplaced, "")
}

// single closes a user's connections at some places, because there is to be one
// only and another one came. One whose session is not known yet is closed when
// it is.
func (r *registry) single(user uuid.UUID, places []string) {
	r.close(user, func(b *binding) bool {
		if !slices.Contains(places, b.lease+"."+b.place) {
			return false
		}
		b.outdone = true
		return b.session != ""
	}, protocol.CloseReplaced, "")
}

// wasReplaced reports whether another connection took this one's place before
// its session was known.
func (r *registry) wasReplaced(b *binding) bool {
	s := r.shard(b.user)
	s.mu.Lock()
	defer s.mu.Unlock()
	return b.session != "" && (b.session == b.replaced || b.outdone)
}

// close makes the connections of those of a user's bindings that are chosen
// anonymous, so that nothing more is permitted on them, and closes them. The
// choice is made under the shard's lock, the rest after it.
func (r *registry) close(user uuid.UUID, chosen func(*binding) bool, code protocol.CloseCode, reason string) {
	s := r.shard(user)
	var ended []*binding
	s.mu.Lock()
	for b := s.m[user]; b != nil; b = b.next {
		if chosen(b) {
			ended = append(ended, b)
		}
	}
	s.mu.Unlock()
	for _, b := range ended {
		if b.client.revoke(b, OfflineReason(code)) {
			b.client.peer.Close(code, reason)
		}
	}
}
