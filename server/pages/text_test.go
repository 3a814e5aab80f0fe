package pages_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"rollcall/server/pages"
)

func TestTextOfAUserStaysText(t *testing.T) {
	for _, text := range []string{
		`<img src=x onerror=alert(1)>`, `"><script>alert(1)</script>`, `' onfocus='alert(1)`, `</title><h1>x</h1>`, `{{.Code}}`, `&lt;b&gt;`, `<!--`,
	} {
		accounts := newAccounts()
		accounts.account = pages.Account{Scope: text, Username: text, Pending: true}
		code := text + " code"
		accounts.look["confirm "+code], accounts.look["reset "+code] = nil, pages.ErrSpent
		all := everyPage(t, accounts, "")
		h := newPages(t, accounts, "")
		all["confirm by such a code"] = post(h, "/confirm", "code", code)
		all["reset spent by such a code"] = post(h, "/reset", "code", code)
		shown := 0
		for name, w := range all {
			d := parse(t, w.Body.String())
			d.wantAccessible()
			d.wantContained()
			if strings.Contains(d.one("body").text, text) {
				shown++
			}
			for _, input := range d.all("input") {
				if input.attrs["name"] == "code" && strings.HasSuffix(name, "such a code") && input.attrs["value"] != code {
					t.Errorf("%s: the form's code is %q, want %q", name, input.attrs["value"], code)
				}
			}
		}
		if shown == 0 {
			t.Errorf("no page shows %q as it was typed", text)
		}
	}
}

func TestNoPageShowsACodeToWhomItIsUnknown(t *testing.T) {
	h := newPages(t, newAccounts(), "")
	for _, w := range []string{get(h, "/confirm?code=mark1234").Body.String(), post(h, "/reset", "code", "mark1234").Body.String()} {
		if strings.Contains(w, "mark1234") || strings.Contains(w, "tina") || strings.Contains(w, "<form") {
			t.Errorf("the page of an unknown code shows something:\n%s", w)
		}
	}
}

func TestAPasswordIsNeverInAPage(t *testing.T) {
	accounts := newAccounts()
	h := newPages(t, accounts, "")
	check := func(body string) {
		t.Helper()
		if strings.Contains(body, "brand-new") {
			t.Errorf("the page has a password:\n%s", body)
		}
		for _, input := range parse(t, body).all("input") {
			if input.attrs["type"] == "password" && (input.attrs["value"] != "" || input.attrs["autocomplete"] != "new-password") {
				t.Errorf("the password's input has %v", input.attrs)
			}
		}
	}
	check(get(h, "/reset?code=open").Body.String())
	check(post(h, "/reset", "code", "open", "password", "brand-new", "again", "brand-newer").Body.String())
	check(post(h, "/reset", "code", "open", "password", "brand-new", "again", "brand-new").Body.String())
	accounts.do = pages.ErrPassword
	refused := post(h, "/reset", "code", "open", "password", "brand-new", "again", "brand-new").Body.String()
	check(refused)
	if !strings.Contains(refused, "1,024") {
		t.Errorf("the page does not say what a password may be:\n%s", refused)
	}
}

func TestAFolderBrandsThePages(t *testing.T) {
	dir := t.TempDir()
	own := filepath.Join(dir, "pages")
	if err := os.Mkdir(own, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"confirm.html": `{{template "top" "Space Race"}}<p>Hello <b>{{.Account.Username}}</b></p><form method="post" action="/confirm"><input type="hidden" name="code" value="{{.Code}}"><button>Go</button></form>{{template "bottom"}}`,
		"style.css":    "body { color: rebeccapurple }",
		"notes.txt":    "not a page",
	} {
		if err := os.WriteFile(filepath.Join(own, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	accounts := newAccounts()
	accounts.account.Username = "<i>tina</i>"
	h := newPages(t, accounts, dir)
	w := get(h, "/confirm?code=open")
	d := parse(t, w.Body.String())
	if d.one("h1").text != "Space Race" || d.one("b").text != "<i>tina</i>" || w.Header().Get("Content-Security-Policy") == "" {
		t.Errorf("the branded page is\n%s", w.Body)
	}
	if got := get(h, "/pages.css").Body.String(); !strings.Contains(got, "rebeccapurple") {
		t.Errorf("the style is %s", got)
	}
	if got := get(h, "/reset?code=open").Body.String(); !strings.Contains(got, "Set a new password") {
		t.Errorf("the page that the folder lacks is\n%s", got)
	}
	post(h, "/confirm", "code", "open")
	if len(accounts.done) != 1 {
		t.Errorf("the branded form did %q", accounts.done)
	}
}

func TestABrokenFolderIsToldAtTheStart(t *testing.T) {
	dir := t.TempDir()
	if _, err := pages.New(newAccounts(), dir, nil); err != nil {
		t.Errorf("a folder without pages: %v", err)
	}
	if err := os.Mkdir(filepath.Join(dir, "pages"), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := pages.New(newAccounts(), dir, nil); err != nil {
		t.Errorf("an empty folder of pages: %v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "pages", "confirm.html"), []byte("{{.Account"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := pages.New(newAccounts(), dir, nil); err == nil {
		t.Error("a page that does not parse is taken")
	}
}
