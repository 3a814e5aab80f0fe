package protocol

import (
	"strings"

	"github.com/google/uuid"
)

// The users.* messages and the objects that they answer with.

// Credentials are the two forms of a password on the wire; at most one is given.
// See [PasswordHash].
type Credentials struct {
	Password     string `json:"password,omitzero" rule:"password"`
	PasswordHash string `json:"password_hash,omitzero" rule:"hash"`
}

// Given reports whether there is a password in either form.
func (c *Credentials) Given() bool { return c.Password != "" || c.PasswordHash != "" }

func (c *Credentials) check() *Error {
	if c.Password != "" && c.PasswordHash != "" {
		return Errorf(StatusOutOfBounds, "password_hash: give it or password, not both")
	}
	return nil
}

// Proof is how a client shows that a provider's identity is its own.
type Proof struct {
	Provider    string `json:"provider,omitzero" rule:"name"`
	ClientID    string `json:"client_id,omitzero" rule:"text"`
	IDToken     string `json:"id_token,omitzero" rule:"token"`
	AccessToken string `json:"access_token,omitzero" rule:"token"`
}

// CreateParams creates a user. It needs a username, and a password or a provider's proof.
type CreateParams struct {
	Username string `json:"username" rule:"required,username"`
	Credentials
	Proof
	Email          string        `json:"email,omitzero" rule:"email"`
	Group          string        `json:"group,omitzero" rule:"group"`
	Extra          Extra         `json:"extra,omitzero"`
	Confirmation   *Confirmation `json:"confirmation,omitzero"`
	IdempotencyKey string        `json:"idempotency_key,omitzero" rule:"idempotency"`
}

func (p *CreateParams) check() *Error {
	switch {
	case p.Provider != "" && p.Given():
		return Errorf(StatusOutOfBounds, "provider: give it or a password, not both")
	case p.Provider != "" && p.ClientID == "":
		return missing("client_id")
	case p.Provider == "" && !p.Given():
		return missing("password")
	case p.Confirmation != nil && p.Email == "":
		return missing("email")
	}
	return p.Credentials.check()
}

// Confirmation asks for the new user's email address to be confirmed.
type Confirmation struct {
	FromEmail string            `json:"from_email,omitzero" rule:"email"`
	Subject   string            `json:"subject,omitzero" rule:"line"`
	EmailTpl  string            `json:"email_tpl,omitzero" rule:"template"`
	TplKeys   map[string]string `json:"tpl_keys,omitzero" rule:"max=20"`
}

func (c *Confirmation) check() *Error {
	for k, v := range c.TplKeys {
		field := "confirmation.tpl_keys"
		if err := checkTemplateKey(field, k); err != nil {
			return err
		}
		if len(v) > MaxTemplateBytes || hasControl(v) {
			return Errorf(StatusOutOfBounds, "%s: a value is at most %d bytes without control characters", field, MaxTemplateBytes)
		}
		if looksLikeURL(v) {
			return Errorf(StatusOutOfBounds, "%s: a value must not carry a link", field)
		}
	}
	return nil
}

func checkTemplateKey(field, k string) *Error {
	for i, c := range k {
		if c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || i > 0 && c >= '0' && c <= '9' {
			continue
		}
		k = ""
		break
	}
	if k == "" || len(k) > 64 {
		return Errorf(StatusOutOfBounds, "%s: a key is 1 to 64 letters, digits and underscores", field)
	}
	return nil
}

// looksLikeURL reports whether mail programs might make a link of s.
func looksLikeURL(s string) bool {
	l := strings.ToLower(s)
	return strings.Contains(l, "://") || strings.Contains(l, "www.") || strings.Contains(l, "//") || strings.Contains(l, "mailto:")
}

// CreateResult answers users.create. Confirmation is "pending" when a mail is
// under way, "failed" when it could not be sent, and absent when none was asked for.
type CreateResult struct {
	UserID       uuid.UUID `json:"user_id"`
	Confirmation string    `json:"confirmation,omitzero"`
}

// LoginParams logs in by username or email with a password, or by a provider's proof.
type LoginParams struct {
	Username string `json:"username,omitzero" rule:"username"`
	Email    string `json:"email,omitzero" rule:"email"`
	Credentials
	Proof
}

func (p *LoginParams) check() *Error {
	switch {
	case p.Provider != "":
		if p.ClientID == "" {
			return missing("client_id")
		}
		if p.Username != "" || p.Email != "" || p.Given() {
			return Errorf(StatusOutOfBounds, "provider: give it or a password, not both")
		}
		return nil
	case p.Username == "" && p.Email == "":
		return missing("username")
	case p.Username != "" && p.Email != "":
		return Errorf(StatusOutOfBounds, "email: give it or username, not both")
	case !p.Given():
		return missing("password")
	}
	return p.Credentials.check()
}

// Login is the object that login and resume answer with.
type Login struct {
	Active       bool            `json:"active"`
	Confirmation string          `json:"confirmation,omitzero"`
	Email        string          `json:"email,omitzero"`
	Group        string          `json:"group,omitzero"`
	Extra        Extra           `json:"extra,omitzero"`
	OAuth        *ProviderObject `json:"oauth,omitzero"`
	Scope        string          `json:"scope"`
	UserID       uuid.UUID       `json:"user_id"`
	Username     string          `json:"username"`
	Validated    bool            `json:"validated"`
	Session      Session         `json:"session"`
}

