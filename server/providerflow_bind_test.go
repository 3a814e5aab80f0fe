package server_test

import (
	"fmt"
	"maps"
	"testing"

	"rollcall/server/wiretest"
)

// loggedIn makes a user with a password and a connection that is logged in as him.
func (n *node) loggedIn(name string) (user, *wiretest.Client) {
	n.t.Helper()
	u := n.elsewhere(name)
	c := n.client()
	login(n.t, c, u)
	return u, c
}

func TestAnIdentityBelongsToOneUser(t *testing.T) {
	n := start(t, sealing)
	i := startIssuer(t, "r1", "e1")
	i.configure(n)
	tina, tc := n.loggedIn("tina")
	bert, bc := n.loggedIn("bert")

	o := ok(t, binds(tc, tina, "g-1", i.idToken("g-1"))).Object()
	wantMembers(t, o, "provider client_id access_token_expired")
	want(t, binds(tc, tina, "g-1", i.idToken("g-1")), 620) // twice
	want(t, binds(tc, tina, "g-2", i.idToken("g-2")), 620) // another identity of the same provider
	want(t, binds(bc, bert, "g-1", i.idToken("g-1")), 620) // another user
	want(t, n.client().Call("users.create", with(proof("g-1", i.idToken("g-1")), obj{"username": "third"})), 620)
	want(t, n.client().Call("users.login", obj{"username": "third", "password": "x"}), 604)

	ok(t, binds(bc, bert, "g-2", i.idToken("g-2")))
	update := func(c *wiretest.Client, u user, id string) wiretest.Reply {
		return c.Call("users.updateAuthProvider", obj{"user_id": u.id, "provider": theProvider, "update": obj{"client_id": id, "id_token": i.idToken(id)}})
	}
	want(t, update(bc, bert, "g-1"), 620)
	ok(t, update(bc, bert, "g-2")) // his own
	for id, u := range map[string]user{"g-1": tina, "g-2": bert} {
		if r := n.client().Call("users.login", proof(id, i.idToken(id))); ok(t, r).Object().Text("user_id") != u.id {
			t.Errorf("%s opens %s, want %s", id, r.Raw, u.name)
		}
	}

	// What is removed is free, for others too.
	r := ok(t, tc.Call("users.removeAuthProvider", tina.at(theProvider)))
	wantMembers(t, r.Object(), "user_id")
	want(t, n.client().Call("users.login", proof("g-1", i.idToken("g-1"))), 604)
	ok(t, update(bc, bert, "g-1"))
	ok(t, binds(tc, tina, "g-2", i.idToken("g-2")))

	// So is what a deleted user had.
	ok(t, bc.Call("users.delete", bert.ref()))
	want(t, n.client().Call("users.login", proof("g-1", i.idToken("g-1"))), 604)
	n.joins("heir", proof("g-1", i.idToken("g-1")))
}

func with(params ...obj) obj {
	all := obj{}
	for _, p := range params {
		maps.Copy(all, p)
	}
	return all
}

func TestScopesShareNoIdentities(t *testing.T) {
	n := start(t)
	i := startIssuer(t, "r1")
	i.configure(n)
	u := n.joins("tina", proof("g-1", i.idToken("g-1")))
	ok(t, n.admin().Call("admin.scopes.create", obj{"name": "other", "providers": obj{theProvider: i.config()}}))
	c := n.client("other")
	want(t, c.Call("users.login", proof("g-1", i.idToken("g-1"))), 604)
	r := c.Call("users.create", with(proof("g-1", i.idToken("g-1")), obj{"username": "tina"}))
	if ok(t, r).Object().Text("user_id") == u.id {
		t.Error("one user in two scopes")
	}
	want(t, c.Call("users.getAuthProvider", u.at(theProvider)), 606)
}

func TestARaceForAnIdentityHasOneWinner(t *testing.T) {
	const rounds, racers = 10, 4
	n := start(t)
	i := startIssuer(t, "r1")
	i.configure(n)
	for round := range rounds {
		sub := fmt.Sprintf("g-%d", round)
		token := i.idToken(sub)
		clients, ids, users := make([]*wiretest.Client, racers), make([]string, racers), make([]user, racers)
		for k := range racers {
			users[k], clients[k] = n.loggedIn(fmt.Sprintf("u%d-%d", round, k))
		}
		for k, c := range clients {
			if k%2 == 0 {
				ids[k] = c.Send("users.addAuthProvider", obj{"user_id": users[k].id, "provider": theProvider, "auth": obj{"client_id": sub, "id_token": token}})
			} else {
				ids[k] = c.Send("users.create", with(proof(sub, token), obj{"username": fmt.Sprintf("made %d-%d", round, k)}))
			}
		}
		winner := ""
		for k, c := range clients {
			r := c.Wait(ids[k])
			if !r.OK() {
				want(t, r, 620)
				continue
			}
			if winner != "" {
				t.Errorf("round %d has a second winner: %s", round, r.Raw)
			}
			if winner = users[k].id; k%2 == 1 {
				winner = r.Object().Text("user_id")
			}
		}
		if r := n.client().Call("users.login", proof(sub, token)); ok(t, r).Object().Text("user_id") != winner {
			t.Errorf("round %d: the login got %s, want %s", round, r.Raw, winner)
		}
	}
}

