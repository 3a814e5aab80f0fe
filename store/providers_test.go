package store

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/google/uuid"
)

// google is an identity that is shown as it is, openudid one that is a secret.
func google(identity string) Provider {
	return Provider{Name: "google", Identity: identity, ClientID: identity}
}

func openudid(identity string) Provider { return Provider{Name: "openudid", Identity: identity} }

func mustAdd(t testing.TB, s *Store, id uuid.UUID, p Provider) User {
	t.Helper()
	u, err := s.AddProvider(t.Context(), id, p)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// wantProvider checks to whom an identity resolves; uuid.Nil for nobody.
func wantProvider(t testing.TB, s *Store, p Provider, want uuid.UUID) {
	t.Helper()
	u, err := s.UserByProvider(t.Context(), testScope, p.Name, p.Identity)
	if want == uuid.Nil {
		wantErr(t, err, ErrUserNotFound)
	} else if err != nil || u.ID != want {
		t.Fatalf("%s of %s resolves to %v, %v; want %v", p.Identity, p.Name, u.ID, err, want)
	}
}

// checkProviders is checkConsistent for identities.
func checkProviders(t testing.TB, s *Store, leftovers bool) {
	t.Helper()
	checkConsistent(t, s, leftovers)
	named, entries := map[string]uuid.UUID{}, 0
	for _, key := range allKeys(t, s) {
		parts := strings.Split(key, ":")
		if parts[1] == "prov" {
			entries++
		}
		if len(parts) != 4 || parts[2] != "user" {
			continue
		}
		u := mustUser(t, s, uuid.MustParse(parts[3]))
		for _, p := range u.ProviderRecords {
			e := p.entry(u.Scope)
			if other, ok := named[e.key]; ok {
				t.Errorf("%s is held twice, by %s and %s", e.key, other, u.ID)
			}
			named[e.key] = u.ID
			r, err := parseReservation(s.client.Get(t.Context(), e.key).Val())
			if err != nil || r.holder != u.ID {
				t.Errorf("%s names %s, which names %q back", u.ID, e.key, r.value)
			}
		}
	}
	if !leftovers && entries != len(named) {
		t.Errorf("%d entries for %d identities", entries, len(named))
	}
}

func TestAUserComesBackWithTheProvider(t *testing.T) {
	onEveryTwice(t, func(t *testing.T, s *Store) {
		p := Provider{Name: "my {issuer}: 1", Identity: "a:{b}%\x00\r\n ü", ClientID: "a", SealedToken: []byte("\x00\xff v1"), Expiry: -5}
		n := newUserWithEmail("tiny", "tina@home.com")
		n.Provider = &p
		made := mustCreate(t, s, n)
		if !reflect.DeepEqual(made.ProviderRecords, []Provider{p}) || !reflect.DeepEqual(made.Providers, []string{p.Name}) {
			t.Errorf("created with %+v, %v", made.ProviderRecords, made.Providers)
		}
		for _, get := range []func() (User, error){
			func() (User, error) { return s.User(t.Context(), made.ID) },
			func() (User, error) { return s.UserByProvider(t.Context(), testScope, p.Name, p.Identity) },
			func() (User, error) { return s.CreateUser(t.Context(), withID(n, made.ID)) },
			func() (User, error) {
				u, _, err := s.LoginByProvider(t.Context(), made.ID, Arrival{}, p.Name, p.Identity)
				u.LastLoginAt, u.Logins = made.LastLoginAt, made.Logins
				return u, err
			},
		} {
			if got, err := get(); err != nil || !reflect.DeepEqual(got, made) {
				t.Errorf("got %+v, %v; want %+v", got, err, made)
			}
		}
		checkProviders(t, s, false)
	})
}

func withID(n NewUser, id uuid.UUID) NewUser {
	n.ID = id
	return n
}

func TestProvidersAreSortedAndHaveOnlyTheFieldsTheyNeed(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		u := mustCreate(t, s, newUser("tiny"))
		mustAdd(t, s, u.ID, openudid("hash"))
		mustAdd(t, s, u.ID, Provider{Name: "apple", Identity: "1", ClientID: "1", SealedToken: []byte("t"), Expiry: 9})
		u = mustAdd(t, s, u.ID, google("2"))
		if want := []string{"apple", "google", "openudid"}; !reflect.DeepEqual(u.Providers, want) {
			t.Errorf("providers are %v", u.Providers)
		}
		for i, p := range u.ProviderRecords {
			if got, ok := u.Provider(u.Providers[i]); !ok || !reflect.DeepEqual(got, p) {
				t.Errorf("%s: %+v, %v; want %+v", u.Providers[i], got, ok, p)
			}
		}
		if _, ok := u.Provider("facebook"); ok {
			t.Error("found a provider that is not there")
		}
		var fields []string
		for field := range s.client.HGetAll(t.Context(), partitionOf(u.ID).user(u.ID)).Val() {
			if len(field) > 3 && field[0] == 'p' && field[2] == ':' {
				fields = append(fields, field)
			}
		}
		if len(fields) != 1+4+2 {
			t.Errorf("fields are %v", fields)
		}
		checkProviders(t, s, false)
	})
}

