package server_test

import (
	"fmt"
	"testing"

	"rollcall/server"
	"rollcall/server/passwords"
	"rollcall/server/wiretest"
)

// slowHashes makes a hash take a fair part of a second, one at a time. Hashes
// run at the lowest priority, so on a busy machine they may take far longer.
func slowHashes(c *server.Config) {
	c.Hash = passwords.Params{Memory: 32 << 10, Time: 4, Threads: 1}
	c.HashWorkers = 1
	c.RequestTimeout = wiretest.Guard
}

func TestAFullHashQueueSaysSoAndHoldsNobodyElseUp(t *testing.T) {
	for name, helper := range map[string]passwords.HelperCommand{"in the process": nil, "in a helper": hashingHelper} {
		t.Run(name, func(t *testing.T) { fullHashQueue(t, helper) })
	}
}

func fullHashQueue(t *testing.T, helper passwords.HelperCommand) {
	n := start(t, func(c *server.Config) { slowHashes(c); c.HashQueue, c.HashHelper = 1, helper })
	other := n.client()
	u := create(t, other, "tiny")

	b := burst{c: n.client()}
	for i := range 20 {
		b.add("users.create", obj{"username": fmt.Sprint("u", i), "password": thePassword})
	}
	b.send(t)
	r := b.c.Next()
	if r.OK() {
		t.Fatalf("%s was answered before anybody was turned away", r.Raw)
	}
	if want(t, r, 809); !r.Temporary() || r.RetryAfterMS() <= 0 {
		t.Errorf("got %s, want temporary and when to retry", r.Raw)
	}

	// The queue is full now; whoever needs no hash is served.
	wantResult(t, other.Call("core.ping", nil), `"pong"`)
	ok(t, other.Call("users.get", u.ref()))
	ok(t, other.Call("users.update", obj{"user_id": u.id, "update": obj{"group": "red"}}))
	// So is an admin, who has a queue of his own.
	n.admin()

	made := 0
	for range len(b.ids) - 1 {
		switch r := b.c.Next(); {
		case r.OK():
			made++
		case r.Status() != 809 || !r.Temporary() || r.RetryAfterMS() <= 0:
			t.Errorf("got %s", r.Raw)
		}
	}
	if made == 0 {
		t.Error("nobody was served")
	}
	// What was turned away left nothing behind.
	names, _ := pages(t, n.admin(), obj{"scope": theScope, "filter": obj{"username": "u"}}, 200)
	if len(names) != made {
		t.Errorf("%d creates were acknowledged, and %v are there", made, names)
	}
}

func TestAWrongPasswordAndAnUnknownUserWaitInTheSameQueue(t *testing.T) {
	n := start(t, func(c *server.Config) { slowHashes(c); c.HashQueue = 1 })
	n.elsewhere("tiny")
	for _, name := range []string{"tiny", "nobody"} {
		t.Run(name, func(t *testing.T) {
			var clients []*wiretest.Client // one for each login, which holds up what follows it
			for range 8 {
				clients = append(clients, n.client())
			}
			ids := make([]string, len(clients))
			for i, c := range clients {
				ids[i] = c.Send("users.login", obj{"username": name, "password": "wrong-secret"})
			}
			busy := 0
			for i, c := range clients {
				switch r := c.Wait(ids[i]); r.Status() {
				case 809:
					busy++
				case 603, 604:
				default:
					t.Errorf("got %s", r.Raw)
				}
			}
			if busy == 0 {
				t.Error("nobody was turned away: this login costs no hash in the pool")
			}
		})
	}
}
