package server_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"rollcall/protocol"
	"rollcall/server/wiretest"
)

// What is kept about users and about admins, and who is shown it.

// pushesIn reads a list of events that came in an answer.
func pushesIn(t *testing.T, text string) []wiretest.Push {
	t.Helper()
	var all []wiretest.Push
	for _, o := range list(text) {
		wantMembers(t, o, "event scope seq epoch event_id time data")
		all = append(all, wiretest.Push{Event: o.Text("event"), Scope: o.Text("scope"), EventID: o.Text("event_id"), Data: o.Object("data")})
	}
	return all
}

func TestAUserIsShownWithTheLastFiftyEvents(t *testing.T) {
	onBoth(t, func(t *testing.T, a, b named) {
		f := a.follow(obj{"scope": theScope})
		u, other := a.elsewhere("tiny"), a.elsewhere("other")
		admin := a.admin()
		few := pushesIn(t, ok(t, admin.Call("admin.users.get", u.ref())).Object().Raw("events"))
		wantKinds(t, few, "user.created")

		c, d := b.client(), a.client()
		for range 30 {
			login(t, c, u)
			login(t, d, other)
			ok(t, c.Call("users.update", obj{"user_id": u.id, "update": obj{"group": "red"}}))
			ok(t, c.Call("users.update", obj{"user_id": u.id, "update": obj{"group": "blue"}}))
		}
		past := about(f.fence(), u)
		newest := ids(past[len(past)-50:])
		got := pushesIn(t, ok(t, b.admin().Call("admin.users.get", u.ref())).Object().Raw("events"))
		if shown := ids(got); !slices.Equal(shown, newest) {
			slices.Reverse(shown) // the contract does not say which end comes first
			if !slices.Equal(shown, newest) {
				t.Errorf("%d events are shown, and not the last 50 of the user in their order", len(got))
			}
		}
		for _, p := range got {
			if p.Data.Text("user_id") != u.id || p.Scope != theScope {
				t.Errorf("an event of somebody else is shown: %v", p)
			}
		}
	})
}

func TestAnExportHasEverythingLessSecrets(t *testing.T) {
	onBoth(t, func(t *testing.T, a, b named) {
		configure(a, b, obj{"openudid": obj{}, "facebook": obj{"mode": "trust"}})
		u := a.elsewhere("tiny", obj{"email": "tiny@home.example", "group": "blue", "extra": obj{"pet": "zebra"}})
		c := b.clientAs(theClient)
		token := login(t, c, u)
		gone := a.client()
		second := login(t, gone, u)
		gone.Close()
		ok(t, c.Call("users.addAuthProvider", with(u.at("openudid"), obj{"auth": obj{"client_id": theDevice}})))
		ok(t, c.Call("users.addAuthProvider", with(u.at("facebook"), obj{"auth": obj{"client_id": "fb-1234"}})))
		want(t, a.client().Call("users.login", obj{"username": "tiny", "password": "wrong-secret"}), 603)
		a.elsewhere("somebody-else")

		r := ok(t, a.admin().Call("admin.users.export", u.ref()))
		o := r.Object()
		wantMembers(t, o, "user sessions providers events")
		wantMembers(t, o.Object("user"), userMembers+" email group extra last_login_at")
		if x := o.Object("user"); x.Text("user_id") != u.id || x.Text("email") != "tiny@home.example" || x.Object("extra").Text("pet") != "zebra" {
			t.Errorf("the user is %v", x)
		}
		if sessions := list(o.Raw("sessions")); len(sessions) != 2 {
			t.Errorf("%d sessions, want 2", len(sessions))
		}
		var providers []string
		for _, p := range list(o.Raw("providers")) {
			providers = append(providers, p.Text("provider")+" "+p.Text("client_id"))
		}
		slices.Sort(providers)
		if got := strings.Join(providers, ", "); got != "facebook fb-1234, openudid " {
			t.Errorf("the providers are %q", got)
		}
		counted := map[string]int{}
		for _, p := range pushesIn(t, o.Raw("events")) {
			counted[p.Event]++
			if p.Data.Text("user_id") != u.id {
				t.Errorf("an event of somebody else: %v", p)
			}
		}
		if counted["user.created"] != 1 || counted["user.login"] != 2 || counted["user.login_failed"] != 1 {
			t.Errorf("the events are %v", counted)
		}
		secrets := []string{token, second, theDevice, passwordHash(theScope, thePassword), thePassword, "secret", "argon2", "somebody-else"}
		for _, secret := range secrets {
			if strings.Contains(r.Raw, secret) {
				t.Errorf("the export shows %q", secret)
			}
		}
		if found := regexp.MustCompile(`[0-9a-f]{64}|hash`).FindString(r.Raw); found != "" {
			t.Errorf("the export shows %q", found)
		}
		want(t, a.admin().Call("admin.users.export", obj{"user_id": nobodysID}), 604)
		want(t, a.admin().Call("admin.users.export", nil), 804)
		want(t, a.staff("operator").Call("admin.users.export", u.ref()), 606)
		want(t, c.Call("admin.users.export", u.ref()), 606)
	})
}

