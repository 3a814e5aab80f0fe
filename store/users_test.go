package store

import (
	"errors"
	"maps"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"rollcall/protocol"
)

func TestAUserComesBackAsItWasCreated(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		n := NewUser{
			ID: uuid.New(), Scope: testScope, Username: "Ünï Tiny", Email: "Tina@Home.com", Group: "red:{1}",
			Extra: protocol.Extra{
				"n": protocol.Number(1.5), "s": protocol.String("x:y z"), "t": protocol.Bool(true), "f": protocol.Bool(false),
				"big": protocol.Int(9007199254740993), "": protocol.String(""), "gone": protocol.Null,
			},
			Active: true, Confirmation: "pending", Password: []byte("\x00\xff\r\n binary"),
		}
		made := mustCreate(t, s, n)
		want := User{
			ID: n.ID, Scope: n.Scope, Username: n.Username, Email: n.Email, Group: n.Group, Extra: maps.Clone(n.Extra),
			Active: true, Confirmation: "pending", Password: n.Password, CreatedAt: made.CreatedAt, UpdatedAt: made.CreatedAt,
		}
		delete(want.Extra, "gone")
		for name, get := range map[string]func() (User, error){
			"create":   func() (User, error) { return made, nil },
			"id":       func() (User, error) { return s.User(t.Context(), n.ID) },
			"username": func() (User, error) { return s.UserByUsername(t.Context(), testScope, "üNÏ tINY") },
			"email":    func() (User, error) { return s.UserByEmail(t.Context(), testScope, "TINA@HOME.COM") },
			"repeat":   func() (User, error) { return s.CreateUser(t.Context(), n) },
		} {
			if got, err := get(); err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("by %s: got %+v, %v; want %+v", name, got, err, want)
			}
		}
		if d := time.Since(made.CreatedAt); d < -time.Minute || d > time.Minute {
			t.Errorf("created at %v", made.CreatedAt)
		}
		checkConsistent(t, s, false)
	})
}

func TestASmallUserHasTheSmallestFields(t *testing.T) {
	n := NewUser{Scope: "s", Username: "tiny", Email: "tina@home.com"}
	got := n.fields()
	want := []any{"sc", "s", "u", "tiny", "e", "tina@home.com", "a", "0"}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestCreateErrors(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		mustCreate(t, s, newUserWithEmail("tiny", "tina@home.com"))
		big := protocol.Extra{"k": protocol.String(strings.Repeat("x", protocol.MaxExtraBytes))}
		many := protocol.Extra{}
		for i := range protocol.MaxExtraKeys + 1 {
			many[nthName(i)] = protocol.Bool(true)
		}
		for name, c := range map[string]struct {
			n    NewUser
			want error
		}{
			"username taken":               {newUser("TINY"), ErrUsernameTaken},
			"email taken":                  {newUserWithEmail("other", "Tina@Home.com"), ErrEmailTaken},
			"both taken":                   {newUserWithEmail("Tiny", "Tina@Home.com"), ErrUsernameTaken},
			"extra too large":              {NewUser{Scope: testScope, Username: "o", Extra: big}, ErrExtraBounds},
			"too many extra":               {NewUser{Scope: testScope, Username: "o", Extra: many}, ErrExtraBounds},
			"another scope, same username": {NewUser{Scope: "other", Username: "tiny", Email: "tina@home.com"}, nil},
		} {
			if _, err := s.CreateUser(t.Context(), c.n); !errors.Is(err, c.want) {
				t.Errorf("%s: got %v, want %v", name, err, c.want)
			}
		}
		// A create that failed on the email has freed the username.
		mustCreate(t, s, newUser("other"))
		checkConsistent(t, s, false)
	})
}

func TestUnknownUsersAreNotFound(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		_, err := s.User(t.Context(), uuid.New())
		wantErr(t, err, ErrUserNotFound)
		_, err = s.UserByUsername(t.Context(), testScope, "nobody")
		wantErr(t, err, ErrUserNotFound)
		_, err = s.UserByEmail(t.Context(), testScope, "no@body.com")
		wantErr(t, err, ErrUserNotFound)
		_, err = s.UpdateUser(t.Context(), uuid.New(), UserUpdate{Group: new("g")})
		wantErr(t, err, ErrUserNotFound)
		_, err = s.UpdateUser(t.Context(), uuid.New(), UserUpdate{Username: new("g")})
		wantErr(t, err, ErrUserNotFound)
		_, _, err = s.Login(t.Context(), uuid.New(), Arrival{}, nil)
		wantErr(t, err, ErrUserNotFound)
		if deleted, err := s.DeleteUser(t.Context(), uuid.New()); deleted || err != nil {
			t.Errorf("delete: %v, %v", deleted, err)
		}
	})
}

