// Package protocol is the language of Rollcall: what a client and a server say
// to each other over one WebSocket, and nothing about how either does it.
//
// A frame from a client is one JSON object, a [Request]:
//
//	{"id": 7, "type": "users.login", "data": {...}}
//
// It is answered, when the answer is ready and in no particular order, by a
// reply that carries the same id and type, and exactly one of result and error:
//
//	{"id": 7, "type": "users.login", "result": {...}}
//	{"id": 7, "type": "users.login", "error": "password invalid", "status": 603}
//
// The server may also send a [Push], which has an "event" and no id, and a
// [Bye] before it closes a connection.
//
// Every message type is one [Method] in the tables of core.go, users_table.go and
// admin_table.go: its name, its parameters and result as Go types, who may call
// it, how it is ordered among the messages of its connection, and its
// documentation. The server's router, the Go client and asyncapi.yaml are all
// made from those tables, so they cannot disagree.
//
// Bounds stand in the struct tag `rule` of each field and are checked by
// [Method.Decode]; see rules.go for what each rule means. A mistake in a
// message is an [*Error] with a [Status] from the table in status.go.
//
// Package protocol depends on no other package of this module.
package protocol

//go:generate go run ./internal/asyncapi -o asyncapi.yaml
//go:generate go run ./internal/typescript -o js

// Limits of the wire. Sizes are in bytes.
const (
	// Subprotocol is the WebSocket subprotocol. A server chooses it when it is
	// offered and does not require it.
	Subprotocol = "rollcall.v1"

	// MaxRequestBytes bounds a frame from a client. A larger one closes the
	// connection with 1009.
	MaxRequestBytes = 32 << 10

	// MaxReplyBytes bounds a frame from a server. Lists are cut to stay below it.
	MaxReplyBytes = 1 << 20

	// MaxIDBytes bounds a request id, as written in the frame's text and without quotes.
	MaxIDBytes = 64

	// MaxDepth bounds how deeply objects and arrays may nest in a request.
	// The deepest message of the contract needs five levels.
	MaxDepth = 32
)
