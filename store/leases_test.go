package store

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"rollcall/protocol"
)

func mustRenew(t testing.TB, s *Store, lease string, isNew bool) (ended []string) {
	t.Helper()
	ended, err := s.RenewLease(t.Context(), lease, isNew, protocol.NodeObject{Node: "node of " + lease})
	if err != nil {
		t.Fatal(err)
	}
	return ended
}

// expire lets a lease end now, as when its node had not renewed it in time.
func expire(t testing.TB, s *Store, lease string) {
	t.Helper()
	about := ` {"node":"n1"}`
	ms := strconv.FormatInt(time.Now().Add(-time.Millisecond).UnixMilli(), 10)
	if err := s.client.HSet(t.Context(), leasesKey, lease, ms+about).Err(); err != nil {
		t.Fatal(err)
	}
}

func TestTwoThatReapTellEachUserOfflineOnce(t *testing.T) {
	tests := []struct {
		name, reason string
		end          func(t *testing.T, s *Store, lease string)
	}{
		{"a node that died", protocol.OfflineNodeLost, func(t *testing.T, s *Store, lease string) { expire(t, s, lease) }},
		{"a node that stopped", protocol.OfflineDrained, func(t *testing.T, s *Store, lease string) {
			must(t, s.EndLease(t.Context(), lease, 0))
			must(t, s.EndLease(t.Context(), lease, 0)) // it may say so twice
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			onEvery(t, func(t *testing.T, s *Store) {
				ctx, other := t.Context(), openSame(t, s)
				dead, alive := NewLease(), NewLease()
				mustRenew(t, s, dead, true)
				mustRenew(t, s, alive, true)
				const n = 150 // more than are taken out at once in some partition, or not: all go
				ids := make([]uuid.UUID, n)
				allTogether(n, func(i int) {
					u := newUser(fmt.Sprint("user", i))
					u.ID = uuid.New()
					ids[i] = u.ID
					mustCreate(t, s, u)
					mustLoginAt(t, s, u.ID, dead, fmt.Sprint(i))
					if i%3 == 0 {
						mustLoginAt(t, s, u.ID, dead, fmt.Sprint(i, "b"))
					}
					if i%5 == 0 { // is elsewhere too, and stays online
						mustLoginAt(t, s, u.ID, alive, fmt.Sprint(i))
					}
				})
				wantOnline(t, s, n)
				tt.end(t, s, dead)
				var places atomic.Int64
				allTogether(4, func(i int) {
					st := s
					if i%2 == 1 {
						st = other
					}
					got, err := st.Reap(ctx, dead)
					places.Add(int64(got))
					must(t, err)
				})
				if all := int64(n + n/3); places.Load() < all {
					t.Errorf("%d places of %d were taken out", places.Load(), all)
				}
				wantOnline(t, s, n/5)
				told := map[uuid.UUID]int{}
				events, err := s.FeedAfter(ctx, testScope, 0, MaxFeedPage)
				if err != nil {
					t.Fatal(err)
				}
				for _, e := range events {
					if e.Name == protocol.EventUserOffline {
						told[e.User]++
						if d := dataOf(t, e); d.Reason != tt.reason || d.Node != "n1" {
							t.Errorf("told %s", e.Data)
						}
					}
				}
				for i, id := range ids {
					if want := map[bool]int{true: 0, false: 1}[i%5 == 0]; told[id] != want {
						t.Errorf("user %d is told offline %d times, want %d", i, told[id], want)
					}
				}
				if all := s.client.HKeys(ctx, leasesKey).Val(); !slices.Equal(all, []string{alive}) {
					t.Errorf("leases: %v, want %s", all, alive)
				}
				if again, err := s.Reap(ctx, dead); again != 0 || err != nil {
					t.Errorf("reaped again: %d, %v", again, err)
				}
			})
		})
	}
}

func TestALeaseThatIsReapedCannotBeRenewed(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		mustRenew(t, s, "lease1", true)
		mustRenew(t, s, "lease1", false)
		expire(t, s, "lease1")
		mustRenew(t, s, "lease1", false) // late, but before anybody reaped
		expire(t, s, "lease1")
		if n, err := s.run(ctx, scriptLeaseEnd, []string{leasesKey}, "lease1", "reap", flag(s.embedded)); n != int64(1) || err != nil {
			t.Fatal(n, err)
		}
		renew := func(want error) {
			t.Helper()
			if _, err := s.RenewLease(ctx, "lease1", false, protocol.NodeObject{}); !errors.Is(err, want) {
				t.Errorf("got %v, want %v", err, want)
			}
		}
		renew(ErrLeaseLost)
		must(t, s.EndLease(ctx, "lease1", time.Hour)) // changes nothing any more
		renew(ErrLeaseLost)
		if _, err := s.Reap(ctx, "lease1"); err != nil { // whoever began may have died
			t.Fatal(err)
		}
		renew(ErrLeaseLost)
		if n := s.client.HLen(ctx, leasesKey).Val(); n != 0 {
			t.Errorf("%d leases are left", n)
		}
	})
}

