package server_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"rollcall/protocol"
	"rollcall/server/wiretest"
)

// An errand is one message of an admin, about a scope or a user of it. Who may
// send it stands in the table of messages.
type errand struct {
	typ string
	// params are about a scope that has one user, pending and with an address,
	// and about an account that nobody is logged in as.
	params func(scope string, u user, account string) obj
	// elsewhere is the status for an admin who does not cover the scope: that of
	// an unknown one. 0 means that the message names no scope.
	elsewhere int
}

func onUser(_ string, u user, _ string) obj          { return u.ref() }
func onScope(scope string, _ user, _ string) obj     { return obj{"scope": scope} }
func onNothing(string, user, string) obj             { return nil }
func onAccount(_ string, _ user, account string) obj { return obj{"name": account} }

var errands = []errand{
	{"admin.subscribe", onScope, 1004},
	{"admin.unsubscribe", nil, 0}, // of a subscription made before
	{"admin.stats", onScope, 1004},
	{"admin.logout", onNothing, 0},
	{"admin.nodes", onNothing, 0},
	{"admin.server", onNothing, 0},
	{"admin.users.list", onScope, 1004},
	{"admin.users.get", onUser, 604},
	{"admin.users.create", onScope, 1004},
	{"admin.users.update", func(_ string, u user, _ string) obj {
		return obj{"user_id": u.id, "update": obj{"group": "red"}}
	}, 604},
	{"admin.users.delete", onUser, -1}, // 0, as for an unknown user
	{"admin.users.resendConfirmation", onUser, 604},
	{"admin.users.sendPasswordReset", onUser, 604},
	{"admin.users.confirmLink", onUser, 604},
	{"admin.users.resetLink", onUser, 604},
	{"admin.users.ban", onUser, 604},
	{"admin.users.unban", onUser, 604},
	{"admin.users.export", onUser, 604},
	{"admin.users.import", func(scope string, _ user, _ string) obj {
		return obj{"scope": scope, "users": []obj{{"username": "imported", "kind": "unknown"}}}
	}, 1004},
	{"admin.sessions.list", onScope, 1004},
	{"admin.sessions.kick", onUser, 604},
	{"admin.scopes.list", onNothing, 0},
	{"admin.scopes.create", func(scope string, _ user, _ string) obj { return obj{"name": "new " + scope} }, 0},
	{"admin.scopes.update", func(scope string, _ user, _ string) obj { return obj{"name": scope, "sessions": "single"} }, 1004},
	{"admin.scopes.delete", func(scope string, _ user, _ string) obj { return obj{"name": scope} }, 1004},
	{"admin.scopes.deliveries", func(scope string, _ user, _ string) obj { return obj{"name": scope} }, 1004},
	{"admin.admins.list", onNothing, 0},
	{"admin.admins.create", func(_ string, _ user, account string) obj {
		return obj{"name": "new-" + account, "role": "viewer", "password": staffPassword}
	}, 0},
	{"admin.admins.delete", onAccount, 0},
	{"admin.admins.setPassword", func(_ string, _ user, account string) obj {
		return obj{"name": account, "password": staffPassword}
	}, 0},
}

// ownersOnly are messages whose table entry lets in more than may do this: an
// account other than one's own.
var ownersOnly = []string{"admin.admins.setPassword"}

func needs(typ string) protocol.Access {
	if slices.Contains(ownersOnly, typ) {
		return protocol.AccessOwner
	}
	return protocol.Lookup(typ).Access
}

var roles = []struct {
	name string
	rank protocol.Access
}{{"viewer", protocol.AccessViewer}, {"operator", protocol.AccessOperator}, {"owner", protocol.AccessOwner}}

func TestEveryAdminMessageHasAnErrand(t *testing.T) {
	for _, m := range protocol.Messages() {
		has := slices.ContainsFunc(errands, func(e errand) bool { return e.typ == m.Type })
		if strings.HasPrefix(m.Type, "admin.") && m.Type != "admin.login" && !has {
			t.Errorf("nobody tests who may send %s", m.Type)
		}
	}
}

