package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"
)

// User returns a user, or ErrUserNotFound.
func (s *Store) User(ctx context.Context, id uuid.UUID) (User, error) {
	cmd := readUserCmd(ctx, id)
	if err := s.do(ctx, cmd); err != nil {
		return User{}, fmt.Errorf("read user: %w", err)
	}
	u, err := decodeUser(id, cmd.Val())
	if err != nil {
		return User{}, fmt.Errorf("read user: %w", err)
	}
	return u, nil
}

// UserByUsername returns the user of that name, compared by its key, or
// ErrUserNotFound.
func (s *Store) UserByUsername(ctx context.Context, scope, username string) (User, error) {
	u, err := s.userBy(ctx, usernameEntry(scope, username))
	if err != nil {
		return User{}, fmt.Errorf("find user by username: %w", err)
	}
	return u, nil
}

// UserByEmail returns the user with that email, compared by its key, or
// ErrUserNotFound.
func (s *Store) UserByEmail(ctx context.Context, scope, email string) (User, error) {
	u, err := s.userBy(ctx, emailEntry(scope, email))
	if err != nil {
		return User{}, fmt.Errorf("find user by email: %w", err)
	}
	return u, nil
}

// userBy follows an entry to the user whose record names it back. An entry that
// is not named back is a leftover or under way and counts as absent, unless it
// changed hands between the two reads.
func (s *Store) userBy(ctx context.Context, e entry) (User, error) {
	former := ""
	for range maxAttempts {
		cmd := redis.NewStringCmd(ctx, "get", e.key)
		if err := s.do(ctx, cmd); err == redis.Nil {
			return User{}, ErrUserNotFound
		} else if err != nil {
			return User{}, err
		}
		if cmd.Val() == former {
			return User{}, ErrUserNotFound
		}
		former = cmd.Val()
		r, err := parseReservation(former)
		if err != nil {
			return User{}, err
		}
		u, err := s.User(ctx, r.holder)
		if err == nil && e.namedBy(&u) {
			return u, nil
		}
		if err != nil && !errors.Is(err, ErrUserNotFound) {
			return User{}, err
		}
	}
	return User{}, ErrConflict
}
