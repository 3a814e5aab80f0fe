package server_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"rollcall/server"
	"rollcall/server/wiretest"
)

// What the feed's events say, and what they never say.

var theClient = obj{"name": "space-race", "version": "1.4.0", "platform": "android"}

// clientAs opens a connection that says what program it is.
func (n *node) clientAs(client obj) *wiretest.Client {
	n.t.Helper()
	c := n.dial()
	ok(n.t, c.Call("core.init", with(initParams(theScope), obj{"client": client})))
	return c
}

// wantFrom checks where an event says that it came from.
func wantFrom(t *testing.T, p wiretest.Push, n named) {
	t.Helper()
	wantData(t, p, map[string]string{"node": n.name, "ip": "127.0.0.1"})
	if c := p.Data.Object("client"); c != nil && (c.Text("name") != "space-race" || c.Text("version") != "1.4.0" || c.Text("platform") != "android") {
		t.Errorf("client is %v in %s", c, p.Raw)
	}
}

func TestALoginIsToldWithWhoAndHowAndWhere(t *testing.T) {
	onBoth(t, func(t *testing.T, a, b named) {
		configure(a, b, obj{"openudid": obj{}})
		full := a.elsewhere("full", obj{"group": "blue", "email": "full@home.example"})
		bare := a.elsewhere("bare")
		device := a.joins("device", udid(theDevice))
		f := a.follow(obj{"scope": theScope, "events": []string{"user.login"}})

		for _, params := range []obj{full.login(), {"email": "full@home.example", "password": thePassword}} {
			ok(t, b.clientAs(theClient).Call("users.login", params))
			p := f.next()
			wantMembers(t, p.Data, "user_id username group method node client ip")
			wantData(t, p, map[string]string{"user_id": full.id, "username": "full", "group": "blue", "method": "password"})
			wantFrom(t, p, b)
			if strings.Contains(p.Raw, "full@home.example") {
				t.Errorf("the event shows the address: %s", p.Raw)
			}
		}
		login(t, a.client(), bare)
		p := f.next()
		wantMembers(t, p.Data, "user_id username method node ip")
		wantFrom(t, p, a)

		ok(t, b.client().Call("users.login", udid(theDevice)))
		p = f.next()
		wantMembers(t, p.Data, "user_id username method node ip")
		wantData(t, p, map[string]string{"user_id": device.id, "username": "device", "method": "openudid"})
		wantFrom(t, p, b)
		if strings.Contains(p.Raw, theDevice) {
			t.Errorf("the event shows the device's secret: %s", p.Raw)
		}
	})
}

func TestALoginByAnIssuersTokenIsToldWithTheProvider(t *testing.T) {
	n := start(t)
	i := startIssuer(t, "r1")
	i.configure(n)
	u := n.joins("tina", proof("g-1", i.idToken("g-1")))
	f := n.follow(obj{"scope": theScope, "events": []string{"user.login"}})
	ok(t, n.client().Call("users.login", proof("g-1", i.idToken("g-1"))))
	p := f.next()
	wantData(t, p, map[string]string{"user_id": u.id, "username": "tina", "method": theProvider})
}

func TestACreationIsToldWithHowTheUserWillLogIn(t *testing.T) {
	onBoth(t, func(t *testing.T, a, b named) {
		configure(a, b, obj{"openudid": obj{}})
		f := a.follow(obj{"scope": theScope, "events": []string{"user.created"}})
		byPassword := create(t, b.clientAs(theClient), "tiny", obj{"group": "blue", "email": "tiny@home.example", "extra": obj{"pet": "zebra"}})
		p := f.next()
		wantMembers(t, p.Data, "user_id username group method node client ip")
		wantData(t, p, map[string]string{"user_id": byPassword.id, "username": "tiny", "group": "blue", "method": "password"})
		wantFrom(t, p, b)
		if strings.Contains(p.Raw, "home.example") || strings.Contains(p.Raw, "zebra") {
			t.Errorf("the event shows the address or extra: %s", p.Raw)
		}
		byDevice := b.joins("device", udid(theDevice))
		wantData(t, f.next(), map[string]string{"user_id": byDevice.id, "username": "device", "method": "openudid"})
		o := ok(t, b.admin().Call("admin.users.create", obj{"scope": theScope, "username": "made", "password": thePassword})).Object()
		wantData(t, f.next(), map[string]string{"user_id": o.Text("user_id"), "username": "made", "method": "admin"})

		// What makes nobody is no event.
		want(t, b.client().Call("users.create", obj{"username": "TINY", "password": thePassword}), 600)
		want(t, b.client().Call("users.create", obj{"username": "bad", "password": thePassword, "email": "x"}), 704)
		again := obj{"username": "once", "password": thePassword, "idempotency_key": "k1"}
		for range 3 {
			ok(t, b.client().Call("users.create", again))
		}
		events := f.fence()
		wantKinds(t, events, "user.created")
		wantData(t, events[0], map[string]string{"username": "once"})
	})
}

