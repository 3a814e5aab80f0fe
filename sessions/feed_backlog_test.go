package sessions

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"rollcall/protocol"
	"rollcall/store"
)

// A fullHistory answers with as many events of each scope as it is asked for,
// and counts those that somebody still has.
type fullHistory struct {
	FeedStore
	n          int64
	kept, most atomic.Int64
}

func (h *fullHistory) FeedLast(_ context.Context, scope string, _ int64, n, _ int, _ func(*store.FeedEvent) bool) ([]store.FeedEvent, error) {
	events := make([]store.FeedEvent, n)
	for i := range events {
		h.n++
		data := make([]byte, 64)
		runtime.AddCleanup(&data[0], func(int) { h.kept.Add(-1) }, 0)
		h.kept.Add(1)
		events[i] = store.FeedEvent{Scope: scope, Seq: int64(i), Time: time.UnixMilli(h.n), Data: data}
	}
	for range 3 { // cleanups run some time after a collection
		runtime.GC()
		runtime.Gosched()
	}
	h.most.Store(max(h.most.Load(), h.kept.Load()))
	return events, nil
}

func TestABacklogOfManyScopesIsNotAllInMemory(t *testing.T) {
	const scopes, n = 30, 1000
	h := &fullHistory{}
	f := &Feed{store: h, log: slog.New(slog.DiscardHandler)}
	s := &Subscription{feed: f, events: ^uint32(0)}
	for i := range scopes {
		s.members = append(s.members, &topicMember{&topic{scope: fmt.Sprint(i)}, &member{sub: s, from: protocol.FeedPosition{Seq: n}}, nil})
	}
	if err := s.readLast(t.Context(), n); err != nil {
		t.Fatal(err)
	}
	if len(s.last) != n || s.last[n-1].Scope != fmt.Sprint(scopes-1) || s.last[0].Scope != fmt.Sprint(scopes-1) {
		t.Errorf("the backlog has %d events, from %q to %q", len(s.last), s.last[0].Scope, s.last[len(s.last)-1].Scope)
	}
	if most := h.most.Load(); most > scopes*n/2 {
		t.Errorf("%d of %d events were in memory at once", most, scopes*n)
	}
}