func TestAProviderThatAScopeDoesNotConfigureIsRefused(t *testing.T) {
	n := start(t)
	i := startIssuer(t, "r1")
	n.providers(obj{
		"bare":      obj{"issuer": i.url},                                                       // whose tokens would be for anybody
		"nowhere":   obj{"client_ids": []string{theApp}},                                        // of which nobody says who it is
		"inside":    obj{"issuer": "https://10.0.0.1", "client_ids": []string{theApp}},          // an address in the house
		"metadata":  obj{"issuer": "https://169.254.169.254", "client_ids": []string{theApp}},   // the cloud's
		"plain":     obj{"issuer": "http://issuer.example.com", "client_ids": []string{theApp}}, // not TLS
		"withdrawn": i.config(),
	})
	n.providers(obj{"withdrawn": nil})
	u, c := n.loggedIn("tina")
	for _, name := range []string{"google", "apple", "facebook", "openudid", "corp", "bare", "nowhere", "inside", "metadata", "plain", "withdrawn"} {
		t.Run(name, func(t *testing.T) {
			id := "a-client-id-that-is-long-enough"
			p := obj{"provider": name, "client_id": id, "id_token": i.idToken(id), "access_token": "x"}
			want(t, n.client().Call("users.login", p), 624)
			want(t, n.client().Call("users.create", with(p, obj{"username": "by " + name})), 624)
			want(t, c.Call("users.addAuthProvider", obj{"user_id": u.id, "provider": name, "auth": obj{"client_id": id, "id_token": i.idToken(id)}}), 624)
			want(t, n.client().Call("users.login", obj{"username": "by " + name, "password": "x"}), 604)
		})
	}
}

func TestProvidersAreForTheirOwnUserAlone(t *testing.T) {
	n := start(t, sealing)
	i := startIssuer(t, "r1")
	i.configure(n)
	tina, tc := n.loggedIn("tina")
	_, stranger := n.loggedIn("bert")
	calls := []struct {
		typ    string
		params obj
	}{
		{"users.addAuthProvider", with(tina.at(theProvider), obj{"auth": obj{"client_id": "g-9", "id_token": i.idToken("g-9")}})},
		{"users.getAuthProvider", tina.at(theProvider)},
		{"users.updateAuthProvider", with(tina.at(theProvider), obj{"update": obj{"access_token": "x"}})},
		{"users.accessTokenExpired", tina.at(theProvider)},
		{"users.updateTokenExpiry", with(tina.at(theProvider), obj{"expiry": ago(0)})},
		{"users.removeAuthProvider", tina.at(theProvider)},
	}
	refused := func() {
		t.Helper()
		for _, call := range calls {
			want(t, stranger.Call(call.typ, call.params), 606)
			want(t, n.client().Call(call.typ, call.params), 606)
		}
	}
	refused()
	for _, call := range calls[1:] {
		want(t, tc.Call(call.typ, call.params), 624) // none is bound
	}
	ok(t, binds(tc, tina, "g-1", i.idToken("g-1")))
	refused()
	o := ok(t, tc.Call("users.get", tina.ref())).Object()
	if o.Raw("providers") != `["`+theProvider+`"]` {
		t.Errorf("the user's providers are %s", o.Raw("providers"))
	}
	for _, call := range calls[1:] {
		ok(t, tc.Call(call.typ, call.params))
	}
}

func TestAUserWithoutAPasswordHasNone(t *testing.T) {
	n := start(t)
	i := startIssuer(t, "r1")
	i.configure(n)
	id := i.idToken("g-1")
	u := n.joins("tina", with(proof("g-1", id), obj{"email": "tina@home.example"}))
	for _, who := range []obj{{"username": "tina"}, {"email": "tina@home.example"}} {
		for _, password := range []obj{{"password": "x"}, {"password_hash": passwordHash(theScope, "")}} {
			want(t, n.client().Call("users.login", with(who, password)), 605)
		}
	}
	ok(t, n.admin().Call("admin.scopes.update", obj{"name": theScope, "options": obj{"hide_unknown": true}}))
	want(t, n.client().Call("users.login", obj{"email": "tina@home.example", "password": "x"}), 603)
	c := n.client()
	ok(t, c.Call("users.login", proof("g-1", id)))
	ok(t, c.Call("users.update", obj{"user_id": u.id, "update": obj{"password": thePassword}}))
	u.password = thePassword
	login(t, n.client(), u)
	ok(t, n.client().Call("users.login", proof("g-1", id)))
}

func TestARepeatedCreateByProviderFindsItsUser(t *testing.T) {
	n := start(t)
	i := startIssuer(t, "r1")
	i.configure(n)
	ask := func(sub, token string) wiretest.Reply {
		return n.client().Call("users.create", with(proof(sub, token), obj{"username": "tina", "idempotency_key": "k1"}))
	}
	first := ok(t, ask("g-1", i.idToken("g-1"))).Object().Text("user_id")
	again := ok(t, ask("g-1", signers()["r1"].token(i.claims("g-1", obj{"nonce": "n"})))).Object().Text("user_id")
	if again != first {
		t.Errorf("the repeat made %s, want %s", again, first)
	}
	want(t, ask("g-2", i.idToken("g-2")), 600)
	want(t, ask("g-1", i.idToken("g-2")), 625)
	want(t, n.client().Call("users.login", proof("g-2", i.idToken("g-2"))), 604)
}
