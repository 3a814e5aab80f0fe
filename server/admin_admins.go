package server

import (
	"context"
	"errors"
	"slices"
	"time"

	"rollcall/protocol"
	"rollcall/server/passwords"
	"rollcall/store"
)

func (s *Server) adminAdminRoutes() {
	handle(s, protocol.AdminAdminsList, s.adminAdminsList)
	handle(s, protocol.AdminAdminsCreate, s.adminAdminsCreate)
	handle(s, protocol.AdminAdminsDelete, s.adminAdminsDelete)
	handle(s, protocol.AdminAdminsSetPassword, s.adminAdminsSetPassword)
}

// sees reports whether an account is for no more scopes than this admin's own.
// An owner has to do with such accounts only; others are as those that do not
// exist.
func (a *adminIdentity) sees(scopes []string) bool {
	if a.coversAll() {
		return true
	}
	return len(scopes) > 0 && !slices.ContainsFunc(scopes, func(scope string) bool { return !a.covers(scope) })
}

var errOtherScopes = protocol.Errorf(protocol.StatusNotPermitted, "scopes: your account is for some scopes only, and can make one for these or fewer")

var errOthersPassword = protocol.Errorf(protocol.StatusNotPermitted, "only an owner can set another admin's password")

func (s *Server) adminAdminsList(ctx context.Context, c *conn, _ *protocol.None) ([]protocol.Admin, error) {
	admins, err := s.store.Admins(ctx)
	if err != nil {
		return nil, err
	}
	list := make([]protocol.Admin, 0, len(admins))
	for _, admin := range admins {
		if c.admin.sees(admin.Scopes) {
			list = append(list, adminObject(admin))
		}
	}
	return list, nil
}

func (s *Server) adminAdminsCreate(ctx context.Context, c *conn, in *protocol.AdminParams) (protocol.Admin, error) {
	note(ctx, func(n *auditNote) { n.target = in.Name })
	scopes := slices.Compact(slices.Sorted(slices.Values(in.Scopes)))
	if !c.admin.sees(scopes) {
		return protocol.Admin{}, errOtherScopes
	}
	if _, err := s.store.Admin(ctx, in.Name); !errors.Is(err, store.ErrAdminNotFound) {
		if err == nil {
			err = store.ErrAdminExists // told before a hash is made
		}
		return protocol.Admin{}, err
	}
	record, err := s.hashes.Hash(ctx, passwords.Admins, in.Password)
	if err != nil {
		return protocol.Admin{}, err
	}
	admin, err := s.store.CreateAdminBy(ctx, c.admin.session.Ref(), store.Admin{Name: in.Name, Role: in.Role, Scopes: scopes, Password: record})
	if err != nil {
		return protocol.Admin{}, err
	}
	return adminObject(admin), nil
}

// adminForOwner reads an account that this owner may see.
func (s *Server) adminForOwner(ctx context.Context, c *conn, name string) (store.Admin, error) {
	admin, err := s.store.Admin(ctx, name)
	if err == nil && !c.admin.sees(admin.Scopes) {
		return store.Admin{}, store.ErrAdminNotFound
	}
	return admin, err
}

// asRead runs a change of an account as it was read, again when it changed in
// between.
func (s *Server) asRead(ctx context.Context, c *conn, name string, change func(store.Admin) error) error {
	for try := 1; ; try++ {
		admin, err := s.adminForOwner(ctx, c, name)
		if err == nil {
			err = change(admin)
		}
		if !errors.Is(err, store.ErrConflict) || try == loginTries {
			return err
		}
	}
}

func (s *Server) adminAdminsDelete(ctx context.Context, c *conn, in *protocol.AdminRef) (bool, error) {
	note(ctx, func(n *auditNote) { n.target = in.Name })
	remove := func(admin store.Admin) error { return s.store.DeleteAdmin(ctx, c.admin.session.Ref(), admin.Ref()) }
	var err error
	if in.Name == c.admin.name {
		err = c.changeSelf(func() (store.Admin, error) { return store.Admin{}, s.asRead(ctx, c, in.Name, remove) })
	} else {
		err = s.asRead(ctx, c, in.Name, remove)
	}
	return err == nil, err
}

func (s *Server) adminAdminsSetPassword(ctx context.Context, c *conn, in *protocol.AdminPasswordParams) (protocol.Admin, error) {
	note(ctx, func(n *auditNote) { n.target = in.Name })
	self := in.Name == c.admin.name
	if !self && !c.admin.may(protocol.AccessOwner) {
		return protocol.Admin{}, errOthersPassword
	}
	if _, err := s.adminForOwner(ctx, c, in.Name); err != nil { // before a hash is made
		return protocol.Admin{}, err
	}
	record, err := s.hashes.Hash(ctx, passwords.Admins, in.Password)
	if err != nil {
		return protocol.Admin{}, err
	}
	var changed store.Admin
	set := func(admin store.Admin) (err error) {
		changed, err = s.store.SetAdminPassword(ctx, c.admin.session.Ref(), admin, record)
		return err
	}
	if !self {
		err = s.asRead(ctx, c, in.Name, set)
		return adminObject(changed), err
	}
	err = c.changeSelf(func() (store.Admin, error) {
		err := s.asRead(ctx, c, in.Name, set)
		return changed, err
	})
	if err != nil {
		return protocol.Admin{}, err
	}
	if err := s.store.KeepAdminSession(ctx, c.admin.token, changed, time.Until(c.admin.until)); err != nil {
		s.log.Warn("an admin's token could not be kept", "error", err) // the password opens another
	}
	return adminObject(changed), nil
}

// changeSelf runs a change of the account, or the session, whose connection this
// is, which goes on, or ends, once the request is answered.
func (c *conn) changeSelf(do func() (store.Admin, error)) error {
	session := c.admin.session
	defer c.order.whenIdle(func() {
		ctx, cancel := context.WithTimeout(c.srv.ctx, c.srv.cfg.RequestTimeout)
		defer cancel()
		session.Settle(ctx)
	})
	return session.Keep(do)
}

func adminObject(a store.Admin) protocol.Admin {
	return protocol.Admin{Name: a.Name, Role: a.Role, Scopes: a.Scopes, CreatedAt: wireTime(a.CreatedAt)}
}
