package store

import (
	"errors"
	"sync/atomic"
	"testing"

	"rollcall/protocol"
)

func mustAdmin(t testing.TB, s *Store, name, role string, scopes ...string) Admin {
	t.Helper()
	a, err := s.CreateAdmin(t.Context(), Admin{Name: name, Role: role, Scopes: scopes, Password: []byte("p")})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestTheLastOwnerOfAllScopesStays(t *testing.T) {
	onEveryTwice(t, func(t *testing.T, s *Store) {
		root := mustAdmin(t, s, "root", protocol.RoleOwner)
		mustAdmin(t, s, "of one scope", protocol.RoleOwner, "a")
		mustAdmin(t, s, "operator", protocol.RoleOperator)
		wantErr(t, s.DeleteAdmin(t.Context(), AdminRef{}, root.Ref()), ErrLastOwner)
		wantErr(t, s.DeleteAdmin(t.Context(), root.Ref(), root.Ref()), ErrLastOwner)
		other := mustAdmin(t, s, "other", protocol.RoleOwner)
		must(t, s.DeleteAdmin(t.Context(), root.Ref(), root.Ref()))
		wantErr(t, s.DeleteAdmin(t.Context(), other.Ref(), other.Ref()), ErrLastOwner)
	})
}

func TestOwnersWhoDeleteOneAnotherLeaveOne(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		owners := []Admin{mustAdmin(t, s, "a", protocol.RoleOwner), mustAdmin(t, s, "b", protocol.RoleOwner), mustAdmin(t, s, "c", protocol.RoleOwner)}
		var deleted atomic.Int64
		allTogether(len(owners), func(i int) {
			err := s.DeleteAdmin(t.Context(), owners[i].Ref(), owners[(i+1)%len(owners)].Ref())
			switch {
			case err == nil:
				deleted.Add(1)
			case !errors.Is(err, ErrSessionInvalid) && !errors.Is(err, ErrLastOwner) && !errors.Is(err, ErrAdminNotFound):
				t.Error(err)
			}
		})
		left, err := s.Admins(t.Context())
		if err != nil || len(left) < 1 || len(left) != len(owners)-int(deleted.Load()) {
			t.Errorf("%d are left after %d deletions, %v", len(left), deleted.Load(), err)
		}
	})
}

// An admin whose rights have ended can't do a thing that he began before.
func TestAnAdminOfAnEndedGenerationChangesNoAdmin(t *testing.T) {
	onEveryTwice(t, func(t *testing.T, s *Store) {
		root, victim := mustAdmin(t, s, "root", protocol.RoleOwner), mustAdmin(t, s, "victim", protocol.RoleOwner)
		now, err := s.SetAdminPassword(t.Context(), root.Ref(), root, []byte("q"))
		must(t, err)
		change := func(by AdminRef) {
			t.Helper()
			_, err := s.CreateAdminBy(t.Context(), by, Admin{Name: "new", Role: protocol.RoleOwner})
			wantErr(t, err, ErrSessionInvalid)
			_, err = s.SetAdminPassword(t.Context(), by, victim, []byte("mine"))
			wantErr(t, err, ErrSessionInvalid)
			wantErr(t, s.DeleteAdmin(t.Context(), by, victim.Ref()), ErrSessionInvalid)
		}
		change(root.Ref())
		must(t, s.DeleteAdmin(t.Context(), victim.Ref(), now.Ref()))
		change(now.Ref())
		change(AdminRef{Name: "root"})
		read, err := s.Admin(t.Context(), "victim")
		if err != nil || string(read.Password) != "p" {
			t.Errorf("got %v, %v", read, err)
		}
		_, err = s.Admin(t.Context(), "new")
		wantErr(t, err, ErrAdminNotFound)
	})
}

func TestAnAdminIsChangedAsHeWasReadOrNotAtAll(t *testing.T) {
	onEveryTwice(t, func(t *testing.T, s *Store) {
		mustAdmin(t, s, "root", protocol.RoleOwner)
		old := mustAdmin(t, s, "ops", protocol.RoleOperator)
		now, err := s.SetAdminPassword(t.Context(), AdminRef{}, old, []byte("q"))
		must(t, err)
		_, err = s.SetAdminPassword(t.Context(), AdminRef{}, old, []byte("r"))
		wantErr(t, err, ErrConflict)
		wantErr(t, s.DeleteAdmin(t.Context(), AdminRef{}, old.Ref()), ErrConflict)
		read, err := s.Admin(t.Context(), "ops")
		if err != nil || string(read.Password) != "q" || read.Generation != now.Generation {
			t.Errorf("got %v, %v", read, err)
		}
	})
}

// What the process did not live to tell, a sweep tells.
func TestTheEndOfAnAdminsRightsIsToldAfterACrash(t *testing.T) {
	for name, end := range map[string]func(t *testing.T, s *Store, a Admin) error{
		"password": func(t *testing.T, s *Store, a Admin) error {
			_, err := s.SetAdminPassword(t.Context(), AdminRef{}, a, []byte("q"))
			return err
		},
		"deletion": func(t *testing.T, s *Store, a Admin) error { return s.DeleteAdmin(t.Context(), AdminRef{}, a.Ref()) },
		"logout": func(t *testing.T, s *Store, a Admin) error {
			return s.EndAdminSession(t.Context(), a.Name, "a session")
		},
	} {
		t.Run(name, func(t *testing.T) {
			dies := &abandoner{}
			onEveryWith(t, Config{fault: dies.fault}, func(t *testing.T, s *Store) {
				mustAdmin(t, s, "root", protocol.RoleOwner)
				ops := mustAdmin(t, s, `o"ps`, protocol.RoleOperator)
				f := follow(t, s)
				if !dies.run("before effect", func() { must(t, end(t, s, ops)) }) {
					t.Fatal("nothing is told")
				}
				eventually(t, "a sweep tells of it", func() bool {
					return f.has(func(sig Signal) bool {
						return sig.Admin == ops.Name && (sig.Kind == SignalAdmin && sig.Generation == ops.Generation ||
							sig.Kind == SignalLogout && sig.Session == "a session")
					})
				})
			})
		})
	}
}
