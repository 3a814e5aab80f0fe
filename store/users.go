package store

import (
	"time"

	"github.com/google/uuid"

	"rollcall/protocol"
)

// A User is everything that is kept about one user, apart from the sessions.
type User struct {
	ID       uuid.UUID
	Scope    string
	Username string // as typed
	Email    string // as typed; "" for none
	Group    string // "" for none
	Extra    protocol.Extra
	Active   bool

	// Confirmation is the state of the email's confirmation: "" where none was
	// asked for or it is done, else ConfirmationPending or ConfirmationFailed.
	Confirmation string

	// Password is the server's record of the password, opaque here. One of more
	// than 64 bytes, as some that were made elsewhere, costs the user's hash its
	// compact form. Nil: the user has no password.
	Password []byte

	// Times have milliseconds. LastLoginAt is zero before the first login.
	CreatedAt, UpdatedAt, LastLoginAt time.Time
	Logins                            int64

	// Ban is nil for a user who is not banned now.
	Ban *Ban

	// Places are the user's connections, each "<lease>.<place>". They may name
	// one of a node that died, for as long as it is not taken for dead.
	Places []string

	// Providers are the names of the providers that the user can log in by,
	// sorted; ProviderRecords are what is kept of them, in the same order.
	Providers       []string
	ProviderRecords []Provider
}

// Online reports whether the user is connected.
func (u *User) Online() bool { return len(u.Places) > 0 }

// A Ban keeps a user from logging in.
type Ban struct {
	Reason string
	Until  time.Time // zero: for good
}

// States of a confirmation that is asked for and not done.
const (
	ConfirmationPending = "pending" // a mail is under way
	ConfirmationFailed  = "failed"  // no mail could be sent so far
)

// A NewUser is what CreateUser makes a user of. See [User] for the fields.
type NewUser struct {
	ID              uuid.UUID // zero: a random one
	Scope, Username string
	Email, Group    string
	Extra           protocol.Extra
	Active          bool
	Confirmation    string
	Password        []byte
	Provider        *Provider // an identity to log in by, reserved like the username; nil: none
	CreatedAt       time.Time // for one who was a user elsewhere before, after 1970; zero: now
	Via             Via       // what user.created tells of how and where from
}

// A UserUpdate is what UpdateUser changes. What is nil stays as it is.
type UserUpdate struct {
	Username *string
	Email    *string        // "" clears it
	Group    *string        // "" clears it
	Extra    protocol.Extra // merged key by key; a null value removes its key

	Active       *bool
	Confirmation *string

	// Unconfirm says that a new email is to be confirmed: if the update brings
	// another one, the user becomes inactive and his confirmation "failed", as
	// it is until a mail is under way. It prevails over Active and Confirmation.
	Unconfirm bool

	// Password is the new record. It ends all sessions but KeepSession (a
	// session id, or "" to keep none), unless Rehash says that the password is
	// the same and only stored anew: then updated_at stays too. Empty but not
	// nil: the user has no password any more.
	Password    []byte
	KeepSession string
	Rehash      bool

	// Disown says that with a new password the connections that created the user
	// may not act for him any more.
	Disown bool

	// IfPassword, when not nil, makes the update fail with ErrConflict unless
	// it is the record stored now.
	IfPassword []byte

	// IfSession, when not empty, is the id of the session that asks for the
	// update: it must not have ended meanwhile.
	IfSession string
}

// A ConnRef says which connection, on which node. Both are short and without
// spaces. The zero ConnRef is none.
type ConnRef struct{ Node, Conn string }

// An Arrival is a connection on which a user logs in or comes back.
type Arrival struct {
	At  ConnRef
	Via Via // what the events tell of it

	// Lease is the node's, and Place names the connection's login under it:
	// unique, short and without spaces or dots. With no lease the connection is
	// not noted, and the user not online by it.
	Lease, Place string

	// Instead is the place that the same connection had before, "" for none, as
	// a user's record names it: "<lease>.<place>".
	Instead string

	Scope  string // the user's; needed with a lease
	Single bool   // close the user's other connections (protocol.CloseReplaced)
}

// A Session is a client's right to come back as the same user.
type Session struct {
	Token     string // the secret; only Login returns it
	ID        string // names the session; no secret
	User      uuid.UUID
	CreatedAt time.Time
	ExpiresAt time.Time
	At        ConnRef // the connection that used it last
}

// A ListQuery asks for one page of a scope's users.
type ListQuery struct {
	Scope string

	// Filter narrows the page: Username is a prefix, compared as keys; Email
	// and Group have to be equal.
	Filter protocol.UserFilter

	OrderBy string // protocol.OrderByUsername (also "") or protocol.OrderByCreatedAt
	Limit   int    // users, at most; 1 to protocol.MaxListLimit, which 0 stands for
	Cursor  string // of the page before; "" for the first
}

// A Scope is one scope's definition.
type Scope struct {
	Name        string
	CreatedAt   time.Time
	KeyHash     []byte // SHA-256 of the scope's own key; nil: the server's key holds
	Permissions map[string]string
	Providers   map[string]protocol.ProviderConfig
	Sessions    string
	Options     protocol.ScopeOptions
	Webhook     *Webhook // nil: none
}

// A ScopeUpdate is what UpdateScope changes; each permission, provider and
// option by itself. What is absent stays as it is.
type ScopeUpdate struct {
	KeyHash     []byte
	ClearKey    bool                                // back to the server's key
	Permissions map[string]string                   // "" or "self" removes one
	Providers   map[string]*protocol.ProviderConfig // nil removes one
	Sessions    string
	Options     protocol.ScopeOptions
	Webhook     *protocol.WebhookConfig // an empty URL removes it, an empty secret keeps the present one
	NewWebhook  NewWebhook
}

// An Admin is an admin's account.
type Admin struct {
	Name, Role string
	Scopes     []string // none: all of them
	Password   []byte   // the server's record, opaque here
	CreatedAt  time.Time
	Generation string // another one with each password
}

// A SignalKind says what a Signal asks of the nodes.
type SignalKind string

// The kinds of signals.
const (
	SignalEnd     SignalKind = "end"     // close the connections logged in as User, of Session if given, all but those of Except
	SignalReplace SignalKind = "replace" // close connection Conn of Node, if it is logged in by Session
	SignalSingle  SignalKind = "single"  // close the connections of User at Places
	SignalScope   SignalKind = "scope"   // the definition of Scope changed
	SignalAdmin   SignalKind = "admin"   // Generation of Admin has ended: close his connections
	SignalLogout  SignalKind = "logout"  // Session of Admin has ended: close his connections of it
	SignalResync  SignalKind = "resync"  // signals may have been missed: check everything
)

// A Signal is a message to all nodes. It may come more than once.
type Signal struct {
	Kind    SignalKind `json:"kind"`
	User    uuid.UUID  `json:"user,omitzero"`
	Session string     `json:"session,omitzero"` // session id, of a user or of an admin
	Except  string     `json:"except,omitzero"`  // session id that is kept
	Scope   string     `json:"scope,omitzero"`
	Node    string     `json:"node,omitzero"`
	Conn    string     `json:"conn,omitzero"`   // unique on Node only
	Places  []string   `json:"places,omitzero"` // "<lease>.<place>"
	Code    int        `json:"code,omitzero"`
	Reason  string     `json:"reason,omitzero"`
	Disown  bool       `json:"disown,omitzero"` // of an end: connections that created User lose him too

	Admin      string `json:"admin,omitzero"`
	Generation string `json:"generation,omitzero"` // of an admin
}
