package store

import (
	"context"
	"fmt"
	"strconv"

	"github.com/go-json-experiment/json"
	"github.com/google/uuid"

	"rollcall/protocol"
)

var scriptBan = newScript("ban", "event")

// BanUser keeps a user from logging in until a moment, or for good if that is
// zero, and ends all sessions, on every node. A user who is banned already is
// from then on banned as told. ErrUserNotFound if there is no such user.
func (s *Store) BanUser(ctx context.Context, id uuid.UUID, b Ban) (User, error) {
	until, more := "0", ""
	if b.Reason != "" {
		more = `,"reason":` + string(quote(b.Reason))
	}
	if !b.Until.IsZero() {
		until = strconv.FormatInt(b.Until.UnixMilli(), 10)
		at, err := json.Marshal(protocol.Time{Time: b.Until})
		if err != nil {
			return User{}, fmt.Errorf("ban user: %w", err)
		}
		more += `,"until":` + string(at)
	}
	u, err := s.setBan(ctx, id, until, b.Reason, more)
	if err != nil {
		return User{}, fmt.Errorf("ban user: %w", err)
	}
	return u, nil
}

// UnbanUser lifts a ban, if there is one. ErrUserNotFound if there is no such
// user.
func (s *Store) UnbanUser(ctx context.Context, id uuid.UUID) (User, error) {
	u, err := s.setBan(ctx, id, "", "", "")
	if err != nil {
		return User{}, fmt.Errorf("unban user: %w", err)
	}
	return u, nil
}

func (s *Store) setBan(ctx context.Context, id uuid.UUID, until, reason, more string) (User, error) {
	p := partitionOf(id)
	ended := signalEffect(Signal{Kind: SignalEnd, User: id, Code: int(protocol.CloseBanned), Reason: reason, Disown: true})
	s.fault("before ban")
	r, err := s.runReply(ctx, scriptBan, []string{p.user(id), p.sessions(id), p.op(randomID()), p.outbox()},
		id.String(), opTTL.Milliseconds(), until, reason, ended.id, ended.String(), newEffectID(), more)
	if err != nil {
		return User{}, err
	}
	s.fault("after ban")
	if r.int(0) == 0 {
		return User{}, ErrUserNotFound
	}
	if until != "" {
		s.finish(ctx, p.outbox(), ended)
	}
	s.tell(ctx, p.outbox(), r.texts(2))
	return decodeUser(id, r.texts(1))
}
