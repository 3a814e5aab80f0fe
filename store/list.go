package store

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"

	"rollcall/protocol"
)

// A listing merges the sorted indexes of all partitions. It reads a small piece
// of each, and another one where a piece is used up, so that a page costs the
// same in a scope of a hundred users and of ten million. A position is a member
// of the indexes: what follows it follows it in every partition, whatever was
// inserted or deleted since. That is what a cursor holds.
const (
	// maxListReads bounds the users that are read for one page. A sparse filter
	// then leaves the page short.
	maxListReads = 2000

	// listBatch is how many users are read in one go.
	listBatch = 128

	// sparsePiece is how many a page under a sparse filter is guessed to read.
	sparsePiece = 4 * listBatch

	uuidText      = 36 // characters at the end of every member
	createdDigits = 13 // characters at the beginning of a member of the creation times
)

// The first byte of a cursor, before the position.
const (
	cursorByName    = 'u'
	cursorByCreated = 'c'
)

// ListUsers returns a page of a scope's users, and the cursor of the next one,
// which is "" after the last. Nobody is listed twice, and nobody is missed who
// was there all the time under one name. A page may be short, even empty, and
// still have a cursor: where the filter lets few through, at most 2,000 users
// are read for one page. The error is ErrBadCursor for a cursor that is not one
// of this order.
func (s *Store) ListUsers(ctx context.Context, q ListQuery) (users []User, cursor string, err error) {
	users, cursor, err = s.listUsers(ctx, q)
	if err != nil {
		return nil, "", fmt.Errorf("list users: %w", err)
	}
	return users, cursor, nil
}

func (s *Store) listUsers(ctx context.Context, q ListQuery) (users []User, cursor string, err error) {
	if q.Limit <= 0 || q.Limit > protocol.MaxListLimit {
		q.Limit = protocol.MaxListLimit
	}
	kind := byte(cursorByName)
	if q.OrderBy == protocol.OrderByCreatedAt {
		kind = cursorByCreated
	}
	after, err := decodeCursor(q.Cursor, kind)
	if err != nil {
		return nil, "", err
	}
	keep := newFilter(q.Filter, kind)
	if q.Filter.Email != "" {
		return s.listByEmail(ctx, q, keep)
	}

	m := newMerge(s, q, kind, after)
	last := ""
	for reads := 0; len(users) < q.Limit && reads < maxListReads; {
		want := q.Limit - len(users)
		if keep.sparse {
			want = listBatch
		}
		members, err := m.next(ctx, min(want, listBatch, maxListReads-reads))
		if err != nil {
			return nil, "", err
		}
		if len(members) == 0 {
			return users, "", nil
		}
		reads += len(members)
		ids := make([]uuid.UUID, len(members))
		for i, member := range members {
			if ids[i], err = uuid.Parse(member[len(member)-uuidText:]); err != nil {
				return nil, "", errors.New("index of users is malformed")
			}
		}
		read, errs, err := s.readUsers(ctx, ids)
		if err != nil {
			return nil, "", err
		}
		for i, member := range members {
			if len(users) == q.Limit {
				break
			}
			last = member
			switch {
			case errors.Is(errs[i], ErrUserNotFound):
			case errs[i] != nil:
				return nil, "", errs[i]
			case memberOf(&read[i], kind) != member:
				// Renamed between the two reads: he is listed where he is now.
			case keep.lets(&read[i]):
				users = append(users, read[i])
			}
		}
		if last != members[len(members)-1] {
			return users, encodeCursor(kind, last), nil
		}
	}
	more, err := m.any(ctx)
	if err != nil || !more {
		return users, "", err
	}
	return users, encodeCursor(kind, last), nil
}

// listByEmail answers a listing that can have one user at most.
func (s *Store) listByEmail(ctx context.Context, q ListQuery, keep filter) ([]User, string, error) {
	if q.Cursor != "" {
		return nil, "", nil
	}
	u, err := s.UserByEmail(ctx, q.Scope, q.Filter.Email)
	if errors.Is(err, ErrUserNotFound) || err == nil && !keep.lets(&u) {
		return nil, "", nil
	}
	if err != nil {
		return nil, "", err
	}
	return []User{u}, "", nil
}

// memberOf returns the member that u has in an index.
func memberOf(u *User, kind byte) string {
	if kind == cursorByCreated {
		return fmt.Sprintf("%0*d%s", createdDigits, u.CreatedAt.UnixMilli(), u.ID)
	}
	return protocol.UsernameKey(u.Username) + "\x00" + u.ID.String()
}

func encodeCursor(kind byte, member string) string {
	return base64.RawURLEncoding.EncodeToString(append([]byte{kind}, member...))
}

func decodeCursor(cursor string, kind byte) (member string, err error) {
	if cursor == "" {
		return "", nil
	}
	b, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil || len(b) < 1+uuidText || b[0] != kind {
		return "", ErrBadCursor
	}
	return string(b[1:]), nil
}

