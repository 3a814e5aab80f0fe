package webhooks

import (
	"context"
	"sync"
	"time"

	"rollcall/protocol"
	"rollcall/store"
)

// A StoreFeed is the store's feeds, as a Feed.
type StoreFeed struct {
	store    *store.Store
	follower *store.FeedFollower

	mu       sync.Mutex
	watchers map[string]map[chan struct{}]bool // by scope
	closed   bool
}

// NewStoreFeed follows the feeds of the scopes that are watched. It must be
// closed, after the deliverer and before the store.
func NewStoreFeed(st *store.Store) *StoreFeed {
	f := &StoreFeed{store: st, watchers: make(map[string]map[chan struct{}]bool)}
	f.follower = st.FollowFeeds(func(up store.FeedUpdate) { f.moved(up.Scope) })
	return f
}

// Close ends the following.
func (f *StoreFeed) Close() {
	f.mu.Lock()
	f.closed = true
	f.mu.Unlock()
	f.follower.Close()
}

// Head implements Feed.
func (f *StoreFeed) Head(ctx context.Context, scope string) (protocol.FeedPosition, error) {
	return f.store.FeedHead(ctx, scope)
}

// Since implements Feed. Events of one answer are of one epoch, so that what a
// new epoch has lost is told before its events.
func (f *StoreFeed) Since(ctx context.Context, scope string, after protocol.FeedPosition, limit int) ([]protocol.Push, bool, error) {
	reaches, err := f.store.FeedReaches(ctx, scope, after)
	if err != nil {
		return nil, false, err
	}
	from := after.Seq
	if !reaches {
		head, err := f.Head(ctx, scope)
		if err != nil {
			return nil, false, err
		}
		if head.Seq < from { // all of it is another feed's
			from = 0
		}
	}
	events, err := f.store.FeedAfter(ctx, scope, from, limit)
	if err != nil {
		return nil, false, err
	}
	lost := !reaches
	var pushes []protocol.Push
	for i, e := range events {
		// The history may have been cut between the two reads.
		lost = lost || i == 0 && e.Seq != after.Seq+1
		if e.Epoch != events[0].Epoch {
			break
		}
		pushes = append(pushes, protocol.Push{
			Event: e.Name, Scope: scope, Seq: e.Seq, Epoch: e.Epoch, EventID: e.ID, Time: protocol.Time{Time: e.Time}, Data: e.Data,
		})
	}
	if !lost && len(events) > 0 && after.Epoch != "" && events[0].Epoch != after.Epoch {
		lost = true
	}
	return pushes, lost, nil
}

// Watch implements Feed.
func (f *StoreFeed) Watch(scope string) (<-chan struct{}, func()) {
	wake := make(chan struct{}, 1)
	f.mu.Lock()
	first := f.watchers[scope] == nil
	if first {
		f.watchers[scope] = make(map[chan struct{}]bool)
	}
	f.watchers[scope][wake] = true
	f.mu.Unlock()
	if first {
		f.follow(scope)
	}
	return wake, func() {
		f.mu.Lock()
		delete(f.watchers[scope], wake)
		last := len(f.watchers[scope]) == 0
		if last {
			delete(f.watchers, scope)
		}
		f.mu.Unlock()
		if last {
			f.follower.Remove(scope)
		}
	}
}

// follow follows a scope as long as it is watched; later, if the store can't be
// asked now.
func (f *StoreFeed) follow(scope string) {
	if !f.watched(scope) {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), storeTimeout)
	defer cancel()
	if _, err := f.follower.Add(ctx, scope); err != nil {
		time.AfterFunc(storePause, func() { f.follow(scope) })
		return
	}
	if !f.watched(scope) {
		f.follower.Remove(scope) // it was given up meanwhile
	}
	f.moved(scope) // what came before it was followed
}

func (f *StoreFeed) watched(scope string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return !f.closed && f.watchers[scope] != nil
}

func (f *StoreFeed) moved(scope string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for wake := range f.watchers[scope] {
		select {
		case wake <- struct{}{}:
		default:
		}
	}
}
