package store

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"

	"rollcall/protocol"
)

// Usernames, emails and identities of providers are unique within a scope. The
// entry of such a name and the user's record lie in different slots, so no
// script can write both. Instead:
//
//  1. Reserve: the entry gets "<uuid> <stamp>", the stamp being Redis' time in ms.
//  2. Write: one script in the user's slot writes the record that names the
//     entry. That is the commit. It is refused when the reservation has been
//     fenced off in that slot.
//  3. An entry counts only while the record of its holder names it back.
//
// A crash leaves at worst an entry that no record names. Whoever wants that
// name waits until the reservation is too old to be under way (ReservationAge),
// fences it off in the holder's slot, so that a slow holder can no longer
// commit, and takes the entry over.
//
// What makes this safe is one invariant: while a record names an entry, the
// entry names that record's user. It holds because an entry is taken from its
// holder, by anybody and for any reason, only in this order:
//
//   - read the entry: holder and stamp;
//   - in the holder's slot, in one script: give up if the record names the
//     entry, else refuse all later commits with this stamp or an older one;
//   - replace or delete the entry if it is still exactly what was read.
//
// The stamp of an entry rises with every reservation by the same user, so a
// holder that reserves again in between is neither fenced off nor robbed.
// Giving up a reservation and freeing an old name go the same way.
var (
	scriptReserve = newScript("reserve")
	scriptFence   = newScript("fence")
	scriptRelease = newScript("release")
)

const (
	// fenceTTL is how long a fence stands. No commit may take that long: a
	// command is given up after seconds.
	fenceTTL = time.Hour

	// goneTTL is how long a deleted user's id can't be used again: longer than
	// an idempotency key is kept, by which a create may come back with it.
	goneTTL = idempotencyTTL + time.Hour

	// opTTL is how long the outcome of a write is kept for its repetition.
	opTTL = 10 * time.Minute

	// reserveWait is how long a create waits for another one of the same name
	// that may still fail.
	reserveWait = time.Second

	// maxAttempts bounds how often a write starts again because of others.
	maxAttempts = 8

	// releaseTimeout bounds the freeing of a name after the caller has gone.
	releaseTimeout = 3 * time.Second
)

// An entry is one entry of an index: a username, an email or a provider's
// identity of a scope.
type entry struct {
	step     string // in the names of fault points
	key      string // Redis key
	scope    string
	value    string // the username key, email key or identity
	field    string // of the user's hash: the text as typed
	keyField string // of the user's hash: its key, when that differs
	taken    error
}

func nameEntry(scope, key string) entry {
	return entry{"name", nameKey(scope, key), scope, key, fieldUsername, fieldUsernameKey, ErrUsernameTaken}
}

func mailEntry(scope, key string) entry {
	return entry{"mail", mailKey(scope, key), scope, key, fieldEmail, fieldEmailKey, ErrEmailTaken}
}

// namedBy reports whether u names the entry.
func (e entry) namedBy(u *User) bool {
	if u.Scope != e.scope {
		return false
	}
	switch e.field {
	case fieldUsername:
		return protocol.UsernameKey(u.Username) == e.value
	case fieldEmail:
		return protocol.EmailKey(u.Email) == e.value
	}
	p, ok := u.Provider(strings.TrimPrefix(e.field, providerPrefix))
	return ok && p.Identity == e.value
}

// A claim is a reservation that we hold: the entry has exactly this stamp.
type claim struct {
	entry
	stamp int64
}

// A reservation is the parsed value of an entry.
type reservation struct {
	value  string // "<uuid> <stamp>"
	holder uuid.UUID
	stamp  int64
}

func parseReservation(value string) (reservation, error) {
	holder, stamp, _ := strings.Cut(value, " ")
	id, err1 := uuid.Parse(holder)
	n, err2 := strconv.ParseInt(stamp, 10, 64)
	if err1 != nil || err2 != nil {
		return reservation{}, errors.New("index entry is malformed")
	}
	return reservation{value, id, n}, nil
}

