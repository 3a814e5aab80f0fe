package server_test

import (
	"strings"
	"testing"

	"rollcall/protocol"
	"rollcall/server"
	"rollcall/store/storetest"
)

func TestAdminServerShowsTheProcessAndItsSettings(t *testing.T) {
	configure := func(c *server.Config) {
		c.Node, c.Version, c.AutoScopes = "n1", "1.2.3", false
		c.Settings = []protocol.Setting{{Name: "listen", Value: `":7600"`, Source: "flag"}, {Name: "node", Value: `""`, Source: "default", Note: "random"}}
	}
	for _, tt := range []struct{ url, store string }{{"", "embedded"}, {storetest.Redis(t).URL(), "redis"}} {
		n := startOn(t, tt.url, configure)
		o := ok(t, n.admin().Call("admin.server", nil)).Object()
		wantMembers(t, o, "node version go store settings warnings")
		if o.Text("node") != "n1" || o.Text("version") != "1.2.3" || o.Text("store") != tt.store || !strings.HasPrefix(o.Text("go"), "go1.") {
			t.Errorf("got %v", o)
		}
		want := `[{"name":"listen","value":"\":7600\"","source":"flag"},{"name":"node","value":"\"\"","source":"default","note":"random"}]`
		if o.Raw("settings") != want {
			t.Errorf("the settings are %s, want %s", o.Raw("settings"), want)
		}
		codes := ""
		for _, w := range list(o.Raw("warnings")) {
			wantMembers(t, w, "code text")
			codes += w.Text("code") + " "
		}
		if want := ifElse(tt.store == "embedded", "embedded_store weak_hash ", "weak_hash "); codes != want {
			t.Errorf("on %s the warnings are %q, want %q", tt.store, codes, want)
		}
	}
}

func TestAServerThatWasToldNoSettingsShowsNone(t *testing.T) {
	if got := ok(t, start(t).admin().Call("admin.server", obj{})).Object().Raw("settings"); got != "[]" {
		t.Errorf("the settings are %s", got)
	}
}

// What a scope is set to is looked at when it is asked for.
func TestAdminServerWarnsOfWhatScopesAllow(t *testing.T) {
	n := start(t)
	a := n.admin()
	warns := func(code string) string {
		for _, w := range list(ok(t, a.Call("admin.server", nil)).Object().Raw("warnings")) {
			if w.Text("code") == code {
				return w.Text("text")
			}
		}
		return ""
	}
	for _, tt := range []struct {
		code    string
		on, off obj
		names   string
	}{
		{"trusted_providers", obj{"providers": obj{"google": obj{"mode": "trust"}}}, obj{"providers": obj{"google": nil}}, theScope + " (google)"},
		{"no_token_key", obj{"providers": obj{"apple": obj{"client_ids": []string{"x"}}}}, obj{"providers": obj{"apple": nil}}, theScope + " (apple)"},
		{"open_permissions", obj{"permissions": obj{"users.get": "any"}}, obj{"permissions": obj{"users.get": ""}}, theScope + " (users.get)"},
	} {
		ok(t, a.Call("admin.scopes.update", with(obj{"name": theScope}, tt.on)))
		if text := warns(tt.code); !strings.Contains(text, tt.names) {
			t.Errorf("%s says %q, want %q in it", tt.code, text, tt.names)
		}
		ok(t, a.Call("admin.scopes.update", with(obj{"name": theScope}, tt.off)))
		if text := warns(tt.code); text != "" {
			t.Errorf("%s still says %q", tt.code, text)
		}
	}
}

func TestAdminServerIsForAccountsOfAllScopes(t *testing.T) {
	n := start(t)
	for _, role := range []string{"viewer", "operator", "owner"} {
		want(t, n.staff(role).Call("admin.server", nil), ifElse(role == "viewer", 606, 0))
		want(t, n.staff(role, theScope).Call("admin.server", nil), 606)
	}
}
