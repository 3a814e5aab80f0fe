package server_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"rollcall/server"
	"rollcall/server/wiretest"
	"rollcall/store/storetest"
)

const (
	adminPassword = "an-admins-secret" // of the accounts that these tests make
	newPassword   = "another-admins-secret"
)

const adminMembers = "name role created_at"

// loginAs opens a connection of an admin.
func (n *node) loginAs(name, password string) *wiretest.Client {
	n.t.Helper()
	c := n.dial()
	ok(n.t, c.Call("admin.login", obj{"name": name, "password": password}))
	return c
}

// makeAdmin creates an account and opens a connection of it.
func (n *node) makeAdmin(by *wiretest.Client, name, role string, scopes ...string) *wiretest.Client {
	n.t.Helper()
	params := obj{"name": name, "role": role, "password": adminPassword}
	if len(scopes) > 0 {
		params["scopes"] = scopes
	}
	ok(n.t, by.Call("admin.admins.create", params))
	return n.loginAs(name, adminPassword)
}

// names lists the admins whom one sees.
func adminNames(t *testing.T, c *wiretest.Client) string {
	t.Helper()
	var names []string
	for _, o := range list(ok(t, c.Call("admin.admins.list", nil)).Result()) {
		names = append(names, o.Text("name"))
	}
	return strings.Join(names, " ")
}

func TestAnAdminAccountIsCreatedListedAndDeleted(t *testing.T) {
	n := start(t)
	a := n.admin()
	o := ok(t, a.Call("admin.admins.create", obj{"name": "ops", "role": "operator", "scopes": []string{"b", "a", "b"}, "password": adminPassword})).Object()
	wantMembers(t, o, adminMembers+" scopes")
	if o.Text("name") != "ops" || o.Text("role") != "operator" || o.Raw("scopes") != `["a","b"]` || !timeForm.MatchString(o.Text("created_at")) {
		t.Errorf("got %v", o)
	}
	wantMembers(t, ok(t, a.Call("admin.admins.create", obj{"name": "all", "role": "viewer", "password": adminPassword})).Object(), adminMembers)
	if names := adminNames(t, a); names != "admin all ops" {
		t.Errorf("the admins are %s", names)
	}
	login := ok(t, n.dial().Call("admin.login", obj{"name": "ops", "password": adminPassword})).Object()
	if login.Text("role") != "operator" || login.Raw("scopes") != `["a","b"]` {
		t.Errorf("logged in as %v", login)
	}
	r := want(t, a.Call("admin.admins.create", obj{"name": "ops", "role": "viewer", "password": adminPassword}), 600)
	if r.Message() != "admin already exists" {
		t.Errorf("the text is %q", r.Message())
	}
	wantResult(t, a.Call("admin.admins.delete", obj{"name": "ops"}), "true")
	want(t, a.Call("admin.admins.delete", obj{"name": "ops"}), 604)
	want(t, n.dial().Call("admin.login", obj{"name": "ops", "password": adminPassword}), 603)
	want(t, n.dial().Call("admin.login", obj{"token": login.Text("token")}), 607)
	if names := adminNames(t, a); names != "admin all" {
		t.Errorf("the admins are %s", names)
	}
}

func TestAnAdminAccountIsHeldToItsBounds(t *testing.T) {
	n := start(t)
	a := n.admin()
	account := func(change obj) obj {
		o := obj{"name": "ops", "role": "viewer", "password": adminPassword}
		for k, v := range change {
			if o[k] = v; v == nil {
				delete(o, k)
			}
		}
		return o
	}
	for name, tt := range map[string]struct {
		change obj
		status int
		text   string
	}{
		"no name":              {obj{"name": nil}, 804, "name: required"},
		"no role":              {obj{"role": nil}, 804, "role: required"},
		"no password":          {obj{"password": nil}, 804, "password: required"},
		"a short password":     {obj{"password": "seven77"}, 802, "password: must be at least 8 characters"},
		"an empty password":    {obj{"password": ""}, 802, "password: must be at least 8 characters"},
		"an unknown role":      {obj{"role": "king"}, 802, "role: must be viewer, operator or owner"},
		"the name of all":      {obj{"scopes": []string{"*"}}, 802, "scopes: leave them out"},
		"an empty scope":       {obj{"scopes": []string{""}}, 802, "scopes: must be 1 to 64 bytes"},
		"an invisible name":    {obj{"name": "ad\u200bmin"}, 802, "name: must not have"},
		"a name of spaces":     {obj{"name": " "}, 802, "name: must not start"},
		"a password as number": {obj{"password": 12345678}, 801, "password: must be a string"},
		"scopes as text":       {obj{"scopes": "a"}, 801, "scopes: must be an array"},
	} {
		t.Run(name, func(t *testing.T) {
			r := want(t, a.Call("admin.admins.create", account(tt.change)), tt.status)
			if !strings.HasPrefix(r.Message(), tt.text) {
				t.Errorf("the text is %q, want %q", r.Message(), tt.text)
			}
		})
	}
	want(t, a.Call("admin.admins.delete", obj{}), 804)
	want(t, a.Call("admin.admins.delete", obj{"name": 5}), 801)
	want(t, a.Call("admin.admins.setPassword", obj{"name": "admin"}), 804)
	want(t, a.Call("admin.admins.setPassword", obj{"name": "admin", "password": "seven77"}), 802)
	want(t, a.Call("admin.admins.setPassword", obj{"name": "nobody", "password": adminPassword}), 604)
}

