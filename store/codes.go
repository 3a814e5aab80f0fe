package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"rollcall/protocol"
)

// A code is the secret in a mailed link. It has the form of a session token:
// base64url of the user's id, which finds the slot, and 256 random bits. It is
// kept hashed, in the user's hash of codes, under the first half of its SHA-256:
//
//	<state><kind><way> <second half of the hash> <created ms> <expires ms>
//
// The state is o (open), u (used) or v (void); the kind c (confirm) or r
// (reset); the way m when the code goes to the user's email, - when somebody
// hands it over. So a record stays within 64 bytes.
//
// A code is good for one use, by the user as he was when it was made: a new
// email or a new password voids the open ones, in the script that writes it.
// What is used, void or expired is kept for spentTTL after its expiry, so that
// the page behind an old link can say so and offer another.

// A CodeKind says what a code is for.
type CodeKind string

// The kinds of codes.
const (
	CodeConfirm CodeKind = "confirm" // confirms the email
	CodeReset   CodeKind = "reset"   // sets a new password
)

const (
	// maxOpenCodes is how many codes of one kind a user may have open. The
	// oldest one is voided.
	maxOpenCodes = 5

	// maxCodes bounds what is kept of a user's codes, spent ones included.
	maxCodes = 16

	// spentTTL is how long a code is remembered after its expiry.
	spentTTL = 7 * 24 * time.Hour
)

const (
	codeMailed = "m"
	codeHanded = "-"
)

var (
	scriptNewCode         = newScript("code_new")
	scriptCode            = newScript("code")
	scriptUseCode         = newScript("code_use", "event")
	scriptSetConfirmation = newScript("set_confirmation")
)

// How the scripts of codes end.
const (
	codeUnknown = iota
	codeOpen    // or done
	codeSpent
	codeExpired
)

// CodeInfo is what is known of a code.
type CodeInfo struct {
	User      User // as he is now
	Kind      CodeKind
	ExpiresAt time.Time
}

// stored is the kind's letter in a record.
func (k CodeKind) stored() string {
	switch k {
	case CodeConfirm:
		return "c"
	case CodeReset:
		return "r"
	}
	panic("store: unknown kind of code")
}

// NewCode makes a code that is good for ttl, for somebody to hand over, such as
// an operator. Whoever sends it by mail uses [Store.NewCodeFor]. Older codes
// stay good, five of a kind. The error is ErrUserNotFound, or for a confirm code
// ErrNotPending when no confirmation is open.
func (s *Store) NewCode(ctx context.Context, user uuid.UUID, kind CodeKind, ttl time.Duration) (code string, err error) {
	return s.newCode(ctx, user, "", kind, ttl)
}

// NewCodeFor is NewCode for a mail to an address. It fails with ErrConflict
// unless that is the user's email now, compared by its key: the caller has read
// the address before, and the code must not reach a former one. Who resets the
// password by such a code has confirmed the address as well.
func (s *Store) NewCodeFor(ctx context.Context, user uuid.UUID, email string, kind CodeKind, ttl time.Duration) (code string, err error) {
	return s.newCode(ctx, user, "="+protocol.EmailKey(email), kind, ttl)
}

func (s *Store) newCode(ctx context.Context, user uuid.UUID, ifEmail string, kind CodeKind, ttl time.Duration) (string, error) {
	way := codeHanded
	if ifEmail != "" {
		way = codeMailed
	}
	p := partitionOf(user)
	code, parsed := newToken(user)
	r, err := s.runReply(ctx, scriptNewCode, []string{p.user(user), p.codes(user)},
		parsed.id, parsed.rest, kind.stored(), way, ttl.Milliseconds(), spentTTL.Milliseconds(),
		maxOpenCodes, maxCodes, ifEmail)
	if err == nil {
		switch r.int(0) {
		case 0:
			err = ErrUserNotFound
		case 2:
			err = fmt.Errorf("%w: email changed meanwhile", ErrConflict)
		case 3:
			err = ErrNotPending
		}
	}
	if err != nil {
		return "", fmt.Errorf("make code: %w", err)
	}
	return code, nil
}

// Code looks at a code and changes nothing. The error is ErrCodeInvalid, or
// ErrCodeSpent (ErrCodeExpired if it was never used), and with these CodeInfo is
// filled in all the same for a week after the expiry. The user's email may have
// changed since a spent code was mailed, so it must not be shown to its bearer.
func (s *Store) Code(ctx context.Context, code string) (CodeInfo, error) {
	info, err := s.code(ctx, code)
	if err != nil {
		err = fmt.Errorf("look at code: %w", err)
	}
	return info, err
}

