package store

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"rollcall/protocol"
)

// pendingUser is a user who is to confirm <name>@home.com.
func pendingUser(t testing.TB, s *Store, name string) User {
	t.Helper()
	n := newUserWithEmail(name, name+"@home.com")
	n.Active, n.Confirmation = false, ConfirmationPending
	return mustCreate(t, s, n)
}

// mustCode makes a code as for a mail.
func mustCode(t testing.TB, s *Store, u User, kind CodeKind) string {
	t.Helper()
	code, err := s.NewCodeFor(t.Context(), u.ID, u.Email, kind, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	return code
}

func wantCode(t testing.TB, s *Store, what, code string, want error) CodeInfo {
	t.Helper()
	info, err := s.Code(t.Context(), code)
	if !errors.Is(err, want) {
		t.Errorf("%s: code is %v, want %v", what, err, want)
	}
	return info
}

func use(t testing.TB, s *Store, kind CodeKind, code string) (User, error) {
	if kind == CodeConfirm {
		return s.Confirm(t.Context(), code)
	}
	return s.ResetPassword(t.Context(), code, []byte("new record"))
}

func TestAConfirmCodeConfirmsOnce(t *testing.T) {
	onEveryTwice(t, func(t *testing.T, s *Store) {
		u := pendingUser(t, s, "tiny")
		code, other, reset := mustCode(t, s, u, CodeConfirm), mustCode(t, s, u, CodeConfirm), mustCode(t, s, u, CodeReset)
		for range 2 { // looking changes nothing
			info := wantCode(t, s, "fresh", code, nil)
			if d := time.Until(info.ExpiresAt); info.User.ID != u.ID || info.Kind != CodeConfirm || d > time.Hour+time.Minute || d < 50*time.Minute {
				t.Errorf("code is %+v", info)
			}
		}
		laterThan(t, s, u)
		got, err := s.Confirm(t.Context(), code)
		if err != nil || !got.Active || got.Confirmation != "" || !got.UpdatedAt.After(u.UpdatedAt) {
			t.Fatalf("confirmed: %+v, %v", got, err)
		}
		if now := mustUser(t, s, u.ID); !now.Active || now.Confirmation != "" {
			t.Errorf("stored: %+v", now)
		}
		for _, spent := range []string{code, other} {
			_, err = s.Confirm(t.Context(), spent)
			wantErr(t, err, ErrCodeSpent)
			if errors.Is(err, ErrCodeExpired) {
				t.Errorf("a used code has expired: %v", err)
			}
			if info := wantCode(t, s, "spent", spent, ErrCodeSpent); info.User.ID != u.ID || info.Kind != CodeConfirm {
				t.Errorf("spent code is %+v", info)
			}
		}
		wantCode(t, s, "reset", reset, nil)
		_, err = s.NewCode(t.Context(), u.ID, CodeConfirm, time.Hour)
		wantErr(t, err, ErrNotPending)
	})
}

func TestAResetCodeSetsThePasswordOnceAndEndsAllSessions(t *testing.T) {
	onEveryTwice(t, func(t *testing.T, s *Store) {
		u := mustCreate(t, s, newUserWithEmail("tiny", "tiny@home.com"))
		mustLogin(t, s, u.ID)
		sess := mustLogin(t, s, u.ID)
		signals := follow(t, s)
		code, other := mustCode(t, s, u, CodeReset), mustCode(t, s, u, CodeReset)
		if info := wantCode(t, s, "fresh", code, nil); info.Kind != CodeReset {
			t.Errorf("code is %+v", info)
		}
		laterThan(t, s, u)
		got, err := s.ResetPassword(t.Context(), code, []byte("new record"))
		if err != nil || string(got.Password) != "new record" || !got.UpdatedAt.After(u.UpdatedAt) || !got.Active {
			t.Fatalf("reset: %+v, %v", got, err)
		}
		_, _, _, err = s.Resume(t.Context(), "", sess.Token, Arrival{})
		wantErr(t, err, ErrSessionInvalid)
		eventually(t, "every node is told", func() bool {
			return signals.has(func(sig Signal) bool {
				return sig.Kind == SignalEnd && sig.User == u.ID && sig.Except == "" && sig.Code == int(protocol.CloseSessionEnded)
			})
		})
		for _, spent := range []string{code, other} {
			_, err = s.ResetPassword(t.Context(), spent, []byte("another"))
			wantErr(t, err, ErrCodeSpent)
		}
		if now := mustUser(t, s, u.ID); string(now.Password) != "new record" {
			t.Errorf("stored: %q", now.Password)
		}
		if _, err := s.ResetPassword(t.Context(), mustCode(t, s, u, CodeReset), nil); err == nil || errors.Is(err, ErrCodeSpent) {
			t.Errorf("reset to no password: %v", err)
		}
	})
}

func TestAMailedResetConfirmsThePendingUserAndAHandedOneDoesNot(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		for name, c := range map[string]struct {
			mailed, pending   bool
			active, confirmed bool
		}{
			"mailed, pending":  {true, true, true, true},
			"handed, pending":  {false, true, false, false},
			"mailed, inactive": {true, false, false, true},
			"handed, inactive": {false, false, false, true},
		} {
			n := newUserWithEmail(name, strings.ReplaceAll(name, ", ", ".")+"@home.com")
			n.Active = false
			if c.pending {
				n.Confirmation = ConfirmationFailed
			}
			u := mustCreate(t, s, n)
			code := ""
			var err error
			if c.mailed {
				code = mustCode(t, s, u, CodeReset)
			} else if code, err = s.NewCode(t.Context(), u.ID, CodeReset, time.Hour); err != nil {
				t.Fatal(err)
			}
			u, err = s.ResetPassword(t.Context(), code, []byte("new"))
			if err != nil || u.Active != c.active || (u.Confirmation == "") != c.confirmed {
				t.Errorf("%s: %+v, %v", name, u, err)
			}
		}
	})
}

