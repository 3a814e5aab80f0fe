package server_test

import (
	"fmt"
	"strings"
	"testing"

	"rollcall/server"
	"rollcall/server/wiretest"
)

// A burst is requests that go out in one write.
type burst struct {
	c      *wiretest.Client
	ids    []string
	frames []byte
}

func (b *burst) add(typ string, data any) (id string) {
	id, frame := b.c.Frame(typ, data)
	b.ids, b.frames = append(b.ids, id), append(b.frames, frame...)
	return id
}

func (b *burst) send(t *testing.T) {
	t.Helper()
	if err := b.c.WriteRaw(b.frames); err != nil {
		t.Fatal(err)
	}
}

func TestWhatFollowsAChangeOfTheConnectionSeesIt(t *testing.T) {
	n := start(t)
	u, v := n.elsewhere("tiny"), n.elsewhere("other")
	c := n.dial()
	token := login(t, n.client(), v)
	b := burst{c: c}
	early := b.add("users.get", u.ref())
	init := b.add("core.init", initParams(theScope))
	stranger := b.add("users.get", u.ref())
	in := b.add("users.login", u.login())
	self := b.add("users.get", u.ref())
	back := b.add("users.resume", obj{"session": token})
	former, present := b.add("users.get", u.ref()), b.add("users.get", v.ref())
	out := b.add("users.logout", nil)
	after := b.add("users.get", v.ref())
	wrong := b.add("users.login", obj{"username": "tiny", "password": "wrong-secret"})
	still := b.add("users.get", u.ref())
	second := b.add("core.init", initParams(theScope))
	b.send(t)
	for id, status := range map[string]int{
		early: 806, init: 0, stranger: 606, in: 0, self: 0, back: 0, former: 606, present: 0, out: 0, after: 606, wrong: 603, still: 606, second: 806,
	} {
		want(t, c.Wait(id), status)
	}
}

func TestWhatFollowsAnAdminLoginSeesIt(t *testing.T) {
	n := start(t)
	b := burst{c: n.dial()}
	first := b.add("admin.scopes.list", nil)
	in := b.add("admin.login", obj{"name": "admin", "password": theAdmin})
	then := b.add("admin.scopes.list", nil)
	b.send(t)
	want(t, b.c.Wait(first), 806)
	ok(t, b.c.Wait(in))
	ok(t, b.c.Wait(then))
}

func TestALoginsThatAreManyTakeEffectInTheirOrder(t *testing.T) {
	n := start(t)
	u, v := n.elsewhere("u"), n.elsewhere("v")
	b := burst{c: n.client()}
	statuses := map[string]int{}
	for range 8 {
		b.add("users.login", u.login())
		statuses[b.add("users.get", u.ref())] = 0
		statuses[b.add("users.get", v.ref())] = 606
		b.add("users.login", v.login())
		statuses[b.add("users.get", u.ref())] = 606
		statuses[b.add("users.get", v.ref())] = 0
	}
	b.send(t)
	for _, id := range b.ids {
		want(t, b.c.Wait(id), statuses[id])
	}
}

func TestUpdatesOfOneUserApplyInTheOrderSent(t *testing.T) {
	n := start(t, func(c *server.Config) { c.MaxInFlight = 1000 })
	c := n.client()
	u := create(t, c, "tiny")
	b := burst{c: c}
	for i := range 100 {
		b.add("users.update", obj{"user_id": u.id, "update": obj{"group": fmt.Sprint("g", i), "extra": obj{"n": i, fmt.Sprint("k", i%10): i}}})
	}
	b.send(t)
	for i, id := range b.ids {
		if o := ok(t, c.Wait(id)).Object(); o.Text("group") != fmt.Sprint("g", i) || o.Object("extra").Raw("n") != fmt.Sprint(i) {
			t.Errorf("update %d answered with group %s and extra %s", i, o.Raw("group"), o.Raw("extra"))
		}
	}
	o := ok(t, c.Call("users.get", u.ref())).Object()
	if o.Text("group") != "g99" || o.Object("extra").Raw("n") != "99" || o.Object("extra").Raw("k3") != "93" {
		t.Errorf("after all: group %s and extra %s", o.Raw("group"), o.Raw("extra"))
	}
}

