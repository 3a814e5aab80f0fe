package server_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"rollcall/server/wiretest"
)

func ban(u user, more ...obj) obj { return with(append([]obj{u.ref()}, more...)...) }

// wantBan checks how a user stands; "" is no ban.
func wantBan(t *testing.T, o wiretest.Object, yes bool, reason, until string) {
	t.Helper()
	b := o.Object("ban")
	if (b != nil) != yes || b.Text("reason") != reason || b.Text("until") != until {
		t.Errorf("the ban is %s, want %v with the reason %q until %q", o.Raw("ban"), yes, reason, until)
	}
	if yes {
		wantMembers(t, b, "", "reason", "until")
	}
}

// bannedNames lists the banned users, or those who are not.
func bannedNames(t *testing.T, a *wiretest.Client, banned bool) []string {
	t.Helper()
	names, _ := pages(t, a, obj{"scope": theScope, "filter": obj{"banned": banned}}, 200)
	return names
}

func inWire(at time.Time) string { return at.UTC().Format("2006-01-02T15:04:05.000Z") }

func TestABannedUserIsToldOnceThePasswordHeld(t *testing.T) {
	onBoth(t, func(t *testing.T, a, b named) {
		configure(a, b, obj{"openudid": obj{}})
		u, other := a.elsewhere("tiny", obj{"email": "tiny@home.example"}), a.elsewhere("other")
		c := a.client()
		login(t, c, u)
		ok(t, c.Call("users.addAuthProvider", with(u.at("openudid"), obj{"auth": obj{"client_id": theDevice}})))
		admin := a.admin()
		ok(t, admin.Call("admin.users.ban", ban(u, obj{"reason": "aimbot in ranked play"})))
		f := a.follow(obj{"scope": theScope, "events": []string{"user.login", "user.login_failed"}})
		for what, params := range map[string]obj{
			"by name":     u.login(),
			"by email":    {"email": "tiny@home.example", "password": thePassword},
			"by hash":     {"username": "tiny", "password_hash": passwordHash(theScope, thePassword)},
			"by provider": udid(theDevice),
		} {
			t.Run(what, func(t *testing.T) {
				r := want(t, b.client().Call("users.login", params), 608)
				if !strings.Contains(r.Message(), "aimbot in ranked play") {
					t.Errorf("the text %q does not tell the reason", r.Message())
				}
				p := f.next()
				wantKinds(t, []wiretest.Push{p}, "user.login_failed")
				wantData(t, p, map[string]string{"user_id": u.id, "username": "tiny", "reason": "banned"})
			})
		}
		wrong := want(t, b.client().Call("users.login", obj{"username": "tiny", "password": "wrong-secret"}), 603)
		honest := want(t, b.client().Call("users.login", obj{"username": "other", "password": "wrong-secret"}), 603)
		if wrong.Message() != honest.Message() {
			t.Errorf("who has no password learns of the ban: %s and %s", wrong.Raw, honest.Raw)
		}
		login(t, b.client(), other)

		bare := a.elsewhere("bare")
		ok(t, admin.Call("admin.users.ban", bare.ref()))
		want(t, b.client().Call("users.login", bare.login()), 608)
	})
}

func TestABanEndsTheSessionsOnEveryNode(t *testing.T) {
	onBoth(t, func(t *testing.T, a, b named) {
		u, other := a.elsewhere("tiny"), a.elsewhere("other")
		here, there, gone, bystander := a.client(), b.client(), b.client(), b.client()
		tokens := []string{login(t, here, u), login(t, there, u), login(t, gone, u)}
		gone.Close()
		login(t, bystander, other)
		admin := a.admin()
		o := ok(t, admin.Call("admin.users.ban", ban(u, obj{"reason": "aimbot"}))).Object()
		wantMembers(t, o, userMembers+" ban last_login_at")
		wantBan(t, o, true, "aimbot", "")
		wantEnd(t, here, 4503)
		wantEnd(t, there, 4503)
		for _, token := range tokens {
			want(t, resume(a.client(), token), 607)
			want(t, resume(b.client(), token), 607)
			o := ok(t, b.dial().Call("core.init", with(initParams(theScope), obj{"session": token}))).Object()
			if o.Raw("user") != "" {
				t.Errorf("a banned user's session holds: %v", o)
			}
		}
		if o := ok(t, admin.Call("admin.users.get", u.ref())).Object(); o.Raw("sessions") != "[]" {
			t.Errorf("the sessions of a banned user are %s", o.Raw("sessions"))
		}
		wantUser(t, bystander, other, true)

		// They do not come back with the end of the ban.
		ok(t, admin.Call("admin.users.unban", u.ref()))
		want(t, resume(b.client(), tokens[0]), 607)
		login(t, b.client(), u)
	})
}

