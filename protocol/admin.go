package protocol

import (
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

// FeedPosition is a place in a scope's feed.
type FeedPosition struct {
	Seq   int64  `json:"seq"`
	Epoch string `json:"epoch"`
}

// SubscribeParams subscribes to the feed of one scope, or of all with "*".
type SubscribeParams struct {
	Scope  string                  `json:"scope" rule:"required,scope"`
	Events []string                `json:"events,omitzero" rule:"name,max=32"`
	Since  map[string]FeedPosition `json:"since,omitzero"`
	Last   int                     `json:"last,omitzero" rule:"min=1,max=1000"`
	Batch  bool                    `json:"batch,omitzero"`
}

// Subscription answers admin.subscribe.
type Subscription struct {
	Subscription string                  `json:"subscription"`
	Recovered    bool                    `json:"recovered"`
	Lost         []string                `json:"lost,omitzero"`
	Heads        map[string]FeedPosition `json:"heads"`
}

// UnsubscribeParams ends a subscription.
type UnsubscribeParams struct {
	Subscription string `json:"subscription" rule:"required,token"`
}

// StatsParams asks for the statistics of a scope, or of all with "*". Step is in seconds.
type StatsParams struct {
	Scope string `json:"scope" rule:"required,scope"`
	From  Time   `json:"from,omitzero"`
	To    Time   `json:"to,omitzero"`
	Step  int    `json:"step,omitzero" rule:"min=60,max=86400"`
}

// Stats answers admin.stats.
type Stats struct {
	Online  int64      `json:"online"`
	Users   int64      `json:"users"`
	Pending int64      `json:"pending"`
	DAU     int64      `json:"dau"`
	WAU     int64      `json:"wau"`
	MAU     int64      `json:"mau"`
	Steps   []StatStep `json:"steps"`
}

// StatStep is one interval of the statistics.
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
// secret and does not open the session.
type SessionObject struct {
	SessionID string     `json:"session_id"`
	UserID    uuid.UUID  `json:"user_id"`
	CreatedAt Time       `json:"created_at"`
	ExpiresAt Time       `json:"expires_at"`
	Node      string     `json:"node,omitzero"` // where it is connected; absent when it isn't
	Client    ClientInfo `json:"client,omitzero"`
	IP        string     `json:"ip,omitzero"`
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

// BanParams bans a user, for good or until a moment.
type BanParams struct {
	UserRef
	Reason string `json:"reason,omitzero" rule:"text"`
	Until  Time   `json:"until,omitzero"`
}

// ImportParams brings users in with hashes made elsewhere.
type ImportParams struct {
	Scope string       `json:"scope" rule:"required,scope"`
	Users []ImportUser `json:"users" rule:"required,max=200"`
}

// ImportUser is one user to import. Kind names the hash: "argon2id", "bcrypt",
// "rollcall" or "unknown".
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
}

// ImportResult is the outcome of one imported user, in the order of the request.
type ImportResult struct {
	UserID uuid.UUID `json:"user_id,omitzero"`
	Error  string    `json:"error,omitzero"`
	Status Status    `json:"status,omitzero"`
}

// Export is everything that is stored about a user.
type Export struct {
	User      User             `json:"user"`
	Sessions  []SessionObject  `json:"sessions"`
	Providers []ProviderObject `json:"providers"`
	Events    []Push           `json:"events"`
}

// SessionsParams asks for the sessions of a scope, or of one user of it.
type SessionsParams struct {
	Scope  string    `json:"scope" rule:"required,scope"`
	UserID uuid.UUID `json:"user_id,omitzero"`
}

// KickParams ends a user's sessions, or one of them.
type KickParams struct {
	UserID    uuid.UUID `json:"user_id,omitzero"`
	SessionID string    `json:"session_id,omitzero" rule:"token"`
	Reason    string    `json:"reason,omitzero" rule:"text"`
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
}

// ScopeParams creates or changes a scope. In an update, absent members stay,
// maps are merged, an empty permission goes back to "self", and a null provider
// is removed.
type ScopeParams struct {
	Name        string                     `json:"name" rule:"required,scope"`
	Key         Clearable                  `json:"key,omitzero" rule:"token"` // a server key of its own; null goes back to the server's
	Permissions map[string]string          `json:"permissions,omitzero" rule:"max=64"`
	Providers   map[string]*ProviderConfig `json:"providers,omitzero" rule:"max=32"`
	Sessions    string                     `json:"sessions,omitzero"`
	Options     ScopeOptions               `json:"options,omitzero"`
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

// AdminParams creates an admin account.
type AdminParams struct {
	Name     string   `json:"name" rule:"required,name"`
	Role     string   `json:"role" rule:"required"`
	Scopes   []string `json:"scopes,omitzero" rule:"scope,max=256"`
	Password string   `json:"password" rule:"required,password"`
}

func (p *AdminParams) check() *Error {
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

// AdminPasswordParams sets an admin's password.
type AdminPasswordParams struct {
	Name     string `json:"name" rule:"required,name"`
	Password string `json:"password" rule:"required,password"`
}