func (s *Store) code(ctx context.Context, code string) (CodeInfo, error) {
	parsed, ok := parseToken(code)
	if !ok {
		return CodeInfo{}, ErrCodeInvalid
	}
	p := partitionOf(parsed.user)
	r, err := s.runReply(ctx, scriptCode, []string{p.user(parsed.user), p.codes(parsed.user)},
		parsed.id, parsed.rest, spentTTL.Milliseconds())
	if err != nil {
		return CodeInfo{}, err
	}
	if r.int(0) == codeUnknown {
		return CodeInfo{}, ErrCodeInvalid
	}
	info := CodeInfo{Kind: CodeConfirm, ExpiresAt: millis(r.int(2))}
	if r.text(1) == CodeReset.stored() {
		info.Kind = CodeReset
	}
	if info.User, err = decodeUser(parsed.user, r.texts(3)); err != nil {
		return CodeInfo{}, err
	}
	return info, codeError(r.int(0))
}

func codeError(end int64) error {
	switch end {
	case codeOpen:
		return nil
	case codeSpent:
		return ErrCodeSpent
	case codeExpired:
		return ErrCodeExpired
	}
	return ErrCodeInvalid
}

// Confirm uses a confirm code: the user is active, no confirmation is open any
// more, and his other confirm codes are void. The error is ErrCodeInvalid or
// ErrCodeSpent; the latter also when the user is not waiting for a confirmation,
// so that an old link never activates one who was deactivated since.
func (s *Store) Confirm(ctx context.Context, code string) (User, error) {
	u, err := s.useCode(ctx, code, CodeConfirm, nil)
	if err != nil {
		return User{}, fmt.Errorf("confirm: %w", err)
	}
	return u, nil
}

// ResetPassword uses a reset code: the password record is the new one, all
// sessions end, on every node, and all other codes of the user are void. If the
// code came by mail and the user was waiting for a confirmation, he is
// confirmed: he has shown that the address is his. The error is ErrCodeInvalid
// or ErrCodeSpent.
func (s *Store) ResetPassword(ctx context.Context, code string, record []byte) (User, error) {
	if len(record) == 0 {
		return User{}, errors.New("reset password: no password record")
	}
	u, err := s.useCode(ctx, code, CodeReset, record)
	if err != nil {
		return User{}, fmt.Errorf("reset password: %w", err)
	}
	return u, nil
}

func (s *Store) useCode(ctx context.Context, code string, kind CodeKind, record []byte) (User, error) {
	parsed, ok := parseToken(code)
	if !ok {
		return User{}, ErrCodeInvalid
	}
	id := parsed.user
	p := partitionOf(id)
	ended := signalEffect(Signal{
		Kind: SignalEnd, User: id, Code: int(protocol.CloseSessionEnded), Reason: "password changed", Disown: true,
	})

	s.fault("before commit")
	r, err := s.runReply(ctx, scriptUseCode, []string{p.user(id), p.codes(id), p.op(randomID()), p.sessions(id), p.outbox(), p.pending()},
		parsed.id, parsed.rest, kind.stored(), opTTL.Milliseconds(), spentTTL.Milliseconds(), string(record), ended.id, ended.String(),
		id.String(), newEffectID())
	if err != nil {
		return User{}, fmt.Errorf("commit: %w", err)
	}
	s.fault("after commit")

	if err := codeError(r.int(0)); err != nil {
		return User{}, err
	}
	if kind == CodeReset {
		s.finish(ctx, p.outbox(), ended)
	}
	s.tell(ctx, p.outbox(), r.texts(2))
	return decodeUser(id, r.texts(1))
}

// SetConfirmation notes how the mail to an unconfirmed user fares: "pending" or
// "failed". A user who is confirmed by now, or was never asked, stays as he is,
// and that is no error. Neither is updated_at touched. The error is
// ErrUserNotFound.
func (s *Store) SetConfirmation(ctx context.Context, user uuid.UUID, outcome string) error {
	if outcome != ConfirmationPending && outcome != ConfirmationFailed {
		return errors.New("set confirmation: neither pending nor failed")
	}
	p := partitionOf(user)
	n, err := s.run(ctx, scriptSetConfirmation, []string{p.user(user), p.op(randomID())}, outcome, opTTL.Milliseconds())
	if err == nil && n == int64(0) {
		err = ErrUserNotFound
	}
	if err != nil {
		return fmt.Errorf("set confirmation: %w", err)
	}
	return nil
}
