package store

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"rollcall/protocol"
)

// A session token is base64url of 48 bytes: the user's id, which finds the
// slot, and 256 random bits. It is kept as the SHA-256 of all 48 bytes, which
// cannot be turned back: the hash's first half is the session's id, the name of
// its field, and the second half stands in the record:
//
//	<second half> <created ms> <expires ms> <node> <conn>[ <node before> <conn before>]
//
// "-" stands for no node and no connection. With short names the record stays
// within 64 bytes, up to which Redis keeps a small hash in its compact form.
const (
	tokenSecretBytes = 32
	tokenBytes       = 16 + tokenSecretBytes

	// maxSessions is how many sessions a user may have. The one whose last use
	// is longest ago goes.
	maxSessions = 32

	noConn = "-"
)

var (
	scriptLogin       = newScript("login", "event", "presence")
	scriptResume      = newScript("resume", "event", "presence")
	scriptEndSession  = newScript("end_session")
	scriptEndSessions = newScript("end_sessions")
	scriptSessions    = newScript("sessions")
)

// A parsedToken is what a token says.
type parsedToken struct {
	user uuid.UUID
	id   string // session id
	rest string // second half of the hash
}

func parseToken(token string) (parsedToken, bool) {
	var raw [tokenBytes + 1]byte
	if len(token) != base64.RawURLEncoding.EncodedLen(tokenBytes) {
		return parsedToken{}, false
	}
	if strings.ContainsAny(token, "\r\n") { // which the decoder would skip
		return parsedToken{}, false
	}
	n, err := base64.RawURLEncoding.Decode(raw[:], []byte(token))
	if err != nil || n != tokenBytes {
		return parsedToken{}, false
	}
	return hashToken(raw[:tokenBytes]), true
}

func hashToken(raw []byte) parsedToken {
	sum := sha256.Sum256(raw)
	half := len(sum) / 2
	return parsedToken{
		user: uuid.UUID(raw[:16]),
		id:   base64.RawURLEncoding.EncodeToString(sum[:half]),
		rest: base64.RawURLEncoding.EncodeToString(sum[half:]),
	}
}

// newToken makes the token of a new session.
func newToken(user uuid.UUID) (string, parsedToken) {
	raw := make([]byte, tokenBytes)
	copy(raw, user[:])
	rand.Read(raw[16:])
	return base64.RawURLEncoding.EncodeToString(raw), hashToken(raw)
}

// SessionID reads from a token whose session it is and the session's id, which
// is no secret. ok is false for what no Login ever returned. It does not say
// whether the session exists.
func SessionID(token string) (user uuid.UUID, sessionID string, ok bool) {
	t, ok := parseToken(token)
	return t.user, t.id, ok
}

// Login starts a session of a user on a connection, and for an active user
// marks the login: when it returns, the event is in the feed. It returns the
// user as he is then. When ifPassword is not nil, it has to be the password
// record stored now, else ErrConflict. A banned user gets a *BannedError. A
// user's 33rd session ends the one whose last use is longest ago. After
// ErrUnavailable the session may exist, and the connection be noted.
func (s *Store) Login(ctx context.Context, id uuid.UUID, a Arrival, ifPasswordIs []byte) (User, Session, error) {
	return s.login(ctx, id, a, ifPassword(ifPasswordIs), "", "")
}

// LoginByProvider is Login on condition that the user still has that identity
// at the provider, else ErrConflict.
func (s *Store) LoginByProvider(ctx context.Context, id uuid.UUID, a Arrival, provider, identity string) (User, Session, error) {
	return s.login(ctx, id, a, "", providerPrefix+provider, identity)
}

