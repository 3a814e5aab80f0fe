package sessions

import (
	"context"
	"errors"
	"sync"
	"time"

	"rollcall/protocol"
	"rollcall/store"
)

// adminRegistry indexes the admins' connections of the node by the admin's
// name. They are few, so one lock does. The zero value is ready.
type adminRegistry struct {
	mu    sync.Mutex
	conns map[string]map[*Admin]struct{}
}

// An Admin is one live connection of an admin: the right to act as him, until
// the token expires or is logged out, the account gets another password or is
// deleted, or the connection leaves. Its methods may be called concurrently.
type Admin struct {
	// static
	node    *Node
	peer    Peer
	name    string
	session string // id of the session that opened it
	timer   *time.Timer
	ctx     context.Context // ends with the rights
	end     context.CancelFunc

	// guarded by the registry's mu
	generation string
	changing   int // changes of the own account or session that are not settled
}

// ErrAdminEnded is the cause of the end of an [Admin.Context].
var ErrAdminEnded = errors.New("the admin's rights have ended")

// loggedOut is the reason told to the connections of a session that was logged out.
const loggedOut = "logged out"

// ConnectAdmin enters a connection as that of an admin, as he was read before, by
// a session of his; until is when that ends. It is ErrSessionInvalid if it ended
// since, or the account was deleted or got another password.
func (n *Node) ConnectAdmin(ctx context.Context, p Peer, admin store.Admin, session string, until time.Time) (*Admin, error) {
	a := &Admin{node: n, peer: p, name: admin.Name, session: session, generation: admin.Generation}
	a.ctx, a.end = context.WithCancel(context.Background())
	n.admins.mu.Lock()
	if n.admins.conns == nil {
		n.admins.conns = make(map[string]map[*Admin]struct{})
	}
	if n.admins.conns[a.name] == nil {
		n.admins.conns[a.name] = make(map[*Admin]struct{})
	}
	n.admins.conns[a.name][a] = struct{}{}
	n.admins.mu.Unlock()

	// What ended before it was entered was signalled to nobody. So it is read
	// once more: what ends from now on comes as a signal.
	if err := a.check(ctx, admin.Generation); err != nil {
		a.Disconnect()
		return nil, err
	}
	a.timer = time.AfterFunc(time.Until(until), func() { a.revoke("the admin's token has expired") })
	return a, nil
}

// check reads whether the session holds and the account is of a generation; else
// it is ErrSessionInvalid.
func (a *Admin) check(ctx context.Context, generation string) error {
	now, _, err := a.node.store.AdminSession(ctx, a.session)
	if err == nil && now.Generation != generation {
		err = ErrSessionInvalid
	}
	return err
}

// Ref names the admin as whom the connection is entered.
func (a *Admin) Ref() store.AdminRef {
	a.node.admins.mu.Lock()
	defer a.node.admins.mu.Unlock()
	return store.AdminRef{Name: a.name, Generation: a.generation}
}

// Ended reports whether the rights have ended.
func (a *Admin) Ended() bool { return a.ctx.Err() != nil }

// Context returns a context that ends with ctx and with the rights, and what
// releases it.
func (a *Admin) Context(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(a.ctx, func() { cancel(ErrAdminEnded) })
	return ctx, func() {
		stop()
		cancel(nil)
	}
}

// Keep runs a change of the admin's own account by this connection: a new
// password, or the end of the account or the session. Signals pass the connection
// by from now on, so that it can be answered; [Admin.Settle] must follow the
// answer. If do succeeds the connection is of the generation that it returns.
func (a *Admin) Keep(do func() (store.Admin, error)) error {
	r := &a.node.admins
	r.mu.Lock()
	a.changing++
	r.mu.Unlock()
	admin, err := do()
	if err == nil {
		r.mu.Lock()
		a.generation = admin.Generation
		r.mu.Unlock()
	}
	return err
}

// Logout ends the session on every node, within [Admin.Keep]. What this connection
// may do ends with [Admin.Leave], once that was answered.
func (a *Admin) Logout(ctx context.Context) error {
	return a.node.store.EndAdminSession(ctx, a.name, a.session)
}

// Leave ends the rights of a connection that has logged out, and closes it.
func (a *Admin) Leave() { a.revoke(loggedOut) }

// Settle ends what Keep began: the connection goes on if its session holds and it
// is of the account's present generation. While the store is away nobody knows, so
// it does not.
func (a *Admin) Settle(ctx context.Context) {
	r := &a.node.admins
	r.mu.Lock()
	a.changing--
	generation := a.generation
	r.mu.Unlock()
	if !a.Ended() && a.check(ctx, generation) != nil {
		a.revoke("")
	}
}

// Disconnect takes the connection out of the registry, once nothing runs in its
// right any more.
func (a *Admin) Disconnect() {
	if a.timer != nil {
		a.timer.Stop()
	}
	r := &a.node.admins
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.conns[a.name], a)
	if len(r.conns[a.name]) == 0 {
		delete(r.conns, a.name)
	}
}

// revoke ends the rights at once, and then the connection.
func (a *Admin) revoke(reason string) {
	a.end()
	a.peer.Close(protocol.CloseSessionEnded, reason)
}

// revokeAdmins ends those connections of an admin that are chosen, with the
// registry's mu held, but for one that is changing its own account.
func (n *Node) revokeAdmins(name, reason string, chosen func(*Admin) bool) {
	var ended []*Admin
	n.admins.mu.Lock()
	for a := range n.admins.conns[name] {
		if a.changing == 0 && chosen(a) {
			ended = append(ended, a)
		}
	}
	n.admins.mu.Unlock()
	for _, a := range ended {
		a.revoke(reason)
	}
}

// resyncAdmins ends every admin's connection whose session has ended, or which is
// not of the account's present generation, after signals may have been missed.
func (n *Node) resyncAdmins(ctx context.Context) {
	type entry struct {
		admin      *Admin
		generation string
	}
	var all []entry
	n.admins.mu.Lock()
	for _, conns := range n.admins.conns {
		for a := range conns {
			all = append(all, entry{a, a.generation})
		}
	}
	n.admins.mu.Unlock()
	for _, e := range all {
		err := e.admin.check(ctx, e.generation)
		switch {
		case errors.Is(err, ErrSessionInvalid):
			// As it was read: it may be of another generation by now.
			n.revokeAdmins(e.admin.name, "", func(a *Admin) bool { return a == e.admin && a.generation == e.generation })
		case err != nil:
			n.log.Warn("resync of an admin's connections failed", "error", err)
		}
	}
}
