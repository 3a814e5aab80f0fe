// Package js holds the JavaScript SDK: one ES module without dependencies, for
// browsers, Node and HTML5 games, and its types. A server hands these files out;
// README.md says how they are used.
//
// rollcall.js speaks the contract as any WebSocket client may. Its constants, and
// messages.d.ts, are written from the tables of package protocol by
//
//	go generate ./protocol
package js

import _ "embed" // of the SDK's files

// The files of the SDK.
var (
	//go:embed rollcall.js
	Module []byte // rollcall.js, the SDK
	//go:embed rollcall.d.ts
	Types []byte // rollcall.d.ts, its types
	//go:embed messages.d.ts
	Messages []byte // messages.d.ts, the types of the messages
)
