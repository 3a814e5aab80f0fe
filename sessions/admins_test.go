package sessions

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"rollcall/protocol"
	"rollcall/store"
)

// adminStore has the admins and sessions that a test says.
type adminStore struct {
	fakeStore
	admins   map[string]store.Admin // by name
	sessions map[string]store.Admin // by id, of whom as he was then
	away     bool
	asked    func() // runs before each answer
}

func (s *adminStore) AdminSession(_ context.Context, id string) (store.Admin, time.Time, error) {
	if s.asked != nil {
		s.asked()
	}
	if s.away {
		return store.Admin{}, time.Time{}, store.ErrUnavailable
	}
	of, held := s.sessions[id]
	a, ok := s.admins[of.Name]
	if !held || !ok || a.Generation != of.Generation {
		return store.Admin{}, time.Time{}, store.ErrSessionInvalid
	}
	return a, time.Time{}, nil
}

func (s *adminStore) EndAdminSession(_ context.Context, _, id string) error {
	if s.away {
		return store.ErrUnavailable
	}
	delete(s.sessions, id)
	return nil
}

// enter makes a session of an admin.
func (s *adminStore) enter(a store.Admin) (id string) {
	id = fmt.Sprint("session ", len(s.sessions))
	s.sessions[id] = a
	return id
}

func adminNode(admins ...store.Admin) (*Node, *adminStore) {
	st := &adminStore{admins: map[string]store.Admin{}, sessions: map[string]store.Admin{}}
	for _, a := range admins {
		st.admins[a.Name] = a
	}
	return newNode(st), st
}

// connectAdmin opens a connection by a session of its own, or by the one given.
func connectAdmin(t *testing.T, n *Node, a store.Admin, session ...string) (*Admin, *fakePeer) {
	t.Helper()
	p := &fakePeer{}
	id := strings.Join(session, "")
	if id == "" {
		id = n.store.(*adminStore).enter(a)
	}
	conn, err := n.ConnectAdmin(t.Context(), p, a, id, time.Now().Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Disconnect)
	return conn, p
}

func wantAdmin(t *testing.T, what string, a *Admin, p *fakePeer, ended bool) {
	t.Helper()
	want := protocol.CloseCode(0)
	if ended {
		want = protocol.CloseSessionEnded
	}
	if p.closed() != want || a.Ended() != ended {
		t.Errorf("%s: closed with %d, ended %v; want ended %v", what, p.closed(), a.Ended(), ended)
	}
}

func TestASignalEndsAnAdminsConnectionsOfOneGeneration(t *testing.T) {
	root, ops := store.Admin{Name: "root", Generation: "1"}, store.Admin{Name: "ops", Generation: "1"}
	n, st := adminNode(root, ops)
	first, p1 := connectAdmin(t, n, root)
	other, p2 := connectAdmin(t, n, ops)
	root.Generation = "2"
	st.admins["root"] = root
	second, p3 := connectAdmin(t, n, root)
	ctx, done := first.Context(t.Context())
	defer done()
	for range 2 { // it may come twice
		n.apply(t.Context(), store.Signal{Kind: store.SignalAdmin, Admin: "root", Generation: "1"})
	}
	wantAdmin(t, "the generation that ended", first, p1, true)
	wantAdmin(t, "another admin", other, p2, false)
	wantAdmin(t, "the next generation", second, p3, false)
	<-ctx.Done() // of what is under way
	if !errors.Is(context.Cause(ctx), ErrAdminEnded) {
		t.Errorf("it ended by %v", context.Cause(ctx))
	}
	first.Disconnect()
	n.apply(t.Context(), store.Signal{Kind: store.SignalAdmin, Admin: "root", Generation: "2"})
	wantAdmin(t, "the next generation", second, p3, true)
}

func TestAResyncEndsTheConnectionsOfAdminsWhoChangedOrWent(t *testing.T) {
	root, ops, gone := store.Admin{Name: "root", Generation: "1"}, store.Admin{Name: "ops", Generation: "1"}, store.Admin{Name: "gone", Generation: "1"}
	n, st := adminNode(root, ops, gone)
	a, pa := connectAdmin(t, n, root)
	b, pb := connectAdmin(t, n, ops)
	c, pc := connectAdmin(t, n, gone)
	st.away = true
	n.apply(t.Context(), store.Signal{Kind: store.SignalResync})
	wantAdmin(t, "while the store is away", a, pa, false)
	st.away = false
	st.admins["ops"] = store.Admin{Name: "ops", Generation: "2"}
	delete(st.admins, "gone")
	n.apply(t.Context(), store.Signal{Kind: store.SignalResync})
	wantAdmin(t, "one who is the same", a, pa, false)
	wantAdmin(t, "one with another password", b, pb, true)
	wantAdmin(t, "one who is gone", c, pc, true)
}

