package protocol

import (
	"github.com/google/uuid"
)

// The feed: what happens in a scope, as a sequence of events. Admins subscribe
// to it by admin.subscribe and get each event as a [Push].
//
// The events of a scope are numbered by seq, without a hole, for as long as the
// epoch stays the same. The epoch changes when the feed was lost, reset, or
// found behind what was already seen; seq goes on rising then.

// The names of the feed's events.
const (
	EventUserCreated     = "user.created"
	EventUserLogin       = "user.login"
	EventUserLoginFailed = "user.login_failed"
	EventUserResumed     = "user.resumed"
	EventUserUpdated     = "user.updated"
	EventUserConfirmed   = "user.confirmed"
	EventUserDeleted     = "user.deleted"
	EventUserBanned      = "user.banned"
	EventUserUnbanned    = "user.unbanned"
	EventUserOnline      = "user.online"
	EventUserOffline     = "user.offline"
	EventAdminAction     = "admin.action"
)

// The names of pushes that are no events of the feed but tell of the feed. They
// have no event_id, and a filter of events does not hold them back.
const (
	// EventFeedHead tells a filtered subscriber where the feed is, at least
	// every 10 s while it moves.
	EventFeedHead = "feed.head"
	// EventFeedLost tells a subscriber that events between the last one it got
	// and this position are lost to it: reload what depends on them. What
	// follows is complete again.
	EventFeedLost = "feed.lost"
)

// An EventInfo is one row of the table of events.
type EventInfo struct {
	Name   string
	Doc    string
	Sample EventData
}

// Events is the one table of what may stand in a feed. The documentation, the
// filter of a subscription and the SDKs' constants are made from it.
var Events = []EventInfo{
	{EventUserCreated, "A user was created, by a client or by an admin. method says how the user will log in.",
		EventData{UserID: sampleID, Username: "tiny", Group: "blue", Method: MethodPassword, Node: "n1", IP: "203.0.113.7"}},
	{EventUserLogin, "A user logged in. method is password or the provider's name.",
		EventData{UserID: sampleID, Username: "tiny", Group: "blue", Method: MethodPassword, Node: "n1", IP: "203.0.113.7"}},
	{EventUserLoginFailed, "A login was refused. Where no such user exists the event names nobody. More than 5 a minute for one account or address are counted and not stored.",
		EventData{UserID: sampleID, Username: "tiny", Reason: FailedPassword, Method: MethodPassword, Node: "n1", IP: "203.0.113.7"}},
	{EventUserResumed, "A session was continued on another connection.",
		EventData{UserID: sampleID, Username: "tiny", Group: "blue", Node: "n1", IP: "203.0.113.7"}},
	{EventUserUpdated, "A user was changed; fields says what, and never to which value.",
		EventData{UserID: sampleID, Username: "tiny", Group: "blue", Fields: []string{"email", "extra"}}},
	{EventUserConfirmed, "A user confirmed the email address, or an admin vouched for it.",
		EventData{UserID: sampleID, Username: "tiny"}},
	{EventUserDeleted, "A user was deleted. From then on earlier events of the user are told with the user_id alone.",
		EventData{UserID: sampleID, Username: "tiny"}},
	{EventUserBanned, "A user was banned, for good or until a moment.",
		EventData{UserID: sampleID, Username: "tiny", Reason: "aimbot", Until: sampleExpiry}},
	{EventUserUnbanned, "A ban was lifted.",
		EventData{UserID: sampleID, Username: "tiny"}},
	{EventUserOnline, "A user's first connection.",
		EventData{UserID: sampleID, Username: "tiny", Group: "blue", Node: "n1", IP: "203.0.113.7"}},
	{EventUserOffline, "A user's last connection is gone, after a grace of 5 s where it may come back.",
		EventData{UserID: sampleID, Username: "tiny", Group: "blue", Node: "n1", Reason: OfflineClosed}},
	{EventAdminAction, "An admin changed something. action is the type of the message. What concerns no scope stands in the feed of scope \"*\", for admins of all scopes.",
		EventData{Admin: "ops", Action: "admin.users.ban", UserID: sampleID, Target: "tiny", IP: "203.0.113.9"}},
}

// IsEvent reports whether a name stands in the table of events.
func IsEvent(name string) bool {
	for i := range Events {
		if Events[i].Name == name {
			return true
		}
	}
	return false
}

// MethodPassword is the method of a login by password; other methods are
// providers' names. MethodAdmin is that of a user whom an admin created.
const (
	MethodPassword = "password"
	MethodAdmin    = "admin"
)

// Reasons of user.login_failed.
const (
	FailedPassword = "password" // it was wrong
	FailedUnknown  = "unknown"  // no such user
	FailedBanned   = "banned"   // the password or proof held
	FailedProof    = "proof"    // a provider's proof was rejected
	FailedNoLogin  = "method"   // the user has no password
)

// Reasons of user.offline.
const (
	OfflineClosed   = "closed"   // the client closed the connection
	OfflineLost     = "lost"     // the connection broke, or nothing was heard
	OfflineDrained  = "drained"  // the node was stopped
	OfflineNodeLost = "node"     // the node died
	OfflineLogout   = "logout"   // the user logged out, or the connection in as another user
	OfflineEnded    = "ended"    // the session was ended elsewhere
	OfflineKicked   = "kicked"   // by an admin
	OfflineBanned   = "banned"   // by an admin
	OfflineReplaced = "replaced" // by another connection
)

// EventData is the data of every event of the feed; the event decides which
// members there are.
type EventData struct {
	UserID   uuid.UUID   `json:"user_id,omitzero"`
	Username string      `json:"username,omitzero"`
	Group    string      `json:"group,omitzero"`
	Method   string      `json:"method,omitzero"`
	Reason   string      `json:"reason,omitzero"`
	Fields   []string    `json:"fields,omitzero"`
	Until    Time        `json:"until,omitzero"` // end of a ban; absent for good
	Node     string      `json:"node,omitzero"`
	Client   *ClientInfo `json:"client,omitzero"`
	IP       string      `json:"ip,omitzero"`
	Admin    string      `json:"admin,omitzero"`  // who did it
	Action   string      `json:"action,omitzero"` // type of the admin's message
	Target   string      `json:"target,omitzero"` // username, or name of the scope or admin that it was done to
}

// FeedPosition is a place in a scope's feed: behind the event of that seq. The
// event_id, where it is given, names that event, so that a server which lost it
// and gave its number to another event can tell.
type FeedPosition struct {
	Seq     int64  `json:"seq"`
	Epoch   string `json:"epoch"`
	EventID string `json:"event_id,omitzero"`
}

// SubscribeParams subscribes to the feed of one scope, or of all with "*".
type SubscribeParams struct {
	Scope  string                  `json:"scope" rule:"required,scope"`
	Events []string                `json:"events,omitzero" rule:"name,max=32"` // names; absent: all
	Since  map[string]FeedPosition `json:"since,omitzero"`
	Last   int                     `json:"last,omitzero" rule:"min=1,max=1000"`
	Batch  bool                    `json:"batch,omitzero"`
}

func (p *SubscribeParams) check() *Error {
	for _, name := range p.Events {
		if !IsEvent(name) {
			return Errorf(StatusOutOfBounds, "events: there is no event of that name")
		}
	}
	if p.Since != nil && p.Last != 0 {
		return Errorf(StatusOutOfBounds, "last: give it or since, not both")
	}
	return nil
}

// Subscription answers admin.subscribe. Heads are the scopes' positions at the
// moment of enrolment: what happens after them is pushed as it happens.
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
