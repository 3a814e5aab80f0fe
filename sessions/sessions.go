// Package sessions knows who is connected to this node: the live connections,
// what each is logged in as and what it created, and it makes a session that
// ended anywhere end here too.
//
// It stands between the server, which owns sockets and handlers, and the store,
// which owns what is durable. It never writes to a socket: it asks a connection
// to close itself, through [Peer].
package sessions

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"rollcall/protocol"
	"rollcall/store"
)

// Store is what this package needs of the store.
type Store interface {
	Login(ctx context.Context, id uuid.UUID, a store.Arrival, ifPassword []byte) (store.User, store.Session, error)
	LoginByProvider(ctx context.Context, id uuid.UUID, a store.Arrival, provider, identity string) (store.User, store.Session, error)
	Resume(ctx context.Context, scope, token string, a store.Arrival) (store.User, store.Session, store.ConnRef, error)
	EndSession(ctx context.Context, user uuid.UUID, sessionID string, code protocol.CloseCode, reason string) (bool, error)
	EndSessions(ctx context.Context, user uuid.UUID, keep string, code protocol.CloseCode, reason string) (int, error)
	Sessions(ctx context.Context, user uuid.UUID) ([]store.Session, error)
	AdminSession(ctx context.Context, id string) (store.Admin, time.Time, error)
	EndAdminSession(ctx context.Context, name, id string) error
	Signal(ctx context.Context, sig store.Signal) error
	Signals(ctx context.Context, fn func(store.Signal)) error

	Enter(ctx context.Context, pr store.Presence) error
	Depart(ctx context.Context, pr store.Presence, reason string) error
	Present(ctx context.Context, lease string, part int) ([]store.Presence, error)
	RenewLease(ctx context.Context, lease string, isNew bool, about protocol.NodeObject) (ended []string, err error)
	EndLease(ctx context.Context, lease string, after time.Duration) error
	Reap(ctx context.Context, lease string) (places int, err error)
	TakeCensus(ctx context.Context) (bool, error)
	MarkActive(ctx context.Context, scope string, users []uuid.UUID) error
	Now() time.Time
	Outages() uint64
}

// A Peer is a connection as this package sees it.
type Peer interface {
	// Close closes the connection with a code, after what is waiting to be sent.
	// It must not block.
	Close(code protocol.CloseCode, reason string)
}

// Node is this process's part of the sessions. All methods may be called concurrently.
type Node struct {
	name  string
	store Store
	log   *slog.Logger

	registry registry
	admins   adminRegistry
	creators sync.Map // *Client → true: those that remember users whom they created
	lastConn atomic.Uint64
	conns    atomic.Int64 // connected, and not yet disconnected

	presence  presence
	lastPlace atomic.Uint64
	auditDue  atomic.Bool

	about   func() protocol.NodeObject
	onScope func(name string)

	// owned by lookAfter, of which one runs at a time
	nextAudit           int
	lastMinute, lastDay int64
	lastOutages         uint64
}

// Options are what a node is made of besides its store.
type Options struct {
	// Grace is how long a user whose last connection broke counts as online.
	Grace time.Duration
	// About is what the node says of itself to the others.
	About func() protocol.NodeObject
	// OnScope is called, from [Node.Run], with the name of each scope whose
	// definition changed on any node, and with "" when any may have.
	OnScope func(name string)
	Logger  *slog.Logger
}

// New returns a node.
func New(name string, st Store, opt Options) *Node {
	n := &Node{name: name, store: st, log: opt.Logger, onScope: opt.OnScope, about: opt.About}
	n.registry.init()
	n.presence.init(opt.Grace)
	return n
}

// Connections and Sessions count the node's live connections, and those of them
// that are logged in.
func (n *Node) Connections() int { return int(n.conns.Load()) }
func (n *Node) Sessions() int    { return n.registry.countBindings() }

// Connect enters a connection and returns its login state.
func (n *Node) Connect(p Peer) *Client {
	n.conns.Add(1)
	return &Client{node: n, peer: p, number: n.lastConn.Add(1)}
}

// Run carries out what other nodes, and this one, signal, and keeps the node's
// lease. It returns when ctx ends; a store that is away is waited for.
func (n *Node) Run(ctx context.Context) {
	var keeping sync.WaitGroup
	keeping.Go(func() { n.keepLease(ctx) })
	defer keeping.Wait()
	n.followSignals(ctx)
}

