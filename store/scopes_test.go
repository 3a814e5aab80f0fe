package store

import (
	"reflect"
	"sync/atomic"
	"testing"
	"time"

	"rollcall/protocol"
)

func TestAScopeComesBackAsItWasCreated(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		want := Scope{
			Name: testScope, KeyHash: []byte("\x00\x01 hash"), Sessions: protocol.SessionsSingle,
			Permissions: map[string]string{"users.get": protocol.PermitAny, "users.delete": protocol.PermitOff},
			Providers:   map[string]protocol.ProviderConfig{"google": {Mode: protocol.ProviderTrust, ClientIDs: []string{"a", "b"}}},
			Options:     protocol.ScopeOptions{HideUnknown: new(true), Reauth: new(false), ConfirmEmail: new(true), FromEmails: []string{"a@b.c"}},
		}
		made, err := s.CreateScope(t.Context(), want)
		if err != nil {
			t.Fatal(err)
		}
		want.CreatedAt = made.CreatedAt
		read, err := s.Scope(t.Context(), testScope)
		if err != nil || !reflect.DeepEqual(made, want) || !reflect.DeepEqual(read, want) || made.CreatedAt.IsZero() {
			t.Errorf("made %+v, read %+v, %v; want %+v", made, read, err, want)
		}
		_, err = s.CreateScope(t.Context(), Scope{Name: testScope})
		wantErr(t, err, ErrScopeExists)
		if _, err := s.CreateScope(t.Context(), Scope{Name: "Another"}); err != nil {
			t.Fatal(err)
		}
		all, err := s.Scopes(t.Context())
		if err != nil || len(all) != 2 || all[0].Name != "Another" || !reflect.DeepEqual(all[1], want) {
			t.Errorf("all: %+v, %v", all, err)
		}
	})
}

func TestAScopeUpdateMergesEachSettingByItself(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		f := follow(t, s)
		want, err := s.CreateScope(t.Context(), Scope{
			Name: "s", KeyHash: []byte("k"), Permissions: map[string]string{"users.get": "any", "users.update": "off"},
			Providers: map[string]protocol.ProviderConfig{"google": {Mode: "trust"}, "apple": {Mode: "verify"}},
		})
		if err != nil {
			t.Fatal(err)
		}
		told := 0
		for i, step := range []struct {
			update ScopeUpdate
			want   func()
		}{
			{ScopeUpdate{Permissions: map[string]string{"users.get": "", "users.delete": "off"}}, func() {
				want.Permissions = map[string]string{"users.update": "off", "users.delete": "off"}
			}},
			{ScopeUpdate{Permissions: map[string]string{"users.delete": "self"}}, func() { delete(want.Permissions, "users.delete") }},
			{ScopeUpdate{Providers: map[string]*protocol.ProviderConfig{"google": nil, "apple": {Mode: "trust"}}}, func() {
				want.Providers = map[string]protocol.ProviderConfig{"apple": {Mode: "trust"}}
			}},
			{ScopeUpdate{Sessions: "single"}, func() { want.Sessions = "single" }},
			{ScopeUpdate{Options: protocol.ScopeOptions{Reauth: new(true), ConfirmEmail: new(false)}}, func() { want.Options.Reauth, want.Options.ConfirmEmail = new(true), new(false) }},
			{ScopeUpdate{Options: protocol.ScopeOptions{HideUnknown: new(false), FromEmails: []string{"x@y.z"}}}, func() {
				want.Options.HideUnknown, want.Options.FromEmails = new(false), []string{"x@y.z"}
			}},
			{ScopeUpdate{Options: protocol.ScopeOptions{FromEmails: []string{}}}, func() { want.Options.FromEmails = []string{} }},
			{ScopeUpdate{KeyHash: []byte("other")}, func() { want.KeyHash = []byte("other") }},
			{ScopeUpdate{ClearKey: true}, func() { want.KeyHash = nil }},
			{ScopeUpdate{}, func() {}},
		} {
			step.want()
			got, err := s.UpdateScope(t.Context(), "s", step.update)
			if err != nil || !reflect.DeepEqual(got, want) {
				t.Fatalf("%d: got %+v, %v; want %+v", i, got, err, want)
			}
			told++
		}
		eventually(t, "every change is told", func() bool { return f.count(SignalScope) == told+1 })
		_, err = s.UpdateScope(t.Context(), "unknown", ScopeUpdate{Sessions: "many"})
		wantErr(t, err, ErrScopeNotFound)
		_, err = s.Scope(t.Context(), "unknown")
		wantErr(t, err, ErrScopeNotFound)
	})
}

func TestOnlyAnEmptyScopeIsDeleted(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		wantErr(t, s.DeleteScope(t.Context(), testScope), ErrScopeNotFound)
		if _, err := s.CreateScope(t.Context(), Scope{Name: testScope}); err != nil {
			t.Fatal(err)
		}
		u := mustCreate(t, s, newUser("tiny"))
		wantErr(t, s.DeleteScope(t.Context(), testScope), ErrScopeNotEmpty)
		if _, err := s.DeleteUser(t.Context(), u.ID); err != nil {
			t.Fatal(err)
		}
		if err := s.DeleteScope(t.Context(), testScope); err != nil {
			t.Fatal(err)
		}
		_, err := s.Scope(t.Context(), testScope)
		wantErr(t, err, ErrScopeNotFound)
		if all, err := s.Scopes(t.Context()); len(all) != 0 || err != nil {
			t.Errorf("scopes: %v, %v", all, err)
		}
	})
}