func TestABanIsShownAndListedUntilItIsLifted(t *testing.T) {
	onBoth(t, func(t *testing.T, a, b named) {
		us := creates(t, a.client(), "tiny", 3)
		admin, other := a.admin(), b.admin()
		until := inWire(time.Now().Add(time.Hour))
		wantBan(t, ok(t, admin.Call("admin.users.get", us[0].ref())).Object(), false, "", "")
		wantBan(t, ok(t, admin.Call("admin.users.ban", ban(us[0], obj{"reason": "aimbot", "until": until}))).Object(), true, "aimbot", until)
		wantBan(t, ok(t, admin.Call("admin.users.ban", us[1].ref())).Object(), true, "", "")
		wantBan(t, ok(t, other.Call("admin.users.get", us[0].ref())).Object(), true, "aimbot", until)
		wantBan(t, ok(t, other.Call("admin.users.get", us[1].ref())).Object(), true, "", "")
		wantBan(t, ok(t, other.Call("admin.users.get", us[2].ref())).Object(), false, "", "")
		if is, not := bannedNames(t, other, true), bannedNames(t, other, false); !slices.Equal(is, []string{"tiny0", "tiny1"}) || !slices.Equal(not, []string{"tiny2"}) {
			t.Errorf("banned are %v, and not %v", is, not)
		}

		// A second ban takes the place of the first.
		wantBan(t, ok(t, other.Call("admin.users.ban", ban(us[0], obj{"reason": "wallhack"}))).Object(), true, "wallhack", "")
		wantBan(t, ok(t, admin.Call("admin.users.ban", ban(us[0], obj{"until": until}))).Object(), true, "", until)

		o := ok(t, other.Call("admin.users.unban", us[0].ref())).Object()
		wantMembers(t, o, userMembers)
		login(t, a.client(), us[0])
		if is := bannedNames(t, admin, true); !slices.Equal(is, []string{"tiny1"}) {
			t.Errorf("banned are %v", is)
		}
		ok(t, other.Call("admin.users.unban", us[2].ref())) // was not banned
		want(t, b.client().Call("users.login", us[1].login()), 608)
	})
}

func TestABanIsOverAtItsEnd(t *testing.T) {
	onBoth(t, func(t *testing.T, a, b named) {
		u := a.elsewhere("tiny")
		admin := a.admin()
		until := time.Now().Add(1500 * time.Millisecond)
		ok(t, admin.Call("admin.users.ban", ban(u, obj{"reason": "to cool down", "until": inWire(until)})))
		c := b.client()
		if r := c.Call("users.login", u.login()); time.Now().Before(until) {
			want(t, r, 608)
		}
		await(t, "the user can log in again", func() bool { return c.Call("users.login", u.login()).OK() })
		if left := time.Until(until); left > 10*time.Millisecond { // the wire rounds to milliseconds
			t.Errorf("the ban ended %v early", left)
		}
		wantUser(t, c, u, true)
		o := ok(t, admin.Call("admin.users.get", u.ref())).Object()
		wantBan(t, o, false, "", "")
		if is := bannedNames(t, admin, true); len(is) > 0 {
			t.Errorf("banned are %v", is)
		}
	})
}

