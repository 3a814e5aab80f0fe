package store

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"hash/fnv"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"

	"rollcall/protocol"
)

// A scope's feed lies in another slot than its users. So the script that writes
// a user leaves what there is to tell in the outbox of the user's slot, as an
// effect; a second script appends it to the feed and knows it by its number if
// it comes again. Then it goes from the outbox. If the process dies in between,
// any node's sweep finishes it. scripts/parts/event.lua has the effect's form.

// A Via says how and where from something was done.
type Via struct {
	Method string // such as protocol.MethodPassword; "" where it does not matter
	Node   string
	Client *protocol.ClientInfo
	IP     string
}

// place returns where from, as JSON members with a comma before each.
func (v Via) place() string {
	var b []byte
	if v.Node != "" {
		b = append(append(b, `,"node":`...), quote(v.Node)...)
	}
	if v.Client != nil && *v.Client != (protocol.ClientInfo{}) {
		if text, err := json.Marshal(v.Client); err == nil { // three strings: it has a JSON form
			b = append(append(b, `,"client":`...), text...)
		}
	}
	if v.IP != "" {
		b = append(append(b, `,"ip":`...), quote(v.IP)...)
	}
	return string(b)
}

// method returns how, likewise.
func (v Via) method() string {
	if v.Method == "" {
		return ""
	}
	return `,"method":` + string(quote(v.Method))
}

func quote(s string) []byte {
	b, err := jsontext.AppendQuote(nil, s)
	if err != nil { // invalid UTF-8, which has become replacement characters
		return b
	}
	return b
}

// effectFeed is the kind of these effects.
const effectFeed = "feed"

// newEffectID returns the id of an effect that tells events. It is short, since
// a user's record names those that are under way.
func newEffectID() string {
	var b [8]byte
	rand.Read(b[:])
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// A telling is an effect that tells events of one scope.
type telling struct {
	id     string // of the effect
	at     time.Time
	scope  string
	events []toldEvent

	fails []string // a failed login: the keys that count it
}

type toldEvent struct {
	name string
	user string // id, or ""
	data string // JSON object
}

// parseTelling reads an effect as it stands in an outbox.
func parseTelling(id, text string) (telling, error) {
	e, _, err := parseEffect(id, text)
	if err == nil && e.kind != effectFeed {
		err = errors.New("effect tells no event")
	}
	if err != nil {
		return telling{}, err
	}
	return parsePayload(id, e.payload)
}

func parsePayload(id, payload string) (telling, error) {
	lines := strings.Split(payload, "\n")
	us, err := strconv.ParseInt(lines[0], 10, 64)
	if err != nil || len(lines) < 6 || len(lines)%3 != 0 {
		return telling{}, errors.New("effect is malformed")
	}
	t := telling{id: id, at: time.UnixMicro(us).UTC(), scope: lines[1]}
	for line := range slices.Chunk(lines[2:len(lines)-1], 3) {
		t.events = append(t.events, toldEvent{line[0], line[1], line[2]})
	}
	return t, nil
}

// eventID returns the id of an effect's i-th event.
func (t *telling) eventID(i int) string {
	if i == 0 {
		return t.id
	}
	return t.id + "." + strconv.Itoa(i)
}

// numberOf returns the number of an effect or event id: FNV-1a, 63 bits.
func numberOf(id string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(id))
	return h.Sum64() >> 1
}

// tell carries out the effects that a script returned as {id, effect, …}, in
// their order, even when the caller has gone. What fails is left to a sweep.
func (s *Store) tell(ctx context.Context, outbox string, pairs []string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseTimeout)
	defer cancel()
	if err := s.tellAll(ctx, outbox, pairs, func(string) error { return nil }); err != nil {
		s.log.Warn("events are left to the next sweep", "error", err)
	}
}

