package server_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"rollcall/server"
	"rollcall/server/wiretest"
)

// The server key ships in every game. What follows is what somebody with the key
// and a socket may try, to make this server mail what he likes to whom he likes.

// asks asks for a confirmation with these parameters, for a user of that name.
func asks(t *testing.T, c *wiretest.Client, name string, confirmation obj) wiretest.Reply {
	t.Helper()
	_, r := registersAs(t, c, name, obj{"confirmation": confirmation})
	return r
}

// wantNobody checks that a refused create made no user.
func wantNobody(t *testing.T, c *wiretest.Client, name string) {
	t.Helper()
	want(t, c.Call("users.login", obj{"username": name, "password": thePassword}), 604)
}

func TestASenderMustBeOnTheScopesList(t *testing.T) {
	po := startPostOffice(t)
	n := start(t, po.configure)
	a, c := n.admin(), n.client()
	from := func(address string) obj { return obj{"from_email": address} }

	want(t, asks(t, c, "a", from("team@game.example")), 702)
	want(t, asks(t, c, "a", from("no-reply@rollcall.example")), 702) // the server's own is not the client's to name either
	wantNobody(t, c, "a")
	ok(t, a.Call("admin.scopes.update", obj{"name": theScope, "options": obj{"from_emails": []string{"Team@game.example", "news@game.example"}}}))
	r := asks(t, c, "b", from("team@Game.example"))
	if got := ok(t, r).Object().Text("confirmation"); got != "pending" {
		t.Errorf("got %s, want it pending", r.Raw)
	}
	if l := po.last(1); !strings.EqualFold(l.from, "team@game.example") {
		t.Errorf("the mail is from %s", l.from)
	}
	for _, other := range []string{"team@game.example.evil.example", "eteam@game.example", "team+x@game.example"} {
		want(t, asks(t, c, "c", from(other)), 702)
	}
	want(t, asks(t, n.client("other scope"), "c", from("team@game.example")), 702)
	ok(t, a.Call("admin.scopes.update", obj{"name": theScope, "options": obj{"from_emails": []string{}}}))
	want(t, asks(t, c, "d", from("team@game.example")), 702)
	po.wait(1)
}

func TestWhatAClientPutsIntoAMailIsBounded(t *testing.T) {
	keys := func(n, size int) obj {
		m := obj{}
		for i := range n {
			m[fmt.Sprintf("k%d", i)] = strings.Repeat("v", size)
		}
		return obj{"tpl_keys": m}
	}
	key := func(name string, value any) obj { return obj{"tpl_keys": obj{name: value}} }
	tests := []struct {
		name   string
		ask    obj
		status int
	}{
		{"20 keys of 200 bytes", keys(20, 200), 0},
		{"21 keys", keys(21, 1), 802},
		{"a value of 201 bytes", keys(1, 201), 802},
		{"a value of 201 bytes in 67 characters", key("k", strings.Repeat("太", 67)), 802},
		{"a value that is no text", key("k", 5), 801},
		{"a value of two lines", key("k", "a\nb"), 802},
		{"a value with a control character", key("k", "a\x1bb"), 802},
		{"a value that runs backwards", key("k", "a\u202eb"), 802},
		{"a value with a hidden line end", key("k", "a\u2028b"), 802},
		{"an empty name", key("", "v"), 802},
		{"a name that is code", key("x }}{{ y", "v"), 802},
		{"a name with a line end", key("x\r\nBcc", "v"), 802},
		{"https", key("k", "see https://evil.example"), 802},
		{"HTTP", key("k", "HTTP://evil.example"), 802},
		{"another scheme", key("k", "ftp://evil.example/x"), 802},
		{"no scheme", key("k", "//evil.example/x"), 802},
		{"www", key("k", "www.evil.example"), 802},
		{"a path", key("k", "evil.example/win"), 802},
		{"a port", key("k", "evil.example:8080"), 802},
		{"an address of numbers", key("k", "1.2.3.4/win"), 802},
		{"mailto", key("k", "mailto:me@evil.example"), 802},
		{"a script", key("k", "javascript:alert(1)"), 802},
		{"a telephone", key("k", "tel:+123456"), 802},
		{"a subject of 256 bytes", obj{"subject": strings.Repeat("s", 256)}, 0},
		{"a subject of 257 bytes", obj{"subject": strings.Repeat("s", 257)}, 802},
		{"a subject with a link", obj{"subject": "You won: https://evil.example"}, 802},
		{"an empty subject", obj{"subject": ""}, 802},
		{"a subject that is no text", obj{"subject": 5}, 801},
		{"a sender that is none", obj{"from_email": "nobody"}, 704},
		{"keys that are no object", obj{"tpl_keys": "k"}, 801},
		{"a confirmation that is no object", nil, 801},
	}
	po := startPostOffice(t)
	n := start(t, po.configure)
	c := n.client()
	sent := 0
	for i, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			name := fmt.Sprintf("u%d", i)
			params := obj{"username": name, "password": thePassword, "email": name + "@home.example", "confirmation": tt.ask}
			if tt.ask == nil {
				params["confirmation"] = "yes"
			}
			want(t, c.Call("users.create", params), tt.status)
			if tt.status == 0 {
				sent++
			} else {
				wantNobody(t, c, name)
			}
		})
	}
	po.wait(sent)
}

