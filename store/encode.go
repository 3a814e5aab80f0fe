package store

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"

	"rollcall/protocol"
)

// A user is a hash with short fields, so that Redis keeps a small one in its
// compact form (at most 128 fields, none above 64 bytes):
//
//	sc  scope                      a   "1" active, "0" not
//	u   username as typed          cf  confirmation, absent when ""
//	uk  its key, when it differs   p   password record
//	e   email as typed             ca  created_at, ms
//	ek  its key, when it differs   ua  updated_at, ms
//	g   group                      ll  last_login_at, ms
//	x:<key>  one value of extra    lc  logins
//	bu  end of a ban, ms, 0 never  br  its reason, absent when ""
//	pe  effects under way, see scripts/parts/event.lua
//	on:<lease>.<place>  when a connection of the user was noted, ms
//
// and for each provider by which the user can log in
//
//	pv:<provider>  identity        pt:<provider>  sealed access token
//	pc:<provider>  client_id       px:<provider>  its expiry, UNIX seconds
//
// An extra value has protocol.Value's stored form. A field that is not known
// here is left alone, for newer versions beside this one.
const (
	fieldScope        = "sc"
	fieldUsername     = "u"
	fieldUsernameKey  = "uk"
	fieldEmail        = "e"
	fieldEmailKey     = "ek"
	fieldGroup        = "g"
	fieldActive       = "a"
	fieldConfirmation = "cf"
	fieldPassword     = "p"
	fieldCreatedAt    = "ca"
	fieldUpdatedAt    = "ua"
	fieldLastLogin    = "ll"
	fieldLogins       = "lc"
	fieldBanUntil     = "bu"
	fieldBanReason    = "br"
	placePrefix       = "on:"
	extraPrefix       = "x:"
	providerPrefix    = "pv:"
	clientIDPrefix    = "pc:"
	tokenPrefix       = "pt:"
	expiryPrefix      = "px:"
)

// fields returns the hash of a new user as field, value, … without the times
// that creating it sets.
func (n *NewUser) fields() []any {
	f := make([]any, 0, 20+2*len(n.Extra))
	put := func(field, value string) {
		if value != "" {
			f = append(f, field, value)
		}
	}
	put(fieldScope, n.Scope)
	put(fieldUsername, n.Username)
	if key := protocol.UsernameKey(n.Username); key != n.Username {
		put(fieldUsernameKey, key)
	}
	put(fieldEmail, n.Email)
	if key := protocol.EmailKey(n.Email); key != n.Email {
		put(fieldEmailKey, key)
	}
	put(fieldGroup, n.Group)
	put(fieldActive, flag(n.Active))
	put(fieldConfirmation, n.Confirmation)
	put(fieldPassword, string(n.Password))
	for key, v := range n.Extra {
		if !v.IsNull() {
			f = append(f, extraPrefix+key, string(v.AppendStored(nil)))
		}
	}
	if n.Provider != nil {
		f = append(f, n.Provider.fields()...)
	}
	if !n.CreatedAt.IsZero() {
		f = append(f, fieldCreatedAt, n.CreatedAt.UnixMilli())
	}
	return f
}

func flag(b bool) string {
	if b {
		return "1"
	}
	return "0"
}

// errBadUser: a stored user cannot be understood. It never quotes the user.
var errBadUser = errors.New("stored user is malformed")

// set takes one field of a user's hash.
func (u *User) set(field, value string) (err error) {
	switch field {
	case fieldScope:
		u.Scope = value
	case fieldUsername:
		u.Username = value
	case fieldUsernameKey, fieldEmailKey:
	case fieldBanUntil, fieldBanReason:
		err = u.setBan(field, value)
	case fieldEmail:
		u.Email = value
	case fieldGroup:
		u.Group = value
	case fieldActive:
		u.Active = value == "1"
	case fieldConfirmation:
		u.Confirmation = value
	case fieldPassword:
		u.Password = []byte(value)
	case fieldCreatedAt:
		u.CreatedAt, err = parseMillis(value)
	case fieldUpdatedAt:
		u.UpdatedAt, err = parseMillis(value)
	case fieldLastLogin:
		u.LastLoginAt, err = parseMillis(value)
	case fieldLogins:
		u.Logins, err = strconv.ParseInt(value, 10, 64)
	default:
		if place, ok := strings.CutPrefix(field, placePrefix); ok {
			u.Places = append(u.Places, place)
			break
		}
		key, ok := strings.CutPrefix(field, extraPrefix)
		if !ok {
			err = u.setProvider(field, value)
			break
		}
		var v protocol.Value
		if v, err = protocol.ParseStored(value); err == nil {
			if u.Extra == nil {
				u.Extra = make(protocol.Extra)
			}
			u.Extra[key] = v
		}
	}
	if err != nil {
		return errBadUser
	}
	return nil
}

