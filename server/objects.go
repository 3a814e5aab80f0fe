package server

import (
	"time"

	"rollcall/protocol"
	"rollcall/store"
)

// What the store keeps of users and sessions, as the wire has it.

func loginObject(u store.User, session store.Session) protocol.Login {
	return protocol.Login{
		Active: u.Active, Confirmation: u.Confirmation, Email: u.Email, Group: u.Group, Extra: u.Extra,
		Scope: u.Scope, UserID: u.ID, Username: u.Username, Validated: validated(u),
		Session: protocol.Session{Token: session.Token, ExpiresAt: wireTime(session.ExpiresAt)},
	}
}

// validated: active and, where confirmation was asked, confirmed.
func validated(u store.User) bool { return u.Active && u.Confirmation == "" }

// userObject is a user as admins and the user himself see it.
func userObject(u store.User) protocol.User {
	providers := u.Providers
	if providers == nil {
		providers = []string{} // an empty list on the wire, not null
	}
	object := protocol.User{
		Active: u.Active, Confirmation: u.Confirmation, Email: u.Email, Group: u.Group, Extra: u.Extra,
		Scope: u.Scope, UserID: u.ID, Username: u.Username, Validated: validated(u),
		CreatedAt: wireTime(u.CreatedAt), UpdatedAt: wireTime(u.UpdatedAt),
		LastLoginAt: wireTime(u.LastLoginAt), Logins: u.Logins,
		Providers: providers, Online: u.Online(),
	}
	if u.Ban != nil {
		object.Ban = &protocol.Ban{Reason: u.Ban.Reason, Until: wireTime(u.Ban.Until)}
	}
	return object
}

func wireTime(t time.Time) protocol.Time { return protocol.Time{Time: t} }

// timeOf is a stored time, in UNIX milliseconds.
func timeOf(ms int64) time.Time { return time.UnixMilli(ms).UTC() }