func TestWhatIsNoCodeIsInvalid(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		u := pendingUser(t, s, "tiny")
		other := pendingUser(t, s, "other")
		confirm, reset := mustCode(t, s, u, CodeConfirm), mustCode(t, s, u, CodeReset)
		unknown, _ := newToken(u.ID)
		nobodys, _ := newToken(uuid.New())
		for what, code := range map[string]string{
			"empty": "", "short": confirm[:63], "long": confirm + "A", "newline": confirm[:63] + "\n", "text": strings.Repeat("?", 64),
			"unknown": unknown, "nobody's": nobodys, "session": mustLogin(t, s, u.ID).Token,
			"another's id": mustCode(t, s, other, CodeConfirm)[:22] + confirm[22:],
		} {
			for _, kind := range []CodeKind{CodeConfirm, CodeReset} {
				if _, err := use(t, s, kind, code); !errors.Is(err, ErrCodeInvalid) {
					t.Errorf("%s: %s ended with %v", what, kind, err)
				}
			}
			if info := wantCode(t, s, what, code, ErrCodeInvalid); info.User.ID != uuid.Nil {
				t.Errorf("%s: names %v", what, info.User.ID)
			}
		}
		_, err := s.Confirm(t.Context(), reset)
		wantErr(t, err, ErrCodeInvalid)
		_, err = s.ResetPassword(t.Context(), confirm, []byte("new"))
		wantErr(t, err, ErrCodeInvalid)
		if got := mustUser(t, s, u.ID); got.Active || string(got.Password) != string(u.Password) {
			t.Errorf("changed: %+v", got)
		}
	})
}

