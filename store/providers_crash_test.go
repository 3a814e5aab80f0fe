package store

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/google/uuid"
)

// A providerCrash is one write of a user's provider: create, add, rebind, remove
// or delete. With the last three the user has old(), with the others he gets
// fresh().
type providerCrash struct{ crash }

func (c providerCrash) old() Provider   { return google(c.Name + " old") }
func (c providerCrash) fresh() Provider { return google(c.Name + " new") }

func (c providerCrash) prepare(t *testing.T, s *Store) {
	n := newUser(c.Name)
	n.ID = c.User
	switch c.Op {
	case "create":
		return
	case "rebind", "remove", "delete":
		n.Provider = new(c.old())
	}
	mustCreate(t, s, n)
}

func (c providerCrash) write(ctx context.Context, s *Store) (err error) {
	switch c.Op {
	case "create":
		n := newUser(c.Name)
		n.ID, n.Provider = c.User, new(c.fresh())
		_, err = s.CreateUser(ctx, n)
	case "add":
		_, err = s.AddProvider(ctx, c.User, c.fresh())
	case "rebind":
		_, err = s.UpdateProvider(ctx, c.User, "google", ProviderUpdate{Identity: new(c.fresh().Identity)})
	case "remove":
		_, err = s.RemoveProvider(ctx, c.User, "google")
	case "delete":
		_, err = s.DeleteUser(ctx, c.User)
	}
	return err
}

// providerCrashes are all steps of all writes, and whether the write is done by then.
var providerCrashes = []struct {
	op, step string
	nth      int
	done     bool
}{
	{"create", "before reserve provider", 1, false},
	{"create", "after reserve provider", 1, false},
	{"create", "before commit", 1, false},
	{"create", "after commit", 1, true},
	{"add", "before reserve provider", 1, false},
	{"add", "after reserve provider", 1, false},
	{"add", "before commit", 1, false},
	{"add", "after commit", 1, true},
	{"rebind", "before reserve provider", 1, false},
	{"rebind", "after reserve provider", 1, false},
	{"rebind", "before commit", 1, false},
	{"rebind", "after commit", 1, true},
	{"rebind", "before fence", 1, true},
	{"rebind", "after fence", 1, true},
	{"rebind", "before release", 1, true},
	{"rebind", "after release", 1, true},
	{"remove", "before commit", 1, false},
	{"remove", "after commit", 1, true},
	{"remove", "before fence", 1, true},
	{"remove", "after fence", 1, true},
	{"remove", "before release", 1, true},
	{"remove", "after release", 1, true},
	{"delete", "after commit", 1, true},
	{"delete", "before fence", 2, true}, // the first time it is the username's
	{"delete", "after fence", 2, true},
	{"delete", "before release", 2, true},
	{"delete", "after release", 2, true},
}

func TestAProcessKilledAtAnyStepLosesAndDoublesNoIdentity(t *testing.T) {
	onServers(t, Config{ReservationAge: crashAge}, func(t *testing.T, cfg Config) {
		s := openTest(t, cfg)
		all := make([]providerCrash, len(providerCrashes))
		for i, k := range providerCrashes {
			all[i] = providerCrash{crash{URL: cfg.URL, Of: crashOfProviders, Op: k.op, Step: k.step, Nth: k.nth, User: uuid.New(), Name: fmt.Sprint("user", i)}}
			all[i].prepare(t, s)
		}
		runAll(t, all)
		checkProviders(t, s, true)
		allTogether(len(all), func(i int) {
			checkAfterProviderCrash(t, s, all[i], providerCrashes[i].done)
		})
		checkProviders(t, s, true)
	})
}

// The same on every kind of storage, with a writer that just stops.
func TestAWriterThatStopsAtAnyStepLosesAndDoublesNoIdentity(t *testing.T) {
	var a abandoner
	onEveryWith(t, Config{ReservationAge: crashAge, fault: a.fault}, func(t *testing.T, s *Store) {
		for i, k := range providerCrashes {
			if k.nth > 1 {
				continue
			}
			c := providerCrash{crash{Of: crashOfProviders, Op: k.op, Step: k.step, User: uuid.New(), Name: fmt.Sprint("user", i)}}
			c.prepare(t, s)
			if !a.run(k.step, func() { c.do(t.Context(), s) }) {
				t.Errorf("%s: %s not reached", k.op, k.step)
			}
			checkAfterProviderCrash(t, s, c, k.done)
		}
		checkProviders(t, s, true)
	})
}

// checkAfterProviderCrash has rivals bind both identities that the write
// touched. Each is either the victim's and refused, or free and given, at the
// latest when the reservation is too old.
func checkAfterProviderCrash(t *testing.T, s *Store, c providerCrash, done bool) {
	t.Helper()
	what := fmt.Sprintf("%s killed at %s, %d", c.Op, c.Step, c.Nth)
	want := "" // the identity that the victim has
	switch {
	case c.Op == "rebind" && !done, c.Op == "remove" && !done, c.Op == "delete" && !done:
		want = c.old().Identity
	case c.Op == "create" && done, c.Op == "add" && done, c.Op == "rebind" && done:
		want = c.fresh().Identity
	}
	victim, err := s.User(t.Context(), c.User)
	if exists := !(c.Op == "create" && !done || c.Op == "delete" && done); exists != (err == nil) {
		t.Errorf("%s: the user: %v", what, err)
		return
	}
	if has, _ := victim.Provider("google"); has.Identity != want {
		t.Errorf("%s: the user has %q, want %q", what, has.Identity, want)
	}
	for i, p := range []Provider{c.old(), c.fresh()} {
		// An entry that was left behind resolves to nobody.
		holder, found := s.UserByProvider(t.Context(), testScope, p.Name, p.Identity)
		if want == p.Identity && holder.ID != c.User || want != p.Identity && !errors.Is(found, ErrUserNotFound) {
			t.Errorf("%s: %s resolves to %v, %v", what, p.Identity, holder.ID, found)
		}
		var rival User
		if i == 0 {
			n := newUser(fmt.Sprint(c.Name, " rival ", i))
			n.Provider = &p
			rival, err = s.CreateUser(t.Context(), n)
		} else {
			rival = mustCreate(t, s, newUser(fmt.Sprint(c.Name, " rival ", i)))
			_, err = s.AddProvider(t.Context(), rival.ID, p)
		}
		holder, found = s.UserByProvider(t.Context(), testScope, p.Name, p.Identity)
		checkHolder(t, what+": "+p.Identity, want == p.Identity, victim.ID, rival.ID, holder.ID, err, ErrProviderTaken, found)
	}
}