func TestADeleteAmongUpdatesTakesEffectInItsPlace(t *testing.T) {
	n := start(t)
	c := n.client()
	for round := range 10 {
		u := create(t, c, fmt.Sprint("u", round))
		b := burst{c: c}
		before := b.add("users.update", obj{"user_id": u.id, "update": obj{"group": "red"}})
		gone := b.add("users.delete", u.ref())
		after := b.add("users.update", obj{"user_id": u.id, "update": obj{"group": "blue"}})
		again := b.add("users.delete", u.ref())
		b.send(t)
		ok(t, c.Wait(before))
		wantResult(t, c.Wait(gone), "1")
		want(t, c.Wait(after), 604)
		wantResult(t, c.Wait(again), "0")
	}
}

func TestUpdatesOfManyUsersOnOneConnectionAllApply(t *testing.T) {
	n := start(t, func(c *server.Config) { c.MaxInFlight = 1000 })
	c := n.client()
	var users []user
	for i := range 10 {
		users = append(users, create(t, c, fmt.Sprint("u", i)))
	}
	b := burst{c: c}
	for i := range 20 {
		for _, u := range users {
			b.add("users.update", obj{"user_id": u.id, "update": obj{"extra": obj{"n": i}}})
			b.add("users.get", u.ref())
		}
	}
	b.send(t)
	for _, id := range b.ids {
		ok(t, c.Wait(id))
	}
	for _, u := range users {
		if o := ok(t, c.Call("users.get", u.ref())).Object(); o.Object("extra").Raw("n") != "19" {
			t.Errorf("%s ended with %s", u.name, o.Raw("extra"))
		}
	}
}

// wantAnsweredOrTold checks that each request was answered once, with a result or
// with 807 and when to come back. wiretest sees to the once.
func wantAnsweredOrTold(t *testing.T, c *wiretest.Client, ids []string) {
	t.Helper()
	results := 0
	for _, id := range ids {
		r := c.Wait(id)
		switch {
		case r.OK():
			results++
		case r.Status() != 807 || !r.Temporary() || r.RetryAfterMS() <= 0:
			t.Fatalf("got %s, want a result, or 807 that is temporary and says when", r.Raw)
		}
	}
	if results == 0 {
		t.Error("nothing was done at all")
	}
}

func TestAThousandRequestsAtOnceAreEachAnsweredOnce(t *testing.T) {
	for _, typ := range []string{"core.ping", "users.get", "users.update", "users.login"} {
		t.Run(typ, func(t *testing.T) {
			n := start(t)
			c := n.client()
			u := create(t, c, "tiny")
			data := map[string]obj{"users.get": u.ref(), "users.update": {"user_id": u.id, "update": obj{"group": "red"}}, "users.login": u.login()}[typ]
			b := burst{c: c}
			for range 1000 {
				b.add(typ, data)
			}
			b.send(t)
			wantAnsweredOrTold(t, c, b.ids)
			wantResult(t, c.Call("core.ping", nil), `"pong"`)
		})
	}
}

func TestAFewRequestsInFlightAreNeverTurnedAway(t *testing.T) {
	n := start(t) // the documented default is 64
	c := n.client()
	u := create(t, c, "tiny")
	b := burst{c: c}
	for range 60 {
		b.add("users.get", u.ref())
	}
	b.send(t)
	for _, id := range b.ids {
		ok(t, c.Wait(id))
	}
}

func TestThousandsOfRequestsSentBeforeAnyReplyIsRead(t *testing.T) {
	for name, fat := range map[string]bool{"small replies": false, "large replies": true} {
		t.Run(name, func(t *testing.T) {
			n := start(t)
			c := n.client()
			more := obj{}
			if fat {
				more["extra"] = obj{"k": strings.Repeat("x", 8000)}
			}
			u := create(t, c, "tiny", more)
			b := burst{c: c}
			for range 5000 {
				b.add("users.get", u.ref())
			}
			wrote := make(chan error, 1)
			go func() { wrote <- c.WriteRaw(b.frames) }() // may stop half-way until we read, or when the server closes
			if err := <-wrote; err != nil {
				t.Logf("the write ended with %v", err)
			}
			for i, id := range b.ids {
				if r, err := c.Await(id); err != nil {
					e, endErr := c.End()
					t.Logf("closed after %d replies: %v", i, err)
					if endErr == nil && e.Bye != nil && e.Bye.Code != 4002 && e.Bye.Code != 4004 {
						t.Errorf("the bye is %s, want 4002 or 4004", e.Bye.Raw)
					}
					break
				} else if !r.OK() && (r.Status() != 807 || !r.Temporary() || r.RetryAfterMS() <= 0) {
					t.Fatalf("got %s", r.Raw)
				}
			}
			wantResult(t, n.client().Call("core.ping", nil), `"pong"`)
		})
	}
}
