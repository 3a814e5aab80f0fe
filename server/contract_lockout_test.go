package server_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"rollcall/server"
	"rollcall/server/wiretest"
	"rollcall/store/storetest"
)

// limited holds this machine to the limits by address, so that 127.0.0.1,
// 127.0.0.2 and so on are addresses like any other.
func limited(c *server.Config) { c.LimitLoopback = true }

const guessed = "wrong-secret"

// guess tries a password for an admin's account from an address, on a connection
// of its own: five wrong ones close one.
func (n *node) guess(from, name, password string) wiretest.Reply {
	n.t.Helper()
	c := wiretest.DialFrom(n.t, from, n.addr)
	defer c.Close()
	return c.Call("admin.login", obj{"name": name, "password": password})
}

func wantLockedOut(t *testing.T, r wiretest.Reply) {
	t.Helper()
	want(t, r, 807)
	if !r.Temporary() || r.RetryAfterMS() <= 0 || r.RetryAfterMS() > 30_000 || r.Message() != "too many wrong passwords: wait before the next try" {
		t.Errorf("got %s, want to be told to wait for up to 30 s", r.Raw)
	}
}

var hashesMade = regexp.MustCompile(`\nrollcall_hashes_total (\d+)\n`)

func TestAfterFiveWrongPasswordsAnAdminLoginHasToWait(t *testing.T) {
	n := start(t, limited)
	for _, name := range []string{"admin", "nobody"} { // alike, whether there is one or not
		for range 5 {
			want(t, n.guess("127.0.0.2", name, guessed), 603)
		}
		before := hashesMade.FindString(n.page("/metrics"))
		wantLockedOut(t, n.guess("127.0.0.2", name, guessed))
		wantLockedOut(t, n.guess("127.0.0.2", name, theAdmin)) // the right one too
		if after := hashesMade.FindString(n.page("/metrics")); after != before || before == "" {
			t.Errorf("hashes were made: %s, then %s", before, after)
		}
	}
	ok(t, n.guess("127.0.0.3", "admin", theAdmin)) // nobody can lock another out
	want(t, n.guess("127.0.0.2", "another", guessed), 603)
	if !strings.Contains(n.logs.text(), "locked out after wrong passwords") {
		t.Error("the operator is not told")
	}
}

func TestALockoutHoldsOnEveryNode(t *testing.T) {
	url := storetest.Redis(t).URL()
	here, there := startOn(t, url, limited), startOn(t, url, limited)
	for i := range 5 {
		want(t, []*node{here, there}[i%2].guess("127.0.0.2", "admin", guessed), 603)
	}
	wantLockedOut(t, here.guess("127.0.0.2", "admin", theAdmin))
	wantLockedOut(t, there.guess("127.0.0.2", "admin", theAdmin))
}

func TestARightPasswordForgetsTheWrongOnes(t *testing.T) {
	n := start(t, limited)
	for range 3 {
		for range 4 {
			want(t, n.guess("127.0.0.2", "admin", guessed), 603)
		}
		ok(t, n.guess("127.0.0.2", "admin", theAdmin))
	}
}

func TestAnAddressThatTriesManyNamesHasToWaitWithAllOfThem(t *testing.T) {
	n := start(t, limited)
	for i := range 30 {
		want(t, n.guess("127.0.0.2", fmt.Sprint("name", i), guessed), 603)
		ok(t, n.guess("127.0.0.3", "admin", theAdmin)) // right ones are not counted
	}
	wantLockedOut(t, n.guess("127.0.0.2", "admin", theAdmin))
	wantLockedOut(t, n.guess("127.0.0.2", "one more", guessed))
	ok(t, n.guess("127.0.0.3", "admin", theAdmin))
}

func TestManyWrongPasswordsAtOnceAreNotMoreThanOneByOne(t *testing.T) {
	n := start(t, limited, oneAtATime)
	conns, ids := make([]*wiretest.Client, 20), make([]string, 20)
	for i := range conns {
		conns[i] = wiretest.DialFrom(t, "127.0.0.2", n.addr)
	}
	for i, c := range conns {
		ids[i] = c.Send("admin.login", obj{"name": "admin", "password": guessed})
	}
	statuses := map[int]int{}
	for i, c := range conns {
		statuses[c.Wait(ids[i]).Status()]++
	}
	if statuses[603] != 5 || statuses[807] != 15 {
		t.Errorf("got %v, want 5 times 603 and 15 times 807", statuses)
	}
}

func TestWhoHasToWaitIsNotCountedForTheAddress(t *testing.T) {
	n := start(t, limited)
	for range 5 {
		want(t, n.guess("127.0.0.2", "admin", guessed), 603)
	}
	for range 30 {
		wantLockedOut(t, n.guess("127.0.0.2", "admin", theAdmin))
	}
	want(t, n.guess("127.0.0.2", "another", guessed), 603)
}

func TestThisMachineIsNotLockedOutUnlessAskedFor(t *testing.T) {
	n := start(t)
	for range 8 {
		want(t, n.guess("127.0.0.2", "admin", guessed), 603)
	}
	ok(t, n.guess("127.0.0.2", "admin", theAdmin))
}

func TestATokenIsNotHeldToALockout(t *testing.T) {
	n := start(t, limited)
	token := ok(t, n.guess("127.0.0.2", "admin", theAdmin)).Object().Text("token")
	for range 5 {
		want(t, n.guess("127.0.0.2", "admin", guessed), 603)
	}
	wantLockedOut(t, n.guess("127.0.0.2", "admin", theAdmin))
	ok(t, wiretest.DialFrom(t, "127.0.0.2", n.addr).Call("admin.login", obj{"token": token}))
}

func TestWhatIsNotCheckedIsNotCountedAsWrong(t *testing.T) {
	n := start(t, oneAtATime, limited)
	// From one address, more at once than the queue of admins has room for.
	right := func() (statuses map[int]int) {
		statuses = map[int]int{}
		conns, ids := make([]*wiretest.Client, 24), make([]string, 24)
		for i := range conns {
			conns[i] = wiretest.DialFrom(t, fmt.Sprint("127.0.0.", 2+i/4), n.addr)
		}
		for i, c := range conns {
			ids[i] = c.Send("admin.login", obj{"name": "admin", "password": theAdmin})
		}
		for i, c := range conns {
			statuses[c.Wait(ids[i]).Status()]++
		}
		return statuses
	}
	busy := 0
	for range 3 {
		statuses := right()
		busy += statuses[809]
		if statuses[807] > 0 || statuses[603] > 0 {
			t.Errorf("got %v, want right logins and 809 alone", statuses)
		}
	}
	if busy == 0 {
		t.Error("the queue never was full")
	}
}

// text returns what was logged so far.
func (b *logBuffer) text() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}
