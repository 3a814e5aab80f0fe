package server

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"rollcall/protocol"
	"rollcall/server/passwords"
	"rollcall/store"
)

func (s *Server) adminImportRoutes() {
	handle(s, protocol.AdminUsersImport, s.adminUsersImport)
}

// adminUsersImport creates users one after the other, so that of two with the
// same name the first one gets it. No hash is made for any of them.
func (s *Server) adminUsersImport(ctx context.Context, c *conn, in *protocol.ImportParams) ([]protocol.ImportResult, error) {
	if _, err := s.scopeForAdmin(ctx, c, in.Scope); err != nil {
		return nil, err
	}
	results := make([]protocol.ImportResult, len(in.Users))
	ids := make(map[uuid.UUID]bool, len(in.Users))
	for i := range in.Users {
		id, err := s.importUser(ctx, c, in.Scope, &in.Users[i], ids)
		if err != nil {
			e := s.wireError(protocol.AdminUsersImport.Type, err)
			results[i] = protocol.ImportResult{Error: e.Text(), Status: e.Status}
			continue
		}
		results[i] = protocol.ImportResult{UserID: id}
	}
	return results, nil
}

// importUser creates one user. One of the same id in the scope is what an
// earlier import, which may have been cut off before it was answered, has made;
// ids are those that this message had before.
func (s *Server) importUser(ctx context.Context, c *conn, scope string, in *protocol.ImportUser, ids map[uuid.UUID]bool) (uuid.UUID, error) {
	if err := in.Err(); err != nil {
		return uuid.Nil, err
	}
	nu := store.NewUser{
		ID: in.UserID, Scope: scope, Username: in.Username, Email: in.Email, Group: in.Group, Extra: in.Extra,
		Active: in.Active == nil || *in.Active, CreatedAt: in.CreatedAt.Time,
		Via: c.via(protocol.MethodAdmin),
	}
	if in.UserID != uuid.Nil {
		if ids[in.UserID] {
			return uuid.Nil, protocol.Errorf(protocol.StatusOutOfBounds, "user_id: given twice")
		}
		ids[in.UserID] = true
	}
	if !nu.CreatedAt.IsZero() && (nu.CreatedAt.After(time.Now()) || nu.CreatedAt.UnixMilli() <= 0) {
		return uuid.Nil, protocol.Errorf(protocol.StatusOutOfBounds, "created_at: must be after 1970 and not in the future")
	}
	if in.Hash != "" {
		var err error
		if nu.Password, err = passwords.NewForeign(in.Kind, in.Hash); err != nil {
			return uuid.Nil, protocol.Errorf(protocol.StatusOutOfBounds, "hash: %v", err)
		}
	}
	u, err := s.store.CreateUser(ctx, nu)
	if taken := errors.Is(err, store.ErrUsernameTaken) || errors.Is(err, store.ErrEmailTaken); taken && in.UserID != uuid.Nil {
		// Perhaps by another, since the user of that id is called otherwise.
		if made, e := s.store.User(ctx, in.UserID); e == nil {
			u, err = made, nil
		}
	}
	switch {
	case errors.Is(err, store.ErrUserGone):
		return uuid.Nil, protocol.Errorf(protocol.StatusUserExists, "user_id: the user was deleted")
	case err == nil && u.Scope != scope:
		return uuid.Nil, protocol.Errorf(protocol.StatusUserExists, "user already exists: the user_id is taken")
	}
	return u.ID, err
}
