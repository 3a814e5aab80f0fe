package server

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"fmt"
	"strings"

	"rollcall/protocol"
	"rollcall/server/passwords"
	"rollcall/store"
)

// BootstrapOptions are what must exist in the store before the first client comes.
type BootstrapOptions struct {
	// AdminPassword is for the account "admin", where that does not exist yet;
	// generated when empty.
	AdminPassword string
	// Scopes are created where they don't exist.
	Scopes []string
}

// Generated holds the secrets that had to be made at a store's first start. They
// can't be read again. A field is empty where there was a value already.
type Generated struct {
	Key           string
	AdminPassword string
}

// firstAdmin is the account that every store begins with.
const firstAdmin = "admin"

// Bootstrap makes sure that the store has a server key, the account "admin" and
// the wanted scopes. It is safe to run on several nodes at once.
func (s *Server) Bootstrap(ctx context.Context, opts BootstrapOptions) (Generated, error) {
	var made Generated
	if s.keyHash == nil {
		key := randomSecret()
		kept, created, err := s.store.InitServerKey(ctx, hashKey(key))
		if err != nil {
			return made, fmt.Errorf("server key: %w", err)
		}
		if created {
			made.Key = key
		}
		s.keyHash = kept
	}
	password, err := s.ensureAdmin(ctx, opts.AdminPassword)
	if err != nil {
		return made, fmt.Errorf("account %s: %w", firstAdmin, err)
	}
	made.AdminPassword = password
	for _, name := range opts.Scopes {
		if err := protocol.Check("scope", "scope", name); err != nil || name == protocol.AllScopes {
			return made, fmt.Errorf("scope %q: %w", name, errors.Join(err, errBadScope))
		}
		if _, err := s.store.CreateScope(ctx, newScope(name)); err != nil && !errors.Is(err, store.ErrScopeExists) {
			return made, fmt.Errorf("scope %q: %w", name, err)
		}
	}
	return made, nil
}

var errBadScope = errors.New("not a scope's name")

// ensureAdmin creates the first admin where it is missing, and returns the
// password if that had to be generated.
func (s *Server) ensureAdmin(ctx context.Context, password string) (generated string, err error) {
	if _, err := s.store.Admin(ctx, firstAdmin); !errors.Is(err, store.ErrAdminNotFound) {
		return "", err
	}
	if password == "" {
		password = randomSecret()
		generated = password
	}
	record, err := s.hashes.Hash(ctx, passwords.Admins, password)
	if err != nil {
		return "", err
	}
	_, err = s.store.CreateAdmin(ctx, store.Admin{Name: firstAdmin, Role: protocol.RoleOwner, Password: record})
	if errors.Is(err, store.ErrAdminExists) { // another node was quicker
		return "", nil
	}
	if err != nil {
		return "", err
	}
	return generated, nil
}

func hashKey(key string) []byte {
	sum := sha256.Sum256([]byte(key))
	return sum[:]
}

var readable = base32.NewEncoding("abcdefghijkmnpqrstuvwxyz23456789").WithPadding(base32.NoPadding)

// randomSecret returns 160 random bits in 32 characters that are easy to read out.
func randomSecret() string {
	b := make([]byte, 20)
	_, _ = rand.Read(b) // never fails, by its documentation
	return readable.EncodeToString(b)
}

func randomName() string { return strings.ToLower(randomSecret()[:8]) }
