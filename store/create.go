package store

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"rollcall/protocol"
)

var scriptCreate = newScript("create", "event")

// CreateUser creates a user. The username, and the email and the provider's
// identity if there are any, must not be another user's of the scope:
// ErrUsernameTaken, ErrEmailTaken, ErrProviderTaken. Names and values are taken
// to be valid, but extra is held to its bounds (ErrExtraBounds).
//
// A repetition with the same ID answers with the user that the first one made,
// as it is now; once that user was deleted, with ErrUserGone for 25 hours, which
// is longer than an idempotency key may name the ID. After ErrUnavailable the
// user may exist or not; repeating the call with the same ID settles it.
func (s *Store) CreateUser(ctx context.Context, n NewUser) (User, error) {
	u, err := s.createUser(ctx, n)
	if err != nil {
		return User{}, fmt.Errorf("create user: %w", err)
	}
	return u, nil
}

func (s *Store) createUser(ctx context.Context, n NewUser) (User, error) {
	n.Extra = withoutNulls(n.Extra)
	if len(n.Extra) > protocol.MaxExtraKeys || n.Extra.Size() > protocol.MaxExtraBytes {
		return User{}, ErrExtraBounds
	}
	if n.ID == uuid.Nil {
		n.ID = uuid.New()
	}
	entries := []entry{usernameEntry(n.Scope, n.Username)}
	if n.Email != "" {
		entries = append(entries, emailEntry(n.Scope, n.Email))
	}
	if n.Provider != nil {
		if err := n.Provider.check(); err != nil {
			return User{}, err
		}
		entries = append(entries, n.Provider.entry(n.Scope))
	}
	var c claims
	for range maxAttempts {
		u, again, err := s.tryCreate(ctx, &n, entries, &c)
		if again {
			continue
		}
		if err != nil {
			c.giveUp(ctx, s, n.ID)
		}
		return u, err
	}
	c.giveUp(ctx, s, n.ID)
	return User{}, ErrConflict
}

// tryCreate goes through reserve and commit once. again: a reservation was
// fenced off on the way.
func (s *Store) tryCreate(ctx context.Context, n *NewUser, entries []entry, c *claims) (u User, again bool, err error) {
	p := partitionOf(n.ID)
	nameKey := protocol.UsernameKey(n.Username)
	args := []any{n.ID.String(), nameKey, opTTL.Milliseconds(), newEffectID(), n.Via.method() + n.Via.place(), len(entries)}
	for _, e := range entries {
		cl, err := c.reserve(ctx, s, n.ID, e)
		if err != nil {
			return User{}, false, err
		}
		args = append(args, e.key, cl.stamp)
	}
	keys := []string{p.user(n.ID), p.fence(n.ID), p.op(randomID()), p.names(n.Scope), p.created(n.Scope), p.outbox(), p.pending()}

	s.fault("before commit")
	r, err := s.runReply(ctx, scriptCreate, keys, append(args, n.fields()...)...)
	if err != nil {
		return User{}, false, fmt.Errorf("commit: %w", err)
	}
	s.fault("after commit")

	switch r.int(0) {
	case 1:
		s.tell(ctx, p.outbox(), r.texts(2))
		at := millis(r.int(1))
		u := User{
			ID: n.ID, Scope: n.Scope, Username: n.Username, Email: n.Email, Group: n.Group, Extra: n.Extra,
			Active: n.Active, Confirmation: n.Confirmation, Password: slices.Clone(n.Password),
			CreatedAt: at, UpdatedAt: at,
		}
		if !n.CreatedAt.IsZero() {
			u.CreatedAt = n.CreatedAt.Truncate(time.Millisecond).UTC()
		}
		if n.Provider != nil {
			u.ProviderRecords = []Provider{n.Provider.clone()}
			u.nameProviders()
		}
		return u, false, nil
	case 2:
		u, err := decodeUser(n.ID, r.texts(1))
		if err != nil {
			return User{}, false, err
		}
		// The user may have another name by now, and ours is not his then.
		c.giveUp(ctx, s, n.ID)
		return u, false, nil
	case 3:
		return User{}, false, ErrUserGone
	default:
		if i := r.int(1) - 1; i >= 0 && i < int64(len(entries)) {
			c.refused(entries[i], r.int(2))
		}
		return User{}, true, nil
	}
}

func withoutNulls(x protocol.Extra) protocol.Extra {
	var kept protocol.Extra
	for key, v := range x {
		if v.IsNull() {
			continue
		}
		if kept == nil {
			kept = make(protocol.Extra, len(x))
		}
		kept[key] = v
	}
	return kept
}