// login has two conditions: on the password record, as ifPassword has it, and
// on the value of a field, unless field is "".
func (s *Store) login(ctx context.Context, id uuid.UUID, a Arrival, ifPassword, field, value string) (User, Session, error) {
	p := partitionOf(id)
	token, parsed := newToken(id)
	before, after := endSessionEffect(id)
	node, conn := a.At.stored()
	single := newSingleEffect(id, a.Single)
	s.fault("before login")
	r, err := s.runReply(ctx, scriptLogin, []string{p.user(id), p.sessions(id), p.outbox(), p.at(a.Lease), p.online(a.Scope)},
		parsed.id, parsed.rest, node, conn, s.cfg.SessionTTL.Milliseconds(), ifPassword, maxSessions, before, after, field, value,
		id.String(), string(id[:]), newEffectID(), a.Via.method(), a.Via.place(), a.Lease, a.Place, single.id, single.before, single.after, a.Instead)
	if err != nil {
		return User{}, Session{}, fmt.Errorf("log in: %w", err)
	}
	s.fault("after login")
	switch r.int(0) {
	case 0:
		return User{}, Session{}, fmt.Errorf("log in: %w", ErrUserNotFound)
	case 2:
		return User{}, Session{}, fmt.Errorf("log in: %w: password or provider changed meanwhile", ErrConflict)
	case 3:
		banned := &BannedError{Ban{Reason: r.text(2)}}
		if until := r.int(1); until > 0 {
			banned.Until = millis(until)
		}
		return User{}, Session{}, fmt.Errorf("log in: %w", banned)
	}
	for _, gone := range r.texts(4) {
		s.finish(ctx, p.outbox(), effect{id: gone, kind: effectSignal, payload: strings.TrimPrefix(before+gone+after, effectSignal+" ")})
	}
	if err := s.arrived(ctx, p, r.texts(5), single, r.text(6)); err != nil {
		return User{}, Session{}, fmt.Errorf("log in: %w", err)
	}
	u, err := decodeUser(id, r.texts(3))
	if err != nil {
		return User{}, Session{}, fmt.Errorf("log in: %w", err)
	}
	return u, Session{
		Token: token, ID: parsed.id, User: id, CreatedAt: millis(r.int(1)), ExpiresAt: millis(r.int(2)), At: a.At,
	}, nil
}

// Resume continues the session of a token on a connection, if it is a user's of
// the scope ("" for any); otherwise nothing is changed. It returns the user,
// and the connection that used the session before, if any: it may still be open.
// For an active user the event is in the feed when it returns. The error is
// ErrSessionInvalid when the token is malformed or unknown, when it has expired
// or was ended, and when the user is gone. After ErrUnavailable the connection
// may be noted.
func (s *Store) Resume(ctx context.Context, scope, token string, a Arrival) (u User, sess Session, former ConnRef, err error) {
	parsed, ok := parseToken(token)
	if !ok {
		return User{}, Session{}, ConnRef{}, fmt.Errorf("resume: %w", ErrSessionInvalid)
	}
	id := parsed.user
	p := partitionOf(id)
	node, conn := a.At.stored()
	single := newSingleEffect(id, a.Single)
	s.fault("before resume")
	r, err := s.runReply(ctx, scriptResume, []string{p.user(id), p.sessions(id), p.outbox(), p.at(a.Lease), p.online(a.Scope)},
		parsed.id, parsed.rest, node, conn, s.cfg.SessionTTL.Milliseconds(), scope,
		id.String(), string(id[:]), newEffectID(), a.Via.place(), a.Lease, a.Place, single.id, single.before, single.after, a.Instead)
	s.fault("after resume")
	if err == nil && r.int(0) == 0 {
		err = ErrSessionInvalid
	}
	if err == nil {
		err = s.arrived(ctx, p, r.texts(6), single, r.text(7))
	}
	if err == nil {
		u, err = decodeUser(id, r.texts(5))
	}
	if err != nil {
		return User{}, Session{}, ConnRef{}, fmt.Errorf("resume: %w", err)
	}
	sess = Session{ID: parsed.id, User: id, CreatedAt: millis(r.int(1)), ExpiresAt: millis(r.int(2)), At: a.At}
	return u, sess, ConnRef{Node: r.text(3), Conn: r.text(4)}, nil
}

// arrived carries out what a login or a resume left: the events, which must be
// in the feed before it is acknowledged, and the end of other connections.
func (s *Store) arrived(ctx context.Context, p partition, told []string, single singleEffect, closing string) error {
	if closing != "" {
		if e, _, err := parseEffect(single.id, closing); err == nil {
			s.finish(ctx, p.outbox(), e)
		}
	}
	return s.mustTell(ctx, p.outbox(), told)
}

