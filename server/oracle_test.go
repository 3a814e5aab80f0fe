package server_test

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"rollcall/server"
	"rollcall/server/wiretest"
	"rollcall/store"
	"rollcall/store/storetest"
)

// What an answer may not tell, in its text or by the work that it costs: whether
// an address is known, and, where a scope says so, whether a user is.

// metric reads one number of /metrics.
func (n *node) metric(name string) int {
	n.t.Helper()
	m := regexp.MustCompile(`(?m)^` + name + ` (\S+)$`).FindStringSubmatch(n.page("/metrics"))
	if m == nil {
		n.t.Fatalf("no metric %s", name)
	}
	v, err := strconv.ParseFloat(m[1], 64)
	if err != nil {
		n.t.Fatal(err)
	}
	return int(v)
}

// hashesFor returns how many hashes a call costs.
func (n *node) hashesFor(call func()) int {
	n.t.Helper()
	before := n.metric("rollcall_hashes_total")
	call()
	return n.metric("rollcall_hashes_total") - before
}

// alike checks that two replies differ in their ids alone.
func alike(t *testing.T, a, b wiretest.Reply) {
	t.Helper()
	body := func(r wiretest.Reply) string { return strings.Replace(r.Raw, `"id":`+r.ID(), "", 1) }
	if body(a) != body(b) {
		t.Errorf("the replies differ: %s and %s", a.Raw, b.Raw)
	}
}

func TestAPasswordResetAnswersAlikeAndDoesTheSameWork(t *testing.T) {
	po := startPostOffice(t)
	n := start(t, po.configure, func(c *server.Config) { c.MailLimit = 1 })
	u := n.elsewhere("tina", obj{"email": "tina@home.example"})
	n.elsewhere("bare")
	c := n.client()
	ask := func(email string, more ...obj) (r wiretest.Reply) {
		t.Helper()
		if made := n.hashesFor(func() { r = c.Call("users.sendPasswordReset", with(append(more, obj{"email": email})...)) }); made != 0 {
			t.Errorf("a reset cost %d hashes before its answer", made)
		}
		return r
	}
	const known, unknown = "tina@home.example", "nobody@home.example"
	wantResult(t, ask(known), "true")
	wantResult(t, ask(unknown), "true")
	po.wait(1)
	// Beyond the limit of the one, of whom the other has none.
	for range 3 {
		alike(t, ask(known), ask(unknown))
	}
	for status, more := range map[int]obj{
		702: {"email_tpl": "absent"},
		802: {"email_tpl": "../x"},
		801: {"email_tpl": 5},
	} {
		alike(t, want(t, ask(known, more), status), want(t, ask(unknown, more), status))
	}
	// And when he is logged in, inactive, or on the very connection.
	login(t, c, u)
	alike(t, ask(known), ask(unknown))
	ok(t, c.Call("users.update", obj{"user_id": u.id, "update": obj{"active": false}}))
	alike(t, ask(known), ask(unknown))
	po.answers(refuse)
	alike(t, ask(known), ask(unknown))
}

// The store is asked after the answer: so while the store is stopped, both are
// answered all the same, and neither has queued a mail, for a mail needs a code.
func TestAPasswordResetIsAnsweredBeforeTheAddressIsLookedUp(t *testing.T) {
	redis := storetest.Redis(t)
	po := startPostOffice(t)
	n := startOn(t, redis.URL(), po.configure)
	n.elsewhere("tina", obj{"email": "tina@home.example"})
	c := n.client()
	before := commandCalls(t, redis)
	redis.Pause()
	t.Cleanup(redis.Resume)
	for range 5 {
		known := c.Call("users.sendPasswordReset", obj{"email": "tina@home.example"})
		unknown := c.Call("users.sendPasswordReset", obj{"email": "nobody@home.example"})
		wantResult(t, known, "true")
		alike(t, known, unknown)
	}
	if len(po.letters()) != 0 || po.tried() != 0 {
		t.Error("a mail went out while the store was stopped")
	}
	redis.Resume()
	for _, l := range po.wait(5) {
		l.wantHonest(t, "no-reply@rollcall.example", "tina@home.example")
	}
	if after := commandCalls(t, redis); after["get"] < before["get"]+10 {
		t.Errorf("%d addresses were looked up, want 10", after["get"]-before["get"])
	}
}

