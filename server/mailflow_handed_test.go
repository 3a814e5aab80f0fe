package server_test

import (
	"testing"
	"time"

	"rollcall/protocol"
	"rollcall/server/passwords"
	"rollcall/server/wiretest"
	"rollcall/store"
	"rollcall/store/storetest"
)

// adminAs makes an admin account in a store and opens a connection of it.
func (n *node) adminAs(storeURL, role string, scopes ...string) *wiretest.Client {
	n.t.Helper()
	st, err := store.Open(n.t.Context(), store.Config{URL: storeURL})
	if err != nil {
		n.t.Fatal(err)
	}
	defer st.Close()
	pool, err := passwords.NewPool(passwords.Options{Params: passwords.Params{Memory: 64, Time: 1, Threads: 1}, Workers: 1, Queue: 1})
	if err != nil {
		n.t.Fatal(err)
	}
	defer pool.Close()
	record, err := pool.Hash(n.t.Context(), passwords.Admins, theAdmin)
	if err != nil {
		n.t.Fatal(err)
	}
	name := role
	for _, scope := range scopes {
		name += " of " + scope
	}
	if _, err := st.CreateAdmin(n.t.Context(), store.Admin{Name: name, Role: role, Scopes: scopes, Password: record}); err != nil {
		n.t.Fatal(err)
	}
	c := n.dial()
	ok(n.t, c.Call("admin.login", obj{"name": name, "password": theAdmin}))
	return c
}

func TestOnlyAnOwnerIsHandedALink(t *testing.T) {
	redis := storetest.Redis(t)
	po := startPostOffice(t)
	n := startOn(t, redis.URL(), po.configure)
	c := n.client()
	u := registers(t, c, "tina")
	for _, typ := range []string{"admin.users.confirmLink", "admin.users.resetLink"} {
		want(t, c.Call(typ, u.ref()), 606)
	}
	for role, status := range map[string]int{protocol.RoleViewer: 606, protocol.RoleOperator: 606, protocol.RoleOwner: 0} {
		a := n.adminAs(redis.URL(), role)
		for _, typ := range []string{"admin.users.confirmLink", "admin.users.resetLink"} {
			want(t, a.Call(typ, u.ref()), status)
		}
	}
	for scope, status := range map[string]int{theScope: 0, "another": 604} {
		a := n.adminAs(redis.URL(), protocol.RoleOwner, scope)
		for _, typ := range []string{"admin.users.confirmLink", "admin.users.resetLink"} {
			want(t, a.Call(typ, u.ref()), status)
		}
	}
}

func TestAHandedLinkWorksOnceAndSaysUntilWhen(t *testing.T) {
	po := startPostOffice(t)
	n := start(t, po.configure)
	a, c := n.admin(), n.client()
	u := registers(t, c, "tina")
	links := map[string]string{}
	for typ, ttl := range map[string]time.Duration{"admin.users.confirmLink": 48 * time.Hour, "admin.users.resetLink": time.Hour} {
		o := ok(t, a.Call(typ, u.ref())).Object()
		wantMembers(t, o, "link expires_at")
		until, err := time.Parse(time.RFC3339, o.Text("expires_at"))
		if left := time.Until(until); err != nil || !timeForm.MatchString(o.Text("expires_at")) || left > ttl || left < ttl-time.Minute {
			t.Errorf("%s is good until %s, want in %v", typ, o.Text("expires_at"), ttl)
		}
		links[typ] = o.Text("link")
		n.wantUnlogged(codeIn(t, links[typ]))
	}
	po.wait(1) // the registration's; nobody was mailed a handed link
	confirm, reset := links["admin.users.confirmLink"], links["admin.users.resetLink"]
	open(t, confirm).submit().want(200)
	n.wantConfirmation(a, u, "")
	open(t, confirm).want(410)
	want(t, a.Call("admin.users.confirmLink", u.ref()), 614)
	open(t, reset).submit("password", "p", "again", "p").want(200)
	open(t, reset).want(410)
	u.password = "p"
	login(t, n.client(), u)

	bare := create(t, c, "bare") // has no address, and needs none
	link := ok(t, a.Call("admin.users.resetLink", bare.ref())).Object().Text("link")
	open(t, link).submit("password", "q", "again", "q").want(200)
	bare.password = "q"
	login(t, n.client(), bare)
}
