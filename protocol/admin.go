package protocol

import (
	"errors"
	"reflect"
	"slices"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"
)

// The admin.* messages and the objects that they answer with.

// Roles of admins, each with the rights of the ones before it.
const (
	RoleViewer   = "viewer"
	RoleOperator = "operator"
	RoleOwner    = "owner"
)

// AllScopes stands for every scope where one scope's name is expected.
const AllScopes = "*"

// AdminLoginParams opens an admin's connection, by password or by the token of
// an earlier login.
type AdminLoginParams struct {
	Name     string `json:"name,omitzero" rule:"name"`
	Password string `json:"password,omitzero" rule:"password"`
	Token    string `json:"token,omitzero" rule:"token"`
}

func (p *AdminLoginParams) check() *Error {
	switch {
	case p.Token != "" && (p.Name != "" || p.Password != ""):
		return Errorf(StatusOutOfBounds, "token: give it or name and password, not both")
	case p.Token == "" && p.Name == "":
		return missing("name")
	case p.Token == "" && p.Password == "":
		return missing("password")
	}
	return nil
}

// AdminSession answers admin.login. The token is good until expires_at.
type AdminSession struct {
	Name      string   `json:"name"`
	Role      string   `json:"role"`
	Scopes    []string `json:"scopes,omitzero"`
	Token     string   `json:"token"`
	ExpiresAt Time     `json:"expires_at"`
}

// MaxStatSteps is how many steps one admin.stats may ask for.
const MaxStatSteps = 1500

// StatsParams asks for the statistics of a scope, or of all with "*". Step is in
// seconds: 60, 3600 or 86400, a minute, an hour or a day (default 60). To is now
// by default, and from 60 steps before it. Minutes are kept for 2 days, hours for
// 62 days, days for 2 years.
type StatsParams struct {
	Scope string `json:"scope" rule:"required,scope"`
	From  Time   `json:"from,omitzero"`
	To    Time   `json:"to,omitzero"`
	Step  int    `json:"step,omitzero" rule:"min=60,max=86400"`
}

func (p *StatsParams) check() *Error {
	switch p.Step {
	case 0, 60, 3600, 86400:
	default:
		return Errorf(StatusOutOfBounds, "step: must be 60, 3600 or 86400")
	}
	if !p.From.IsZero() && !p.To.IsZero() && p.From.After(p.To.Time) {
		return Errorf(StatusOutOfBounds, "from: must not be after to")
	}
	return nil
}

// Stats answers admin.stats. DAU, WAU and MAU count the users with a login, a
// resume or a presence today, in the last 7 and in the last 30 days, by days of
// UTC, within 2%.
type Stats struct {
	Online  int64      `json:"online"`
	Users   int64      `json:"users"`
	Pending int64      `json:"pending"`
	DAU     int64      `json:"dau"`
	WAU     int64      `json:"wau"`
	MAU     int64      `json:"mau"`
	Steps   []StatStep `json:"steps"`
}

// StatStep is one interval of the statistics, from time on. OnlinePeak is the
// most users that were online at once in it; of all scopes, the sum of the
// scopes' peaks.
type StatStep struct {
	Time       Time  `json:"time"`
	Joins      int64 `json:"joins"`
	Logins     int64 `json:"logins"`
	Failures   int64 `json:"failures"`
	Resumes    int64 `json:"resumes"`
	OnlinePeak int64 `json:"online_peak"`
}

// NodeObject is one server process.
type NodeObject struct {
	Node        string `json:"node"`
	Version     string `json:"version"`
	StartedAt   Time   `json:"started_at"`
	Connections int64  `json:"connections"`
	Sessions    int64  `json:"sessions"`
	HashQueue   int64  `json:"hash_queue"`
}

// UserFilter narrows a listing; absent members don't narrow.
type UserFilter struct {
	Username string `json:"username,omitzero" rule:"username"` // a prefix
	Email    string `json:"email,omitzero" rule:"email"`
	Group    string `json:"group,omitzero" rule:"group"`
	Active   *bool  `json:"active,omitzero"`
	Pending  *bool  `json:"pending,omitzero"`
	Banned   *bool  `json:"banned,omitzero"`
	Online   *bool  `json:"online,omitzero"`
}

// ListUsersParams asks for one page of a scope's users.
type ListUsersParams struct {
	Scope   string     `json:"scope" rule:"required,scope"`
	Filter  UserFilter `json:"filter,omitzero"`
	OrderBy string     `json:"orderby,omitzero"` // OrderByUsername (default) or OrderByCreatedAt
	Limit   int        `json:"limit,omitzero" rule:"min=1,max=200"`
	Cursor  string     `json:"cursor,omitzero" rule:"token"`
}

