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
			return s.userList(in, users, cursor), nil
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

func (s *Server) userList(in *protocol.ListUsersParams, users []store.User, cursor string) protocol.UserList {
	list := protocol.UserList{Users: make([]protocol.User, 0, len(users)), Cursor: cursor}
	for _, u := range users {
		object := s.userObject(u)
		if in.Filter.Online != nil && *in.Filter.Online != object.Online {
			continue
		}
		if in.Filter.Banned != nil && *in.Filter.Banned { // nobody can be banned yet
			continue
		}
		list.Users = append(list.Users, object)
	}
	return list
}

func (s *Server) adminUsersGet(ctx context.Context, c *conn, in *protocol.UserRef) (protocol.UserDetail, error) {
	u, err := s.userForAdmin(ctx, c, in.UserID)
	if err != nil {
		return protocol.UserDetail{}, err
	}
	sessions, err := s.store.Sessions(ctx, in.UserID)
	if err != nil {
		return protocol.UserDetail{}, err
	}
	detail := protocol.UserDetail{
		User:            s.userObject(u),
		Sessions:        make([]protocol.SessionObject, 0, len(sessions)),
		ProviderObjects: []protocol.ProviderObject{},
		Events:          []protocol.Push{},
	}
	for _, p := range u.ProviderRecords {
		detail.ProviderObjects = append(detail.ProviderObjects, s.providerObject(u.ID, p, false))
	}
	for _, session := range sessions {
		detail.Sessions = append(detail.Sessions, protocol.SessionObject{
			SessionID: session.ID, UserID: u.ID, Node: session.At.Node,
			CreatedAt: wireTime(session.CreatedAt), ExpiresAt: wireTime(session.ExpiresAt),
		})
	}
	return detail, nil
}

func (s *Server) adminUsersCreate(ctx context.Context, c *conn, in *protocol.AdminCreateUserParams) (protocol.CreateResult, error) {
	if _, err := s.scopeForAdmin(ctx, c, in.Scope); err != nil {
		return protocol.CreateResult{}, err
	}
	nu := store.NewUser{
		Scope: in.Scope, Username: in.Username, Email: in.Email, Group: in.Group, Extra: in.Extra, Active: true,
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
