package server_test

import (
	"testing"

	"rollcall/server/wiretest"
	"rollcall/store/storetest"
)

// wantUser checks whether a connection is logged in as a user that it did not make.
func wantUser(t *testing.T, c *wiretest.Client, u user, yes bool) {
	t.Helper()
	want(t, c.Call("users.get", u.ref()), ifElse(yes, 0, 606))
}

func resume(c *wiretest.Client, token string) wiretest.Reply {
	return c.Call("users.resume", obj{"session": token})
}

func TestASecondLoginLeavesTheFirstConnection(t *testing.T) {
	n := start(t)
	u := n.elsewhere("tiny")
	a, b := n.client(), n.client()
	login(t, a, u)
	login(t, b, u)
	wantUser(t, a, u, true)
	wantUser(t, b, u, true)
}

func TestAResumeContinuesTheSessionAndClosesItsOlderConnection(t *testing.T) {
	n := start(t)
	u := n.elsewhere("tiny", obj{"email": "tiny@home.com", "extra": obj{"a": 1}})
	first, second, other := n.client(), n.client(), n.client()
	token := login(t, first, u)
	login(t, other, u)

	o := ok(t, resume(second, token)).Object()
	wantMembers(t, o, loginMembers+" email extra")
	if o.Text("user_id") != u.id || o.Object("session").Text("token") != token {
		t.Errorf("resumed as another user or with another token: %v", o.Names())
	}
	wantEnd(t, first, 4501)
	wantUser(t, second, u, true)
	wantUser(t, other, u, true) // another session of the same user
}

func TestInitWithASessionResumesIt(t *testing.T) {
	n := start(t)
	u := n.elsewhere("tiny")
	first, second := n.client(), n.dial()
	token := login(t, first, u)
	params := initParams(theScope)
	params["session"] = token
	o := ok(t, second.Call("core.init", params)).Object()
	wantMembers(t, o, "session_id scope server_time ping_interval_ms user")
	wantMembers(t, o.Object("user"), loginMembers)
	wantEnd(t, first, 4501)
	wantUser(t, second, u, true)
}

func TestInitWithADeadSessionIsAnonymous(t *testing.T) {
	n := start(t)
	u := n.elsewhere("tiny")
	first := n.client()
	token := login(t, first, u)
	ok(t, first.Call("users.logout", nil))
	for _, dead := range []string{token, "nonsense"} {
		c := n.dial()
		params := initParams(theScope)
		params["session"] = dead
		wantMembers(t, ok(t, c.Call("core.init", params)).Object(), "session_id scope server_time ping_interval_ms")
		wantUser(t, c, u, false)
	}
}

func TestATokenThatIsNoneIsRefused(t *testing.T) {
	n := start(t)
	u := n.elsewhere("tiny")
	c := n.client()
	token := login(t, c, u)
	other := []byte(token)
	other[len(other)/2] ^= 1
	for name, tt := range map[string]struct {
		session any
		status  int
	}{
		"nonsense":            {"nonsense", 607},
		"one bit off":         {string(other), 607},
		"cut":                 {token[:len(token)-1], 607},
		"longer":              {token + "A", 607},
		"the user's id":       {u.id, 607},
		"controls and spaces": {"\x00 \n", 607},
		"empty":               {"", 802},
		"another type":        {5, 801},
	} {
		t.Run(name, func(t *testing.T) {
			want(t, n.client().Call("users.resume", obj{"session": tt.session}), tt.status)
		})
	}
}

func TestALostConnectionEndsNoSession(t *testing.T) {
	n := start(t)
	u := n.elsewhere("tiny")
	for what, lose := range map[string]func(*wiretest.Client) error{
		"closed":  func(c *wiretest.Client) error { return c.Close() },
		"reset":   func(c *wiretest.Client) error { return c.Reset() },
		"goodbye": func(c *wiretest.Client) error { return c.WriteFrame(wiretest.Frame{Op: wiretest.OpClose}) },
	} {
		t.Run(what, func(t *testing.T) {
			c := n.client()
			token := login(t, c, u)
			if err := lose(c); err != nil {
				t.Fatal(err)
			}
			again := n.client()
			ok(t, resume(again, token))
			wantUser(t, again, u, true)
		})
	}
}

func TestLogoutEndsTheSessionAndLeavesTheConnection(t *testing.T) {
	n := start(t)
	u := n.elsewhere("tiny")
	c, other := n.client(), n.client()
	token, kept := login(t, c, u), login(t, other, u)
	wantResult(t, c.Call("users.logout", nil), "true")
	want(t, resume(c, token), 607)
	want(t, resume(n.client(), token), 607)
	wantUser(t, c, u, false)
	want(t, c.Call("users.logout", nil), 606)
	wantUser(t, other, u, true)
	login(t, c, u)
	ok(t, resume(n.client(), kept))
}

