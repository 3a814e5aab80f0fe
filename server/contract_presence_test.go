package server_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"rollcall/server"
	"rollcall/server/wiretest"
)

// presence asks one client about users.
func presence(t *testing.T, c *wiretest.Client, us ...user) map[string]string {
	t.Helper()
	var asked []string
	for _, u := range us {
		asked = append(asked, u.id)
	}
	o := ok(t, c.Call("users.presence", obj{"user_ids": asked})).Object()
	got := map[string]string{}
	for _, u := range us {
		got[u.name] = o.Text(u.id)
	}
	return got
}

// onlineAs waits until a user is online, or offline, wherever that is told.
func onlineAs(t *testing.T, online bool, u user, client, admin *wiretest.Client) {
	t.Helper()
	await(t, fmt.Sprintf("presence says of %s that online is %v", u.name, online), func() bool {
		return presence(t, client, u)[u.name] == ifElse(online, "online", "offline")
	})
	await(t, fmt.Sprintf("the user object of %s says that online is %v", u.name, online), func() bool {
		return ok(t, admin.Call("admin.users.get", u.ref())).Object().Raw("online") == fmt.Sprint(online)
	})
	await(t, fmt.Sprintf("the listing of who is online has %s: %v", u.name, online), func() bool {
		is, _ := pages(t, admin, obj{"scope": theScope, "filter": obj{"online": true}}, 200)
		not, _ := pages(t, admin, obj{"scope": theScope, "filter": obj{"online": false}}, 200)
		return slices.Contains(is, u.name) == online && slices.Contains(not, u.name) != online
	})
}

func TestAUserIsOnlineOnEveryNodeWhileConnectedAnywhere(t *testing.T) {
	onBoth(t, func(t *testing.T, a, b named) {
		u, v, w := a.elsewhere("tiny"), a.elsewhere("witness"), a.elsewhere("absent")
		witness, admin := b.client(), b.admin()
		login(t, witness, v)
		onlineAs(t, false, u, witness, admin)
		one, two := a.client(), b.client()
		login(t, one, u)
		onlineAs(t, true, u, witness, admin)
		if o := ok(t, one.Call("users.get", u.ref())).Object(); o.Raw("online") != "true" {
			t.Errorf("he himself is told %v", o)
		}
		login(t, two, u)
		one.Close()
		onlineAs(t, true, u, witness, admin)
		if got := presence(t, witness, u, v, w, user{nobodysID, "nobody", ""}); got["tiny"] != "online" || got["witness"] != "online" || got["absent"] != "offline" || got["nobody"] != "offline" {
			t.Errorf("got %v", got)
		}
		two.Close()
		onlineAs(t, false, u, witness, admin)
		onlineAs(t, false, w, witness, admin)
		onlineAs(t, true, v, witness, admin)
	}, shortGrace)
}

func TestUsersOfOtherScopesAreOffline(t *testing.T) {
	onBoth(t, func(t *testing.T, a, b named) {
		here, there := a.client(), b.client("other")
		u := create(t, here, "tiny")
		stranger := create(t, there, "stranger")
		login(t, here, u)
		login(t, there, stranger)
		if got := presence(t, here, u, stranger); got["tiny"] != "online" || got["stranger"] != "offline" {
			t.Errorf("got %v, want the user of another scope offline", got)
		}
		if got := presence(t, there, u, stranger); got["tiny"] != "offline" || got["stranger"] != "online" {
			t.Errorf("got %v, want the user of another scope offline", got)
		}
	})
}

// followPresence hears who comes and goes.
func (n *node) followPresence() *feed {
	n.t.Helper()
	return n.follow(obj{"scope": theScope, "events": []string{"user.online", "user.offline"}})
}

// passes comes and goes: when his leaving is told, so is every earlier one.
func (n named) passes(f *feed, name string) []wiretest.Push {
	n.t.Helper()
	u, c := n.loggedIn(name)
	events := f.until(of("user.online", u))
	c.Close()
	return append(events, f.until(of("user.offline", u))...)
}