func TestOfRacingCreatesOfOneScopeOneWins(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		var scopes, admins, keys atomic.Int64
		allTogether(20, func(i int) {
			if _, err := s.CreateScope(t.Context(), Scope{Name: "s"}); err == nil {
				scopes.Add(1)
			}
			if _, err := s.CreateAdmin(t.Context(), Admin{Name: "a", Role: "owner"}); err == nil {
				admins.Add(1)
			}
			if _, created, err := s.InitServerKey(t.Context(), []byte{byte(i)}); err != nil {
				t.Error(err)
			} else if created {
				keys.Add(1)
			}
		})
		if scopes.Load() != 1 || admins.Load() != 1 || keys.Load() != 1 {
			t.Errorf("%d scopes, %d admins, %d keys", scopes.Load(), admins.Load(), keys.Load())
		}
	})
}

func TestAnAdminComesBackAsCreated(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		want := Admin{Name: "Root {1}", Role: protocol.RoleOperator, Scopes: []string{"a", "b:c"}, Password: []byte("\x00record")}
		made, err := s.CreateAdmin(t.Context(), want)
		if err != nil {
			t.Fatal(err)
		}
		want.CreatedAt, want.Generation = made.CreatedAt, made.Generation
		read, err := s.Admin(t.Context(), want.Name)
		if err != nil || !reflect.DeepEqual(made, want) || !reflect.DeepEqual(read, want) {
			t.Errorf("made %+v, read %+v, %v; want %+v", made, read, err, want)
		}
		_, err = s.CreateAdmin(t.Context(), Admin{Name: want.Name, Role: protocol.RoleOwner})
		wantErr(t, err, ErrAdminExists)
		other, err := s.CreateAdmin(t.Context(), Admin{Name: "A", Role: protocol.RoleViewer})
		if err != nil {
			t.Fatal(err)
		}
		all, err := s.Admins(t.Context())
		if err != nil || len(all) != 2 || all[0].Name != "A" || all[0].Scopes != nil || !reflect.DeepEqual(all[1], want) {
			t.Errorf("all: %+v, %v", all, err)
		}
		must(t, s.DeleteAdmin(t.Context(), AdminRef{}, other.Ref()))
		wantErr(t, s.DeleteAdmin(t.Context(), AdminRef{}, other.Ref()), ErrAdminNotFound)
		_, err = s.Admin(t.Context(), "A")
		wantErr(t, err, ErrAdminNotFound)
		_, err = s.SetAdminPassword(t.Context(), AdminRef{}, other, []byte("x"))
		wantErr(t, err, ErrAdminNotFound)
	})
}

func TestAnAdminsTokenEndsWithThePasswordTheAccountAndTime(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		admin, err := s.CreateAdmin(t.Context(), Admin{Name: "root", Role: protocol.RoleOwner, Password: []byte("p")})
		if err != nil {
			t.Fatal(err)
		}
		start := func(ttl time.Duration) string {
			t.Helper()
			token, expires, err := s.StartAdminSession(t.Context(), admin, ttl)
			if d := time.Until(expires); err != nil || d > ttl+time.Minute || d < ttl-time.Minute {
				t.Fatal(expires, err)
			}
			got, until, err := s.AdminSession(t.Context(), AdminSessionID(token))
			if err != nil || !reflect.DeepEqual(got, admin) || !until.Equal(expires) {
				t.Fatalf("got %+v until %v, %v", got, until, err)
			}
			return token
		}
		invalid := func(token string) {
			t.Helper()
			_, _, err := s.AdminSession(t.Context(), AdminSessionID(token))
			wantErr(t, err, ErrSessionInvalid)
		}
		first, second := start(time.Hour), start(time.Hour)
		before := admin
		if admin, err = s.SetAdminPassword(t.Context(), AdminRef{}, admin, []byte("q")); err != nil || string(admin.Password) != "q" {
			t.Fatal(admin, err)
		}
		invalid(first)
		invalid(second)
		// Whose password was checked before it was changed.
		late, _, err := s.StartAdminSession(t.Context(), before, time.Hour)
		must(t, err)
		invalid(late)
		third := start(time.Hour)
		_, err = s.CreateAdmin(t.Context(), Admin{Name: "another", Role: protocol.RoleOwner})
		must(t, err)
		must(t, s.DeleteAdmin(t.Context(), AdminRef{}, admin.Ref()))
		invalid(third)
		if admin, err = s.CreateAdmin(t.Context(), Admin{Name: "root", Role: protocol.RoleViewer}); err != nil {
			t.Fatal(err)
		}
		invalid(third) // another account of the same name
		short := start(300 * time.Millisecond)
		eventually(t, "the token expires", func() bool {
			_, _, err := s.AdminSession(t.Context(), AdminSessionID(short))
			return err != nil
		})
		invalid(short)
		invalid("")
		invalid("unknown")
	})
}

func TestTheFirstServerKeyIsKept(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		for i, c := range []struct {
			hash    string
			created bool
		}{{"first \x00", true}, {"second", false}, {"first \x00", false}} {
			kept, created, err := s.InitServerKey(t.Context(), []byte(c.hash))
			if err != nil || string(kept) != "first \x00" || created != c.created {
				t.Errorf("%d: %q %v %v", i, kept, created, err)
			}
		}
	})
}
