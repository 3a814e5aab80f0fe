package server

import (
	"log/slog"
	"testing"
	"time"

	"rollcall/protocol"
	"rollcall/store"
)

// Of two readers that miss the cache, the later one may bring the older reading.
func TestAnOlderReadingOfAScopeDoesNotReplaceAChange(t *testing.T) {
	sc := newScopeCache(nil, slog.New(slog.DiscardHandler))
	read := store.Scope{Name: "Space Race", CreatedAt: time.Unix(1, 0), Sessions: protocol.SessionsMany}
	e := sc.found(read)
	changed := read
	changed.Sessions = protocol.SessionsSingle
	sc.put(changed)
	if again := sc.found(read); again != e || e.load().Sessions != protocol.SessionsSingle {
		t.Errorf("the change is lost: %+v", e.load())
	}
	anew := read
	anew.CreatedAt = time.Unix(2, 0)
	if later := sc.found(anew); later == e || e.load() != nil || later.load() == nil {
		t.Error("a scope that was deleted and made anew counts as the old one")
	}
}