// check says whether u, with all its fields set, is a user: no fields at all
// means that there is none.
func (u *User) check(fields int) error {
	switch {
	case fields == 0:
		return ErrUserNotFound
	case u.Scope == "" || u.Username == "" || u.CreatedAt.IsZero():
		return errBadUser
	}
	u.nameProviders()
	if u.Ban != nil && !u.Ban.Until.IsZero() && !u.Ban.Until.After(time.Now()) {
		u.Ban = nil
	}
	return nil
}

// setBan takes one of the two fields of a ban.
func (u *User) setBan(field, value string) (err error) {
	if u.Ban == nil {
		u.Ban = &Ban{}
	}
	if field == fieldBanReason {
		u.Ban.Reason = value
	} else if value != "0" {
		u.Ban.Until, err = parseMillis(value)
	}
	return err
}

// decodeUser makes a user of the reply to HGETALL: field, value, …
func decodeUser(id uuid.UUID, flat []string) (User, error) {
	u := User{ID: id}
	if len(flat)%2 != 0 {
		return User{}, errBadUser
	}
	for i := 0; i < len(flat); i += 2 {
		if err := u.set(flat[i], flat[i+1]); err != nil {
			return User{}, err
		}
	}
	if err := u.check(len(flat)); err != nil {
		return User{}, err
	}
	return u, nil
}

// readUserCmd asks for a user. (Asking for the reply unparsed and reading it
// here costs more: its buffer grows as it comes in.)
func readUserCmd(ctx context.Context, id uuid.UUID) *redis.StringSliceCmd {
	return redis.NewStringSliceCmd(ctx, "hgetall", partitionOf(id).user(id))
}

// readUsers reads many users in one go; the results are in the order of ids.
func (s *Store) readUsers(ctx context.Context, ids []uuid.UUID) ([]User, []error, error) {
	cmds := make([]redis.Cmder, len(ids))
	for i, id := range ids {
		cmds[i] = readUserCmd(ctx, id)
	}
	if err := s.doAll(ctx, cmds...); err != nil {
		return nil, nil, err
	}
	users, errs := make([]User, len(ids)), make([]error, len(ids))
	for i, id := range ids {
		users[i], errs[i] = decodeUser(id, cmds[i].(*redis.StringSliceCmd).Val())
	}
	return users, errs, nil
}

func parseMillis(s string) (time.Time, error) {
	ms, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return time.Time{}, err
	}
	return millis(ms), nil
}

func millis(ms int64) time.Time { return time.UnixMilli(ms).UTC() }

// randomID returns a name that nothing else has: base64url of 128 random bits.
func randomID() string {
	var b [16]byte
	rand.Read(b[:])
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// A reply is what a script returned: always an array, its first element a
// number that says how the script ended.
type reply []any

// runReply executes a script that returns such an array.
func (s *Store) runReply(ctx context.Context, sc *script, keys []string, args ...any) (reply, error) {
	v, err := s.run(ctx, sc, keys, args...)
	if err != nil {
		return nil, err
	}
	r, ok := v.([]any)
	if !ok || len(r) == 0 {
		return nil, fmt.Errorf("script %s: unexpected reply", sc.name)
	}
	return r, nil
}

// int and text return an element; what is not there, or of another type, is zero.
func (r reply) int(i int) int64 {
	if i < len(r) {
		if n, ok := r[i].(int64); ok {
			return n
		}
	}
	return 0
}

func (r reply) text(i int) string {
	if i < len(r) {
		if s, ok := r[i].(string); ok {
			return s
		}
	}
	return ""
}

// texts returns an element that is an array of strings, such as a hash.
func (r reply) texts(i int) []string {
	var list []any
	if i < len(r) {
		list, _ = r[i].([]any)
	}
	texts := make([]string, 0, len(list))
	for _, v := range list {
		if s, ok := v.(string); ok {
			texts = append(texts, s)
		}
	}
	return texts
}

// ifPassword is how scripts take a condition on the password record: "" for
// none, else "=" and the record.
func ifPassword(record []byte) string {
	if record == nil {
		return ""
	}
	return "=" + string(record)
}