func TestAnUpdateIsToldWithWhichFieldsAndNeverWithWhat(t *testing.T) {
	tests := []struct {
		update func(name string) obj
		fields string
	}{
		{func(name string) obj { return obj{"username": "New " + name} }, "username"},
		{func(name string) obj { return obj{"email": name + "@zebra.example"} }, "email"},
		{func(string) obj { return obj{"email": nil} }, "email"},
		{func(string) obj { return obj{"password": "zebra-secret"} }, "password"},
		{func(string) obj { return obj{"group": "red"} }, "group"},
		{func(string) obj { return obj{"group": nil} }, "group"},
		{func(string) obj { return obj{"extra": obj{"pet": "zebra"}} }, "extra"},
		{func(string) obj { return obj{"active": false} }, "active"},
		{func(name string) obj {
			return obj{"username": "New " + name, "email": name + "@zebra.example", "extra": obj{"pet": nil}}
		}, "email extra username"},
	}
	onBoth(t, func(t *testing.T, a, b named) {
		f := a.follow(obj{"scope": theScope, "events": []string{"user.updated"}})
		admin := b.admin()
		for i, tt := range tests {
			for _, who := range []string{"users", "admin.users"} {
				name := fmt.Sprint(who, i)
				u := a.elsewhere(name, obj{"email": name + "@lion.example", "group": "blue", "extra": obj{"pet": "lion"}})
				asker := admin
				if who == "users" {
					asker = b.client()
					login(t, asker, u)
				}
				r := ok(t, asker.Call(who+".update", obj{"user_id": u.id, "update": tt.update(name)}))
				p := f.next()
				wantMembers(t, p.Data, "user_id username fields", "group", "node", "client", "ip")
				wantData(t, p, map[string]string{"user_id": u.id, "username": r.Object().Text("username"), "group": r.Object().Text("group")})
				fields := words(p.Data.Raw("fields"))
				slices.Sort(fields)
				if got := strings.Join(fields, " "); got != tt.fields {
					t.Errorf("the fields are %q, want %q", got, tt.fields)
				}
				for _, value := range []string{"zebra", "lion", "secret"} {
					if strings.Contains(p.Raw, value) {
						t.Errorf("the event shows a value: %s", p.Raw)
					}
				}
			}
		}
		u := a.elsewhere("unchanged")
		want(t, admin.Call("admin.users.update", obj{"user_id": u.id, "update": obj{"email": "x"}}), 704)
		want(t, b.client().Call("users.update", obj{"user_id": u.id, "update": obj{"group": "red"}}), 606)
		ok(t, admin.Call("admin.users.update", obj{"user_id": u.id, "update": obj{"group": "last"}}))
		if p := f.next(); p.Data.Text("group") != "last" {
			t.Errorf("a refused update is told: %s", p.Raw)
		}
	})
}

func TestAConfirmationIsTold(t *testing.T) {
	po := startPostOffice(t)
	n := start(t, po.configure)
	u := registers(t, n.client(), "tina")
	f := n.follow(obj{"scope": theScope, "events": []string{"user.confirmed"}})
	open(t, po.last(1).link(t)).submit().want(200)
	p := f.next()
	wantMembers(t, p.Data, "user_id username", "group", "node", "client", "ip")
	wantData(t, p, map[string]string{"user_id": u.id, "username": "tina"})
	open(t, po.last(1).link(t)).want(410)

	vouched := registers(t, n.client(), "vouched")
	ok(t, n.admin().Call("admin.users.update", obj{"user_id": vouched.id, "update": obj{"active": true}}))
	if p := f.next(); !of("user.confirmed", vouched)(p) {
		t.Errorf("got %s, want that an admin vouched for the address", p.Raw)
	}
}

func TestADeletionIsTold(t *testing.T) {
	onBoth(t, func(t *testing.T, a, b named) {
		f := a.follow(obj{"scope": theScope, "events": []string{"user.deleted"}})
		c := b.client()
		us := creates(t, c, "tiny", 3)
		wantResult(t, c.Call("users.delete", us[0].ref()), "1")
		wantResult(t, c.Call("users.delete", us[0].ref()), "0")
		admin := b.admin()
		wantResult(t, admin.Call("admin.users.delete", us[1].ref()), "1")
		wantResult(t, admin.Call("admin.users.delete", us[1].ref()), "0")
		wantResult(t, admin.Call("admin.users.delete", us[2].ref()), "1")
		for _, u := range us {
			p := f.next()
			wantMembers(t, p.Data, "user_id username", "group", "node", "client", "ip")
			wantData(t, p, map[string]string{"user_id": u.id, "username": u.name})
		}
	})
}