// (To an embedded store no other node can be alive.)
func TestALivingNodesLeaseIsNotReaped(t *testing.T) {
	onServers(t, Config{}, func(t *testing.T, cfg Config) {
		s := openTest(t, cfg)
		u := mustCreate(t, s, newUser("tiny"))
		mustRenew(t, s, "lease1", true)
		mustLoginAt(t, s, u.ID, "lease1", "1")
		if n, err := s.Reap(t.Context(), "lease1"); n != 0 || err != nil {
			t.Errorf("reaped %d, %v", n, err)
		}
		must(t, s.EndLease(t.Context(), "lease1", time.Hour)) // it stops, and has time
		if n, err := s.Reap(t.Context(), "lease1"); n != 0 || err != nil {
			t.Errorf("reaped %d, %v", n, err)
		}
		if ended := mustRenew(t, s, "lease2", true); len(ended) != 0 {
			t.Errorf("ended: %v", ended)
		}
		wantOnline(t, s, 1)
	})
}

// When nobody renewed for a while it was the storage that was away.
func TestNobodyReapsShortlyAfterTheStorageWasAway(t *testing.T) {
	ago := func(d time.Duration) string { return strconv.FormatInt(time.Now().Add(-d).UnixMilli(), 10) }
	tests := []struct {
		name           string
		renewed, quiet time.Duration // how long ago; 0: never
		reaps          bool
	}{
		{"nothing is known", 0, 0, true},
		{"renewed just now", time.Second, 0, true},
		{"renewed before a short gap", leaseGap - 2*time.Second, 0, true},
		{"renewed before a long gap", leaseGap + time.Second, 0, false},
		{"renewed before a night", 9 * time.Hour, 8 * time.Hour, false},
		{"within the quiet time", time.Second, -10 * time.Second, false},
		{"after the quiet time", time.Second, time.Second, true},
	}
	onServers(t, Config{}, func(t *testing.T, cfg Config) {
		for _, tt := range tests {
			s := openTest(t, cfg)
			ctx := t.Context()
			s.client.Del(ctx, clockKey, leasesKey)
			expire(t, s, "dead")
			if tt.renewed != 0 {
				s.client.HSet(ctx, clockKey, "r", ago(tt.renewed))
			}
			if tt.quiet != 0 {
				s.client.HSet(ctx, clockKey, "q", ago(tt.quiet))
			}
			for i := range 2 { // a second renewal must not end the quiet
				ended := mustRenew(t, s, "lease1", i == 0)
				if reaps := slices.Equal(ended, []string{"dead"}); reaps != tt.reaps || !reaps && len(ended) != 0 {
					t.Errorf("%s: renewal %d finds %v ended", tt.name, i, ended)
				}
			}
			if !tt.reaps {
				ms, err := parseMillis(s.client.HGet(ctx, clockKey, "q").Val())
				if left := time.Until(ms); err != nil || left <= 5*time.Second || left > leaseQuiet {
					t.Errorf("%s: quiet for %v more, %v", tt.name, left, err)
				}
				s.client.HSet(ctx, clockKey, "q", ago(time.Millisecond))
				if ended := mustRenew(t, s, "lease1", false); !slices.Equal(ended, []string{"dead"}) {
					t.Errorf("%s: after the quiet time %v have ended", tt.name, ended)
				}
			}
		}
	})
}

func TestNodesThatStoppedOrDiedAreNotListed(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		for _, lease := range []string{"c", "a", "b", "stopped", "dead"} {
			mustRenew(t, s, lease, true)
		}
		must(t, s.EndLease(t.Context(), "stopped", time.Hour))
		expire(t, s, "dead")
		nodes, err := s.Nodes(t.Context())
		var names []string
		for _, n := range nodes {
			names = append(names, n.Node)
		}
		if want := []string{"node of a", "node of b", "node of c"}; !slices.Equal(names, want) || err != nil {
			t.Errorf("nodes %v, %v; want %v", names, err, want)
		}
	})
}