func TestAnUpdateChangesWhatItNamesAndNothingElse(t *testing.T) {
	for name, c := range map[string]struct {
		update UserUpdate
		want   func(u *User)
	}{
		"username":        {UserUpdate{Username: new("Tim")}, func(u *User) { u.Username = "Tim" }},
		"same key":        {UserUpdate{Username: new("TINY")}, func(u *User) { u.Username = "TINY" }},
		"key itself":      {UserUpdate{Username: new("tiny")}, func(u *User) { u.Username = "tiny" }},
		"email":           {UserUpdate{Email: new("New@Home.com")}, func(u *User) { u.Email = "New@Home.com" }},
		"email's case":    {UserUpdate{Email: new("TINA@home.com")}, func(u *User) { u.Email = "TINA@home.com" }},
		"no email":        {UserUpdate{Email: new("")}, func(u *User) { u.Email = "" }},
		"group":           {UserUpdate{Group: new("blue")}, func(u *User) { u.Group = "blue" }},
		"no group":        {UserUpdate{Group: new("")}, func(u *User) { u.Group = "" }},
		"active":          {UserUpdate{Active: new(false)}, func(u *User) { u.Active = false }},
		"confirmation":    {UserUpdate{Confirmation: new("failed")}, func(u *User) { u.Confirmation = "failed" }},
		"no confirmation": {UserUpdate{Confirmation: new("")}, func(u *User) { u.Confirmation = "" }},
		"password":        {UserUpdate{Password: []byte("new")}, func(u *User) { u.Password = []byte("new") }},
		"no password":     {UserUpdate{Password: []byte{}}, func(u *User) { u.Password = nil }},
		"if password":     {UserUpdate{IfPassword: []byte("record of Tiny"), Group: new("x")}, func(u *User) { u.Group = "x" }},
		"extra": {UserUpdate{Extra: protocol.Extra{"a": protocol.Null, "b": protocol.Int(2), "c": protocol.Bool(true)}},
			func(u *User) { u.Extra = protocol.Extra{"b": protocol.Int(2), "c": protocol.Bool(true)} }},
		"all extra gone": {UserUpdate{Extra: protocol.Extra{"a": protocol.Null, "b": protocol.Null}}, func(u *User) { u.Extra = nil }},
		"everything": {UserUpdate{Username: new("Tom"), Email: new("tom@home.com"), Group: new("g"), Active: new(false)},
			func(u *User) { u.Username, u.Email, u.Group, u.Active = "Tom", "tom@home.com", "g", false }},
	} {
		t.Run(name, func(t *testing.T) {
			onEvery(t, func(t *testing.T, s *Store) {
				n := newUserWithEmail("Tiny", "Tina@Home.com")
				n.Group, n.Confirmation, n.Extra = "red", "pending", extraOf("a", "1", "b", "1")
				before := mustCreate(t, s, n)
				got, err := s.UpdateUser(t.Context(), before.ID, c.update)
				if err != nil {
					t.Fatal(err)
				}
				want := before
				want.Extra = maps.Clone(before.Extra)
				c.want(&want)
				want.UpdatedAt = got.UpdatedAt
				if !reflect.DeepEqual(got, want) || got.UpdatedAt.Before(before.UpdatedAt) {
					t.Errorf("got %+v, want %+v", got, want)
				}
				if read := mustUser(t, s, before.ID); !reflect.DeepEqual(read, got) {
					t.Errorf("read %+v, update said %+v", read, got)
				}
				wantName(t, s, got.Username, got.ID)
				if protocol.UsernameKey(got.Username) != "tiny" {
					wantName(t, s, "tiny", uuid.Nil)
				}
				if got.Email != "" {
					wantEmail(t, s, got.Email, got.ID)
				}
				if protocol.EmailKey(got.Email) != "tina@home.com" {
					wantEmail(t, s, "tina@home.com", uuid.Nil)
				}
				checkConsistent(t, s, false)
			})
		})
	}
}

func TestAnUpdateThatFailsChangesNothing(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		n := newUserWithEmail("Tiny", "tina@home.com")
		n.Extra = extraOf("a", strings.Repeat("x", 8000))
		before := mustCreate(t, s, n)
		mustCreate(t, s, newUserWithEmail("Tim", "tim@home.com"))
		many := protocol.Extra{}
		for i := range protocol.MaxExtraKeys {
			many[nthName(i)[7:]] = protocol.Bool(true)
		}
		for name, c := range map[string]struct {
			update UserUpdate
			want   error
		}{
			"username taken":      {UserUpdate{Username: new("TIM"), Group: new("g")}, ErrUsernameTaken},
			"email taken":         {UserUpdate{Username: new("free"), Email: new("Tim@home.com")}, ErrEmailTaken},
			"extra bytes":         {UserUpdate{Username: new("free"), Extra: extraOf("b", strings.Repeat("x", 200))}, ErrExtraBounds},
			"extra keys":          {UserUpdate{Extra: many}, ErrExtraBounds},
			"another password":    {UserUpdate{Group: new("g"), IfPassword: []byte("else")}, ErrConflict},
			"a password expected": {UserUpdate{Group: new("g"), IfPassword: []byte{}}, ErrConflict},
		} {
			if _, err := s.UpdateUser(t.Context(), before.ID, c.update); !errors.Is(err, c.want) {
				t.Errorf("%s: got %v, want %v", name, err, c.want)
			}
		}
		if got := mustUser(t, s, before.ID); !reflect.DeepEqual(got, before) {
			t.Errorf("got %+v, want %+v", got, before)
		}
		wantName(t, s, "free", uuid.Nil)
		checkConsistent(t, s, false)
	})
}

