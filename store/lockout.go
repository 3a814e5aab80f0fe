package store

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"time"
)

var scriptGuard = newScript("guard")

// A Guard bounds how often something may be guessed, over all nodes. After
// Limit wrong tries within Window it locks for Base; from then on each further
// wrong try locks it for twice as long, up to Max. A guard that was not locked
// for Window is as new.
//
// Kind and Key name what is guarded: the caller's word for it, such as
// "admin.login", and who guesses what. The key is kept as its hash only.
// Callers of one guard should name the same bounds; durations are kept in
// milliseconds.
type Guard struct {
	Kind, Key         string
	Limit             int
	Window, Base, Max time.Duration
}

// A Try is one try that a guard let through. It counts as wrong until it is
// taken back, so that tries at the same time are not more than the guard allows
// one by one.
type Try struct {
	guard Guard
	op    string

	// Locked is for how long the guard is locked now, if this try is wrong; 0 if
	// others are still free.
	Locked time.Duration
}

// Try asks a guard for one more try. While the guard is locked there is none,
// and wait says for how long still.
func (s *Store) Try(ctx context.Context, g Guard) (try Try, wait time.Duration, err error) {
	try = Try{guard: g, op: randomID()}
	r, err := s.guard(ctx, "try", &try)
	if err != nil {
		return Try{}, 0, err
	}
	if wait = time.Duration(r.int(0)) * time.Millisecond; wait > 0 {
		return Try{}, wait, nil
	}
	try.Locked = time.Duration(r.int(1)) * time.Millisecond
	return try, 0, nil
}

// Undo takes a try back: it was not wrong, or it was never held against
// anything. A lock that it brought ends.
func (s *Store) Undo(ctx context.Context, try Try) error {
	_, err := s.guard(ctx, "undo", &try)
	return err
}

// Clear forgets all tries of a guard: one was right.
func (s *Store) Clear(ctx context.Context, try Try) error {
	_, err := s.guard(ctx, "clear", &try)
	return err
}

func (s *Store) guard(ctx context.Context, mode string, try *Try) (reply, error) {
	g := &try.guard
	sum := sha256.Sum256([]byte("guard:" + g.Kind + ":" + g.Key))
	key := guardKey(g.Kind, base64.RawURLEncoding.EncodeToString(sum[:16]))
	r, err := s.runReply(ctx, scriptGuard, []string{key}, mode, try.op,
		g.Limit, g.Window.Milliseconds(), g.Base.Milliseconds(), g.Max.Milliseconds())
	if err != nil {
		return nil, fmt.Errorf("guard %s: %w", g.Kind, err)
	}
	return r, nil
}
