package sessions

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"go.uber.org/goleak"

	"rollcall/protocol"
	"rollcall/store"
)

// A fakeSink keeps what is pushed to it.
type fakeSink struct {
	most int           // it is full with so many; 0: never
	gate chan struct{} // Room waits until it is closed; nil: there is room

	mu     sync.Mutex
	pushes []protocol.Push
	batch  []bool
}

func (*fakeSink) Flush() {}

func (s *fakeSink) Push(text []byte, batch bool) bool {
	f, err := protocol.ParseFrame(text)
	if err != nil || len(f.Pushes) != 1 {
		panic(fmt.Sprintf("%s is no push: %v", text, err))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.most > 0 && len(s.pushes) == s.most {
		return false
	}
	s.pushes, s.batch = append(s.pushes, f.Pushes[0]), append(s.batch, batch)
	return true
}

func (s *fakeSink) Room(ctx context.Context) bool {
	if s.gate == nil {
		return ctx.Err() == nil
	}
	select {
	case <-s.gate:
		return true
	case <-ctx.Done():
		return false
	}
}

// got returns what was pushed: the action of each event, and each other push as
// "<event> <seq>".
func (s *fakeSink) got() (all []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.pushes {
		var d protocol.EventData
		if p.Event == protocol.EventAdminAction && json.Unmarshal(p.Data, &d) == nil {
			all = append(all, d.Action)
		} else {
			all = append(all, fmt.Sprint(p.Event, " ", p.Seq))
		}
	}
	return all
}

func (s *fakeSink) want(t *testing.T, what string, want []string) {
	t.Helper()
	eventually(t, what+": all is pushed", func() bool { return len(s.got()) >= len(want) })
	if got := s.got(); !slices.Equal(got, want) {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

// eventually waits until f is true; it fails the test when that takes too long.
func eventually(t testing.TB, what string, f func() bool) {
	t.Helper()
	deadline := time.After(30 * time.Second)
	for !f() {
		select {
		case <-deadline:
			t.Fatal("never: " + what)
		case <-time.After(time.Millisecond):
		}
	}
}

func openStore(t testing.TB) *store.Store {
	t.Helper()
	st, err := store.Open(context.Background(), store.Config{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	return st
}

// openFeed returns the feed of a node whose store is embedded.
func openFeed(t testing.TB) (*store.Store, *Feed) {
	t.Helper()
	st := openStore(t)
	return st, openFeedOf(t, st)
}

func openFeedOf(t testing.TB, st FeedStore) *Feed {
	t.Helper()
	f := NewFeed(st, slog.New(slog.DiscardHandler))
	t.Cleanup(f.Close)
	return f
}

// tell appends events to a scope's feed, whose actions are numbers.
func tell(t testing.TB, st *store.Store, scope string, from, to int) {
	t.Helper()
	for i := from; i <= to; i++ {
		err := st.TellAdminAction(context.Background(), scope, protocol.EventData{Admin: "ops", Action: fmt.Sprint(i)})
		if err != nil {
			t.Error(err)
		}
	}
}

// numbers are the actions of tell.
func numbers(from, to int) (all []string) {
	for i := from; i <= to; i++ {
		all = append(all, fmt.Sprint(i))
	}
	return all
}

func everyScope(string) bool { return true }

func subscribe(t testing.TB, f *Feed, sink Sink, params protocol.SubscribeParams, scopes ...string) (*Subscription, protocol.Subscription) {
	t.Helper()
	sub, answer, err := f.Subscribe(context.Background(), SubscribeRequest{SubscribeParams: params, Scopes: scopes, Covers: everyScope, Sink: sink})
	if err != nil {
		t.Fatal(err)
	}
	return sub, answer
}

// position returns the place behind one of a scope's events.
func position(t testing.TB, st *store.Store, scope string, seq int64) protocol.FeedPosition {
	t.Helper()
	if seq == 0 {
		return protocol.FeedPosition{}
	}
	events, err := st.FeedAfter(context.Background(), scope, seq-1, 1)
	if err != nil || len(events) != 1 {
		t.Fatal(events, err)
	}
	return events[0].Position()
}

// waitTopic waits until the node has come to a seq of a scope.
func waitTopic(t testing.TB, f *Feed, scope string, seq int64) {
	t.Helper()
	eventually(t, "the node gets there", func() bool {
		f.mu.Lock()
		topic := f.topics[scope]
		f.mu.Unlock()
		return topic != nil && topic.position().Seq >= seq
	})
}

func TestASubscriberGetsWhatItAskedForOnceAndInOrder(t *testing.T) {
	st, f := openFeed(t)
	tell(t, st, "s", 1, 600) // more than one page of the past
	since := func(pos protocol.FeedPosition) map[string]protocol.FeedPosition {
		return map[string]protocol.FeedPosition{"s": pos}
	}
	mid := position(t, st, "s", 340)
	tests := []struct {
		name   string
		params protocol.SubscribeParams
		from   int // the first event that comes
		lost   []string
	}{
		{"from now on", protocol.SubscribeParams{}, 601, nil},
		{"from the beginning on", protocol.SubscribeParams{Since: since(protocol.FeedPosition{})}, 1, nil},
		{"with no scope named", protocol.SubscribeParams{Since: map[string]protocol.FeedPosition{}}, 1, nil},
		{"since an event", protocol.SubscribeParams{Since: since(mid)}, 341, nil},
		{"since an event without its id", protocol.SubscribeParams{Since: since(protocol.FeedPosition{Seq: 340, Epoch: mid.Epoch})}, 341, nil},
		{"since the newest", protocol.SubscribeParams{Since: since(position(t, st, "s", 600))}, 601, nil},
		{"since another epoch", protocol.SubscribeParams{Since: since(protocol.FeedPosition{Seq: 340, Epoch: "other"})}, 601, []string{"s"}},
		{"since what never was", protocol.SubscribeParams{Since: since(protocol.FeedPosition{Seq: 900, Epoch: mid.Epoch})}, 601, []string{"s"}},
		{"the last few", protocol.SubscribeParams{Last: 7}, 594, nil},
		{"the last, more than there are", protocol.SubscribeParams{Last: 1000}, 1, nil},
		{"with a filter that lets it through", protocol.SubscribeParams{Since: since(mid), Events: []string{protocol.EventAdminAction}}, 341, nil},
		{"with a filter that lets nothing through", protocol.SubscribeParams{Since: since(mid), Events: []string{protocol.EventUserLogin}}, 613, nil},
		{"in batches", protocol.SubscribeParams{Since: since(mid), Batch: true}, 341, nil},
	}
	sinks := make([]*fakeSink, len(tests))
	for i, tt := range tests {
		sinks[i] = &fakeSink{}
		tt.params.Scope = "s"
		sub, answer := subscribe(t, f, sinks[i], tt.params, "s")
		defer sub.Close()
		if answer.Recovered != (tt.lost == nil) || !slices.Equal(answer.Lost, tt.lost) || answer.Heads["s"].Seq != 600 {
			t.Errorf("%s: answered %+v", tt.name, answer)
		}
		sub.Start()
	}
	tell(t, st, "s", 601, 612)
	for i, tt := range tests {
		sinks[i].want(t, tt.name, numbers(tt.from, 612))
		if slices.Contains(sinks[i].batch, !tt.params.Batch) {
			t.Errorf("%s: batched: %v", tt.name, sinks[i].batch)
		}
	}
	if n := f.Subscribers(); n != len(tests) {
		t.Errorf("%d subscribers", n)
	}
}

func TestABacklogOfSeveralScopesIsInOrderOfTime(t *testing.T) {
	st, f := openFeed(t)
	var want []string
	for i := range 9 {
		scope := fmt.Sprint("s", i%3)
		want = append(want, fmt.Sprint(i))
		tell(t, st, scope, i, i)
		time.Sleep(2 * time.Millisecond) // events have milliseconds
	}
	sink := &fakeSink{}
	sub, _ := subscribe(t, f, sink, protocol.SubscribeParams{Scope: protocol.AllScopes, Last: 5}, "s0", "s1", "s2")
	sub.Start()
	sink.want(t, "the last five", want[4:])
	sub.Close()
}

func TestSubscribersThatComeWhileEventsComeMissNothing(t *testing.T) {
	st, f := openFeed(t)
	const writers, each, readers = 4, 150, 60
	tell(t, st, "s", 1, 50)
	begin := position(t, st, "s", 25)
	sinks, heads := make([]*fakeSink, readers), make([]int64, readers)
	var all sync.WaitGroup
	for w := range writers {
		all.Go(func() { tell(t, st, "s", w*each, (w+1)*each-1) })
	}
	for i := range readers {
		all.Go(func() {
			sinks[i] = &fakeSink{}
			params, want := protocol.SubscribeParams{Scope: "s"}, int64(-1)
			switch i % 3 {
			case 1:
				params.Since, want = map[string]protocol.FeedPosition{"s": begin}, 25
			case 2:
				pos, err := st.FeedHead(context.Background(), "s")
				if err != nil {
					t.Error(err)
				}
				params.Since, want = map[string]protocol.FeedPosition{"s": pos}, pos.Seq
			}
			sub, answer := subscribe(t, f, sinks[i], params, "s")
			if want < 0 {
				want = answer.Heads["s"].Seq
			}
			heads[i] = want
			sub.Start()
			if i%10 == 9 { // some leave at once
				sub.Close()
				sinks[i] = nil
			}
		})
	}
	all.Wait()
	const last = 50 + writers*each
	for i, sink := range sinks {
		if sink == nil {
			continue
		}
		n := last - heads[i]
		eventually(t, "all come", func() bool { return int64(len(sink.got())) >= n })
		for j, p := range sink.pushes {
			if p.Seq != heads[i]+int64(j)+1 {
				t.Fatalf("subscriber %d, since %d: push %d is %s %d", i, heads[i], j, p.Event, p.Seq)
			}
		}
		if int64(len(sink.pushes)) != n {
			t.Errorf("subscriber %d got %d pushes, want %d", i, len(sink.pushes), n)
		}
	}
}

func TestASinkThatIsFullIsDroppedAndOthersGoOn(t *testing.T) {
	st, f := openFeed(t)
	tell(t, st, "s", 1, 20)
	since := map[string]protocol.FeedPosition{"s": {}}
	full := []*fakeSink{{most: 5}, {most: 20}, {most: 25}}
	other := &fakeSink{}
	var subs []*Subscription
	for _, sink := range append(slices.Clone(full), other) {
		sub, _ := subscribe(t, f, sink, protocol.SubscribeParams{Scope: "s", Since: since}, "s")
		sub.Start()
		subs = append(subs, sub)
	}
	tell(t, st, "s", 21, 40)
	other.want(t, "the other", numbers(1, 40))
	for i, sink := range full {
		sink.want(t, "a full one", numbers(1, sink.most))
		eventually(t, "it is dropped", func() bool { return subs[i].ctx.Err() != nil })
		sink.mu.Lock()
		sink.most = 0 // room comes too late
		sink.mu.Unlock()
	}
	tell(t, st, "s", 41, 45)
	other.want(t, "the other", numbers(1, 45))
	for _, sink := range full {
		if n := len(sink.got()); n > 25 {
			t.Errorf("a dropped sink has %d pushes", n)
		}
	}
	for _, sub := range subs {
		sub.Close()
		sub.Close()
	}
	if n := f.Subscribers(); n != 0 || len(f.topics) != 0 {
		t.Errorf("%d subscribers and %d topics are left", n, len(f.topics))
	}
}

// While the past is read for a subscriber, or it has not started, only so much
// waits for it.
func TestWhatIsTooMuchToWaitIsReadAgain(t *testing.T) {
	for _, most := range []int{1, 300, 1000, 5000, maxPending} {
		t.Run(fmt.Sprint(most), func(t *testing.T) {
			st, f := openFeed(t)
			f.most = most
			tell(t, st, "s", 1, 30)
			slow, late := &fakeSink{gate: make(chan struct{})}, &fakeSink{}
			a, _ := subscribe(t, f, slow, protocol.SubscribeParams{Scope: "s", Since: map[string]protocol.FeedPosition{"s": {}}}, "s")
			b, _ := subscribe(t, f, late, protocol.SubscribeParams{Scope: "s"}, "s")
			a.Start() // waits for room
			tell(t, st, "s", 31, 60)
			waitTopic(t, f, "s", 60)
			b.Start()
			close(slow.gate)
			tell(t, st, "s", 61, 90)
			slow.want(t, "the slow one", numbers(1, 90))
			late.want(t, "the late one", numbers(31, 90))
		})
	}
}

// history is a store whose past is as a test says.
type history struct {
	*store.Store
	after func(events []store.FeedEvent, err error) ([]store.FeedEvent, error)
}

func (h *history) FeedAfter(ctx context.Context, scope string, seq int64, limit int) ([]store.FeedEvent, error) {
	return h.after(h.Store.FeedAfter(ctx, scope, seq, limit))
}

func TestALossIsToldWhereItIsFoundInThePast(t *testing.T) {
	st := openStore(t)
	tell(t, st, "s", 1, 5)
	tests := []struct {
		name  string
		after func(events []store.FeedEvent, err error) ([]store.FeedEvent, error)
		want  []string
	}{
		{"another epoch from the fourth event on", func(events []store.FeedEvent, err error) ([]store.FeedEvent, error) {
			for i := range events {
				if events[i].Seq >= 4 {
					events[i].Epoch = "new"
				}
			}
			return events, err
		}, []string{"1", "2", "3", "feed.lost 3", "4", "5"}},
		{"the oldest were dropped", func(events []store.FeedEvent, err error) ([]store.FeedEvent, error) {
			return slices.DeleteFunc(events, func(e store.FeedEvent) bool { return e.Seq < 3 }), err
		}, []string{"feed.lost 2", "3", "4", "5"}},
		{"all were dropped", func([]store.FeedEvent, error) ([]store.FeedEvent, error) { return nil, nil }, []string{"feed.lost 5"}},
	}
	for _, tt := range tests {
		f := openFeedOf(t, &history{st, tt.after})
		sink := &fakeSink{}
		sub, _ := subscribe(t, f, sink, protocol.SubscribeParams{Scope: "s", Since: map[string]protocol.FeedPosition{"s": {}}}, "s")
		sub.Start()
		sink.want(t, tt.name, tt.want)
		sub.Close()
	}
}

// The new epoch began before too much had come, so that the waiting push of it is
// not kept.
func TestALossIsToldEvenWhenTooMuchWaited(t *testing.T) {
	st := openStore(t)
	tell(t, st, "s", 1, 5)
	f := openFeedOf(t, &history{st, func(events []store.FeedEvent, err error) ([]store.FeedEvent, error) {
		for i := range events {
			events[i].Epoch = "new"
		}
		return events, err
	}})
	f.most = 1
	sink := &fakeSink{}
	sub, _ := subscribe(t, f, sink, protocol.SubscribeParams{Scope: "s"}, "s")
	tell(t, st, "s", 6, 8)
	waitTopic(t, f, "s", 8)
	f.topics["s"].mu.Lock()
	f.topics["s"].pos.Epoch = "new"
	f.topics["s"].mu.Unlock()
	sub.Start()
	sink.want(t, "after the loss", []string{"feed.lost 5", "6", "7", "8"})
}

func TestAPastThatCannotBeReadIsTriedAgain(t *testing.T) {
	st := openStore(t)
	tell(t, st, "s", 1, 5)
	var asked atomic.Int64
	f := openFeedOf(t, &history{st, func(events []store.FeedEvent, err error) ([]store.FeedEvent, error) {
		if asked.Add(1) == 1 {
			return nil, store.ErrUnavailable
		}
		return events, err
	}})
	sink := &fakeSink{}
	sub, _ := subscribe(t, f, sink, protocol.SubscribeParams{Scope: "s", Since: map[string]protocol.FeedPosition{"s": {}}}, "s")
	sub.Start()
	tell(t, st, "s", 6, 9)
	sink.want(t, "after the failure", numbers(1, 9))
}

func TestFilteredSubscribersAreToldWhereTheFeedIs(t *testing.T) {
	st, f := openFeed(t)
	tell(t, st, "s", 1, 3)
	filter := protocol.SubscribeParams{Scope: "s", Events: []string{protocol.EventUserLogin}}
	behind := filter
	behind.Since = map[string]protocol.FeedPosition{"s": {}}
	narrow, slow, all := &fakeSink{}, &fakeSink{gate: make(chan struct{})}, &fakeSink{}
	a, _ := subscribe(t, f, narrow, filter, "s")
	b, _ := subscribe(t, f, slow, behind, "s")
	c, _ := subscribe(t, f, all, protocol.SubscribeParams{Scope: "s"}, "s")
	b.Start()
	c.Start()
	tell(t, st, "s", 4, 6)
	all.want(t, "without a filter", numbers(4, 6))
	waitTopic(t, f, "s", 6)
	f.tellHeads()
	if narrow.got() != nil || slow.got() != nil {
		t.Errorf("told before the past was: %v, %v", narrow.got(), slow.got())
	}
	a.Start()
	close(slow.gate)
	isLive := func(sub *Subscription) bool {
		topic := sub.members[0].topic
		topic.mu.Lock()
		defer topic.mu.Unlock()
		return sub.members[0].member.live
	}
	eventually(t, "both have caught up", func() bool { return isLive(a) && isLive(b) })
	for range 3 {
		f.tellHeads() // once is enough
	}
	narrow.want(t, "with a filter", []string{"feed.head 6"})
	slow.want(t, "with a filter, and behind", []string{"feed.head 6"})
	if narrow.pushes[0].Epoch == "" || narrow.pushes[0].Scope != "s" {
		t.Errorf("told %+v", narrow.pushes[0])
	}
	tell(t, st, "s", 7, 7)
	err := st.TellFailedLogin(t.Context(), store.FailedLogin{Scope: "s", Reason: protocol.FailedUnknown})
	if err != nil {
		t.Fatal(err)
	}
	waitTopic(t, f, "s", 8)
	f.tellHeads()
	narrow.want(t, "with a filter", []string{"feed.head 6", "feed.head 8"})
	all.want(t, "without a filter", []string{"4", "5", "6", "7", "user.login_failed 8"})
}

// An event that the filter lets through says where the feed is by itself.
func TestAHeadIsNotToldOfWhatWasJustPushed(t *testing.T) {
	st, f := openFeed(t)
	sink := &fakeSink{}
	sub, _ := subscribe(t, f, sink, protocol.SubscribeParams{Scope: "s", Events: []string{protocol.EventAdminAction}}, "s")
	sub.Start()
	tell(t, st, "s", 1, 3)
	waitTopic(t, f, "s", 3)
	sink.want(t, "what comes", numbers(1, 3))
	f.tellHeads()
	sink.want(t, "what comes", numbers(1, 3))
}

func TestScopesThatAppearAreFollowedByThoseWhoMayAndWantAll(t *testing.T) {
	st, f := openFeed(t)
	wide, some, one := &fakeSink{}, &fakeSink{}, &fakeSink{}
	request := func(sink Sink, scope string, covers func(string) bool) *Subscription {
		t.Helper()
		req := SubscribeRequest{SubscribeParams: protocol.SubscribeParams{Scope: scope}, Scopes: []string{"a"}, Covers: covers, Sink: sink}
		sub, _, err := f.Subscribe(t.Context(), req)
		if err != nil {
			t.Fatal(err)
		}
		sub.Start()
		return sub
	}
	request(wide, protocol.AllScopes, everyScope)
	request(some, protocol.AllScopes, func(scope string) bool { return scope == "b" })
	request(one, "a", everyScope)
	tell(t, st, "b", 1, 4) // before the node hears of the scope
	var told sync.WaitGroup
	for range 5 {
		for _, scope := range []string{"b", "c", "a"} {
			told.Go(func() { f.Appeared(t.Context(), scope) })
		}
	}
	told.Wait()
	tell(t, st, "b", 5, 9)
	wide.want(t, "who wants all", numbers(1, 9))
	some.want(t, "who may see b", numbers(1, 9))
	tell(t, st, "c", 10, 12)
	wide.want(t, "who wants all", numbers(1, 12))
	tell(t, st, "a", 13, 13)
	one.want(t, "who wants a", numbers(13, 13))
	some.want(t, "who may see b", append(numbers(1, 9), "13"))
}

// The scope appears while somebody who is to get all of it subscribes.
func TestAScopeThatAppearsBeforeTheStartComesOnce(t *testing.T) {
	st, f := openFeed(t)
	tell(t, st, "a", 1, 3)
	tell(t, st, "b", 4, 6)
	sink := &fakeSink{}
	since := map[string]protocol.FeedPosition{"a": {}}
	sub, _ := subscribe(t, f, sink, protocol.SubscribeParams{Scope: protocol.AllScopes, Since: since}, "a")
	f.Appeared(t.Context(), "b")
	waitTopic(t, f, "b", 3)
	if got := sink.got(); got != nil {
		t.Errorf("got %v before the start", got)
	}
	sub.Start()
	f.Appeared(t.Context(), "b")
	sink.want(t, "who wants all", numbers(1, 6))
	tell(t, st, "b", 7, 8)
	sink.want(t, "who wants all", numbers(1, 8))
}

func TestASubscriberAheadOfItsNodeGetsNothingTwice(t *testing.T) {
	st, f := openFeed(t)
	first := &fakeSink{}
	a, _ := subscribe(t, f, first, protocol.SubscribeParams{Scope: "s"}, "s")
	a.Start()
	tell(t, st, "s", 1, 5)
	waitTopic(t, f, "s", 5)
	// The node is where it was three events before.
	topic := f.topics["s"]
	topic.mu.Lock()
	topic.pos = position(t, st, "s", 2)
	topic.mu.Unlock()
	newest := position(t, st, "s", 5)
	ahead := &fakeSink{}
	b, answer := subscribe(t, f, ahead, protocol.SubscribeParams{Scope: "s", Since: map[string]protocol.FeedPosition{"s": newest}}, "s")
	if !answer.Recovered || answer.Heads["s"] != newest {
		t.Errorf("answered %+v", answer)
	}
	b.Start()
	behind, err := st.FeedAfter(t.Context(), "s", 2, 10)
	if err != nil {
		t.Fatal(err)
	}
	f.update(store.FeedUpdate{Scope: "s", Events: behind})
	f.tellHeads()
	tell(t, st, "s", 6, 7)
	ahead.want(t, "who was ahead", numbers(6, 7))
}

// A scope may be left, and followed again from further on, while what came
// before is still being handed on.
func TestWhatTheNodeIsBeyondIsNotHandedOnAgain(t *testing.T) {
	st, f := openFeed(t)
	tell(t, st, "s", 1, 5)
	sink := &fakeSink{}
	sub, answer := subscribe(t, f, sink, protocol.SubscribeParams{Scope: "s"}, "s")
	sub.Start()
	old, err := st.FeedAfter(t.Context(), "s", 0, 10)
	if err != nil {
		t.Fatal(err)
	}
	lost := old[1].Position()
	f.update(store.FeedUpdate{Scope: "s", Events: old[:4]})
	f.update(store.FeedUpdate{Scope: "s", Lost: &lost, Events: old[2:]})
	if pos := f.topics["s"].position(); pos != answer.Heads["s"] {
		t.Errorf("the node went back to %v", pos)
	}
	tell(t, st, "s", 6, 6)
	sink.want(t, "from now on", numbers(6, 6))
	f.update(store.FeedUpdate{Scope: "left", Events: old})
}

func TestAFeedClosesAtAnyMoment(t *testing.T) {
	st := openStore(t)
	tell(t, st, "s", 1, 600)
	params := protocol.SubscribeParams{Scope: protocol.AllScopes, Since: map[string]protocol.FeedPosition{"s": {}}}
	try := func(f *Feed, sink Sink) *Subscription {
		req := SubscribeRequest{SubscribeParams: params, Scopes: []string{"s", "t"}, Covers: everyScope, Sink: sink}
		sub, _, err := f.Subscribe(context.Background(), req)
		if err != nil {
			if !errors.Is(err, store.ErrUnavailable) && !errors.Is(err, errGone) {
				t.Error(err)
			}
			return nil
		}
		sub.Start()
		return sub
	}
	tests := []struct {
		name string
		do   func(f *Feed) (busy func())
	}{
		{"unused", func(*Feed) func() { return nil }},
		{"not started", func(f *Feed) func() { subscribe(t, f, &fakeSink{}, params, "s"); return nil }},
		{"while the past is read", func(f *Feed) func() { try(f, &fakeSink{}); return nil }},
		{"while it waits for room", func(f *Feed) func() { try(f, &fakeSink{gate: make(chan struct{})}); return nil }},
		{"live", func(f *Feed) func() {
			sink := &fakeSink{}
			try(f, sink)
			eventually(t, "all is pushed", func() bool { return len(sink.got()) >= 600 })
			return nil
		}},
		{"after the last one left", func(f *Feed) func() { try(f, &fakeSink{}).Close(); return nil }},
		{"while others come and go, and scopes appear", func(f *Feed) func() {
			return func() {
				for i := range 20 {
					sub := try(f, &fakeSink{})
					f.Appeared(context.Background(), fmt.Sprint("new", i))
					f.tellHeads()
					if sub != nil && i%2 == 0 {
						sub.Close()
					}
				}
			}
		}},
		{"while events come", func(f *Feed) func() {
			try(f, &fakeSink{})
			return func() { tell(t, st, "t", 1, 50) }
		}},
	}
	const serving = "github.com/alicebob/miniredis/v2/server.(*Server).servePeer"
	connection := goleak.IgnoreAnyFunction(serving + ".func2")
	for _, tt := range tests {
		before := goleak.IgnoreCurrent() // and the store may open another connection to its storage
		f := NewFeed(st, slog.New(slog.DiscardHandler))
		ctx, stop := context.WithCancel(context.Background())
		var busy sync.WaitGroup
		busy.Go(func() { f.Run(ctx) })
		if work := tt.do(f); work != nil {
			for range 3 {
				busy.Go(work)
			}
		}
		f.Close()
		f.Close()
		stop()
		busy.Wait()
		if _, _, err := f.Subscribe(context.Background(), SubscribeRequest{Scopes: []string{"s"}, Covers: everyScope, Sink: &fakeSink{}}); err == nil {
			t.Errorf("%s: a closed feed takes a subscriber", tt.name)
		}
		if err := goleak.Find(before, connection, goleak.IgnoreAnyFunction(serving)); err != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}