func TestOnlyOwnersHaveToDoWithAdminAccounts(t *testing.T) {
	n := start(t)
	a := n.admin()
	for _, role := range []string{"viewer", "operator"} {
		c := n.makeAdmin(a, role, role)
		want(t, c.Call("admin.admins.list", nil), 606)
		want(t, c.Call("admin.admins.create", obj{"name": "x", "role": "viewer", "password": adminPassword}), 606)
		want(t, c.Call("admin.admins.delete", obj{"name": "admin"}), 606)
		for _, other := range []string{"admin", "nobody"} { // alike, whether there is one or not
			r := want(t, c.Call("admin.admins.setPassword", obj{"name": other, "password": newPassword}), 606)
			if r.Message() != "only an owner can set another admin's password" {
				t.Errorf("the text is %q", r.Message())
			}
		}
		ok(t, c.Call("admin.admins.setPassword", obj{"name": role, "password": newPassword}))
	}
	for _, c := range []*wiretest.Client{n.client(), n.dial()} {
		r := c.Call("admin.admins.list", nil)
		if r.Status() != 606 && r.Status() != 806 {
			t.Errorf("a stranger gets %s", r.Raw)
		}
	}
}

func TestAnOwnerOfSomeScopesHasToDoWithTheirAdminsOnly(t *testing.T) {
	n := start(t)
	a := n.admin()
	n.makeAdmin(a, "of all", "viewer")
	n.makeAdmin(a, "of c", "viewer", "c")
	n.makeAdmin(a, "of a and c", "viewer", "a", "c")
	ofA := n.makeAdmin(a, "of a", "viewer", "a")
	owner := n.makeAdmin(a, "owner", "owner", "a", "b")

	if names := adminNames(t, owner); names != "of a owner" {
		t.Errorf("sees %q", names)
	}
	for _, other := range []string{"of all", "of c", "of a and c", "admin", "nobody"} {
		texts := map[string]bool{}
		for _, r := range []wiretest.Reply{
			owner.Call("admin.admins.setPassword", obj{"name": other, "password": newPassword}),
			owner.Call("admin.admins.delete", obj{"name": other}),
		} {
			texts[want(t, r, 604).Message()] = true
		}
		if len(texts) != 1 || !texts["admin not found"] {
			t.Errorf("%s: the texts are %v", other, texts)
		}
	}
	for _, scopes := range []any{nil, []string{}, []string{"c"}, []string{"a", "c"}} {
		params := obj{"name": "x", "role": "viewer", "password": adminPassword}
		if scopes != nil {
			params["scopes"] = scopes
		}
		r := want(t, owner.Call("admin.admins.create", params), 606)
		if !strings.HasPrefix(r.Message(), "scopes: your account is for some scopes only") {
			t.Errorf("the text is %q", r.Message())
		}
	}
	n.makeAdmin(owner, "second", "owner", "b", "a")
	ok(t, owner.Call("admin.admins.setPassword", obj{"name": "of a", "password": newPassword}))
	wantEnd(t, ofA, 4506)
	wantResult(t, owner.Call("admin.admins.delete", obj{"name": "of a"}), "true")
	wantResult(t, owner.Call("admin.admins.delete", obj{"name": "second"}), "true")
	wantResult(t, owner.Call("admin.admins.delete", obj{"name": "owner"}), "true")
	wantEnd(t, owner, 4506)
}

func TestTheLastOwnerOfAllScopesIsNotDeleted(t *testing.T) {
	n := start(t)
	a := n.admin()
	n.makeAdmin(a, "owner of one", "owner", "a")
	n.makeAdmin(a, "operator", "operator")
	r := want(t, a.Call("admin.admins.delete", obj{"name": "admin"}), 606)
	if r.Message() != "the last owner of all scopes can't be deleted" {
		t.Errorf("the text is %q", r.Message())
	}
	ok(t, a.Call("admin.scopes.list", nil)) // the connection is as it was
	second := n.makeAdmin(a, "second", "owner")
	wantResult(t, a.Call("admin.admins.delete", obj{"name": "admin"}), "true")
	wantEnd(t, a, 4506)
	want(t, second.Call("admin.admins.delete", obj{"name": "second"}), 606)
	ok(t, second.Call("admin.scopes.list", nil))
}

// onTwoNodes runs f with two servers on one Redis.
func onTwoNodes(t *testing.T, f func(t *testing.T, here, there *node)) {
	url := storetest.Redis(t).URL()
	f(t, startOn(t, url), startOn(t, url, func(c *server.Config) { c.Node = "there" }))
}