// mustTell is tell for what must be in the feed, and on as many replicas as are
// asked for, before it is acknowledged.
func (s *Store) mustTell(ctx context.Context, outbox string, pairs []string) error {
	return s.tellAll(ctx, outbox, pairs, func(scope string) error { return s.awaitReplicas(ctx, feedPartOf(scope)) })
}

func (s *Store) tellAll(ctx context.Context, outbox string, pairs []string, appended func(scope string) error) error {
	args := []any{"hdel", outbox}
	for i := 0; i+1 < len(pairs); i += 2 {
		t, err := parseTelling(pairs[i], pairs[i+1])
		if err != nil { // it must not keep the user out for ever
			s.log.Error("dropped a malformed effect", "outbox", outbox, "error", err)
			args = append(args, pairs[i])
			continue
		}
		s.fault("before append")
		if err := s.appendFeed(ctx, t); err != nil {
			return fmt.Errorf("tell events: %w", err)
		}
		s.fault("after append")
		if err := appended(t.scope); err != nil {
			return fmt.Errorf("tell events: %w", err)
		}
		args = append(args, t.id)
	}
	switch {
	case len(args) == 2:
	case s.cfg.noSweeps:
		s.clear(args)
	default:
		go s.clear(args)
	}
	return nil
}

// clear takes effects that are done from their outbox, behind the caller's back:
// what is left there by a failure is found done by a sweep.
func (s *Store) clear(hdel []any) {
	ctx, cancel := context.WithTimeout(context.Background(), releaseTimeout)
	defer cancel()
	if err := s.do(ctx, redis.NewIntCmd(ctx, hdel...)); err != nil && !errors.Is(err, ErrUnavailable) {
		s.log.Warn("an outbox was not cleared", "error", err)
	}
	s.fault("after clear")
}

// A FailedLogin is a login that was refused. User and Username are zero where
// there is no such user.
type FailedLogin struct {
	Scope    string
	User     uuid.UUID
	Username string
	Reason   string

	// Account and Address are what the failures of the last minute are counted
	// by, as short-lived hashes; "" is not counted by.
	Account, Address string
	Via
}

// TellFailedLogin counts a failed login and, up to five a minute for one
// account and one address, appends it to the feed.
func (s *Store) TellFailedLogin(ctx context.Context, f FailedLogin) error {
	data := protocol.EventData{
		UserID: f.User, Username: f.Username, Method: f.Method, Reason: f.Reason,
		Node: f.Node, Client: f.Client, IP: f.IP,
	}
	t, err := s.newTelling(f.Scope, protocol.EventUserLoginFailed, f.User, data)
	if err != nil {
		return err
	}
	p := feedPartOf(f.Scope)
	if f.Account != "" {
		t.fails = append(t.fails, p.fails(f.Scope, shortHash("account:"+f.Account)))
	}
	if f.Address != "" {
		t.fails = append(t.fails, p.fails(f.Scope, shortHash("address:"+f.Address)))
	}
	if err := s.appendFeed(ctx, t); err != nil {
		return fmt.Errorf("tell failed login: %w", err)
	}
	return nil
}

// TellAdminAction appends what an admin did to the feed of a scope, or of
// protocol.AllScopes.
func (s *Store) TellAdminAction(ctx context.Context, scope string, data protocol.EventData) error {
	t, err := s.newTelling(scope, protocol.EventAdminAction, data.UserID, data)
	if err != nil {
		return err
	}
	if err := s.appendFeed(ctx, t); err != nil {
		return fmt.Errorf("tell admin's action: %w", err)
	}
	return nil
}

// newTelling makes a telling of one event that happens now.
func (s *Store) newTelling(scope, name string, user uuid.UUID, data protocol.EventData) (telling, error) {
	text, err := json.Marshal(data)
	if err != nil {
		return telling{}, fmt.Errorf("encode event: %w", err)
	}
	e := toldEvent{name: name, data: string(text)}
	if user != uuid.Nil {
		e.user = user.String()
	}
	return telling{id: newEffectID(), at: s.now(), scope: scope, events: []toldEvent{e}}, nil
}
