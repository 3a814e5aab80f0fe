package main

import (
	"os/exec"
	"testing"

	"github.com/google/uuid"

	"rollcall/protocol"
	"rollcall/protocol/client"
)

// A dashboard is a server, a process of the program, whose dashboard is tested.
type dashboard struct {
	t       testing.TB
	address string // host:port
	cmd     *exec.Cmd
	owner   *client.Client // for what a test needs and is not about
}

const theScope = "Space Race"

// startDashboard runs a server with one scope.
func startDashboard(t testing.TB, args ...string) *dashboard {
	t.Helper()
	d := &dashboard{t: t}
	d.cmd, d.address = startProcessOf(t, buildProgram(t), append([]string{"--scope", theScope, "--drain-timeout", "1s", "--node", "n1"}, args...)...)
	d.owner = d.as("admin", secretPassword)
	return d
}

// as opens an admin's connection beside the dashboard's.
func (d *dashboard) as(name, password string) *client.Client {
	d.t.Helper()
	c, err := client.Dial(d.t.Context(), "ws://"+d.address, client.Options{Admin: &protocol.AdminLoginParams{Name: name, Password: password}})
	if err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() { c.Close() })
	return c
}

// ask sends a message that must succeed.
func ask[In, Out any](t testing.TB, c *client.Client, m protocol.Method[In, Out], in In) Out {
	t.Helper()
	out, err := client.Call(t.Context(), c, m, in)
	if err != nil {
		t.Fatalf("%+v: %v", in, err)
	}
	return out
}

// newUser makes a user of theScope whose password is thePassword.
func (d *dashboard) newUser(username string, more ...func(*protocol.AdminCreateUserParams)) uuid.UUID {
	d.t.Helper()
	in := protocol.AdminCreateUserParams{Scope: theScope, Username: username}
	in.Password = thePassword
	for _, m := range more {
		m(&in)
	}
	return ask(d.t, d.owner, protocol.AdminUsersCreate, in).UserID
}

const thePassword = "p-5ecret"

// newAdmin makes an admin whose password is thePassword.
func (d *dashboard) newAdmin(name, role string, scopes ...string) {
	d.t.Helper()
	ask(d.t, d.owner, protocol.AdminAdminsCreate, protocol.AdminParams{Name: name, Role: role, Scopes: scopes, Password: thePassword})
}

// player opens a game's connection.
func (d *dashboard) player(scope string) *client.Client {
	d.t.Helper()
	c, err := client.Dial(d.t.Context(), "ws://"+d.address, client.Options{
		Scope: scope, Key: secretKey, Info: protocol.ClientInfo{Name: "space-race", Version: "1.4.2", Platform: "android"},
	})
	if err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() { c.Close() })
	return c
}

// login logs a user of theScope in; wrong passwords fail as they should.
func logIn(t testing.TB, c *client.Client, username, password string) error {
	t.Helper()
	_, err := c.Login(t.Context(), protocol.LoginParams{Username: username, Credentials: protocol.Credentials{Password: password}})
	return err
}

// url is the address of one of the dashboard's pages, such as "#/users".
func (d *dashboard) url(page string) string { return "http://" + d.address + "/admin/" + page }

// signIn opens the dashboard and signs in.
func (d *dashboard) signIn(p *browserPage, name, password string) {
	d.t.Helper()
	p.open(d.url(""))
	p.signIn(name, password)
	p.by("heading", "Live").isThere()
}

// signIn fills the form that is shown to whoever is not signed in.
func (p *browserPage) signIn(name, password string) {
	p.t.Helper()
	p.by("textbox", "Admin").write(name)
	p.by("textbox", "Password").write(password)
	p.by("button", "Sign in").click()
}

// goTo follows a link of the navigation.
func (p *browserPage) goTo(page string) {
	p.t.Helper()
	p.by("navigation", "Pages").by("link", page).click()
	p.by("heading", page).isThere()
}

// asOwner opens a dashboard, signed in as the owner.
func (d *dashboard) asOwner(on screen) *browserPage {
	d.t.Helper()
	p := newPage(d.t, on)
	d.signIn(p, "admin", secretPassword)
	return p
}