func TestAnAdminWhoseRightsEndWhileHeLogsInIsNotLetIn(t *testing.T) {
	root := store.Admin{Name: "root", Generation: "1"}
	for name, end := range map[string]func(*adminStore){
		"another password": func(st *adminStore) { st.admins["root"] = store.Admin{Name: "root", Generation: "2"} },
		"deleted":          func(st *adminStore) { delete(st.admins, "root") },
		"logged out":       func(st *adminStore) { clear(st.sessions) },
	} {
		t.Run(name, func(t *testing.T) {
			n, st := adminNode(root)
			id := st.enter(root)
			end(st)
			if _, err := n.ConnectAdmin(t.Context(), &fakePeer{}, root, id, time.Now().Add(time.Hour)); !errors.Is(err, ErrSessionInvalid) {
				t.Errorf("got %v", err)
			}
		})
	}
	for name, sig := range map[string]store.Signal{
		"another password": {Kind: store.SignalAdmin, Admin: "root", Generation: "1"},
		"logged out":       {Kind: store.SignalLogout, Admin: "root", Session: "session 0"},
	} {
		t.Run(name+", signalled after it was read", func(t *testing.T) {
			n, st := adminNode(root)
			st.asked = func() { n.apply(t.Context(), sig) }
			p := &fakePeer{}
			a, err := n.ConnectAdmin(t.Context(), p, root, st.enter(root), time.Now().Add(time.Hour))
			if err != nil {
				t.Fatal(err)
			}
			defer a.Disconnect()
			wantAdmin(t, "the connection", a, p, true)
		})
	}
	t.Run("the store is away", func(t *testing.T) {
		n, st := adminNode(root)
		st.away = true
		if _, err := n.ConnectAdmin(t.Context(), &fakePeer{}, root, st.enter(root), time.Now()); !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("got %v", err)
		}
	})
}

func TestTheConnectionThatChangesItsOwnPasswordGoesOn(t *testing.T) {
	root := store.Admin{Name: "root", Generation: "1"}
	change := func(n *Node, st *adminStore) func() (store.Admin, error) {
		return func() (store.Admin, error) {
			st.admins["root"] = store.Admin{Name: "root", Generation: "2"}
			n.apply(context.Background(), store.Signal{Kind: store.SignalAdmin, Admin: "root", Generation: "1"})
			n.apply(context.Background(), store.Signal{Kind: store.SignalResync})
			st.sessions["session 0"] = st.admins["root"] // of the connection that asks, which is kept
			return st.admins["root"], nil
		}
	}
	t.Run("it and no other", func(t *testing.T) {
		n, st := adminNode(root)
		asks, p1 := connectAdmin(t, n, root)
		other, p2 := connectAdmin(t, n, root)
		if err := asks.Keep(change(n, st)); err != nil {
			t.Fatal(err)
		}
		wantAdmin(t, "the other", other, p2, true)
		asks.Settle(t.Context())
		n.apply(t.Context(), store.Signal{Kind: store.SignalAdmin, Admin: "root", Generation: "1"})
		wantAdmin(t, "the one that asked", asks, p1, false)
		if asks.Ref().Generation != "2" {
			t.Errorf("it acts as %v", asks.Ref())
		}
		n.apply(t.Context(), store.Signal{Kind: store.SignalAdmin, Admin: "root", Generation: "2"})
		wantAdmin(t, "the one that asked, later", asks, p1, true)
	})
	t.Run("unless somebody else changed it meanwhile", func(t *testing.T) {
		n, st := adminNode(root)
		asks, p := connectAdmin(t, n, root)
		err := asks.Keep(func() (store.Admin, error) {
			change(n, st)()
			return store.Admin{}, store.ErrConflict
		})
		if !errors.Is(err, store.ErrConflict) {
			t.Errorf("got %v", err)
		}
		asks.Settle(t.Context())
		wantAdmin(t, "the connection", asks, p, true)
	})
	t.Run("not when its session was logged out meanwhile", func(t *testing.T) {
		n, st := adminNode(root)
		asks, p := connectAdmin(t, n, root)
		err := asks.Keep(func() (store.Admin, error) {
			now, _ := change(n, st)()
			delete(st.sessions, "session 0")
			n.apply(t.Context(), store.Signal{Kind: store.SignalLogout, Admin: "root", Session: "session 0"})
			return now, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		wantAdmin(t, "before it is answered", asks, p, false)
		asks.Settle(t.Context())
		wantAdmin(t, "then", asks, p, true)
	})
	t.Run("not when the account ends", func(t *testing.T) {
		n, st := adminNode(root)
		asks, p := connectAdmin(t, n, root)
		asks.Keep(func() (store.Admin, error) { delete(st.admins, "root"); return store.Admin{}, nil })
		wantAdmin(t, "before it is answered", asks, p, false)
		asks.Settle(t.Context())
		wantAdmin(t, "then", asks, p, true)
	})
	t.Run("not when nobody knows", func(t *testing.T) {
		n, st := adminNode(root)
		asks, p := connectAdmin(t, n, root)
		asks.Keep(func() (store.Admin, error) { st.away = true; return store.Admin{}, store.ErrUnavailable })
		asks.Settle(t.Context())
		wantAdmin(t, "the connection", asks, p, true)
	})
}

func TestAnAdminsConnectionEndsWithItsToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		root := store.Admin{Name: "root", Generation: "1"}
		n, _ := adminNode(root)
		a, p := connectAdmin(t, n, root)
		left, pl := connectAdmin(t, n, root)
		left.Disconnect()
		time.Sleep(59 * time.Minute)
		synctest.Wait()
		wantAdmin(t, "before", a, p, false)
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		wantAdmin(t, "after", a, p, true)
		wantAdmin(t, "one that left", left, pl, false)
		if len(n.admins.conns["root"]) != 1 {
			t.Errorf("%d are entered", len(n.admins.conns["root"]))
		}
	})
}

