package server_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"rollcall/server/wiretest"
)

// sessionsOf lists a user's sessions.
func sessionsOf(t *testing.T, a *wiretest.Client, u user) []wiretest.Object {
	t.Helper()
	return list(ok(t, a.Call("admin.sessions.list", obj{"scope": theScope, "user_id": u.id})).Result())
}

func TestTheSessionsOfAScopeAreListedWithTheirConnections(t *testing.T) {
	onBoth(t, func(t *testing.T, a, b named) {
		u, v := a.elsewhere("tiny"), a.elsewhere("tina")
		admin := a.admin()
		if r := ok(t, admin.Call("admin.sessions.list", obj{"scope": theScope})); r.Result() != "[]" {
			t.Errorf("before any login: %s", r.Raw)
		}
		one, two := b.clientAs(theClient), a.client()
		token := login(t, one, u)
		login(t, two, v)
		abroad := b.client("other")
		login(t, abroad, create(t, abroad, "abroad"))

		r := ok(t, admin.Call("admin.sessions.list", obj{"scope": theScope}))
		all := list(r.Result())
		if len(all) != 2 {
			t.Fatalf("%d sessions, want 2: %s", len(all), r.Raw)
		}
		seen := map[string]bool{}
		for _, s := range all {
			seen[s.Text("session_id")] = true
			switch s.Text("user_id") {
			case u.id:
				wantMembers(t, s, "session_id user_id created_at expires_at node connected_at client ip")
				if s.Text("node") != b.name || s.Object("client").Text("name") != "space-race" || s.Object("client").Text("platform") != "android" {
					t.Errorf("got the session %v", s)
				}
			case v.id:
				wantMembers(t, s, "session_id user_id created_at expires_at node connected_at ip")
				if s.Text("node") != a.name {
					t.Errorf("got the session %v", s)
				}
			default:
				t.Errorf("got the session %v", s)
			}
			if s.Text("ip") != "127.0.0.1" {
				t.Errorf("the address is %s", s.Raw("ip"))
			}
			for _, name := range []string{"created_at", "expires_at", "connected_at"} {
				if at, err := time.Parse(time.RFC3339, s.Text(name)); err != nil || !timeForm.MatchString(s.Text(name)) || name != "expires_at" && time.Since(at) > time.Hour {
					t.Errorf("%s is %s", name, s.Raw(name))
				}
			}
			if id := s.Text("session_id"); id == "" || strings.Contains(r.Raw, token) {
				t.Errorf("the session_id is %q, and the token must not show", id)
			}
			want(t, resume(b.client(), s.Text("session_id")), 607)
		}
		if len(seen) != 2 {
			t.Errorf("the session_ids are %v", seen)
		}
	})
}

func TestAUsersSessionsAreListedConnectedOrNot(t *testing.T) {
	onBoth(t, func(t *testing.T, a, b named) {
		u := a.elsewhere("tiny")
		admin := a.admin()
		if all := sessionsOf(t, admin, u); len(all) != 0 {
			t.Errorf("before any login: %v", all)
		}
		one, two := a.client(), b.client()
		login(t, one, u)
		token := login(t, two, u)
		if all := sessionsOf(t, admin, u); len(all) != 2 {
			t.Errorf("%d sessions, want 2", len(all))
		}
		two.Close()
		await(t, "one session is without a connection", func() bool {
			all := sessionsOf(t, admin, u)
			bare := slices.DeleteFunc(slices.Clone(all), func(s wiretest.Object) bool { return s.Raw("node") != "" })
			if len(bare) == 1 {
				wantMembers(t, bare[0], "session_id user_id created_at expires_at")
			}
			return len(all) == 2 && len(bare) == 1
		})
		await(t, "the scope has one connected session", func() bool {
			return len(list(ok(t, admin.Call("admin.sessions.list", obj{"scope": theScope})).Result())) == 1
		})
		ok(t, resume(b.client(), token))
		await(t, "the scope has two again", func() bool {
			return len(list(ok(t, admin.Call("admin.sessions.list", obj{"scope": theScope})).Result())) == 2
		})
		ok(t, one.Call("users.logout", nil))
		if all := sessionsOf(t, admin, u); len(all) != 1 {
			t.Errorf("after a logout %d sessions, want 1", len(all))
		}
	})
}