func TestOnlyTheFirstAndTheLastConnectionAreTold(t *testing.T) {
	onBoth(t, func(t *testing.T, a, b named) {
		u := a.elsewhere("tiny", obj{"group": "blue"})
		f := a.followPresence()
		one := b.clientAs(theClient)
		login(t, one, u)
		p := f.next()
		wantKinds(t, []wiretest.Push{p}, "user.online")
		wantMembers(t, p.Data, "user_id username group node ip", "client")
		wantData(t, p, map[string]string{"user_id": u.id, "username": "tiny", "group": "blue"})
		wantFrom(t, p, b)

		two, three := a.client(), b.client()
		login(t, two, u)
		token := login(t, three, u)
		again := a.client()
		ok(t, resume(again, token)) // in place of three
		login(t, again, u)          // the same user once more
		one.Close()
		two.Close()
		if got := about(b.passes(f, "passer-by"), u); len(got) > 0 {
			t.Errorf("while he is connected, %v are told", kinds(got))
		}
		again.Close()
		p = f.next()
		wantKinds(t, []wiretest.Push{p}, "user.offline")
		wantMembers(t, p.Data, "user_id username group reason", "node", "client", "ip")
		wantData(t, p, map[string]string{"user_id": u.id, "username": "tiny", "group": "blue"})

		login(t, b.client(), u) // a new first connection
		p = f.next()
		wantKinds(t, []wiretest.Push{p}, "user.online")
	}, shortGrace)
}

func TestAnAnonymousConnectionMakesNobodyOnline(t *testing.T) {
	n := start(t, shortGrace)
	f := n.followPresence()
	c := n.client()
	u := create(t, c, "tiny")
	want(t, c.Call("users.login", obj{"username": "tiny", "password": "wrong-secret"}), 603)
	if got := about((named{n, ""}).passes(f, "passer-by"), u); len(got) > 0 {
		t.Errorf("without a login there came %v", kinds(got))
	}
}

func TestWhoLeavesIsToldWithTheReason(t *testing.T) {
	onBoth(t, func(t *testing.T, a, b named) {
		admin := a.admin()
		f := a.followPresence()
		for i, tt := range []struct {
			name    string
			leave   func(t *testing.T, u user, c *wiretest.Client, token string)
			reasons []string
		}{
			{"a goodbye", func(t *testing.T, _ user, c *wiretest.Client, _ string) {
				writeFrames(t, c, wiretest.Frame{Op: wiretest.OpClose, Payload: wiretest.ClosePayload(1000, "")})
			}, []string{"closed"}},
			{"no word", func(_ *testing.T, _ user, c *wiretest.Client, _ string) { c.Close() }, []string{"closed", "lost"}},
			{"a reset", func(_ *testing.T, _ user, c *wiretest.Client, _ string) { c.Reset() }, []string{"lost"}},
			{"a logout", func(t *testing.T, _ user, c *wiretest.Client, _ string) {
				wantResult(t, c.Call("users.logout", nil), "true")
			}, []string{"logout"}},
			{"a logout of all", func(t *testing.T, _ user, c *wiretest.Client, _ string) {
				wantResult(t, c.Call("users.logout", obj{"all": true}), "true")
			}, []string{"logout"}},
			{"a kick", func(t *testing.T, u user, _ *wiretest.Client, _ string) {
				wantResult(t, admin.Call("admin.sessions.kick", u.ref()), "1")
			}, []string{"kicked"}},
			{"a ban", func(t *testing.T, u user, _ *wiretest.Client, _ string) {
				ok(t, admin.Call("admin.users.ban", u.ref()))
			}, []string{"banned"}},
			{"a deletion by an admin", func(t *testing.T, u user, _ *wiretest.Client, _ string) {
				wantResult(t, admin.Call("admin.users.delete", u.ref()), "1")
			}, []string{"ended"}},
			{"a new password by an admin", func(t *testing.T, u user, _ *wiretest.Client, _ string) {
				ok(t, admin.Call("admin.users.update", obj{"user_id": u.id, "update": obj{"password": "new-secret"}}))
			}, []string{"ended"}},
		} {
			t.Run(tt.name, func(t *testing.T) {
				u := a.elsewhere(fmt.Sprint("tiny", i))
				c := b.client()
				token := login(t, c, u)
				f.until(of("user.online", u))
				tt.leave(t, u, c, token)
				p := f.next()
				if !of("user.offline", u)(p) || !slices.Contains(tt.reasons, p.Data.Text("reason")) {
					t.Errorf("got %s, want that %s is offline because of one of %v", p.Raw, u.name, tt.reasons)
				}
			})
		}
		if got := b.passes(f, "passer-by"); len(got) != 2 {
			t.Errorf("somebody comes or goes twice: %v", kinds(got))
		}
	}, shortGrace)
}

func TestALogoutIsOfflineAtOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, a, b named) {
		f := a.followPresence()
		u, v := a.elsewhere("tiny"), a.elsewhere("other")
		c := b.client()
		witness := a.client()
		login(t, witness, a.elsewhere("witness"))
		login(t, c, u)
		ok(t, c.Call("users.logout", nil))
		wantKinds(t, about(f.until(of("user.offline", u)), u), "user.online", "user.offline")
		onlineAs(t, false, u, witness, a.admin())

		// So is who makes room for another user.
		login(t, c, u)
		f.until(of("user.online", u))
		login(t, c, v)
		var came, went bool
		for !came || !went {
			p := f.next()
			came = came || of("user.online", v)(p)
			if of("user.offline", u)(p) {
				went = true
				wantData(t, p, map[string]string{"reason": "logout"})
			}
		}
		// Not so with another connection left.
		login(t, b.client(), v)
		ok(t, c.Call("users.logout", nil))
		login(t, c, u)
		ok(t, c.Call("users.logout", nil))
		if got := about(f.until(of("user.offline", u)), v); len(got) > 0 {
			t.Errorf("one connection is left, and %v is told", kinds(got))
		}
		onlineAs(t, true, v, witness, a.admin())
	}, longGrace)
}

func TestAReconnectWithinTheGraceIsNotTold(t *testing.T) {
	const grace = 3 * time.Second
	onBoth(t, func(t *testing.T, a, b named) {
		f := a.followPresence()
		u := a.elsewhere("tiny")
		c := a.client()
		token := login(t, c, u)
		f.until(of("user.online", u))
		nodes := []named{b, a}
		intime := 0
		for i := range 6 {
			left := time.Now()
			c.Close()
			c = nodes[i%2].client()
			ok(t, resume(c, token))
			if time.Since(left) > grace/2 {
				// The machine was too slow for it to be a quick reconnect. What
				// it was taken for does not matter; the next one begins anew.
				events := a.passes(f, fmt.Sprint("slow passer-by ", i))
				t.Logf("a slow reconnect, %v", kinds(about(events, u)))
				continue
			}
			intime++
		}
		if intime == 0 {
			t.Fatal("no reconnect was quick enough: the machine is too busy for this test")
		}
		// Who leaves later is told later: by then the others would have been.
		events := a.passes(f, "passer-by")
		if intime == 6 && len(about(events, u)) > 0 {
			t.Errorf("reconnects within the grace are told: %v", kinds(about(events, u)))
		}
		c.Close()
		wantKinds(t, about(f.until(of("user.offline", u)), u), "user.offline")
	}, func(c *server.Config) { c.OfflineGrace = grace })
}

func TestAStoppedNodesUsersAreOffline(t *testing.T) {
	onBoth(t, func(t *testing.T, a, b named) {
		if a.name == b.name {
			return // nobody is left to tell it
		}
		f := a.followPresence()
		u := a.elsewhere("tiny")
		moved := a.elsewhere("moved")
		login(t, b.client(), u)
		c := b.client()
		token := login(t, c, moved)
		f.until(of("user.online", moved))
		b.stop()
		wantEnd(t, c, 4001)
		back := a.client()
		ok(t, resume(back, token))
		events := f.until(of("user.offline", u))
		wantData(t, events[len(events)-1], map[string]string{"reason": "drained"})
		onlineAs(t, false, u, back, a.admin())
		onlineAs(t, true, moved, back, a.admin())
	}, shortGrace)
}

func TestTheStatisticsSayHowManyAreOnline(t *testing.T) {
	onBoth(t, func(t *testing.T, a, b named) {
		us := creates(t, a.client(), "tiny", 3)
		admins := []*wiretest.Client{a.admin(), b.admin()}
		online := func(count int64) {
			t.Helper()
			for _, admin := range admins {
				for _, scope := range []string{theScope, "*"} {
					await(t, fmt.Sprintf("%d users of %s are online", count, scope), func() bool {
						return statsOf(t, admin, obj{"scope": scope}).Online == count
					})
				}
			}
		}
		online(0)
		var cs []*wiretest.Client
		for i, u := range us {
			c, second := a.client(), b.client()
			login(t, c, u)
			login(t, second, u) // who is connected twice counts once
			cs = append(cs, c, second)
			online(int64(i + 1))
		}
		cs[0].Close()
		cs[1].Close()
		online(2)
		ok(t, admins[0].Call("admin.users.delete", us[1].ref()))
		online(1)
		ok(t, cs[4].Call("users.logout", obj{"all": true}))
		online(0)
	}, shortGrace)
}
