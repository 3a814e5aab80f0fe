package server_test

import (
	"rollcall/server/wiretest"
	"testing"
)

func TestAnIssuerThatIsDownHoldsUpNobodyElse(t *testing.T) {
	n := start(t)
	gone, fine := startIssuer(t, "r1"), startIssuer(t, "e1")
	n.providers(obj{theProvider: gone.config(), "fine": fine.config()})
	gone.srv.Close()
	u, c := n.loggedIn("tina")
	token := gone.idToken("g-1")
	for range 3 {
		for typ, params := range map[string]obj{
			"users.login":           proof("g-1", token),
			"users.create":          with(proof("g-1", token), obj{"username": "made"}),
			"users.addAuthProvider": with(u.at(theProvider), obj{"auth": obj{"client_id": "g-1", "id_token": token}}),
		} {
			r := want(t, c.Call(typ, params), 815)
			if !r.Temporary() || r.RetryAfterMS() <= 0 {
				t.Errorf("got %s, want it temporary, with a time to wait", r.Raw)
			}
		}
	}
	other := obj{"provider": "fine", "client_id": "g-1", "id_token": signers()["e1"].token(fine.claims("g-1"))}
	n.joins("fine", other)
	ok(t, n.client().Call("users.login", other))
	ok(t, c.Call("users.get", u.ref()))
	want(t, n.client().Call("users.login", obj{"username": "made", "password": "x"}), 604)
}

func TestAnIssuerThatHangsHoldsUpNobodyElse(t *testing.T) {
	t.Parallel()
	n := start(t)
	slow, fine := startIssuer(t, "r1"), startIssuer(t, "e1")
	n.providers(obj{theProvider: slow.config(), "fine": fine.config()})
	release := slow.hang()
	defer release()
	u := n.elsewhere("tina")

	const waiting = 40
	clients, ids := n.dialMany(waiting), make([]string, waiting)
	for k, c := range clients {
		if k%2 == 0 {
			ids[k] = c.Send("users.login", proof("g-1", slow.idToken("g-1")))
		} else {
			ids[k] = c.Send("users.create", with(proof("g-1", slow.idToken("g-1")), obj{"username": "made"}))
		}
	}
	// Meanwhile, on connections of their own and on one that waits as well.
	other := obj{"provider": "fine", "client_id": "g-2", "id_token": signers()["e1"].token(fine.claims("g-2"))}
	n.joins("fine", other)
	ok(t, n.client().Call("users.login", other))
	login(t, n.client(), u)
	create(t, clients[1], "beside the one that waits")

	for k, c := range clients {
		r := want(t, c.Wait(ids[k]), 815)
		if !r.Temporary() {
			t.Errorf("got %s, want it temporary", r.Raw)
		}
	}
}

// dialMany opens connections in the scope.
func (n *node) dialMany(count int) []*wiretest.Client {
	n.t.Helper()
	var all []*wiretest.Client
	for range count {
		all = append(all, n.client())
	}
	return all
}
