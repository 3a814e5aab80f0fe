package server_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"rollcall/server/wiretest"
)

// single makes the scope's users be connected once.
func (n *node) single() {
	n.t.Helper()
	ok(n.t, n.admin().Call("admin.scopes.update", obj{"name": theScope, "sessions": "single"}))
}

func TestWhereSessionsAreSingleTheOlderConnectionIsReplaced(t *testing.T) {
	onBoth(t, func(t *testing.T, a, b named) {
		u, v := a.elsewhere("tiny"), a.elsewhere("bystander")
		many := []*wiretest.Client{a.client(), b.client()}
		for _, c := range many {
			login(t, c, u)
		}
		b.single()
		a.single() // so that both nodes know
		bystander := a.client()
		login(t, bystander, v)
		f := a.followPresence()

		first := a.client()
		login(t, first, u)
		for _, c := range many {
			wantEnd(t, c, 4501)
		}
		second := b.client()
		login(t, second, u)
		wantEnd(t, first, 4501)
		third := b.client()
		token := login(t, third, u)
		wantEnd(t, second, 4501)
		fourth := a.client()
		ok(t, resume(fourth, token))
		wantEnd(t, third, 4501)
		login(t, fourth, u) // on the same connection nobody is replaced
		wantUser(t, fourth, u, true)
		wantUser(t, bystander, v, true)
		if got := about(b.passes(f, "passer-by"), u); len(got) > 0 {
			t.Errorf("who is replaced stays online, and %v is told", kinds(got))
		}
		wantUser(t, fourth, u, true)
	}, shortGrace)
}

// ended reports whether the server closed a connection, and with which code.
func ended(c *wiretest.Client) (code int, yes bool) {
	_, err := c.Do("core.ping", nil)
	var closed *wiretest.CloseError
	if errors.As(err, &closed) {
		return closed.Code, true
	}
	return 0, err != nil
}

func TestOfTwoLoginsThatRaceWhereSessionsAreSingleOneSurvives(t *testing.T) {
	onBoth(t, func(t *testing.T, a, b named) {
		b.single()
		a.single()
		admin := a.admin()
		for i := range 15 {
			u := a.elsewhere(fmt.Sprint("tiny", i))
			cs := []*wiretest.Client{a.client(), b.client(), a.client()}
			for _, c := range cs {
				c.Send("users.login", u.login())
			}
			alive := cs
			await(t, "one connection is left", func() bool {
				var left []*wiretest.Client
				for _, c := range alive {
					code, gone := ended(c)
					if !gone {
						left = append(left, c)
					} else if code != 4501 {
						t.Errorf("a connection ended with %d, want 4501", code)
					}
				}
				alive = left
				return len(alive) <= 1
			})
			if len(alive) != 1 {
				t.Fatalf("round %d: of %d connections none survived", i, len(cs))
			}
			wantUser(t, alive[0], u, true)
			sessions := list(ok(t, admin.Call("admin.sessions.list", obj{"scope": theScope})).Result())
			mine := slices.DeleteFunc(sessions, func(s wiretest.Object) bool { return s.Text("user_id") != u.id })
			if len(mine) != 1 {
				t.Errorf("round %d: %d sessions of the user are connected, want 1", i, len(mine))
			}
			if _, gone := ended(alive[0]); gone {
				t.Errorf("round %d: the survivor was ended as well", i)
			}
		}
	})
}