// What a listing may be ordered by.
const (
	OrderByUsername  = "username"
	OrderByCreatedAt = "created_at"
)

func (p *ListUsersParams) check() *Error {
	switch p.OrderBy {
	case "", OrderByUsername, OrderByCreatedAt:
		return nil
	}
	return Errorf(StatusOutOfBounds, "orderby: must be %s or %s", OrderByUsername, OrderByCreatedAt)
}

// UserList is one page. Cursor is absent on the last one; a page may be short of
// the limit where the filter is sparse, and still have a cursor.
type UserList struct {
	Users  []User `json:"users"`
	Cursor string `json:"cursor,omitzero"`
}

// SessionObject is one session of a user, as admins see it. SessionID is no
// secret and does not open the session. Node, connected_at, client and ip are
// those of its connection, and absent while it has none.
type SessionObject struct {
	SessionID   string      `json:"session_id"`
	UserID      uuid.UUID   `json:"user_id"`
	CreatedAt   Time        `json:"created_at"`
	ExpiresAt   Time        `json:"expires_at"`
	Node        string      `json:"node,omitzero"`
	ConnectedAt Time        `json:"connected_at,omitzero"`
	Client      *ClientInfo `json:"client,omitzero"`
	IP          string      `json:"ip,omitzero"`
}

// UserDetail answers admin.users.get.
type UserDetail struct {
	User
	Sessions        []SessionObject  `json:"sessions"`
	ProviderObjects []ProviderObject `json:"provider_objects"`
	Events          []Push           `json:"events"`
}

// AdminCreateUserParams creates a user from the admin side: without a username
// one is generated, without a password the user can't log in by one.
type AdminCreateUserParams struct {
	Scope    string `json:"scope" rule:"required,scope"`
	Username string `json:"username,omitzero" rule:"username"`
	Credentials
	Email string `json:"email,omitzero" rule:"email"`
	Group string `json:"group,omitzero" rule:"group"`
	Extra Extra  `json:"extra,omitzero"`
}

// AdminUpdateUserParams changes a user from the admin side.
type AdminUpdateUserParams struct {
	UserRef
	Update UserUpdate `json:"update" rule:"required"`
}

// Link is a link that holds a secret code; whoever follows it acts as the user.
type Link struct {
	Link      string `json:"link"`
	ExpiresAt Time   `json:"expires_at"`
}

// BanParams bans a user, for good or until a moment. The reason is told to the
// user, with status 608.
type BanParams struct {
	UserRef
	Reason string `json:"reason,omitzero" rule:"line"`
	Until  Time   `json:"until,omitzero"`
}

// ImportParams brings users in with hashes made elsewhere. A frame bounds the
// message too, to fewer than 200 users where they have much to bring.
type ImportParams struct {
	Scope string       `json:"scope" rule:"required,scope"`
	Users []ImportUser `json:"users" rule:"required,max=200"`
}

// ImportUser is one user to import. Kind names the hash: "argon2id" (a PHC
// string) and "bcrypt" are of the password, "rollcall" is a PHC string of what
// stands for it, see PasswordHash; "unknown", or none, goes without a hash, and
// the user sets a password by a reset. A repeated user_id is answered as the
// first time. Active is true by default, created_at now.
type ImportUser struct {
	UserID    uuid.UUID `json:"user_id,omitzero"`
	Username  string    `json:"username" rule:"required,username"`
	Email     string    `json:"email,omitzero" rule:"email"`
	Group     string    `json:"group,omitzero" rule:"group"`
	Extra     Extra     `json:"extra,omitzero"`
	Active    *bool     `json:"active,omitzero"`
	CreatedAt Time      `json:"created_at,omitzero"`
	Hash      string    `json:"hash,omitzero" rule:"text"`
	Kind      string    `json:"kind,omitzero" rule:"name"`

	bad *Error // what is wrong with it, when it came from the wire
}

// Kinds of hashes in an import.
const (
	ImportArgon2id = "argon2id"
	ImportBcrypt   = "bcrypt"
	ImportRollcall = "rollcall"
	ImportUnknown  = "unknown"
)

// Err returns what is wrong with a user that came from the wire, an *Error, or
// nil. It is of that user alone: the others of the message can be imported.
func (u *ImportUser) Err() error {
	if u.bad != nil {
		return u.bad
	}
	return nil
}

// UnmarshalJSONFrom reads a user and keeps what is wrong with it for Err.
func (u *ImportUser) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	raw, err := dec.ReadValue()
	if err != nil {
		return err
	}
	type plain ImportUser // without this method
	*u = ImportUser{}
	if raw.Kind() != '{' {
		u.bad = Errorf(StatusWrongType, "users: must be objects")
		return nil
	}
	if err := decodeParams(raw, (*plain)(u)); err != nil {
		if !errors.As(err, &u.bad) {
			return err
		}
		return nil
	}
	u.bad = importRules.check(reflect.ValueOf(u).Elem(), "", raw)
	return nil
}