// Session is a client's right to come back as the same user. The token is a
// secret of its device.
type Session struct {
	Token     string `json:"token"`
	ExpiresAt Time   `json:"expires_at"`
}

// User is a user as admins and the user himself see it. It never holds a
// password, a hash or a provider's access token.
type User struct {
	Active       bool      `json:"active"`
	Confirmation string    `json:"confirmation,omitzero"`
	Email        string    `json:"email,omitzero"`
	Group        string    `json:"group,omitzero"`
	Extra        Extra     `json:"extra,omitzero"`
	Scope        string    `json:"scope"`
	UserID       uuid.UUID `json:"user_id"`
	Username     string    `json:"username"`
	Validated    bool      `json:"validated"`
	CreatedAt    Time      `json:"created_at"`
	UpdatedAt    Time      `json:"updated_at"`
	LastLoginAt  Time      `json:"last_login_at,omitzero"`
	Logins       int64     `json:"logins"`
	Providers    []string  `json:"providers"`
	Online       bool      `json:"online"`
	Ban          *Ban      `json:"ban,omitzero"`
}

// Ban says that a user can't log in, and until when; without until, for good.
type Ban struct {
	Reason string `json:"reason,omitzero"`
	Until  Time   `json:"until,omitzero"`
}

// ProviderObject is one provider identity of a user. ClientID is absent for
// openudid, where it is a secret. AccessTokenExpiry is in UNIX seconds.
type ProviderObject struct {
	Provider           string `json:"provider"`
	ClientID           string `json:"client_id,omitzero"`
	AccessToken        string `json:"access_token,omitzero"`
	AccessTokenExpiry  int64  `json:"access_token_expiry,omitzero"`
	AccessTokenExpired bool   `json:"access_token_expired"`
}

// ResumeParams continues a session on this connection.
type ResumeParams struct {
	Session string `json:"session" rule:"required,token"`
}

// LogoutParams ends this connection's session, or all of the user's.
type LogoutParams struct {
	All bool `json:"all,omitzero"`
}

// UserRef names a user.
type UserRef struct {
	UserID uuid.UUID `json:"user_id" rule:"required"`
}

// Subject implements [Subject].
func (r UserRef) Subject() uuid.UUID { return r.UserID }

// UpdateParams changes a user.
type UpdateParams struct {
	UserRef
	Update              UserUpdate `json:"update" rule:"required"`
	CurrentPassword     string     `json:"current_password,omitzero" rule:"password"`
	CurrentPasswordHash string     `json:"current_password_hash,omitzero" rule:"hash"`
}

func (p *UpdateParams) check() *Error {
	if p.CurrentPassword != "" && p.CurrentPasswordHash != "" {
		return Errorf(StatusOutOfBounds, "current_password_hash: give it or current_password, not both")
	}
	return p.Update.Credentials.check()
}

// UserUpdate is what an update changes; absent members stay as they are. Null
// clears email and group, and removes a key of extra. Keys of extra are merged.
type UserUpdate struct {
	Username string `json:"username,omitzero" rule:"username"`
	Credentials
	Email  Clearable `json:"email,omitzero" rule:"email"`
	Group  Clearable `json:"group,omitzero" rule:"group"`
	Extra  Extra     `json:"extra,omitzero" rule:"nullable"`
	Active *bool     `json:"active,omitzero"`
}

// PasswordResetParams asks for a mail with a reset link.
type PasswordResetParams struct {
	Email    string `json:"email" rule:"required,email"`
	EmailTpl string `json:"email_tpl,omitzero" rule:"template"`
}

// PresenceParams asks which users are online.
type PresenceParams struct {
	UserIDs []uuid.UUID `json:"user_ids" rule:"required,max=100"`
}

// Presence values.
const (
	Online  = "online"
	Offline = "offline"
)

// AddAuthProviderParams binds a provider identity to a user.
type AddAuthProviderParams struct {
	UserRef
	Provider string       `json:"provider" rule:"required,name"`
	Auth     ProviderAuth `json:"auth" rule:"required"`
}

func (p *AddAuthProviderParams) check() *Error {
	if p.Auth.ClientID == "" {
		return missing("auth.client_id")
	}
	return nil
}

// ProviderAuth is a provider identity with its proof.
type ProviderAuth struct {
	ClientID          string `json:"client_id,omitzero" rule:"text"`
	IDToken           string `json:"id_token,omitzero" rule:"token"`
	AccessToken       string `json:"access_token,omitzero" rule:"token"`
	AccessTokenExpiry int    `json:"access_token_expiry,omitzero"`
}

// ProviderRef names one provider of a user.
type ProviderRef struct {
	UserRef
	Provider string `json:"provider" rule:"required,name"`
}

// UpdateAuthProviderParams changes a provider identity.
type UpdateAuthProviderParams struct {
	UserRef
	Provider string       `json:"provider" rule:"required,name"`
	Update   ProviderAuth `json:"update" rule:"required"`
}

// UpdateTokenExpiryParams sets an access token's expiry, in UNIX seconds, and
// optionally the token.
type UpdateTokenExpiryParams struct {
	UserRef
	Provider string `json:"provider" rule:"required,name"`
	Expiry   int    `json:"expiry" rule:"required"`
	Token    string `json:"token,omitzero" rule:"token"`
}

// TokenExpired answers users.accessTokenExpired.
type TokenExpired struct {
	Expired bool `json:"expired"`
}
