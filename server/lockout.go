package server

import (
	"context"
	"net/netip"
	"time"

	"rollcall/protocol"
	"rollcall/store"
)

// guardAdmins counts wrong passwords of admins' logins.
const guardAdmins = "admin.login"

// Wrong passwords are counted by the pair of name and address, so that nobody
// can lock another out, and by the address alone, so that nobody can try many
// names; by the same bounds on every node.
const (
	guessWindow = 15 * time.Minute
	guessBase   = 30 * time.Second
	guessMax    = time.Hour

	guessesOfPair    = 5
	guessesOfAddress = 30
)

// A guess is one password that is about to be held against a record. It counts
// as wrong until it turns out otherwise. The zero guess counts nowhere.
type guess struct {
	srv           *Server
	remote        netip.Addr
	pair, address store.Try
}

// guess counts a try of a name's password, before any hash is made for it. Who
// tried too often is told to wait (807), whether or not anybody has the name.
func (s *Server) guess(ctx context.Context, c *conn, kind, name string) (*guess, error) {
	if c.remote.IsLoopback() && !s.cfg.LimitLoopback {
		return &guess{}, nil
	}
	g, network := &guess{srv: s, remote: c.remote}, networkOf(c.remote)
	var err error
	if g.address, err = s.try(ctx, kind+".address", network, guessesOfAddress); err != nil {
		return nil, err
	}
	if g.pair, err = s.try(ctx, kind, network+" "+name, guessesOfPair); err != nil {
		g.settle(ctx, func(ctx context.Context) error { return s.store.Undo(ctx, g.address) })
		return nil, err
	}
	return g, nil
}

func (s *Server) try(ctx context.Context, kind, key string, limit int) (store.Try, error) {
	try, wait, err := s.store.Try(ctx, store.Guard{
		Kind: kind, Key: key, Limit: limit, Window: guessWindow, Base: guessBase, Max: guessMax,
	})
	if err == nil && wait > 0 {
		err = &protocol.Error{
			Status: protocol.StatusTooManyRequests, Message: "too many wrong passwords: wait before the next try",
			Temporary: true, RetryAfter: wait,
		}
	}
	return try, err
}

// right: it was the password. What was counted for name and address is
// forgotten; the address alone may have tried other names.
func (g *guess) right(ctx context.Context) {
	g.settle(ctx, func(ctx context.Context) error { return g.srv.store.Clear(ctx, g.pair) })
	g.settle(ctx, func(ctx context.Context) error { return g.srv.store.Undo(ctx, g.address) })
}

// undo: it was held against nothing.
func (g *guess) undo(ctx context.Context) {
	g.settle(ctx, func(ctx context.Context) error { return g.srv.store.Undo(ctx, g.pair) })
	g.settle(ctx, func(ctx context.Context) error { return g.srv.store.Undo(ctx, g.address) })
}

// wrong tells the operator when a guess has locked an address out.
func (g *guess) wrong() {
	if locked := max(g.pair.Locked, g.address.Locked); locked > 0 {
		g.srv.log.Warn("locked out after wrong passwords", "remote", g.remote, "for", locked, "for_all_names", g.address.Locked > 0)
	}
}

// settleTimeout bounds what is written about a guess after the fact.
const settleTimeout = 2 * time.Second

// settle writes how a guess came out, even when the request's time is over.
func (g *guess) settle(ctx context.Context, do func(ctx context.Context) error) {
	if g.srv == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTimeout)
	defer cancel()
	if err := do(ctx); err != nil { // it counts as wrong then, which time mends
		g.srv.log.Warn("a login's outcome could not be counted", "error", err)
	}
}

// networkOf is what counts as one address: an IPv6 network of 64 bits, which is
// what one customer has at least, and an IPv4 address.
func networkOf(a netip.Addr) string {
	if a.Is6() && !a.Is4In6() {
		p, _ := a.WithZone("").Prefix(64) // fails for other lengths only
		return p.String()
	}
	return a.Unmap().String()
}
