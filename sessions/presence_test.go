package sessions

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"rollcall/protocol"
	"rollcall/store"
)

// A placeStore keeps places and sessions, as the store does, and what was asked
// of it.
type placeStore struct {
	Store
	outages  uint64
	lost     int      // renewals that find the lease lost
	ended    []string // leases that have ended
	departs  error
	duringIn func(a store.Arrival) // runs inside Login, when the place is noted

	mu       sync.Mutex
	places   map[string]store.Presence // by "<lease>.<place>"
	sessions map[string]bool           // that are good
	arrivals []store.Arrival
	log      []string // "<what> <lease>.<place> …"
	leases   []string
	active   map[string]int
}

func newPlaceStore() *placeStore {
	return &placeStore{places: map[string]store.Presence{}, sessions: map[string]bool{}, active: map[string]int{}}
}

func at(lease, place string) string { return lease + "." + place }

func (s *placeStore) Login(_ context.Context, id uuid.UUID, a store.Arrival, _ []byte) (store.User, store.Session, error) {
	s.mu.Lock()
	sess := "s" + a.Place
	s.sessions[sess] = true
	s.arrivals = append(s.arrivals, a)
	s.places[at(a.Lease, a.Place)] = store.Presence{Lease: a.Lease, Place: a.Place, User: id, Session: sess, Scope: a.Scope}
	s.mu.Unlock()
	if s.duringIn != nil {
		s.duringIn(a)
	}
	return store.User{ID: id, Scope: a.Scope}, store.Session{ID: sess}, nil
}

func (s *placeStore) Enter(_ context.Context, pr store.Presence) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.sessions[pr.Session] {
		return fmt.Errorf("enter: %w", store.ErrSessionInvalid)
	}
	s.log = append(s.log, "enter "+at(pr.Lease, pr.Place))
	s.places[at(pr.Lease, pr.Place)] = pr
	return nil
}

func (s *placeStore) Depart(_ context.Context, pr store.Presence, reason string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.departs != nil {
		return s.departs
	}
	s.log = append(s.log, "depart "+at(pr.Lease, pr.Place)+" "+reason)
	delete(s.places, at(pr.Lease, pr.Place))
	return nil
}

func (s *placeStore) Present(_ context.Context, lease string, part int) (all []store.Presence, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, pr := range s.places {
		if pr.Lease == lease && store.PartitionOf(pr.User) == part {
			all = append(all, pr)
		}
	}
	return all, nil
}

func (s *placeStore) RenewLease(_ context.Context, lease string, isNew bool, _ protocol.NodeObject) ([]string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lost > 0 && !isNew {
		s.lost--
		return nil, fmt.Errorf("renew: %w", store.ErrLeaseLost)
	}
	s.leases = append(s.leases, fmt.Sprint(lease, " ", isNew))
	ended := s.ended
	s.ended = nil
	return ended, nil
}

func (s *placeStore) EndLease(_ context.Context, lease string, after time.Duration) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.log = append(s.log, fmt.Sprint("end ", lease, " after ", after))
	return nil
}

func (s *placeStore) Reap(_ context.Context, lease string) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.log = append(s.log, "reap "+lease)
	return 1, nil
}

func (s *placeStore) MarkActive(_ context.Context, scope string, users []uuid.UUID) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.active[scope] += len(users)
	return nil
}

func (s *placeStore) EndSession(_ context.Context, _ uuid.UUID, id string, _ protocol.CloseCode, _ string) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.sessions, id)
	return true, nil
}

func (s *placeStore) Signals(ctx context.Context, _ func(store.Signal)) error {
	<-ctx.Done()
	return ctx.Err()
}
func (s *placeStore) TakeCensus(context.Context) (bool, error) { return true, nil }
func (s *placeStore) Now() time.Time                           { return time.Now() }
func (s *placeStore) Outages() uint64                          { return s.outages }

func (s *placeStore) has() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Sorted(maps.Keys(s.places))
}

func (s *placeStore) wantPlaces(t *testing.T, what string, want ...string) {
	t.Helper()
	slices.Sort(want) // leases have random names
	if got := s.has(); !slices.Equal(got, want) {
		t.Errorf("%s: the store has %v, want %v", what, got, want)
	}
}

