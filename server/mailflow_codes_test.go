package server_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/emersion/go-smtp"
	"golang.org/x/crypto/bcrypt"

	"rollcall/server"
	"rollcall/server/passwords"
	"rollcall/server/wiretest"
	"rollcall/store"
	"rollcall/store/storetest"
)

// Every way to the statuses of mail and providers, and of accounts that came with
// a hash made elsewhere, by number.

// A desk is what the scenarios work with: one server, with mail and a provider.
type desk struct {
	*node
	i     *issuer
	a     *wiretest.Client // an owner
	c     *wiretest.Client // made all of these users
	maker map[string]user
}

const nobodysID = "00000000-1111-4222-8333-444444444444"

func newDesk(t *testing.T) *desk {
	templates := t.TempDir()
	for _, kind := range []string{"registration", "password"} {
		if err := os.Mkdir(filepath.Join(templates, kind), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(templates, kind, "nolink.tpl"), []byte("Hello {{ .Username }}\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	po := startPostOffice(t)
	po.answers(func(rcpt string, _ int) error {
		if strings.HasPrefix(rcpt, "refused") {
			return &smtp.SMTPError{Code: 550, Message: "no such mailbox"}
		}
		return nil
	})
	redis := storetest.Redis(t)
	d := &desk{node: startOn(t, redis.URL(), po.configure, func(c *server.Config) { c.Templates = templates }), maker: map[string]user{}}
	d.i = startIssuer(t, "r1")
	d.providers(obj{theProvider: d.i.config(), "openudid": obj{}, "halfway": obj{"issuer": d.i.url}})
	d.a, d.c = d.admin(), d.client()
	for name, more := range map[string]obj{
		"plain": {}, "mailed": {"email": "mailed@home.example"}, "bound": {}, "other": {},
		"pending": {"email": "pending@home.example", "confirmation": obj{}},
		"refused": {"email": "refused@home.example", "confirmation": obj{}},
		"moved":   {"email": "moved@home.example", "confirmation": obj{}},
		"gone":    {"email": "gone@home.example"},
	} {
		d.maker[name] = create(t, d.c, name, more)
	}
	bringIn(t, redis.URL(), store.NewUser{Scope: theScope, Username: "imported", Email: "imported@home.example", Active: true})
	ok(t, d.c.Call("users.update", obj{"user_id": d.maker["moved"].id, "update": obj{"email": nil}}))
	ok(t, d.c.Call("users.delete", d.maker["gone"].ref()))
	ok(t, binds(d.c, d.maker["bound"], "g-1", d.i.idToken("g-1")))
	return d
}

// bringIn makes a user who has thePassword by a bcrypt hash, as an import does.
func bringIn(t *testing.T, storeURL string, u store.NewUser) {
	t.Helper()
	st, err := store.Open(t.Context(), store.Config{URL: storeURL})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	hash, err := bcrypt.GenerateFromPassword([]byte(thePassword), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	if u.Password, err = passwords.NewForeign("bcrypt", string(hash)); err != nil {
		t.Fatal(err)
	}
	if _, err := st.CreateUser(t.Context(), u); err != nil {
		t.Fatal(err)
	}
}

// user asks about one of the desk's users, on the connection that made him.
func (d *desk) user(typ, name string, more ...obj) wiretest.Reply {
	return d.c.Call(typ, with(append([]obj{d.maker[name].ref()}, more...)...))
}

// owner asks about one of them as an owner.
func (d *desk) owner(typ, name string, more ...obj) wiretest.Reply {
	return d.a.Call(typ, with(append([]obj{d.maker[name].ref()}, more...)...))
}

// create asks for a user of this name who confirms his address.
func (d *desk) create(name string, confirmation obj) wiretest.Reply {
	return d.c.Call("users.create", obj{"username": name, "password": "p", "email": name + "@home.example", "confirmation": confirmation})
}

// add binds an identity to one of them.
func (d *desk) add(name, provider, clientID, token string) wiretest.Reply {
	return d.user("users.addAuthProvider", name, obj{"provider": provider, "auth": obj{"client_id": clientID, "id_token": token}})
}

func TestEveryStatusOfMailAndProvidersHasItsWay(t *testing.T) {
	on := func(provider string) obj { return obj{"provider": provider} }
	tests := []struct {
		status int
		way    string
		call   func(d *desk) wiretest.Reply
	}{
		{604, "login by an unknown username", func(d *desk) wiretest.Reply {
			return d.c.Call("users.login", obj{"username": "x", "password": "p"})
		}},
		{604, "login by an unknown email", func(d *desk) wiretest.Reply {
			return d.c.Call("users.login", obj{"email": "x@home.example", "password": "p"})
		}},
		{604, "login by an unknown identity", func(d *desk) wiretest.Reply { return d.c.Call("users.login", proof("g-9", d.i.idToken("g-9"))) }},
		{604, "login by an unknown device", func(d *desk) wiretest.Reply { return d.c.Call("users.login", udid(theDevice)) }},
		{604, "get", func(d *desk) wiretest.Reply { return d.user("users.get", "gone") }},
		{604, "update", func(d *desk) wiretest.Reply {
			return d.user("users.update", "gone", obj{"update": obj{"group": "red"}})
		}},
		{604, "resendConfirmation", func(d *desk) wiretest.Reply { return d.user("users.resendConfirmation", "gone") }},
		{604, "addAuthProvider", func(d *desk) wiretest.Reply { return d.add("gone", theProvider, "g-9", d.i.idToken("g-9")) }},
		{604, "getAuthProvider", func(d *desk) wiretest.Reply { return d.user("users.getAuthProvider", "gone", on(theProvider)) }},
		{604, "updateAuthProvider", func(d *desk) wiretest.Reply {
			return d.user("users.updateAuthProvider", "gone", on(theProvider), obj{"update": obj{"access_token_expiry": 5}})
		}},
		{604, "removeAuthProvider", func(d *desk) wiretest.Reply { return d.user("users.removeAuthProvider", "gone", on(theProvider)) }},
		{604, "accessTokenExpired", func(d *desk) wiretest.Reply { return d.user("users.accessTokenExpired", "gone", on(theProvider)) }},
		{604, "updateTokenExpiry", func(d *desk) wiretest.Reply {
			return d.user("users.updateTokenExpiry", "gone", on(theProvider), obj{"expiry": 5})
		}},
		{604, "admin: get", func(d *desk) wiretest.Reply { return d.a.Call("admin.users.get", obj{"user_id": nobodysID}) }},
		{604, "admin: update", func(d *desk) wiretest.Reply {
			return d.owner("admin.users.update", "gone", obj{"update": obj{"group": "red"}})
		}},
		{604, "admin: resendConfirmation", func(d *desk) wiretest.Reply { return d.owner("admin.users.resendConfirmation", "gone") }},
		{604, "admin: sendPasswordReset", func(d *desk) wiretest.Reply { return d.owner("admin.users.sendPasswordReset", "gone") }},
		{604, "admin: confirmLink", func(d *desk) wiretest.Reply { return d.owner("admin.users.confirmLink", "gone") }},
		{604, "admin: resetLink", func(d *desk) wiretest.Reply { return d.owner("admin.users.resetLink", "gone") }},

		{610, "login by username", func(d *desk) wiretest.Reply {
			return d.c.Call("users.login", obj{"username": "imported", "password_hash": passwordHash(theScope, thePassword)})
		}},
		{610, "login by email", func(d *desk) wiretest.Reply {
			return d.c.Call("users.login", obj{"email": "imported@home.example", "password_hash": passwordHash(theScope, "wrong")})
		}},

		{614, "resendConfirmation of who was never asked", func(d *desk) wiretest.Reply { return d.user("users.resendConfirmation", "mailed") }},
		{614, "admin: resendConfirmation", func(d *desk) wiretest.Reply { return d.owner("admin.users.resendConfirmation", "mailed") }},
		{614, "admin: confirmLink", func(d *desk) wiretest.Reply { return d.owner("admin.users.confirmLink", "mailed") }},

		{620, "add: a second one", func(d *desk) wiretest.Reply { return d.add("bound", theProvider, "g-2", d.i.idToken("g-2")) }},
		{620, "add: another's", func(d *desk) wiretest.Reply { return d.add("other", theProvider, "g-1", d.i.idToken("g-1")) }},
		{620, "create: another's", func(d *desk) wiretest.Reply {
			return d.c.Call("users.create", with(proof("g-1", d.i.idToken("g-1")), obj{"username": "x"}))
		}},
		{620, "update: another's", func(d *desk) wiretest.Reply {
			d.add("other", theProvider, "g-3", d.i.idToken("g-3"))
			return d.user("users.updateAuthProvider", "other", on(theProvider), obj{"update": obj{"client_id": "g-1", "id_token": d.i.idToken("g-1")}})
		}},

		{624, "login by one that is not configured", func(d *desk) wiretest.Reply {
			return d.c.Call("users.login", with(proof("g-1", "x"), on("google")))
		}},
		{624, "create by one that is not configured", func(d *desk) wiretest.Reply {
			return d.c.Call("users.create", with(proof("g-1", "x"), on("google"), obj{"username": "x"}))
		}},
		{624, "add of one that is not configured", func(d *desk) wiretest.Reply { return d.add("plain", "google", "g-1", "x") }},
		{624, "add of one that is configured by half", func(d *desk) wiretest.Reply { return d.add("plain", "halfway", "g-1", "x") }},
		{624, "get", func(d *desk) wiretest.Reply { return d.user("users.getAuthProvider", "plain", on(theProvider)) }},
		{624, "update", func(d *desk) wiretest.Reply {
			return d.user("users.updateAuthProvider", "plain", on(theProvider), obj{"update": obj{"client_id": "g-9", "id_token": d.i.idToken("g-9")}})
		}},
		{624, "remove", func(d *desk) wiretest.Reply { return d.user("users.removeAuthProvider", "plain", on(theProvider)) }},
		{624, "accessTokenExpired", func(d *desk) wiretest.Reply { return d.user("users.accessTokenExpired", "plain", on(theProvider)) }},
		{624, "updateTokenExpiry", func(d *desk) wiretest.Reply {
			return d.user("users.updateTokenExpiry", "plain", on(theProvider), obj{"expiry": 5})
		}},
		{624, "an access token without a key to seal it", func(d *desk) wiretest.Reply {
			return d.user("users.updateAuthProvider", "bound", on(theProvider), obj{"update": obj{"access_token": "x"}})
		}},

		{625, "login", func(d *desk) wiretest.Reply { return d.c.Call("users.login", proof("g-1", d.i.idToken("g-2"))) }},
		{625, "create", func(d *desk) wiretest.Reply {
			return d.c.Call("users.create", with(proof("g-9", d.i.idToken("g-2")), obj{"username": "x"}))
		}},
		{625, "add", func(d *desk) wiretest.Reply { return d.add("plain", theProvider, "g-9", d.i.idToken("g-2")) }},
		{625, "update", func(d *desk) wiretest.Reply {
			return d.user("users.updateAuthProvider", "bound", on(theProvider), obj{"update": obj{"client_id": "g-9", "id_token": d.i.idToken("g-2")}})
		}},

		{701, "resendConfirmation", func(d *desk) wiretest.Reply { return d.user("users.resendConfirmation", "refused") }},
		{701, "admin: resendConfirmation", func(d *desk) wiretest.Reply { return d.owner("admin.users.resendConfirmation", "refused") }},
		{701, "admin: sendPasswordReset", func(d *desk) wiretest.Reply { return d.owner("admin.users.sendPasswordReset", "refused") }},

		{702, "create: a sender that is not listed", func(d *desk) wiretest.Reply { return d.create("x", obj{"from_email": "me@x.example"}) }},
		{702, "create: an unknown template", func(d *desk) wiretest.Reply { return d.create("x", obj{"email_tpl": "absent"}) }},
		{702, "create: a template without its link", func(d *desk) wiretest.Reply { return d.create("x", obj{"email_tpl": "nolink"}) }},
		{702, "sendPasswordReset: an unknown template", func(d *desk) wiretest.Reply {
			return d.c.Call("users.sendPasswordReset", obj{"email": "mailed@home.example", "email_tpl": "absent"})
		}},
		{702, "sendPasswordReset: a template without its link", func(d *desk) wiretest.Reply {
			return d.c.Call("users.sendPasswordReset", obj{"email": "mailed@home.example", "email_tpl": "nolink"})
		}},

		{704, "create: an email that is none", func(d *desk) wiretest.Reply {
			return d.c.Call("users.create", obj{"username": "x", "password": "p", "email": "nobody"})
		}},
		{704, "create: a sender that is none", func(d *desk) wiretest.Reply { return d.create("x", obj{"from_email": "nobody"}) }},
		{704, "update: an email that is none", func(d *desk) wiretest.Reply {
			return d.user("users.update", "plain", obj{"update": obj{"email": "a@b@c"}})
		}},
		{704, "login by an email that is none", func(d *desk) wiretest.Reply {
			return d.c.Call("users.login", obj{"email": "nobody", "password": "p"})
		}},
		{704, "sendPasswordReset: an email that is none", func(d *desk) wiretest.Reply {
			return d.c.Call("users.sendPasswordReset", obj{"email": "Tina <tina@home.example>"})
		}},
		{704, "resendConfirmation without an email", func(d *desk) wiretest.Reply { return d.user("users.resendConfirmation", "moved") }},
		{704, "admin: resendConfirmation without an email", func(d *desk) wiretest.Reply { return d.owner("admin.users.resendConfirmation", "moved") }},
		{704, "admin: sendPasswordReset without an email", func(d *desk) wiretest.Reply { return d.owner("admin.users.sendPasswordReset", "plain") }},
		{704, "admin: create with an email that is none", func(d *desk) wiretest.Reply {
			return d.a.Call("admin.users.create", obj{"scope": theScope, "username": "x", "email": "nobody"})
		}},
	}
	d := newDesk(t)
	for _, tt := range tests {
		t.Run(fmt.Sprint(tt.status, " ", tt.way), func(t *testing.T) { want(t, tt.call(d), tt.status) })
	}
	wantNobody(t, d.c, "x")

	// What only a server without mail answers.
	bare := start(t)
	c, a := bare.client(), bare.admin()
	u := create(t, c, "pending", obj{"email": "pending@home.example", "confirmation": obj{}})
	for typ, r := range map[string]wiretest.Reply{
		"users.resendConfirmation":       c.Call("users.resendConfirmation", u.ref()),
		"users.sendPasswordReset":        c.Call("users.sendPasswordReset", obj{"email": "pending@home.example"}),
		"admin.users.resendConfirmation": a.Call("admin.users.resendConfirmation", u.ref()),
		"admin.users.sendPasswordReset":  a.Call("admin.users.sendPasswordReset", u.ref()),
	} {
		t.Run("702 without mail "+typ, func(t *testing.T) { want(t, r, 702) })
	}
}
