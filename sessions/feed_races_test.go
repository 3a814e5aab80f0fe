package sessions

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"rollcall/protocol"
	"rollcall/store"
)

// hookedStore lets a test do something while a feed's store is asked.
type hookedStore struct {
	*store.Store
	reaches func(scope string)
	after   func(seq int64)
}

func (h *hookedStore) FeedReaches(ctx context.Context, scope string, since protocol.FeedPosition) (bool, error) {
	if h.reaches != nil {
		h.reaches(scope)
	}
	return h.Store.FeedReaches(ctx, scope, since)
}

func (h *hookedStore) FeedAfter(ctx context.Context, scope string, seq int64, limit int) ([]store.FeedEvent, error) {
	events, err := h.Store.FeedAfter(ctx, scope, seq, limit)
	if h.after != nil {
		h.after(seq)
	}
	return events, err
}

func newHookedFeed(t *testing.T) (*Feed, *hookedStore) {
	t.Helper()
	st, err := store.Open(t.Context(), store.Config{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	h := &hookedStore{Store: st}
	f := NewFeed(h, slog.New(slog.DiscardHandler))
	t.Cleanup(func() {
		f.Close()
		st.Close()
	})
	return f, h
}

// appendTo appends events from first to last to a scope's feed, each named by its number.
func appendTo(t *testing.T, h *hookedStore, scope string, first, last int) {
	t.Helper()
	for i := first; i <= last; i++ {
		if err := h.TellAdminAction(context.Background(), scope, protocol.EventData{Admin: "ops", Target: fmt.Sprint(i)}); err != nil {
			t.Fatal(err)
		}
	}
}

// A listSink keeps what is pushed: "scope seq" of events, "scope event" of all else.
type listSink struct {
	mu   sync.Mutex
	got  []string
	size int // of the largest run of pushes without a look for room
	run  int
	more chan struct{}
}

func newListSink() *listSink { return &listSink{more: make(chan struct{}, 1)} }

func (*listSink) Flush() {}

func (l *listSink) Push(text []byte, _ bool) bool {
	var p struct {
		Event string `json:"event"`
		Scope string `json:"scope"`
		Seq   int64  `json:"seq"`
	}
	if err := json.Unmarshal(text, &p); err != nil {
		panic(err)
	}
	what := fmt.Sprint(p.Scope, " ", p.Seq)
	if strings.HasPrefix(p.Event, "feed.") {
		what = p.Scope + " " + p.Event
	}
	l.mu.Lock()
	l.got = append(l.got, what)
	l.run += len(text)
	l.size = max(l.size, l.run)
	l.mu.Unlock()
	select {
	case l.more <- struct{}{}:
	default:
	}
	return true
}

func (l *listSink) Room(context.Context) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.run = 0
	return true
}

func (l *listSink) pushed() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.got)
}

// until waits for a push, and returns all up to it.
func (l *listSink) until(t *testing.T, last string) []string {
	t.Helper()
	guard := time.After(10 * time.Second)
	for {
		got := l.pushed()
		if i := slices.Index(got, last); i >= 0 {
			return got[:i+1]
		}
		select {
		case <-l.more:
		case <-guard:
			t.Fatalf("%q did not come, but %v", last, got[:min(20, len(got))])
		}
	}
}

func numberedOf(scope string, first, last int) (all []string) {
	for i := first; i <= last; i++ {
		all = append(all, fmt.Sprint(scope, " ", i))
	}
	return all
}

func subscribeAs(t *testing.T, f *Feed, l *listSink, p protocol.SubscribeParams, scopes ...string) (*Subscription, protocol.Subscription) {
	t.Helper()
	s, answer, err := f.Subscribe(t.Context(), SubscribeRequest{
		SubscribeParams: p, Scopes: scopes, Covers: func(string) bool { return true }, Sink: l,
	})
	if err != nil {
		t.Fatal(err)
	}
	return s, answer
}

func wantPushed(t *testing.T, got, want []string) {
	t.Helper()
	if slices.Equal(got, want) {
		return
	}
	i := 0
	for i < min(len(got), len(want)) && got[i] == want[i] {
		i++
	}
	t.Errorf("pushed %d, want %d; from the %dth on they were %v", len(got), len(want), i+1, got[i:min(len(got), i+20)])
}

