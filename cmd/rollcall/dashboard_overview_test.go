package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/chromedp/kb"

	"rollcall/protocol"
	"rollcall/protocol/client"
)

// tiles are what the Overview's tiles say, by their names.
func (p *browserPage) tiles() map[string]string {
	p.t.Helper()
	return eval[map[string]string](p, `Object.fromEntries([...document.querySelectorAll("main dl.tiles > *")].map((tile) =>
		[tile.querySelector("dt").textContent, tile.querySelector("dd").textContent]))`)
}

// tile waits until these tiles say so.
func (p *browserPage) tile(want map[string]string) {
	p.t.Helper()
	await(p.t, fmt.Sprintf("the tiles say %v", want), func() error {
		got := p.tiles()
		for name, text := range want {
			if got[name] != text {
				return fmt.Errorf("they say %v", got)
			}
		}
		return nil
	})
}

func TestTheOverviewCountsWhatHappens(t *testing.T) {
	t.Parallel()
	d := startDashboard(t, "--scope", "Moon Base")
	p := d.asOwner(wide)
	p.goTo("Overview")
	p.tile(map[string]string{"Online now": "0", "Users": "0", "Pending": "0"})
	for _, name := range []string{"tiny", "huge", "zoe"} {
		d.newUser(name)
	}
	pending(t, d, "waiting")
	ask(t, d.owner, protocol.AdminUsersCreate, protocol.AdminCreateUserParams{Scope: "Moon Base", Username: "moony", Credentials: protocol.Credentials{Password: thePassword}})
	for _, name := range []string{"tiny", "huge"} {
		if err := logIn(t, d.player(theScope), name, thePassword); err != nil {
			t.Fatal(err)
		}
	}
	if err := logIn(t, d.player("Moon Base"), "moony", thePassword); err != nil {
		t.Fatal(err)
	}
	_ = logIn(t, d.player(theScope), "tiny", "wrong")
	// Without a reload.
	p.tile(map[string]string{"Online now": "3", "Users": "5", "Pending": "1", "DAU": "3", "WAU": "3", "MAU": "3", "Failure rate": "25%"})
	p.by("region", "Nodes").at(0).shows("n1")

	// One scope of them, by the address.
	p.by("combobox", "Scope").choose("Moon Base")
	p.addressHas("#/overview?scope=Moon+Base&span=24h")
	p.tile(map[string]string{"Online now": "1", "Users": "1", "Pending": "0", "DAU": "1"})
	p.by("combobox", "Scope").choose("All scopes")
	p.tile(map[string]string{"Online now": "3"})

	for span, shown := range map[string]string{"1 h": "3 logins in the last hour.", "24 h": "3 logins in the last 24 hours.", "7 d": "3 logins in the last 7 days.", "30 d": "3 logins in the last 30 days."} {
		p.by("group", "Span of the charts").by("button", span).click()
		p.by("button", span).is("pressed", "true")
		p.by("region", "Logins").shows(shown)
	}
	await(t, "each scope has its line", func() error {
		got := eval[map[string]string](p, `Object.fromEntries([...document.querySelectorAll("section.scopes tbody tr")].map((tr) =>
			[tr.cells[0].textContent, [...tr.cells].slice(1).map((td) => td.textContent).join(" ")]))`)
		if want := map[string]string{theScope: "2 4 2 1 4 2", "Moon Base": "1 1 1 0 1 1"}; !maps.Equal(got, want) {
			return fmt.Errorf("%v, want %v", got, want)
		}
		return nil
	})
}

func TestAChartIsReadByPointerByKeysAndAsATable(t *testing.T) {
	t.Parallel()
	d := startDashboard(t)
	d.newUser("tiny")
	c := d.player(theScope)
	for range 4 {
		if err := logIn(t, c, "tiny", thePassword); err != nil {
			t.Fatal(err)
		}
	}
	p := d.asOwner(wide)
	p.open(d.url("#/overview?span=1h"))
	logins := p.by("region", "Logins").at(0)
	logins.shows("4 logins in the last hour.")
	chart := logins.by("image", "")
	await(t, "the chart has a name that tells what it shows", func() error {
		if name := of[string](chart, `function() { return this.getAttribute("aria-label") }`); !strings.HasPrefix(name, "Logins in the last hour. Logins: least 0, most ") {
			return fmt.Errorf("%q", name)
		}
		return nil
	})
	if labels := of[[]string](chart, `function() { return [...this.querySelectorAll("text")].map((t) => t.textContent) }`); !slices.Contains(labels, "0") || len(labels) < 5 {
		t.Errorf("the axes say %q", labels)
	}
	read := func() string {
		return eval[string](p, `[...document.querySelectorAll("rc-time-chart .readout:not([hidden])")].map((e) => e.innerText).join("|")`)
	}
	slider := logins.by("slider", "Logins in the last hour, single values")
	slider.hover()
	await(t, "the pointer reads a value", func() error {
		if text := read(); !strings.Contains(text, "Logins") {
			return fmt.Errorf("%q", text)
		}
		return nil
	})
	slider.focus()
	p.press(kb.End)
	sum := 0
	for range 60 {
		var n int
		text := of[string](slider, `function() { return this.getAttribute("aria-valuetext") }`)
		if _, err := fmt.Sscanf(text[strings.LastIndex(text, ": "):], ": Logins %d", &n); err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		sum += n
		p.press(kb.ArrowLeft)
	}
	if sum != 4 {
		t.Errorf("by the keys there were %d logins", sum)
	}

	logins.by("DisclosureTriangle", "Show as table").click()
	logins.by("table", "Logins in the last hour").isThere()
	rows := eval[[]string](p, `[...document.querySelector("rc-time-chart details[open] tbody").rows].map((tr) => tr.cells[1].textContent)`)
	sum = 0
	for _, text := range rows {
		sum += number(t, text)
	}
	if len(rows) != 60 || sum != 4 {
		t.Errorf("the table has %d rows and %d logins", len(rows), sum)
	}
}

func TestALoginStormIsToldWhileItLasts(t *testing.T) {
	t.Parallel()
	d := startDashboard(t, "--hash-memory", "32768", "--hash-time", "2", "--hash-workers", "1", "--hash-queue", "256")
	d.newUser("tiny")
	p := d.asOwner(wide)
	p.goTo("Overview")
	stop := make(chan struct{})
	var wg sync.WaitGroup
	end := sync.OnceFunc(func() { close(stop); wg.Wait() })
	defer end()
	for range 60 {
		c := d.player(theScope)
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if _, err := client.Call(t.Context(), c, protocol.UsersLogin, protocol.LoginParams{Username: "tiny", Credentials: protocol.Credentials{Password: thePassword}}); err != nil {
					return
				}
			}
		})
	}
	p.by("main", "").by("status", "").with("Login storm").shows("password hashes wait on 1 node")
	end()
	p.by("main", "").by("status", "").with("Login storm").isGone()
}