func TestAResumeIsToldAndIsNoLogin(t *testing.T) {
	onBoth(t, func(t *testing.T, a, b named) {
		u := a.elsewhere("tiny", obj{"group": "blue"})
		token := login(t, a.client(), u)
		f := a.follow(obj{"scope": theScope, "events": []string{"user.login", "user.resumed"}})
		ok(t, resume(b.clientAs(theClient), token))
		p := f.next()
		wantKinds(t, []wiretest.Push{p}, "user.resumed")
		wantMembers(t, p.Data, "user_id username group node client ip")
		wantData(t, p, map[string]string{"user_id": u.id, "username": "tiny", "group": "blue"})
		wantFrom(t, p, b)

		ok(t, b.dial().Call("core.init", with(initParams(theScope), obj{"session": token, "client": theClient})))
		p = f.next()
		wantKinds(t, []wiretest.Push{p}, "user.resumed")
		wantFrom(t, p, b)

		want(t, resume(b.client(), "nonsense"), 607)
		ok(t, b.dial().Call("core.init", with(initParams(theScope), obj{"session": "nonsense"})))
		v := a.elsewhere("last")
		login(t, a.client(), v)
		wantKinds(t, f.until(of("user.login", v)), "user.login")
	})
}

func TestAFailedLoginNamesTheUserOrNobody(t *testing.T) {
	onBoth(t, func(t *testing.T, a, b named) {
		configure(a, b, obj{"openudid": obj{}})
		u := a.elsewhere("tiny", obj{"email": "tiny@home.example"})
		noPassword := a.joins("device", udid(theDevice))
		f := a.follow(obj{"scope": theScope, "events": []string{"user.login_failed"}})
		const typed = "zebra-secret"
		for _, tt := range []struct {
			params obj
			status int
			user   string // "": nobody
			reason string
			method string
		}{
			{obj{"username": "TINY", "password": typed}, 603, u.id, "password", "password"},
			{obj{"email": "tiny@home.example", "password": typed}, 603, u.id, "password", "password"},
			{obj{"username": typed, "password": thePassword}, 604, "", "unknown", "password"},
			{obj{"email": "zebra@home.example", "password": typed}, 604, "", "unknown", "password"},
			{udid("zebra-0123456789abcdef"), 604, "", "unknown", "openudid"},
			{obj{"username": "device", "password": typed}, 605, noPassword.id, "method", "password"},
		} {
			want(t, b.clientAs(theClient).Call("users.login", tt.params), tt.status)
			p := f.next()
			if tt.user == "" {
				wantMembers(t, p.Data, "reason method node client ip")
			} else {
				wantMembers(t, p.Data, "user_id username reason method node client ip")
			}
			wantData(t, p, map[string]string{"user_id": tt.user, "reason": tt.reason, "method": tt.method})
			wantFrom(t, p, b)
			if strings.Contains(p.Raw, "zebra") || strings.Contains(p.Raw, "secret") {
				t.Errorf("the event shows what was typed: %s", p.Raw)
			}
		}
	})
}

func TestARejectedProofIsTold(t *testing.T) {
	n := start(t)
	i := startIssuer(t, "r1")
	i.configure(n)
	n.joins("tina", proof("g-1", i.idToken("g-1")))
	f := n.follow(obj{"scope": theScope, "events": []string{"user.login", "user.login_failed"}})
	r := n.client().Call("users.login", proof("g-1", i.idToken("g-2")))
	want(t, r, 625)
	p := f.next()
	wantKinds(t, []wiretest.Push{p}, "user.login_failed")
	wantData(t, p, map[string]string{"reason": "proof", "method": theProvider})
}

func TestWhatFailedInItsFormIsNoFailedLogin(t *testing.T) {
	n := start(t)
	u := n.elsewhere("tiny")
	f := n.follow(obj{"scope": theScope, "events": []string{"user.login", "user.login_failed"}})
	c := n.client()
	want(t, c.Call("users.login", obj{"username": "tiny"}), 804)
	want(t, c.Call("users.login", obj{"username": 5, "password": "x"}), 801)
	want(t, c.Call("users.login", obj{"username": "tiny", "password": ""}), 802)
	want(t, c.Call("users.login", obj{"email": "x", "password": "x"}), 704)
	login(t, c, u)
	wantKinds(t, []wiretest.Push{f.next()}, "user.login")
}