func TestProviderErrors(t *testing.T) {
	onEveryTwice(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		owner, other := mustCreate(t, s, newUser("owner")), mustCreate(t, s, newUser("other"))
		mustAdd(t, s, owner.ID, google("1"))
		mustAdd(t, s, other.ID, google("2"))
		taken := newUserWithEmail("third", "third@home.com")
		taken.Provider = new(google("1"))
		for name, c := range map[string]struct {
			do   func() error
			want error
		}{
			"create with another's": {func() error { _, err := s.CreateUser(ctx, taken); return err }, ErrProviderTaken},
			"add another's":         {func() error { _, err := s.AddProvider(ctx, owner.ID, google("2")); return err }, ErrProviderExists},
			"add the same":          {func() error { _, err := s.AddProvider(ctx, owner.ID, google("1")); return err }, ErrProviderExists},
			"add a second one":      {func() error { _, err := s.AddProvider(ctx, owner.ID, google("3")); return err }, ErrProviderExists},
			"add to nobody":         {func() error { _, err := s.AddProvider(ctx, uuid.New(), google("3")); return err }, ErrUserNotFound},
			"update to another's": {func() error {
				_, err := s.UpdateProvider(ctx, owner.ID, "google", ProviderUpdate{Identity: new("2")})
				return err
			}, ErrProviderTaken},
			"update what is not there": {func() error {
				_, err := s.UpdateProvider(ctx, owner.ID, "apple", ProviderUpdate{Identity: new("2")})
				return err
			}, ErrProviderNotFound},
			"update nobody's":           {func() error { _, err := s.UpdateProvider(ctx, uuid.New(), "google", ProviderUpdate{}); return err }, ErrUserNotFound},
			"remove what is not there":  {func() error { _, err := s.RemoveProvider(ctx, owner.ID, "apple"); return err }, ErrProviderNotFound},
			"remove nobody's":           {func() error { _, err := s.RemoveProvider(ctx, uuid.New(), "google"); return err }, ErrUserNotFound},
			"find what is not there":    {func() error { _, err := s.UserByProvider(ctx, testScope, "google", "3"); return err }, ErrUserNotFound},
			"find at another provider":  {func() error { _, err := s.UserByProvider(ctx, testScope, "apple", "1"); return err }, ErrUserNotFound},
			"find in another scope":     {func() error { _, err := s.UserByProvider(ctx, "other", "google", "1"); return err }, ErrUserNotFound},
			"log in by another's":       {func() error { _, _, err := s.LoginByProvider(ctx, owner.ID, Arrival{}, "google", "2"); return err }, ErrConflict},
			"log in by what is not set": {func() error { _, _, err := s.LoginByProvider(ctx, owner.ID, Arrival{}, "apple", "1"); return err }, ErrConflict},
		} {
			if err := c.do(); !errors.Is(err, c.want) {
				t.Errorf("%s: got %v, want %v", name, err, c.want)
			}
		}
		for name, do := range map[string]func() error{
			"create": func() error {
				_, err := s.CreateUser(ctx, NewUser{Scope: testScope, Username: "x", Provider: &Provider{Name: "google"}})
				return err
			},
			"add": func() error { _, err := s.AddProvider(ctx, owner.ID, Provider{Identity: "1"}); return err },
			"update": func() error {
				_, err := s.UpdateProvider(ctx, owner.ID, "google", ProviderUpdate{Identity: new("")})
				return err
			},
		} {
			if do() == nil {
				t.Errorf("%s without a name or an identity is accepted", name)
			}
		}
		// What failed has reserved nothing.
		taken.Provider = new(google("3"))
		third := mustCreate(t, s, taken)
		wantProvider(t, s, google("1"), owner.ID)
		wantProvider(t, s, google("2"), other.ID)
		wantProvider(t, s, google("3"), third.ID)
		// Another scope has identities of its own.
		abroad := NewUser{Scope: "other", Username: "abroad", Provider: new(google("1"))}
		mustCreate(t, s, abroad)
		checkProviders(t, s, false)
	})
}

