package main

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"rollcall/protocol"
	"rollcall/protocol/client"
)

// A liveRow is what a row of the Live page says, by its column; one that tells a
// rate or a gap has all in "" alone.
type liveRow map[string]string

// liveRows are the rows of the Live page, from the newest.
func (p *browserPage) liveRows() []liveRow {
	p.t.Helper()
	return eval[[]liveRow](p, `[...document.querySelectorAll("main table tbody tr")].map((tr) =>
		tr.cells.length === 1 ? {"": tr.innerText} : Object.fromEntries([...tr.cells].map((td, i) =>
			[tr.closest("table").tHead.rows[0].cells[i].textContent, td.textContent])))`)
}

// liveRow waits for a row in which all of these are so.
func (p *browserPage) liveRow(want liveRow) {
	p.t.Helper()
	await(p.t, fmt.Sprintf("there is a row %v", want), func() error {
		rows := p.liveRows()
		if slices.ContainsFunc(rows, func(row liveRow) bool {
			for column, text := range want {
				if row[column] != text {
					return false
				}
			}
			return true
		}) {
			return nil
		}
		return fmt.Errorf("there are %v", rows)
	})
}

func TestALoginIsARowWithoutAReload(t *testing.T) {
	t.Parallel()
	d := startDashboard(t)
	d.newUser("tiny")
	p := d.asOwner(wide)
	eval[bool](p, `(window.stillHere = true)`)

	c := d.player(theScope)
	if err := logIn(t, c, "tiny", thePassword); err != nil {
		t.Fatal(err)
	}
	p.liveRow(liveRow{"Outcome": "✓ ok", "Event": "login", "Method": "password", "User": "tiny", "Scope": theScope,
		"Node": "n1", "Address": "127.0.0.1", "Client": "space-race 1.4.2 (android)"})
	if err := logIn(t, c, "tiny", "wrong"); !isStatus(err, protocol.StatusPasswordInvalid) {
		t.Fatal(err)
	}
	p.liveRow(liveRow{"Outcome": "✕ failed", "Event": "login failed", "User": "tiny", "Scope": theScope, "Detail": "password"})
	if first := p.liveRows()[0]; first["Event"] != "login failed" {
		t.Errorf("the newest row is %v", first)
	}
	if !eval[bool](p, `window.stillHere`) {
		t.Error("the page was loaded again")
	}
	p.by("banner", "").by("status", "").shows("live")
	p.by("link", "tiny").at(0).click()
	p.by("heading", "tiny").isThere()
}

func TestTheFiltersOfLiveStandInTheAddress(t *testing.T) {
	t.Parallel()
	d := startDashboard(t, "--scope", "Moon Base")
	d.newUser("tiny")
	d.newUser("huge")
	ask(t, d.owner, protocol.AdminUsersCreate, protocol.AdminCreateUserParams{Scope: "Moon Base", Username: "moony"})
	c := d.player(theScope)
	for _, name := range []string{"tiny", "huge"} {
		if err := logIn(t, c, name, thePassword); err != nil {
			t.Fatal(err)
		}
	}
	_ = logIn(t, c, "tiny", "wrong")

	p := d.asOwner(wide)
	filter := p.by("search", "Filter")
	// only waits until the rows are of these events and users, in any order.
	only := func(want ...string) {
		t.Helper()
		await(t, fmt.Sprintf("the rows are %q", want), func() error {
			var got []string
			for _, row := range p.liveRows() {
				got = append(got, row["Event"]+" "+row["User"])
			}
			slices.Sort(got)
			slices.Sort(want)
			if !slices.Equal(got, want) {
				return fmt.Errorf("they are %q", got)
			}
			return nil
		})
	}
	stands := func(want string) {
		t.Helper()
		await(t, "the address has "+want, func() error {
			if got := p.address(); !strings.HasSuffix(got, "/admin/"+want) {
				return fmt.Errorf("it is %s", got)
			}
			return nil
		})
	}
	filter.by("combobox", "Event").choose("login")
	only("login tiny", "login huge")
	stands("#/live?event=user.login")
	filter.by("searchbox", "Text").write("TIN")
	only("login tiny")
	stands("#/live?event=user.login&q=TIN")

	// The address alone leads to the same, in another tab too, and back and forward
	// go between addresses.
	p.open(d.url("#/live?outcome=failed"))
	only("login failed tiny")
	if got := filter.by("combobox", "Outcome").value(); got != "failed" {
		t.Errorf("the control says %q", got)
	}
	eval[bool](p, `(history.back(), true)`)
	only("login tiny")
	if got := filter.by("searchbox", "Text").value(); got != "TIN" {
		t.Errorf("the control says %q", got)
	}
	eval[bool](p, `(history.forward(), true)`)
	only("login failed tiny")

	filter.by("button", "Clear").click()
	stands("#/live")
	filter.by("combobox", "Scope").choose("Moon Base")
	only("created moony", "admin action admin")
	stands("#/live?scope=Moon+Base")
	filter.by("button", "Clear").click()
	filter.by("combobox", "Method").choose("admin")
	only("created tiny", "created huge", "created moony")

	// What comes later is filtered too.
	p.open(d.url("#/live?q=huge&event=user.login"))
	only("login huge")
	for _, name := range []string{"tiny", "huge"} {
		if err := logIn(t, c, name, thePassword); err != nil {
			t.Fatal(err)
		}
	}
	only("login huge", "login huge")
}

