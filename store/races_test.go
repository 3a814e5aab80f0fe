package store

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"rollcall/protocol"
)

func TestOfTwoThousandCreatesOfOneUsernameOneWins(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		const n = 2000
		var winner atomic.Pointer[User]
		var won, taken atomic.Int64
		allTogether(n, func(i int) {
			name := "tiny"
			if i%2 == 0 {
				name = "TINY"
			}
			u, err := s.CreateUser(t.Context(), newUser(name))
			switch {
			case err == nil:
				won.Add(1)
				winner.Store(&u)
			case errors.Is(err, ErrUsernameTaken):
				taken.Add(1)
			default:
				t.Error(err)
			}
		})
		if won.Load() != 1 || taken.Load() != n-1 {
			t.Fatalf("%d won and %d were refused", won.Load(), taken.Load())
		}
		wantName(t, s, "tiny", winner.Load().ID)
		checkConsistent(t, s, false)
	})
}

// Half of them collide on the username, half on the email, so that a create
// often fails after it has reserved something.
func TestRacingCreatesNeverShareAnEmailOrLoseAName(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		allTogether(200, func(i int) {
			n := newUserWithEmail(fmt.Sprint("name", i%20), fmt.Sprintf("mail%d@home.com", i%30))
			_, err := s.CreateUser(t.Context(), n)
			if err != nil && !errors.Is(err, ErrUsernameTaken) && !errors.Is(err, ErrEmailTaken) {
				t.Error(err)
			}
		})
		checkConsistent(t, s, false)
	})
}

func TestARenameRacingARenameLeavesOneName(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		for round := range 10 {
			u := mustCreate(t, s, newUserWithEmail(fmt.Sprint("first", round), fmt.Sprintf("first%d@home.com", round)))
			allTogether(8, func(i int) {
				update := UserUpdate{Username: new(fmt.Sprintf("round%d.%d", round, i))}
				if i%2 == 0 {
					update.Email = new(fmt.Sprintf("round%d.%d@home.com", round, i))
				}
				if _, err := s.UpdateUser(t.Context(), u.ID, update); err != nil {
					t.Error(err)
				}
			})
		}
		checkConsistent(t, s, false)
	})
}

func TestTwoUsersThatWantOneNameDoNotBothGetIt(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		var users [10]User
		for i := range users {
			users[i] = mustCreate(t, s, newUser(nthName(i)))
		}
		var won atomic.Int64
		allTogether(len(users), func(i int) {
			_, err := s.UpdateUser(t.Context(), users[i].ID, UserUpdate{Username: new("Prize")})
			if err == nil {
				won.Add(1)
			} else if !errors.Is(err, ErrUsernameTaken) {
				t.Error(err)
			}
		})
		if won.Load() != 1 {
			t.Errorf("%d won", won.Load())
		}
		checkConsistent(t, s, false)
	})
}

func TestRacingMergesOfExtraAllArrive(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		u := mustCreate(t, s, newUser("tiny"))
		const n = 60
		allTogether(n, func(i int) {
			if _, err := s.UpdateUser(t.Context(), u.ID, UserUpdate{Extra: protocol.Extra{nthName(i): protocol.Int(int64(i))}}); err != nil {
				t.Error(err)
			}
		})
		got := mustUser(t, s, u.ID)
		for i := range n {
			if got.Extra[nthName(i)] != protocol.Int(int64(i)) {
				t.Errorf("%s is %v", nthName(i), got.Extra[nthName(i)])
			}
		}
	})
}

func TestRacingMergesStayWithinTheBounds(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		u := mustCreate(t, s, newUser("tiny"))
		var kept atomic.Int64
		allTogether(100, func(i int) {
			_, err := s.UpdateUser(t.Context(), u.ID, UserUpdate{Extra: extraOf(nthName(i), "x")})
			if err == nil {
				kept.Add(1)
			} else if !errors.Is(err, ErrExtraBounds) {
				t.Error(err)
			}
		})
		if got := len(mustUser(t, s, u.ID).Extra); kept.Load() != protocol.MaxExtraKeys || got != protocol.MaxExtraKeys {
			t.Errorf("%d merges succeeded, %d keys are there", kept.Load(), got)
		}
	})
}