func TestNewCodeErrors(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		u := mustCreate(t, s, newUserWithEmail("tiny", "Tiny@home.com"))
		none := mustCreate(t, s, newUser("none"))
		for name, c := range map[string]struct {
			user  uuid.UUID
			email string
			kind  CodeKind
			want  error
		}{
			"by key":        {u.ID, "tINY@home.com", CodeReset, nil},
			"another email": {u.ID, "tim@home.com", CodeReset, ErrConflict},
			"no email":      {none.ID, "tim@home.com", CodeReset, ErrConflict},
			"nobody":        {uuid.New(), "tim@home.com", CodeReset, ErrUserNotFound},
			"confirmed":     {u.ID, "tiny@home.com", CodeConfirm, ErrNotPending},
		} {
			if _, err := s.NewCodeFor(t.Context(), c.user, c.email, c.kind, time.Hour); !errors.Is(err, c.want) {
				t.Errorf("%s: got %v, want %v", name, err, c.want)
			}
		}
		if _, err := s.NewCode(t.Context(), none.ID, CodeReset, time.Hour); err != nil {
			t.Error(err)
		}
		_, err := s.NewCode(t.Context(), uuid.New(), CodeReset, time.Hour)
		wantErr(t, err, ErrUserNotFound)
	})
}

func TestAnExpiredCodeSaysWhoseItWasForAWeek(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		u := pendingUser(t, s, "tiny")
		for _, kind := range []CodeKind{CodeConfirm, CodeReset} {
			code, err := s.NewCodeFor(t.Context(), u.ID, u.Email, kind, time.Millisecond)
			if err != nil {
				t.Fatal(err)
			}
			eventually(t, "the code expires", func() bool {
				_, err := s.Code(t.Context(), code)
				return err != nil
			})
			info := wantCode(t, s, "expired", code, ErrCodeExpired)
			if wantCode(t, s, "expired", code, ErrCodeSpent); info.User.ID != u.ID || info.Kind != kind {
				t.Errorf("expired code is %+v", info)
			}
			_, err = use(t, s, kind, code)
			wantErr(t, err, ErrCodeExpired)

			age(t, s, code, spentTTL)
			wantCode(t, s, "a week later", code, ErrCodeInvalid)
			_, err = use(t, s, kind, code)
			wantErr(t, err, ErrCodeInvalid)
		}
		// The next one sweeps them away.
		mustCode(t, s, u, CodeReset)
		codes := partitionOf(u.ID).codes(u.ID)
		if n := s.client.HLen(t.Context(), codes).Val(); n != 1 {
			t.Errorf("%d codes are kept", n)
		}
		if ttl, want := s.client.PTTL(t.Context(), codes).Val(), time.Hour+spentTTL; ttl > want || ttl < want-time.Minute {
			t.Errorf("codes are kept for %v", ttl)
		}
		if got := mustUser(t, s, u.ID); got.Active || string(got.Password) != string(u.Password) {
			t.Errorf("changed: %+v", got)
		}
	})
}

// age makes a code older.
func age(t testing.TB, s *Store, code string, by time.Duration) {
	t.Helper()
	parsed, _ := parseToken(code)
	key := partitionOf(parsed.user).codes(parsed.user)
	f := strings.Split(s.client.HGet(t.Context(), key, parsed.id).Val(), " ")
	for i := 2; i < 4; i++ {
		at, err := parseMillis(f[i])
		if err != nil {
			t.Fatal(err)
		}
		f[i] = fmt.Sprint(at.Add(-by).UnixMilli())
	}
	s.client.HSet(t.Context(), key, parsed.id, strings.Join(f, " "))
}

func TestCodesAreKeptHashedAndShort(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		u := pendingUser(t, s, "tiny")
		code := mustCode(t, s, u, CodeReset)
		for field, value := range s.client.HGetAll(t.Context(), partitionOf(u.ID).codes(u.ID)).Val() {
			if len(field) > 64 || len(value) > 64 {
				t.Errorf("%d and %d bytes", len(field), len(value))
			}
			for i := 22; i+8 <= len(code); i++ {
				if strings.Contains(field+value, code[i:i+8]) {
					t.Errorf("a part of the code is stored: %s %s", field, value)
				}
			}
		}
	})
}

