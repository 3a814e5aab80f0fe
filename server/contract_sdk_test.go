package server_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"rollcall/protocol/js"
)

// fetch asks the server over HTTP.
func (n *node) fetch(method, path string, header ...string) (*http.Response, string) {
	n.t.Helper()
	req, err := http.NewRequest(method, "http://"+n.addr+path, nil)
	if err != nil {
		n.t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req)
	if err != nil {
		n.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		n.t.Fatal(err)
	}
	return resp, string(body)
}

func TestTheSDKIsHandedOutToPagesOfEveryOrigin(t *testing.T) {
	n := start(t)
	for path, want := range map[string]struct{ kind, content string }{
		"/sdk/rollcall.js":   {"text/javascript; charset=utf-8", string(js.Module)},
		"/sdk/rollcall.d.ts": {"application/typescript; charset=utf-8", string(js.Types)},
		"/sdk/messages.d.ts": {"application/typescript; charset=utf-8", string(js.Messages)},
	} {
		resp, body := n.fetch("GET", path, "Origin", "https://game.example.com")
		if resp.StatusCode != 200 || body != want.content || len(body) == 0 {
			t.Errorf("%s: %d with %d bytes, want %d", path, resp.StatusCode, len(body), len(want.content))
		}
		for name, value := range map[string]string{
			"Content-Type": want.kind, "Access-Control-Allow-Origin": "*", "Cross-Origin-Resource-Policy": "cross-origin",
			"Cache-Control": "no-cache", "X-Content-Type-Options": "nosniff",
		} {
			if got := resp.Header.Get(name); got != value {
				t.Errorf("%s: %s is %q, want %q", path, name, got, value)
			}
		}
		tag := resp.Header.Get("ETag")
		if len(tag) < 10 || strings.HasPrefix(tag, "W/") {
			t.Errorf("%s: the ETag is %q", path, tag)
		}
		if resp, body := n.fetch("GET", path, "If-None-Match", tag); resp.StatusCode != 304 || body != "" || resp.Header.Get("Access-Control-Allow-Origin") != "*" {
			t.Errorf("%s, unchanged: %d with %d bytes, %v", path, resp.StatusCode, len(body), resp.Header)
		}
		if resp, body := n.fetch("HEAD", path); resp.StatusCode != 200 || body != "" || resp.ContentLength != int64(len(want.content)) {
			t.Errorf("HEAD %s: %d, %d bytes long", path, resp.StatusCode, resp.ContentLength)
		}
		if resp, _ := n.fetch("POST", path); resp.StatusCode != 405 {
			t.Errorf("POST %s: %d", path, resp.StatusCode)
		}
	}
}

func TestOfTheSDKsFolderOnlyTheSDKIsHandedOut(t *testing.T) {
	n := start(t)
	for _, path := range []string{"/sdk", "/sdk/", "/sdk/package.json", "/sdk/js.go", "/sdk/test/types.ts", "/sdk/../js.go", "/sdk/%2e%2e/js.go", "/sdk/..%2fjs.go"} {
		resp, _ := n.fetch("GET", path)
		for resp.StatusCode/100 == 3 { // to the path without dots, or with the slash
			resp, _ = n.fetch("GET", resp.Header.Get("Location"))
		}
		if resp.StatusCode != 404 {
			t.Errorf("%s: %d", path, resp.StatusCode)
		}
	}
}
