package server_test

import (
	"regexp"
	"testing"
	"time"

	"rollcall/server/wiretest"
)

const (
	loginMembers = "active scope user_id username validated session"
	userMembers  = "active scope user_id username validated created_at updated_at logins providers online"
)

func TestTheLoginObjectHasItsMembersAndNoMore(t *testing.T) {
	n := start(t)
	c := n.client()
	bare := create(t, c, "bare")
	full := create(t, c, "full", obj{"email": "full@home.com", "group": "blue", "extra": obj{"a": 1}})

	wantMembers(t, ok(t, c.Call("users.login", bare.login())).Object(), loginMembers)
	o := ok(t, c.Call("users.login", full.login())).Object()
	wantMembers(t, o, loginMembers+" email group extra")
	for name, value := range map[string]string{
		"active": `true`, "validated": `true`, "scope": `"Space Race"`, "user_id": `"` + full.id + `"`,
		"username": `"full"`, "email": `"full@home.com"`, "group": `"blue"`, "extra": `{"a":1}`,
	} {
		if o.Raw(name) != value {
			t.Errorf("%s is %s, want %s", name, o.Raw(name), value)
		}
	}
}

func TestASessionIsARandomTokenForThirtyDays(t *testing.T) {
	n := start(t)
	c := n.client()
	u := create(t, c, "tiny")
	seen := map[string]bool{}
	for range 3 {
		s := ok(t, c.Call("users.login", u.login())).Object().Object("session")
		wantMembers(t, s, "token expires_at")
		token := s.Text("token")
		if len(token) < 43 || seen[token] { // 43 characters of base64 hold 256 bits
			t.Errorf("the token is short or repeated (%d characters)", len(token))
		}
		seen[token] = true
		expires, err := time.Parse(time.RFC3339, s.Text("expires_at"))
		if err != nil || !timeForm.MatchString(s.Text("expires_at")) {
			t.Fatalf("expires_at is %s", s.Raw("expires_at"))
		}
		if d := time.Until(expires) - 30*24*time.Hour; d < -time.Hour || d > time.Hour {
			t.Errorf("the session is off thirty days by %v", d)
		}
	}
}

func TestLoginByUsernameAndByEmail(t *testing.T) {
	n := start(t)
	maker := n.client()
	u := create(t, maker, "Tiny", obj{"email": "Tina@home.com"})
	create(t, maker, "no-email")
	tests := []struct {
		name   string
		params obj
		status int
	}{
		{"username", obj{"username": "Tiny", "password": thePassword}, 0},
		{"username in another case", obj{"username": "tINY", "password": thePassword}, 0},
		{"email", obj{"email": "Tina@home.com", "password": thePassword}, 0},
		{"email in another case", obj{"email": "tina@HOME.com", "password": thePassword}, 0},
		{"wrong password", obj{"username": "Tiny", "password": "wrong-secret"}, 603},
		{"wrong password by email", obj{"email": "tina@home.com", "password": "wrong-secret"}, 603},
		{"password in another case", obj{"username": "Tiny", "password": "HUNTER2-secret"}, 603},
		{"unknown username", obj{"username": "nobody", "password": thePassword}, 604},
		{"unknown email", obj{"email": "nobody@home.com", "password": thePassword}, 604},
		{"the email as the username", obj{"username": "Tina@home.com", "password": thePassword}, 604},
		{"no email that is one", obj{"email": "Tiny", "password": thePassword}, 704},
		{"no name", obj{"password": thePassword}, 804},
		{"no password", obj{"username": "Tiny"}, 804},
		{"nothing", nil, 804},
		{"username of another type", obj{"username": 5, "password": thePassword}, 801},
		{"password of another type", obj{"username": "Tiny", "password": obj{}}, 801},
		{"empty username", obj{"username": "", "password": thePassword}, 802},
		{"empty password", obj{"username": "Tiny", "password": ""}, 802},
		{"huge password", obj{"username": "Tiny", "password": string(make([]byte, 4000))}, 802},
		{"a provider that is not configured", obj{"provider": "google", "client_id": "1", "id_token": "x"}, 624},
		{"a provider that nobody knows", obj{"provider": "nobody", "client_id": "1", "id_token": "x"}, 624},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := want(t, n.client().Call("users.login", tt.params), tt.status)
			if tt.status == 0 && r.Object().Text("user_id") != u.id {
				t.Errorf("logged in as %s", r.Raw)
			}
		})
	}
}

func TestCreateByAProviderThatIsNotConfiguredIsRefused(t *testing.T) {
	n := start(t)
	for _, provider := range []string{"facebook", "google", "apple", "openudid", "nobody"} {
		want(t, n.client().Call("users.create", obj{"username": "tiny", "provider": provider, "client_id": "0123456789abcdef", "id_token": "x"}), 624)
	}
}