// readings are the admin's messages that change nothing that anybody else sees.
var readings = strings.Fields(`admin.login admin.logout admin.subscribe admin.unsubscribe admin.stats admin.nodes admin.server admin.users.list admin.users.get
	admin.users.export admin.sessions.list admin.scopes.list admin.scopes.deliveries admin.admins.list`)

// A changing is one message that changes something, and what its event is to say.
type changing struct {
	typ    string
	params func(u user) obj // u is a pending user who is connected
	target string           // "": the username
	global bool             // it concerns no scope
}

var changes = []changing{
	{typ: "admin.users.create", params: func(user) obj { return obj{"scope": theScope, "username": "made"} }, target: "made"},
	{typ: "admin.users.update", params: func(u user) obj { return obj{"user_id": u.id, "update": obj{"group": "red"}} }},
	{typ: "admin.users.delete", params: user.ref},
	{typ: "admin.users.resendConfirmation", params: user.ref},
	{typ: "admin.users.sendPasswordReset", params: user.ref},
	{typ: "admin.users.confirmLink", params: user.ref},
	{typ: "admin.users.resetLink", params: user.ref},
	{typ: "admin.users.ban", params: user.ref},
	{typ: "admin.users.unban", params: user.ref},
	{typ: "admin.users.import", params: func(user) obj {
		return obj{"scope": theScope, "users": []obj{{"username": "imported", "kind": "unknown"}}}
	}, target: "-"},
	{typ: "admin.sessions.kick", params: user.ref},
	{typ: "admin.scopes.create", params: func(user) obj { return obj{"name": "Moon"} }, target: "Moon"},
	{typ: "admin.scopes.update", params: func(user) obj { return obj{"name": "Moon", "sessions": "single"} }, target: "Moon"},
	{typ: "admin.scopes.delete", params: func(user) obj { return obj{"name": "Moon"} }, target: "Moon"},
	{typ: "admin.admins.create", params: func(user) obj {
		return obj{"name": "new", "role": "viewer", "password": staffPassword}
	}, target: "new", global: true},
	{typ: "admin.admins.setPassword", params: func(user) obj { return obj{"name": "new", "password": staffPassword + "!"} }, target: "new", global: true},
	{typ: "admin.admins.delete", params: func(user) obj { return obj{"name": "new"} }, target: "new", global: true},
}

func TestEveryAdminMessageIsKnownToChangeOrToRead(t *testing.T) {
	for _, m := range protocol.Messages() {
		if !strings.HasPrefix(m.Type, "admin.") {
			continue
		}
		changes := slices.ContainsFunc(changes, func(c changing) bool { return c.typ == m.Type })
		if reads := slices.Contains(readings, m.Type); reads == changes {
			t.Errorf("%s: reads %v, changes %v", m.Type, reads, changes)
		}
	}
}

