package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/go-json-experiment/json"
	"github.com/redis/go-redis/v9"

	"rollcall/protocol"
)

// An admin is a hash: ca created_at in ms, r role, s scopes as a JSON array
// (absent for all), p password record, g generation. A session holds for the
// generation it was made in; a new password starts a new one, and so does a new
// admin of the same name.
const (
	adminRole       = "r"
	adminScopes     = "s"
	adminGeneration = "g"
)

var (
	scriptAdminCreate   = newScript("admin_create")
	scriptAdminDelete   = newScript("admin_delete")
	scriptAdminPassword = newScript("admin_password")
	scriptInitKey       = newScript("init_key")
)

// An AdminRef names an admin as he was at one moment: since then he may have
// been deleted, or have got another password. The zero AdminRef stands for the
// server itself, which may do everything.
type AdminRef struct{ Name, Generation string }

// Ref names the admin as he was read.
func (a Admin) Ref() AdminRef { return AdminRef{a.Name, a.Generation} }

// CreateAdmin creates an admin, for the server itself. ErrAdminExists if the
// name is taken.
func (s *Store) CreateAdmin(ctx context.Context, a Admin) (Admin, error) {
	return s.CreateAdminBy(ctx, AdminRef{}, a)
}

// CreateAdminBy creates an admin if the one who asks for it still is one, else
// ErrSessionInvalid. ErrAdminExists if the name is taken.
func (s *Store) CreateAdminBy(ctx context.Context, by AdminRef, a Admin) (Admin, error) {
	args := []any{a.Name, opTTL.Milliseconds(), by.Generation,
		adminRole, a.Role, fieldPassword, string(a.Password), adminGeneration, randomID()}
	if len(a.Scopes) > 0 {
		b, err := json.Marshal(a.Scopes)
		if err != nil {
			return Admin{}, fmt.Errorf("create admin: %w", err)
		}
		args = append(args, adminScopes, string(b))
	}
	keys := []string{adminKey(a.Name), adminNamesKey, opKey(adminsTag, randomID())}
	if by != (AdminRef{}) {
		keys = append(keys, adminKey(by.Name))
	}
	r, err := s.runReply(ctx, scriptAdminCreate, keys, args...)
	if err == nil {
		switch r.int(0) {
		case 0:
			err = ErrAdminExists
		case 2:
			err = ErrSessionInvalid
		default:
			a, err = decodeAdmin(a.Name, r.texts(1))
		}
	}
	if err != nil {
		return Admin{}, fmt.Errorf("create admin: %w", err)
	}
	return a, nil
}

// Admin returns an admin, or ErrAdminNotFound.
func (s *Store) Admin(ctx context.Context, name string) (Admin, error) {
	a, err := s.readAdmin(ctx, name)
	if err != nil {
		return Admin{}, fmt.Errorf("read admin: %w", err)
	}
	return a, nil
}

func (s *Store) readAdmin(ctx context.Context, name string) (Admin, error) {
	cmd := redis.NewStringSliceCmd(ctx, "hgetall", adminKey(name))
	if err := s.do(ctx, cmd); err != nil {
		return Admin{}, err
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
		a, err := s.readAdmin(ctx, name)
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

// DeleteAdmin deletes an admin, ends his tokens and tells every node. The last
// owner of all scopes stays: ErrLastOwner. It is ErrConflict if the admin is not
// as he was read, and ErrSessionInvalid if the one who asks is none any more.
func (s *Store) DeleteAdmin(ctx context.Context, by, a AdminRef) error {
	names, err := s.listed(ctx, adminNamesKey)
	if err != nil {
		return fmt.Errorf("delete admin: %w", err)
	}
	asks, askedAs := a.Name, ""
	if by != (AdminRef{}) {
		asks, askedAs = by.Name, "="+by.Generation
	}
	keys := []string{adminKey(a.Name), adminNamesKey, opKey(adminsTag, randomID()), outboxKey(adminsTag), adminKey(asks)}
	for _, name := range names {
		if name != a.Name {
			keys = append(keys, adminKey(name))
		}
	}
	tell := adminEffect(a)
	how, err := s.run(ctx, scriptAdminDelete, keys,
		a.Name, opTTL.Milliseconds(), a.Generation, askedAs, tell.id, tell.String(), protocol.RoleOwner)
	if err == nil {
		err = adminOutcome(how)
	}
	if err != nil {
		return fmt.Errorf("delete admin: %w", err)
	}
	s.finish(ctx, outboxKey(adminsTag), tell)
	return nil
}

// SetAdminPassword stores a new password record, ends all tokens of the admin
// and tells every node; it returns the admin in his new generation. The errors
// are those of DeleteAdmin, but for ErrLastOwner.
func (s *Store) SetAdminPassword(ctx context.Context, by AdminRef, a Admin, record []byte) (Admin, error) {
	keys := []string{adminKey(a.Name), opKey(adminsTag, randomID()), outboxKey(adminsTag)}
	if by != (AdminRef{}) {
		keys = append(keys, adminKey(by.Name))
	}
	tell, generation := adminEffect(a.Ref()), randomID()
	how, err := s.run(ctx, scriptAdminPassword, keys,
		opTTL.Milliseconds(), a.Generation, by.Generation, tell.id, tell.String(), string(record), generation)
	if err == nil {
		err = adminOutcome(how)
	}
	if err != nil {
		return Admin{}, fmt.Errorf("set admin's password: %w", err)
	}
	s.finish(ctx, outboxKey(adminsTag), tell)
	a.Password, a.Generation = record, generation
	return a, nil
}

// adminOutcome is what a script that changes an admin said, as an error.
func adminOutcome(how any) error {
	switch how {
	case int64(1):
		return nil
	case int64(0):
		return ErrAdminNotFound
	case int64(2):
		return ErrSessionInvalid
	case int64(3):
		return ErrConflict
	case int64(4):
		return ErrLastOwner
	}
	return errors.New("unexpected reply")
}

// adminEffect tells all nodes that a generation of an admin has ended. Being
// about that one generation it may come late, or twice: those who logged in
// since are of another.
func adminEffect(a AdminRef) effect {
	return signalEffect(Signal{Kind: SignalAdmin, Admin: a.Name, Generation: a.Generation})
}

// decodeAdmin makes an admin of his hash, field, value, …
func decodeAdmin(name string, flat []string) (a Admin, err error) {
	if len(flat) == 0 {
		return Admin{}, ErrAdminNotFound
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
			a.Generation = value
		case adminScopes:
			err = json.Unmarshal([]byte(value), &a.Scopes)
		}
		if err != nil {
			return Admin{}, fmt.Errorf("stored admin is malformed: %w", err)
		}
	}
	return a, nil
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
