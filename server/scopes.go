package server

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"rollcall/protocol"
	"rollcall/store"
)

// scopeRefresh is how often known scopes are read anew, in case a signal of a
// change was missed.
const scopeRefresh = 30 * time.Second

// A scopeCache holds the scopes that clients have named, so that a message
// costs no read of its scope.
type scopeCache struct {
	store *store.Store
	log   *slog.Logger
	stale chan string // names to read anew, "" for all

	mu     sync.RWMutex
	scopes map[string]*scopeEntry
}

// A scopeEntry is one scope as it is now. Connections keep the entry, not the scope.
type scopeEntry struct {
	name    string
	current atomic.Pointer[store.Scope]

	// reading is held from reading the scope, or changing it, to keeping what
	// came of it: an older reading must not replace a newer one.
	reading sync.Mutex
}

// load returns the scope, or nil when it was deleted.
func (e *scopeEntry) load() *store.Scope { return e.current.Load() }

// is reports whether a scope is the one that the entry stands for.
func (e *scopeEntry) is(scope *store.Scope) bool {
	known := e.load()
	return known != nil && known.CreatedAt.Equal(scope.CreatedAt)
}

func newScopeCache(st *store.Store, log *slog.Logger) *scopeCache {
	return &scopeCache{store: st, log: log, stale: make(chan string, 64), scopes: make(map[string]*scopeEntry)}
}

// get returns a scope, from the store the first time. It is store.ErrScopeNotFound
// for one that does not exist.
func (sc *scopeCache) get(ctx context.Context, name string) (*scopeEntry, error) {
	sc.mu.RLock()
	e := sc.scopes[name]
	sc.mu.RUnlock()
	if e != nil && e.load() != nil {
		return e, nil
	}
	scope, err := sc.store.Scope(ctx, name)
	if err != nil {
		return nil, err
	}
	return sc.found(scope), nil
}

// change runs a change of a scope that get has returned, and keeps its outcome,
// so that on this node it holds from the answer on.
func (sc *scopeCache) change(e *scopeEntry, change func() (store.Scope, error)) (store.Scope, error) {
	e.reading.Lock()
	defer e.reading.Unlock()
	scope, err := change()
	if err == nil {
		sc.put(scope)
	}
	return scope, err
}

// remove runs the deletion of a scope that get has returned; on this node it is
// gone from the answer on.
func (sc *scopeCache) remove(e *scopeEntry, remove func() error) error {
	e.reading.Lock()
	defer e.reading.Unlock()
	err := remove()
	if err == nil {
		e.current.Store(nil)
	}
	return err
}

// found keeps a scope that was read without holding its entry. One that is known
// already stays as it is, for what is known may be newer.
func (sc *scopeCache) found(scope store.Scope) *scopeEntry {
	sc.mu.Lock()
	defer sc.mu.Unlock()
	if e := sc.scopes[scope.Name]; e != nil && e.is(&scope) {
		return e
	}
	return sc.enter(scope)
}

// put keeps a scope as a change has just left it.
func (sc *scopeCache) put(scope store.Scope) *scopeEntry {
	sc.mu.Lock()
	defer sc.mu.Unlock()
	if e := sc.scopes[scope.Name]; e != nil && e.is(&scope) {
		e.current.Store(&scope)
		return e
	}
	return sc.enter(scope)
}

// enter makes the entry of a scope, with mu held. A scope that was deleted and
// made anew is another one: connections that showed the old one's key stay with
// the old entry.
func (sc *scopeCache) enter(scope store.Scope) *scopeEntry {
	if e := sc.scopes[scope.Name]; e != nil {
		e.current.Store(nil)
	}
	e := &scopeEntry{name: scope.Name}
	e.current.Store(&scope)
	sc.scopes[scope.Name] = e
	return e
}

// changed notes that a scope must be read anew; "" means all. It never blocks:
// when too much has changed at once, all are read.
func (sc *scopeCache) changed(name string) {
	select {
	case sc.stale <- name:
	default:
		select {
		case sc.stale <- "":
		default: // so much is waiting that the refresh will find it
		}
	}
}

// run reads anew what has changed, and everything now and then.
func (sc *scopeCache) run(ctx context.Context) {
	tick := time.NewTicker(scopeRefresh)
	defer tick.Stop()
	for {
		name := ""
		select {
		case <-ctx.Done():
			return
		case name = <-sc.stale:
		case <-tick.C:
		}
		for _, e := range sc.entries(name) {
			sc.refresh(ctx, e)
		}
	}
}

func (sc *scopeCache) entries(name string) []*scopeEntry {
	sc.mu.RLock()
	defer sc.mu.RUnlock()
	var es []*scopeEntry
	for n, e := range sc.scopes {
		if name == "" || n == name {
			es = append(es, e)
		}
	}
	return es
}

func (sc *scopeCache) refresh(ctx context.Context, e *scopeEntry) {
	e.reading.Lock()
	defer e.reading.Unlock()
	scope, err := sc.store.Scope(ctx, e.name)
	switch {
	case err == nil && e.is(&scope):
		e.current.Store(&scope)
	case err == nil, errors.Is(err, store.ErrScopeNotFound):
		sc.forget(e)
	default: // what is known stays good until the store is back
		sc.log.Debug("scope could not be read anew", "scope", e.name, "error", err)
	}
}

// forget takes out the entry of a scope that was deleted. Connections that keep
// it find no scope in it from now on.
func (sc *scopeCache) forget(e *scopeEntry) {
	sc.mu.Lock()
	defer sc.mu.Unlock()
	e.current.Store(nil)
	if sc.scopes[e.name] == e {
		delete(sc.scopes, e.name)
	}
}

func newScope(name string) store.Scope {
	return store.Scope{Name: name, Sessions: protocol.SessionsMany}
}