func TestLogoutOfAllEndsEverySessionOfTheUser(t *testing.T) {
	n := start(t)
	u, v := n.elsewhere("tiny"), n.elsewhere("bystander")
	c, other, gone, bystander := n.client(), n.client(), n.client(), n.client()
	tokens := []string{login(t, c, u), login(t, other, u), login(t, gone, u)}
	login(t, bystander, v)
	gone.Close()
	wantResult(t, c.Call("users.logout", obj{"all": true}), "true")
	wantEnd(t, other, 4506)
	for _, token := range tokens {
		want(t, resume(n.client(), token), 607)
	}
	wantUser(t, c, u, false)
	wantUser(t, bystander, v, true)
}

// sessionsEnd is what ends a user's sessions, asked by the user or by an admin.
var sessionsEnd = []struct {
	name  string
	typ   string
	extra obj
	keeps bool // the session on which it was asked
	admin bool
}{
	{"a new password", "users.update", obj{"update": obj{"password": "new-secret"}}, true, false},
	{"a new password as a hash", "users.update", obj{"update": obj{"password_hash": passwordHash(theScope, "new-secret")}}, true, false},
	{"a deletion", "users.delete", nil, false, false},
	{"a new password by an admin", "admin.users.update", obj{"update": obj{"password": "new-secret"}}, false, true},
	{"a deletion by an admin", "admin.users.delete", nil, false, true},
}

// testSessionsEnd runs what ends sessions on node a, with sessions on a and b.
func testSessionsEnd(t *testing.T, a, b *node) {
	for i, tt := range sessionsEnd {
		t.Run(tt.name, func(t *testing.T) {
			u := a.elsewhere("tiny" + string(rune('a'+i)))
			v := a.elsewhere("bystander" + string(rune('a'+i)))
			here, there, own, gone, bystander := a.client(), b.client(), a.client(), b.client(), b.client()
			dead := []string{login(t, here, u), login(t, there, u), login(t, gone, u)}
			login(t, bystander, v)
			gone.Close()
			mine := ""
			asker := own
			if tt.admin {
				asker = a.admin()
			} else {
				mine = login(t, own, u)
			}
			params := u.ref()
			for k, v := range tt.extra {
				params[k] = v
			}
			ok(t, asker.Call(tt.typ, params))

			wantEnd(t, here, 4506)
			wantEnd(t, there, 4506)
			for _, token := range dead {
				want(t, resume(a.client(), token), 607)
				want(t, resume(b.client(), token), 607)
			}
			wantUser(t, bystander, v, true)
			switch {
			case tt.keeps:
				wantUser(t, own, u, true)
				ok(t, resume(b.client(), mine))
				wantEnd(t, own, 4501)
			case mine != "":
				want(t, resume(b.client(), mine), 607)
			}
		})
	}
}

func TestAUsersOtherSessionsEnd(t *testing.T) {
	n := start(t)
	testSessionsEnd(t, n, n)
}

func TestAUsersOtherSessionsEndOnEveryNode(t *testing.T) {
	url := storetest.Redis(t).URL()
	testSessionsEnd(t, startOn(t, url), startOn(t, url))
}

func TestAResumeOnAnotherNodeClosesTheOlderConnection(t *testing.T) {
	url := storetest.Redis(t).URL()
	a, b := startOn(t, url), startOn(t, url)
	u := a.elsewhere("tiny")
	first, second, third := a.client(), b.client(), a.client()
	token := login(t, first, u)
	ok(t, resume(second, token))
	wantEnd(t, first, 4501)
	ok(t, resume(third, token)) // and back again
	wantEnd(t, second, 4501)
	wantUser(t, third, u, true)

	other := b.client()
	login(t, other, u)
	wantResult(t, third.Call("users.logout", obj{"all": true}), "true")
	wantEnd(t, other, 4506)
	want(t, resume(b.client(), token), 607)
}

func TestAResumeOnTheSameConnectionKeepsIt(t *testing.T) {
	n := start(t)
	u := n.elsewhere("tiny")
	c := n.client()
	token := login(t, c, u)
	ok(t, resume(c, token))
	ok(t, resume(c, token))
	wantUser(t, c, u, true)
}

func TestAUserIsServedAlikeByEveryNode(t *testing.T) {
	url := storetest.Redis(t).URL()
	a, b := startOn(t, url), startOn(t, url)
	ca, cb := a.client(), b.client()
	u := create(t, ca, "tiny", obj{"email": "tiny@home.com"})
	want(t, cb.Call("users.create", obj{"username": "TINY", "password": thePassword}), 600)
	want(t, cb.Call("users.get", u.ref()), 606) // created on another connection
	login(t, cb, u)
	ok(t, ca.Call("users.update", obj{"user_id": u.id, "update": obj{"group": "red"}}))
	if o := ok(t, cb.Call("users.get", u.ref())).Object(); o.Text("group") != "red" {
		t.Errorf("the other node reads %v", o)
	}
}
