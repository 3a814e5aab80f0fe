package server_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"rollcall/server"
)

// What a client gives may be refused, or it stands in the mail as text. Either
// way the mail as it was received has the server's header, one recipient, and
// leads to the server alone.

func TestNoTextOfAClientReachesAHeader(t *testing.T) {
	hostile := []string{
		"a\r\nBcc: victim@evil.example",
		"a\nBcc: victim@evil.example",
		"a\rBcc: victim@evil.example",
		"a\r\n\r\nanother body",
		"a\r\n Bcc: victim@evil.example",
		"a\x00Bcc: victim@evil.example",
		"a\u0085Bcc: victim@evil.example",
		"a\u2028Bcc: victim@evil.example",
		"a\u2029Bcc: victim@evil.example",
		"=?utf-8?q?a=0D=0ABcc:_victim@evil.example?=",
		"=?utf-8?b?YQ0KQmNjOiB2aWN0aW1AZXZpbC5leGFtcGxl?=",
		"a\" <victim@evil.example>, \"b",
		"a, victim@evil.example",
		"victim@evil.example",
		"<victim@evil.example>",
		"a\r\n.\r\nMAIL FROM:<x@evil.example>",
		strings.Repeat("long ", 40) + "\r\nBcc: victim@evil.example",
	}
	dir, keep := outbox(t)
	po := startPostOffice(t)
	for _, configure := range []func(*server.Config){keep, po.configure} {
		n := start(t, configure, func(c *server.Config) { c.MailLimit = 1000 })
		ok(t, n.admin().Call("admin.scopes.update", obj{"name": theScope, "options": obj{"from_emails": []string{"team@game.example"}}}))
		c := n.client()
		for i, text := range hostile {
			for field, ask := range map[string]obj{
				"subject":    {"confirmation": obj{"subject": text}},
				"from_email": {"confirmation": obj{"from_email": text}},
				"from_name":  {"confirmation": obj{"from_email": text + " <team@game.example>"}},
				"tpl_keys":   {"confirmation": obj{"tpl_keys": obj{"username": text}}},
				"tpl_key":    {"confirmation": obj{"tpl_keys": obj{text: "v"}}},
				"email_tpl":  {"confirmation": obj{"email_tpl": text}},
				"email":      {"email": text},
				"email_2":    {"email": fmt.Sprintf("u%d@home.example", i) + text},
				"username":   {"username": text},
			} {
				_, r := registersAs(t, c, fmt.Sprintf("%s%d", field, i), ask)
				switch r.Status() {
				case 0, 600, 702, 704, 802:
				default:
					t.Errorf("%s %q: got %s", field, text, r.Raw)
				}
			}
			if r := c.Call("users.sendPasswordReset", obj{"email": text, "email_tpl": text}); r.Status() == 0 {
				t.Errorf("a reset for %q: %s", text, r.Raw)
			}
		}
	}
	kept, _ := outboxLetters(t, dir)
	if len(kept) == 0 || len(po.letters()) == 0 {
		t.Fatal("no mail at all")
	}
	for _, l := range append(kept, po.letters()...) {
		wantOwnMail(t, l)
	}
}

// wantOwnMail checks a mail whose recipient a hostile client chose: one, and he
// is the one who was asked for.
func wantOwnMail(t *testing.T, l letter) {
	t.Helper()
	to, err := l.header.AddressList("To")
	if err != nil || len(to) != 1 {
		t.Fatalf("To is %q", l.header.Get("To"))
	}
	from := "no-reply@rollcall.example"
	if l.to == nil {
		from = "rollcall@localhost"
	}
	if got, err := l.header.AddressList("From"); err == nil && len(got) == 1 && l.to == nil && strings.HasSuffix(got[0].Address, "@evil.example") {
		from = got[0].Address // an outbox takes any sender
	}
	l.wantHonest(t, from, to[0].Address)
	l.code(t)
	if strings.ContainsAny(l.subject, "\r\n\x00\u0085\u2028\u2029") || strings.Contains(l.text, "\x00") {
		t.Errorf("control characters came through: %q\n%q", l.subject, l.text)
	}
}

// links are what mail programs make a link of, and what might be taken for harmless.
var links = []string{
	"https://evil.example/win", "HTTPS://evil.example", "www.evil.example", "evil.example/win", "evil.example",
	"me@evil.example", "//evil.example", "evil。example/win", "mailto:me@evil.example", `<a href="https://evil.example">here</a>`,
	"[here](https://evil.example)", `"><img src=//evil.example/x>`, "&#104;ttps&#58;//evil.example",
}

// showsAll starts a server that has a template, "all", which shows all that a
// client gives.
func showsAll(t *testing.T, po *postOffice) *node {
	t.Helper()
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "registration"), 0o755); err != nil {
		t.Fatal(err)
	}
	all := "Subject: {{ .Username }} {{ .Keys.k }} {{ .Scope }}\n\n{{ .Username }} {{ .Keys.k }}{{ .Keys.l }} {{ .Scope }} {{ k }}{{ l }}\n{{ .ConfirmLink }}\n"
	if err := os.WriteFile(filepath.Join(dir, "registration", "all.tpl"), []byte(all), 0o644); err != nil {
		t.Fatal(err)
	}
	return start(t, po.configure, func(c *server.Config) { c.Templates, c.MailLimit = dir, 1000 })
}

// wantNoLink checks that the last of n mails leads to the server alone.
func (po *postOffice) wantNoLink(t *testing.T, n int, text string) {
	t.Helper()
	l := po.last(n)
	if found := urlForm.FindAllString(l.text, -1); len(found) != 1 {
		t.Errorf("%q became a link: %q", text, found)
		return
	}
	l.link(t)
	body := strings.ToLower(l.subject + "\n" + l.text + l.html)
	if strings.Contains(body, "evil.example") || strings.Contains(body, "evil。example") || strings.Contains(l.html, "<img") {
		t.Errorf("%q came through as it was, with the subject %q", text, l.subject)
	}
}

func TestNoTextOfAClientBecomesALink(t *testing.T) {
	po := startPostOffice(t)
	n := showsAll(t, po)
	c := n.client()
	sent := 0
	for _, tpl := range []string{"default", "all"} {
		for i, text := range links {
			whole := fmt.Sprint(text, tpl)
			for where, ask := range map[string]struct {
				name string
				keys obj
			}{
				"the username": {whole[:min(64, len(whole))], obj{}},
				"one key":      {fmt.Sprintf("one %s %d", tpl, i), obj{"k": text}},
				"two keys":     {fmt.Sprintf("two %s %d", tpl, i), obj{"k": "https:", "l": strings.TrimPrefix(text, "https:")}},
			} {
				confirmation := obj{"email_tpl": tpl, "tpl_keys": ask.keys}
				if tpl == "default" {
					delete(confirmation, "email_tpl")
				}
				email := fmt.Sprintf("u%d-%d@home.example", i, sent)
				switch _, r := registersAs(t, c, ask.name, obj{"email": email, "confirmation": confirmation}); r.Status() {
				case 0:
					sent++
					po.wantNoLink(t, sent, where+" "+text)
				case 802:
				default:
					t.Errorf("%s %q: got %s", where, text, r.Raw)
				}
			}
		}
	}
}

func TestNoScopesNameBecomesALink(t *testing.T) {
	po := startPostOffice(t)
	n := showsAll(t, po)
	for i, text := range links {
		registers(t, n.client(text), "player", obj{"email": fmt.Sprintf("u%d@home.example", i)})
		po.wantNoLink(t, i+1, "the scope "+text)
	}
}