// reserve claims an entry for a user, with a stamp of at least least. An entry
// that the user holds already is claimed anew. The error is e.taken when
// another user has it.
func (s *Store) reserve(ctx context.Context, id uuid.UUID, e entry, least int64) (claim, error) {
	deadline := time.Now().Add(reserveWait)
	pause := 10 * time.Millisecond
	over := "" // the value that may be taken over
	for {
		s.fault("before reserve " + e.step)
		r, err := s.runReply(ctx, scriptReserve, []string{e.key}, id.String(), least, over)
		if err != nil {
			return claim{}, fmt.Errorf("reserve %s: %w", e.step, err)
		}
		s.fault("after reserve " + e.step)
		if r.int(0) == 1 {
			return claim{e, r.int(1)}, nil
		}
		other, err := parseReservation(r.text(1))
		if err != nil {
			return claim{}, fmt.Errorf("reserve %s: %w", e.step, err)
		}
		age := time.Duration(r.int(2)) * time.Millisecond

		over = ""
		named, err := s.named(ctx, other.holder, e)
		if err == nil && !named && age > s.cfg.ReservationAge {
			if named, err = s.fence(ctx, other, e); err == nil && !named {
				over = other.value
				continue
			}
		}
		switch left := time.Until(deadline); {
		case err != nil:
			return claim{}, err
		case named, left <= 0:
			return claim{}, e.taken
		default:
			// Somebody is about to commit, or has died. No longer than until
			// the reservation is old enough.
			wait := min(pause, left, max(s.cfg.ReservationAge-age+time.Millisecond, time.Millisecond))
			if err := sleep(ctx, wait); err != nil {
				return claim{}, err
			}
			pause *= 2
		}
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return callerGone(ctx.Err())
	}
}

// named reports whether a user's record names the entry.
func (s *Store) named(ctx context.Context, id uuid.UUID, e entry) (bool, error) {
	cmd := redis.NewSliceCmd(ctx, "hmget", partitionOf(id).user(id), fieldScope, e.field, e.keyField)
	if err := s.do(ctx, cmd); err != nil {
		return false, fmt.Errorf("look up holder of %s: %w", e.step, err)
	}
	r := reply(cmd.Val())
	if r.text(0) != e.scope {
		return false, nil
	}
	if key := r.text(2); key != "" {
		return key == e.value, nil
	}
	return r.text(1) == e.value, nil
}

// fence makes sure that a reservation is never committed, unless it was: then
// named is true.
func (s *Store) fence(ctx context.Context, r reservation, e entry) (named bool, err error) {
	p := partitionOf(r.holder)
	s.fault("before fence")
	v, err := s.run(ctx, scriptFence, []string{p.user(r.holder), p.fence(r.holder)},
		e.scope, e.field, e.keyField, e.value, e.key, r.stamp, fenceTTL.Milliseconds())
	if err != nil {
		return false, fmt.Errorf("fence off %s: %w", e.step, err)
	}
	s.fault("after fence")
	return v == int64(1), nil
}

// free takes an entry from a user whose record does not name it, or no longer
// names it. Otherwise, and if somebody else holds it, nothing happens.
func (s *Store) free(ctx context.Context, id uuid.UUID, e entry) error {
	cmd := redis.NewStringCmd(ctx, "get", e.key)
	if err := s.do(ctx, cmd); err == redis.Nil {
		return nil
	} else if err != nil {
		return fmt.Errorf("free %s: %w", e.step, err)
	}
	r, err := parseReservation(cmd.Val())
	if err != nil || r.holder != id {
		return err
	}
	if named, err := s.fence(ctx, r, e); named || err != nil {
		return err
	}
	s.fault("before release")
	if _, err := s.run(ctx, scriptRelease, []string{e.key}, r.value); err != nil {
		return fmt.Errorf("free %s: %w", e.step, err)
	}
	s.fault("after release")
	return nil
}

// freeAll frees entries even when the caller has gone. What cannot be freed now
// is taken over by whoever wants it, so errors are only logged.
func (s *Store) freeAll(ctx context.Context, id uuid.UUID, entries ...entry) {
	if len(entries) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseTimeout)
	defer cancel()
	for _, e := range entries {
		if err := s.free(ctx, id, e); err != nil {
			s.log.Warn("a name stays reserved until somebody wants it", "user", id, "error", err)
		}
	}
}

// claims are what one write has reserved.
type claims struct {
	held  []claim
	least map[string]int64 // by Redis key: the stamp that the next reservation needs, because older ones are fenced off
}

// reserve claims an entry and remembers it.
func (c *claims) reserve(ctx context.Context, s *Store, id uuid.UUID, e entry) (claim, error) {
	cl, err := s.reserve(ctx, id, e, c.least[e.key])
	if err == nil {
		c.held = append(c.held, cl)
	}
	return cl, err
}

// refused takes note of a commit that a fence refused: the reservation has to
// be made anew, with a stamp above the fence's.
func (c *claims) refused(e entry, fence int64) {
	if c.least == nil {
		c.least = make(map[string]int64)
	}
	c.least[e.key] = fence + 1
}

// giveUp frees what was reserved and not committed.
func (c *claims) giveUp(ctx context.Context, s *Store, id uuid.UUID) {
	entries := make([]entry, 0, len(c.held))
	for _, cl := range c.held {
		entries = append(entries, cl.entry)
	}
	s.freeAll(ctx, id, entries...)
}

func usernameEntry(scope, username string) entry {
	return nameEntry(scope, protocol.UsernameKey(username))
}

func emailEntry(scope, email string) entry { return mailEntry(scope, protocol.EmailKey(email)) }
