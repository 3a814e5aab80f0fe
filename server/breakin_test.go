package server_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"rollcall/server"
	"rollcall/server/passwords"
	"rollcall/server/wiretest"
)

// Each test here was once a way in, or a way to stop the server. What is needed
// to be sure of an order is made by the hash queue: one worker, which serves
// the hashes of players as they came.

// oneAtATime makes a hash take some tens of milliseconds, one at a time.
func oneAtATime(c *server.Config) {
	c.Hash = passwords.Params{Memory: 16 << 10, Time: 2, Threads: 1}
	c.HashWorkers = 1
}

var occupants atomic.Int64 // so that each has a name of his own

// occupy fills the hash queue with some creates, whose replies nobody reads.
func occupy(t *testing.T, n *node, creates int) {
	t.Helper()
	c := n.client()
	n.submitting(creates, func() {
		for range creates {
			c.Send("users.create", obj{"username": fmt.Sprint("busy", occupants.Add(1)), "password": thePassword})
		}
	})
}

// submitting waits until what do sends has brought so many hashes into the queue.
func (n *node) submitting(hashes int, do func()) {
	n.t.Helper()
	before := n.metric("rollcall_hashes_total") + n.metric("rollcall_hash_queue")
	do()
	await(n.t, "the hashes are in the queue", func() bool {
		return n.metric("rollcall_hashes_total")+n.metric("rollcall_hash_queue") >= before+hashes
	})
}

// metric reads a metric that has no labels.
func (n *node) metric(name string) int {
	n.t.Helper()
	resp, err := http.Get("http://" + n.addr + "/metrics")
	if err != nil {
		n.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		n.t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, name+" "); ok {
			f, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
			if err != nil {
				n.t.Fatal(err)
			}
			return int(f)
		}
	}
	n.t.Fatalf("there is no metric %s", name)
	return 0
}

// wantOnlyPassword checks that a user's password is one and not another.
func (n *node) wantOnlyPassword(name, good, bad string) {
	n.t.Helper()
	ok(n.t, n.client().Call("users.login", obj{"username": name, "password": good}))
	want(n.t, n.client().Call("users.login", obj{"username": name, "password": bad}), 603)
}

func TestACreateRepeatedAtOnceWithAnotherPasswordIsRefused(t *testing.T) {
	n := start(t, oneAtATime)
	occupy(t, n, 4)
	first, second := n.client(), n.client()
	params := func(password string) obj {
		return obj{"username": "tiny", "password": password, "idempotency_key": "k1"}
	}
	a := first.Send("users.create", params(thePassword))
	wantResult(t, first.Call("core.ping", nil), `"pong"`)
	b := second.Send("users.create", params("other-secret"))
	won, lost := first.Wait(a), second.Wait(b)
	good, bad := thePassword, "other-secret"
	if lost.OK() && !won.OK() { // whoever came first
		won, lost, good, bad = lost, won, bad, good
	}
	ok(t, won)
	want(t, lost, 600)
	n.wantOnlyPassword("tiny", good, bad)
}

func TestADeletedUsersCreatorHasNoPartInTheOneMadeBySameKey(t *testing.T) {
	n := start(t)
	squatter := n.client()
	u := create(t, squatter, "tiny", obj{"idempotency_key": "k1", "password": "other-secret"})
	wantResult(t, squatter.Call("users.delete", u.ref()), "1")

	r := n.client().Call("users.create", obj{"username": "tiny", "password": thePassword, "idempotency_key": "k1"})
	if !r.OK() {
		want(t, r, 600) // a key that is used up is an answer too
		return
	}
	id := r.Object().Text("user_id")
	want(t, squatter.Call("users.get", obj{"user_id": id}), 606)
	want(t, squatter.Call("users.update", obj{"user_id": id, "update": obj{"password": "other-secret"}}), 606)
	n.wantOnlyPassword("tiny", thePassword, "other-secret")
}

func TestAResumeThatIsRefusedDoesNotTakeTheSessionsPlace(t *testing.T) {
	n := start(t)
	u := n.elsewhere("tiny")
	first := n.client()
	token := login(t, first, u)

	want(t, n.client("Another").Call("users.resume", obj{"session": token}), 607)

	second := n.client()
	ok(t, second.Call("users.resume", obj{"session": token}))
	wantEnd(t, first, 4501)
}

