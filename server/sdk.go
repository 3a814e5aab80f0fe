package server

import (
	"net/http"

	"rollcall/protocol/js"
	"rollcall/server/static"
)

// sdkPath is where the JavaScript SDK is.
const sdkPath = "/sdk/"

// sdkHeader lets pages of every origin import the SDK: it is the same for all and
// holds no secret. What such a page may connect to is decided at the handshake.
var sdkHeader = http.Header{
	"Access-Control-Allow-Origin":  {"*"},
	"Cross-Origin-Resource-Policy": {"cross-origin"},
}

// sdkFiles hands out the SDK of this very version of the contract, so that a page
// needs no package manager.
func sdkFiles() http.Handler {
	return static.New(sdkPath, map[string][]byte{
		"rollcall.js":   js.Module,
		"rollcall.d.ts": js.Types,
		"messages.d.ts": js.Messages,
	}, sdkHeader)
}
