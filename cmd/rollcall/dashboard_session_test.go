package main

import (
	"strings"
	"testing"

	"github.com/google/uuid"

	"rollcall/protocol"
	"rollcall/protocol/client"
)

func TestAWrongPasswordIsToldAndTheRightOneSignsIn(t *testing.T) {
	t.Parallel()
	d := startDashboard(t)
	p := newPage(t, wide)
	p.open(d.url("#/users?scope=Space+Race"))
	p.by("heading", "Rollcall").isThere()
	p.by("textbox", "Admin").is("focused", "true")
	p.signIn("admin", "wrong")
	p.by("alert", "").shows("password")
	_, err := client.Dial(t.Context(), "ws://"+d.address, client.Options{Admin: &protocol.AdminLoginParams{Name: "admin", Password: "wrong"}})
	if got := p.by("alert", "").text(); err == nil || !strings.Contains(err.Error(), got) {
		t.Errorf("the page says %q, the server %v", got, err)
	}

	// Then to where the address led.
	p.signIn("admin", secretPassword)
	p.by("heading", "Users").isThere()
	p.by("banner", "").shows("admin, owner")
}

func TestASessionOutlivesAReloadAndStandsInNoAddress(t *testing.T) {
	t.Parallel()
	d := startDashboard(t)
	p := d.asOwner(wide)
	p.goTo("Scopes")
	p.reload()
	p.by("heading", "Scopes").isThere()
	p.by("link", theScope).isThere()

	kept := eval[map[string]string](p, `({session: JSON.stringify(sessionStorage), local: JSON.stringify(localStorage), cookies: document.cookie,
		loaded: performance.getEntriesByType("resource").map((r) => r.name).join(" ") + " " + location.href})`)
	token := eval[string](p, `JSON.parse(sessionStorage.getItem("rollcall.session")).token`)
	if token == "" || !strings.Contains(kept["session"], token) {
		t.Error("there is no token in the tab's storage")
	}
	for _, where := range []string{"local", "cookies", "loaded"} {
		if strings.Contains(kept[where], token) || strings.Contains(kept[where], secretPassword) {
			t.Errorf("the token or the password is in %s: %s", where, kept[where])
		}
	}
	if strings.Contains(kept["session"], secretPassword) {
		t.Error("the password is kept")
	}
}

func TestSigningOutEndsTheSessionOnTheServer(t *testing.T) {
	t.Parallel()
	d := startDashboard(t)
	p := d.asOwner(wide)
	token := eval[string](p, `JSON.parse(sessionStorage.getItem("rollcall.session")).token`)
	byToken := client.Options{Admin: &protocol.AdminLoginParams{Token: token}, NoReconnect: true}
	c, err := client.Dial(t.Context(), "ws://"+d.address, byToken)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()

	p.by("button", "Sign out").click()
	p.by("button", "Sign in").isThere()
	await(t, "the token dies", func() error {
		c, err := client.Dial(t.Context(), "ws://"+d.address, byToken)
		if err == nil {
			c.Close()
			return errNotThere
		}
		if !isStatus(err, protocol.StatusSessionInvalid) {
			return err
		}
		return nil
	})
	if kept := eval[int](p, `sessionStorage.length`); eval[*string](p, `sessionStorage.getItem("rollcall.session")`) != nil {
		t.Errorf("the tab keeps %d things, the session among them", kept)
	}
	p.reload()
	p.by("button", "Sign in").isThere()
}

func TestASessionThatIsEndedElsewhereSignsOut(t *testing.T) {
	t.Parallel()
	d := startDashboard(t)
	d.newAdmin("ops", protocol.RoleOperator)
	p := newPage(t, wide)
	d.signIn(p, "ops", thePassword)
	ask(t, d.owner, protocol.AdminAdminsDelete, protocol.AdminRef{Name: "ops"})
	p.by("button", "Sign in").isThere()
	p.shows("session ended")
}