func TestABanIsHeldToItsBounds(t *testing.T) {
	n := start(t)
	u := n.elsewhere("tiny")
	a := n.admin()
	c := n.client()
	login(t, c, u)
	for name, tt := range map[string]struct {
		params any
		status int
	}{
		"no user":                {nil, 804},
		"an unknown user":        {obj{"user_id": nobodysID}, 604},
		"no user_id":             {obj{"user_id": "tiny"}, 802},
		"a user of another type": {obj{"user_id": 5}, 801},
		"an end in the past":     {ban(u, obj{"until": inWire(time.Now().Add(-time.Minute))}), 802},
		"an end that is no time": {ban(u, obj{"until": "tomorrow"}), 802},
		"an end of another type": {ban(u, obj{"until": 1793534400}), 801},
		"an empty reason":        {ban(u, obj{"reason": ""}), 802},
		"a reason of two lines":  {ban(u, obj{"reason": "a\nb"}), 802},
		"a reason of 257 bytes":  {ban(u, obj{"reason": strings.Repeat("x", 257)}), 802},
		"a reason as a number":   {ban(u, obj{"reason": 5}), 801},
	} {
		t.Run(name, func(t *testing.T) { want(t, a.Call("admin.users.ban", tt.params), tt.status) })
	}
	want(t, a.Call("admin.users.unban", obj{"user_id": nobodysID}), 604)
	want(t, a.Call("admin.users.unban", nil), 804)
	wantUser(t, c, u, true) // none of it banned him

	types := []string{"admin.users.ban", "admin.users.unban"}
	for _, typ := range types {
		want(t, c.Call(typ, u.ref()), 606)
	}
	for _, typ := range types {
		want(t, n.staff("viewer").Call(typ, u.ref()), 606)
		ok(t, n.staff("operator").Call(typ, u.ref()))
	}
}

func TestABanAndItsEndAreTold(t *testing.T) {
	onBoth(t, func(t *testing.T, a, b named) {
		u := a.elsewhere("tiny", obj{"group": "blue"})
		f := a.follow(obj{"scope": theScope, "events": []string{"user.banned", "user.unbanned", "admin.action"}})
		admin := b.admin()
		until := inWire(time.Now().Add(time.Hour))
		told := func(event, action string) wiretest.Push {
			t.Helper()
			var user, staff wiretest.Push
			for _, p := range f.take(2) { // in either order
				if p.Event == "admin.action" {
					staff = p
				} else {
					user = p
				}
			}
			wantKinds(t, []wiretest.Push{user, staff}, event, "admin.action")
			wantData(t, user, map[string]string{"user_id": u.id, "username": "tiny", "group": "blue"})
			wantData(t, staff, map[string]string{"admin": "admin", "action": action, "user_id": u.id, "target": "tiny", "ip": "127.0.0.1"})
			return user
		}
		ok(t, admin.Call("admin.users.ban", ban(u, obj{"reason": "aimbot", "until": until})))
		wantData(t, told("user.banned", "admin.users.ban"), map[string]string{"reason": "aimbot", "until": until})
		ok(t, admin.Call("admin.users.unban", u.ref()))
		p := told("user.unbanned", "admin.users.unban")
		if p.Data.Raw("until") != "" {
			t.Errorf("got %s", p.Raw)
		}
		ok(t, admin.Call("admin.users.ban", u.ref()))
		p = told("user.banned", "admin.users.ban")
		if p.Data.Raw("until") != "" || p.Data.Raw("reason") != "" {
			t.Errorf("a ban for good and without a reason is %s", p.Raw)
		}
	})
}

func TestNoLoginSlipsThroughBesideABan(t *testing.T) {
	onBoth(t, func(t *testing.T, a, b named) {
		admin := a.admin()
		for i := range 15 {
			u := a.elsewhere(fmt.Sprint("tiny", i))
			cs := []*wiretest.Client{a.client(), b.client(), b.client()}
			var sent []string
			for _, c := range cs {
				sent = append(sent, c.Send("users.login", u.login()))
			}
			ok(t, admin.Call("admin.users.ban", u.ref()))
			for k, c := range cs {
				r, err := c.Await(sent[k])
				switch {
				case err != nil:
					t.Errorf("a login was not answered: %v", err)
				case r.OK():
					wantEnd(t, c, 4503)
					want(t, resume(a.client(), r.Object().Object("session").Text("token")), 607)
				default:
					want(t, r, 608)
				}
			}
			if o := ok(t, admin.Call("admin.users.get", u.ref())).Object(); o.Raw("sessions") != "[]" {
				t.Errorf("a banned user has the sessions %s", o.Raw("sessions"))
			}
		}
	})
}