func TestAnUpdateOfAProviderChangesWhatItNamesAndNothingElse(t *testing.T) {
	before := Provider{Name: "google", Identity: "1", ClientID: "one", SealedToken: []byte("t1"), Expiry: 100}
	for name, c := range map[string]struct {
		update ProviderUpdate
		want   Provider
		seen   bool // updated_at changes
	}{
		"nothing":       {ProviderUpdate{}, before, false},
		"same identity": {ProviderUpdate{Identity: new("1")}, before, false},
		"identity":      {ProviderUpdate{Identity: new("2")}, Provider{"google", "2", "one", []byte("t1"), 100}, true},
		"client_id":     {ProviderUpdate{ClientID: new("two")}, Provider{"google", "1", "two", []byte("t1"), 100}, true},
		"no client_id":  {ProviderUpdate{ClientID: new("")}, Provider{"google", "1", "", []byte("t1"), 100}, true},
		"token":         {ProviderUpdate{SealedToken: []byte("t2")}, Provider{"google", "1", "one", []byte("t2"), 100}, false},
		"no token":      {ProviderUpdate{SealedToken: []byte{}}, Provider{"google", "1", "one", nil, 100}, false},
		"expiry":        {ProviderUpdate{Expiry: new(int64(200))}, Provider{"google", "1", "one", []byte("t1"), 200}, false},
		"no expiry":     {ProviderUpdate{Expiry: new(int64(0))}, Provider{"google", "1", "one", []byte("t1"), 0}, false},
		"all of them": {
			ProviderUpdate{Identity: new("2"), ClientID: new("two"), SealedToken: []byte("t2"), Expiry: new(int64(2))},
			Provider{"google", "2", "two", []byte("t2"), 2}, true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			onEvery(t, func(t *testing.T, s *Store) {
				u := mustCreate(t, s, newUser("tiny"))
				mustAdd(t, s, u.ID, openudid("secret"))
				u = mustAdd(t, s, u.ID, before)
				laterThan(t, s, u)
				got, err := s.UpdateProvider(t.Context(), u.ID, "google", c.update)
				if err != nil {
					t.Fatal(err)
				}
				if seen := got.UpdatedAt.After(u.UpdatedAt); seen != c.seen {
					t.Errorf("updated_at changed: %v", seen)
				}
				want := u
				want.UpdatedAt = got.UpdatedAt
				want.ProviderRecords = []Provider{c.want, openudid("secret")}
				if !reflect.DeepEqual(got, want) || !reflect.DeepEqual(mustUser(t, s, u.ID), want) {
					t.Errorf("got %+v, want %+v", got, want)
				}
				wantProvider(t, s, c.want, u.ID)
				if c.want.Identity != before.Identity {
					wantProvider(t, s, before, uuid.Nil)
				}
				checkProviders(t, s, false)
			})
		})
	}
}

// laterThan waits until the storage's clock is past a user's last change.
func laterThan(t testing.TB, s *Store, u User) {
	t.Helper()
	eventually(t, "the clock advances", func() bool {
		now, err := s.client.Time(t.Context()).Result()
		return err == nil && now.UnixMilli() > u.UpdatedAt.UnixMilli()
	})
}

func TestAFreedIdentityIsForEverybody(t *testing.T) {
	onEveryTwice(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		first := mustAdd(t, s, mustCreate(t, s, newUser("first")).ID, google("1"))
		second := mustCreate(t, s, newUser("second"))
		first, err := s.RemoveProvider(ctx, first.ID, "google")
		if err != nil || first.Providers != nil || first.ProviderRecords != nil {
			t.Errorf("after remove: %+v, %v", first, err)
		}
		wantProvider(t, s, google("1"), uuid.Nil)
		mustAdd(t, s, second.ID, google("1"))
		_, _, err = s.LoginByProvider(ctx, first.ID, Arrival{}, "google", "1")
		wantErr(t, err, ErrConflict)

		if _, err := s.UpdateProvider(ctx, second.ID, "google", ProviderUpdate{Identity: new("2")}); err != nil {
			t.Fatal(err)
		}
		mustAdd(t, s, first.ID, google("1"))
		mustAdd(t, s, second.ID, Provider{Name: "3:a", Identity: "12:\n{}"})
		if deleted, err := s.DeleteUser(ctx, second.ID); !deleted || err != nil {
			t.Fatal(deleted, err)
		}
		n := newUser("third")
		n.Provider = new(google("2"))
		third := mustCreate(t, s, n)
		mustAdd(t, s, first.ID, Provider{Name: "3:a", Identity: "12:\n{}"})
		wantProvider(t, s, google("1"), first.ID)
		wantProvider(t, s, google("2"), third.ID)
		checkProviders(t, s, false)
	})
}
