package server_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"rollcall/protocol"
	"rollcall/server"
	"rollcall/server/wiretest"
)

// later are the messages that this server does not know yet. It may say so, with
// 805, before it looks at who asks. The list shrinks to nothing.
var later = strings.Fields(`admin.subscribe admin.unsubscribe admin.stats admin.nodes
	admin.users.ban admin.users.unban admin.users.export admin.users.import
	admin.users.resendConfirmation admin.users.sendPasswordReset admin.sessions.list admin.sessions.kick
	admin.admins.list admin.admins.create admin.admins.delete admin.admins.setPassword`)

func wantUnlessLater(t *testing.T, m *protocol.Message, r wiretest.Reply, status int) {
	t.Helper()
	if r.Status() != 805 || !slices.Contains(later, m.Type) {
		want(t, r, status)
	}
}

// sample is a message's sample parameters as they stand in the documentation.
func sample(t *testing.T, m *protocol.Message) json.RawMessage {
	t.Helper()
	frame, err := protocol.AppendRequest(nil, 1, m.Type, m.SampleIn)
	if err != nil {
		t.Fatal(err)
	}
	var request struct{ Data json.RawMessage }
	if err := json.Unmarshal(frame, &request); err != nil {
		t.Fatal(err)
	}
	return request.Data
}

func TestNothingButTheFirstMessageIsAnsweredBeforeIt(t *testing.T) {
	n := start(t)
	c := n.dial()
	for _, m := range protocol.Messages() {
		if m.Type != "core.init" && m.Type != "admin.login" {
			wantUnlessLater(t, m, c.Call(m.Type, sample(t, m)), 806)
		}
	}
	ok(t, c.Call("core.init", initParams(theScope)))
}

func TestAFirstMessageIsTakenOnce(t *testing.T) {
	n := start(t)
	c, a := n.client(), n.admin()
	u := create(t, c, "tiny")
	for _, again := range []*wiretest.Client{c, a} {
		want(t, again.Call("core.init", initParams("other scope")), 806)
		want(t, again.Call("admin.login", obj{"name": "admin", "password": theAdmin}), 806)
	}
	ok(t, c.Call("users.get", u.ref()))
	ok(t, a.Call("admin.scopes.list", nil))
}

func TestInitAnswersWithTheConnection(t *testing.T) {
	n := start(t)
	params := initParams(theScope)
	params["client"] = obj{"name": "space-race", "version": "1.4.0", "platform": "android"}
	o := ok(t, n.dial().Call("core.init", params)).Object()
	wantMembers(t, o, "session_id scope server_time ping_interval_ms")
	if o.Text("scope") != theScope || !timeForm.MatchString(o.Text("server_time")) || o.Raw("ping_interval_ms") != "25000" || o.Text("session_id") == "" {
		t.Errorf("got %v", o)
	}
	if other := ok(t, n.dial().Call("core.init", params)).Object(); other.Text("session_id") == o.Text("session_id") {
		t.Error("two connections have one session_id")
	}
}

func TestInitIsRefused(t *testing.T) {
	tests := []struct {
		name   string
		params any
		status int
	}{
		{"with a wrong key", obj{"scope": theScope, "key": "wrong"}, 808},
		{"with a prefix of the key", obj{"scope": theScope, "key": theKey + theKey}, 808},
		{"for an unknown scope", obj{"scope": "nowhere", "key": theKey}, 1004},
		{"for a scope in another case", obj{"scope": "space race", "key": theKey}, 1004},
		{"without a key", obj{"scope": theScope}, 804},
		{"without a scope", obj{"key": theKey}, 804},
		{"without data", nil, 804},
		{"with an empty scope", obj{"scope": "", "key": theKey}, 802},
		{"with an empty key", obj{"scope": theScope, "key": ""}, 802},
		{"with a scope of 65 bytes", obj{"scope": strings.Repeat("s", 65), "key": theKey}, 802},
		{"with control characters", obj{"scope": "a\tb", "key": theKey}, 802},
		{"with a scope of another type", obj{"scope": 5, "key": theKey}, 801},
		{"with a key of another type", obj{"scope": theScope, "key": []string{theKey}}, 801},
		{"with a client of another type", obj{"scope": theScope, "key": theKey, "client": "x"}, 801},
	}
	n := start(t, func(c *server.Config) { c.AutoScopes = false })
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := n.dial()
			want(t, c.Call("core.init", tt.params), tt.status)
			want(t, c.Call("users.login", obj{"username": "x", "password": thePassword}), 806)
		})
	}
}