func TestAScopeThatChangesWhileAllAreSubscribedToIsToldAsAsked(t *testing.T) {
	f, h := newHookedFeed(t)
	appendTo(t, h, "a", 1, 3)
	appendTo(t, h, "b", 1, 3)
	b, err := h.FeedHead(t.Context(), "b")
	if err != nil {
		t.Fatal(err)
	}
	a, err := h.FeedHead(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	h.reaches = func(string) { // "b" was changed, and is said to be new
		if err := f.Appeared(context.Background(), "b"); err != nil {
			t.Error(err)
		}
	}
	l := newListSink()
	s, _ := subscribeAs(t, f, l, protocol.SubscribeParams{Scope: "*", Since: map[string]protocol.FeedPosition{"a": a, "b": b}}, "a", "b")
	defer s.Close()
	s.Start()
	appendTo(t, h, "b", 4, 4)
	wantPushed(t, l.until(t, "b 4"), []string{"b 4"})
}

func TestAScopeThatAppearsBeforeThePushesStartIsToldOnce(t *testing.T) {
	f, h := newHookedFeed(t)
	appendTo(t, h, "new", 1, 3)
	l := newListSink()
	s, _ := subscribeAs(t, f, l, protocol.SubscribeParams{Scope: "*"})
	defer s.Close()
	if err := f.Appeared(t.Context(), "new"); err != nil {
		t.Fatal(err)
	}
	time.Sleep(20 * time.Millisecond)
	if got := l.pushed(); len(got) > 0 {
		t.Errorf("%v came before the start", got)
	}
	if n := f.Subscribers(); n != 1 {
		t.Errorf("%d subscribers, want 1", n)
	}
	s.Start()
	l.until(t, "new 3")
	appendTo(t, h, "new", 4, 4)
	wantPushed(t, l.until(t, "new 4"), numberedOf("new", 1, 4))
}

func TestASubscriberOfAllScopesCountsBeforeThereIsAny(t *testing.T) {
	f, _ := newHookedFeed(t)
	s, _ := subscribeAs(t, f, newListSink(), protocol.SubscribeParams{Scope: "*"})
	if n := f.Subscribers(); n != 1 {
		t.Errorf("%d subscribers, want 1", n)
	}
	s.Close()
	if n := f.Subscribers(); n != 0 {
		t.Errorf("%d subscribers after the close, want none", n)
	}
}

func TestALateUpdateOfAnEarlierTopicIsNotTold(t *testing.T) {
	f, h := newHookedFeed(t)
	appendTo(t, h, "s", 1, 3)
	events, err := h.FeedAfter(t.Context(), "s", 1, 2)
	if err != nil {
		t.Fatal(err)
	}
	l := newListSink()
	s, answer := subscribeAs(t, f, l, protocol.SubscribeParams{Scope: "s"}, "s")
	defer s.Close()
	s.Start()
	// It was read for somebody who left, before the present topic began at 3.
	f.update(store.FeedUpdate{Scope: "s", Events: events})
	f.update(store.FeedUpdate{Scope: "s", Events: events[:1], Lost: &protocol.FeedPosition{Seq: 1, Epoch: events[0].Epoch}})
	appendTo(t, h, "s", 4, 4)
	wantPushed(t, l.until(t, "s 4"), []string{"s 4"})
	if head := f.topics["s"].position(); head.Seq != 4 || answer.Heads["s"].Seq != 3 {
		t.Errorf("the feed is at %v, and was at %v", head, answer.Heads["s"])
	}
}

func TestASubscriberAheadOfALossGetsNothingTwice(t *testing.T) {
	f, h := newHookedFeed(t)
	appendTo(t, h, "s", 1, 4)
	events, err := h.FeedAfter(t.Context(), "s", 0, 10)
	if err != nil {
		t.Fatal(err)
	}
	// This node is at 2 of an epoch that ended there: another node has noticed, and
	// the subscriber got 3 and 4 there.
	old := protocol.FeedPosition{Seq: 2, Epoch: "before"}
	l := newListSink()
	topic := &topic{scope: "s", pos: old}
	f.topics["s"] = topic
	since := events[3].Position()
	s, answer := subscribeAs(t, f, l, protocol.SubscribeParams{Scope: "s", Since: map[string]protocol.FeedPosition{"s": since}}, "s")
	defer s.Close()
	s.Start()
	f.update(store.FeedUpdate{Scope: "s", Lost: &protocol.FeedPosition{Seq: 2, Epoch: since.Epoch}})
	fifth := events[3]
	fifth.Seq = 5
	f.update(store.FeedUpdate{Scope: "s", Events: append(events[2:], fifth)})
	wantPushed(t, l.until(t, "s 5"), []string{"s 5"})
	if answer.Heads["s"] != since {
		t.Errorf("the head is %v, want %v", answer.Heads["s"], since)
	}
}

func TestWhatCameWhileThePastWasReadIsGivenInPiecesThatHaveRoom(t *testing.T) {
	f, h := newHookedFeed(t)
	const past, meanwhile = 300, 2000
	appendTo(t, h, "s", 1, past)
	l := newListSink()
	var once sync.Once
	h.after = func(int64) {
		once.Do(func() { // more than may wait comes while the first page is read
			appendTo(t, h, "s", past+1, past+meanwhile)
			for f.topics["s"].position().Seq < past+meanwhile {
				time.Sleep(time.Millisecond)
			}
		})
	}
	s, _ := subscribeAs(t, f, l, protocol.SubscribeParams{Scope: "s", Since: map[string]protocol.FeedPosition{"s": {}}}, "s")
	defer s.Close()
	s.Start()
	l.until(t, fmt.Sprint("s ", past+meanwhile))
	appendTo(t, h, "s", past+meanwhile+1, past+meanwhile+1)
	wantPushed(t, l.until(t, fmt.Sprint("s ", past+meanwhile+1)), numberedOf("s", 1, past+meanwhile+1))
	if l.size > 256<<10 { // a quarter of what may wait for a connection
		t.Errorf("%d bytes were pushed without a look for room", l.size)
	}
}