func TestALogoutEndsEveryConnectionOfItsSession(t *testing.T) {
	n := start(t)
	u := n.elsewhere("tiny")
	login1 := n.client()
	token := login(t, login1, u)
	for range 40 {
		var both [2]*wiretest.Client
		var ids [2]string
		for i := range both {
			both[i] = n.client()
		}
		for i, c := range both { // side by side: each may be the other's former connection
			ids[i] = c.Send("users.resume", obj{"session": token})
		}
		for i, c := range both {
			r, err := c.Await(ids[i])
			if err != nil || !r.OK() {
				both[i] = nil // replaced before it was answered
			}
		}
		ended := false
		for _, c := range both {
			if c == nil {
				continue
			}
			if ended {
				await(t, "a connection of an ended session has no more part in its user", func() bool {
					r, err := c.Do("users.get", u.ref())
					return err != nil || r.Status() == 606
				})
				continue
			}
			r, err := c.Do("users.logout", obj{})
			ended = err == nil && r.OK()
		}
		if !ended {
			t.Fatal("neither connection could log out")
		}
		c := n.client()
		token = login(t, c, u)
	}
}

func TestAPasswordChangeUnderWayIsRefusedOnceAnotherEndedItsSession(t *testing.T) {
	n := start(t, oneAtATime)
	u := n.elsewhere("tiny")
	owner, thief := n.client(), n.client()
	login(t, owner, u)
	login(t, thief, u)
	occupy(t, n, 6)
	change := func(c *wiretest.Client, password string) string {
		id := ""
		n.submitting(1, func() { id = c.Send("users.update", obj{"user_id": u.id, "update": obj{"password": password}}) })
		return id
	}
	first := change(owner, "owners-secret")
	occupy(t, n, 6)                // so that the first change is written before the second is hashed
	change(thief, "thiefs-secret") // permitted, for its session is good still
	ok(t, owner.Wait(first))
	if e := thief.WaitEnd(); e.Close == nil || e.Close.Code != 4506 {
		t.Errorf("the other session's connection ended with %v, want 4506", e.Close)
	}
	// What was under way is over when a hash that came later is made.
	create(t, n.client(), "later")
	n.wantOnlyPassword("tiny", "owners-secret", "thiefs-secret")
	ok(t, owner.Call("users.get", u.ref()))
}

func TestAdminLoginsOfStrangersLeaveRoomForPlayers(t *testing.T) {
	n := start(t, oneAtATime, func(c *server.Config) { c.RequestTimeout = 3 * time.Second })
	u := n.elsewhere("tiny")
	stop := make(chan struct{})
	var strangers sync.WaitGroup
	for range 24 { // who have no key
		conn, err := wiretest.Open(n.addr, nil)
		if err != nil {
			t.Fatal(err)
		}
		c := wiretest.NewClient(t, conn)
		strangers.Go(func() {
			defer conn.Close()
			for {
				select {
				case <-stop:
					return
				default:
				}
				if _, err := c.Do("admin.login", obj{"name": "nobody", "password": "x"}); err != nil {
					return
				}
			}
		})
	}
	c := n.client()
	for range 3 {
		r := c.Call("users.login", u.login())
		want(t, r, 0)
	}
	close(stop)
	strangers.Wait()
}

func TestAPageOfLargeUsersIsCutByBytes(t *testing.T) {
	n := start(t)
	c := n.client()
	const users = 26
	for i := range users {
		// One byte each, of which JSON makes six.
		u := create(t, c, fmt.Sprintf("u%02d", i), obj{"extra": obj{"a": strings.Repeat("\x01", 4000)}})
		ok(t, c.Call("users.update", obj{"user_id": u.id, "update": obj{"extra": obj{"b": strings.Repeat("\x01", 4000)}}}))
	}
	admin := n.admin()
	seen, cursor := 0, ""
	for range users + 1 {
		params := obj{"scope": theScope, "limit": 200}
		if cursor != "" {
			params["cursor"] = cursor
		}
		page := ok(t, admin.Call("admin.users.list", params)).Object()
		seen += strings.Count(page.Raw("users"), `"user_id"`)
		if cursor = page.Text("cursor"); cursor == "" {
			break
		}
	}
	if seen != users {
		t.Errorf("%d users were listed, want %d", seen, users)
	}
}

