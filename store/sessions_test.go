package store

import (
	"encoding/base64"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"rollcall/protocol"
)

func TestALoginStartsASessionAndIsCounted(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		made := mustCreate(t, s, newUserWithEmail("Tiny", "tina@home.com"))
		at := ConnRef{"n1", "n1-5f"}
		u, sess, err := s.Login(t.Context(), made.ID, Arrival{At: at}, made.Password)
		if err != nil {
			t.Fatal(err)
		}
		if u.Logins != 1 || u.LastLoginAt.IsZero() || u.Username != "Tiny" || u.UpdatedAt != made.UpdatedAt {
			t.Errorf("user: %+v", u)
		}
		user, id, ok := SessionID(sess.Token)
		if !ok || user != made.ID || id != sess.ID {
			t.Errorf("token says %v %q %v, session is %+v", user, id, ok, sess)
		}
		if sess.User != made.ID || sess.At != at || sess.ExpiresAt.Sub(sess.CreatedAt) != DefaultSessionTTL || sess.CreatedAt != u.LastLoginAt {
			t.Errorf("session: %+v", sess)
		}
		all, err := s.Sessions(t.Context(), made.ID)
		sess.Token = ""
		if err != nil || len(all) != 1 || all[0] != sess {
			t.Errorf("sessions: %+v, %v; want %+v", all, err, sess)
		}
		if again, _, err := s.Login(t.Context(), made.ID, Arrival{}, nil); err != nil || again.Logins != 2 {
			t.Errorf("second login: %+v, %v", again, err)
		}
	})
}

func TestALoginOfAnInactiveUserIsNotCounted(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		n := newUser("tiny")
		n.Active = false
		u, sess, err := s.Login(t.Context(), mustCreate(t, s, n).ID, Arrival{}, nil)
		if err != nil || u.Logins != 0 || !u.LastLoginAt.IsZero() {
			t.Errorf("got %+v, %v", u, err)
		}
		if _, _, _, err := s.Resume(t.Context(), "", sess.Token, Arrival{}); err != nil {
			t.Error(err)
		}
	})
}

func TestALoginWithAPasswordThatChangedMeanwhileIsRefused(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		u := mustCreate(t, s, newUser("tiny"))
		if _, err := s.UpdateUser(t.Context(), u.ID, UserUpdate{Password: []byte("new")}); err != nil {
			t.Fatal(err)
		}
		_, _, err := s.Login(t.Context(), u.ID, Arrival{}, u.Password)
		wantErr(t, err, ErrConflict)
		if all, err := s.Sessions(t.Context(), u.ID); len(all) != 0 || err != nil {
			t.Errorf("sessions: %v, %v", all, err)
		}
	})
}

func TestAResumeSaysWhichConnectionItReplaces(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		u := mustCreate(t, s, newUser("tiny"))
		c1, c2, c3 := ConnRef{"n1", "c1"}, ConnRef{"n1", "c2"}, ConnRef{"n2", "c1"}
		_, sess, err := s.Login(t.Context(), u.ID, Arrival{At: c1}, nil)
		if err != nil {
			t.Fatal(err)
		}
		for i, step := range []struct{ at, want ConnRef }{
			{c2, c1}, {c2, c1}, {c2, c1}, // a repeated command answers the same
			{c3, c2}, {ConnRef{}, c3}, {ConnRef{}, c3}, {c1, ConnRef{}}, {c1, ConnRef{}}, {c2, c1},
		} {
			got, again, former, err := s.Resume(t.Context(), "", sess.Token, Arrival{At: step.at})
			if err != nil || former != step.want || again.At != step.at || again.ID != sess.ID || got.ID != u.ID || again.CreatedAt != sess.CreatedAt {
				t.Errorf("%d: got %+v, former %+v, %v; want %+v", i, again, former, err, step.want)
			}
			if got.Logins != 1 {
				t.Errorf("%d: a resume counted as a login", i)
			}
		}
		all, err := s.Sessions(t.Context(), u.ID)
		if err != nil || len(all) != 1 || all[0].At != c2 {
			t.Errorf("sessions: %+v, %v", all, err)
		}
	})
}

