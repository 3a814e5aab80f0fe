package server

import (
	"context"
	"crypto/subtle"
	"errors"
	"time"

	"rollcall/protocol"
	"rollcall/sessions"
	"rollcall/store"
)

func (s *Server) coreRoutes() {
	handle(s, protocol.CoreInit, s.coreInit)
	handle(s, protocol.CorePing, func(context.Context, *conn, *protocol.None) (string, error) { return "pong", nil })
}

// coreInit makes a connection a client of one scope. When it fails the
// connection is as it was, and the client may try again.
func (s *Server) coreInit(ctx context.Context, c *conn, in *protocol.CoreInitParams) (protocol.CoreInitResult, error) {
	scope, err := s.enterScope(ctx, in.Scope, in.Key)
	if err != nil {
		return protocol.CoreInitResult{}, err
	}
	result := protocol.CoreInitResult{
		SessionID:      c.client.ID(),
		Scope:          in.Scope,
		PingIntervalMS: s.cfg.PingInterval.Milliseconds(),
	}
	info := internClientInfo(in.Client)
	if in.Session != "" {
		login, err := s.resume(ctx, c, c.whereIn(scope, info, ""), in.Session)
		switch {
		case err == nil:
			result.User = &login
		case !errors.Is(err, sessions.ErrSessionInvalid):
			return protocol.CoreInitResult{}, err
		}
	}
	c.phase, c.scope, c.info = phaseClient, scope, info
	c.stopInitTimer()
	result.ServerTime = wireTime(time.Now())
	return result, nil
}

// enterScope finds the scope and holds the key against it. An unknown scope is
// told only to those who have the server's key, so that nobody else can find out
// which scopes there are, or make one.
func (s *Server) enterScope(ctx context.Context, name, key string) (*scopeEntry, error) {
	entry, err := s.scopes.get(ctx, name)
	switch {
	case err == nil:
		want := s.keyHash
		if scope := entry.load(); scope != nil && scope.KeyHash != nil {
			want = scope.KeyHash
		}
		if !keyFits(want, key) {
			return nil, &protocol.Error{Status: protocol.StatusWrongKey}
		}
		return entry, nil
	case !errors.Is(err, store.ErrScopeNotFound):
		return nil, err
	case !keyFits(s.keyHash, key):
		return nil, &protocol.Error{Status: protocol.StatusWrongKey}
	case !s.cfg.AutoScopes || name == protocol.AllScopes:
		return nil, err
	}
	scope, err := s.store.CreateScope(ctx, newScope(name))
	if errors.Is(err, store.ErrScopeExists) {
		return s.scopes.get(ctx, name)
	}
	if err != nil {
		return nil, err
	}
	s.log.Info("scope created on first use", "scope", name)
	return s.scopes.put(scope), nil
}

func keyFits(hash []byte, key string) bool {
	return subtle.ConstantTimeCompare(hash, hashKey(key)) == 1
}
