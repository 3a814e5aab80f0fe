package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"

	"rollcall/protocol"
)

// A FeedEvent is one event of a scope's feed.
type FeedEvent struct {
	Scope string
	Seq   int64
	Epoch string
	ID    string // event_id
	Time  time.Time
	Name  string
	User  uuid.UUID // whom it is about; zero: no user, or one who is not known
	Data  []byte    // a JSON object, see protocol.EventData
}

// Position is the place behind the event.
func (e *FeedEvent) Position() protocol.FeedPosition {
	return protocol.FeedPosition{Seq: e.Seq, Epoch: e.Epoch, EventID: e.ID}
}

var errBadEvent = errors.New("stored event is malformed")

func parseEvent(scope string, m redis.XMessage) (FeedEvent, error) {
	seq, _, _ := strings.Cut(m.ID, "-")
	n, err := strconv.ParseInt(seq, 10, 64)
	if err != nil {
		return FeedEvent{}, errBadEvent
	}
	text := func(field string) string {
		v, _ := m.Values[field].(string)
		return v
	}
	at, err := parseMillis(text("t"))
	if err != nil {
		return FeedEvent{}, errBadEvent
	}
	e := FeedEvent{
		Scope: scope, Seq: n, Epoch: text("p"), ID: text("i"), Time: at, Name: text("n"), Data: []byte(text("d")),
	}
	if user := text("u"); user != "" {
		if e.User, err = uuid.Parse(user); err != nil {
			return FeedEvent{}, errBadEvent
		}
	}
	return e, nil
}

// parseEvents leaves out what can't be read: those who look at the numbers find
// a hole there, and take it for lost.
func (s *Store) parseEvents(scope string, messages []redis.XMessage) []FeedEvent {
	events := make([]FeedEvent, 0, len(messages))
	for _, m := range messages {
		e, err := parseEvent(scope, m)
		if err != nil {
			s.log.Error("skipped an event that can't be read", "scope", scope, "entry", m.ID, "error", err)
			continue
		}
		events = append(events, e)
	}
	return events
}

// FeedHead returns where a scope's feed is.
func (s *Store) FeedHead(ctx context.Context, scope string) (protocol.FeedPosition, error) {
	head, err := s.headOf(ctx, scope)
	if err != nil {
		return protocol.FeedPosition{}, fmt.Errorf("read head of feed: %w", err)
	}
	return head.pos, nil
}

// FeedReaches reports whether everything that came behind a position is still
// in the feed: false when the position is of another epoch, when the history
// does not reach back to it, and when the feed is behind it or has another event
// there. What a client claims to have seen changes nothing.
func (s *Store) FeedReaches(ctx context.Context, scope string, since protocol.FeedPosition) (bool, error) {
	ok, err := s.feedReaches(ctx, scope, since)
	if err != nil {
		return false, fmt.Errorf("look for a place in a feed: %w", err)
	}
	return ok, nil
}

func (s *Store) feedReaches(ctx context.Context, scope string, since protocol.FeedPosition) (bool, error) {
	feed := feedPartOf(scope).feed(scope)
	meta, oldest := headCmd(ctx, scope), redis.NewXMessageSliceCmd(ctx, "xrange", feed, "-", "+", "count", 1)
	cmds := []redis.Cmder{meta, oldest}
	entry := ""
	if since.EventID != "" && since.Seq > 0 {
		entry = entryOf(since.Seq, since.EventID)
		cmds = append(cmds, redis.NewXMessageSliceCmd(ctx, "xrange", feed, entry, entry))
	}
	if err := s.doAll(ctx, cmds...); err != nil {
		return false, err
	}
	head := readHead(meta)
	kept := head.pos.Seq + 1 // seq of the oldest event that is there
	if events := s.parseEvents(scope, oldest.Val()); len(events) > 0 {
		kept = events[0].Seq
	}
	switch {
	case since.Seq == 0 && since.Epoch == "": // before the first event
		return kept == 1 && head.origin == 0, nil
	case head.pos.Epoch != "" && head.pos.Epoch != since.Epoch:
		return false, nil
	case head.pos.Epoch == "" || since.Seq > head.pos.Seq,
		entry != "" && since.Seq >= kept && len(cmds[2].(*redis.XMessageSliceCmd).Val()) == 0:
		return false, nil
	}
	return since.Seq >= kept-1 && since.Seq >= head.origin, nil
}

