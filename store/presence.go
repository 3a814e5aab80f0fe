package store

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"

	"rollcall/protocol"
)

// Presence. A connection that is logged in has a place under its node's lease.
// It stands in the user's record as the field on:<lease>.<place>, so that
// whoever reads the user sees whether he is connected, and in the partition's
// hash of the lease with what is known of it:
//
//	place → "<user id> <session id> <ms> {"scope":…,"node":…,"client":…,"ip":…}"
//
// by which the connections of a node that died are found. The users of a scope
// who are connected are a set in each partition, so that their number is what
// it is, whatever crashed.

var (
	scriptEnter  = newScript("enter", "event", "presence")
	scriptDepart = newScript("depart", "event")
)

// A Presence is one place: a user's login on a live connection.
type Presence struct {
	Lease, Place string
	User         uuid.UUID
	Session      string // id
	Scope        string
	Since        int64 // ms
	Via          Via
}

// Enter notes a connection again that had a place and may have lost it: Redis
// lost it, or the node's lease. ErrSessionInvalid when its session is not good
// any more.
func (s *Store) Enter(ctx context.Context, pr Presence) error {
	id := pr.User
	p := partitionOf(id)
	s.fault("before enter")
	r, err := s.runReply(ctx, scriptEnter, []string{p.user(id), p.sessions(id), p.outbox(), p.at(pr.Lease), p.online(pr.Scope)},
		pr.Session, id.String(), string(id[:]), newEffectID(), pr.Via.place(), pr.Lease, pr.Place)
	if err == nil && r.int(0) == 0 {
		err = ErrSessionInvalid
	}
	if err != nil {
		return fmt.Errorf("note connection: %w", err)
	}
	s.fault("after enter")
	s.tell(ctx, p.outbox(), r.texts(1))
	return nil
}

// Depart takes a place away. If it was the user's last one, the user is offline,
// for that reason. What is not there any more is no error.
func (s *Store) Depart(ctx context.Context, pr Presence, reason string) error {
	id := pr.User
	p := partitionOf(id)
	more := ""
	if pr.Via.Node != "" {
		more = `,"node":` + string(quote(pr.Via.Node))
	}
	more += `,"reason":` + string(quote(reason))
	s.fault("before depart")
	r, err := s.runReply(ctx, scriptDepart, []string{p.user(id), p.outbox(), p.at(pr.Lease), p.online(pr.Scope)},
		id.String(), string(id[:]), pr.Lease, pr.Place, newEffectID(), more)
	if err != nil {
		return fmt.Errorf("take connection out: %w", err)
	}
	s.fault("after depart")
	s.tell(ctx, p.outbox(), r.texts(1))
	return nil
}

// Present returns the places of a lease in one of the user partitions, 0 to
// Partitions-1.
func (s *Store) Present(ctx context.Context, lease string, part int) ([]Presence, error) {
	cmd := redis.NewMapStringStringCmd(ctx, "hgetall", partitions[part].at(lease))
	if err := s.do(ctx, cmd); err != nil {
		return nil, fmt.Errorf("read connections of a node: %w", err)
	}
	all := make([]Presence, 0, len(cmd.Val()))
	for place, text := range cmd.Val() {
		pr, err := parsePresence(lease, place, text)
		if err != nil {
			return nil, fmt.Errorf("read connections of a node: %w", err)
		}
		all = append(all, pr)
	}
	return all, nil
}

var errBadPresence = errors.New("stored connection is malformed")

func parsePresence(lease, place, text string) (Presence, error) {
	f := strings.SplitN(text, " ", 4)
	if len(f) != 4 {
		return Presence{}, errBadPresence
	}
	user, err := uuid.Parse(f[0])
	since, err2 := parseMillis(f[2])
	var more struct {
		Scope  string               `json:"scope"`
		Node   string               `json:"node"`
		Client *protocol.ClientInfo `json:"client"`
		IP     string               `json:"ip"`
	}
	if err := errors.Join(err, err2, json.Unmarshal([]byte(f[3]), &more)); err != nil {
		return Presence{}, errBadPresence
	}
	return Presence{
		Lease: lease, Place: place, User: user, Session: f[1], Since: since.UnixMilli(),
		Scope: more.Scope, Via: Via{Node: more.Node, Client: more.Client, IP: more.IP},
	}, nil
}