// A singleEffect closes a user's other connections, whose names only the script
// knows: what comes before them and what comes after.
type singleEffect struct{ id, before, after string }

func newSingleEffect(user uuid.UUID, single bool) singleEffect {
	if !single {
		return singleEffect{}
	}
	return singleEffect{randomID(), fmt.Sprintf(`%s {"kind":"%s","user":"%s","places":[`, effectSignal, SignalSingle, user), "]}"}
}

// EndSession ends one session, tells every node to close its connections with
// code and reason, and reports whether it was good until now.
func (s *Store) EndSession(ctx context.Context, user uuid.UUID, sessionID string, code protocol.CloseCode, reason string) (bool, error) {
	p := partitionOf(user)
	ended := signalEffect(Signal{Kind: SignalEnd, User: user, Session: sessionID, Code: int(code), Reason: reason})
	n, err := s.run(ctx, scriptEndSession, []string{p.sessions(user), p.op(randomID()), p.outbox()},
		sessionID, opTTL.Milliseconds(), ended.id, ended.String())
	if err != nil {
		return false, fmt.Errorf("end session: %w", err)
	}
	if n == int64(1) {
		s.finish(ctx, p.outbox(), ended)
	}
	return n == int64(1), nil
}

// EndSessions ends a user's sessions, all but the one with the id keep ("" for
// all), tells every node to close their connections with code and reason, and
// returns how many were good until now.
func (s *Store) EndSessions(ctx context.Context, user uuid.UUID, keep string, code protocol.CloseCode, reason string) (int, error) {
	p := partitionOf(user)
	ended := signalEffect(Signal{Kind: SignalEnd, User: user, Except: keep, Code: int(code), Reason: reason})
	s.fault("before end sessions")
	n, err := s.run(ctx, scriptEndSessions, []string{p.sessions(user), p.op(randomID()), p.outbox()},
		keep, opTTL.Milliseconds(), ended.id, ended.String())
	if err != nil {
		return 0, fmt.Errorf("end sessions: %w", err)
	}
	s.fault("after end sessions")
	s.finish(ctx, p.outbox(), ended)
	count, _ := n.(int64)
	return int(count), nil
}

// Sessions returns a user's sessions that are good now, the newest first.
func (s *Store) Sessions(ctx context.Context, user uuid.UUID) ([]Session, error) {
	r, err := s.runReply(ctx, scriptSessions, []string{partitionOf(user).sessions(user)})
	if err != nil {
		return nil, fmt.Errorf("read sessions: %w", err)
	}
	now := r.int(0)
	var all []Session
	for i := 1; i+1 < len(r); i += 2 {
		sess, err := parseSession(r.text(i + 1))
		if err != nil {
			return nil, fmt.Errorf("read sessions: %w", err)
		}
		if sess.ExpiresAt.UnixMilli() > now {
			sess.ID, sess.User = r.text(i), user
			all = append(all, sess)
		}
	}
	slices.SortFunc(all, func(a, b Session) int {
		return cmp.Or(b.CreatedAt.Compare(a.CreatedAt), cmp.Compare(a.ID, b.ID))
	})
	return all, nil
}

var errBadSession = errors.New("stored session is malformed")

// parseSession reads a session's record, as above.
func parseSession(record string) (Session, error) {
	f := strings.Split(record, " ")
	if len(f) != 5 && len(f) != 7 {
		return Session{}, errBadSession
	}
	created, err1 := strconv.ParseInt(f[1], 10, 64)
	expires, err2 := strconv.ParseInt(f[2], 10, 64)
	if err1 != nil || err2 != nil {
		return Session{}, errBadSession
	}
	sess := Session{CreatedAt: millis(created), ExpiresAt: millis(expires)}
	if f[4] != noConn {
		sess.At = ConnRef{Node: f[3], Conn: f[4]}
	}
	return sess, nil
}

// stored returns how a record has a connection.
func (c ConnRef) stored() (node, conn string) {
	if c == (ConnRef{}) {
		return noConn, noConn
	}
	return c.Node, c.Conn
}
