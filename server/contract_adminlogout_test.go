package server_test

import (
	"testing"

	"rollcall/server/wiretest"
)

// tokenOf logs in as an admin and returns the connection and its token.
func (n *node) tokenOf(name, password string) (*wiretest.Client, string) {
	n.t.Helper()
	c := n.dial()
	return c, ok(n.t, c.Call("admin.login", obj{"name": name, "password": password})).Object().Text("token")
}

// byToken opens an admin's connection by a token.
func (n *node) byToken(token string) *wiretest.Client {
	n.t.Helper()
	c := n.dial()
	ok(n.t, c.Call("admin.login", obj{"token": token}))
	return c
}

func wantLoggedOut(t *testing.T, c *wiretest.Client) {
	t.Helper()
	if e := wantEnd(t, c, 4506); e.Bye != nil && e.Bye.Reason != "logged out" {
		t.Errorf("the bye says %q", e.Bye.Reason)
	}
}

func TestALogoutEndsTheTokenAndItsConnectionsOnEveryNode(t *testing.T) {
	onTwoNodes(t, func(t *testing.T, here, there *node) {
		c, token := here.tokenOf("admin", theAdmin)
		beside, abroad := here.byToken(token), there.byToken(token)
		other, kept := there.tokenOf("admin", theAdmin)
		wantResult(t, c.Call("admin.logout", nil), "true") // and then
		wantLoggedOut(t, c)
		wantLoggedOut(t, beside)
		wantLoggedOut(t, abroad)
		for _, n := range []*node{here, there} {
			want(t, n.dial().Call("admin.login", obj{"token": token}), 607)
			ok(t, n.byToken(kept).Call("admin.scopes.list", nil))
		}
		ok(t, other.Call("admin.scopes.list", nil)) // the account's other tokens live on
		wantResult(t, other.Call("admin.logout", obj{}), "true")
		wantLoggedOut(t, other)
	})
}

func TestAnAdminOfEveryRoleMayLogOut(t *testing.T) {
	n := start(t)
	for _, role := range roles {
		for _, scopes := range [][]string{nil, {theScope}} {
			c := n.staff(role.name, scopes...)
			wantResult(t, c.Call("admin.logout", nil), "true")
			wantLoggedOut(t, c)
		}
	}
	want(t, n.client().Call("admin.logout", nil), 606)
	want(t, n.dial().Call("admin.logout", nil), 806)
}

func TestWhatWasSentBeforeALogoutIsDoneAndWhatWasSentAfterIsNot(t *testing.T) {
	n := start(t)
	a := n.admin()
	c, _ := n.tokenOf("admin", theAdmin)
	c.Send("admin.scopes.create", obj{"name": "before"})
	c.Send("admin.logout", nil)
	for range 20 {
		c.Send("admin.scopes.create", obj{"name": "after"})
	}
	if e := c.WaitEnd(); e.Close == nil || e.Close.Code != 4506 {
		t.Errorf("the connection ended with %v", e.Close)
	}
	names := ""
	for _, s := range list(ok(t, a.Call("admin.scopes.list", nil)).Result()) {
		names += s.Text("name") + ", "
	}
	if names != theScope+", before, " && names != "before, "+theScope+", " {
		t.Errorf("the scopes are %s", names)
	}
}

// A token that was logged out while its connection set a new password is not kept.
func TestANewPasswordDoesNotReviveATokenThatWasLoggedOut(t *testing.T) {
	n := start(t)
	n.makeAdmin(n.admin(), "ops", "operator").Close()
	for range 10 {
		c, token := n.tokenOf("ops", adminPassword)
		beside := n.byToken(token)
		c.Send("admin.admins.setPassword", obj{"name": "ops", "password": adminPassword})
		beside.Send("admin.logout", nil) // whichever comes first
		if e := beside.WaitEnd(); e.Close == nil || e.Close.Code != 4506 {
			t.Fatalf("the connection ended with %v", e.Close)
		}
		if n.dial().Call("admin.login", obj{"token": token}).OK() {
			// The password came first, and ended the connection before it could log out.
			ok(t, c.Call("admin.logout", nil))
		}
		if e := c.WaitEnd(); e.Close == nil || e.Close.Code != 4506 {
			t.Fatalf("the connection ended with %v", e.Close)
		}
		want(t, n.dial().Call("admin.login", obj{"token": token}), 607)
	}
}