func TestARenameRacingAnEmailChangeLosesNeither(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		for i := range 20 {
			u := mustCreate(t, s, newUserWithEmail(fmt.Sprint("before", i), fmt.Sprintf("before%d@home.com", i)))
			updates := []UserUpdate{
				{Username: new(fmt.Sprint("after", i))}, {Email: new(fmt.Sprintf("after%d@home.com", i))}, {Group: new("red")}, {Active: new(false)},
			}
			allTogether(len(updates), func(k int) {
				if _, err := s.UpdateUser(t.Context(), u.ID, updates[k]); err != nil {
					t.Error(err)
				}
			})
			got := mustUser(t, s, u.ID)
			if got.Username != *updates[0].Username || got.Email != *updates[1].Email || got.Group != "red" || got.Active {
				t.Errorf("got %+v", got)
			}
		}
		checkConsistent(t, s, false)
	})
}

func TestARenameRacingADeleteLeavesNoName(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		for i := range 30 {
			u := mustCreate(t, s, newUserWithEmail(fmt.Sprint("before", i), fmt.Sprintf("before%d@home.com", i)))
			allTogether(3, func(k int) {
				var err error
				switch k {
				case 0:
					_, err = s.DeleteUser(t.Context(), u.ID)
				default:
					_, err = s.UpdateUser(t.Context(), u.ID, UserUpdate{Username: new(fmt.Sprint("after", i, ".", k)), Email: new("")})
				}
				if err != nil && !errors.Is(err, ErrUserNotFound) {
					t.Error(err)
				}
			})
		}
		checkConsistent(t, s, false)
		if n, err := s.CountUsers(t.Context(), testScope); n != 0 || err != nil {
			t.Errorf("%d users left, %v", n, err)
		}
	})
}

// Whatever happens at once to few users with few names: in the end every record
// and its entries name one another, and nothing is left over.
func TestAnythingRacingAnythingLeavesTheIndexesWhole(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		var ids [6]atomic.Pointer[uuid.UUID]
		for i := range ids {
			ids[i].Store(new(uuid.New()))
		}
		name := func(r *rand.Rand) string { return fmt.Sprint("name", r.IntN(8)) }
		mail := func(r *rand.Rand) string { return fmt.Sprintf("mail%d@home.com", r.IntN(8)) }
		allTogether(16, func(i int) {
			r := rand.New(rand.NewPCG(uint64(i), 1))
			for range 60 {
				place := &ids[r.IntN(len(ids))]
				id := *place.Load()
				var err error
				switch r.IntN(8) {
				case 0, 1:
					n := newUserWithEmail(name(r), mail(r))
					n.ID = id
					_, err = s.CreateUser(t.Context(), n)
				case 2, 3:
					_, err = s.UpdateUser(t.Context(), id, UserUpdate{Username: new(name(r))})
				case 4:
					_, err = s.UpdateUser(t.Context(), id, UserUpdate{Email: new(mail(r))})
				case 5:
					_, err = s.UpdateUser(t.Context(), id, UserUpdate{Username: new(name(r)), Email: new("")})
				case 6:
					_, err = s.UpdateUser(t.Context(), id, UserUpdate{Username: new(name(r)), Email: new(mail(r))})
				case 7:
					_, err = s.DeleteUser(t.Context(), id)
				}
				switch {
				case errors.Is(err, ErrUserGone):
					place.Store(new(uuid.New()))
				case err == nil, errors.Is(err, ErrUserNotFound), errors.Is(err, ErrUsernameTaken), errors.Is(err, ErrEmailTaken), errors.Is(err, ErrConflict):
				default:
					t.Error(err)
				}
			}
		})
		checkConsistent(t, s, false)
	})
}

// The slow one has reserved and is about to commit when its reservation gets
// too old and somebody else takes the name.
func TestASlowCreateWhoseNameWasTakenOverIsRefused(t *testing.T) {
	var g gate
	onEveryWith(t, Config{ReservationAge: 50 * time.Millisecond, fault: g.fault}, func(t *testing.T, s *Store) {
		g.arm("before commit")
		slow := make(chan error, 1)
		go func() {
			_, err := s.CreateUser(t.Context(), newUserWithEmail("tiny", "tina@home.com"))
			slow <- err
		}()
		g.waitReached(t)
		quick := mustCreate(t, s, newUserWithEmail("tiny", "tina@home.com"))
		close(g.opened)
		wantErr(t, <-slow, ErrUsernameTaken)
		wantName(t, s, "tiny", quick.ID)
		wantEmail(t, s, "tina@home.com", quick.ID)
		checkConsistent(t, s, false)
	})
}