func TestAChangeOfEmailOrPasswordVoidsTheOpenCodes(t *testing.T) {
	for name, c := range map[string]struct {
		update UserUpdate
		void   bool
	}{
		"email":            {UserUpdate{Email: new("new@home.com")}, true},
		"email's spelling": {UserUpdate{Email: new("TINY@home.com")}, true},
		"the same email":   {UserUpdate{Email: new("tiny@home.com")}, false},
		"no email":         {UserUpdate{Email: new("")}, true},
		"password":         {UserUpdate{Password: []byte("new")}, true},
		"no password":      {UserUpdate{Password: []byte{}}, true},
		"rehash":           {UserUpdate{Password: []byte("new"), Rehash: true}, false},
		"username, group":  {UserUpdate{Username: new("tim"), Group: new("red")}, false},
	} {
		t.Run(name, func(t *testing.T) {
			onEvery(t, func(t *testing.T, s *Store) {
				u := pendingUser(t, s, "tiny")
				confirm, reset := mustCode(t, s, u, CodeConfirm), mustCode(t, s, u, CodeReset)
				if _, err := s.UpdateUser(t.Context(), u.ID, c.update); err != nil {
					t.Fatal(err)
				}
				var want error
				if c.void {
					want = ErrCodeSpent
				}
				for kind, code := range map[CodeKind]string{CodeConfirm: confirm, CodeReset: reset} {
					wantCode(t, s, string(kind), code, want)
				}
				for _, kind := range []CodeKind{CodeConfirm, CodeReset} {
					code := map[CodeKind]string{CodeConfirm: confirm, CodeReset: reset}[kind]
					if _, err := use(t, s, kind, code); !errors.Is(err, want) {
						t.Errorf("%s: %v, want %v", kind, err, want)
					}
				}
				checkConsistent(t, s, false)
			})
		})
	}
}

func TestTheOldestOfTooManyCodesIsVoid(t *testing.T) {
	onEveryTwice(t, func(t *testing.T, s *Store) {
		u := pendingUser(t, s, "tiny")
		confirm := mustCode(t, s, u, CodeConfirm)
		var codes []string
		for i := range 30 {
			codes = append(codes, mustCode(t, s, u, CodeReset))
			for k, code := range codes {
				var want error
				switch {
				case k <= i-(maxCodes-1): // the confirm code is kept too
					want = ErrCodeInvalid
				case k <= i-maxOpenCodes:
					want = ErrCodeSpent
				}
				wantCode(t, s, fmt.Sprintf("%d of %d", k, i), code, want)
			}
			// So that the storage's clock tells them apart.
			age(t, s, confirm, time.Second)
			for _, code := range codes[max(0, len(codes)-maxCodes+1):] {
				age(t, s, code, time.Second)
			}
		}
		wantCode(t, s, "confirm", confirm, nil)
		if n := s.client.HLen(t.Context(), partitionOf(u.ID).codes(u.ID)).Val(); n != maxCodes {
			t.Errorf("%d codes are kept", n)
		}
	})
}

func TestADeletedUserHasNoCodes(t *testing.T) {
	onEveryTwice(t, func(t *testing.T, s *Store) {
		u := pendingUser(t, s, "tiny")
		code := mustCode(t, s, u, CodeReset)
		if _, err := s.DeleteUser(t.Context(), u.ID); err != nil {
			t.Fatal(err)
		}
		wantCode(t, s, "after delete", code, ErrCodeInvalid)
		_, err := s.ResetPassword(t.Context(), code, []byte("new"))
		wantErr(t, err, ErrCodeInvalid)
	})
}

func TestADeletedUsersIDIsNotGivenAgain(t *testing.T) {
	onEveryTwice(t, func(t *testing.T, s *Store) {
		u := mustCreate(t, s, newUser("tiny"))
		if _, err := s.DeleteUser(t.Context(), u.ID); err != nil {
			t.Fatal(err)
		}
		again := newUser("tiny")
		again.ID = u.ID
		_, err := s.CreateUser(t.Context(), again)
		wantErr(t, err, ErrUserGone)
		mustCreate(t, s, newUser("tiny")) // the name is free all the same
	})
}
