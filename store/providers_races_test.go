package store

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
)

func TestOfTwoUsersWhoBindOneIdentityOneWins(t *testing.T) {
	onEveryTwice(t, func(t *testing.T, s *Store) {
		for round := range 10 {
			p := google(fmt.Sprint("id", round))
			var users [4]User
			for i := range users {
				users[i] = mustCreate(t, s, newUser(fmt.Sprintf("user%d.%d", round, i)))
			}
			mustAdd(t, s, users[2].ID, google(fmt.Sprint("before", round)))
			var won atomic.Int64
			var winner atomic.Pointer[User]
			allTogether(len(users), func(i int) {
				var u User
				var err error
				switch i {
				case 2:
					u, err = s.UpdateProvider(t.Context(), users[i].ID, p.Name, ProviderUpdate{Identity: &p.Identity})
				case 3:
					n := newUser(fmt.Sprint("created", round))
					n.Provider = &p
					u, err = s.CreateUser(t.Context(), n)
				default:
					u, err = s.AddProvider(t.Context(), users[i].ID, p)
				}
				if err == nil {
					won.Add(1)
					winner.Store(&u)
				} else if !errors.Is(err, ErrProviderTaken) {
					t.Error(err)
				}
			})
			if won.Load() != 1 {
				t.Fatalf("%d won", won.Load())
			}
			wantProvider(t, s, p, winner.Load().ID)
		}
		checkProviders(t, s, false)
	})
}

func TestOneUserGetsOneIdentityOfAProvider(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		u := mustCreate(t, s, newUser("tiny"))
		var won atomic.Int64
		allTogether(16, func(i int) {
			_, err := s.AddProvider(t.Context(), u.ID, google(fmt.Sprint(i/2)))
			if err == nil {
				won.Add(1)
			} else if !errors.Is(err, ErrProviderExists) {
				t.Error(err)
			}
		})
		if won.Load() != 1 {
			t.Errorf("%d won", won.Load())
		}
		checkProviders(t, s, false)
	})
}

func TestAnAddRacingARemoveLeavesTheIndexWhole(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		u, rival := mustCreate(t, s, newUser("tiny")), mustCreate(t, s, newUser("rival"))
		p := google("1")
		for range 20 {
			allTogether(6, func(i int) {
				var err error
				switch i % 3 {
				case 0:
					_, err = s.AddProvider(t.Context(), u.ID, p)
				case 1:
					_, err = s.RemoveProvider(t.Context(), u.ID, p.Name)
				case 2:
					if _, err = s.AddProvider(t.Context(), rival.ID, p); err == nil {
						_, err = s.RemoveProvider(t.Context(), rival.ID, p.Name)
					}
				}
				switch {
				case err == nil, errors.Is(err, ErrProviderExists), errors.Is(err, ErrProviderNotFound), errors.Is(err, ErrProviderTaken), errors.Is(err, ErrConflict):
				default:
					t.Error(err)
				}
			})
			checkProviders(t, s, false)
		}
	})
}

// Users come and go, with few identities for all of them.
func TestAnythingRacingAnythingLeavesTheIdentitiesWhole(t *testing.T) {
	onEveryTwice(t, func(t *testing.T, s *Store) {
		// A deleted user's id is not given again, so its place gets a new one.
		var ids [6]atomic.Pointer[uuid.UUID]
		for i := range ids {
			ids[i].Store(new(uuid.New()))
		}
		allTogether(12, func(int) {
			for range 30 {
				at := &ids[rand.IntN(len(ids))]
				present := at.Load()
				id, name := *present, []string{"google", "apple"}[rand.IntN(2)]
				p := Provider{Name: name, Identity: fmt.Sprint("id", rand.IntN(4)), SealedToken: []byte("token")}
				var err error
				switch rand.IntN(6) {
				case 0:
					n := newUser(fmt.Sprint("name", rand.IntN(6)))
					n.ID, n.Provider = id, &p
					_, err = s.CreateUser(t.Context(), n)
				case 1, 2:
					_, err = s.AddProvider(t.Context(), id, p)
				case 3:
					_, err = s.UpdateProvider(t.Context(), id, name, ProviderUpdate{Identity: &p.Identity, Expiry: new(int64(1))})
				case 4:
					_, err = s.RemoveProvider(t.Context(), id, name)
				case 5:
					_, err = s.DeleteUser(t.Context(), id)
				}
				switch {
				case err == nil, errors.Is(err, ErrUserNotFound), errors.Is(err, ErrUsernameTaken), errors.Is(err, ErrConflict):
				case errors.Is(err, ErrProviderExists), errors.Is(err, ErrProviderNotFound), errors.Is(err, ErrProviderTaken):
				case errors.Is(err, ErrUserGone):
					at.CompareAndSwap(present, new(uuid.New()))
				default:
					t.Error(err)
				}
			}
		})
		checkProviders(t, s, false)
	})
}

func TestASlowBindWhoseIdentityWasTakenOverIsRefused(t *testing.T) {
	var g gate
	onEveryWith(t, Config{ReservationAge: 50 * time.Millisecond, fault: g.fault}, func(t *testing.T, s *Store) {
		slow, quick := mustCreate(t, s, newUser("slow")), mustCreate(t, s, newUser("quick"))
		g.arm("before commit")
		done := make(chan error, 1)
		go func() {
			_, err := s.AddProvider(t.Context(), slow.ID, google("1"))
			done <- err
		}()
		g.waitReached(t)
		mustAdd(t, s, quick.ID, google("1"))
		close(g.opened)
		wantErr(t, <-done, ErrProviderTaken)
		wantProvider(t, s, google("1"), quick.ID)
		checkProviders(t, s, false)
	})
}

// An identity is being freed, slowly, while its user binds it again.
func TestFreeingAnIdentityDoesNotTakeItFromTheUserWhoCameBack(t *testing.T) {
	for _, step := range []string{"before fence", "after fence", "before release", "after release"} {
		t.Run(step, func(t *testing.T) {
			var g gate
			onEveryWith(t, Config{fault: g.fault}, func(t *testing.T, s *Store) {
				u := mustAdd(t, s, mustCreate(t, s, newUser("tiny")).ID, google("1"))
				g.arm(step)
				removed := make(chan error, 1)
				go func() {
					_, err := s.RemoveProvider(t.Context(), u.ID, "google")
					removed <- err
				}()
				g.waitReached(t)
				mustAdd(t, s, u.ID, google("1"))
				close(g.opened)
				if err := <-removed; err != nil {
					t.Error(err)
				}
				wantProvider(t, s, google("1"), u.ID)
				checkProviders(t, s, false)
			})
		})
	}
}

// A login was proven, and then the provider went, or is another's by now.
func TestALoginByAProviderThatWentMeanwhileIsRefused(t *testing.T) {
	var g gate
	onEveryWith(t, Config{fault: g.fault}, func(t *testing.T, s *Store) {
		u := mustAdd(t, s, mustCreate(t, s, newUser("tiny")).ID, google("1"))
		g.arm("before login")
		done := make(chan error, 1)
		go func() {
			_, _, err := s.LoginByProvider(t.Context(), u.ID, Arrival{}, "google", "1")
			done <- err
		}()
		g.waitReached(t)
		if _, err := s.UpdateProvider(t.Context(), u.ID, "google", ProviderUpdate{Identity: new("2")}); err != nil {
			t.Error(err)
		}
		close(g.opened)
		wantErr(t, <-done, ErrConflict)
		if sessions, err := s.Sessions(t.Context(), u.ID); err != nil || len(sessions) != 0 {
			t.Errorf("%d sessions, %v", len(sessions), err)
		}
	})
}