func TestAPauseLosesNothing(t *testing.T) {
	t.Parallel()
	d := startDashboard(t)
	d.newUser("tiny")
	c := d.player(theScope)
	p := d.asOwner(wide)
	p.open(d.url("#/live?event=user.login"))
	if err := logIn(t, c, "tiny", thePassword); err != nil {
		t.Fatal(err)
	}
	p.liveRow(liveRow{"Event": "login"})
	p.by("button", "Pause").click()
	for range 7 {
		if err := logIn(t, c, "tiny", thePassword); err != nil {
			t.Fatal(err)
		}
	}
	p.by("main", "").by("status", "").with("new").shows("7 new")
	if n := len(p.liveRows()); n != 1 {
		t.Errorf("there are %d rows in the pause", n)
	}
	p.by("button", "Resume").click()
	await(t, "all are there", func() error {
		if n := len(p.liveRows()); n != 8 {
			return fmt.Errorf("%d rows", n)
		}
		return nil
	})
	p.by("button", "Pause").isThere()
	p.shows("8 events, 0 failed")
}

// A witness follows the feed beside the page.
type witness struct {
	mu     sync.Mutex
	pushes []protocol.Push
}

func (d *dashboard) witness() *witness {
	d.t.Helper()
	w := &witness{}
	sub, err := d.as("admin", secretPassword).Subscribe(d.t.Context(), client.SubscribeOptions{Scope: "*", Batch: true, OnEvent: func(push protocol.Push) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.pushes = append(w.pushes, push)
	}})
	if err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() { _ = sub.Close() })
	return w
}

// counts are how many of an event there were in all, and in each second of the
// events' own time.
func (w *witness) counts(event string) (all int, seconds map[int64]int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	seconds = map[int64]int{}
	for _, push := range w.pushes {
		if push.Event == event {
			all++
			seconds[push.Time.Unix()]++
		}
	}
	return all, seconds
}

// logInOften logs users in, each as often as it can, until done says so. It
// returns how many logins were acknowledged.
func (d *dashboard) logInOften(users int, done func() bool) (logins int) {
	d.t.Helper()
	var wg sync.WaitGroup
	var mu sync.Mutex
	for i := range users {
		name := fmt.Sprintf("often-%02d", i)
		d.newUser(name)
		c := d.player(theScope)
		wg.Go(func() {
			for !done() {
				if err := logIn(d.t, c, name, thePassword); err != nil {
					d.t.Errorf("login: %v", err)
					return
				}
				mu.Lock()
				logins++
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return logins
}

var (
	rateText  = regexp.MustCompile(`([\d,]+) events? in this second: ([^\n]*)`)
	countText = regexp.MustCompile(`([\d,]+) events?, ([\d,]+) failed`)
)

func number(t testing.TB, text string) int {
	t.Helper()
	n, err := strconv.Atoi(strings.ReplaceAll(text, ",", ""))
	if err != nil {
		t.Error(err)
	}
	return n
}

func TestAboveFiftyASecondLiveTellsARateWithExactCounts(t *testing.T) {
	t.Parallel()
	const aSecond = 50 // rows
	d := startDashboard(t)
	w := d.witness()
	p := d.asOwner(wide)
	p.open(d.url("#/live?event=user.login"))
	// Until a second had clearly more, however slow this machine is.
	hung := time.Now().Add(uiGuard)
	logins := d.logInOften(16, func() bool {
		_, seconds := w.counts(protocol.EventUserLogin)
		for _, n := range seconds {
			if n > 2*aSecond {
				return true
			}
		}
		return time.Now().After(hung)
	})
	await(t, "the witness saw all", func() error {
		if all, _ := w.counts(protocol.EventUserLogin); all != logins {
			return fmt.Errorf("%d of %d", all, logins)
		}
		return nil
	})
	_, seconds := w.counts(protocol.EventUserLogin)

	await(t, "the page counts all", func() error {
		found := countText.FindStringSubmatch(p.by("main", "").text())
		if len(found) == 0 || number(t, found[1]) != logins {
			return fmt.Errorf("it counts %q of %d", found, logins)
		}
		return nil
	})
	singles, rates := 0, 0
	for _, row := range p.liveRows() {
		if row[""] == "" {
			singles++
			continue
		}
		found := rateText.FindStringSubmatch(row[""])
		if len(found) == 0 {
			t.Errorf("neither an event nor a rate: %q", row[""])
			continue
		}
		rates += number(t, found[1])
		if want := found[1] + " login"; strings.TrimSpace(found[2]) != want {
			t.Errorf("the rate is of %q, want %q", found[2], want)
		}
	}
	if singles+rates != logins {
		t.Errorf("%d rows and %d in rates, of %d logins", singles, rates, logins)
	}
	if rates == 0 {
		t.Errorf("no second is told as a rate; there were %v", seconds)
	}
	p.by("DisclosureTriangle", "sample").at(0).click()
	p.by("main", "").shows("login often-")
}
