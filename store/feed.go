package store

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"rollcall/protocol"
)

var (
	scriptFeedAppend = newScript("feed_append")
	scriptFeedReset  = newScript("feed_reset")
)

// Bounds of a scope's feed. Everything of the last feedYoung is kept, however
// much it is, below Config.FeedBytes; what is older, up to feedOld, while it is
// among the newest Config.FeedEvents.
const (
	DefaultFeedEvents = 100_000
	DefaultFeedBytes  = 64 << 20

	feedYoung = 15 * time.Minute
	feedOld   = 7 * 24 * time.Hour

	// seenTTL is how long an effect's number is remembered, and tellingAge how
	// old an effect may be to be appended: one that is older may have been
	// before, and nobody would know.
	seenTTL    = 15 * time.Minute
	tellingAge = 10 * time.Minute

	// maxFailsStored is how many failed logins a minute of one account, or of
	// one address, go into the feed. All are counted.
	maxFailsStored = 5
)

// appendFeed appends what a telling tells to the feed of its scope, unless it
// was appended before.
func (s *Store) appendFeed(ctx context.Context, t telling) error {
	if age := s.now().Sub(t.at); age > tellingAge {
		s.log.Error("events are too old to be told, and dropped", "scope", t.scope, "events", len(t.events), "age", age)
		return nil
	}
	p, number := feedPartOf(t.scope), numberOf(t.id)
	keys := append([]string{
		p.meta(t.scope), p.feed(t.scope), p.seen(t.scope, t.at, number),
		p.minutes(t.scope, t.at), p.hours(t.scope, t.at), p.days(t.scope, t.at),
		p.seenBy(t.scope, dayOf(t.at), 0), p.seenBy(t.scope, dayOf(t.at), 1),
	}, t.fails...)
	args := []any{
		number, newEpoch(), t.at.UnixMilli(), seenTTL.Milliseconds(),
		minuteField(t.at), hourField(t.at), dayField(t.at),
		minutesKept.Milliseconds(), hoursKept.Milliseconds(), daysKept.Milliseconds(),
		s.cfg.FeedEvents, feedYoung.Milliseconds(), feedOld.Milliseconds(), s.cfg.FeedBytes, maxFailsStored, s.seenAdd(),
	}
	for i, e := range t.events {
		id := t.eventID(i)
		args = append(args, e.name, e.user, e.data, id, numberOf(id), countedAs[e.name])
	}
	if _, err := s.run(ctx, scriptFeedAppend, keys, args...); err != nil {
		return fmt.Errorf("append to feed: %w", err)
	}
	s.bell.ring(p)
	return nil
}

// countedAs says what an event counts as, see statistics.go.
var countedAs = map[string]string{
	protocol.EventUserCreated:     countJoins,
	protocol.EventUserLogin:       countLogins,
	protocol.EventUserLoginFailed: countFailures,
	protocol.EventUserResumed:     countResumes,
	protocol.EventUserOnline:      "+",
	protocol.EventUserOffline:     "-",
}

// A feedHead is where a feed is.
type feedHead struct {
	pos    protocol.FeedPosition
	entry  string // id of the newest entry in the stream, "" when it is not known
	origin int64  // seq behind which the epoch began
	first  int64  // seq of the oldest entry that may be kept
}

func headCmd(ctx context.Context, scope string) *redis.SliceCmd {
	return redis.NewSliceCmd(ctx, "hmget", feedPartOf(scope).meta(scope), "s", "e", "i", "l", "o", "f")
}

// headOf reads where a feed is. A feed that has had no event yet gets its epoch
// by that, so that there is a place to come back to.
func (s *Store) headOf(ctx context.Context, scope string) (feedHead, error) {
	cmd := headCmd(ctx, scope)
	if err := s.do(ctx, cmd); err != nil {
		return feedHead{}, err
	}
	if head := readHead(cmd); head.pos.Epoch != "" {
		return head, nil
	}
	cmd = headCmd(ctx, scope)
	if err := s.doAll(ctx, redis.NewBoolCmd(ctx, "hsetnx", feedPartOf(scope).meta(scope), "e", newEpoch()), cmd); err != nil {
		return feedHead{}, err
	}
	return readHead(cmd), nil
}

func readHead(cmd *redis.SliceCmd) feedHead {
	text := make([]string, 6)
	for i, v := range cmd.Val() {
		text[i], _ = v.(string)
	}
	number := func(i int) int64 {
		n, _ := strconv.ParseInt(text[i], 10, 64)
		return n
	}
	return feedHead{
		pos:    protocol.FeedPosition{Seq: number(0), Epoch: text[1], EventID: text[2]},
		entry:  text[3],
		origin: number(4),
		first:  max(1, number(5)),
	}
}

// entryOf returns the id of an event's entry.
func entryOf(seq int64, eventID string) string {
	return strconv.FormatInt(seq, 10) + "-" + strconv.FormatUint(numberOf(eventID), 10)
}

// resetFeed begins a new epoch of a feed, if what was seen of it is not there.
// lost reports whether there is another epoch now, which began behind pos.Seq.
func (s *Store) resetFeed(ctx context.Context, scope string, seen protocol.FeedPosition, entry string) (pos protocol.FeedPosition, lost bool, err error) {
	p := feedPartOf(scope)
	r, err := s.runReply(ctx, scriptFeedReset, []string{p.meta(scope), p.feed(scope)}, seen.Epoch, seen.Seq, entry, newEpoch())
	if err != nil {
		return pos, false, fmt.Errorf("look after feed: %w", err)
	}
	if r.int(0) == 0 {
		return pos, false, nil
	}
	s.log.Warn("events of a feed were lost; it goes on in a new epoch", "scope", scope, "seq", r.int(1), "epoch", r.text(2))
	return protocol.FeedPosition{Seq: r.int(1), Epoch: r.text(2)}, true, nil
}

// newEpoch returns the name of an epoch: 48 random bits.
func newEpoch() string { return randomID()[:8] }

// shortHash keeps what was typed out of the storage's keys.
func shortHash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return base64.RawURLEncoding.EncodeToString(sum[:12])
}
