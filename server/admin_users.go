package server

import (
	"context"
	"errors"

	"github.com/google/uuid"

	"rollcall/protocol"
	"rollcall/server/passwords"
	"rollcall/store"
)

func (s *Server) adminUserRoutes() {
	handle(s, protocol.AdminUsersList, s.adminUsersList)
	handle(s, protocol.AdminUsersGet, s.adminUsersGet)
	handle(s, protocol.AdminUsersCreate, s.adminUsersCreate)
	handle(s, protocol.AdminUsersUpdate, s.adminUsersUpdate)
	handle(s, protocol.AdminUsersDelete, s.adminUsersDelete)
	handle(s, protocol.AdminUsersResendConfirmation, s.adminUsersResendConfirmation)
	handle(s, protocol.AdminUsersSendPasswordReset, s.adminUsersSendPasswordReset)
	handle(s, protocol.AdminUsersConfirmLink, s.adminUsersConfirmLink)
	handle(s, protocol.AdminUsersResetLink, s.adminUsersResetLink)
}

// scopeForAdmin makes sure that a scope exists and that the admin's account
// covers it; another scope is as one that does not exist.
func (s *Server) scopeForAdmin(ctx context.Context, c *conn, name string) (*scopeEntry, error) {
	if !c.admin.covers(name) {
		return nil, store.ErrScopeNotFound
	}
	note(ctx, func(n *auditNote) { n.scope = name })
	return s.scopes.get(ctx, name)
}

// userForAdmin reads a user of a scope that the admin's account covers.
func (s *Server) userForAdmin(ctx context.Context, c *conn, id uuid.UUID) (store.User, error) {
	u, err := s.store.User(ctx, id)
	if err != nil {
		return u, err
	}
	if !c.admin.covers(u.Scope) {
		return store.User{}, store.ErrUserNotFound
	}
	note(ctx, func(n *auditNote) { n.scope, n.user, n.target = u.Scope, u.ID, u.Username })
	return u, nil
}

// defaultListLimit is a page's length when none is asked for.
const defaultListLimit = 50

func (s *Server) adminUsersList(ctx context.Context, c *conn, in *protocol.ListUsersParams) (protocol.UserList, error) {
	if _, err := s.scopeForAdmin(ctx, c, in.Scope); err != nil {
		return protocol.UserList{}, err
	}
	if in.Limit == 0 {
		in.Limit = defaultListLimit
	}
	query := store.ListQuery{Scope: in.Scope, Filter: in.Filter, OrderBy: in.OrderBy, Limit: in.Limit, Cursor: in.Cursor}
	for {
		users, cursor, err := s.store.ListUsers(ctx, query)
		if err != nil {
			return protocol.UserList{}, err
		}
		fit := fitting(users)
		if fit == len(users) {
			return userList(users, cursor), nil
		}
		// Too much for a frame: the same page again, shorter, for its cursor.
		query.Limit = max(1, fit)
	}
}

// maxListBytes is how much of a frame the users of a page may take.
const maxListBytes = protocol.MaxReplyBytes - 4096

// fitting returns how many users fit into a frame for sure, at least one. JSON
// writes a byte of text in at most six; a user's other members and the
// punctuation of extra stay below 2 KiB.
func fitting(users []store.User) int {
	size := 0
	for i, u := range users {
		size += 2048 + 6*(len(u.Username)+len(u.Email)+len(u.Group)+len(u.Scope)+u.Extra.Size())
		if size > maxListBytes && i > 0 {
			return i
		}
	}
	return len(users)
}

func userList(users []store.User, cursor string) protocol.UserList {
	list := protocol.UserList{Users: make([]protocol.User, 0, len(users)), Cursor: cursor}
	for _, u := range users {
		list.Users = append(list.Users, userObject(u))
	}
	return list
}

func (s *Server) adminUsersGet(ctx context.Context, c *conn, in *protocol.UserRef) (protocol.UserDetail, error) {
	return s.userDetail(ctx, c, in.UserID, userEvents)
}

// userDetail is a user with at most so many of his newest events.
func (s *Server) userDetail(ctx context.Context, c *conn, id uuid.UUID, events int) (protocol.UserDetail, error) {
	u, err := s.userForAdmin(ctx, c, id)
	if err != nil {
		return protocol.UserDetail{}, err
	}
	detail := protocol.UserDetail{User: userObject(u), ProviderObjects: []protocol.ProviderObject{}}
	if detail.Sessions, err = s.sessionObjects(ctx, u); err != nil {
		return protocol.UserDetail{}, err
	}
	if detail.Events, err = s.eventsOf(ctx, u, events); err != nil {
		return protocol.UserDetail{}, err
	}
	for _, p := range u.ProviderRecords {
		detail.ProviderObjects = append(detail.ProviderObjects, s.providerObject(u.ID, p, false))
	}
	return detail, nil
}

func (s *Server) adminUsersCreate(ctx context.Context, c *conn, in *protocol.AdminCreateUserParams) (protocol.CreateResult, error) {
	if _, err := s.scopeForAdmin(ctx, c, in.Scope); err != nil {
		return protocol.CreateResult{}, err
	}
	nu := store.NewUser{
		Scope: in.Scope, Username: in.Username, Email: in.Email, Group: in.Group, Extra: in.Extra, Active: true,
		Via: c.via(protocol.MethodAdmin),
	}
	if nu.Username == "" {
		nu.Username = "user-" + randomName()
	}
	if in.Credentials.Given() {
		secret, err := s.secret(in.Scope, in.Credentials)
		if err != nil {
			return protocol.CreateResult{}, err
		}
		if nu.Password, err = s.hashes.Hash(ctx, passwords.Admins, secret); err != nil {
			return protocol.CreateResult{}, err
		}
	}
	u, err := s.store.CreateUser(ctx, nu)
	if err != nil {
		return protocol.CreateResult{}, err
	}
	note(ctx, func(n *auditNote) { n.user, n.target = u.ID, u.Username })
	return protocol.CreateResult{UserID: u.ID}, nil
}

func (s *Server) adminUsersUpdate(ctx context.Context, c *conn, in *protocol.AdminUpdateUserParams) (protocol.User, error) {
	u, err := s.userForAdmin(ctx, c, in.UserID)
	if err != nil {
		return protocol.User{}, err
	}
	return s.updateUser(ctx, c, u, &in.Update, "", false)
}

func (s *Server) adminUsersDelete(ctx context.Context, c *conn, in *protocol.UserRef) (int, error) {
	switch _, err := s.userForAdmin(ctx, c, in.UserID); {
	case errors.Is(err, store.ErrUserNotFound):
		return 0, nil
	case err != nil:
		return 0, err
	}
	ok, err := s.store.DeleteUser(ctx, in.UserID)
	if err != nil || !ok {
		return 0, err
	}
	return 1, nil
}