// stage makes a scope with a user in it, and an account.
func (n *node) stage(t *testing.T, name string) (scope string, u user, account string) {
	t.Helper()
	scope = fmt.Sprintf("%s %d", name, fences.Add(1))
	c := n.client(scope)
	u = registers(t, c, "tina", obj{"email": fmt.Sprintf("tina-%d@home.example", fences.Add(1))})
	c.Close()
	spare, account := n.staffNamed("viewer")
	spare.Close()
	return scope, u, account
}

// does runs an errand as an admin.
func (e errand) does(t *testing.T, c *wiretest.Client, scope string, u user, account string) wiretest.Reply {
	t.Helper()
	if e.typ != "admin.unsubscribe" {
		return c.Call(e.typ, e.params(scope, u, account))
	}
	s := ok(t, c.Call("admin.subscribe", obj{"scope": "*"})).Object()
	return c.Call(e.typ, obj{"subscription": s.Text("subscription")})
}

func TestEachRoleMayDoWhatItsRankAllows(t *testing.T) {
	po := startPostOffice(t)
	n := start(t, po.configure)
	for _, e := range errands {
		for _, role := range roles {
			t.Run(e.typ+" by a "+role.name, func(t *testing.T) {
				scope, u, account := n.stage(t, "s")
				if e.typ == "admin.scopes.delete" { // only one without users is deleted
					ok(t, n.admin().Call("admin.users.delete", u.ref()))
				}
				r := e.does(t, n.staff(role.name), scope, u, account)
				want(t, r, ifElse(role.rank >= needs(e.typ), 0, 606))
			})
		}
	}
}

func TestAnAdminOfSomeScopesMayDoThereWhatTheRoleAllows(t *testing.T) {
	po := startPostOffice(t)
	n := start(t, po.configure)
	n.client("another").Close()
	for _, e := range errands {
		if e.elsewhere == 0 { // see the tests of limited owners below
			continue
		}
		for _, role := range roles {
			t.Run(e.typ+" by a "+role.name, func(t *testing.T) {
				scope, u, account := n.stage(t, "s")
				if e.typ == "admin.scopes.delete" {
					ok(t, n.admin().Call("admin.users.delete", u.ref()))
				}
				r := e.does(t, n.staff(role.name, "another", scope), scope, u, account)
				want(t, r, ifElse(role.rank >= needs(e.typ), 0, 606))
			})
		}
	}
}

func TestAScopeThatAnAdminDoesNotCoverLooksLikeNone(t *testing.T) {
	po := startPostOffice(t)
	n := start(t, po.configure)
	owner := n.admin()
	n.client("another").Close()
	for _, e := range errands {
		if e.elsewhere == 0 {
			continue
		}
		for _, role := range roles {
			t.Run(e.typ+" by a "+role.name, func(t *testing.T) {
				scope, u, account := n.stage(t, "s")
				c := n.staff(role.name, "another")
				before := ok(t, owner.Call("admin.users.get", u.ref())).Object()
				there := e.does(t, c, scope, u, account)
				nowhere := e.does(t, c, "nowhere", user{id: nobodysID}, account)
				if there.Status() != nowhere.Status() || there.Message() != nowhere.Message() || there.Result() != nowhere.Result() {
					t.Errorf("the answers tell what exists: %s and %s", there.Raw, nowhere.Raw)
				}
				switch {
				case role.rank < needs(e.typ):
					want(t, there, 606)
				case e.elsewhere < 0:
					wantResult(t, there, "0")
				default:
					want(t, there, e.elsewhere)
				}
				after := ok(t, owner.Call("admin.users.get", u.ref())).Object()
				for _, name := range []string{"group", "active", "ban", "updated_at", "confirmation"} {
					if after.Raw(name) != before.Raw(name) {
						t.Errorf("%s went from %s to %s", name, before.Raw(name), after.Raw(name))
					}
				}
				wantMembers(t, after, userMembers+" email confirmation sessions events", "provider_objects")
			})
		}
	}
}

