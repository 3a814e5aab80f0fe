package store

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"sync"
	"testing"

	"github.com/google/uuid"

	"rollcall/protocol"
)

// A follower keeps what Signals delivers.
type follower struct {
	mu   sync.Mutex
	got  []Signal
	hold chan struct{} // when set, deliveries wait for it to be closed
}

// follow starts a follower and waits until it misses nothing more.
func follow(t testing.TB, s *Store) *follower {
	t.Helper()
	f := &follower{}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Signals(ctx, f.take) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) && !errors.Is(err, ErrUnavailable) {
			t.Errorf("Signals ended with %v", err)
		}
	})
	eventually(t, "the follower has begun", func() bool { return f.count(SignalResync) == 1 })
	return f
}

func (f *follower) take(sig Signal) {
	f.mu.Lock()
	f.got = append(f.got, sig)
	hold := f.hold
	f.mu.Unlock()
	if hold != nil {
		<-hold
	}
}

func (f *follower) has(want func(Signal) bool) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.ContainsFunc(f.got, want)
}

func (f *follower) count(kind SignalKind) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := 0
	for _, sig := range f.got {
		if sig.Kind == kind {
			n++
		}
	}
	return n
}

func TestASignalArrivesWhole(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		f := follow(t, s)
		want := Signal{
			Kind: SignalReplace, User: uuid.New(), Session: "s", Except: "e", Scope: testScope, Node: "n1", Conn: "5f",
			Code: int(protocol.CloseReplaced), Reason: "replaced \"é\"",
		}
		if err := s.Signal(t.Context(), want); err != nil {
			t.Fatal(err)
		}
		eventually(t, "it arrives", func() bool { return f.has(func(sig Signal) bool { return reflect.DeepEqual(sig, want) }) })
	})
}

func TestSignalsReachEveryStoreInOrder(t *testing.T) {
	onServers(t, Config{}, func(t *testing.T, cfg Config) {
		stores := []*Store{openTest(t, cfg), openTest(t, cfg)}
		followers := []*follower{follow(t, stores[0]), follow(t, stores[1])}
		const n = 600 // more than one read brings
		for i := range n {
			if err := stores[i%2].Signal(t.Context(), Signal{Kind: SignalScope, Scope: fmt.Sprint(i)}); err != nil {
				t.Fatal(err)
			}
		}
		for _, f := range followers {
			eventually(t, "all arrive", func() bool { return f.count(SignalScope) == n })
			f.mu.Lock()
			for i, sig := range f.got[1:] {
				if sig.Scope != fmt.Sprint(i) {
					t.Errorf("signal %d is %s", i, sig.Scope)
				}
			}
			f.mu.Unlock()
		}
	})
}

func TestWhoeverEndsSessionsTellsEveryNode(t *testing.T) {
	for name, c := range map[string]struct {
		do   func(ctx context.Context, s *Store, id uuid.UUID, kept string) error
		want Signal
	}{
		"password": {func(ctx context.Context, s *Store, id uuid.UUID, kept string) error {
			_, err := s.UpdateUser(ctx, id, UserUpdate{Password: []byte("new"), KeepSession: kept})
			return err
		}, Signal{Kind: SignalEnd, Except: "kept", Code: int(protocol.CloseSessionEnded), Reason: "password changed"}},
		"delete": {func(ctx context.Context, s *Store, id uuid.UUID, kept string) error {
			_, err := s.DeleteUser(ctx, id)
			return err
		}, Signal{Kind: SignalEnd, Code: int(protocol.CloseSessionEnded), Reason: "user deleted"}},
		"end": {func(ctx context.Context, s *Store, id uuid.UUID, kept string) error {
			_, err := s.EndSessions(ctx, id, kept, protocol.CloseKicked, "kicked by hand")
			return err
		}, Signal{Kind: SignalEnd, Except: "kept", Code: int(protocol.CloseKicked), Reason: "kicked by hand"}},
	} {
		t.Run(name, func(t *testing.T) {
			onEvery(t, func(t *testing.T, s *Store) {
				f := follow(t, s)
				u := mustCreate(t, s, newUser("tiny"))
				if err := c.do(t.Context(), s, u.ID, "kept"); err != nil {
					t.Fatal(err)
				}
				want := c.want
				want.User = u.ID
				eventually(t, "the signal arrives", func() bool { return f.has(func(sig Signal) bool { return reflect.DeepEqual(sig, want) }) })
				eventually(t, "the outbox is empty", func() bool {
					return s.client.HLen(t.Context(), partitionOf(u.ID).outbox()).Val() == 0
				})
			})
		})
	}
}

