package server_test

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"rollcall/server"
	"rollcall/server/wiretest"
	"rollcall/store/storetest"
)

// A worker creates users, updates one and reads it, over one connection for the
// whole of an outage, and remembers what was acknowledged.
type worker struct {
	c     *wiretest.Client
	name  string
	user  user
	limit time.Duration // within which each request must be answered

	created   map[string]string // acknowledged: username → user_id
	acked     int               // the last update that was acknowledged
	attempted int               // the last that was sent
	done      atomic.Int64      // requests with a result
	failed    atomic.Int64      // requests with 815
	round     int
}

// step sends a few requests at once and judges every reply.
func (w *worker) step() error {
	w.round++
	w.attempted++
	update, n := w.attempted, w.round
	name := fmt.Sprintf("%s-%d", w.name, n)
	calls := []struct {
		typ  string
		data obj
		id   string
	}{
		{typ: "users.update", data: obj{"user_id": w.user.id, "update": obj{"extra": obj{"n": update}}}},
		{typ: "users.create", data: obj{"username": name, "password": thePassword, "email": name + "@home.com"}},
		{typ: "users.get", data: w.user.ref()},
		{typ: "users.login", data: w.user.login()},
	}
	began := time.Now()
	for i := range calls {
		id, err := w.c.Post(calls[i].typ, calls[i].data)
		if err != nil {
			return fmt.Errorf("the connection did not last: %w", err)
		}
		calls[i].id = id
	}
	for _, call := range calls {
		r, err := w.c.Await(call.id)
		if err != nil {
			return fmt.Errorf("the connection did not last: %w", err)
		}
		if took := time.Since(began); took > w.limit {
			return fmt.Errorf("%s was answered after %v", call.typ, took)
		}
		switch {
		case r.OK():
			w.done.Add(1)
			switch call.typ {
			case "users.update":
				w.acked = update
			case "users.create":
				w.created[name] = r.Object().Text("user_id")
			}
		case r.Status() == 815 && r.Temporary():
			w.failed.Add(1)
			if text := strings.ToLower(r.Message()); strings.ContainsAny(text, ":/") || strings.Contains(text, "redis") || strings.Contains(text, "eof") {
				return fmt.Errorf("an internal error's text reached the client: %s", r.Raw)
			}
		default:
			return fmt.Errorf("%s got %s", call.typ, r.Raw)
		}
	}
	return nil
}

// outage runs a load while the storage is gone and back again.
func outage(t *testing.T, redis *storetest.Server, gone, back func()) {
	n := startOn(t, redis.URL(), func(c *server.Config) { c.RequestTimeout = 3 * time.Second; c.MaxInFlight = 1000 })
	var workers []*worker
	for i := range 4 {
		name := fmt.Sprint("w", i)
		u := n.elsewhere(name, obj{"extra": obj{"n": 0}})
		c := n.client()
		login(t, c, u)
		// A step's four requests follow one another at worst; the rest is for a
		// busy machine.
		workers = append(workers, &worker{c: c, name: name, user: u, limit: 4*3*time.Second + 10*time.Second, created: map[string]string{}})
	}
	var wg sync.WaitGroup
	stop := make(chan struct{})
	failures := make(chan error, len(workers))
	for _, w := range workers {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if err := w.step(); err != nil {
					failures <- fmt.Errorf("%s: %w", w.name, err)
					return
				}
			}
		})
	}
	var failure error
	reach := func(what string, count func(w *worker) int64, more int64) {
		marks := make([]int64, len(workers))
		for i, w := range workers {
			marks[i] = count(w) + more
		}
		await(t, what, func() bool {
			select {
			case failure = <-failures:
				return true
			default:
			}
			for i, w := range workers {
				if count(w) < marks[i] {
					return false
				}
			}
			return true
		})
	}
	results := func(w *worker) int64 { return w.done.Load() }
	reach("everybody works", results, 20)
	gone()
	reach("everybody was told", func(w *worker) int64 { return w.failed.Load() }, 8)
	await(t, "/readyz says no", func() bool { status, _ := n.get("/readyz", nil); return status == http.StatusServiceUnavailable })
	if status, _ := n.get("/healthz", nil); status != http.StatusOK {
		t.Errorf("/healthz answers %d without storage, want 200", status)
	}
	back()
	reach("everybody works again, on the same connections", results, 20)
	await(t, "/readyz says yes", func() bool { status, _ := n.get("/readyz", nil); return status == http.StatusOK })
	close(stop)
	wg.Wait()
	select {
	case failure = <-failures:
	default:
	}
	if failure != nil {
		t.Fatal(failure)
	}

	a := n.admin()
	total := 0
	for _, w := range workers {
		o := ok(t, a.Call("admin.users.get", w.user.ref())).Object()
		if kept, _ := strconv.Atoi(o.Object("extra").Raw("n")); kept < w.acked || kept > w.attempted {
			t.Errorf("%s: update %d was acknowledged and %d is there", w.name, w.acked, kept)
		}
		for name, id := range w.created {
			total++
			if o := a.Call("admin.users.get", obj{"user_id": id}).Object(); o.Text("username") != name {
				t.Errorf("%s was acknowledged as %s; there is %v", name, id, o)
			}
			for _, by := range []obj{{"username": name}, {"email": name + "@home.com"}} {
				by["password"] = thePassword
				if o := w.c.Call("users.login", by).Object(); o.Text("user_id") != id {
					t.Errorf("%v opens %v, want %s", by, o, id)
				}
			}
		}
	}
	t.Logf("%d acknowledged creates are all there", total)
}

func TestNothingAcknowledgedIsLostWhenRedisIsKilled(t *testing.T) {
	redis := storetest.Redis(t)
	outage(t, redis, redis.Kill, redis.Start)
}

func TestRequestsAreAnsweredInTimeWhenRedisHangs(t *testing.T) {
	redis := storetest.Redis(t)
	outage(t, redis, redis.Pause, redis.Resume)
}

func TestAServerWithoutStorageStillTalks(t *testing.T) {
	redis := storetest.Redis(t)
	n := startOn(t, redis.URL())
	c := n.client()
	u := create(t, c, "tiny")
	redis.Kill()
	unavailable := func(r wiretest.Reply) {
		t.Helper()
		if want(t, r, 815); !r.Temporary() {
			t.Errorf("got %s, want temporary", r.Raw)
		}
	}
	wantResult(t, c.Call("core.ping", nil), `"pong"`)
	unavailable(c.Call("users.get", u.ref()))
	unavailable(c.Call("users.create", obj{"username": "new", "password": thePassword}))
	unavailable(c.Call("users.login", u.login()))
	unavailable(c.Call("users.delete", u.ref()))
	want(t, c.Call("users.get", nil), 804)
	want(t, c.Call("users.fly", nil), 805)

	// A newcomer is let in or told to come back.
	if conn, err := wiretest.Open(n.addr, nil); err == nil {
		if r := wiretest.NewClient(t, conn).Call("core.init", initParams(theScope)); !r.OK() {
			unavailable(r)
		}
		conn.Close()
	} else if r := (*wiretest.RefusedError)(nil); !errors.As(err, &r) || r.Status != http.StatusServiceUnavailable {
		t.Errorf("a handshake got %v", err)
	}
	redis.Start()
	await(t, "the connection works again", func() bool { return c.Call("users.get", u.ref()).OK() })
	login(t, c, u)
}