func (u *ImportUser) check() *Error {
	switch u.Kind {
	case ImportArgon2id, ImportBcrypt, ImportRollcall:
		if u.Hash == "" {
			return missing("hash")
		}
	case ImportUnknown:
		if u.Hash != "" {
			return Errorf(StatusOutOfBounds, "hash: of an unknown kind there is none")
		}
	case "":
		if u.Hash != "" {
			return missing("kind")
		}
	default:
		return Errorf(StatusOutOfBounds, "kind: must be argon2id, bcrypt, rollcall or unknown")
	}
	return nil
}

var importRules = compileRules(importUserType)

// ImportResult is the outcome of one imported user, in the order of the request.
type ImportResult struct {
	UserID uuid.UUID `json:"user_id,omitzero"`
	Error  string    `json:"error,omitzero"`
	Status Status    `json:"status,omitzero"`
}

// Export is everything that is stored about a user. Its events are those that
// the feed's history keeps, the newest 5,000 as far as they fit into a frame.
type Export struct {
	User      User             `json:"user"`
	Sessions  []SessionObject  `json:"sessions"`
	Providers []ProviderObject `json:"providers"`
	Events    []Push           `json:"events"`
}

// MaxSessionsListed is how many sessions admin.sessions.list answers with.
const MaxSessionsListed = 1000

// SessionsParams asks for the connected sessions of a scope, 1,000 at most, or
// for all sessions of one user of it.
type SessionsParams struct {
	Scope  string    `json:"scope" rule:"required,scope"`
	UserID uuid.UUID `json:"user_id,omitzero"`
}

// KickParams ends a user's sessions, or one of them. The reason is told to the
// client in its bye.
type KickParams struct {
	UserID    uuid.UUID `json:"user_id,omitzero"`
	SessionID string    `json:"session_id,omitzero" rule:"token"`
	Reason    string    `json:"reason,omitzero" rule:"line"`
}

func (p *KickParams) check() *Error {
	switch {
	case p.UserID == uuid.Nil && p.SessionID == "":
		return missing("user_id")
	case p.UserID != uuid.Nil && p.SessionID != "":
		return Errorf(StatusOutOfBounds, "session_id: give it or user_id, not both")
	}
	return nil
}

// WebhookConfig is where a scope's feed is posted to. Secret keys the signature
// of each delivery; it is never read back, and generated and told once when a
// new webhook names none. Events narrows what is posted; absent: all. Setting it,
// also to what it was, ends a pause and tries at once.
type WebhookConfig struct {
	URL    string   `json:"url"`
	Secret string   `json:"secret,omitzero" rule:"token"`
	Events []string `json:"events,omitzero" rule:"name,max=32"`
}

func (w *WebhookConfig) check() *Error {
	if w.URL == "" && (w.Secret != "" || w.Events != nil) {
		return missing("webhook.url")
	}
	if len(w.URL) > 2048 {
		return Errorf(StatusOutOfBounds, "webhook.url: at most 2048 bytes")
	}
	if w.Secret != "" && len(w.Secret) < 16 {
		return Errorf(StatusOutOfBounds, "webhook.secret: at least 16 bytes")
	}
	for _, name := range w.Events {
		if !IsEvent(name) {
			return Errorf(StatusOutOfBounds, "webhook.events: there is no event of that name")
		}
	}
	return nil
}

// Methods of a scope's permissions, and the sessions policies.
const (
	PermitSelf = "self" // the contract's rule: the user himself, or whose connection created him
	PermitAny  = "any"  // any client of the scope, as in Coronium Core
	PermitOff  = "off"  // nobody

	SessionsMany   = "many"   // a user may be connected many times
	SessionsSingle = "single" // a new connection replaces the older one
)

// ProviderConfig is how a scope treats one provider.
type ProviderConfig struct {
	Mode      string   `json:"mode,omitzero"`                          // "verify" (default) or "trust"
	Issuer    string   `json:"issuer,omitzero" rule:"text"`            // an OpenID Connect issuer's URL
	ClientIDs []string `json:"client_ids,omitzero" rule:"text,max=16"` // audiences that tokens may name
	AppSecret string   `json:"app_secret,omitzero" rule:"text"`        // facebook; never read back
}

