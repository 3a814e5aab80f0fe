package server

import (
	"context"

	"github.com/google/uuid"

	"rollcall/protocol"
)

func (s *Server) providerRoutes() {
	handle(s, protocol.UsersAddAuthProvider, s.usersAddAuthProvider)
	handle(s, protocol.UsersGetAuthProvider, s.usersGetAuthProvider)
	handle(s, protocol.UsersUpdateAuthProvider, s.usersUpdateAuthProvider)
	handle(s, protocol.UsersRemoveAuthProvider, s.usersRemoveAuthProvider)
	handle(s, protocol.UsersAccessTokenExpired, s.usersAccessTokenExpired)
	handle(s, protocol.UsersUpdateTokenExpiry, s.usersUpdateTokenExpiry)
}

// errNoProvider answers every use of a provider: none is configured.
var errNoProvider = &protocol.Error{Status: protocol.StatusProviderNotFound}

// noProvider tells a missing user from a missing provider.
func (s *Server) noProvider(ctx context.Context, c *conn, user uuid.UUID) error {
	if _, err := s.userOf(ctx, c, user); err != nil {
		return err
	}
	return errNoProvider
}

func (s *Server) usersAddAuthProvider(ctx context.Context, c *conn, in *protocol.AddAuthProviderParams) (protocol.ProviderObject, error) {
	return protocol.ProviderObject{}, s.noProvider(ctx, c, in.UserID)
}

func (s *Server) usersGetAuthProvider(ctx context.Context, c *conn, in *protocol.ProviderRef) (protocol.ProviderObject, error) {
	return protocol.ProviderObject{}, s.noProvider(ctx, c, in.UserID)
}

func (s *Server) usersUpdateAuthProvider(ctx context.Context, c *conn, in *protocol.UpdateAuthProviderParams) (protocol.ProviderObject, error) {
	return protocol.ProviderObject{}, s.noProvider(ctx, c, in.UserID)
}

func (s *Server) usersRemoveAuthProvider(ctx context.Context, c *conn, in *protocol.ProviderRef) (protocol.UserRef, error) {
	return protocol.UserRef{}, s.noProvider(ctx, c, in.UserID)
}

func (s *Server) usersAccessTokenExpired(ctx context.Context, c *conn, in *protocol.ProviderRef) (protocol.TokenExpired, error) {
	return protocol.TokenExpired{}, s.noProvider(ctx, c, in.UserID)
}

func (s *Server) usersUpdateTokenExpiry(ctx context.Context, c *conn, in *protocol.UpdateTokenExpiryParams) (protocol.ProviderObject, error) {
	return protocol.ProviderObject{}, s.noProvider(ctx, c, in.UserID)
}