func TestAnEffectLeftBehindIsCarriedOutByASweepAndOnceOnly(t *testing.T) {
	var a abandoner
	onEveryWith(t, Config{fault: a.fault}, func(t *testing.T, s *Store) {
		f := follow(t, s)
		u := mustCreate(t, s, newUser("tiny"))
		if !a.run("before effect", func() { s.EndSessions(t.Context(), u.ID, "", protocol.CloseKicked, "") }) {
			t.Fatal("the step was not reached")
		}
		if f.count(SignalEnd) != 0 {
			t.Fatal("the signal was sent")
		}
		eventually(t, "the signal arrives", func() bool {
			if err := s.Sweep(t.Context()); err != nil {
				t.Fatal(err)
			}
			return f.count(SignalEnd) > 0
		})
		if err := s.Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
		if n := s.client.HLen(t.Context(), partitionOf(u.ID).outbox()).Val(); n != 0 {
			t.Errorf("%d effects left", n)
		}
	})
}

func TestASweepDropsWhatItCannotRead(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		p := partitions[7]
		for id, text := range map[string]string{"a": "", "b": "12 signal", "c": "x signal {}", "d": "1000 later {}"} {
			if err := s.client.HSet(t.Context(), p.outbox(), id, text).Err(); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
		// An effect of an unknown kind is for a newer node.
		if left := s.client.HKeys(t.Context(), p.outbox()).Val(); !slices.Equal(left, []string{"d"}) {
			t.Errorf("left: %q", left)
		}
	})
}

func TestAFollowerThatMissedSignalsIsToldToResync(t *testing.T) {
	onServers(t, Config{}, func(t *testing.T, cfg Config) {
		for name, lose := range map[string]func(s *Store) error{
			"trimmed": func(s *Store) error { return s.client.XTrimMaxLen(t.Context(), ctlKey, 1).Err() },
			"lost":    func(s *Store) error { return s.client.Del(t.Context(), ctlKey).Err() },
		} {
			t.Run(name, func(t *testing.T) {
				s := openTest(t, cfg)
				f := follow(t, s)
				hold := make(chan struct{})
				f.mu.Lock()
				f.hold = hold
				f.mu.Unlock()
				send := func(scope string) {
					if err := s.Signal(t.Context(), Signal{Kind: SignalScope, Scope: scope}); err != nil {
						t.Fatal(err)
					}
				}
				send("held")
				eventually(t, "the follower is held", func() bool { return f.count(SignalScope) == 1 })
				send("missed 1")
				send("missed 2")
				if err := lose(s); err != nil {
					t.Fatal(err)
				}
				f.mu.Lock()
				f.hold = nil
				f.mu.Unlock()
				close(hold)
				send("wakes")
				eventually(t, "resync", func() bool { return f.count(SignalResync) == 2 })
				send("after")
				eventually(t, "it goes on", func() bool { return f.has(func(sig Signal) bool { return sig.Scope == "after" }) })
			})
		}
	})
}

func TestAFollowerInTheProcessThatIsTooFarBehindResyncs(t *testing.T) {
	s := openTest(t, Config{})
	f := follow(t, s)
	hold := make(chan struct{})
	f.mu.Lock()
	f.hold = hold
	f.mu.Unlock()
	send := func() {
		if err := s.Signal(t.Context(), Signal{Kind: SignalScope}); err != nil {
			t.Fatal(err)
		}
	}
	send()
	eventually(t, "the follower is held", func() bool { return f.count(SignalScope) == 1 })
	for range ctlLength + 1 {
		send()
	}
	f.mu.Lock()
	f.hold = nil
	f.mu.Unlock()
	close(hold)
	eventually(t, "resync", func() bool { return f.count(SignalResync) == 2 })
}

func TestSignalsEndWithTheStore(t *testing.T) {
	for _, embedded := range []bool{true, false} {
		cfg := Config{Logger: quietLog}
		if !embedded {
			cfg.URL = sharedRedisURL(t)
		}
		s, err := Open(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		begun, ended := make(chan struct{}), make(chan error, 1)
		go func() { ended <- s.Signals(context.Background(), func(Signal) { close(begun) }) }()
		<-begun
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if err := <-ended; !errors.Is(err, ErrUnavailable) {
			t.Errorf("Signals ended with %v", err)
		}
	}
}
