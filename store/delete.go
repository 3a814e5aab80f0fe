package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"rollcall/protocol"
)

var scriptDelete = newScript("delete", "event")

// DeleteUser removes a user with his codes, ends the sessions on every node and
// frees the names, those at providers too. It reports whether there was such a
// user.
func (s *Store) DeleteUser(ctx context.Context, id uuid.UUID) (bool, error) {
	for range maxAttempts {
		u, err := s.User(ctx, id)
		if errors.Is(err, ErrUserNotFound) {
			return false, nil
		}
		if err != nil {
			return false, fmt.Errorf("delete user: %w", err)
		}
		deleted, again, err := s.tryDelete(ctx, id, u.Scope)
		if err != nil {
			return false, fmt.Errorf("delete user: %w", err)
		}
		if !again {
			return deleted, nil
		}
	}
	return false, fmt.Errorf("delete user: %w", ErrConflict)
}

// tryDelete deletes the user of a scope. again: he is of another one by now.
func (s *Store) tryDelete(ctx context.Context, id uuid.UUID, scope string) (deleted, again bool, err error) {
	p := partitionOf(id)
	ended := signalEffect(Signal{
		Kind: SignalEnd, User: id, Code: int(protocol.CloseSessionEnded), Reason: "user deleted",
	})
	keys := []string{p.user(id), p.sessions(id), p.op(randomID()), p.outbox(), p.names(scope), p.created(scope), p.codes(id), p.fence(id), p.online(scope), p.pending()}

	s.fault("before commit")
	r, err := s.runReply(ctx, scriptDelete, keys, id.String(), scope, opTTL.Milliseconds(), ended.id, ended.String(), goneTTL.Milliseconds(), string(id[:]), newEffectID())
	if err != nil {
		return false, false, err
	}
	s.fault("after commit")

	switch r.int(0) {
	case 1:
		s.freeFormer(ctx, id, scope, r.text(1), r.text(2))
		bound := r.texts(3)
		for i := 0; i+1 < len(bound); i += 2 {
			s.freeAll(ctx, id, providerEntry(scope, bound[i], bound[i+1]))
		}
		s.finish(ctx, p.outbox(), ended)
		s.tell(ctx, p.outbox(), r.texts(4))
		return true, false, nil
	case 2:
		return false, true, nil
	}
	return false, false, nil
}
