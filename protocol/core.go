package protocol

// The core.* messages: what a connection is.

// CoreInitParams opens a client's connection.
type CoreInitParams struct {
	Scope   string      `json:"scope" rule:"required,scope"`
	Key     string      `json:"key" rule:"required,token"`
	Client  *ClientInfo `json:"client,omitzero"`
	Session string      `json:"session,omitzero" rule:"token"`
}

// ClientInfo is what a client says of itself. It is shown to admins and never trusted.
type ClientInfo struct {
	Name     string `json:"name,omitzero" rule:"name"`
	Version  string `json:"version,omitzero" rule:"name"`
	Platform string `json:"platform,omitzero" rule:"name"`
}

// CoreInitResult answers core.init. User is there when a session was given and held.
type CoreInitResult struct {
	SessionID      string `json:"session_id"` // names the connection; no secret
	Scope          string `json:"scope"`
	ServerTime     Time   `json:"server_time"`
	PingIntervalMS int64  `json:"ping_interval_ms"`
	User           *Login `json:"user,omitzero"`
}

// The core.* table.
var (
	CoreInit = define(Message{
		Type: "core.init", Access: AccessFirst, Order: OrderBarrier,
		Doc: "Opens the connection for one scope. It must be a client's first message; a second one is answered 806. " +
			"A session token from an earlier login resumes that session; if the token no longer holds, the answer has no user and the connection is anonymous.",
		Statuses: []Status{StatusScopeNotFound, StatusWrongKey, StatusOutOfOrder, StatusUserBanned},
	}, CoreInitParams{Scope: "Space Race", Key: "the-server-key", Client: &ClientInfo{Name: "space-race", Version: "1.4.0", Platform: "android"}},
		CoreInitResult{SessionID: "n1-5f", Scope: "Space Race", ServerTime: sampleTime, PingIntervalMS: 25000})

	CorePing = define(Message{
		Type: "core.ping", Access: AccessAny, Order: OrderNone,
		Doc: "Answers \"pong\". For clients that can't see WebSocket pings.",
	}, None{}, "pong")
)
