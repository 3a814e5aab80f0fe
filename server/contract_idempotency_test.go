package server_test

import (
	"testing"

	"rollcall/server/wiretest"
)

func TestAnIdempotencyKeyGivesTheSameAnswerAgain(t *testing.T) {
	n := start(t)
	params := obj{"username": "tiny", "password": thePassword, "email": "tina@home.com", "extra": obj{"a": 1}, "idempotency_key": "key-1"}
	first := ok(t, n.client().Call("users.create", params))
	again := n.client().Call("users.create", params)
	wantResult(t, again, first.Result())
	params["password"], params["password_hash"] = nil, passwordHash(theScope, thePassword) // the same password in its other form
	wantResult(t, n.client().Call("users.create", params), first.Result())
}

func TestAnIdempotencyKeyWithOtherDataIsRefused(t *testing.T) {
	for what, change := range map[string]obj{
		"username": {"username": "other"},
		"password": {"password": "another-secret"},
		"email":    {"email": "other@home.com"},
		"group":    {"group": "red"},
		"extra":    {"extra": obj{"a": 2}},
	} {
		t.Run(what, func(t *testing.T) {
			n := start(t)
			params := obj{"username": "tiny", "password": thePassword, "idempotency_key": "key-1"}
			c := n.client()
			ok(t, c.Call("users.create", params))
			for k, v := range change {
				params[k] = v
			}
			want(t, c.Call("users.create", params), 600)
		})
	}
}

func TestAnIdempotencyKeyHoldsInItsScopeOnly(t *testing.T) {
	n := start(t)
	params := obj{"username": "tiny", "password": thePassword, "idempotency_key": "key-1"}
	a := ok(t, n.client("a").Call("users.create", params)).Object().Text("user_id")
	params["username"] = "other"
	b := ok(t, n.client("b").Call("users.create", params)).Object().Text("user_id")
	if a == b {
		t.Error("two scopes share a user")
	}
}

func TestConcurrentCreatesWithOneIdempotencyKeyMakeOneUser(t *testing.T) {
	n := start(t)
	params := obj{"username": "tiny", "password": thePassword, "idempotency_key": "key-1"}
	var clients []*wiretest.Client // as from a device that reconnects and repeats
	for range 20 {
		clients = append(clients, n.client())
	}
	ids := make([]string, len(clients))
	for i, c := range clients {
		ids[i] = c.Send("users.create", params)
	}
	users := map[string]bool{}
	for i, c := range clients {
		users[ok(t, c.Wait(ids[i])).Object().Text("user_id")] = true
	}
	if len(users) != 1 {
		t.Errorf("one key made the users %v", users)
	}
}
