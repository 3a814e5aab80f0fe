package sessions

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"rollcall/protocol"
	"rollcall/store"
)

// A leaseStore notes places by lease, as the store does.
type leaseStore struct {
	fakeStore
	reaping chan struct{} // what Reap waits for

	mu       sync.Mutex
	renewals int
	lost     bool // the next renewal fails
	places   map[string]store.Presence
}

func (s *leaseStore) RenewLease(context.Context, string, bool, protocol.NodeObject) ([]string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lost {
		s.lost = false
		return nil, store.ErrLeaseLost
	}
	s.renewals++
	return []string{"dead"}, nil
}

func (s *leaseStore) Reap(ctx context.Context, _ string) (int, error) {
	select {
	case <-s.reaping:
		return 0, nil
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

func (s *leaseStore) Signals(ctx context.Context, _ func(store.Signal)) error {
	<-ctx.Done()
	return ctx.Err()
}

func (s *leaseStore) Login(ctx context.Context, id uuid.UUID, a store.Arrival, _ []byte) (store.User, store.Session, error) {
	if s.during != nil {
		s.during()
	}
	session := "session of " + a.Place
	return store.User{ID: id}, store.Session{ID: session}, s.Enter(ctx, store.Presence{Lease: a.Lease, Place: a.Place, User: id, Session: session})
}

func (s *leaseStore) Enter(_ context.Context, pr store.Presence) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.places[pr.Lease+"."+pr.Place] = pr
	return nil
}

func (s *leaseStore) Depart(_ context.Context, pr store.Presence, _ string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.places, pr.Lease+"."+pr.Place)
	return nil
}

func (s *leaseStore) Present(_ context.Context, lease string, part int) (all []store.Presence, _ error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for at, pr := range s.places {
		if strings.HasPrefix(at, lease+".") && store.PartitionOf(pr.User) == part {
			all = append(all, pr)
		}
	}
	return all, nil
}

func (s *leaseStore) MarkActive(context.Context, string, []uuid.UUID) error { return nil }

func TestTheLeaseIsRenewedHoweverLongTheReapingTakes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := &leaseStore{reaping: make(chan struct{}), places: map[string]store.Presence{}}
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		n := newNode(st)
		running.Go(func() { n.Run(ctx) })
		time.Sleep(10*store.LeaseRenewal + time.Millisecond)
		cancel()
		running.Wait()
		if st.renewals != 10 {
			t.Errorf("renewed %d times in ten renewals' time", st.renewals)
		}
	})
}

func TestNothingIsLeftUnderALeaseThatWasLost(t *testing.T) {
	st := &leaseStore{reaping: make(chan struct{}), places: map[string]store.Presence{}}
	close(st.reaping)
	n := newNode(st)
	keep := func() {
		t.Helper()
		if err := errors.Join(n.KeepLease(t.Context()), n.lookAfter(t.Context(), nil)); err != nil {
			t.Fatal(err)
		}
	}
	login := func() *Client {
		t.Helper()
		c, _ := connect(n)
		if _, _, err := c.Login(t.Context(), uuid.New(), here, nil); err != nil {
			t.Fatal(err)
		}
		return c
	}
	keep()
	first := n.presence.current()
	login()
	st.lost = true
	st.during = func() { // the lease is lost, and reaped, while the login is under way
		st.during = nil
		keep()
	}
	login()
	keep()
	lease := n.presence.current()
	want := []string{lease + ".1", lease + ".2"}
	var got []string
	for at := range st.places {
		got = append(got, at)
	}
	slices.Sort(got)
	if !slices.Equal(got, want) || lease == first {
		t.Errorf("the store has %v, want %v; the lease lost was %s", got, want, first)
	}
}
