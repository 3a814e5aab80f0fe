package server_test

import (
	"encoding/json"
	"strings"
	"testing"

	"rollcall/server"
	"rollcall/server/wiretest"
	"rollcall/store/storetest"
)

const scopeMembers = "name created_at has_key permissions providers sessions options"

// list is a JSON array of objects.
func list(text string) []wiretest.Object {
	var l []wiretest.Object
	_ = json.Unmarshal([]byte(text), &l)
	return l
}

func noAutoScopes(c *server.Config) { c.AutoScopes = false }

func TestAScopeIsCreatedListedChangedAndDeleted(t *testing.T) {
	n := start(t, noAutoScopes)
	a := n.admin()
	want(t, n.dial().Call("core.init", initParams("Moon")), 1004)

	o := ok(t, a.Call("admin.scopes.create", obj{"name": "Moon", "permissions": obj{"users.get": "any"}, "sessions": "many"})).Object()
	wantMembers(t, o, scopeMembers)
	if o.Text("name") != "Moon" || o.Object("permissions").Text("users.get") != "any" || o.Text("sessions") != "many" || !timeForm.MatchString(o.Text("created_at")) {
		t.Errorf("got %v", o)
	}
	want(t, a.Call("admin.scopes.create", obj{"name": "Moon"}), 1000)
	n.client("Moon").Close()

	ok(t, a.Call("admin.scopes.update", obj{"name": "Moon", "permissions": obj{"users.delete": "off"}, "options": obj{"reauth": true}}))
	o = ok(t, a.Call("admin.scopes.update", obj{"name": "Moon", "options": obj{"hide_unknown": true}})).Object()
	wantMembers(t, o, scopeMembers)
	if p := o.Object("permissions"); p.Text("users.get") != "any" || p.Text("users.delete") != "off" {
		t.Errorf("an update lost permissions: %v", o)
	}
	if p := o.Object("options"); p.Raw("reauth") != "true" || p.Raw("hide_unknown") != "true" {
		t.Errorf("an update lost options: %v", o)
	}
	want(t, a.Call("admin.scopes.update", obj{"name": "nowhere", "sessions": "many"}), 1004)

	names := ""
	for _, s := range list(ok(t, a.Call("admin.scopes.list", nil)).Result()) {
		wantMembers(t, s, scopeMembers)
		names += s.Text("name") + ","
	}
	if names != "Moon,Space Race," {
		t.Errorf("the scopes are %s", names)
	}

	want(t, a.Call("admin.scopes.delete", obj{"name": "nowhere"}), 1004)
	wantResult(t, a.Call("admin.scopes.delete", obj{"name": "Moon"}), "true")
	want(t, a.Call("admin.scopes.delete", obj{"name": "Moon"}), 1004)
	want(t, n.dial().Call("core.init", initParams("Moon")), 1004)
	want(t, a.Call("admin.users.list", obj{"scope": "Moon"}), 1004)
}

func TestAScopeWithUsersIsNotDeleted(t *testing.T) {
	n := start(t)
	a := n.admin()
	u := n.elsewhere("tiny")
	want(t, a.Call("admin.scopes.delete", obj{"name": theScope}), 606)
	c := n.client()
	login(t, c, u)
	wantResult(t, c.Call("users.delete", u.ref()), "1")
	wantResult(t, a.Call("admin.scopes.delete", obj{"name": theScope}), "true")
}