func TestAnAdminOfSomeScopesSeesThoseAlone(t *testing.T) {
	n := start(t)
	for _, scope := range []string{"one", "two", "three"} {
		c := n.client(scope)
		login(t, c, create(t, c, "tiny"))
	}
	for _, role := range roles {
		c := n.staff(role.name, "one", "three")
		var names []string
		for _, s := range list(ok(t, c.Call("admin.scopes.list", nil)).Result()) {
			names = append(names, s.Text("name"))
		}
		slices.Sort(names)
		if got := strings.Join(names, " "); got != "one three" {
			t.Errorf("a %s of one and three sees %q", role.name, got)
		}
		f := n.followAs(c, obj{"scope": "*", "last": 1000})
		for _, scope := range []string{"two", theScope, "*"} {
			if _, shown := f.heads[scope]; shown {
				t.Errorf("a %s of one and three is shown the head of %q", role.name, scope)
			}
		}
	}
}

func TestAnAdminChangesTheOwnPasswordWhateverTheRole(t *testing.T) {
	n := start(t)
	for _, role := range roles {
		for _, scopes := range [][]string{nil, {theScope}} {
			t.Run(fmt.Sprint(role.name, " ", scopes), func(t *testing.T) {
				c, name := n.staffNamed(role.name, scopes...)
				second := n.dial()
				token := ok(t, second.Call("admin.login", obj{"name": name, "password": staffPassword})).Object().Text("token")
				const newer = "another one for staff"
				o := ok(t, c.Call("admin.admins.setPassword", obj{"name": name, "password": newer})).Object()
				wantMembers(t, o, "name role created_at", "scopes")
				ok(t, c.Call("admin.scopes.list", nil)) // this session goes on
				want(t, n.dial().Call("admin.login", obj{"token": token}), 607)
				want(t, n.dial().Call("admin.login", obj{"name": name, "password": staffPassword}), 603)
				ok(t, n.dial().Call("admin.login", obj{"name": name, "password": newer}))
			})
		}
	}
}

func TestAnOwnerOfSomeScopesCannotBecomeMore(t *testing.T) {
	n := start(t)
	n.client("mine").Close()
	c, name := n.staffNamed("owner", "mine")
	refused := func(r wiretest.Reply) {
		t.Helper()
		if r.Status() != 606 && r.Status() != 604 && r.Status() != 1004 {
			t.Errorf("got %s, want a refusal", r.Raw)
		}
	}
	want(t, c.Call("admin.scopes.create", obj{"name": "more"}), 606)
	for what, scopes := range map[string]any{"all scopes": []string{}, "another scope": []string{theScope}, "one more": []string{"mine", theScope}, "the name of all": []string{"*"}} {
		for _, role := range roles {
			r := c.Call("admin.admins.create", obj{"name": fmt.Sprint("more ", what, role.name), "role": role.name, "scopes": scopes, "password": staffPassword})
			if r.Status() != 606 && r.Status() != 1004 && r.Status() != 802 {
				t.Errorf("an owner of one scope made an account for %s: %s", what, r.Raw)
			}
		}
	}
	want(t, c.Call("admin.admins.create", obj{"name": "more", "role": "owner", "password": staffPassword}), 606)
	for _, other := range []string{"admin", func() string { _, name := n.staffNamed("owner", "mine", theScope); return name }()} {
		refused(c.Call("admin.admins.setPassword", obj{"name": other, "password": staffPassword}))
		refused(c.Call("admin.admins.delete", obj{"name": other}))
	}
	ok(t, n.dial().Call("admin.login", obj{"name": "admin", "password": theAdmin}))
	again := n.dial()
	o := ok(t, again.Call("admin.login", obj{"name": name, "password": staffPassword})).Object()
	if o.Raw("scopes") != `["mine"]` {
		t.Errorf("the account is for %s", o.Raw("scopes"))
	}
}

func TestPlayersMaySendNoMessageOfAdmins(t *testing.T) {
	n := start(t)
	u, c := n.loggedIn("tiny")
	for _, client := range []*wiretest.Client{c, n.client()} {
		for _, e := range errands {
			params := obj{"subscription": "s1"}
			if e.params != nil {
				params = e.params(theScope, u, "admin")
			}
			want(t, client.Call(e.typ, params), 606)
		}
	}
	wantUser(t, c, u, true)
}