func TestTokensThatHoldNoSessionAreInvalid(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		u := mustCreate(t, s, newUser("tiny"))
		token := mustLogin(t, s, u.ID).Token
		stranger, _ := newToken(uuid.New())
		unknown, _ := newToken(u.ID)
		for name, bad := range map[string]string{
			"empty": "", "short": token[:63], "long": token + "A", "not base64": strings.Repeat("!", 64), "line break": token[:63] + "\n",
			"other user": stranger, "unknown": unknown,
			"other secret": token[:63] + string("AB"[strings.Count(token[63:], "A")]),
		} {
			if _, _, _, err := s.Resume(t.Context(), "", bad, Arrival{}); err == nil || !strings.Contains(err.Error(), ErrSessionInvalid.Error()) {
				t.Errorf("%s: %v", name, err)
			} else if bad != "" && strings.Contains(err.Error(), bad) {
				t.Errorf("%s: the error shows the token", name)
			}
		}
	})
}

func TestASessionExpiresAfterItsLastUse(t *testing.T) {
	onEveryWith(t, Config{SessionTTL: 400 * time.Millisecond}, func(t *testing.T, s *Store) {
		u := mustCreate(t, s, newUser("tiny"))
		sess := mustLogin(t, s, u.ID)
		_, again, _, err := s.Resume(t.Context(), "", sess.Token, Arrival{})
		if err != nil || again.ExpiresAt.Before(sess.ExpiresAt) {
			t.Fatalf("resume: %+v after %+v, %v", again, sess, err)
		}
		eventually(t, "the session expires", func() bool {
			all, err := s.Sessions(t.Context(), u.ID)
			return err == nil && len(all) == 0
		})
		_, _, _, err = s.Resume(t.Context(), "", sess.Token, Arrival{})
		wantErr(t, err, ErrSessionInvalid)
		if ended, err := s.EndSession(t.Context(), u.ID, sess.ID, protocol.CloseSessionEnded, ""); ended || err != nil {
			t.Errorf("ending an expired session: %v, %v", ended, err)
		}
	})
}

// An expired session counts for nothing, even while its record is still there
// because another session keeps the hash alive.
func TestAnExpiredRecordIsNoSession(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		u := mustCreate(t, s, newUser("tiny"))
		old, kept := mustLogin(t, s, u.ID), mustLogin(t, s, u.ID)
		key := partitionOf(u.ID).sessions(u.ID)
		expire := func() {
			t.Helper()
			f := strings.Split(s.client.HGet(t.Context(), key, old.ID).Val(), " ")
			f[2] = strconv.FormatInt(time.Now().Add(-time.Minute).UnixMilli(), 10)
			if err := s.client.HSet(t.Context(), key, old.ID, strings.Join(f, " ")).Err(); err != nil {
				t.Fatal(err)
			}
		}
		expire()
		if all, err := s.Sessions(t.Context(), u.ID); err != nil || len(all) != 1 || all[0].ID != kept.ID {
			t.Errorf("sessions: %+v, %v", all, err)
		}
		if n, err := s.EndSessions(t.Context(), u.ID, kept.ID, protocol.CloseKicked, ""); n != 0 || err != nil {
			t.Errorf("ended %d, %v", n, err)
		}
		if s.client.HLen(t.Context(), key).Val() != 1 {
			t.Error("the record is still there")
		}
	})
}

func TestEndingSessions(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		u := mustCreate(t, s, newUser("tiny"))
		one, two, three := mustLogin(t, s, u.ID), mustLogin(t, s, u.ID), mustLogin(t, s, u.ID)
		alive := func(want ...Session) {
			t.Helper()
			for _, sess := range []Session{one, two, three} {
				_, _, _, err := s.Resume(t.Context(), "", sess.Token, Arrival{})
				found := false
				for _, w := range want {
					found = found || w.ID == sess.ID
				}
				if found && err != nil || !found && err == nil {
					t.Errorf("session is to be alive: %v, resume: %v", found, err)
				}
			}
			if all, err := s.Sessions(t.Context(), u.ID); len(all) != len(want) || err != nil {
				t.Errorf("%d sessions, %v; want %d", len(all), err, len(want))
			}
		}
		alive(one, two, three)
		if ended, err := s.EndSession(t.Context(), u.ID, one.ID, protocol.CloseSessionEnded, ""); !ended || err != nil {
			t.Fatal(ended, err)
		}
		if ended, err := s.EndSession(t.Context(), u.ID, one.ID, protocol.CloseSessionEnded, ""); ended || err != nil {
			t.Fatal("a second time:", ended, err)
		}
		alive(two, three)
		if n, err := s.EndSessions(t.Context(), u.ID, two.ID, protocol.CloseSessionEnded, ""); n != 1 || err != nil {
			t.Fatal(n, err)
		}
		alive(two)
		three = mustLogin(t, s, u.ID)
		if _, err := s.UpdateUser(t.Context(), u.ID, UserUpdate{Password: []byte("new"), KeepSession: three.ID}); err != nil {
			t.Fatal(err)
		}
		alive(three)
		one = mustLogin(t, s, u.ID)
		if _, err := s.UpdateUser(t.Context(), u.ID, UserUpdate{Password: []byte("newer")}); err != nil {
			t.Fatal(err)
		}
		alive()
		two, three = mustLogin(t, s, u.ID), mustLogin(t, s, u.ID)
		if n, err := s.EndSessions(t.Context(), u.ID, "", protocol.CloseSessionEnded, ""); n != 2 || err != nil {
			t.Fatal(n, err)
		}
		alive()
	})
}