// PresencesOf returns what is known of a user's places, as the user's record
// names them.
func (s *Store) PresencesOf(ctx context.Context, u User) ([]Presence, error) {
	cmds := make([]redis.Cmder, 0, len(u.Places))
	refs := make([]Presence, 0, len(u.Places))
	for _, at := range u.Places {
		lease, place, ok := strings.Cut(at, ".")
		if !ok {
			continue
		}
		refs = append(refs, Presence{Lease: lease, Place: place})
		cmds = append(cmds, redis.NewStringCmd(ctx, "hget", partitionOf(u.ID).at(lease), place))
	}
	if err := s.doAll(ctx, cmds...); err != nil {
		return nil, fmt.Errorf("read connections of a user: %w", err)
	}
	all := make([]Presence, 0, len(refs))
	for i, ref := range refs {
		text := cmds[i].(*redis.StringCmd).Val()
		if text == "" {
			continue // gone since the record was read
		}
		pr, err := parsePresence(ref.Lease, ref.Place, text)
		if err != nil {
			return nil, fmt.Errorf("read connections of a user: %w", err)
		}
		all = append(all, pr)
	}
	return all, nil
}

// AreOnline says which of some users of a scope are connected. Users who do not
// exist, or are of another scope, are not.
func (s *Store) AreOnline(ctx context.Context, scope string, ids []uuid.UUID) ([]bool, error) {
	cmds := make([]redis.Cmder, len(ids))
	for i, id := range ids {
		cmds[i] = redis.NewBoolCmd(ctx, "sismember", partitionOf(id).online(scope), string(id[:]))
	}
	if err := s.doAll(ctx, cmds...); err != nil {
		return nil, fmt.Errorf("read presence: %w", err)
	}
	online := make([]bool, len(ids))
	for i, cmd := range cmds {
		online[i] = cmd.(*redis.BoolCmd).Val()
	}
	return online, nil
}

// OnlineUsers returns up to limit users of a scope who are connected, in no
// order.
func (s *Store) OnlineUsers(ctx context.Context, scope string, limit int) ([]User, error) {
	var ids []uuid.UUID
	for _, p := range partitions {
		if len(ids) >= limit {
			break
		}
		cmd := redis.NewStringSliceCmd(ctx, "srandmember", p.online(scope), limit-len(ids))
		if err := s.do(ctx, cmd); err != nil {
			return nil, fmt.Errorf("list online users: %w", err)
		}
		for _, raw := range cmd.Val() {
			if id, err := uuid.FromBytes([]byte(raw)); err == nil {
				ids = append(ids, id)
			}
		}
	}
	read, errs, err := s.readUsers(ctx, ids)
	if err != nil {
		return nil, fmt.Errorf("list online users: %w", err)
	}
	users := make([]User, 0, len(read))
	for i := range read {
		switch {
		case errs[i] == nil:
			users = append(users, read[i])
		case !errors.Is(errs[i], ErrUserNotFound):
			return nil, fmt.Errorf("list online users: %w", errs[i])
		}
	}
	return users, nil
}

// CountOnline returns how many users of a scope are connected.
func (s *Store) CountOnline(ctx context.Context, scope string) (int64, error) {
	n, err := s.sumOver(ctx, func(p partition) *redis.IntCmd { return redis.NewIntCmd(ctx, "scard", p.online(scope)) })
	if err != nil {
		return 0, fmt.Errorf("count online users: %w", err)
	}
	return n, nil
}

// CountPending returns how many users of a scope have yet to confirm.
func (s *Store) CountPending(ctx context.Context, scope string) (int64, error) {
	n, err := s.sumOver(ctx, func(p partition) *redis.IntCmd {
		return redis.NewIntCmd(ctx, "zlexcount", p.pending(), "["+scope+"\x00", "("+scope+"\x01")
	})
	if err != nil {
		return 0, fmt.Errorf("count pending users: %w", err)
	}
	return n, nil
}

// sumOver sums what every partition answers.
func (s *Store) sumOver(ctx context.Context, ask func(partition) *redis.IntCmd) (int64, error) {
	cmds := make([]redis.Cmder, 0, Partitions)
	for _, p := range partitions {
		cmds = append(cmds, ask(p))
	}
	if err := s.doAll(ctx, cmds...); err != nil {
		return 0, err
	}
	var n int64
	for _, cmd := range cmds {
		n += cmd.(*redis.IntCmd).Val()
	}
	return n, nil
}
