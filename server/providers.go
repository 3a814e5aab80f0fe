package server

import (
	"context"
	"time"

	"github.com/google/uuid"

	"rollcall/protocol"
	"rollcall/server/oauth"
	"rollcall/store"
)

func (s *Server) providerRoutes() {
	handle(s, protocol.UsersAddAuthProvider, s.usersAddAuthProvider)
	handle(s, protocol.UsersGetAuthProvider, s.usersGetAuthProvider)
	handle(s, protocol.UsersUpdateAuthProvider, s.usersUpdateAuthProvider)
	handle(s, protocol.UsersRemoveAuthProvider, s.usersRemoveAuthProvider)
	handle(s, protocol.UsersAccessTokenExpired, s.usersAccessTokenExpired)
	handle(s, protocol.UsersUpdateTokenExpiry, s.usersUpdateTokenExpiry)
}

// prove holds a provider identity's proof against the scope's configuration of
// that provider. A scope that has none for it refuses the provider.
func (s *Server) prove(ctx context.Context, c *conn, provider string, proof oauth.Proof) error {
	scope := c.scope.load()
	if scope == nil {
		return store.ErrScopeNotFound
	}
	config, ok := scope.Providers[provider]
	if !ok {
		return protocol.Errorf(protocol.StatusProviderNotFound, "provider is not configured for this scope")
	}
	return s.oauth.Verify(ctx, scope.Name, provider, config, proof)
}

// provedProvider proves an identity and returns what is kept of it for a user.
func (s *Server) provedProvider(ctx context.Context, c *conn, user uuid.UUID, provider string, proof oauth.Proof, expiry int) (store.Provider, error) {
	if err := s.prove(ctx, c, provider, proof); err != nil {
		return store.Provider{}, err
	}
	return s.keptProvider(user, provider, proof, expiry), nil
}

// keptProvider is what is kept of a proved identity.
func (s *Server) keptProvider(user uuid.UUID, provider string, proof oauth.Proof, expiry int) store.Provider {
	p := store.Provider{
		Name: provider, Identity: oauth.Identity(provider, proof.ClientID),
		ClientID: shownClientID(provider, proof.ClientID), Expiry: int64(expiry),
	}
	// A token that came as the proof is kept where it can be; without a token
	// key it has done its work.
	if proof.AccessToken != "" && s.sealer != nil {
		p.SealedToken = []byte(s.sealer.Seal(user, provider, proof.AccessToken))
	}
	return p
}

// shownClientID is empty where the client_id is a secret.
func shownClientID(provider, clientID string) string {
	if provider == oauth.OpenUDID {
		return ""
	}
	return clientID
}

// seal encrypts an access token for the store.
func (s *Server) seal(user uuid.UUID, provider, token string) ([]byte, error) {
	if s.sealer == nil {
		return nil, protocol.Errorf(protocol.StatusProviderNotFound, "access_token: this server keeps none, for it has no token key")
	}
	return []byte(s.sealer.Seal(user, provider, token)), nil
}

// newSeal seals the access token that came with a login, or else the kept one
// anew if an older token key sealed it; nil when there is nothing to do.
func (s *Server) newSeal(user uuid.UUID, p store.Provider, token string) []byte {
	if s.sealer == nil {
		return nil
	}
	if token == "" && len(p.SealedToken) > 0 && s.sealer.Stale(string(p.SealedToken)) {
		token, _ = s.sealer.Open(user, p.Name, string(p.SealedToken)) // one that can't be opened stays as it is
	}
	if token == "" {
		return nil
	}
	return []byte(s.sealer.Seal(user, p.Name, token))
}

// providerObject is one of a user's providers as the wire has it. The access
// token is for its owner alone.
func (s *Server) providerObject(user uuid.UUID, p store.Provider, owner bool) protocol.ProviderObject {
	object := protocol.ProviderObject{
		Provider: p.Name, ClientID: p.ClientID, AccessTokenExpiry: p.Expiry,
		AccessTokenExpired: tokenExpired(p),
	}
	if owner && s.sealer != nil && len(p.SealedToken) > 0 {
		token, err := s.sealer.Open(user, p.Name, string(p.SealedToken))
		if err != nil {
			s.log.Warn("an access token can't be opened: is its token key still configured?", "user", user, "provider", p.Name)
		}
		object.AccessToken = token
	}
	return object
}

func tokenExpired(p store.Provider) bool { return p.Expiry > 0 && time.Now().Unix() >= p.Expiry }

// isSelf reports whether the connection is logged in as the user, which is more
// than having created him.
func isSelf(c *conn, user uuid.UUID) bool {
	self, _ := c.client.Identity()
	return self == user
}

// providerOf reads one provider of a user.
func (s *Server) providerOf(ctx context.Context, c *conn, ref protocol.ProviderRef) (store.Provider, error) {
	u, err := s.userOf(ctx, c, ref.UserID)
	if err != nil {
		return store.Provider{}, err
	}
	return findProvider(u, ref.Provider)
}

