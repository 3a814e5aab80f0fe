package client

import (
	"context"

	"github.com/google/uuid"

	"rollcall/protocol"
)

// The users.* messages. Each method is Call of one message; statuses are those
// of the message's documentation in protocol/asyncapi.yaml.

// Create creates a user. A password is hashed first (see
// [protocol.PasswordHash]). To repeat a Create whose outcome is unknown, give
// both the same IdempotencyKey.
func (c *Client) Create(ctx context.Context, p protocol.CreateParams) (protocol.CreateResult, error) {
	p.Credentials = c.hashed(p.Credentials)
	return Call(ctx, c, protocol.UsersCreate, p)
}

// Login logs a user in on this connection, in place of whoever was. After a
// reconnect the client resumes this session. A password is hashed first. An
// account that was imported with a foreign hash needs the password itself once
// (status 610); the client then sends it, over TLS only.
func (c *Client) Login(ctx context.Context, p protocol.LoginParams) (protocol.Login, error) {
	hashed := p
	hashed.Credentials = c.hashed(p.Credentials)
	login, err := Call(ctx, c, protocol.UsersLogin, hashed)
	if p.Password != "" && hashed.Password == "" && c.secure && isStatus(err, protocol.StatusPasswordNeeded) {
		return Call(ctx, c, protocol.UsersLogin, p)
	}
	return login, err
}

// Resume continues the session of an earlier login on this connection.
func (c *Client) Resume(ctx context.Context, session string) (protocol.Login, error) {
	return Call(ctx, c, protocol.UsersResume, protocol.ResumeParams{Session: session})
}

// Logout ends this client's session, or with all every session of its user. The
// connection stays.
func (c *Client) Logout(ctx context.Context, all bool) error {
	_, err := Call(ctx, c, protocol.UsersLogout, protocol.LogoutParams{All: all})
	return err
}

// Get reads a user. It marks no login.
func (c *Client) Get(ctx context.Context, id uuid.UUID) (protocol.User, error) {
	return Call(ctx, c, protocol.UsersGet, protocol.UserRef{UserID: id})
}

// Update changes a user and returns it as changed. Passwords are hashed first.
func (c *Client) Update(ctx context.Context, p protocol.UpdateParams) (protocol.User, error) {
	p.Update.Credentials = c.hashed(p.Update.Credentials)
	current := c.hashed(protocol.Credentials{Password: p.CurrentPassword, PasswordHash: p.CurrentPasswordHash})
	p.CurrentPassword, p.CurrentPasswordHash = current.Password, current.PasswordHash
	return Call(ctx, c, protocol.UsersUpdate, p)
}

// Delete deletes a user and returns the number of records removed, 1 or 0.
func (c *Client) Delete(ctx context.Context, id uuid.UUID) (int, error) {
	return Call(ctx, c, protocol.UsersDelete, protocol.UserRef{UserID: id})
}

// ResendConfirmation sends a pending user's confirmation mail again.
func (c *Client) ResendConfirmation(ctx context.Context, id uuid.UUID) error {
	_, err := Call(ctx, c, protocol.UsersResendConfirmation, protocol.UserRef{UserID: id})
	return err
}

// SendPasswordReset mails a link to set a new password. It succeeds whether or
// not the address is known.
func (c *Client) SendPasswordReset(ctx context.Context, p protocol.PasswordResetParams) error {
	_, err := Call(ctx, c, protocol.UsersSendPasswordReset, p)
	return err
}

// AddAuthProvider binds a provider identity to a user.
func (c *Client) AddAuthProvider(ctx context.Context, p protocol.AddAuthProviderParams) (protocol.ProviderObject, error) {
	return Call(ctx, c, protocol.UsersAddAuthProvider, p)
}

// GetAuthProvider reads a provider identity of a user.
func (c *Client) GetAuthProvider(ctx context.Context, id uuid.UUID, provider string) (protocol.ProviderObject, error) {
	return Call(ctx, c, protocol.UsersGetAuthProvider, providerRef(id, provider))
}

// UpdateAuthProvider changes a provider identity of a user.
func (c *Client) UpdateAuthProvider(ctx context.Context, p protocol.UpdateAuthProviderParams) (protocol.ProviderObject, error) {
	return Call(ctx, c, protocol.UsersUpdateAuthProvider, p)
}

// RemoveAuthProvider removes a provider identity from a user.
func (c *Client) RemoveAuthProvider(ctx context.Context, id uuid.UUID, provider string) error {
	_, err := Call(ctx, c, protocol.UsersRemoveAuthProvider, providerRef(id, provider))
	return err
}

// AccessTokenExpired tells whether a provider's access token has expired, by the
// server's clock.
func (c *Client) AccessTokenExpired(ctx context.Context, id uuid.UUID, provider string) (bool, error) {
	r, err := Call(ctx, c, protocol.UsersAccessTokenExpired, providerRef(id, provider))
	return r.Expired, err
}

// UpdateTokenExpiry sets when a provider's access token expires, and optionally
// the token.
func (c *Client) UpdateTokenExpiry(ctx context.Context, p protocol.UpdateTokenExpiryParams) (protocol.ProviderObject, error) {
	return Call(ctx, c, protocol.UsersUpdateTokenExpiry, p)
}

// Presence tells of each of at most protocol.MaxPresenceIDs users whether it is
// online.
func (c *Client) Presence(ctx context.Context, ids ...uuid.UUID) (map[uuid.UUID]bool, error) {
	r, err := Call(ctx, c, protocol.UsersPresence, protocol.PresenceParams{UserIDs: ids})
	if err != nil {
		return nil, err
	}
	online := make(map[uuid.UUID]bool, len(r))
	for id, presence := range r {
		u, err := uuid.Parse(id)
		if err != nil {
			return nil, protocol.Errorf(protocol.StatusResultInvalid, "users.presence: a user_id is not a UUID")
		}
		online[u] = presence == protocol.Online
	}
	return online, nil
}

// Ping asks the server for a sign of life.
func (c *Client) Ping(ctx context.Context) error {
	_, err := Call(ctx, c, protocol.CorePing, protocol.None{})
	return err
}

// hashed puts the hash of a password in its place. Where both are given, which
// is a mistake, the server is left to say so.
func (c *Client) hashed(cr protocol.Credentials) protocol.Credentials {
	if cr.Password == "" || cr.PasswordHash != "" || c.opt.SendPlainPasswords {
		return cr
	}
	return protocol.Credentials{PasswordHash: protocol.PasswordHash(c.opt.Scope, cr.Password)}
}

func providerRef(id uuid.UUID, provider string) protocol.ProviderRef {
	return protocol.ProviderRef{UserRef: protocol.UserRef{UserID: id}, Provider: provider}
}