func TestALoginMarksItselfAndGetAndResumeDoNot(t *testing.T) {
	n := start(t)
	c := n.client()
	u := create(t, c, "tiny")
	o := ok(t, c.Call("users.get", u.ref())).Object()
	if o.Raw("logins") != "0" || o.Raw("last_login_at") != "" {
		t.Errorf("before any login: logins %s, last_login_at %s", o.Raw("logins"), o.Raw("last_login_at"))
	}
	login(t, c, u)
	token := login(t, c, u)
	marked := ok(t, c.Call("users.get", u.ref())).Object()
	if marked.Raw("logins") != "2" || !timeForm.MatchString(marked.Text("last_login_at")) {
		t.Errorf("after two logins: logins %s, last_login_at %s", marked.Raw("logins"), marked.Raw("last_login_at"))
	}
	again := n.client()
	ok(t, again.Call("users.resume", obj{"session": token}))
	want(t, n.client().Call("users.login", obj{"username": "tiny", "password": "wrong-secret"}), 603)
	after := ok(t, again.Call("users.get", u.ref())).Object()
	if after.Raw("logins") != "2" || after.Text("last_login_at") != marked.Text("last_login_at") {
		t.Errorf("a resume or a failure counted: logins %s, last_login_at %s", after.Raw("logins"), after.Raw("last_login_at"))
	}
}

func TestTheUserObjectHasItsMembersAndNoMore(t *testing.T) {
	n := start(t)
	c := n.client()
	bare := create(t, c, "bare")
	full := create(t, c, "full", obj{"email": "full@home.com", "group": "blue", "extra": obj{"a": "b"}})
	wantMembers(t, ok(t, c.Call("users.get", bare.ref())).Object(), userMembers)
	login(t, c, full)
	o := ok(t, c.Call("users.get", full.ref())).Object()
	wantMembers(t, o, userMembers+" email group extra last_login_at")
	for _, name := range []string{"created_at", "updated_at", "last_login_at"} {
		at, err := time.Parse(time.RFC3339, o.Text(name))
		if err != nil || !timeForm.MatchString(o.Text(name)) {
			t.Errorf("%s is %s", name, o.Raw(name))
		}
		if d := time.Since(at); d < -time.Minute || d > time.Hour {
			t.Errorf("%s is %v ago", name, d)
		}
	}
	if o.Raw("providers") != "[]" {
		t.Errorf("providers is %s, want an empty list", o.Raw("providers"))
	}
}

func TestNoAnswerShowsAPasswordOrAHash(t *testing.T) {
	n := start(t)
	c, a := n.client(), n.admin()
	u := create(t, c, "tiny", obj{"email": "tina@home.com"})
	hex64 := regexp.MustCompile(`[0-9a-f]{64}`)
	for _, r := range []wiretest.Reply{
		c.Call("users.login", u.login()),
		c.Call("users.login", obj{"username": "tiny", "password": "wrong-secret"}),
		c.Call("users.get", u.ref()),
		c.Call("users.update", obj{"user_id": u.id, "update": obj{"password": "new-secret"}}),
		c.Call("users.create", obj{"username": "tiny", "password": "new-secret"}),
		a.Call("admin.users.get", u.ref()),
		a.Call("admin.users.list", obj{"scope": theScope}),
		a.Call("admin.users.update", obj{"user_id": u.id, "update": obj{"password": "new-secret"}}),
	} { // wiretest looks for members and Argon2 records in every frame
		if regexp.MustCompile(`secret|`+passwordHash(theScope, thePassword)).MatchString(r.Raw) ||
			r.Type() != "users.login" && hex64.MatchString(r.Raw) {
			t.Errorf("the answer shows a secret: %s", r.Raw)
		}
	}
}

func TestALoginReplacesTheConnectionsUser(t *testing.T) {
	n := start(t)
	a, b := n.elsewhere("a"), n.elsewhere("b")
	c := n.client()
	login(t, c, a)
	ok(t, c.Call("users.get", a.ref()))
	login(t, c, b)
	ok(t, c.Call("users.get", b.ref()))
	want(t, c.Call("users.get", a.ref()), 606)
	want(t, c.Call("users.login", obj{"username": "a", "password": "wrong-secret"}), 603)
	ok(t, c.Call("users.get", b.ref())) // a failed login changes nothing
}

func TestAnInactiveUserCanLogIn(t *testing.T) {
	n := start(t)
	u := n.elsewhere("tiny")
	ok(t, n.admin().Call("admin.users.update", obj{"user_id": u.id, "update": obj{"active": false}}))
	o := ok(t, n.client().Call("users.login", u.login())).Object()
	if o.Raw("active") != "false" || o.Raw("validated") != "false" {
		t.Errorf("active %s and validated %s, want both false", o.Raw("active"), o.Raw("validated"))
	}
}

func TestAScopeMayHideWhichUsersItKnows(t *testing.T) {
	n := start(t)
	u := n.elsewhere("tiny")
	ok(t, n.admin().Call("admin.scopes.update", obj{"name": theScope, "options": obj{"hide_unknown": true}}))
	c := n.client()
	wrong := want(t, c.Call("users.login", obj{"username": "tiny", "password": "wrong-secret"}), 603)
	unknown := want(t, c.Call("users.login", obj{"username": "nobody", "password": "wrong-secret"}), 603)
	if wrong.Message() != unknown.Message() {
		t.Errorf("the texts differ: %s and %s", wrong.Raw, unknown.Raw)
	}
	login(t, c, u)
}