func TestATemplateIsPickedByItsBareName(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("registration/go.tpl", "Subject: Welcome, {{ .Username }}\n\nHi {{ .Username }}, color {{ .Keys.color }}: {{ .ConfirmLink }}\n")
	write("registration/core.tpl", "Hi {{ username }}, color {{ color }}.\n{* confirm_link *}\n")
	write("registration/nolink.tpl", "Hi {{ username }}\n")
	write("registration/wronglink.tpl", "{{ .ResetLink }}\n")
	write("registration/broken.tpl", "{{ .ConfirmLink }\n")
	write("password/again.tpl", "{* reset_link *}\n")
	write("outside.tpl", "{{ .ConfirmLink }} outside\n")
	write("pages/x.tpl", "{{ .ConfirmLink }} page\n")
	if err := os.Symlink(filepath.Join(dir, "..", "elsewhere.tpl"), filepath.Join(dir, "registration", "sym.tpl")); err != nil {
		t.Fatal(err)
	}
	po := startPostOffice(t)
	n := start(t, po.configure, func(c *server.Config) { c.Templates = dir })
	c := n.client()
	tests := []struct {
		tpl    string
		status int
	}{
		{"go", 0}, {"go.tpl", 0}, {"core", 0},
		{"nolink", 702}, {"wronglink", 702}, {"broken", 702}, {"absent", 702}, {"again", 702}, {"outside", 702}, {"sym", 702},
		{"../outside", 802}, {"../outside.tpl", 802}, {"..", 802}, {".", 802}, {"", 802}, {".hidden", 802}, {"registration/go", 802},
		{"/etc/passwd", 802}, {"..\\outside", 802}, {"go\x00", 802}, {"go\n", 802}, {"%2e%2e%2foutside", 802}, {strings.Repeat("x", 65), 802},
	}
	sent := 0
	for i, tt := range tests {
		name := fmt.Sprintf("u%d", i)
		ask := obj{"email_tpl": tt.tpl, "tpl_keys": obj{"color": "blue"}}
		want(t, asks(t, c, name, ask), tt.status)
		if tt.status != 0 {
			wantNobody(t, c, name)
			continue
		}
		sent++
		l := po.last(sent)
		l.wantHonest(t, "no-reply@rollcall.example", name+"@home.example")
		if !strings.Contains(l.text, "Hi "+name+", color blue") {
			t.Errorf("%s says:\n%s", tt.tpl, l.text)
		}
		if strings.HasPrefix(tt.tpl, "go") && l.subject != "Welcome, "+name {
			t.Errorf("the subject is %q", l.subject)
		}
		open(t, l.link(t)).submit().want(200)
	}
	// A reset takes its own folder's.
	for tpl, status := range map[string]int{"again": 0, "go": 702, "../password/again": 802} {
		for _, email := range []string{"u0@home.example", "nobody@home.example"} {
			want(t, c.Call("users.sendPasswordReset", obj{"email": email, "email_tpl": tpl}), status)
		}
	}
	open(t, po.last(sent+1).link(t)).want(200, "u0")
}

func TestTheMailLimitHoldsForAnAddressWhoeverAsks(t *testing.T) {
	const most = 3
	address := func(i int) string { return []string{"victim@home.example", "Victim@HOME.example"}[i%2] }
	tests := []struct {
		name string
		ask  func(t *testing.T, n *node, i int)
	}{
		{"for one user after another", func(t *testing.T, n *node, i int) {
			c := n.client()
			u, r := registersAs(t, c, fmt.Sprintf("u%d", i), obj{"email": address(i)})
			ok(t, r)
			ok(t, c.Call("users.delete", u.ref()))
		}},
		{"for one user whose address comes and goes", func(t *testing.T, n *node, i int) {
			c := n.client()
			u, r := registersAs(t, c, fmt.Sprintf("u%d", i))
			ok(t, r)
			ok(t, c.Call("users.update", obj{"user_id": u.id, "update": obj{"email": address(i)}}))
			c.Call("users.resendConfirmation", u.ref())
			ok(t, c.Call("users.update", obj{"user_id": u.id, "update": obj{"email": nil}}))
		}},
		{"for confirmations and resets together", func(t *testing.T, n *node, i int) {
			c := n.client()
			if i == 0 {
				registers(t, c, "u", obj{"email": address(i)})
			}
			wantResult(t, c.Call("users.sendPasswordReset", obj{"email": address(i)}), "true")
		}},
		{"for one new scope after another", func(t *testing.T, n *node, i int) {
			registersAs(t, n.client(fmt.Sprintf("scope %d", i)), "u", obj{"email": address(i)})
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			po := startPostOffice(t)
			n := start(t, po.configure, func(c *server.Config) { c.MailLimit = most })
			for i := range most + 4 {
				tt.ask(t, n, i)
			}
			n.stop() // and with it ends what is done behind an answer
			if err := <-n.done; err != nil {
				t.Error(err)
			}
			got := 0
			for _, l := range po.letters() {
				if strings.EqualFold(l.to[0], "victim@home.example") {
					got++
				}
			}
			if got != most {
				t.Errorf("the victim got %d mails, want %d", got, most)
			}
		})
	}
}