func TestAnUnknownScopeIsMadeWhereThatIsAllowed(t *testing.T) {
	n := start(t)
	create(t, n.client("brand new ✨"), "tiny")
	if list := ok(t, n.admin().Call("admin.scopes.list", nil)); !strings.Contains(list.Raw, "brand new ✨") {
		t.Errorf("the scope is not listed: %s", list.Raw)
	}
}

// subjectMethods name a user; their parameters for one.
var subjectMethods = map[string]func(id string) obj{
	"users.get":    func(id string) obj { return obj{"user_id": id} },
	"users.update": func(id string) obj { return obj{"user_id": id, "update": obj{"group": "red"}} },
	"users.delete": func(id string) obj { return obj{"user_id": id} },
}

func TestAStrangersUserIsOutOfReach(t *testing.T) {
	n := start(t)
	u, me := n.elsewhere("tiny"), n.elsewhere("me")
	anonymous, loggedIn := n.client(), n.client()
	login(t, loggedIn, me)
	for typ, params := range subjectMethods {
		for who, c := range map[string]*wiretest.Client{"anonymous": anonymous, "logged in as another": loggedIn} {
			t.Run(typ+" "+who, func(t *testing.T) {
				there := want(t, c.Call(typ, params(u.id)), 606)
				nowhere := want(t, c.Call(typ, params("00000000-1111-4222-8333-444444444444")), 606)
				if there.Message() != nowhere.Message() {
					t.Errorf("the texts tell which users exist: %s and %s", there.Raw, nowhere.Raw)
				}
			})
		}
	}
	want(t, anonymous.Call("users.logout", nil), 606)
	o := ok(t, n.admin().Call("admin.users.get", u.ref())).Object()
	if o.Raw("group") != "" {
		t.Errorf("somebody changed the user: %v", o)
	}
}

func TestAUserIsInReachOfTheConnectionThatMadeHim(t *testing.T) {
	n := start(t)
	maker := n.client()
	u := create(t, maker, "tiny")
	ok(t, maker.Call("users.get", u.ref()))
	ok(t, maker.Call("users.update", obj{"user_id": u.id, "update": obj{"group": "red"}}))
	maker.Close()
	want(t, n.client().Call("users.get", u.ref()), 606)
}

func TestAUserIsInReachOfHimselfAlone(t *testing.T) {
	n := start(t)
	u := n.elsewhere("tiny")
	c := n.client()
	want(t, c.Call("users.get", u.ref()), 606)
	login(t, c, u)
	ok(t, c.Call("users.get", u.ref()))
	ok(t, c.Call("users.update", obj{"user_id": u.id, "update": obj{"group": "red"}}))
	ok(t, c.Call("users.logout", nil))
	want(t, c.Call("users.get", u.ref()), 606)
}

func TestAScopeMayOpenAMethodToAnyClient(t *testing.T) {
	for typ, params := range subjectMethods {
		t.Run(typ, func(t *testing.T) {
			n := start(t)
			u := n.elsewhere("tiny")
			a, c := n.admin(), n.client()
			set := func(permit string) {
				ok(t, a.Call("admin.scopes.update", obj{"name": theScope, "permissions": obj{typ: permit}}))
			}
			want(t, c.Call(typ, params(u.id)), 606)
			set("any")
			for other, otherParams := range subjectMethods {
				if other != typ {
					want(t, c.Call(other, otherParams(u.id)), 606)
				}
			}
			want(t, n.client("elsewhere").Call(typ, params(u.id)), 606)
			ok(t, c.Call(typ, params(u.id)))
			set("self")
			want(t, c.Call(typ, params(u.id)), 606)
		})
	}
}

