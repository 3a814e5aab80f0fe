// Package dashboard hands out the dashboard, a page for operators at /admin/.
//
// What is in page/ is what the browser gets, file by file: ES modules, styles
// and one document, without a build step. The page speaks to the server over
// /ws as any other client would, through the SDK at /sdk/; this package has no
// part in that and knows no secret. So the files may be had by everybody who
// reaches the server; what they show, only by an admin who logs in.
package dashboard

import (
	"embed"
	"net/http"

	"rollcall/server/static"
)

// Path is where the dashboard is.
const Path = "/admin/"

//go:embed page
var files embed.FS

// policy lets the page load what this server hands out and connect to this
// server, and nothing else: text that somebody smuggled in can't become a script,
// a style, a frame or a request to elsewhere. 'self' stands for the WebSocket on
// the same host too, by CSP 3 (https://www.w3.org/TR/CSP3/#match-url-to-source-expression)
// and in all browsers since 2022, Safari being the last.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; " +
	"form-action 'none'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"

// header closes the page to what it does not need: other sites' frames, windows
// and documents, the address in a Referer, search engines, and the device.
var header = http.Header{
	"Content-Security-Policy":      {policy},
	"Cross-Origin-Opener-Policy":   {"same-origin"},
	"Cross-Origin-Resource-Policy": {"same-origin"},
	"Permissions-Policy":           {"camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()"},
	"Referrer-Policy":              {"no-referrer"},
	"X-Frame-Options":              {"DENY"},
	"X-Robots-Tag":                 {"noindex"},
}

// Register enters the dashboard into a mux.
func Register(mux *http.ServeMux) {
	mux.Handle("GET "+Path, static.New(Path, static.Tree(files, "page"), header))
	mux.Handle("GET /admin", http.RedirectHandler(Path, http.StatusPermanentRedirect))
}
