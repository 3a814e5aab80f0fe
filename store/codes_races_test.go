package store

import (
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"
)

func TestOfFiftyUsesOfACodeOneSucceeds(t *testing.T) {
	onEveryTwice(t, func(t *testing.T, s *Store) {
		for _, kind := range []CodeKind{CodeConfirm, CodeReset} {
			for _, n := range []int{1, maxOpenCodes} { // so many codes, of which one use voids the others
				u := pendingUser(t, s, fmt.Sprint(kind, n))
				codes := make([]string, n)
				for i := range codes {
					codes[i] = mustCode(t, s, u, kind)
				}
				var used atomic.Int64
				allTogether(50, func(i int) {
					_, err := use(t, s, kind, codes[i%n])
					if err == nil {
						used.Add(1)
					} else if !errors.Is(err, ErrCodeSpent) {
						t.Error(err)
					}
				})
				if used.Load() != 1 {
					t.Errorf("%s: %d uses of %d codes succeeded", kind, used.Load(), n)
				}
			}
		}
	})
}

// Whichever comes first, the new address is unconfirmed in the end.
func TestAConfirmRacingAnEmailChangeNeverConfirmsTheNewAddress(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		for round := range 40 {
			kind := []CodeKind{CodeConfirm, CodeReset}[round%2]
			u := pendingUser(t, s, fmt.Sprint("user", round))
			code := mustCode(t, s, u, kind)
			allTogether(2, func(i int) {
				var err error
				if i == 0 {
					_, err = use(t, s, kind, code)
				} else {
					_, err = s.UpdateUser(t.Context(), u.ID, UserUpdate{Email: new(fmt.Sprintf("new%d@home.com", round)), Unconfirm: true})
				}
				if err != nil && !errors.Is(err, ErrCodeSpent) {
					t.Error(err)
				}
			})
			if got := mustUser(t, s, u.ID); got.Active || got.Confirmation != ConfirmationFailed {
				t.Errorf("%s: active %v, confirmation %q", kind, got.Active, got.Confirmation)
			}
		}
		checkConsistent(t, s, false)
	})
}

// The address was read, then it changed, and then the code for it is made.
func TestACodeForAFormerAddressIsNeverGood(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		for round := range 40 {
			u := pendingUser(t, s, fmt.Sprint("user", round))
			var code string
			allTogether(2, func(i int) {
				var err error
				if i == 0 {
					code, err = s.NewCodeFor(t.Context(), u.ID, u.Email, CodeReset, time.Hour)
				} else {
					_, err = s.UpdateUser(t.Context(), u.ID, UserUpdate{Email: new(fmt.Sprintf("new%d@home.com", round))})
				}
				if err != nil && !errors.Is(err, ErrConflict) {
					t.Error(err)
				}
			})
			if code != "" {
				_, err := use(t, s, CodeReset, code)
				wantErr(t, err, ErrCodeSpent)
			}
		}
	})
}

// Whoever changes the password last has the account, and a reset that comes
// after another change is refused.
func TestAResetRacingAPasswordChangeDoesNotUndoIt(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		for round := range 40 {
			u := pendingUser(t, s, fmt.Sprint("user", round))
			code := mustCode(t, s, u, CodeReset)
			allTogether(2, func(i int) {
				var err error
				if i == 0 {
					_, err = use(t, s, CodeReset, code)
				} else {
					_, err = s.UpdateUser(t.Context(), u.ID, UserUpdate{Password: []byte("chosen")})
				}
				if err != nil && !errors.Is(err, ErrCodeSpent) {
					t.Error(err)
				}
			})
			if got := mustUser(t, s, u.ID); string(got.Password) != "chosen" {
				t.Errorf("the password is %q", got.Password)
			}
		}
	})
}

func TestAnOutcomeRacingAConfirmDoesNotUndoIt(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		for round := range 40 {
			u := pendingUser(t, s, fmt.Sprint("user", round))
			code := mustCode(t, s, u, CodeConfirm)
			allTogether(3, func(i int) {
				var err error
				if i == 0 {
					_, err = s.Confirm(t.Context(), code)
				} else {
					err = s.SetConfirmation(t.Context(), u.ID, []string{ConfirmationPending, ConfirmationFailed}[i-1])
				}
				if err != nil {
					t.Error(err)
				}
			})
			if got := mustUser(t, s, u.ID); !got.Active || got.Confirmation != "" {
				t.Errorf("active %v, confirmation %q", got.Active, got.Confirmation)
			}
		}
	})
}

// The reset is committed, and its writer stops before anybody is told.
func TestASweepTellsOfAResetWhoseWriterStopped(t *testing.T) {
	var a abandoner
	onEveryWith(t, Config{fault: a.fault}, func(t *testing.T, s *Store) {
		for i, step := range []string{"before commit", "after commit", "before effect", "after effect"} {
			u := mustCreate(t, s, newUserWithEmail(fmt.Sprint("user", i), fmt.Sprintf("user%d@home.com", i)))
			sess := mustLogin(t, s, u.ID)
			code := mustCode(t, s, u, CodeReset)
			signals := follow(t, s)
			if !a.run(step, func() { s.ResetPassword(t.Context(), code, []byte("new")) }) {
				t.Fatalf("%s not reached", step)
			}
			if step == "before commit" {
				wantCode(t, s, step, code, nil)
				continue
			}
			wantCode(t, s, step, code, ErrCodeSpent)
			_, _, _, err := s.Resume(t.Context(), "", sess.Token, Arrival{})
			wantErr(t, err, ErrSessionInvalid)
			eventually(t, "the signal arrives", func() bool {
				if err := s.Sweep(t.Context()); err != nil {
					t.Fatal(err)
				}
				return signals.has(func(sig Signal) bool { return sig.Kind == SignalEnd && sig.User == u.ID })
			})
		}
	})
}