func TestAnAdminIsToldHowAResetWent(t *testing.T) {
	po := startPostOffice(t)
	n := start(t, po.configure)
	a, c := n.admin(), n.client()
	u, bare := create(t, c, "tina", obj{"email": "tina@home.example"}), create(t, c, "bare")
	wantResult(t, a.Call("admin.users.sendPasswordReset", u.ref()), "true")
	want(t, a.Call("admin.users.sendPasswordReset", bare.ref()), 704)
	want(t, a.Call("admin.users.sendPasswordReset", obj{"user_id": "00000000-1111-4222-8333-444444444444"}), 604)
	po.answers(refuse)
	want(t, a.Call("admin.users.sendPasswordReset", u.ref()), 701)
	want(t, c.Call("admin.users.sendPasswordReset", u.ref()), 606)
}

// refusedLogins starts a server with a user of each kind, on a Redis of its own,
// and lists logins that it refuses.
func refusedLogins(t *testing.T) (n *node, redis *storetest.Server, logins []refusedLogin) {
	redis = storetest.Redis(t)
	n = startOn(t, redis.URL())
	n.elsewhere("tina", obj{"email": "tina@home.example"})
	n.providers(obj{"openudid": obj{}})
	n.joins("device", with(udid(theDevice), obj{"email": "device@home.example"}))
	bringIn(t, redis.URL(), store.NewUser{Scope: theScope, Username: "imported", Email: "imported@home.example", Active: true})
	ok(t, n.admin().Call("admin.users.create", obj{"scope": theScope, "username": "handmade"}))
	return n, redis, []refusedLogin{
		{obj{"username": "tina"}, 603},
		{obj{"email": "tina@home.example"}, 603},
		{obj{"username": "nobody"}, 604},
		{obj{"email": "nobody@home.example"}, 604},
		{obj{"username": "device"}, 605},
		{obj{"email": "device@home.example"}, 605},
		{obj{"username": "handmade"}, 605},
		{obj{"username": "imported"}, 603},
		{obj{"email": "imported@home.example"}, 603},
	}
}

type refusedLogin struct {
	who    obj
	status int
}

func (l refusedLogin) String() string {
	for by, name := range l.who {
		return fmt.Sprintf("%s %v", by, name)
	}
	return ""
}

func (l refusedLogin) params() obj { return with(l.who, obj{"password": "wrong"}) }

func TestEveryRefusedLoginCostsOneHash(t *testing.T) {
	n, _, logins := refusedLogins(t)
	c := n.client()
	for _, l := range logins {
		if made := n.hashesFor(func() { want(t, c.Call("users.login", l.params()), l.status) }); made != 1 {
			t.Errorf("the login of %v cost %d hashes, want 1", l, made)
		}
	}
	if made := n.hashesFor(func() { ok(t, c.Call("users.login", obj{"username": "tina", "password": thePassword})) }); made != 1 {
		t.Errorf("a login that succeeds costs %d hashes", made)
	}
}

func TestAScopeThatHidesUnknownUsersRefusesAllAlike(t *testing.T) {
	n, redis, logins := refusedLogins(t)
	ok(t, n.admin().Call("admin.scopes.update", obj{"name": theScope, "options": obj{"hide_unknown": true}}))
	c := n.client()
	first := c.Call("users.login", logins[0].params())
	for _, l := range logins {
		if made := n.hashesFor(func() { alike(t, first, want(t, c.Call("users.login", l.params()), 603)) }); made != 1 {
			t.Errorf("the login of %v cost %d hashes, want 1", l, made)
		}
	}

	// What the store is asked. The server asks it for reasons of its own too, so
	// the least of several rounds counts.
	const rounds, times = 6, 5
	least := map[string]int{}
	for range rounds {
		for _, l := range logins {
			before := commandCalls(t, redis)
			for range times {
				want(t, c.Call("users.login", l.params()), 603)
			}
			after, asked := commandCalls(t, redis), 0
			for name := range after {
				if name != "info" {
					asked += after[name] - before[name]
				}
			}
			if most, known := least[l.String()]; !known || asked < most {
				least[l.String()] = asked
			}
		}
	}
	for who, asked := range least {
		if asked != least[logins[0].String()] {
			t.Errorf("%d logins of %s ask the store %d times, of %s %d times", times, who, asked, logins[0], least[logins[0].String()])
		}
	}
}

// commandCalls counts the commands that a Redis server has run, by name.
func commandCalls(t *testing.T, redis *storetest.Server) map[string]int {
	t.Helper()
	info, err := redis.Client().Info(context.Background(), "commandstats").Result()
	if err != nil {
		t.Fatal(err)
	}
	calls := map[string]int{}
	for _, m := range regexp.MustCompile(`cmdstat_(\S+?):calls=(\d+)`).FindAllStringSubmatch(info, -1) {
		calls[m[1]], _ = strconv.Atoi(m[2])
	}
	return calls
}