// keepLease renews the lease until ctx ends, and lets it end then.
func (n *Node) keepLease(ctx context.Context) {
	warn := func(err error) {
		if err != nil && ctx.Err() == nil && !errors.Is(err, store.ErrUnavailable) {
			n.log.Warn("presence is not looked after", "error", err)
		}
	}
	rounds := make(chan []string)
	var looking sync.WaitGroup
	looking.Go(func() {
		for ended := range rounds {
			warn(n.lookAfter(ctx, ended))
		}
	})
	tick := time.NewTicker(store.LeaseRenewal)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			close(rounds)
			looking.Wait()
			n.endLease()
			return
		case <-tick.C:
		}
		ended, err := n.renewLease(ctx)
		warn(err)
		if err == nil {
			select {
			case rounds <- ended:
			default: // the last round goes on; the next renewal names those leases again
			}
		}
	}
}

func (n *Node) followSignals(ctx context.Context) {
	for {
		err := n.store.Signals(ctx, func(sig store.Signal) { n.apply(ctx, sig) })
		if ctx.Err() != nil {
			return
		}
		n.log.Warn("signals interrupted", "error", err)
		select {
		case <-ctx.Done():
			return
		case <-time.After(time.Second):
		}
	}
}

func (n *Node) apply(ctx context.Context, sig store.Signal) {
	switch sig.Kind {
	case store.SignalEnd:
		code := protocol.CloseCode(sig.Code)
		if code == 0 {
			code = protocol.CloseSessionEnded
		}
		if sig.Disown {
			n.disown(sig.User)
		}
		n.registry.end(sig.User, sig.Session, sig.Except, code, sig.Reason)
	case store.SignalReplace:
		if sig.Node == n.name { // connections of other nodes have the same numbers
			n.registry.replace(sig.User, sig.Session, sig.Conn)
		}
	case store.SignalSingle:
		n.registry.single(sig.User, sig.Places)
	case store.SignalScope:
		n.onScope(sig.Scope)
	case store.SignalAdmin:
		n.revokeAdmins(sig.Admin, "", func(a *Admin) bool { return a.generation == sig.Generation })
	case store.SignalLogout:
		n.revokeAdmins(sig.Admin, loggedOut, func(a *Admin) bool { return a.session == sig.Session })
	case store.SignalResync:
		n.onScope("")
		n.auditDue.Store(true)
		n.resync(ctx)
		n.resyncAdmins(ctx)
	}
}

// resyncAtOnce is how many users are looked at together, sharing round trips.
const resyncAtOnce = 64

// resync closes every connection whose session is gone, after signals may have
// been missed. What logs in from now on is not looked at.
func (n *Node) resync(ctx context.Context) {
	sessions := map[uuid.UUID][]string{}
	n.registry.each(func(b *binding) {
		if b.held {
			sessions[b.user] = append(sessions[b.user], b.session)
		}
	})
	users := slices.Collect(maps.Keys(sessions))
	for chunk := range slices.Chunk(users, resyncAtOnce) {
		var looking sync.WaitGroup
		for _, user := range chunk {
			looking.Go(func() { n.resyncUser(ctx, user, sessions[user]) })
		}
		looking.Wait()
	}
}

func (n *Node) resyncUser(ctx context.Context, user uuid.UUID, sessions []string) {
	alive, err := n.store.Sessions(ctx, user)
	if err != nil {
		n.log.Warn("resync of a user's sessions failed", "error", err)
		return
	}
	for _, id := range sessions {
		if !slices.ContainsFunc(alive, func(s store.Session) bool { return s.ID == id }) {
			n.registry.end(user, id, "", protocol.CloseSessionEnded, "")
		}
	}
}

// ErrSessionInvalid means that a session doesn't hold: the token is unknown,
// expired or of another scope, or the session was ended while it was resumed.
var ErrSessionInvalid = store.ErrSessionInvalid

// Login logs the connection in as a user whose password was held against
// ifPassword. What the connection was logged in as before is replaced; that
// session's token stays good.
func (c *Client) Login(ctx context.Context, user uuid.UUID, w Where, ifPassword []byte) (store.User, store.Session, error) {
	return c.login(user, w, func(a store.Arrival) (store.User, store.Session, error) {
		return c.node.store.Login(ctx, user, a, ifPassword)
	})
}

