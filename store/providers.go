package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"
)

// A Provider is an identity at a provider by which a user can log in. Of a
// scope's users, at most one has it; the index entry is reserved, committed and
// freed as a username is, see reserve.go.
type Provider struct {
	Name string // of the provider

	// Identity is who the user is there, in the form by which he is found. It
	// is compared byte by byte.
	Identity string

	ClientID    string // the identity as it is shown; "" where it is a secret
	SealedToken []byte // the access token, sealed by the server; nil: none
	Expiry      int64  // of the access token, UNIX seconds; 0: none is known
}

// A ProviderUpdate is what UpdateProvider changes. What is nil stays as it is.
type ProviderUpdate struct {
	Identity    *string
	ClientID    *string // "" removes it
	SealedToken []byte  // empty, but not nil, removes it
	Expiry      *int64  // 0 removes it
}

var scriptProvider = newScript("provider", "event")

// How the provider script ends.
const (
	providerNoUser = iota
	providerDone
	providerFenced
	providerUnclaimed
	providerExists
	providerNotFound
)

// What the provider script does.
const (
	providerAdd    = "add"
	providerUpdate = "update"
	providerRemove = "remove"
)

// noField is the name of a field that no user has.
const noField = "-"

func providerEntry(scope, provider, identity string) entry {
	return entry{
		"provider", providerKey(scope, provider, identity), scope, identity,
		providerPrefix + provider, noField, ErrProviderTaken,
	}
}

func (p *Provider) entry(scope string) entry { return providerEntry(scope, p.Name, p.Identity) }

// check keeps out what the records could not tell from a missing provider.
func (p *Provider) check() error {
	if p.Name == "" || p.Identity == "" {
		return errors.New("provider without a name or an identity")
	}
	return nil
}

func (p *Provider) clone() Provider {
	c := *p
	c.SealedToken = nil
	if len(p.SealedToken) > 0 {
		c.SealedToken = slices.Clone(p.SealedToken)
	}
	return c
}

// fields returns the provider's part of a user's hash as field, value, …
func (p *Provider) fields() []any {
	f := []any{providerPrefix + p.Name, p.Identity}
	if p.ClientID != "" {
		f = append(f, clientIDPrefix+p.Name, p.ClientID)
	}
	if len(p.SealedToken) > 0 {
		f = append(f, tokenPrefix+p.Name, string(p.SealedToken))
	}
	if p.Expiry != 0 {
		f = append(f, expiryPrefix+p.Name, strconv.FormatInt(p.Expiry, 10))
	}
	return f
}

// fields returns what changes, apart from the identity, as field, value, … in
// which an empty value removes the field.
func (u *ProviderUpdate) fields(name string) []any {
	var f []any
	if u.ClientID != nil {
		f = append(f, clientIDPrefix+name, *u.ClientID)
	}
	if u.SealedToken != nil {
		f = append(f, tokenPrefix+name, string(u.SealedToken))
	}
	if u.Expiry != nil {
		text := ""
		if *u.Expiry != 0 {
			text = strconv.FormatInt(*u.Expiry, 10)
		}
		f = append(f, expiryPrefix+name, text)
	}
	return f
}

// setProvider takes one field of a user's hash, if it is about a provider.
func (u *User) setProvider(field, value string) (err error) {
	if len(field) < len(providerPrefix) {
		return nil
	}
	prefix, name := field[:len(providerPrefix)], field[len(providerPrefix):]
	switch prefix {
	case providerPrefix, clientIDPrefix, tokenPrefix, expiryPrefix:
	default:
		return nil
	}
	i, found := u.findProvider(name)
	if !found {
		u.ProviderRecords = slices.Insert(u.ProviderRecords, i, Provider{Name: name})
	}
	p := &u.ProviderRecords[i]
	switch prefix {
	case providerPrefix:
		p.Identity = value
	case clientIDPrefix:
		p.ClientID = value
	case tokenPrefix:
		p.SealedToken = []byte(value)
	case expiryPrefix:
		p.Expiry, err = strconv.ParseInt(value, 10, 64)
	}
	return err
}

// nameProviders fills in the names when all fields have been set.
func (u *User) nameProviders() {
	for _, p := range u.ProviderRecords {
		u.Providers = append(u.Providers, p.Name)
	}
}

func (u *User) findProvider(name string) (int, bool) {
	return slices.BinarySearchFunc(u.ProviderRecords, name, func(p Provider, name string) int {
		return strings.Compare(p.Name, name)
	})
}

// Provider returns what is kept of one of the user's providers.
func (u *User) Provider(name string) (Provider, bool) {
	i, ok := u.findProvider(name)
	if !ok {
		return Provider{}, false
	}
	return u.ProviderRecords[i], true
}

