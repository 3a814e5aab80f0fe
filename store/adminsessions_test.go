package store

import (
	"testing"
	"time"

	"rollcall/protocol"
)

func TestALogoutEndsOneSessionOfAnAdmin(t *testing.T) {
	onEveryTwice(t, func(t *testing.T, s *Store) {
		root := mustAdmin(t, s, "root", protocol.RoleOwner)
		gone, _, err := s.StartAdminSession(t.Context(), root, time.Hour)
		must(t, err)
		stays, _, err := s.StartAdminSession(t.Context(), root, time.Hour)
		must(t, err)
		f := follow(t, s)
		for range 2 { // another time, it is told another time
			must(t, s.EndAdminSession(t.Context(), "root", AdminSessionID(gone)))
		}
		_, _, err = s.AdminSession(t.Context(), AdminSessionID(gone))
		wantErr(t, err, ErrSessionInvalid)
		_, _, err = s.AdminSession(t.Context(), AdminSessionID(stays))
		must(t, err)
		eventually(t, "every node is told", func() bool {
			return f.has(func(sig Signal) bool {
				return sig.Kind == SignalLogout && sig.Admin == "root" && sig.Session == AdminSessionID(gone)
			})
		})
	})
}

// A new password keeps the session of who set it, unless it was logged out meanwhile.
func TestASessionThatHasEndedIsNotKept(t *testing.T) {
	onEveryTwice(t, func(t *testing.T, s *Store) {
		root := mustAdmin(t, s, "root", protocol.RoleOwner)
		token, _, err := s.StartAdminSession(t.Context(), root, time.Hour)
		must(t, err)
		root, err = s.SetAdminPassword(t.Context(), root.Ref(), root, []byte("q"))
		must(t, err)
		must(t, s.KeepAdminSession(t.Context(), token, root, time.Hour))
		_, _, err = s.AdminSession(t.Context(), AdminSessionID(token))
		must(t, err)
		must(t, s.EndAdminSession(t.Context(), "root", AdminSessionID(token)))
		wantErr(t, s.KeepAdminSession(t.Context(), token, root, time.Hour), ErrSessionInvalid)
		_, _, err = s.AdminSession(t.Context(), AdminSessionID(token))
		wantErr(t, err, ErrSessionInvalid)
	})
}

func TestASessionIsNamedByNothingThatOpensIt(t *testing.T) {
	s := openTest(t, Config{})
	root := mustAdmin(t, s, "root", protocol.RoleOwner)
	token, _, err := s.StartAdminSession(t.Context(), root, time.Hour)
	must(t, err)
	id := AdminSessionID(token)
	_, _, err = s.AdminSession(t.Context(), AdminSessionID(id))
	wantErr(t, err, ErrSessionInvalid)
}