// LoginByProvider logs the connection in as a user who has that identity at the
// provider, as Login does.
func (c *Client) LoginByProvider(ctx context.Context, user uuid.UUID, w Where, provider, identity string) (store.User, store.Session, error) {
	return c.login(user, w, func(a store.Arrival) (store.User, store.Session, error) {
		return c.node.store.LoginByProvider(ctx, user, a, provider, identity)
	})
}

func (c *Client) login(user uuid.UUID, w Where, start func(store.Arrival) (store.User, store.Session, error)) (store.User, store.Session, error) {
	b := c.node.begin(c, user, w)
	a := c.arrival(b)
	u, s, err := start(a)
	c.node.checkLease(b, a.Lease)
	if err != nil {
		c.node.failed(b, err)
		return u, s, err
	}
	if !c.hold(b, s.ID) {
		return u, s, ErrSessionInvalid
	}
	return u, s, nil
}

// failed takes out a binding that the store did not accept, or perhaps did.
func (n *Node) failed(b *binding, err error) {
	n.registry.drop(b)
	if errors.Is(err, store.ErrUnavailable) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		n.depart(b, protocol.OfflineEnded)
	}
}

// Resume continues a session on this connection, for users of the scope only.
// The connection that held the session before is closed with 4501, on whichever
// node it is.
func (c *Client) Resume(ctx context.Context, w Where, token string) (store.User, store.Session, error) {
	user, id, ok := store.SessionID(token)
	if !ok {
		return store.User{}, store.Session{}, ErrSessionInvalid
	}
	b := c.node.begin(c, user, w)
	a := c.arrival(b)
	u, s, former, err := c.node.store.Resume(ctx, w.Scope, token, a)
	c.node.checkLease(b, a.Lease)
	if err != nil {
		c.node.failed(b, err)
		return u, s, err
	}
	// The store has written this connection in the former one's place, so that
	// one goes even if this one is gone already.
	held := c.hold(b, id)
	c.replaceFormer(ctx, user, id, former)
	if !held {
		return u, s, ErrSessionInvalid
	}
	return u, s, nil
}

func (c *Client) replaceFormer(ctx context.Context, user uuid.UUID, session string, former store.ConnRef) {
	switch {
	case former == store.ConnRef{} || former == c.ref():
	case former.Node == c.node.name:
		c.node.registry.replace(user, session, former.Conn)
	default:
		err := c.node.store.Signal(ctx, store.Signal{
			Kind: store.SignalReplace, User: user, Session: session, Node: former.Node, Conn: former.Conn,
		})
		if err != nil { // the older connection is left over; it can do no more than this one
			c.node.log.Warn("older connection of a session could not be told", "error", err)
		}
	}
}

// Logout ends the connection's session, or all of the user's, with whatever
// other connections hold them. This connection stays and is anonymous. On an
// error it is still logged in.
func (c *Client) Logout(ctx context.Context, all bool) error {
	b := c.detach()
	if b == nil {
		return ErrSessionInvalid
	}
	var err error
	if all {
		_, err = c.node.store.EndSessions(ctx, b.user, "", protocol.CloseSessionEnded, "logged out")
	} else {
		_, err = c.node.store.EndSession(ctx, b.user, b.session, protocol.CloseSessionEnded, "")
	}
	if err != nil && !errors.Is(err, store.ErrUserNotFound) {
		c.reattach(b)
		return fmt.Errorf("end session: %w", err)
	}
	c.node.depart(b, protocol.OfflineLogout)
	return nil
}

// While runs a deletion of a user without closing this connection if it is that
// user's own: if do succeeds the connection is anonymous, if not it is as before.
func (c *Client) While(user uuid.UUID, do func() error) error {
	var b *binding
	if id, _ := c.Identity(); id == user {
		b = c.detach()
	}
	err := do()
	switch {
	case b == nil:
	case err != nil:
		c.reattach(b)
	default:
		c.node.depart(b, protocol.OfflineEnded)
	}
	return err
}

// ref names the connection in the store.
func (c *Client) ref() store.ConnRef {
	return store.ConnRef{Node: c.node.name, Conn: c.conn()}
}

func (c *Client) conn() string { return strconv.FormatUint(c.number, 36) }