// UserByProvider returns the user who has that identity at a provider, or
// ErrUserNotFound.
func (s *Store) UserByProvider(ctx context.Context, scope, provider, identity string) (User, error) {
	u, err := s.userBy(ctx, providerEntry(scope, provider, identity))
	if err != nil {
		return User{}, fmt.Errorf("find user by provider: %w", err)
	}
	return u, nil
}

// AddProvider gives a user an identity at a provider of which he has none. It
// fails with ErrUserNotFound, ErrProviderExists (he has one there, be it the
// same), ErrProviderTaken (another user of the scope has that identity), or
// ErrConflict.
func (s *Store) AddProvider(ctx context.Context, user uuid.UUID, p Provider) (User, error) {
	err := p.check()
	var u User
	if err == nil {
		u, err = s.changeProvider(ctx, user, providerChange{providerAdd, p.Name, p.Identity, p.fields()})
	}
	if err != nil {
		return User{}, fmt.Errorf("add provider: %w", err)
	}
	return u, nil
}

// UpdateProvider changes what is kept of a user's provider. A new identity is
// reserved like a new username, and the former one is freed. A change of the
// token and its expiry alone leaves updated_at as it is. It fails with
// ErrUserNotFound, ErrProviderNotFound, ErrProviderTaken, or ErrConflict.
func (s *Store) UpdateProvider(ctx context.Context, user uuid.UUID, name string, change ProviderUpdate) (User, error) {
	identity := ""
	if change.Identity != nil {
		if identity = *change.Identity; identity == "" {
			return User{}, errors.New("update provider: empty identity")
		}
	}
	u, err := s.changeProvider(ctx, user, providerChange{providerUpdate, name, identity, change.fields(name)})
	if err != nil {
		return User{}, fmt.Errorf("update provider: %w", err)
	}
	return u, nil
}

// RemoveProvider takes a provider from a user, with all that is kept of it, and
// frees the identity. It fails with ErrUserNotFound, ErrProviderNotFound, or
// ErrConflict.
func (s *Store) RemoveProvider(ctx context.Context, user uuid.UUID, name string) (User, error) {
	u, err := s.changeProvider(ctx, user, providerChange{providerRemove, name, "", nil})
	if err != nil {
		return User{}, fmt.Errorf("remove provider: %w", err)
	}
	return u, nil
}

// A providerChange is one change of one of a user's providers.
type providerChange struct {
	how      string
	name     string
	identity string // the new one; "": it stays, or goes
	fields   []any
}

func (s *Store) changeProvider(ctx context.Context, id uuid.UUID, ch providerChange) (User, error) {
	var c claims
	for range maxAttempts {
		u, again, err := s.tryProvider(ctx, id, ch, &c)
		if again {
			continue
		}
		if err != nil {
			c.giveUp(ctx, s, id)
		}
		return u, err
	}
	c.giveUp(ctx, s, id)
	return User{}, ErrConflict
}

// tryProvider goes through reserve and commit once. again: the record changed
// on the way, or the reservation was fenced off.
func (s *Store) tryProvider(ctx context.Context, id uuid.UUID, ch providerChange, c *claims) (u User, again bool, err error) {
	now, err := s.User(ctx, id)
	if err != nil {
		return User{}, false, err
	}
	// The script decides; this spares hopeless reservations.
	switch _, has := now.Provider(ch.name); {
	case has && ch.how == providerAdd:
		return User{}, false, ErrProviderExists
	case !has && ch.how != providerAdd:
		return User{}, false, ErrProviderNotFound
	}
	e := providerEntry(now.Scope, ch.name, ch.identity)
	var stamp any = ""
	if ch.identity != "" && !e.namedBy(&now) {
		cl, err := c.reserve(ctx, s, id, e)
		if err != nil {
			return User{}, false, err
		}
		stamp = cl.stamp
	}
	p := partitionOf(id)
	args := []any{opTTL.Milliseconds(), ch.how, now.Scope, ch.name, ch.identity, stamp, e.key, id.String(), newEffectID()}

	s.fault("before commit")
	r, err := s.runReply(ctx, scriptProvider, []string{p.user(id), p.fence(id), p.op(randomID()), p.outbox()}, append(args, ch.fields...)...)
	if err != nil {
		return User{}, false, fmt.Errorf("commit: %w", err)
	}
	s.fault("after commit")

	switch r.int(0) {
	case providerDone:
		if former := r.text(1); former != "" {
			s.freeAll(ctx, id, providerEntry(now.Scope, ch.name, former))
		}
		s.tell(ctx, p.outbox(), r.texts(3))
		u, err = decodeUser(id, r.texts(2))
	case providerFenced:
		again = true
		c.refused(e, r.int(1))
	case providerUnclaimed:
		again = true
	case providerExists:
		err = ErrProviderExists
	case providerNotFound:
		err = ErrProviderNotFound
	default:
		err = ErrUserNotFound
	}
	return u, again, err
}
