package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp/kb"
)

// screenshotsInto names a folder that gets a picture of every page: see make
// screenshots.
const screenshotsInto = "ROLLCALL_SCREENSHOTS"

// Every page, light and dark, wide and on a phone, breaks none of axe's rules, and
// on a phone nothing has to be scrolled sideways but tables in regions of their own.
func TestEveryPageIsAccessible(t *testing.T) {
	t.Parallel()
	d := seed(t)
	folder := os.Getenv(screenshotsInto)
	if folder != "" {
		d.bustle(30 * time.Second)
	}
	for _, on := range []screen{wide, wideDark, phone, phoneDark} {
		t.Run(on.name, func(t *testing.T) {
			p := newPage(t, on)
			check := func(name string) {
				t.Helper()
				p.isAccessible(name)
				if has := eval[int64](p, `document.documentElement.scrollWidth`); has > on.width {
					t.Errorf("%s is %d px wide", name, has)
				}
				if background := eval[string](p, `getComputedStyle(document.body).backgroundColor`); isDark(t, background) != on.dark {
					t.Errorf("%s: the background is %s", name, background)
				}
				if folder != "" {
					p.screenshot(filepath.Join(folder, name+"-"+on.name+".png"), false)
				}
			}
			p.open(d.url(""))
			p.by("button", "Sign in").isThere()
			check("sign-in")
			p.signIn("admin", secretPassword)
			for _, v := range d.views() {
				p.open(d.url(v.page))
				p.by("main", "").shows(v.shows)
				check(v.name)
			}
			p.open(d.url("#/users/" + d.user.String()))
			p.by("button", "Ban…").click()
			p.by("dialog", "Ban dmitri_77?").isThere()
			check("ban")
		})
	}
}

// isDark reports whether a color, as a browser computes it, is a dark one.
func isDark(t *testing.T, color string) bool {
	t.Helper()
	var r, g, b int
	if _, err := fmt.Sscanf(color, "rgb(%d, %d, %d)", &r, &g, &b); err != nil {
		t.Errorf("%s: %v", color, err)
	}
	return r+g+b < 3*128
}

// tabTo presses Tab until an element has the focus.
func (p *browserPage) tabTo(role, name string) {
	p.t.Helper()
	e := p.by(role, name).isThere()
	for range 300 {
		p.press(kb.Tab)
		if of[bool](e, `function() { return document.activeElement === this }`) {
			// It must be seen to have it.
			if seen := eval[bool](p, `(() => { const s = getComputedStyle(document.activeElement); return document.activeElement.matches(":focus-visible") && (s.outlineStyle !== "none" || s.boxShadow !== "none") })()`); !seen {
				p.t.Errorf("nothing shows that %s has the focus", e)
			}
			return
		}
	}
	p.t.Fatalf("the Tab key does not lead to %s", e)
}

func TestTheKeyboardIsEnough(t *testing.T) {
	t.Parallel()
	d := startDashboard(t)
	id := d.newUser("tiny")
	d.newUser("huge")
	p := newPage(t, wide)
	p.open(d.url(""))
	p.by("textbox", "Admin").is("focused", "true")
	p.press("admin" + kb.Tab + secretPassword + kb.Enter)
	p.by("heading", "Live").isThere()

	p.tabTo("link", "Skip to content")
	p.press(kb.Enter)
	p.by("main", "").is("focused", "true")
	p.addressHas("#/live")

	p.tabTo("button", "Pause")
	p.press(" ")
	p.by("button", "Resume").is("pressed", "true")
	p.press(" ")
	p.by("button", "Pause").isThere()
	p.tabTo("combobox", "Event")
	p.press(kb.ArrowDown)
	p.addressHas("#/live?event=user.login")

	p.tabTo("link", "Users")
	p.press(kb.Enter)
	p.lists("Users", "huge", "tiny")
	p.by("main", "").is("focused", "true")
	p.tabTo("searchbox", "Username begins with")
	p.press("ti")
	p.lists("Users", "tiny")
	p.tabTo("link", "tiny")
	p.press(kb.Enter)
	p.by("heading", "tiny").isThere()

	p.tabTo("button", "Ban…")
	p.press(kb.Enter)
	p.by("dialog", "Ban tiny?").isThere()
	p.tabTo("textbox", "Reason")
	p.press("spam" + kb.Enter)
	p.by("dialog", "Ban tiny?").isGone()
	p.by("region", "Account").shows("spam")
	if ban := d.user(id).Ban; ban == nil || ban.Reason != "spam" {
		t.Errorf("the ban is %+v", ban)
	}
	p.tabTo("button", "Delete…")
	p.press(kb.Enter)
	p.by("dialog", "Delete tiny?").isThere()
	// The focus stays in the dialog, and comes back after it.
	for range 8 {
		p.press(kb.Tab)
		if !eval[bool](p, `document.activeElement === document.body || document.querySelector("dialog").contains(document.activeElement)`) {
			t.Error("the focus has left the dialog")
		}
	}
	p.press(kb.Escape)
	p.by("button", "Delete…").is("focused", "true")
	p.tabTo("button", "Sign out")
	p.press(kb.Enter)
	p.by("button", "Sign in").isThere()
}

func TestOnAPhoneTheMenuLeadsToThePages(t *testing.T) {
	t.Parallel()
	d := startDashboard(t)
	d.newUser("tiny")
	if err := logIn(t, d.player(theScope), "tiny", thePassword); err != nil {
		t.Fatal(err)
	}
	p := d.asOwner(phone)
	if n := p.by("link", "Users").count(); n != 0 {
		t.Error("the menu is open")
	}
	p.by("button", "Menu").click()
	p.by("button", "Menu").is("expanded", "true")
	p.by("link", "Users").click()
	p.by("heading", "Users").isThere()
	p.by("button", "Menu").is("expanded", "false")
	p.by("link", "tiny").click()
	p.by("heading", "tiny").isThere()
	p.by("button", "Ban…").click()
	p.by("dialog", "Ban tiny?").by("button", "Ban").click()
	p.by("region", "Account").shows("Banned")
	p.by("banner", "").by("status", "").shows("live")
}

// What is written into the page by hand keeps to the policy that it is served under.
func TestThePolicyLetsNoOtherScriptIn(t *testing.T) {
	t.Parallel()
	d := startDashboard(t)
	p := d.asOwner(wide)
	for _, attack := range []string{
		`(document.body.append(Object.assign(document.createElement("script"), {textContent: "window.hit = 1"})), 0)`,
		`(document.body.insertAdjacentHTML("beforeend", "<img src=x onerror='window.hit = 1'>"), 0)`,
		`(document.body.setAttribute("onclick", "window.hit = 1"), document.body.click(), 0)`,
		`(document.body.append(Object.assign(document.createElement("link"), {rel: "stylesheet", href: "data:text/css,*{color:red}"})), 0)`,
		`fetch("data:,x").then(() => { window.hit = 1 })`,
	} {
		_ = eval[string](p, `(async () => { try { await (`+attack+`) } catch {} return "" })()`)
	}
	await(t, "the browser tells of the attempts", func() error {
		heard := strings.Join(p.takeFaults(), "\n")
		if !strings.Contains(heard, "Content Security Policy") && !strings.Contains(heard, "Trusted") {
			return fmt.Errorf("heard %q", heard)
		}
		return nil
	})
	p.mayLog("")
	if eval[bool](p, `"hit" in window`) {
		t.Error("an injected script has run")
	}
}