// The bounds are those of the protocol: the key's bytes and the value as text.
func TestExtraIsBoundedAfterTheMergeToTheByte(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		u := mustCreate(t, s, newUser("tiny"))
		fill := protocol.Extra{
			"t": protocol.Bool(true), "f": protocol.Bool(false), "n": protocol.Number(1.25), // 5 + 6 + 5 bytes
			"é": protocol.String(strings.Repeat("é", 100)), // 202 bytes
			"s": protocol.String(strings.Repeat("x", protocol.MaxExtraBytes-219)),
		}
		if fill.Size() != protocol.MaxExtraBytes {
			t.Fatalf("the test's extra has %d bytes", fill.Size())
		}
		got, err := s.UpdateUser(t.Context(), u.ID, UserUpdate{Extra: fill})
		if err != nil || !reflect.DeepEqual(got.Extra, fill) {
			t.Fatalf("exactly the bound: %v", err)
		}
		_, err = s.UpdateUser(t.Context(), u.ID, UserUpdate{Extra: extraOf("z", "")})
		wantErr(t, err, ErrExtraBounds)
		if _, err = s.UpdateUser(t.Context(), u.ID, UserUpdate{Extra: protocol.Extra{"t": protocol.Null, "z": protocol.String("1")}}); err != nil {
			t.Error("removing makes room:", err)
		}
	})
}

func TestARehashKeepsTheSessionsAndTheTime(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		u := mustCreate(t, s, newUser("tiny"))
		sess := mustLogin(t, s, u.ID)
		got, err := s.UpdateUser(t.Context(), u.ID, UserUpdate{Password: []byte("anew"), Rehash: true, IfPassword: u.Password})
		if err != nil || string(got.Password) != "anew" || got.UpdatedAt != u.UpdatedAt {
			t.Fatalf("got %+v, %v", got, err)
		}
		if _, _, _, err := s.Resume(t.Context(), "", sess.Token, Arrival{}); err != nil {
			t.Error(err)
		}
	})
}

func TestADeletedUserIsGoneWithNamesAndSessions(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		u := mustCreate(t, s, newUserWithEmail("Tiny", "Tina@home.com"))
		sess := mustLogin(t, s, u.ID)
		if deleted, err := s.DeleteUser(t.Context(), u.ID); !deleted || err != nil {
			t.Fatal(deleted, err)
		}
		if deleted, err := s.DeleteUser(t.Context(), u.ID); deleted || err != nil {
			t.Fatal("a second time:", deleted, err)
		}
		_, err := s.User(t.Context(), u.ID)
		wantErr(t, err, ErrUserNotFound)
		_, _, _, err = s.Resume(t.Context(), "", sess.Token, Arrival{})
		wantErr(t, err, ErrSessionInvalid)
		wantName(t, s, "tiny", uuid.Nil)
		wantEmail(t, s, "tina@home.com", uuid.Nil)
		checkConsistent(t, s, false)
		mustCreate(t, s, newUserWithEmail("tiny", "tina@home.com"))
		checkConsistent(t, s, false)
	})
}

func TestARepeatedCreateAnswersTheUserOfTheFirst(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		n := newUserWithEmail("Tiny", "tina@home.com")
		n.ID = uuid.New()
		mustCreate(t, s, n)
		renamed, err := s.UpdateUser(t.Context(), n.ID, UserUpdate{Username: new("Tim"), Email: new("")})
		if err != nil {
			t.Fatal(err)
		}
		if got := mustCreate(t, s, n); !reflect.DeepEqual(got, renamed) {
			t.Errorf("got %+v, want %+v", got, renamed)
		}
		checkConsistent(t, s, false) // the names of the repetition are free again
		wantName(t, s, "tiny", uuid.Nil)
	})
}

func TestTheFirstIdempotencyRecordIsKept(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		first, second := uuid.New(), uuid.New()
		for i, c := range []struct {
			scope, key string
			id         uuid.UUID
			digest     string
			wantID     uuid.UUID
			wantDigest string
		}{
			{"a", "k", first, "d1", first, "d1"},
			{"a", "k", first, "d1", first, "d1"},
			{"a", "k", second, "d2", first, "d1"},
			{"b", "k", second, "d2", second, "d2"},
			{"a:k", "", second, "d2", second, "d2"},
			{"a", "k:", second, "", second, ""},
		} {
			id, digest, err := s.Idempotent(t.Context(), c.scope, c.key, c.id, c.digest)
			if err != nil || id != c.wantID || digest != c.wantDigest {
				t.Errorf("%d: got %v %q, %v", i, id, digest, err)
			}
		}
	})
}
