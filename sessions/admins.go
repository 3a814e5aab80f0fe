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
// the token expires, the account gets another password or is deleted, or the
// connection leaves. Its methods may be called concurrently.
type Admin struct {
	// static
	node  *Node
	peer  Peer
	name  string
	timer *time.Timer
	ctx   context.Context // ends with the rights
	end   context.CancelFunc

	// guarded by the registry's mu
	generation string
	changing   int // changes of the own account that are not settled
}

// ErrAdminEnded is the cause of the end of an [Admin.Context].
var ErrAdminEnded = errors.New("the admin's rights have ended")

// ConnectAdmin enters a connection as that of an admin, as he was read before;
// until is when his token ends. It is ErrSessionInvalid if the account was
// deleted or got another password since.
func (n *Node) ConnectAdmin(ctx context.Context, p Peer, admin store.Admin, until time.Time) (*Admin, error) {
	a := &Admin{node: n, peer: p, name: admin.Name, generation: admin.Generation}
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
	now, err := n.store.Admin(ctx, a.name)
	if err == nil && now.Generation == admin.Generation {
		a.timer = time.AfterFunc(time.Until(until), func() { a.revoke("the admin's token has expired") })
		return a, nil
	}
	a.Disconnect()
	if err == nil || errors.Is(err, store.ErrAdminNotFound) {
		err = ErrSessionInvalid
	}
	return nil, err
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
// password, or the end of the account. Signals pass the connection by from now
// on, so that it can be answered; [Admin.Settle] must follow the answer. If do
// succeeds the connection is of the generation that it returns.
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

// Settle ends what Keep began: the connection goes on if it is of the account's
// present generation. While the store is away nobody knows, so it does not.
func (a *Admin) Settle(ctx context.Context) {
	r := &a.node.admins
	r.mu.Lock()
	a.changing--
	generation := a.generation
	r.mu.Unlock()
	now, err := a.node.store.Admin(ctx, a.name)
	if err != nil || now.Generation != generation {
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

// revokeAdmins ends those connections of an admin that are chosen by their
// generation, but for one that is changing its own.
func (n *Node) revokeAdmins(name string, chosen func(generation string) bool) {
	var ended []*Admin
	n.admins.mu.Lock()
	for a := range n.admins.conns[name] {
		if a.changing == 0 && chosen(a.generation) {
			ended = append(ended, a)
		}
	}
	n.admins.mu.Unlock()
	for _, a := range ended {
		a.revoke("")
	}
}

// endAdmin ends the connections of one generation of an admin.
func (n *Node) endAdmin(name, generation string) {
	n.revokeAdmins(name, func(g string) bool { return g == generation })
}

// resyncAdmins ends every admin's connection that is not of the account's
// present generation, after signals may have been missed.
func (n *Node) resyncAdmins(ctx context.Context) {
	n.admins.mu.Lock()
	names := make([]string, 0, len(n.admins.conns))
	for name := range n.admins.conns {
		names = append(names, name)
	}
	n.admins.mu.Unlock()
	for _, name := range names {
		now, err := n.store.Admin(ctx, name)
		if err != nil && !errors.Is(err, store.ErrAdminNotFound) {
			n.log.Warn("resync of an admin's connections failed", "error", err)
			continue
		}
		// Of one who is gone, no generation is the present one.
		n.revokeAdmins(name, func(g string) bool { return g != now.Generation })
	}
}