// A filter decides who is listed.
type filter struct {
	protocol.UserFilter
	prefix string // of the username key
	email  string // key
	sparse bool   // some of those who are read may not be let through
}

func newFilter(f protocol.UserFilter, kind byte) filter {
	return filter{
		UserFilter: f,
		prefix:     protocol.UsernameKey(f.Username),
		email:      protocol.EmailKey(f.Email),
		sparse:     f.Group != "" || f.Active != nil || f.Pending != nil || f.Banned != nil || f.Online != nil || f.Username != "" && kind != cursorByName,
	}
}

func (f *filter) lets(u *User) bool {
	switch {
	case f.prefix != "" && !strings.HasPrefix(protocol.UsernameKey(u.Username), f.prefix),
		f.email != "" && protocol.EmailKey(u.Email) != f.email,
		f.Group != "" && u.Group != f.Group,
		f.Active != nil && u.Active != *f.Active,
		f.Pending != nil && (u.Confirmation != "") != *f.Pending,
		f.Banned != nil && (u.Ban != nil) != *f.Banned,
		f.Online != nil && u.Online() != *f.Online:
		return false
	}
	return true
}

// A merge walks the indexes of all partitions in one order.
type merge struct {
	s     *Store
	max   string // end of the range, as ZRANGEBYLEX has it
	piece int    // members to read of a partition at a time
	parts []part
}

// A part is one partition's index, as far as it has been read.
type part struct {
	key   string
	min   string   // where the next piece begins, as ZRANGEBYLEX has it
	piece []string // members read and not yet taken
	done  bool     // nothing behind piece
}

// newMerge starts a walk behind the member after, or at the beginning for "".
func newMerge(s *Store, q ListQuery, kind byte, after string) *merge {
	m := &merge{s: s, max: "+", parts: make([]part, Partitions)}
	// Twice a partition's share of the page, so that few have to be asked again.
	m.piece = 2 + 2*q.Limit/Partitions
	if f := newFilter(q.Filter, kind); f.sparse { // more has to be read for the page
		m.piece = 2 + 2*sparsePiece/Partitions
	}
	low := "-"
	if prefix := protocol.UsernameKey(q.Filter.Username); prefix != "" && kind == cursorByName {
		low, m.max = "["+prefix, "("+prefix+"\xff" // a byte that no text has
		if after < prefix {
			after = ""
		}
	}
	if after != "" {
		low = "(" + after
	}
	for i, p := range partitions {
		m.parts[i] = part{key: p.names(q.Scope), min: low}
		if kind == cursorByCreated {
			m.parts[i].key = p.created(q.Scope)
		}
	}
	return m
}

// fill reads a piece of every partition of which nothing is at hand, so that
// the least member of all is at hand.
func (m *merge) fill(ctx context.Context) error {
	var cmds []redis.Cmder
	var asked []*part
	for i := range m.parts {
		p := &m.parts[i]
		if len(p.piece) > 0 || p.done {
			continue
		}
		cmds = append(cmds, redis.NewStringSliceCmd(ctx, "zrangebylex", p.key, p.min, m.max, "limit", 0, m.piece))
		asked = append(asked, p)
	}
	if err := m.s.doAll(ctx, cmds...); err != nil {
		return err
	}
	for i, p := range asked {
		p.piece = cmds[i].(*redis.StringSliceCmd).Val()
		p.done = len(p.piece) < m.piece
		if len(p.piece) > 0 {
			p.min = "(" + p.piece[len(p.piece)-1]
		}
	}
	return nil
}

// next takes up to n members, in order.
func (m *merge) next(ctx context.Context, n int) ([]string, error) {
	members := make([]string, 0, n)
	for len(members) < n {
		if err := m.fill(ctx); err != nil {
			return nil, err
		}
		least := m.least()
		if least == nil {
			break
		}
		member := least.piece[0]
		least.piece = least.piece[1:]
		if len(member) < uuidText {
			return nil, errors.New("index of users is malformed")
		}
		members = append(members, member)
	}
	return members, nil
}

// any reports whether there is another member.
func (m *merge) any(ctx context.Context) (bool, error) {
	err := m.fill(ctx)
	return m.least() != nil, err
}

// least returns the part with the least member at hand. With a fixed number of
// parts a plain search is quick enough: the users themselves cost more to read.
func (m *merge) least() *part {
	var least *part
	for i := range m.parts {
		if p := &m.parts[i]; len(p.piece) > 0 && (least == nil || p.piece[0] < least.piece[0]) {
			least = p
		}
	}
	return least
}

// CountUsers returns how many users a scope has.
func (s *Store) CountUsers(ctx context.Context, scope string) (int64, error) {
	n, err := s.sumOver(ctx, func(p partition) *redis.IntCmd { return redis.NewIntCmd(ctx, "zcard", p.names(scope)) })
	if err != nil {
		return 0, fmt.Errorf("count users: %w", err)
	}
	return n, nil
}