// The same for an update, of either name.
func TestASlowUpdateWhoseNameWasTakenOverIsRefused(t *testing.T) {
	for name, c := range map[string]struct {
		update UserUpdate
		rival  NewUser
		want   error
	}{
		"rename": {UserUpdate{Username: new("Wanted")}, newUser("wanted"), ErrUsernameTaken},
		"email":  {UserUpdate{Email: new("Wanted@home.com")}, newUserWithEmail("rival", "wanted@home.com"), ErrEmailTaken},
		"both":   {UserUpdate{Username: new("Wanted"), Email: new("Wanted@home.com")}, newUserWithEmail("rival", "wanted@home.com"), ErrEmailTaken},
	} {
		t.Run(name, func(t *testing.T) {
			var g gate
			onEveryWith(t, Config{ReservationAge: 50 * time.Millisecond, fault: g.fault}, func(t *testing.T, s *Store) {
				u := mustCreate(t, s, newUserWithEmail("tiny", "tina@home.com"))
				g.arm("before commit")
				slow := make(chan error, 1)
				go func() {
					_, err := s.UpdateUser(t.Context(), u.ID, c.update)
					slow <- err
				}()
				g.waitReached(t)
				rival := mustCreate(t, s, c.rival)
				close(g.opened)
				wantErr(t, <-slow, c.want)
				wantName(t, s, rival.Username, rival.ID)
				wantName(t, s, "tiny", u.ID)
				wantEmail(t, s, "tina@home.com", u.ID)
				if name == "both" {
					wantName(t, s, "wanted", uuid.Nil)
				}
				checkConsistent(t, s, false)
			})
		})
	}
}

// Two updates of one user want the same name, and the one that fails gives it
// up while the other is about to commit: the other starts again.
func TestAnUpdateWhoseNameWasGivenUpByAnotherStartsAgain(t *testing.T) {
	var g gate
	onEveryWith(t, Config{fault: g.fault}, func(t *testing.T, s *Store) {
		mustCreate(t, s, newUserWithEmail("other", "other@home.com"))
		u := mustCreate(t, s, newUser("tiny"))
		g.arm("before commit")
		slow := make(chan error, 1)
		go func() {
			_, err := s.UpdateUser(t.Context(), u.ID, UserUpdate{Username: new("wanted")})
			slow <- err
		}()
		g.waitReached(t)
		_, err := s.UpdateUser(t.Context(), u.ID, UserUpdate{Username: new("wanted"), Email: new("other@home.com")})
		wantErr(t, err, ErrEmailTaken)
		wantName(t, s, "wanted", uuid.Nil)
		close(g.opened)
		if err := <-slow; err != nil {
			t.Error(err)
		}
		wantName(t, s, "wanted", u.ID)
		checkConsistent(t, s, false)
	})
}

// An older reservation of the same user must not pass for the newer one, so a
// stamp rises even where the clock has gone back, and above a fence.
func TestAStampRisesWhateverTheClockDoes(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		id, e := uuid.New(), nameEntry(testScope, "tiny")
		later := time.Now().Add(time.Hour).UnixMilli()
		for i, least := range []int64{later, 0, 0, later + 100, 0} {
			c, err := s.reserve(t.Context(), id, e, least)
			if want := []int64{later, later + 1, later + 2, later + 100, later + 101}[i]; err != nil || c.stamp != want {
				t.Errorf("%d: stamp %d, %v; want %d", i, c.stamp, err, want)
			}
			r, err := parseReservation(s.client.Get(t.Context(), e.key).Val())
			if err != nil || r.holder != id || r.stamp != c.stamp {
				t.Errorf("%d: entry %q, %v", i, r.value, err)
			}
		}
	})
}

// The one who takes over is slow himself: he has fenced off the first one, who
// then comes back, reserves anew and commits.
func TestASlowTakeoverGivesWayToTheOwnerWhoCameBack(t *testing.T) {
	var commit, fenced gate
	fault := func(step string) { commit.fault(step); fenced.fault(step) }
	onEveryWith(t, Config{ReservationAge: 50 * time.Millisecond, fault: fault}, func(t *testing.T, s *Store) {
		commit.arm("before commit")
		fenced.arm("after fence")
		owner, rival := make(chan User, 1), make(chan error, 1)
		go func() {
			u, err := s.CreateUser(t.Context(), newUser("tiny"))
			if err != nil {
				t.Error(err)
			}
			owner <- u
		}()
		commit.waitReached(t)
		go func() {
			_, err := s.CreateUser(t.Context(), newUser("tiny"))
			rival <- err
		}()
		fenced.waitReached(t)
		close(commit.opened)
		u := <-owner
		close(fenced.opened)
		wantErr(t, <-rival, ErrUsernameTaken)
		wantName(t, s, "tiny", u.ID)
		checkConsistent(t, s, false)
	})
}