func TestWhatAnAdminChangesIsTold(t *testing.T) {
	po := startPostOffice(t)
	onBoth(t, func(t *testing.T, a, b named) {
		f := a.follow(obj{"scope": "*", "events": []string{"admin.action"}})
		admin := b.admin()
		for _, c := range changes {
			t.Run(c.typ, func(t *testing.T) {
				maker := a.client()
				u := registers(t, maker, "u-"+c.typ)
				login(t, a.client(), u)
				if c.typ == "admin.users.unban" { // so that there is something to change
					ok(t, admin.Call("admin.users.ban", u.ref()))
					f.next()
				}
				ok(t, admin.Call(c.typ, c.params(u)))
				p := f.next()
				wantMembers(t, p.Data, "admin action ip", "user_id", "target", "node", "client", "reason", "until", "fields")
				wantData(t, p, map[string]string{"admin": "admin", "action": c.typ, "ip": "127.0.0.1"})
				switch {
				case c.target == "":
					wantData(t, p, map[string]string{"user_id": u.id, "target": u.name})
				case c.target != "-":
					wantData(t, p, map[string]string{"target": c.target})
				}
				switch {
				case c.global && p.Scope != "*":
					t.Errorf("what concerns no scope is told in that of %q", p.Scope)
				case strings.HasPrefix(c.typ, "admin.users.") && p.Scope != theScope:
					t.Errorf("what concerns a user of %q is told in the scope %q", theScope, p.Scope)
				}
				if strings.Contains(p.Raw, staffPassword) || strings.Contains(p.Raw, "code=") {
					t.Errorf("the event shows a secret: %s", p.Raw)
				}
			})
		}
	}, po.configure)
}

func TestWhatAnAdminReadsOrIsRefusedIsNotTold(t *testing.T) {
	onBoth(t, func(t *testing.T, a, b named) {
		u := a.elsewhere("tiny")
		f := a.follow(obj{"scope": "*", "events": []string{"admin.action"}})
		admin := b.admin()
		s := b.subscribed(admin, ok(t, admin.Call("admin.subscribe", obj{"scope": theScope})))
		for typ, params := range map[string]obj{
			"admin.unsubscribe": {"subscription": s.id}, "admin.stats": {"scope": theScope}, "admin.nodes": nil, "admin.server": nil, "admin.users.list": {"scope": theScope},
			"admin.users.get": u.ref(), "admin.users.export": u.ref(), "admin.sessions.list": {"scope": theScope}, "admin.scopes.list": nil, "admin.admins.list": nil,
		} {
			ok(t, admin.Call(typ, params))
		}
		want(t, b.dial().Call("admin.login", obj{"name": "admin", "password": "wrong"}), 603)
		for typ, tt := range map[string]struct {
			params obj
			status int
		}{
			"admin.users.create":            {obj{"scope": theScope, "username": "TINY"}, 600},
			"admin.users.update":            {obj{"user_id": u.id, "update": obj{"email": "x"}}, 704},
			"admin.users.ban":               {obj{"user_id": nobodysID}, 604},
			"admin.users.unban":             {obj{"user_id": nobodysID}, 604},
			"admin.sessions.kick":           {obj{"user_id": nobodysID}, 604},
			"admin.scopes.create":           {obj{"name": theScope}, 1000},
			"admin.scopes.update":           {obj{"name": "nowhere"}, 1004},
			"admin.scopes.delete":           {obj{"name": theScope}, 606}, // it has users
			"admin.admins.delete":           {obj{"name": "nobody"}, 604},
			"admin.users.resetLink":         {obj{"user_id": nobodysID}, 604},
			"admin.admins.create":           {obj{"name": "x", "role": "king", "password": staffPassword}, 802},
			"admin.users.import":            {obj{"scope": "nowhere", "users": []obj{{"username": "x", "kind": "unknown"}}}, 1004},
			"admin.users.sendPasswordReset": {obj{"user_id": nobodysID}, 604},
		} {
			want(t, admin.Call(typ, tt.params), tt.status)
		}
		wantResult(t, admin.Call("admin.users.delete", obj{"user_id": nobodysID}), "0")
		ok(t, admin.Call("admin.users.ban", u.ref()))
		if p := f.next(); p.Data.Text("action") != "admin.users.ban" {
			t.Errorf("what was read or refused is told: %s", p.Raw)
		}
	}, noAutoScopes)
}
