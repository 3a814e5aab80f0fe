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

	"github.com/go-json-experiment/json"
	"github.com/redis/go-redis/v9"
)

// An admin is a hash: ca created_at in ms, r role, s scopes as a JSON array
// (absent for all), p password record, g generation. A token holds for the
// generation it was made in; a new password starts a new one, and so does a new
// admin of the same name.
const (
	adminRole       = "r"
	adminScopes     = "s"
	adminGeneration = "g"

	adminTokenBytes = 32
)

var (
	scriptAdminToken = newScript("admin_token")
	scriptInitKey    = newScript("init_key")
)

// CreateAdmin creates an admin. ErrAdminExists if the name is taken.
func (s *Store) CreateAdmin(ctx context.Context, a Admin) (Admin, error) {
	args := []any{a.Name, opTTL.Milliseconds(), "", "",
		adminRole, a.Role, fieldPassword, string(a.Password), adminGeneration, randomID()}
	if len(a.Scopes) > 0 {
		b, err := json.Marshal(a.Scopes)
		if err != nil {
			return Admin{}, fmt.Errorf("create admin: %w", err)
		}
		args = append(args, adminScopes, string(b))
	}
	keys := []string{adminKey(a.Name), adminNamesKey, opKey(adminsTag, randomID())}
	r, err := s.runReply(ctx, scriptCreateListed, keys, args...)
	if err == nil && r.int(0) == 0 {
		err = ErrAdminExists
	}
	if err == nil {
		a, _, err = decodeAdmin(a.Name, r.texts(1))
	}
	if err != nil {
		return Admin{}, fmt.Errorf("create admin: %w", err)
	}
	return a, nil
}

// Admin returns an admin, or ErrAdminNotFound.
func (s *Store) Admin(ctx context.Context, name string) (Admin, error) {
	a, _, err := s.readAdmin(ctx, name)
	if err != nil {
		return Admin{}, fmt.Errorf("read admin: %w", err)
	}
	return a, nil
}

func (s *Store) readAdmin(ctx context.Context, name string) (a Admin, generation string, err error) {
	cmd := redis.NewStringSliceCmd(ctx, "hgetall", adminKey(name))
	if err := s.do(ctx, cmd); err != nil {
		return Admin{}, "", err
	}
	return decodeAdmin(name, cmd.Val())
}

// Admins returns all admins by name.
func (s *Store) Admins(ctx context.Context) ([]Admin, error) {
	names, err := s.listed(ctx, adminNamesKey)
	if err != nil {
		return nil, fmt.Errorf("list admins: %w", err)
	}
	all := make([]Admin, 0, len(names))
	for _, name := range names {
		a, _, err := s.readAdmin(ctx, name)
		if errors.Is(err, ErrAdminNotFound) {
			continue // deleted just now
		}
		if err != nil {
			return nil, fmt.Errorf("list admins: %w", err)
		}
		all = append(all, a)
	}
	return all, nil
}

// DeleteAdmin deletes an admin, whose tokens end with him, and reports whether
// there was one.
func (s *Store) DeleteAdmin(ctx context.Context, name string) (bool, error) {
	keys := []string{adminKey(name), adminNamesKey, opKey(adminsTag, randomID())}
	n, err := s.run(ctx, scriptDeleteListed, keys, name, opTTL.Milliseconds(), "", "")
	if err != nil {
		return false, fmt.Errorf("delete admin: %w", err)
	}
	return n == int64(1), nil
}

// SetAdminPassword stores a new password record and ends all tokens of the
// admin.
func (s *Store) SetAdminPassword(ctx context.Context, name string, record []byte) (Admin, error) {
	r, err := s.runReply(ctx, scriptChangeListed, []string{adminKey(name)}, "", "",
		fieldPassword, string(record), adminGeneration, randomID())
	if err == nil && r.int(0) == 0 {
		err = ErrAdminNotFound
	}
	var a Admin
	if err == nil {
		a, _, err = decodeAdmin(name, r.texts(1))
	}
	if err != nil {
		return Admin{}, fmt.Errorf("set admin's password: %w", err)
	}
	return a, nil
}

// StartAdminSession makes a token that is good for ttl, or until the admin is
// deleted or gets another password.
func (s *Store) StartAdminSession(ctx context.Context, name string, ttl time.Duration) (token string, expires time.Time, err error) {
	_, generation, err := s.readAdmin(ctx, name)
	if err != nil {
		return "", time.Time{}, fmt.Errorf("start admin's session: %w", err)
	}
	raw := make([]byte, adminTokenBytes)
	rand.Read(raw)
	token = base64.RawURLEncoding.EncodeToString(raw)
	r, err := s.runReply(ctx, scriptAdminToken, []string{adminTokenKey(hashAdminToken(token))}, generation, name, ttl.Milliseconds())
	if err != nil {
		return "", time.Time{}, fmt.Errorf("start admin's session: %w", err)
	}
	return token, millis(r.int(0)), nil
}

// AdminSession returns the admin of a token and until when it is good, or
// ErrSessionInvalid.
func (s *Store) AdminSession(ctx context.Context, token string) (Admin, time.Time, error) {
	a, expires, err := s.adminSession(ctx, token)
	if err != nil {
		return Admin{}, time.Time{}, fmt.Errorf("resume admin's session: %w", err)
	}
	return a, expires, nil
}

func (s *Store) adminSession(ctx context.Context, token string) (Admin, time.Time, error) {
	cmd := redis.NewStringCmd(ctx, "get", adminTokenKey(hashAdminToken(token)))
	if err := s.do(ctx, cmd); err == redis.Nil {
		return Admin{}, time.Time{}, ErrSessionInvalid
	} else if err != nil {
		return Admin{}, time.Time{}, err
	}
	generation, rest, _ := strings.Cut(cmd.Val(), " ")
	ms, name, _ := strings.Cut(rest, " ")
	expires, err := parseMillis(ms)
	if err != nil {
		return Admin{}, time.Time{}, errors.New("stored admin token is malformed")
	}
	a, now, err := s.readAdmin(ctx, name)
	if errors.Is(err, ErrAdminNotFound) || err == nil && now != generation {
		return Admin{}, time.Time{}, ErrSessionInvalid
	}
	return a, expires, err
}

func hashAdminToken(token string) string {
	sum := sha256.Sum256([]byte(token))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// decodeAdmin makes an admin of his hash, field, value, …
func decodeAdmin(name string, flat []string) (a Admin, generation string, err error) {
	if len(flat) == 0 {
		return Admin{}, "", ErrAdminNotFound
	}
	a.Name = name
	for i := 0; i+1 < len(flat); i += 2 {
		switch field, value := flat[i], flat[i+1]; field {
		case fieldCreatedAt:
			a.CreatedAt, err = parseMillis(value)
		case adminRole:
			a.Role = value
		case fieldPassword:
			a.Password = []byte(value)
		case adminGeneration:
			generation = value
		case adminScopes:
			err = json.Unmarshal([]byte(value), &a.Scopes)
		}
		if err != nil {
			return Admin{}, "", fmt.Errorf("stored admin is malformed: %w", err)
		}
	}
	return a, generation, nil
}

// InitServerKey keeps the SHA-256 of the server key if none is kept yet, and
// returns the one that is, and whether this call brought it.
func (s *Store) InitServerKey(ctx context.Context, hash []byte) (kept []byte, created bool, err error) {
	r, err := s.runReply(ctx, scriptInitKey, []string{metaKey}, string(hash), randomID())
	if err != nil {
		return nil, false, fmt.Errorf("init server key: %w", err)
	}
	return []byte(r.text(0)), r.int(1) == 1, nil
}