// A name is being freed after a rename, slowly, while its user comes back to it.
func TestFreeingANameDoesNotTakeItFromTheUserWhoCameBack(t *testing.T) {
	for _, step := range []string{"before fence", "after fence", "before release", "after release"} {
		t.Run(step, func(t *testing.T) {
			var g gate
			onEveryWith(t, Config{fault: g.fault}, func(t *testing.T, s *Store) {
				u := mustCreate(t, s, newUser("home"))
				g.arm(step)
				away := make(chan error, 1)
				go func() {
					_, err := s.UpdateUser(t.Context(), u.ID, UserUpdate{Username: new("away")})
					away <- err
				}()
				g.waitReached(t)
				if _, err := s.UpdateUser(t.Context(), u.ID, UserUpdate{Username: new("home")}); err != nil {
					t.Error(err)
				}
				close(g.opened)
				if err := <-away; err != nil {
					t.Error(err)
				}
				wantName(t, s, "home", u.ID)
				wantName(t, s, "away", uuid.Nil)
				checkConsistent(t, s, false)
			})
		})
	}
}

// An update that fails gives up the name that it had reserved, slowly, while
// another update of the same user gets that name.
func TestGivingUpANameDoesNotTakeItFromTheSameUser(t *testing.T) {
	for _, step := range []string{"before fence", "after fence", "before release", "after release"} {
		t.Run(step, func(t *testing.T) {
			var g gate
			onEveryWith(t, Config{fault: g.fault}, func(t *testing.T, s *Store) {
				mustCreate(t, s, newUserWithEmail("other", "other@home.com"))
				u := mustCreate(t, s, newUser("tiny"))
				g.arm(step)
				failing := make(chan error, 1)
				go func() {
					_, err := s.UpdateUser(t.Context(), u.ID, UserUpdate{Username: new("wanted"), Email: new("other@home.com")})
					failing <- err
				}()
				g.waitReached(t)
				if _, err := s.UpdateUser(t.Context(), u.ID, UserUpdate{Username: new("wanted")}); err != nil {
					t.Error(err)
				}
				close(g.opened)
				wantErr(t, <-failing, ErrEmailTaken)
				wantName(t, s, "wanted", u.ID)
				checkConsistent(t, s, false)
			})
		})
	}
}

// A create waits for another one of the same name that may yet fail.
func TestACreateGetsTheNameThatAnotherGivesUp(t *testing.T) {
	var g gate
	onEveryWith(t, Config{fault: g.fault}, func(t *testing.T, s *Store) {
		mustCreate(t, s, newUserWithEmail("other", "other@home.com"))
		g.arm("before reserve mail")
		failing := make(chan error, 1)
		go func() {
			_, err := s.CreateUser(t.Context(), newUserWithEmail("tiny", "other@home.com"))
			failing <- err
		}()
		g.waitReached(t)
		waiting := make(chan error, 1)
		go func() {
			_, err := s.CreateUser(t.Context(), newUser("tiny"))
			waiting <- err
		}()
		close(g.opened)
		wantErr(t, <-failing, ErrEmailTaken)
		if err := <-waiting; err != nil {
			t.Error(err)
		}
		checkConsistent(t, s, false)
	})
}

// A caller who goes away leaves no name reserved, wherever that happens.
func TestACreateWhoseCallerGoesAwayLeavesNothingReserved(t *testing.T) {
	for _, step := range []string{"after reserve name", "after reserve mail", "before commit"} {
		t.Run(step, func(t *testing.T) {
			var mu sync.Mutex
			cancel := func() {}
			fault := func(at string) {
				if at == step {
					mu.Lock()
					defer mu.Unlock()
					cancel()
				}
			}
			onEveryWith(t, Config{fault: fault}, func(t *testing.T, s *Store) {
				ctx, stop := context.WithCancel(t.Context())
				mu.Lock()
				cancel = stop
				mu.Unlock()
				_, err := s.CreateUser(ctx, newUserWithEmail("tiny", "tina@home.com"))
				wantErr(t, err, context.Canceled)
				checkConsistent(t, s, false)
				if n := len(allKeys(t, s)); n > 2 { // the fences
					t.Errorf("%d keys left: %q", n, allKeys(t, s))
				}
			})
		})
	}
}
