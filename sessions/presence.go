package sessions

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"time"

	"github.com/google/uuid"

	"rollcall/protocol"
	"rollcall/store"
)

// Presence on this node: each login on a connection has a place under the node's
// lease, which the store keeps. It is noted by the login itself and taken away
// when the connection goes; when the user may come back, after a grace. What
// goes wrong on the way is put right by the audit, which compares what the store
// has with who is here.

// Where says what the store is told of a login's connection.
type Where struct {
	Scope  string
	Single bool // the scope's policy: one connection a user
	Via    store.Via
}

// departuresAtOnce is how many places are taken away together.
const departuresAtOnce = 256

// A presence is the node's part of it.
type presence struct {
	grace time.Duration
	slots chan struct{} // for departures under way

	mu        sync.Mutex
	lease     string
	former    []string        // leases that the node lost, under which the store may have places yet
	departing map[string]bool // places that are taken away, or wait for it
	graced    map[uuid.UUID]*graced
	renewed   bool // the lease is known to the store
}

// A graced place waits for its user to come back. Of each user's only the one
// that went last does: it alone keeps him online, and who comes and goes without
// end would otherwise leave a trail that is read at each of his logins.
type graced struct {
	place store.Presence
	timer *time.Timer
}

func (p *presence) init(grace time.Duration) {
	p.grace = grace
	p.slots = make(chan struct{}, departuresAtOnce)
	p.lease = store.NewLease()
	p.departing = map[string]bool{}
	p.graced = map[uuid.UUID]*graced{}
}

func (p *presence) current() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.lease
}

// arrival is what the store is told of a binding that begins.
func (c *Client) arrival(b *binding) store.Arrival {
	a := store.Arrival{
		At: c.ref(), Via: b.where.Via, Lease: c.node.noted(b).Lease, Place: b.place, Scope: b.where.Scope, Single: b.where.Single,
	}
	c.mu.Lock()
	former := c.current
	c.mu.Unlock()
	if former != nil {
		a.Instead = c.node.noted(former).Lease + "." + former.place
	}
	return a
}

// noted is the binding's place, by which it can be taken away or noted again.
func (n *Node) noted(b *binding) store.Presence {
	s := n.registry.shard(b.user)
	s.mu.Lock()
	defer s.mu.Unlock()
	return store.Presence{
		Lease: b.lease, Place: b.place, User: b.user, Session: b.session, Scope: b.where.Scope, Via: b.where.Via,
	}
}

// depart takes a binding's place away; for reasons after which the user often
// comes back, not before the grace is over.
func (n *Node) depart(b *binding, reason string) {
	pr := n.noted(b)
	n.presence.mu.Lock()
	n.presence.departing[pr.Place] = true
	n.presence.mu.Unlock()
	switch reason {
	case protocol.OfflineClosed, protocol.OfflineLost, protocol.OfflineDrained:
		n.departLater(pr, reason)
	default:
		go n.departNow(pr, reason)
	}
}

// departLater takes a place away after the grace, and one of the same user that
// waits already at once.
func (n *Node) departLater(pr store.Presence, reason string) {
	p := &n.presence
	g := &graced{place: pr}
	p.mu.Lock()
	defer p.mu.Unlock()
	former := p.graced[pr.User]
	p.graced[pr.User] = g
	g.timer = time.AfterFunc(p.grace, func() {
		p.mu.Lock()
		if p.graced[pr.User] == g {
			delete(p.graced, pr.User)
		}
		p.mu.Unlock()
		n.departNow(pr, reason)
	})
	if former != nil && former.timer.Stop() {
		go n.departNow(former.place, reason)
	}
}

// departNow leaves what fails to the audit.
func (n *Node) departNow(pr store.Presence, reason string) {
	n.presence.slots <- struct{}{}
	defer func() { <-n.presence.slots }()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := n.store.Depart(ctx, pr, reason); err != nil {
		n.auditDue.Store(true)
		if !errors.Is(err, store.ErrUnavailable) {
			n.log.Warn("a connection could not be taken out", "user", pr.User, "error", err)
		}
	}
	n.presence.mu.Lock()
	delete(n.presence.departing, pr.Place)
	n.presence.mu.Unlock()
}

// departing reports whether a place is being taken away.
func (n *Node) isDeparting(place string) bool {
	n.presence.mu.Lock()
	defer n.presence.mu.Unlock()
	return n.presence.departing[place]
}

// newPlace names a login's place under the node's lease.
func (n *Node) newPlace() string { return strconv.FormatUint(n.lastPlace.Add(1), 36) }

// OfflineReason says what a close by us tells of why the user went offline.
func OfflineReason(code protocol.CloseCode) string {
	switch code {
	case protocol.CloseKicked:
		return protocol.OfflineKicked
	case protocol.CloseBanned:
		return protocol.OfflineBanned
	case protocol.CloseReplaced:
		return protocol.OfflineReplaced
	case protocol.CloseDraining:
		return protocol.OfflineDrained
	case protocol.CloseSilent, protocol.CloseTooSlow, protocol.CloseOverloaded:
		return protocol.OfflineLost
	}
	return protocol.OfflineEnded
}

// enterAgain notes a binding that the store has lost.
func (n *Node) enterAgain(ctx context.Context, pr store.Presence) error {
	if !n.registry.bound(pr.User, pr.Place) {
		return nil
	}
	err := n.store.Enter(ctx, pr)
	switch {
	case errors.Is(err, store.ErrSessionInvalid):
		n.registry.end(pr.User, pr.Session, "", protocol.CloseSessionEnded, "")
		return nil
	case err == nil && !n.registry.bound(pr.User, pr.Place): // gone meanwhile, and taken away before it was noted
		return n.store.Depart(ctx, pr, protocol.OfflineLost)
	}
	return err
}
