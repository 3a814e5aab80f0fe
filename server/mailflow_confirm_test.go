package server_test

import (
	"net/url"
	"slices"
	"strings"
	"testing"

	"rollcall/server"
	"rollcall/server/wiretest"
)

// The flow of a confirmation, as its user goes through it: the mail as an SMTP
// server received it, its link in a browser, and the socket beside them.

// registers makes a user who is asked to confirm his address.
func registers(t *testing.T, c *wiretest.Client, name string, more ...obj) user {
	t.Helper()
	u, r := registersAs(t, c, name, more...)
	if got := ok(t, r).Object().Text("confirmation"); got != "pending" {
		t.Fatalf("got %s, want the confirmation pending", r.Raw)
	}
	return u
}

func registersAs(t *testing.T, c *wiretest.Client, name string, more ...obj) (user, wiretest.Reply) {
	t.Helper()
	params := obj{"username": name, "password": thePassword, "email": name + "@home.example", "confirmation": obj{}}
	for _, m := range more {
		for k, v := range m {
			params[k] = v
		}
	}
	r := c.Call("users.create", params)
	return user{id: r.Object().Text("user_id"), name: name, password: thePassword}, r
}

// wantConfirmation checks how a user stands: the outcome of his mail, "" once he
// is confirmed.
func (n *node) wantConfirmation(a *wiretest.Client, u user, outcome string) {
	n.t.Helper()
	o := ok(n.t, a.Call("admin.users.get", u.ref())).Object()
	confirmed := "false"
	if outcome == "" {
		confirmed = "true"
	}
	if o.Text("confirmation") != outcome || o.Raw("active") != confirmed || o.Raw("validated") != confirmed {
		n.t.Errorf("the user has confirmation %q, active %s, validated %s; want %q and %s",
			o.Text("confirmation"), o.Raw("active"), o.Raw("validated"), outcome, confirmed)
	}
}

func TestAMailedLinkConfirmsTheUser(t *testing.T) {
	po := startPostOffice(t)
	n := start(t, po.configure)
	a, c := n.admin(), n.client()
	u := registers(t, c, "tina")
	n.wantConfirmation(a, u, "pending")
	o := ok(t, c.Call("users.login", u.login())).Object()
	if o.Raw("active") != "false" || o.Raw("validated") != "false" || o.Text("confirmation") != "pending" {
		t.Errorf("the login says %v, want it inactive and pending", o)
	}

	l := po.last(1)
	l.wantHonest(t, "no-reply@rollcall.example", "tina@home.example")
	if !strings.Contains(l.text, "tina") || !strings.Contains(l.subject, theScope) {
		t.Errorf("the mail names neither the user nor the scope: %q\n%s", l.subject, l.text)
	}
	link := l.link(t)
	if !strings.HasPrefix(link, "http://"+n.addr+"/confirm?code=") {
		t.Errorf("the link is %s", link)
	}
	code := l.code(t)

	for _, method := range []string{"GET", "HEAD", "GET", "HEAD", "GET"} {
		if v := browse(t, method, link, nil).want(200); method == "GET" {
			v.want(200, "tina", theScope)
			if _, fields := v.form(); fields.Get("code") != code || len(fields) != 1 {
				t.Errorf("the form has %v, want the code alone", fields)
			}
		}
	}
	n.wantConfirmation(a, u, "pending")

	page := open(t, link)
	page.submit().want(200, "tina")
	n.wantConfirmation(a, u, "")
	page.submit().want(410, "no longer good")
	open(t, link).want(410, "no longer good")
	n.wantConfirmation(a, u, "")

	before := ok(t, a.Call("admin.users.get", u.ref())).Object().Raw("logins")
	o = ok(t, n.client().Call("users.login", u.login())).Object()
	if o.Raw("active") != "true" || o.Raw("validated") != "true" || o.Raw("confirmation") != "" {
		t.Errorf("the login says %v, want it active and validated", o)
	}
	after := ok(t, a.Call("admin.users.get", u.ref())).Object().Raw("logins")
	if before != "0" || after != "1" {
		t.Errorf("logins %s and then %s, want the inactive one unmarked", before, after)
	}
	n.wantUnlogged(code, link)
}

// swapped is another character than c.
func swapped(c byte) string {
	if c == 'A' {
		return "B"
	}
	return "A"
}