func TestAnyClientMeansOfTheSameScope(t *testing.T) {
	n := start(t)
	a := n.admin()
	home, abroad := n.client("home"), n.client("abroad")
	u := create(t, home, "tiny")
	twin := create(t, abroad, "tiny")
	if u.id == twin.id {
		t.Fatal("one username in two scopes is one user")
	}
	for _, scope := range []string{"home", "abroad"} {
		for typ := range subjectMethods {
			ok(t, a.Call("admin.scopes.update", obj{"name": scope, "permissions": obj{typ: "any"}}))
		}
	}
	stranger := n.client("abroad")
	for typ, params := range subjectMethods {
		if r := stranger.Call(typ, params(u.id)); r.Status() != 606 && r.Status() != 604 && r.Result() != "0" {
			t.Errorf("%s crossed the scopes: %s", typ, r.Raw)
		}
	}
	if o := ok(t, home.Call("users.get", u.ref())).Object(); o.Raw("group") != "" || o.Text("scope") != "home" {
		t.Errorf("somebody from another scope changed the user: %v", o)
	}
	ok(t, stranger.Call("users.get", twin.ref()))
}

func TestScopesShareNothing(t *testing.T) {
	n := start(t)
	a, b := n.client("a"), n.client("b")
	inA := create(t, a, "tiny", obj{"email": "tiny@home.com"})
	want(t, b.Call("users.login", inA.login()), 604)
	want(t, b.Call("users.login", obj{"email": "tiny@home.com", "password": thePassword}), 604)
	ok(t, b.Call("users.create", obj{"username": "tiny", "password": "other-secret", "email": "tiny@home.com"}))
	want(t, b.Call("users.login", inA.login()), 603)
	token := login(t, a, inA)
	want(t, b.Call("users.resume", obj{"session": token}), 607)
	want(t, b.Call("users.get", inA.ref()), 606)
	ok(t, a.Call("users.get", inA.ref()))
}

func TestAScopeMaySwitchAMethodOff(t *testing.T) {
	n := start(t)
	a := n.admin()
	u := n.elsewhere("tiny")
	c := n.client()
	token := login(t, c, u)
	calls := map[string]obj{
		"users.get":               u.ref(),
		"users.update":            {"user_id": u.id, "update": obj{"group": "red"}},
		"users.create":            {"username": "new", "password": thePassword},
		"users.login":             u.login(),
		"users.resume":            {"session": token},
		"users.sendPasswordReset": {"email": "tiny@home.com"},
		"users.delete":            u.ref(),
	}
	for typ, params := range calls {
		t.Run(typ, func(t *testing.T) {
			ok(t, a.Call("admin.scopes.update", obj{"name": theScope, "permissions": obj{typ: "off"}}))
			want(t, c.Call(typ, params), 606)
			ok(t, a.Call("admin.scopes.update", obj{"name": theScope, "permissions": obj{typ: "self"}}))
		})
	}
	ok(t, c.Call("users.get", u.ref()))
}

func TestClientsAndAdminsKeepToTheirOwnMessages(t *testing.T) {
	n := start(t)
	u := n.elsewhere("tiny")
	client, admin := n.client(), n.admin()
	login(t, client, u)
	for _, m := range protocol.Messages() {
		switch {
		case m.Type == "admin.login" || m.Type == "core.init":
		case strings.HasPrefix(m.Type, "admin."):
			wantUnlessLater(t, m, client.Call(m.Type, sample(t, m)), 606)
		case strings.HasPrefix(m.Type, "users."):
			want(t, admin.Call(m.Type, sample(t, m)), 606)
		}
	}
	want(t, admin.Call("users.get", u.ref()), 606)
	wantResult(t, admin.Call("core.ping", nil), `"pong"`)
	wantResult(t, client.Call("core.ping", nil), `"pong"`)
}

func TestEveryMessageOfTheContractIsAnsweredWithACodeOfTheTable(t *testing.T) {
	n := start(t)
	known := map[int]bool{}
	for _, s := range protocol.Statuses {
		known[int(s.Status)] = true
	}
	for who, c := range map[string]*wiretest.Client{"client": n.client(), "admin": n.admin()} {
		for _, m := range protocol.Messages() {
			if m.Type == "admin.logout" && who == "admin" {
				continue // it ends the connection, see the tests of its own
			}
			r := c.Call(m.Type, sample(t, m))
			if !r.OK() && (!known[r.Status()] || r.Status() == 810 || r.Status() == -1) {
				t.Errorf("%s by a %s: %s", m.Type, who, r.Raw)
			}
		}
	}
}
