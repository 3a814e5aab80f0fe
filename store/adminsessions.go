package store

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// An admin's session is a string "<generation> <expiry, ms> <name>" under the hash
// of its token, beside the admins, so that its end and the news of it are one
// write.

// adminTokenBytes is how long an admin's token is, before it is written as text:
// 256 bits.
const adminTokenBytes = 32

var (
	scriptAdminToken  = newScript("admin_token")
	scriptAdminLogout = newScript("admin_logout")
)

// StartAdminSession makes a token for an admin as he was read. It is good for
// ttl, or until the admin logs out, is deleted or gets another password; if he
// did since he was read, it never is.
func (s *Store) StartAdminSession(ctx context.Context, a Admin, ttl time.Duration) (token string, expires time.Time, err error) {
	raw := make([]byte, adminTokenBytes)
	rand.Read(raw)
	token = base64.RawURLEncoding.EncodeToString(raw)
	expires, err = s.keepAdminToken(ctx, token, a, ttl, "new")
	if err != nil {
		return "", time.Time{}, fmt.Errorf("start admin's session: %w", err)
	}
	return token, expires, nil
}

// KeepAdminSession makes a token of an admin's former generation good for the
// one that he is read in, for ttl from now. One that has ended meanwhile stays
// so: ErrSessionInvalid.
func (s *Store) KeepAdminSession(ctx context.Context, token string, a Admin, ttl time.Duration) error {
	if _, err := s.keepAdminToken(ctx, token, a, ttl, "old"); err != nil {
		return fmt.Errorf("keep admin's session: %w", err)
	}
	return nil
}

func (s *Store) keepAdminToken(ctx context.Context, token string, a Admin, ttl time.Duration, age string) (expires time.Time, err error) {
	r, err := s.runReply(ctx, scriptAdminToken, []string{adminSessionKey(AdminSessionID(token))}, a.Generation, a.Name, ttl.Milliseconds(), age)
	if err == nil && r.int(0) == 0 {
		err = ErrSessionInvalid
	}
	if err != nil {
		return time.Time{}, err
	}
	return millis(r.int(0)), nil
}

// AdminSessionID returns what names the session of an admin's token without
// opening it: its hash.
func AdminSessionID(token string) string {
	sum := sha256.Sum256([]byte(token))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// AdminSession returns the admin of a session and until when it is good, or
// ErrSessionInvalid.
func (s *Store) AdminSession(ctx context.Context, id string) (Admin, time.Time, error) {
	a, expires, err := s.adminSession(ctx, id)
	if err != nil {
		return Admin{}, time.Time{}, fmt.Errorf("read admin's session: %w", err)
	}
	return a, expires, nil
}

func (s *Store) adminSession(ctx context.Context, id string) (Admin, time.Time, error) {
	cmd := redis.NewStringCmd(ctx, "get", adminSessionKey(id))
	if err := s.do(ctx, cmd); err == redis.Nil {
		return Admin{}, time.Time{}, ErrSessionInvalid
	} else if err != nil {
		return Admin{}, time.Time{}, err
	}
	generation, rest, _ := strings.Cut(cmd.Val(), " ")
	ms, name, _ := strings.Cut(rest, " ")
	expires, err := parseMillis(ms)
	if err != nil {
		return Admin{}, time.Time{}, errors.New("stored admin session is malformed")
	}
	a, err := s.readAdmin(ctx, name)
	if errors.Is(err, ErrAdminNotFound) || err == nil && a.Generation != generation {
		return Admin{}, time.Time{}, ErrSessionInvalid
	}
	return a, expires, err
}

// EndAdminSession ends a session of an admin and tells every node. One that has
// ended is told again.
func (s *Store) EndAdminSession(ctx context.Context, name, id string) error {
	tell := signalEffect(Signal{Kind: SignalLogout, Admin: name, Session: id})
	_, err := s.run(ctx, scriptAdminLogout, []string{adminSessionKey(id), outboxKey(adminsTag)}, tell.id, tell.String())
	if err != nil {
		return fmt.Errorf("end admin's session: %w", err)
	}
	s.finish(ctx, outboxKey(adminsTag), tell)
	return nil
}