func TestConnectionsThatAreClosingKeepTheirPlace(t *testing.T) {
	const places = 4
	n := start(t, func(c *server.Config) { c.MaxConnections = places })
	for range places {
		conn, err := wiretest.Open(n.addr, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if err := conn.WriteFrame(wiretest.Frame{Op: wiretest.OpBinary, Payload: []byte("x")}); err != nil {
			t.Fatal(err)
		}
		if f, err := conn.ReadFrame(); err != nil || f.Op != wiretest.OpClose {
			t.Fatalf("got %v, %v, want a close", f, err)
		}
		// It is not echoed: the server keeps the socket and waits.
	}
	conn, err := wiretest.Open(n.addr, nil)
	if err == nil {
		conn.Close()
	}
	var refused *wiretest.RefusedError
	if !errors.As(err, &refused) || refused.Status != http.StatusServiceUnavailable {
		t.Errorf("the handshake beyond the bound ended with %v, want 503", err)
	}
}

func TestAPeersCloseCodeMakesNoMetric(t *testing.T) {
	n := start(t)
	for _, code := range []int{3333, 4001, 4999} {
		c := n.client()
		if err := c.WriteFrame(wiretest.Frame{Op: wiretest.OpClose, Payload: wiretest.ClosePayload(code, "")}); err != nil {
			t.Fatal(err)
		}
		_, _ = c.End()
	}
	await(t, "all have gone", func() bool { return strings.Contains(n.page("/metrics"), "\nrollcall_connections 0\n") })
	for _, code := range []string{"3333", "4001", "4999"} {
		if strings.Contains(n.page("/metrics"), `rollcall_connections_closed_total{code="`+code+`"}`) {
			t.Errorf("a peer that closed with %s is counted as if the server had", code)
		}
	}
}

// page returns an operator's page.
func (n *node) page(path string) string {
	n.t.Helper()
	resp, err := http.Get("http://" + n.addr + path)
	if err != nil {
		n.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		n.t.Fatal(err)
	}
	return string(b)
}

func TestMetricsAreHiddenWhateverAForwardingHeaderSays(t *testing.T) {
	n := start(t)
	for _, name := range []string{"X-Forwarded-For", "Forwarded"} {
		for _, values := range [][]string{{"203.0.113.9"}, {""}, {"", "203.0.113.9"}} { // some proxies add a line of their own
			req, err := http.NewRequest("GET", "http://"+n.addr+"/metrics", nil)
			if err != nil {
				t.Fatal(err)
			}
			req.Header[name] = values
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if resp.StatusCode != http.StatusNotFound {
				t.Errorf("%s %q: got %d, want 404", name, values, resp.StatusCode)
			}
		}
	}
}

func TestUsernamesThatLookLikeAnotherByInvisibleCharactersAreRefused(t *testing.T) {
	n := start(t)
	c := n.client()
	create(t, c, "admin")
	for _, r := range []rune{0x00ad, 0x061c, 0x180e, 0x200b, 0x200e, 0x200f, 0x2060, 0x206a, 0x3164, 0xfeff, 0xffa0, 0xe0041} {
		for _, name := range []string{"ad" + string(r) + "min", string(r)} {
			if got := c.Call("users.create", obj{"username": name, "password": thePassword}); got.Status() != 802 {
				t.Errorf("username %+q: got %s, want 802", name, got.Raw)
			}
		}
	}
}

func TestAnAdminsRightsEndWithTheToken(t *testing.T) {
	n := start(t, func(c *server.Config) { c.AdminSessionTTL = 300 * time.Millisecond })
	a := n.admin()
	hung := time.Now().Add(wiretest.Guard / 3)
	for {
		r, err := a.Do("admin.scopes.list", nil)
		if err != nil || !r.OK() { // told so, or closed
			return
		}
		if time.Now().After(hung) {
			t.Fatal("the connection outlives its token")
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func TestWhatIsTypedAsAnAdminsNameIsNotLogged(t *testing.T) {
	n := start(t)
	want(t, n.dial().Call("admin.login", obj{"name": thePassword, "password": "x"}), 603)
	// The harness looks through the log for it.
}