// A viewer sees everything and changes nothing: what changes is not offered, and
// the server refuses it to whoever tries all the same.
func TestAViewerCanDoNothingThatAnOperatorCan(t *testing.T) {
	t.Parallel()
	d := startDashboard(t)
	id := d.newUser("tiny", func(in *protocol.AdminCreateUserParams) {
		in.Email, in.Extra = "tina@home.com", protocol.Extra{"level": protocol.Int(3)}
	})
	player := d.player(theScope)
	if err := logIn(t, player, "tiny", thePassword); err != nil {
		t.Fatal(err)
	}
	pending(t, d, "waiting")
	d.newAdmin("eve", protocol.RoleViewer)
	d.newAdmin("ops", protocol.RoleOperator)

	// What each role is offered, by page.
	type offer struct{ page, button string }
	var ( // in the order of roles, each of which has those before it too
		forOperator = []offer{
			{"#/users?scope=Space+Race", "Create user"},
			{"#/users/" + id.String(), "Ban…"}, {"#/users/" + id.String(), "Kick all"}, {"#/users/" + id.String(), "Set a password…"},
			{"#/users/" + id.String(), "Send password reset"}, {"#/users/" + id.String(), "Delete…"}, {"#/users/" + id.String(), "Remove level"},
			{"#/pending?scope=Space+Race", "Resend: waiting"}, {"#/pending?scope=Space+Race", "Delete: waiting"},
		}
		forOwner = []offer{
			{"#/users/" + id.String(), "Export…"},
			{"#/scopes", "New scope"}, {"#/scopes/Space%20Race", "Delete this scope"}, {"#/scopes/Space%20Race", "Add provider"},
			{"#/scopes/Space%20Race", "Set a key of its own"}, {"#/scopes/Space%20Race", "Set up"},
			{"#/admins", "New admin"}, {"#/admins", "Delete ops"},
		}
	)
	settled := map[string]string{ // a text of the page that is there when it has been loaded
		"#/users?scope=Space+Race": "tiny", "#/users/" + id.String(): "tina@home.com", "#/pending?scope=Space+Race": "waiting",
		"#/scopes": theScope, "#/scopes/Space%20Race": "Webhook", "#/admins": "Audit",
	}
	for _, tt := range []struct {
		name, password string
		may, mayNot    []offer
		server         bool
	}{
		{"eve", thePassword, nil, append(forOperator, forOwner...), false},
		{"ops", thePassword, forOperator, forOwner, true},
		{"admin", secretPassword, append(forOperator, forOwner...), nil, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := newPage(t, wide)
			d.signIn(p, tt.name, tt.password)
			visit := func(o offer) {
				p.open(d.url(o.page))
				await(t, o.page+" is loaded", func() error {
					if text := eval[string](p, `(document.querySelector("main")?.innerText ?? "") + [...document.querySelectorAll("main input")].map((e) => e.value)`); !strings.Contains(text, settled[o.page]) {
						return errNotThere
					}
					return nil
				})
			}
			for _, o := range tt.may {
				visit(o)
				p.by("button", o.button).isThere()
			}
			for _, o := range tt.mayNot {
				visit(o)
				if n := p.by("button", o.button).count(); n > 0 {
					t.Errorf("%s is offered %q on %s", tt.name, o.button, o.page)
				}
			}
			if n := p.by("navigation", "Pages").by("link", "Server").count(); (n > 0) != tt.server {
				t.Errorf("the page Server is linked %d times", n)
			}
		})
	}

	p := newPage(t, wide)
	d.signIn(p, "eve", thePassword)
	refused := func(call string, args ...any) {
		t.Helper()
		// By the page's own session, as a viewer might from the browser's console.
		if status := eval[int](p, fill(`(async () => {
			const { admin } = document.querySelector("main").firstElementChild.session;
			try { await admin.`+call+`; return 0 } catch (error) { return error.status }
		})()`, args)); status != int(protocol.StatusNotPermitted) {
			t.Errorf("%s: status %d", call, status)
		}
	}
	refused(`users.create({scope: %s, username: "x"})`, theScope)
	refused(`users.update({user_id: %s, update: {group: "x"}})`, id)
	refused(`users.ban({user_id: %s})`, id)
	refused(`users.delete({user_id: %s})`, id)
	refused(`users.export({user_id: %s})`, id)
	refused(`users.sendPasswordReset({user_id: %s})`, id)
	refused(`sessions.kick({user_id: %s})`, id)
	refused(`scopes.create({name: "x"})`)
	refused(`scopes.update({name: %s, sessions: "single"})`, theScope)
	refused(`admins.create({name: "x", role: "owner", password: "12345678"})`)
	refused(`admins.setPassword({name: "admin", password: "12345678"})`)
	refused(`server()`)
	if user := ask(t, d.owner, protocol.AdminUsersGet, protocol.UserRef{UserID: id}); user.Group != "" || user.Ban != nil || len(user.Sessions) != 1 {
		t.Errorf("something was changed: %+v", user)
	}
}

// pending creates a user as a game does, who has yet to confirm the address.
func pending(t testing.TB, d *dashboard, username string) uuid.UUID {
	t.Helper()
	result, err := d.player(theScope).Create(t.Context(), protocol.CreateParams{
		Username: username, Email: username + "@home.com", Credentials: protocol.Credentials{Password: thePassword},
		Confirmation: &protocol.Confirmation{},
	})
	if err != nil {
		t.Fatal(err)
	}
	return result.UserID
}
