package store

import (
	"context"
	"fmt"
	"strings"

	"github.com/google/uuid"

	"rollcall/protocol"
)

var scriptUpdate = newScript("update", "event")

// How the update script ends.
const (
	updateNotFound = iota
	updateDone
	updateFenced
	updateUnclaimed
	updateExtraBounds
	updateOtherPassword
	updateSessionEnded
)

// UpdateUser changes a user and returns him as he is then. Only the fields that
// are given are written, all of them or none, so that updates of different
// fields, and merges of different extra keys, never undo one another. A new
// email or a new password voids the user's open codes in the same step.
//
// It fails with ErrUserNotFound, ErrUsernameTaken, ErrEmailTaken, ErrExtraBounds
// (64 keys or 8 KiB after the merge), ErrSessionInvalid (IfSession has ended),
// or ErrConflict (the password record is not IfPassword, or others kept getting
// in the way).
func (s *Store) UpdateUser(ctx context.Context, id uuid.UUID, u UserUpdate) (User, error) {
	user, err := s.updateUser(ctx, id, u)
	if err != nil {
		return User{}, fmt.Errorf("update user: %w", err)
	}
	return user, nil
}

func (s *Store) updateUser(ctx context.Context, id uuid.UUID, u UserUpdate) (User, error) {
	var c claims
	for range maxAttempts {
		user, again, err := s.tryUpdate(ctx, id, u, &c)
		if again {
			continue
		}
		if err != nil {
			c.giveUp(ctx, s, id)
		}
		return user, err
	}
	c.giveUp(ctx, s, id)
	return User{}, ErrConflict
}

// tryUpdate goes through reserve and commit once. again: the record changed on
// the way, or a reservation was fenced off.
func (s *Store) tryUpdate(ctx context.Context, id uuid.UUID, u UserUpdate, c *claims) (user User, again bool, err error) {
	change, err := s.claimNames(ctx, id, u, c)
	if err != nil {
		return User{}, false, err
	}
	p := partitionOf(id)
	keys := []string{p.user(id), p.fence(id), p.op(randomID()), p.sessions(id), p.outbox(), p.codes(id), p.pending()}
	if u.Username != nil {
		keys = append(keys, p.names(change.scope))
	}
	endSessions := u.Password != nil && !u.Rehash
	ended := signalEffect(Signal{
		Kind: SignalEnd, User: id, Except: u.KeepSession, Disown: u.Disown,
		Code: int(protocol.CloseSessionEnded), Reason: "password changed",
	})
	args := []any{
		id.String(), opTTL.Milliseconds(), ifPassword(u.IfPassword), flag(u.Rehash), flag(endSessions),
		u.KeepSession, ended.id, ended.String(), protocol.MaxExtraKeys, protocol.MaxExtraBytes,
	}
	args = append(append(args, change.args[:]...), flag(u.Unconfirm), u.IfSession, newEffectID(), u.event())
	args = append(args, u.fields()...)

	s.fault("before commit")
	r, err := s.runReply(ctx, scriptUpdate, keys, args...)
	if err != nil {
		return User{}, false, fmt.Errorf("commit: %w", err)
	}
	s.fault("after commit")

	switch r.int(0) {
	case updateDone:
		s.freeFormer(ctx, id, change.scope, r.text(1), r.text(2))
		if endSessions {
			s.finish(ctx, p.outbox(), ended)
		}
		s.tell(ctx, p.outbox(), r.texts(4))
		user, err = decodeUser(id, r.texts(3))
	case updateFenced:
		again = true
		if r.text(1) == change.name.step {
			c.refused(change.name, r.int(2))
		} else {
			c.refused(change.mail, r.int(2))
		}
	case updateUnclaimed:
		again = true
	case updateExtraBounds:
		err = ErrExtraBounds
	case updateOtherPassword:
		err = fmt.Errorf("%w: password changed meanwhile", ErrConflict)
	case updateSessionEnded:
		err = ErrSessionInvalid
	default:
		err = ErrUserNotFound
	}
	return user, again, err
}

// A nameChange is what the update script has to know of a new username and a
// new email.
type nameChange struct {
	scope      string
	name, mail entry
	args       [9]any // ARGV[11] to ARGV[19]
}

// claimNames reserves the username and the email that an update brings, unless
// the user has them already.
func (s *Store) claimNames(ctx context.Context, id uuid.UUID, u UserUpdate, c *claims) (n nameChange, err error) {
	for i := range n.args {
		n.args[i] = ""
	}
	if u.Username == nil && u.Email == nil {
		return n, nil
	}
	now, err := s.User(ctx, id)
	if err != nil {
		return n, err
	}
	n.scope = now.Scope
	claim := func(e entry, stamp *any) error {
		if e.namedBy(&now) {
			return nil
		}
		cl, err := c.reserve(ctx, s, id, e)
		*stamp = cl.stamp
		return err
	}
	if u.Username != nil {
		n.name = usernameEntry(n.scope, *u.Username)
		n.args[0], n.args[1], n.args[3] = *u.Username, n.name.value, n.name.key
		if err := claim(n.name, &n.args[2]); err != nil {
			return n, err
		}
	}
	if u.Email == nil {
		return n, nil
	}
	if *u.Email == "" {
		n.args[4] = "c"
		return n, nil
	}
	n.mail = emailEntry(n.scope, *u.Email)
	n.args[4], n.args[5], n.args[6], n.args[8] = "s", *u.Email, n.mail.value, n.mail.key
	return n, claim(n.mail, &n.args[7])
}

// freeFormer frees the names that a user had.
func (s *Store) freeFormer(ctx context.Context, id uuid.UUID, scope, name, mail string) {
	var former []entry
	if name != "" {
		former = append(former, nameEntry(scope, name))
	}
	if mail != "" {
		former = append(former, mailEntry(scope, mail))
	}
	s.freeAll(ctx, id, former...)
}

// event returns the members of the event user.updated: the names of what was
// given. A password that is only stored anew is no change.
func (u *UserUpdate) event() string {
	var names []string
	name := func(given bool, name string) {
		if given {
			names = append(names, name)
		}
	}
	name(u.Username != nil, "username")
	name(u.Email != nil, "email")
	name(u.Group != nil, "group")
	name(len(u.Extra) > 0, "extra")
	name(u.Active != nil, "active")
	name(u.Password != nil && !u.Rehash, "password")
	if names == nil {
		return ""
	}
	return `,"fields":["` + strings.Join(names, `","`) + `"]`
}

// fields returns what changes, apart from the names, as field, value, … in
// which an empty value removes the field.
func (u *UserUpdate) fields() []any {
	var f []any
	if u.Group != nil {
		f = append(f, fieldGroup, *u.Group)
	}
	if u.Active != nil {
		f = append(f, fieldActive, flag(*u.Active))
	}
	if u.Confirmation != nil {
		f = append(f, fieldConfirmation, *u.Confirmation)
	}
	if u.Password != nil {
		f = append(f, fieldPassword, string(u.Password))
	}
	for key, v := range u.Extra {
		stored := ""
		if !v.IsNull() {
			stored = string(v.AppendStored(nil))
		}
		f = append(f, extraPrefix+key, stored)
	}
	return f
}