func TestAScopeIsHeldToItsBounds(t *testing.T) {
	n := start(t)
	a := n.admin()
	for name, tt := range map[string]struct {
		params any
		status int
	}{
		"no name":             {obj{}, 804},
		"an empty name":       {obj{"name": ""}, 802},
		"65 bytes":            {obj{"name": strings.Repeat("s", 65)}, 802},
		"66 bytes of umlauts": {obj{"name": strings.Repeat("ü", 33)}, 802},
		"64 bytes of umlauts": {obj{"name": strings.Repeat("ü", 32)}, 0},
		"control characters":  {obj{"name": "a\nb"}, 802},
		"the name of all":     {obj{"name": "*"}, 802},
		"a name as a number":  {obj{"name": 5}, 801},
		"permissions as list": {obj{"name": "x", "permissions": []string{"users.get"}}, 801},
		"a permission as a number": {obj{"name": "x",
			"permissions": obj{"users.get": 1}}, 801},
		"an unknown method":         {obj{"name": "x", "permissions": obj{"users.fly": "any"}}, 802},
		"an unknown permission":     {obj{"name": "x", "permissions": obj{"users.get": "some"}}, 802},
		"an admin's method":         {obj{"name": "x", "permissions": obj{"admin.users.get": "any"}}, 802},
		"the first message":         {obj{"name": "x", "permissions": obj{"core.init": "off"}}, 802},
		"unknown sessions policy":   {obj{"name": "x", "sessions": "few"}, 802},
		"an option of another type": {obj{"name": "x", "options": obj{"reauth": "yes"}}, 801},
		"an unknown provider mode":  {obj{"name": "x", "providers": obj{"google": obj{"mode": "guess"}}}, 802},
	} {
		t.Run(name, func(t *testing.T) { want(t, a.Call("admin.scopes.create", tt.params), tt.status) })
	}
}

func TestAScopeMayHaveAKeyOfItsOwn(t *testing.T) {
	n := start(t)
	a := n.admin()
	r := ok(t, a.Call("admin.scopes.create", obj{"name": "Moon", "key": "moon-key"}))
	if strings.Contains(r.Raw, "moon-key") || r.Object().Raw("has_key") != "true" {
		t.Errorf("got %s, want a scope that has a key and does not show it", r.Raw)
	}
	ok(t, n.dial().Call("core.init", obj{"scope": "Moon", "key": "moon-key"}))
	want(t, n.dial().Call("core.init", obj{"scope": "Moon", "key": "wrong"}), 808)
	want(t, n.dial().Call("core.init", obj{"scope": theScope, "key": "moon-key"}), 808)
	ok(t, a.Call("admin.scopes.update", obj{"name": "Moon", "key": nil}))
	ok(t, n.dial().Call("core.init", initParams("Moon")))
	want(t, n.dial().Call("core.init", obj{"scope": "Moon", "key": "moon-key"}), 808)
}

func TestAChangeOfAScopeReachesTheOtherNodes(t *testing.T) {
	url := storetest.Redis(t).URL()
	a, b := startOn(t, url), startOn(t, url)
	u := a.elsewhere("tiny")
	c := b.client()
	want(t, c.Call("users.get", u.ref()), 606)
	ok(t, a.admin().Call("admin.scopes.update", obj{"name": theScope, "permissions": obj{"users.get": "any"}}))
	await(t, "the other node knows the permission", func() bool { return c.Call("users.get", u.ref()).OK() })
}

func TestAChangeOfAScopeHoldsOnItsNodeFromItsAnswerOn(t *testing.T) {
	n := start(t)
	u := n.elsewhere("tiny")
	a, c := n.admin(), n.client()
	stale := 0
	for range 300 {
		for permit, status := range map[string]int{"any": 0, "off": 606} {
			ok(t, a.Call("admin.scopes.update", obj{"name": theScope, "permissions": obj{"users.get": permit}}))
			if r := c.Call("users.get", u.ref()); r.Status() != status {
				stale++
			}
		}
	}
	if stale > 0 {
		t.Errorf("%d of 600 calls went by the permission from before the last change", stale)
	}
}

func TestTheLastOfManyChangesOfAScopeIsTheOneThatHolds(t *testing.T) {
	url := storetest.Redis(t).URL()
	a, b := startOn(t, url), startOn(t, url)
	u := a.elsewhere("tiny")
	here, there := a.client(), b.client()
	for range 20 {
		changes := burst{c: a.admin()}
		for i := range 40 {
			changes.add("admin.scopes.update", obj{"name": theScope, "permissions": obj{"users.get": ifElse(i%2 == 0, "any", "off")}})
		}
		changes.send(t)
		for _, id := range changes.ids {
			ok(t, changes.c.Wait(id))
		}
		for _, c := range []*wiretest.Client{here, there} {
			await(t, "the node has the last permission", func() bool { return c.Call("users.get", u.ref()).Status() == 606 })
		}
	}
}