func TestAUserHasAtMost32Sessions(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		f := follow(t, s)
		u := mustCreate(t, s, newUser("tiny"))
		var all []Session
		for range maxSessions {
			all = append(all, mustLogin(t, s, u.ID))
		}
		// Make the first one the most recently used, and the second one plainly
		// the least.
		key := partitionOf(u.ID).sessions(u.ID)
		record := strings.Split(s.client.HGet(t.Context(), key, all[1].ID).Val(), " ")
		expires, _ := strconv.ParseInt(record[2], 10, 64)
		record[2] = strconv.FormatInt(expires-1000, 10)
		if err := s.client.HSet(t.Context(), key, all[1].ID, strings.Join(record, " ")).Err(); err != nil {
			t.Fatal(err)
		}
		if _, _, _, err := s.Resume(t.Context(), "", all[0].Token, Arrival{}); err != nil {
			t.Fatal(err)
		}
		newest := mustLogin(t, s, u.ID)
		left, err := s.Sessions(t.Context(), u.ID)
		if err != nil || len(left) != maxSessions {
			t.Errorf("%d sessions, %v", len(left), err)
		}
		_, _, _, err = s.Resume(t.Context(), "", all[1].Token, Arrival{})
		wantErr(t, err, ErrSessionInvalid)
		for _, sess := range []Session{all[0], all[2], newest} {
			if _, _, _, err := s.Resume(t.Context(), "", sess.Token, Arrival{}); err != nil {
				t.Error(err)
			}
		}
		eventually(t, "the nodes are told", func() bool {
			return f.has(func(sig Signal) bool {
				return sig.Kind == SignalEnd && sig.User == u.ID && sig.Session == all[1].ID && sig.Code == int(protocol.CloseSessionEnded)
			})
		})
	})
}

func TestRacingLoginsAllGetASessionOfTheirOwn(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		u := mustCreate(t, s, newUser("tiny"))
		const n = 20
		allTogether(n, func(int) {
			if _, _, err := s.Login(t.Context(), u.ID, Arrival{}, nil); err != nil {
				t.Error(err)
			}
		})
		all, err := s.Sessions(t.Context(), u.ID)
		if err != nil || len(all) != n {
			t.Errorf("%d sessions, %v", len(all), err)
		}
		if got := mustUser(t, s, u.ID); got.Logins != n {
			t.Errorf("%d logins", got.Logins)
		}
	})
}

// Whoever reads the storage cannot open a session with what he finds.
func TestNothingStoredOpensASession(t *testing.T) {
	s := openTest(t, Config{})
	u := mustCreate(t, s, newUser("tiny"))
	sess := mustLogin(t, s, u.ID)
	secret, err := base64.RawURLEncoding.DecodeString(sess.Token)
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range allKeys(t, s) {
		text := key
		switch s.client.Type(t.Context(), key).Val() {
		case "hash":
			for field, value := range s.client.HGetAll(t.Context(), key).Val() {
				text += field + value
			}
		case "string":
			text += s.client.Get(t.Context(), key).Val()
		}
		if strings.Contains(text, sess.Token[22:]) || strings.Contains(text, string(secret[16:])) {
			t.Errorf("%s holds the token", key)
		}
	}
}