func TestOnlyTheFormOfTheMailedPageConfirms(t *testing.T) {
	po := startPostOffice(t)
	n := start(t, po.configure)
	a, c := n.admin(), n.client()
	u := registers(t, c, "tina")
	link, code := po.last(1).link(t), po.last(1).code(t)
	base := "http://" + n.addr
	flipped := code[:40] + swapped(code[40]) + code[41:]
	for what, v := range map[string]visit{
		"a code in the address":  browse(t, "POST", link, url.Values{}),
		"no code":                browse(t, "POST", base+"/confirm", url.Values{}),
		"another code":           browse(t, "POST", base+"/confirm", url.Values{"code": {flipped}}),
		"half a code":            browse(t, "POST", base+"/confirm", url.Values{"code": {code[:32]}}),
		"a code of another kind": browse(t, "POST", base+"/reset", url.Values{"code": {code}, "password": {"p"}, "again": {"p"}}),
	} {
		if v.status != 404 {
			t.Errorf("%s: %d, want 404", what, v.status)
		}
	}
	open(t, base+"/confirm").want(404)
	open(t, base+"/confirm?code=x").want(404)
	open(t, base+"/reset?code="+code).want(404)
	for _, method := range []string{"PUT", "DELETE", "PATCH"} {
		browse(t, method, link, url.Values{"code": {code}}).want(405)
	}
	n.wantConfirmation(a, u, "pending")
	open(t, link).submit().want(200)
	n.wantConfirmation(a, u, "")
}

func TestLinksBeginWithThePublicURL(t *testing.T) {
	po := startPostOffice(t)
	for _, public := range []string{"https://accounts.example.com", "https://example.com/game/"} {
		n := start(t, po.configure, func(c *server.Config) { c.PublicURL = public })
		registers(t, n.client(), "tina")
		all := po.letters()
		want := strings.TrimSuffix(public, "/") + "/confirm?code="
		if link := all[len(all)-1].link(t); !strings.HasPrefix(link, want) {
			t.Errorf("with %s the link is %s", public, link)
		}
	}
}

func TestAMailCarriesAnyTextInAPlainEncoding(t *testing.T) {
	po := startPostOffice(t)
	dir, keep := outbox(t)
	scope := "Weltraum-Rennen 🚀 " + strings.Repeat("ü", 10)
	for _, configure := range []func(*server.Config){po.configure, keep} {
		n := start(t, configure)
		registers(t, n.client(scope), "Zoë-太郎", obj{"email": "zoe@home.example", "confirmation": obj{"subject": "Grüße, Zoë ✨"}})
	}
	kept, _ := outboxLetters(t, dir)
	for _, l := range slices.Concat(po.wait(1), kept) {
		if l.subject != "Grüße, Zoë ✨" || !strings.Contains(l.text, "Zoë-太郎") || !strings.Contains(l.text, scope) || !strings.Contains(l.html, "Zoë-太郎") {
			t.Errorf("the mail lost something: %q\n%s\n%s", l.subject, l.text, l.html)
		}
		l.code(t)
	}
}

func TestARepeatedCreateSendsNoSecondMail(t *testing.T) {
	po := startPostOffice(t)
	n := start(t, po.configure)
	once := obj{"idempotency_key": "k1"}
	first, _ := registersAs(t, n.client(), "tina", once)
	again, r := registersAs(t, n.client(), "tina", once)
	if first.id != again.id || ok(t, r).Object().Text("confirmation") != "pending" {
		t.Errorf("the repeat got %s, want the same answer", r.Raw)
	}
	registers(t, n.client(), "next") // its mail comes after any other
	po.wait(2)
}

func TestAUserIsPendingUntilHeConfirmsAChangedAddress(t *testing.T) {
	po := startPostOffice(t)
	n := start(t, po.configure)
	a := n.admin()
	ok(t, a.Call("admin.scopes.update", obj{"name": theScope, "options": obj{"confirm_email": true}}))
	c := n.client()
	u := create(t, c, "tina", obj{"email": "old@home.example"})
	o := ok(t, c.Call("users.update", obj{"user_id": u.id, "update": obj{"email": "new@home.example"}})).Object()
	if o.Text("confirmation") != "pending" || o.Raw("active") != "false" {
		t.Errorf("after the change: %v, want it pending", o)
	}
	l := po.last(1)
	l.wantHonest(t, "no-reply@rollcall.example", "new@home.example")
	open(t, l.link(t)).submit().want(200)
	n.wantConfirmation(a, u, "")
	o = ok(t, c.Call("users.update", obj{"user_id": u.id, "update": obj{"email": "NEW@home.example"}})).Object()
	if o.Text("confirmation") != "" {
		t.Errorf("the same address in capitals: %v, want it confirmed still", o)
	}
}

func TestAnInactiveUserIsNotWokenByAnOldLink(t *testing.T) {
	po := startPostOffice(t)
	n := start(t, po.configure)
	a, c := n.admin(), n.client()
	u := registers(t, c, "tina")
	ok(t, c.Call("users.resendConfirmation", u.ref()))
	links := po.wait(2)
	open(t, links[0].link(t)).submit().want(200)
	ok(t, c.Call("users.update", obj{"user_id": u.id, "update": obj{"active": false}}))
	open(t, links[1].link(t)).want(410)
	browse(t, "POST", "http://"+n.addr+"/confirm", url.Values{"code": {links[1].code(t)}}).want(410)
	if o := ok(t, a.Call("admin.users.get", u.ref())).Object(); o.Raw("active") != "false" {
		t.Errorf("an old link made the user active: %v", o)
	}
}