// MaxFeedPage is how many events are read from a feed at once.
const MaxFeedPage = 1000

// FeedAfter returns up to limit events behind a seq, in order; at most
// MaxFeedPage. Of users who are gone by now they tell the id alone.
func (s *Store) FeedAfter(ctx context.Context, scope string, seq int64, limit int) ([]FeedEvent, error) {
	cmd := redis.NewXMessageSliceCmd(ctx, "xrange", feedPartOf(scope).feed(scope),
		strconv.FormatInt(seq+1, 10), "+", "count", min(max(1, limit), MaxFeedPage))
	events, err := s.readFeed(ctx, scope, cmd)
	if err != nil {
		return nil, fmt.Errorf("read feed: %w", err)
	}
	return events, nil
}

// FeedLast returns the newest events up to a seq for which want is true, at most
// n, in order. It looks at no more than reach events.
func (s *Store) FeedLast(ctx context.Context, scope string, upTo int64, n, reach int, want func(*FeedEvent) bool) ([]FeedEvent, error) {
	var found []FeedEvent
	for upTo > 0 && len(found) < n && reach > 0 {
		count := min(reach, MaxFeedPage)
		reach -= count
		cmd := redis.NewXMessageSliceCmd(ctx, "xrevrange", feedPartOf(scope).feed(scope), strconv.FormatInt(upTo, 10), "-", "count", count)
		events, err := s.readFeed(ctx, scope, cmd)
		if err != nil {
			return nil, fmt.Errorf("read end of feed: %w", err)
		}
		for i := range events {
			if len(found) < n && want(&events[i]) {
				found = append(found, events[i])
			}
		}
		if len(events) < count {
			break
		}
		upTo = events[len(events)-1].Seq - 1
	}
	slices.Reverse(found)
	return found, nil
}

func (s *Store) readFeed(ctx context.Context, scope string, cmd *redis.XMessageSliceCmd) ([]FeedEvent, error) {
	if err := s.do(ctx, cmd); err != nil && err != redis.Nil {
		return nil, err
	}
	events := s.parseEvents(scope, cmd.Val())
	return events, s.forgetGone(ctx, events)
}

// forgetGone takes from events of users who were deleted what is told of them
// besides the id.
func (s *Store) forgetGone(ctx context.Context, events []FeedEvent) error {
	there := map[uuid.UUID]*redis.IntCmd{}
	var cmds []redis.Cmder
	for i := range events {
		id := events[i].User
		if id == uuid.Nil || there[id] != nil {
			continue
		}
		cmd := redis.NewIntCmd(ctx, "exists", partitionOf(id).user(id))
		there[id] = cmd
		cmds = append(cmds, cmd)
	}
	if err := s.doAll(ctx, cmds...); err != nil {
		return err
	}
	for i := range events {
		e := &events[i]
		if cmd := there[e.User]; cmd != nil && cmd.Val() == 0 {
			if err := e.forget(); err != nil {
				return err
			}
		}
	}
	return nil
}

// forget leaves the user's id, and of an admin's action who did what.
func (e *FeedEvent) forget() error {
	var all protocol.EventData
	if err := json.Unmarshal(e.Data, &all); err != nil {
		return errBadEvent
	}
	kept := protocol.EventData{UserID: e.User}
	if e.Name == protocol.EventAdminAction {
		kept.Admin, kept.Action, kept.IP = all.Admin, all.Action, all.IP
	}
	var err error
	e.Data, err = json.Marshal(kept)
	return err
}