func findProvider(u store.User, name string) (store.Provider, error) {
	for _, p := range u.ProviderRecords {
		if p.Name == name {
			return p, nil
		}
	}
	return store.Provider{}, store.ErrProviderNotFound
}

// changed answers a change with the provider as it is now.
func (s *Server) changed(c *conn, u store.User, err error, provider string) (protocol.ProviderObject, error) {
	if err != nil {
		return protocol.ProviderObject{}, err
	}
	p, err := findProvider(u, provider)
	if err != nil {
		return protocol.ProviderObject{}, err
	}
	return s.providerObject(u.ID, p, isSelf(c, u.ID)), nil
}

func (s *Server) usersAddAuthProvider(ctx context.Context, c *conn, in *protocol.AddAuthProviderParams) (protocol.ProviderObject, error) {
	if _, err := s.userOf(ctx, c, in.UserID); err != nil {
		return protocol.ProviderObject{}, err
	}
	p, err := s.provedProvider(ctx, c, in.UserID, in.Provider, proofOf(in.Auth), in.Auth.AccessTokenExpiry)
	if err != nil {
		return protocol.ProviderObject{}, err
	}
	u, err := s.store.AddProvider(ctx, in.UserID, p)
	return s.changed(c, u, err, in.Provider)
}

func proofOf(a protocol.ProviderAuth) oauth.Proof {
	return oauth.Proof{ClientID: a.ClientID, IDToken: a.IDToken, AccessToken: a.AccessToken}
}

func (s *Server) usersGetAuthProvider(ctx context.Context, c *conn, in *protocol.ProviderRef) (protocol.ProviderObject, error) {
	p, err := s.providerOf(ctx, c, *in)
	if err != nil {
		return protocol.ProviderObject{}, err
	}
	return s.providerObject(in.UserID, p, isSelf(c, in.UserID)), nil
}

// usersUpdateAuthProvider changes what is given. A new client_id is another
// identity and needs its proof; a new access token alone needs none, since it
// lets nobody in.
func (s *Server) usersUpdateAuthProvider(ctx context.Context, c *conn, in *protocol.UpdateAuthProviderParams) (protocol.ProviderObject, error) {
	if _, err := s.providerOf(ctx, c, protocol.ProviderRef{UserRef: in.UserRef, Provider: in.Provider}); err != nil {
		return protocol.ProviderObject{}, err
	}
	var change store.ProviderUpdate
	if in.Update.ClientID != "" {
		p, err := s.provedProvider(ctx, c, in.UserID, in.Provider, proofOf(in.Update), in.Update.AccessTokenExpiry)
		if err != nil {
			return protocol.ProviderObject{}, err
		}
		change.Identity, change.ClientID, change.SealedToken = &p.Identity, &p.ClientID, p.SealedToken
	} else if in.Update.AccessToken != "" {
		sealed, err := s.seal(in.UserID, in.Provider, in.Update.AccessToken)
		if err != nil {
			return protocol.ProviderObject{}, err
		}
		change.SealedToken = sealed
	}
	if in.Update.AccessTokenExpiry != 0 {
		expiry := int64(in.Update.AccessTokenExpiry)
		change.Expiry = &expiry
	}
	u, err := s.store.UpdateProvider(ctx, in.UserID, in.Provider, change)
	return s.changed(c, u, err, in.Provider)
}

func (s *Server) usersRemoveAuthProvider(ctx context.Context, c *conn, in *protocol.ProviderRef) (protocol.UserRef, error) {
	if _, err := s.providerOf(ctx, c, *in); err != nil {
		return protocol.UserRef{}, err
	}
	if _, err := s.store.RemoveProvider(ctx, in.UserID, in.Provider); err != nil {
		return protocol.UserRef{}, err
	}
	return in.UserRef, nil
}

func (s *Server) usersAccessTokenExpired(ctx context.Context, c *conn, in *protocol.ProviderRef) (protocol.TokenExpired, error) {
	p, err := s.providerOf(ctx, c, *in)
	if err != nil {
		return protocol.TokenExpired{}, err
	}
	return protocol.TokenExpired{Expired: tokenExpired(p)}, nil
}

func (s *Server) usersUpdateTokenExpiry(ctx context.Context, c *conn, in *protocol.UpdateTokenExpiryParams) (protocol.ProviderObject, error) {
	if _, err := s.providerOf(ctx, c, protocol.ProviderRef{UserRef: in.UserRef, Provider: in.Provider}); err != nil {
		return protocol.ProviderObject{}, err
	}
	expiry := int64(in.Expiry)
	change := store.ProviderUpdate{Expiry: &expiry}
	if in.Token != "" {
		sealed, err := s.seal(in.UserID, in.Provider, in.Token)
		if err != nil {
			return protocol.ProviderObject{}, err
		}
		change.SealedToken = sealed
	}
	u, err := s.store.UpdateProvider(ctx, in.UserID, in.Provider, change)
	return s.changed(c, u, err, in.Provider)
}
