package server

import (
	"context"
	"errors"
	"slices"
	"time"

	"rollcall/protocol"
	"rollcall/server/passwords"
	"rollcall/sessions"
	"rollcall/store"
)

func (s *Server) adminRoutes() {
	handle(s, protocol.AdminLogin, s.adminLogin)
	handleThen(s, protocol.AdminLogout, s.adminLogout)
}

// adminIdentity is who an admin's connection is.
type adminIdentity struct {
	name    string
	role    string
	scopes  []string        // empty: all
	until   time.Time       // when the token ends, and the rights with it
	token   string          // by which the admin may come back
	session *sessions.Admin // the rights, which may end before
}

// may reports whether the admin's role has a right.
func (a *adminIdentity) may(right protocol.Access) bool {
	rank := map[string]protocol.Access{
		protocol.RoleViewer:   protocol.AccessViewer,
		protocol.RoleOperator: protocol.AccessOperator,
		protocol.RoleOwner:    protocol.AccessOwner,
	}
	return rank[a.role] >= right // an unknown role ranks lowest, below viewer
}

// covers reports whether the admin's account is for a scope.
func (a *adminIdentity) covers(scope string) bool {
	return len(a.scopes) == 0 || slices.Contains(a.scopes, scope)
}

// coversAll reports whether the account is for every scope, those to come too.
func (a *adminIdentity) coversAll() bool { return len(a.scopes) == 0 }

func (s *Server) adminLogin(ctx context.Context, c *conn, in *protocol.AdminLoginParams) (protocol.AdminSession, error) {
	var session protocol.AdminSession
	admin, err := store.Admin{}, error(nil)
	if in.Token != "" {
		expires := protocol.Time{}
		admin, expires.Time, err = s.store.AdminSession(ctx, store.AdminSessionID(in.Token))
		session.Token, session.ExpiresAt = in.Token, expires
	} else {
		admin, err = s.adminByPassword(ctx, c, in)
		if err == nil {
			session.Token, session.ExpiresAt.Time, err = s.store.StartAdminSession(ctx, admin, s.cfg.AdminSessionTTL)
		}
	}
	if err != nil {
		return protocol.AdminSession{}, err
	}
	entered, err := s.node.ConnectAdmin(ctx, c, admin, store.AdminSessionID(session.Token), session.ExpiresAt.Time)
	if err != nil {
		return protocol.AdminSession{}, err
	}
	c.phase = phaseAdmin
	c.admin = &adminIdentity{
		name: admin.Name, role: admin.Role, scopes: admin.Scopes,
		until: session.ExpiresAt.Time, token: session.Token, session: entered,
	}
	c.stopInitTimer()
	session.Name, session.Role, session.Scopes = admin.Name, admin.Role, admin.Scopes
	return session, nil
}

// adminLogout ends the token of this connection. What was sent after it is not
// done: the rights end as soon as the answer is queued.
func (s *Server) adminLogout(ctx context.Context, c *conn, _ *protocol.None) (bool, func(), error) {
	session := c.admin.session
	err := c.changeSelf(func() (store.Admin, error) { return store.Admin{}, session.Logout(ctx) })
	return err == nil, session.Leave, err
}

// adminByPassword tells nobody which admins exist: an unknown one costs the same
// hash, counts as the same wrong password and gets the same answer.
func (s *Server) adminByPassword(ctx context.Context, c *conn, in *protocol.AdminLoginParams) (store.Admin, error) {
	guess, err := s.guess(ctx, c, guardAdmins, in.Name)
	if err != nil {
		return store.Admin{}, err
	}
	admin, err := s.store.Admin(ctx, in.Name)
	if err != nil && !errors.Is(err, store.ErrAdminNotFound) {
		guess.undo(ctx)
		return admin, err
	}
	ok, _, err := s.hashes.Verify(ctx, passwords.Admins, admin.Password, in.Password)
	if err != nil {
		guess.undo(ctx)
		return admin, err
	}
	if !ok {
		// Not the name: what was typed there may be a password.
		s.log.Warn("admin login failed", "remote", c.remote)
		guess.wrong()
		return admin, &protocol.Error{Status: protocol.StatusPasswordInvalid}
	}
	guess.right(ctx)
	return admin, nil
}

// leaveAdmin takes an admin's connection that is over out of the registry, once
// nothing is under way on it: until then its rights can be taken back.
func (c *conn) leaveAdmin() {
	c.order.whenIdle(func() {
		if c.admin != nil {
			c.admin.session.Disconnect()
		}
	})
}
