package store

import (
	"slices"
	"sync"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/redis/go-redis/v9"

	"rollcall/protocol"
)

// A tape keeps what a follower hands on.
type tape struct {
	mu     sync.Mutex
	events []FeedEvent
	lost   []protocol.FeedPosition
}

func (tp *tape) update(u FeedUpdate) {
	tp.mu.Lock()
	defer tp.mu.Unlock()
	if u.Lost != nil {
		tp.lost = append(tp.lost, *u.Lost)
	}
	tp.events = append(tp.events, u.Events...)
}

func (tp *tape) snapshot() ([]FeedEvent, []protocol.FeedPosition) {
	tp.mu.Lock()
	defer tp.mu.Unlock()
	return slices.Clone(tp.events), slices.Clone(tp.lost)
}

func (tp *tape) names() (names []string) {
	events, _ := tp.snapshot()
	for _, e := range events {
		names = append(names, e.Name)
	}
	return names
}

func (tp *tape) losses() int {
	_, lost := tp.snapshot()
	return len(lost)
}

func followFeed(t testing.TB, s *Store, scope string) (*tape, protocol.FeedPosition) {
	t.Helper()
	tp := &tape{}
	f := s.FollowFeeds(tp.update)
	t.Cleanup(f.Close)
	head, err := f.Add(t.Context(), scope)
	if err != nil {
		t.Fatal(err)
	}
	return tp, head
}

// arrival is a connection of node n1.
func arrival(lease, place string) Arrival {
	return Arrival{
		At: ConnRef{"n1", place}, Lease: lease, Place: place, Scope: testScope,
		Via: Via{Method: protocol.MethodPassword, Node: "n1", IP: "203.0.113.7", Client: &protocol.ClientInfo{Name: `a "game"`}},
	}
}

func dataOf(t testing.TB, e FeedEvent) (d protocol.EventData) {
	t.Helper()
	if err := json.Unmarshal(e.Data, &d); err != nil {
		t.Fatalf("%s: %v: %s", e.Name, err, e.Data)
	}
	return d
}

// openSame opens another store on the same storage, as another process would;
// an embedded one has no other.
func openSame(t testing.TB, s *Store) *Store {
	if s.embedded {
		return s
	}
	return openTest(t, Config{URL: s.cfg.URL})
}

// xadd writes a stream's entry as it was.
func xadd(stream string, m redis.XMessage) *redis.XAddArgs {
	return &redis.XAddArgs{Stream: stream, ID: m.ID, Values: m.Values}
}
