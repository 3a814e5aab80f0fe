package main

import (
	"fmt"
	"math"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"rollcall/protocol"
	"rollcall/protocol/client"
	"rollcall/store/storetest"
)

// A lost connection is something that browsers tell of in the console.
const lostConnection = `WebSocket connection to 'ws://.*' failed`

// kill ends the server by SIGKILL.
func (d *dashboard) kill() {
	d.t.Helper()
	if err := d.cmd.Process.Kill(); err != nil {
		d.t.Fatal(err)
	}
	_ = d.cmd.Wait()
}

// restart starts the server again where it was.
func (d *dashboard) restart(args ...string) {
	d.t.Helper()
	d.cmd, _ = startProcessOf(d.t, buildProgram(d.t), append([]string{"--drain-timeout", "1s", "--node", "n1", "--listen", d.address}, args...)...)
}

// reconnects waits until the page is live again, and does not wait for the page's
// own next attempt.
func (p *browserPage) reconnects() {
	p.t.Helper()
	status := p.by("banner", "").by("status", "")
	await(p.t, "the page is live again", func() error {
		if text := status.text(); !strings.Contains(text, "live") {
			eval[bool](p, `(document.querySelector("rc-connection button")?.click(), true)`)
			return fmt.Errorf("it is %s", text)
		}
		return nil
	})
}

// A second node, n2, goes on while the dashboard's own is dead.
func twoNodes(t *testing.T, args ...string) (d *dashboard, other *client.Client, restart func()) {
	t.Helper()
	args = append(args, "--redis", storetest.Redis(t).URL())
	d = startDashboard(t, args...)
	d.newUser("tiny")
	_, address := startProcessOf(t, buildProgram(t), append([]string{"--drain-timeout", "1s", "--node", "n2"}, args...)...)
	other, err := client.Dial(t.Context(), "ws://"+address, client.Options{Scope: theScope, Key: secretKey})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { other.Close() })
	return d, other, func() { d.restart(args...) }
}

func TestAfterARestartTheMarkerSaysThatNothingWasMissed(t *testing.T) {
	t.Parallel()
	d, other, restart := twoNodes(t)
	p := d.asOwner(wide)
	p.mayLog(lostConnection)
	p.open(d.url("#/live?event=user.login"))
	if err := logIn(t, other, "tiny", thePassword); err != nil {
		t.Fatal(err)
	}
	p.liveRow(liveRow{"Event": "login", "Node": "n2"})

	killed := time.Now()
	d.kill()
	p.by("banner", "").by("status", "").shows("reconnecting")
	noticed := time.Now()
	const missed = 3
	for range missed {
		if err := logIn(t, other, "tiny", thePassword); err != nil {
			t.Fatal(err)
		}
	}
	least := time.Since(noticed)
	restart()
	p.reconnects()
	await(t, "the missed logins are there", func() error {
		if rows := p.liveRows(); len(rows) != 1+missed+1 {
			return fmt.Errorf("there are %v", rows)
		}
		return nil
	})
	most := time.Since(killed)

	rows := p.liveRows()
	marker := rows[missed][""]
	found := regexp.MustCompile(`away (\d+) s, nothing missed \((\d+) caught up\)`).FindStringSubmatch(marker)
	if len(found) == 0 {
		t.Fatalf("the rows are %v", rows)
	}
	if away := number(t, found[1]); float64(away) > math.Ceil(most.Seconds()) || float64(away) < math.Floor(least.Seconds()) {
		t.Errorf("%q, though it was between %v and %v", marker, least, most)
	}
	// All events count, also those that the filter keeps away: the node's death may
	// have put somebody offline.
	if caught := number(t, found[2]); caught < missed {
		t.Errorf("%q, though there were %d logins", marker, missed)
	}
	p.open(d.url("#/live"))
	p.shows("nothing missed")

	// And it goes on.
	if err := logIn(t, d.player(theScope), "tiny", thePassword); err != nil {
		t.Fatal(err)
	}
	p.liveRow(liveRow{"Event": "login", "Node": "n1"})
}

func TestWhereTheHistoryNoLongerReachesBackTheMarkerSaysSo(t *testing.T) {
	t.Parallel()
	d, other, restart := twoNodes(t, "--feed-bytes", "20000")
	p := d.asOwner(wide)
	p.mayLog(lostConnection)
	if err := logIn(t, other, "tiny", thePassword); err != nil {
		t.Fatal(err)
	}
	p.liveRow(liveRow{"Event": "login", "Node": "n2"})

	d.kill()
	p.by("banner", "").by("status", "").shows("reconnecting")
	for range 300 { // some 100 bytes each
		if err := logIn(t, other, "tiny", thePassword); err != nil {
			t.Fatal(err)
		}
	}
	restart()
	p.reconnects()
	p.shows("the history of " + theScope + " no longer reaches back: events are missing here")
	if strings.Contains(p.by("main", "").text(), "nothing missed") {
		t.Error("it says that nothing was missed as well")
	}
	before := len(p.liveRows())
	if err := logIn(t, other, "tiny", thePassword); err != nil {
		t.Fatal(err)
	}
	await(t, "it goes on", func() error {
		if n := len(p.liveRows()); n <= before {
			return fmt.Errorf("%d rows", n)
		}
		return nil
	})
}

// What the page shows while the connection hangs: the server is halted, and the
// page's clock put ahead, as after a computer's sleep.
func TestAConnectionThatHangsIsToldAndTakenUpAgain(t *testing.T) {
	t.Parallel()
	d := startDashboard(t)
	d.newUser("tiny")
	p := d.asOwner(wide)
	p.mayLog(lostConnection)
	p.liveRow(liveRow{"Event": "created", "User": "tiny"})
	if err := d.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	eval[bool](p, `((now) => { Date.now = () => now() + 60_000; return true })(Date.now)`)
	p.by("banner", "").by("status", "").shows("stale")
	p.by("banner", "").by("status", "").shows("reconnecting")
	if err := d.cmd.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	p.reconnects()
	ask(t, d.owner, protocol.AdminUsersCreate, protocol.AdminCreateUserParams{Scope: theScope, Username: "huge"})
	p.liveRow(liveRow{"Event": "created", "User": "huge"})
	p.shows("nothing missed")
	created := 0
	for _, row := range p.liveRows() {
		if row["Event"] == "created" {
			created++
		}
	}
	if created != 2 {
		t.Errorf("%d users were created, by the rows", created)
	}
}