func TestADeletedAdminIsGoneFromEveryNodeAtOnce(t *testing.T) {
	onTwoNodes(t, func(t *testing.T, here, there *node) {
		a := here.admin()
		first, second, unharmed := here.makeAdmin(a, "ops", "operator"), there.loginAs("ops", adminPassword), there.admin()
		wantResult(t, a.Call("admin.admins.delete", obj{"name": "ops"}), "true")
		wantEnd(t, first, 4506)
		wantEnd(t, second, 4506)
		ok(t, unharmed.Call("admin.scopes.list", nil))

		// Another account of the same name is another account.
		again := here.makeAdmin(a, "ops", "viewer")
		ok(t, again.Call("admin.scopes.list", nil))
	})
}

func TestANewPasswordEndsTheOtherConnectionsOfTheAdminAndNoMore(t *testing.T) {
	onTwoNodes(t, func(t *testing.T, here, there *node) {
		a := here.admin()
		mine, others := here.makeAdmin(a, "ops", "operator"), there.loginAs("ops", adminPassword)
		c := here.dial()
		token := ok(t, c.Call("admin.login", obj{"name": "ops", "password": adminPassword})).Object().Text("token")
		keeper := here.dial()
		keep := ok(t, keeper.Call("admin.login", obj{"name": "ops", "password": adminPassword})).Object().Text("token")

		o := ok(t, keeper.Call("admin.admins.setPassword", obj{"name": "ops", "password": newPassword})).Object()
		wantMembers(t, o, adminMembers)
		for _, other := range []*wiretest.Client{mine, others, c} {
			wantEnd(t, other, 4506)
		}
		ok(t, keeper.Call("admin.scopes.list", nil))
		want(t, there.dial().Call("admin.login", obj{"token": token}), 607)
		want(t, there.dial().Call("admin.login", obj{"name": "ops", "password": adminPassword}), 603)
		back := there.dial()
		ok(t, back.Call("admin.login", obj{"token": keep})) // the one that asked may come back
		there.loginAs("ops", newPassword)

		// By an owner, all of them end.
		ok(t, a.Call("admin.admins.setPassword", obj{"name": "ops", "password": adminPassword}))
		wantEnd(t, keeper, 4506)
		wantEnd(t, back, 4506)
		ok(t, a.Call("admin.scopes.list", nil))
		here.loginAs("ops", adminPassword)
	})
}

func TestAnAdminMayChangeHisPasswordAgainAndAgain(t *testing.T) {
	n := start(t)
	a := n.admin()
	for _, password := range []string{newPassword, adminPassword, newPassword} {
		ok(t, a.Call("admin.admins.setPassword", obj{"name": "admin", "password": password}))
		ok(t, a.Call("admin.admins.list", nil))
		n.loginAs("admin", password)
	}
}

// What an admin has under way when his rights end is not done.
func TestWhatAnAdminHasUnderWayWhenHisRightsEndIsNotDone(t *testing.T) {
	n := start(t, oneAtATime)
	a := n.admin()
	fired := n.makeAdmin(a, "fired", "owner")
	// Hashes of admins and of players are served by turns: what was asked for
	// first is made last, behind these.
	occupy(t, n, 8)
	made := func() string {
		users, _ := pages(t, a, obj{"scope": theScope, "filter": obj{"username": "ghost"}, "limit": 200}, 200)
		return adminNames(t, a) + " " + strings.Join(users, " ")
	}
	for i := range 4 {
		name := fmt.Sprint("ghost", i)
		fired.Send("admin.users.create", obj{"scope": theScope, "username": name, "password": thePassword})
		fired.Send("admin.admins.create", obj{"name": name, "role": "owner", "password": adminPassword})
	}
	wantResult(t, fired.Call("core.ping", nil), `"pong"`)
	wantResult(t, a.Call("admin.admins.delete", obj{"name": "fired"}), "true")
	if e := fired.WaitEnd(); e.Close == nil || e.Close.Code != 4506 {
		t.Errorf("the connection ended with %v", e.Close)
	}
	before := made()               // what was quicker than the deletion
	create(t, n.client(), "later") // by then all hashes that came before are made
	if after := made(); after != before {
		t.Errorf("there were %s, and then %s", before, after)
	}
}

func TestAnAdminsConnectionIsClosedWhenItsTokenExpires(t *testing.T) {
	n := start(t, func(c *server.Config) { c.AdminSessionTTL = 500 * time.Millisecond })
	c := n.dial()
	token := ok(t, c.Call("admin.login", obj{"name": "admin", "password": theAdmin})).Object().Text("token")
	same := n.dial()
	if r := same.Call("admin.login", obj{"token": token}); r.OK() { // unless it took too long
		wantEnd(t, same, 4506)
	}
	e := wantEnd(t, c, 4506)
	if e.Bye != nil && e.Bye.Reason != "the admin's token has expired" {
		t.Errorf("the bye says %q", e.Bye.Reason)
	}
}