// ScopeOptions are a scope's switches. A nil one stays as it is in an update.
type ScopeOptions struct {
	HideUnknown  *bool    `json:"hide_unknown,omitzero"`                    // answer 603 for unknown users too
	Reauth       *bool    `json:"reauth,omitzero"`                          // ask for the current password in changes of password and email
	ConfirmEmail *bool    `json:"confirm_email,omitzero"`                   // a changed email address has to be confirmed anew
	FromEmails   []string `json:"from_emails,omitzero" rule:"email,max=16"` // senders that clients may name
}

// Scope is a scope as admins see it. HasKey says that it has a key of its own.
type Scope struct {
	Name        string                    `json:"name"`
	CreatedAt   Time                      `json:"created_at"`
	HasKey      bool                      `json:"has_key"`
	Permissions map[string]string         `json:"permissions"`
	Providers   map[string]ProviderConfig `json:"providers"`
	Sessions    string                    `json:"sessions"`
	Options     ScopeOptions              `json:"options"`
	Webhook     *WebhookConfig            `json:"webhook,omitzero"`
}

// ScopeParams creates or changes a scope. In an update, absent members stay,
// maps are merged, an empty permission goes back to "self", a null provider is
// removed, and so is a webhook whose url is empty. A webhook is replaced as a
// whole, but for its secret, which stays where none is given.
type ScopeParams struct {
	Name        string                     `json:"name" rule:"required,scope"`
	Key         Clearable                  `json:"key,omitzero" rule:"token"` // a server key of its own; null goes back to the server's
	Permissions map[string]string          `json:"permissions,omitzero" rule:"max=64"`
	Providers   map[string]*ProviderConfig `json:"providers,omitzero" rule:"max=32"`
	Sessions    string                     `json:"sessions,omitzero"`
	Options     ScopeOptions               `json:"options,omitzero"`
	Webhook     *WebhookConfig             `json:"webhook,omitzero"`
}

func (p *ScopeParams) check() *Error {
	if p.Name == AllScopes {
		return Errorf(StatusOutOfBounds, "name: %q stands for all scopes", AllScopes)
	}
	for method, permit := range p.Permissions {
		m := messages[method]
		if m == nil || m.Access != AccessSubject && m.Access != AccessKey && m.Access != AccessUser {
			return Errorf(StatusOutOfBounds, "permissions: %q is no method that a scope decides about", method)
		}
		switch permit {
		case "", PermitSelf, PermitOff:
		case PermitAny:
			if m.Access != AccessSubject {
				return Errorf(StatusOutOfBounds, "permissions.%s: only methods that name a user can be opened to any", method)
			}
		default:
			return Errorf(StatusOutOfBounds, "permissions.%s: must be self, any or off", method)
		}
	}
	for name, config := range p.Providers {
		if err := checkName("providers", name); err != nil {
			return err
		}
		if config != nil && config.Mode != "" && config.Mode != ProviderVerify && config.Mode != ProviderTrust {
			return Errorf(StatusOutOfBounds, "providers.%s.mode: must be verify or trust", name)
		}
	}
	switch p.Sessions {
	case "", SessionsMany, SessionsSingle:
		return nil
	}
	return Errorf(StatusOutOfBounds, "sessions: must be many or single")
}

// Modes of a provider.
const (
	ProviderVerify = "verify" // proof is asked for
	ProviderTrust  = "trust"  // client_id alone is believed, as in Coronium Core
)

// ScopeRef names a scope.
type ScopeRef struct {
	Name string `json:"name" rule:"required,scope"`
}

// Admin is an admin account. Without scopes it is for all of them.
type Admin struct {
	Name      string   `json:"name"`
	Role      string   `json:"role"`
	Scopes    []string `json:"scopes,omitzero"`
	CreatedAt Time     `json:"created_at"`
}

// AdminParams creates an admin account. The password has at least 8 characters.
type AdminParams struct {
	Name     string   `json:"name" rule:"required,name"`
	Role     string   `json:"role" rule:"required"`
	Scopes   []string `json:"scopes,omitzero" rule:"scope,max=256"`
	Password string   `json:"password" rule:"required,newpassword"`
}

func (p *AdminParams) check() *Error {
	if slices.Contains(p.Scopes, AllScopes) {
		return Errorf(StatusOutOfBounds, "scopes: leave them out for all of them")
	}
	switch p.Role {
	case RoleViewer, RoleOperator, RoleOwner:
		return nil
	}
	return Errorf(StatusOutOfBounds, "role: must be viewer, operator or owner")
}

// AdminRef names an admin account.
type AdminRef struct {
	Name string `json:"name" rule:"required,name"`
}

// AdminPasswordParams sets an admin's password, of at least 8 characters.
type AdminPasswordParams struct {
	Name     string `json:"name" rule:"required,name"`
	Password string `json:"password" rule:"required,newpassword"`
}