func TestALogoutEndsTheConnectionsOfOneSession(t *testing.T) {
	root, ops := store.Admin{Name: "root", Generation: "1"}, store.Admin{Name: "ops", Generation: "1"}
	n, st := adminNode(root, ops)
	asks, p1 := connectAdmin(t, n, root)
	same, p2 := connectAdmin(t, n, root, asks.session)
	other, p3 := connectAdmin(t, n, root)
	another, p4 := connectAdmin(t, n, ops)
	tell := func() {
		n.apply(t.Context(), store.Signal{Kind: store.SignalLogout, Admin: "root", Session: asks.session})
		n.apply(t.Context(), store.Signal{Kind: store.SignalResync})
	}
	if err := asks.Keep(func() (store.Admin, error) { return store.Admin{}, asks.Logout(t.Context()) }); err != nil {
		t.Fatal(err)
	}
	tell()
	wantAdmin(t, "the one that asked, before it is answered", asks, p1, false)
	wantAdmin(t, "one of the same session", same, p2, true)
	wantAdmin(t, "one of another session", other, p3, false)
	wantAdmin(t, "another admin", another, p4, false)
	asks.Leave()
	wantAdmin(t, "the one that asked, once it is answered", asks, p1, true)
	st.away = true
	asks.Settle(t.Context())
	tell() // it may come twice
	wantAdmin(t, "one of another session, later", other, p3, false)
}

func TestALogoutThatFailsLeavesTheConnectionAsTheSessionIs(t *testing.T) {
	root := store.Admin{Name: "root", Generation: "1"}
	for name, tt := range map[string]struct {
		after func(*adminStore, *Admin)
		ended bool
	}{
		"which holds":          {func(st *adminStore, _ *Admin) { st.away = false }, false},
		"which has ended":      {func(st *adminStore, a *Admin) { st.away = false; delete(st.sessions, a.session) }, true},
		"which nobody can ask": {func(*adminStore, *Admin) {}, true},
	} {
		t.Run(name, func(t *testing.T) {
			n, st := adminNode(root)
			a, p := connectAdmin(t, n, root)
			st.away = true
			if err := a.Keep(func() (store.Admin, error) { return store.Admin{}, a.Logout(t.Context()) }); !errors.Is(err, store.ErrUnavailable) {
				t.Errorf("got %v", err)
			}
			wantAdmin(t, "before it is answered", a, p, false)
			tt.after(st, a)
			a.Settle(t.Context())
			wantAdmin(t, "then", a, p, tt.ended)
		})
	}
}

func TestAResyncEndsTheConnectionsOfSessionsThatWereLoggedOut(t *testing.T) {
	root := store.Admin{Name: "root", Generation: "1"}
	n, st := adminNode(root)
	gone, p1 := connectAdmin(t, n, root)
	stays, p2 := connectAdmin(t, n, root)
	delete(st.sessions, gone.session)
	n.apply(t.Context(), store.Signal{Kind: store.SignalResync})
	wantAdmin(t, "the session that ended", gone, p1, true)
	wantAdmin(t, "the other", stays, p2, false)
}