func TestAListingOfSessionsIsHeldToItsBounds(t *testing.T) {
	n := start(t, noAutoScopes)
	u := n.elsewhere("tiny")
	a := n.admin()
	ok(t, a.Call("admin.scopes.create", obj{"name": "other"}))
	abroad := create(t, n.client("other"), "abroad")
	for name, tt := range map[string]struct {
		params any
		status int
	}{
		"no scope":                {nil, 804},
		"a user without a scope":  {u.ref(), 804},
		"an unknown scope":        {obj{"scope": "nowhere"}, 1004},
		"a scope of another type": {obj{"scope": 5}, 801},
		"an unknown user":         {obj{"scope": theScope, "user_id": nobodysID}, 604},
		"a user of another scope": {obj{"scope": theScope, "user_id": abroad.id}, 604},
		"no user_id":              {obj{"scope": theScope, "user_id": "tiny"}, 802},
		"a user of another type":  {obj{"scope": theScope, "user_id": 5}, 801},
	} {
		t.Run(name, func(t *testing.T) { want(t, a.Call("admin.sessions.list", tt.params), tt.status) })
	}
}

func TestASessionIsKicked(t *testing.T) {
	onBoth(t, func(t *testing.T, a, b named) {
		u := a.elsewhere("tiny")
		admin := a.admin()
		one, two := a.client(), b.client()
		kept := login(t, one, u)
		first := sessionsOf(t, admin, u)[0].Text("session_id")
		token := login(t, two, u)
		var id string
		for _, s := range sessionsOf(t, admin, u) {
			if s.Text("session_id") != first {
				id = s.Text("session_id")
			}
		}
		wantResult(t, admin.Call("admin.sessions.kick", obj{"session_id": id, "reason": "go and drink water"}), "1")
		if e := wantEnd(t, two, 4502); e.Bye != nil && e.Bye.Reason != "go and drink water" {
			t.Errorf("the bye is %s, want the reason in it", e.Bye.Raw)
		}
		want(t, resume(b.client(), token), 607)
		wantUser(t, one, u, true)
		ok(t, resume(b.client(), kept))
		if all := sessionsOf(t, admin, u); len(all) != 1 || all[0].Text("session_id") != first {
			t.Errorf("the sessions %v are left, want the other one", all)
		}
		wantResult(t, admin.Call("admin.sessions.kick", obj{"session_id": id}), "0")
	})
}

func TestAllSessionsOfAUserAreKicked(t *testing.T) {
	onBoth(t, func(t *testing.T, a, b named) {
		u, v := a.elsewhere("tiny"), a.elsewhere("bystander")
		admin := a.admin()
		wantResult(t, admin.Call("admin.sessions.kick", u.ref()), "0")
		here, there, gone, bystander := a.client(), b.client(), b.client(), b.client()
		tokens := []string{login(t, here, u), login(t, there, u), login(t, gone, u)}
		login(t, bystander, v)
		gone.Close()
		wantResult(t, admin.Call("admin.sessions.kick", with(u.ref(), obj{"reason": "maintenance"})), "3")
		for _, c := range []*wiretest.Client{here, there} {
			if e := wantEnd(t, c, 4502); e.Bye != nil && e.Bye.Reason != "maintenance" {
				t.Errorf("the bye is %s, want the reason in it", e.Bye.Raw)
			}
		}
		for _, token := range tokens {
			want(t, resume(a.client(), token), 607)
			want(t, resume(b.client(), token), 607)
		}
		wantUser(t, bystander, v, true)
		wantResult(t, admin.Call("admin.sessions.kick", u.ref()), "0")

		c := b.client() // a kick is no ban
		login(t, c, u)
		wantResult(t, admin.Call("admin.sessions.kick", u.ref()), "1")
		if e := wantEnd(t, c, 4502); e.Bye != nil && e.Bye.Reason != "kicked" {
			t.Errorf("without a reason the bye is %s", e.Bye.Raw)
		}
	})
}

func TestAKickIsHeldToItsBounds(t *testing.T) {
	n := start(t)
	u := n.elsewhere("tiny")
	a := n.admin()
	c := n.client()
	login(t, c, u)
	for name, tt := range map[string]struct {
		params any
		status int
	}{
		"nobody":                    {nil, 804},
		"an unknown user":           {obj{"user_id": nobodysID}, 604},
		"no user_id":                {obj{"user_id": "tiny"}, 802},
		"a user of another type":    {obj{"user_id": 5}, 801},
		"a session of another type": {obj{"session_id": 5}, 801},
		"an empty session":          {obj{"session_id": ""}, 802},
		"a user and a session":      {obj{"user_id": u.id, "session_id": "x"}, 802},
		"an empty reason":           {with(u.ref(), obj{"reason": ""}), 802},
		"a reason of two lines":     {with(u.ref(), obj{"reason": "a\nb"}), 802},
		"a long reason":             {with(u.ref(), obj{"reason": strings.Repeat("x", 257)}), 802},
	} {
		t.Run(name, func(t *testing.T) { want(t, a.Call("admin.sessions.kick", tt.params), tt.status) })
	}
	wantUser(t, c, u, true)
}