// asked returns what was asked since the last time.
func (s *placeStore) asked() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	log := s.log
	s.log = nil
	return log
}

func (s *placeStore) wantAsked(t *testing.T, what string, want ...string) {
	t.Helper()
	if got := s.asked(); !slices.Equal(got, want) {
		t.Errorf("%s: the store was asked %q, want %q", what, got, want)
	}
}

const testGrace = 5 * time.Second

// onPlaces runs f in a bubble of time, with a node whose lease is kept.
func onPlaces(t *testing.T, f func(t *testing.T, st *placeStore, n *Node)) {
	synctest.Test(t, func(t *testing.T) {
		st := newPlaceStore()
		n := New("n1", st, Options{
			Logger: slog.New(slog.DiscardHandler), Grace: testGrace,
			OnScope: func(string) {}, About: func() (about protocol.NodeObject) { return },
		})
		keep(t, n)
		f(t, st, n)
		time.Sleep(2 * testGrace) // what is still to be taken away
		synctest.Wait()
	})
}

func keep(t *testing.T, n *Node) {
	t.Helper()
	ended, err := n.renewLease(t.Context())
	if err == nil {
		err = n.lookAfter(t.Context(), ended)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// keepAll lets the audit come to every partition.
func keepAll(t *testing.T, n *Node) {
	t.Helper()
	for range store.Partitions {
		keep(t, n)
	}
}

func enter(t *testing.T, n *Node, user uuid.UUID) (*Client, *fakePeer) {
	t.Helper()
	c, p := connect(n)
	loginOn(t, c, user)
	return c, p
}

func loginOn(t *testing.T, c *Client, user uuid.UUID) {
	t.Helper()
	if _, _, err := c.Login(t.Context(), user, here, nil); err != nil {
		t.Fatal(err)
	}
}

func TestAPlaceIsTakenAwayAfterTheGraceOrAtOnce(t *testing.T) {
	tests := []struct {
		name   string
		do     func(t *testing.T, n *Node, c *Client, user uuid.UUID)
		reason string
		grace  bool
	}{
		{"the client closes", func(t *testing.T, n *Node, c *Client, _ uuid.UUID) { c.Disconnect(protocol.OfflineClosed) }, "closed", true},
		{"the connection breaks", func(t *testing.T, n *Node, c *Client, _ uuid.UUID) { c.Disconnect(protocol.OfflineLost) }, "lost", true},
		{"the node drains", func(t *testing.T, n *Node, c *Client, _ uuid.UUID) { c.Disconnect(protocol.OfflineDrained) }, "drained", true},
		{"a logout", func(t *testing.T, n *Node, c *Client, _ uuid.UUID) {
			if err := c.Logout(t.Context(), false); err != nil {
				t.Error(err)
			}
		}, "logout", false},
		{"a login as another user", func(t *testing.T, n *Node, c *Client, _ uuid.UUID) { loginOn(t, c, uuid.New()) }, "logout", false},
		{"a deletion by oneself", func(t *testing.T, n *Node, c *Client, user uuid.UUID) {
			c.While(user, func() error { return nil })
		}, "ended", false},
		{"a kick", func(t *testing.T, n *Node, c *Client, user uuid.UUID) {
			n.apply(t.Context(), store.Signal{Kind: store.SignalEnd, User: user, Code: int(protocol.CloseKicked)})
		}, "kicked", false},
		{"a ban", func(t *testing.T, n *Node, c *Client, user uuid.UUID) {
			n.apply(t.Context(), store.Signal{Kind: store.SignalEnd, User: user, Code: int(protocol.CloseBanned)})
		}, "banned", false},
		{"the session ends elsewhere", func(t *testing.T, n *Node, c *Client, user uuid.UUID) {
			n.apply(t.Context(), store.Signal{Kind: store.SignalEnd, User: user})
		}, "ended", false},
		{"another connection takes its place", func(t *testing.T, n *Node, c *Client, user uuid.UUID) {
			n.apply(t.Context(), store.Signal{Kind: store.SignalReplace, User: user, Session: "s1", Node: "n1", Conn: c.conn()})
		}, "replaced", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			onPlaces(t, func(t *testing.T, st *placeStore, n *Node) {
				user, lease := uuid.New(), n.presence.current()
				c, _ := enter(t, n, user)
				st.wantPlaces(t, "here", at(lease, "1"))
				tt.do(t, n, c, user)
				c.Disconnect(protocol.OfflineLost) // says nothing more of that place
				want := fmt.Sprint("depart ", at(lease, "1"), " ", tt.reason)
				if tt.grace {
					time.Sleep(testGrace - time.Nanosecond)
					synctest.Wait()
					keepAll(t, n) // the audit knows that it waits
					st.wantAsked(t, "within the grace")
					time.Sleep(time.Nanosecond)
				}
				synctest.Wait()
				st.wantAsked(t, "after it", want)
				keepAll(t, n)
				st.wantAsked(t, "by the audit")
			})
		})
	}
}

func TestWhoComesBackWithinTheGraceKeepsTheNewPlaceOnly(t *testing.T) {
	onPlaces(t, func(t *testing.T, st *placeStore, n *Node) {
		user, lease := uuid.New(), n.presence.current()
		first, _ := enter(t, n, user)
		first.Disconnect(protocol.OfflineLost)
		time.Sleep(testGrace - time.Second)
		second, _ := enter(t, n, user)
		st.wantPlaces(t, "within the grace", at(lease, "1"), at(lease, "2"))
		time.Sleep(time.Second)
		synctest.Wait()
		st.wantPlaces(t, "after it", at(lease, "2"))
		st.wantAsked(t, "after it", "depart "+at(lease, "1")+" lost")
		keepAll(t, n)
		st.wantPlaces(t, "after the audit", at(lease, "2"))
		second.Disconnect(protocol.OfflineClosed)
		time.Sleep(testGrace)
		synctest.Wait()
		st.wantPlaces(t, "after all")
		st.wantAsked(t, "after all", "depart "+at(lease, "2")+" closed")
	})
}

func TestALoginOnTheSameConnectionTellsWhereItWas(t *testing.T) {
	onPlaces(t, func(t *testing.T, st *placeStore, n *Node) {
		user, lease := uuid.New(), n.presence.current()
		c, _ := enter(t, n, user)
		loginOn(t, c, user)
		synctest.Wait()
		if st.arrivals[0].Instead != "" || st.arrivals[1].Instead != at(lease, "1") {
			t.Errorf("arrivals %+v", st.arrivals)
		}
		st.wantPlaces(t, "after the second login", at(lease, "2"))
		if n.Sessions() != 1 {
			t.Errorf("%d sessions", n.Sessions())
		}
	})
}

func TestTheAuditPutsRightWhatTheStoreHas(t *testing.T) {
	lose := func(st *placeStore, place string) {
		st.mu.Lock()
		defer st.mu.Unlock()
		delete(st.places, place)
	}
	t.Run("what it lost is noted again", func(t *testing.T) {
		onPlaces(t, func(t *testing.T, st *placeStore, n *Node) {
			lease := n.presence.current()
			enter(t, n, uuid.New())
			enter(t, n, uuid.New())
			lose(st, at(lease, "1"))
			keepAll(t, n)
			st.wantAsked(t, "the audit", "enter "+at(lease, "1"))
			st.wantPlaces(t, "after it", at(lease, "1"), at(lease, "2"))
		})
	})
	t.Run("what it kept is taken away", func(t *testing.T) {
		onPlaces(t, func(t *testing.T, st *placeStore, n *Node) {
			user, lease := uuid.New(), n.presence.current()
			enter(t, n, user)
			st.places[at(lease, "99")] = store.Presence{Lease: lease, Place: "99", User: user}
			st.places["other.98"] = store.Presence{Lease: "other", Place: "98", User: user}
			keepAll(t, n)
			st.wantAsked(t, "the audit", "depart "+at(lease, "99")+" lost")
			st.wantPlaces(t, "after it", at(lease, "1"), "other.98")
		})
	})
	t.Run("a departure that failed is made up for", func(t *testing.T) {
		onPlaces(t, func(t *testing.T, st *placeStore, n *Node) {
			lease := n.presence.current()
			c, _ := enter(t, n, uuid.New())
			st.departs = store.ErrUnavailable
			c.Disconnect(protocol.OfflineClosed)
			time.Sleep(testGrace)
			synctest.Wait()
			if err := n.audit(t.Context(), store.PartitionOf(st.places[at(lease, "1")].User)); !errors.Is(err, store.ErrUnavailable) {
				t.Errorf("the audit goes on: %v", err)
			}
			st.departs = nil
			keepAll(t, n)
			st.wantPlaces(t, "after the audit")
		})
	})
	t.Run("whose session is gone is closed", func(t *testing.T) {
		onPlaces(t, func(t *testing.T, st *placeStore, n *Node) {
			lease := n.presence.current()
			_, p := enter(t, n, uuid.New())
			lose(st, at(lease, "1"))
			delete(st.sessions, "s1")
			keepAll(t, n)
			synctest.Wait()
			if p.closed() != protocol.CloseSessionEnded || n.Sessions() != 0 {
				t.Errorf("closed with %d, %d sessions", p.closed(), n.Sessions())
			}
			st.wantPlaces(t, "after the audit")
		})
	})
	t.Run("a login under way is left alone", func(t *testing.T) {
		onPlaces(t, func(t *testing.T, st *placeStore, n *Node) {
			lease := n.presence.current()
			st.duringIn = func(store.Arrival) { keepAll(t, n) }
			enter(t, n, uuid.New())
			st.wantAsked(t, "the audit")
			st.wantPlaces(t, "after it", at(lease, "1"))
		})
	})
	for name, due := range map[string]func(st *placeStore, n *Node){
		"an outage": func(st *placeStore, n *Node) { st.outages++ },
		"a resync": func(st *placeStore, n *Node) {
			n.apply(context.Background(), store.Signal{Kind: store.SignalResync})
		},
	} {
		t.Run("all at once after "+name, func(t *testing.T) {
			onPlaces(t, func(t *testing.T, st *placeStore, n *Node) {
				const users = 30
				if name == "a resync" {
					due(st, n) // nobody is here whose sessions it would ask for
				}
				for range users {
					enter(t, n, uuid.New())
				}
				if name != "a resync" {
					due(st, n)
				}
				clear(st.places)
				keep(t, n)
				if got := len(st.has()); got != users {
					t.Errorf("%d places after one audit, want %d", got, users)
				}
			})
		})
	}
}

func TestANodeThatWasTakenForDeadNotesAllUnderAnotherLease(t *testing.T) {
	onPlaces(t, func(t *testing.T, st *placeStore, n *Node) {
		lease := n.presence.current()
		stays, _ := enter(t, n, uuid.New())
		enter(t, n, uuid.New())
		leaves, _ := enter(t, n, uuid.New())
		leaves.Disconnect(protocol.OfflineClosed) // within its grace when it happens
		clear(st.places)                          // reaped by another node
		st.lost = 1
		keep(t, n)
		fresh := n.presence.current()
		if fresh == lease || !slices.Equal(st.leases, []string{lease + " true", fresh + " true"}) {
			t.Fatalf("leases %v, of which now %s", st.leases, fresh)
		}
		st.wantPlaces(t, "after the renewal", at(fresh, "1"), at(fresh, "2"))
		enter(t, n, uuid.New())
		st.wantPlaces(t, "after another login", at(fresh, "1"), at(fresh, "2"), at(fresh, "4"))
		stays.Disconnect(protocol.OfflineClosed)
		time.Sleep(testGrace)
		synctest.Wait()
		st.wantPlaces(t, "after a departure", at(fresh, "2"), at(fresh, "4"))
		keepAll(t, n)
		st.wantPlaces(t, "after the audit", at(fresh, "2"), at(fresh, "4"))
	})
}

// The login asked for a place under the lease that was lost meanwhile.
func TestALoginUnderWayWhenTheLeaseIsLostIsNotedUnderTheNext(t *testing.T) {
	onPlaces(t, func(t *testing.T, st *placeStore, n *Node) {
		lease := n.presence.current()
		st.duringIn = func(store.Arrival) {
			st.lost = 1
			keep(t, n)
			clear(st.places)
		}
		enter(t, n, uuid.New())
		keepAll(t, n)
		if fresh := n.presence.current(); fresh == lease {
			t.Error("the lease is the same")
		} else {
			st.wantPlaces(t, "after the audit", at(fresh, "1"))
		}
	})
}

func TestASingleConnectionClosesTheOthersThatAreNamed(t *testing.T) {
	onPlaces(t, func(t *testing.T, st *placeStore, n *Node) {
		user, lease := uuid.New(), n.presence.current()
		single := func(user uuid.UUID, places ...string) {
			n.apply(t.Context(), store.Signal{Kind: store.SignalSingle, User: user, Places: places})
		}
		_, first := enter(t, n, user)
		_, second := enter(t, n, user)
		_, other := enter(t, n, uuid.New())
		single(user, at(lease, "1"), at(lease, "3"), "elsewhere.2", at(lease, "77"))
		single(uuid.New(), at(lease, "2"))
		if first.closed() != protocol.CloseReplaced || second.closed() != 0 || other.closed() != 0 {
			t.Errorf("closed with %d, %d, %d", first.closed(), second.closed(), other.closed())
		}
		synctest.Wait()
		st.wantAsked(t, "of the closed one", "depart "+at(lease, "1")+" replaced")

		// One that is outdone while it logs in is closed when it has.
		st.duringIn = func(a store.Arrival) { single(user, at(a.Lease, a.Place)) }
		c, p := connect(n)
		if _, _, err := c.Login(t.Context(), user, Where{Scope: "s", Single: true}, nil); err != nil {
			t.Fatal(err)
		}
		if p.closed() != protocol.CloseReplaced || c.Owns(user) || !st.arrivals[3].Single || st.arrivals[0].Single {
			t.Errorf("closed with %d, logged in: %v, arrivals %+v", p.closed(), c.Owns(user), st.arrivals)
		}
		synctest.Wait()
		st.wantAsked(t, "of the one outdone", "depart "+at(lease, "4")+" replaced")
		st.wantPlaces(t, "in the end", at(lease, "2"), at(lease, "3"))
	})
}

func TestANodeReapsWhatEndedAndLetsItsOwnLeaseEndWithTheGrace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := newPlaceStore()
		n := New("n1", st, Options{
			Logger: slog.New(slog.DiscardHandler), Grace: testGrace,
			OnScope: func(string) {}, About: func() (about protocol.NodeObject) { return },
		})
		lease := n.presence.current()
		keep(t, n)
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); n.Run(ctx) }()
		st.mu.Lock()
		st.ended = []string{"dead1", "dead2"}
		st.mu.Unlock()
		time.Sleep(store.LeaseRenewal - 1)
		synctest.Wait()
		st.wantAsked(t, "before the renewal")
		time.Sleep(2*store.LeaseRenewal + 1)
		synctest.Wait()
		st.wantAsked(t, "after it", "reap dead1", "reap dead2")
		stop()
		<-done
		st.wantAsked(t, "at the end", fmt.Sprint("end ", lease, " after ", testGrace))
		if want := []string{lease + " true", lease + " false", lease + " false", lease + " false"}; !slices.Equal(st.leases, want) {
			t.Errorf("renewals %v, want %v", st.leases, want)
		}
	})
}

func TestWhoIsHereIsActiveEveryDay(t *testing.T) {
	onPlaces(t, func(t *testing.T, st *placeStore, n *Node) {
		const users = 1203 // more than go in one call
		for range users {
			enter(t, n, uuid.New())
		}
		keepAll(t, n)
		if st.active["s"] != 0 {
			t.Errorf("%d were marked on the day on which they came", st.active["s"])
		}
		time.Sleep(24 * time.Hour)
		keep(t, n)
		keep(t, n)
		if st.active["s"] != users {
			t.Errorf("%d were marked the next day, want %d", st.active["s"], users)
		}
	})
}