func TestManyFailuresOfOneAccountAreCountedAndNotStored(t *testing.T) {
	onBoth(t, func(t *testing.T, a, b named) {
		const failures = 30
		u, other := a.elsewhere("tiny"), a.elsewhere("other")
		f := a.follow(obj{"scope": theScope, "events": []string{"user.login", "user.login_failed"}})
		minute := time.Now().Truncate(time.Minute)
		cs := []*wiretest.Client{a.client(), b.client()}
		for i := range failures {
			want(t, cs[i%2].Call("users.login", obj{"username": "tiny", "password": "wrong-secret"}), 603)
		}
		want(t, cs[0].Call("users.login", obj{"username": "other", "password": "wrong-secret"}), 603)
		most := 5
		if !time.Now().Truncate(time.Minute).Equal(minute) {
			most = 10 // it went on in the next minute
		}
		login(t, b.client(), u) // who has the password is not kept out
		events := f.until(of("user.login", u))
		if got := len(about(events, u)) - 1; got < 5 || got > most {
			t.Errorf("%d failures of one account are stored, want %d", got, most)
		}
		if got := about(events, other); len(got) != 1 {
			t.Errorf("the failures of one account hid those of another: %v", kinds(got))
		}
		admin := a.admin()
		await(t, "all failures are counted", func() bool {
			return statsOf(t, admin, obj{"scope": theScope}).sum().Failures == failures+1
		})
	})
}

func TestTheLoginOfAnInactiveUserIsNotToldAsOne(t *testing.T) {
	onBoth(t, func(t *testing.T, a, b named) {
		u, other := a.elsewhere("tiny"), a.elsewhere("other")
		ok(t, a.admin().Call("admin.users.update", obj{"user_id": u.id, "update": obj{"active": false}}))
		f := a.follow(obj{"scope": theScope, "events": []string{"user.login", "user.login_failed"}})
		o := ok(t, b.client().Call("users.login", u.login())).Object()
		if o.Raw("active") != "false" {
			t.Errorf("got %v", o)
		}
		login(t, b.client(), other)
		if p := f.next(); !of("user.login", other)(p) {
			t.Errorf("got %s, want the login of an active user alone", p.Raw)
		}
		if s := statsOf(t, a.admin(), obj{"scope": theScope}).sum(); s.Logins != 1 {
			t.Errorf("%d logins are counted, want 1", s.Logins)
		}
	})
}

func TestTheHistoryOfADeletedUserShowsTheIDAlone(t *testing.T) {
	onBoth(t, func(t *testing.T, a, b named) {
		live := a.follow(obj{"scope": theScope})
		c := b.clientAs(theClient)
		u := create(t, c, "zebra", obj{"group": "stripes"})
		kept := create(t, c, "kept", obj{"group": "blue"})
		for _, u := range []user{u, kept} {
			token := login(t, b.clientAs(theClient), u)
			ok(t, resume(b.client(), token))
			want(t, b.client().Call("users.login", obj{"username": u.name, "password": "wrong-secret"}), 603)
			ok(t, a.admin().Call("admin.users.update", obj{"user_id": u.id, "update": obj{"extra": obj{"a": 1}}}))
		}
		ok(t, c.Call("users.delete", u.ref()))
		events := live.until(of("user.deleted", u))
		if got := events[len(events)-1].Data.Text("username"); got != "zebra" {
			t.Errorf("the deletion itself names %q", got)
		}
		for what, params := range map[string]obj{
			"last":  {"scope": theScope, "last": 1000},
			"since": since(live.heads),
			"all":   {"scope": "*", "last": 1000},
		} {
			replay := b.follow(params).until(of("user.deleted", u))
			told := 0
			for _, p := range about(replay, u) {
				if p.Event == "admin.action" || p.Event == "user.deleted" {
					continue // about the user, and not the user's
				}
				told++
				wantMembers(t, p.Data, "user_id")
			}
			if told < 4 { // created, login, resumed, login_failed, updated at least
				t.Errorf("%s: only %d events of the deleted user are told at all", what, told)
			}
			for _, p := range replay {
				if p.Event != "user.deleted" && (strings.Contains(p.Raw, "zebra") || strings.Contains(p.Raw, "stripes")) {
					t.Errorf("%s: the deleted user is named in %s", what, p.Raw)
				}
			}
			for _, p := range about(replay, kept) {
				if p.Event == "user.login" {
					wantMembers(t, p.Data, "user_id username group method node client ip")
				}
			}
			if what == "since" && !slices.Equal(ids(replay), ids(events)) {
				t.Errorf("%d events are told again of %d, or in another order", len(replay), len(events))
			}
		}
	}, func(c *server.Config) { c.OfflineGrace = wiretest.Guard })
}

// words is a JSON array of strings.
func words(text string) []string {
	var l []string
	for _, w := range strings.Split(strings.Trim(text, "[]"), ",") {
		l = append(l, strings.Trim(w, `" `))
	}
	return l
}
