package store

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"rollcall/protocol"
)

const (
	feedBlock = 2 * time.Second // a blocking read of feeds; then their heads are looked at
	feedRetry = 200 * time.Millisecond
	feedPage  = 500 // events of one scope in one read
)

// A FeedUpdate is what came to one scope's feed.
type FeedUpdate struct {
	Scope  string
	Events []FeedEvent // in order, without a hole

	// Lost says that events before these are lost, up to this position.
	Lost *protocol.FeedPosition
}

// A FeedFollower follows the feeds of scopes and hands on what comes to them.
// Each feed partition of which it follows a scope costs one blocking read.
type FeedFollower struct {
	s      *Store
	update func(FeedUpdate)
	ctx    context.Context
	stop   context.CancelFunc
	parts  [FeedPartitions]followedPart
}

// A followedPart is what is followed in one partition.
type followedPart struct {
	mu     sync.Mutex
	scopes map[string]*followed
	runs   sync.WaitGroup
	active bool // a goroutine reads
}

// A followed feed is where its follower is.
type followed struct {
	pos   protocol.FeedPosition
	entry string // id in the stream of the event at pos, "" when it is not known
}

// FollowFeeds returns a follower that calls update for what comes to the scopes
// that are added to it. The calls about one scope are made one at a time and in
// order. The follower must be closed, before the store is.
func (s *Store) FollowFeeds(update func(FeedUpdate)) *FeedFollower {
	f := &FeedFollower{s: s, update: update}
	f.ctx, f.stop = context.WithCancel(s.ctx)
	for i := range f.parts {
		f.parts[i].scopes = map[string]*followed{}
	}
	return f
}

// Add follows a scope's feed and returns where it is: what comes behind that is
// handed on. A scope that is followed already is followed from there anew.
func (f *FeedFollower) Add(ctx context.Context, scope string) (protocol.FeedPosition, error) {
	head, err := f.s.headOf(ctx, scope)
	if err != nil {
		return protocol.FeedPosition{}, fmt.Errorf("follow feed: %w", err)
	}
	i := partIndex(scope)
	p := &f.parts[i]
	p.mu.Lock()
	p.scopes[scope] = &followed{head.pos, head.entry}
	start := !p.active && f.ctx.Err() == nil
	if start {
		p.active = true
		p.runs.Go(func() { f.run(i) })
	}
	p.mu.Unlock()
	if !start {
		f.s.wakeFeed(ctx, feedParts[i])
	}
	return head.pos, nil
}

// Remove stops to follow a scope. A call of update about it may be under way.
func (f *FeedFollower) Remove(scope string) {
	p := &f.parts[partIndex(scope)]
	p.mu.Lock()
	delete(p.scopes, scope)
	p.mu.Unlock()
}

// Close ends all reads and waits for them.
func (f *FeedFollower) Close() {
	f.stop()
	for i := range f.parts {
		p := &f.parts[i]
		p.mu.Lock()
		active := p.active
		p.mu.Unlock()
		if active {
			ctx, cancel := context.WithTimeout(context.Background(), time.Second)
			f.s.wakeFeed(ctx, feedParts[i])
			cancel()
		}
		p.runs.Wait()
	}
}

func partIndex(scope string) int { return slices.Index(feedParts[:], feedPartOf(scope)) }

// wakeFeed ends the blocking reads of a partition, on every node; that is how
// one of them comes to read for another scope.
func (s *Store) wakeFeed(ctx context.Context, p feedPart) {
	s.bell.ring(p)
	if !s.embedded {
		_ = s.do(ctx, redis.NewStringCmd(ctx, "xadd", p.wake(), "maxlen", 1, "*", "w", "1")) // else the read ends by itself
	}
}

// run reads a partition's feeds until none is followed or the follower closes.
func (f *FeedFollower) run(i int) {
	r := &feedReader{f: f, part: feedParts[i], followed: &f.parts[i], wake: "0"}
	r.heard = f.s.bell.hear(r.part)
	defer f.s.bell.leave(r.part, r.heard)
	for f.ctx.Err() == nil && r.take() {
		err := r.read()
		if err == nil {
			continue
		}
		if f.ctx.Err() != nil {
			return
		}
		f.s.log.Warn("following feeds is interrupted", "error", err)
		select {
		case <-time.After(feedRetry):
		case <-f.ctx.Done():
			return
		}
		select {
		case <-f.s.breaker.healed():
		case <-f.ctx.Done():
			return
		}
		r.interrupted = true
	}
}

// A feedReader is one goroutine's reading of a partition.
type feedReader struct {
	f           *FeedFollower
	part        feedPart
	followed    *followedPart
	wake        string        // id of the last entry seen in the wake stream
	heard       chan struct{} // of the bell
	checked     time.Time     // when the heads were looked at
	interrupted bool          // the last round failed

	scopes []string // what this round reads
	state  []*followed
}

// take says what the next round reads. false: nothing is followed any more, and
// the goroutine is to end.
func (r *feedReader) take() bool {
	p := r.followed
	p.mu.Lock()
	defer p.mu.Unlock()
	r.scopes, r.state = r.scopes[:0], r.state[:0]
	for scope, state := range p.scopes {
		r.scopes = append(r.scopes, scope)
		r.state = append(r.state, state)
	}
	p.active = len(r.scopes) > 0
	return p.active
}

// still reports whether a scope is followed as it was when the round began.
func (r *feedReader) still(i int) bool {
	r.followed.mu.Lock()
	defer r.followed.mu.Unlock()
	return r.followed.scopes[r.scopes[i]] == r.state[i]
}

// after returns the id in the stream behind which to read.
func (st *followed) after() string {
	if st.entry != "" {
		return st.entry
	}
	return strconv.FormatInt(st.pos.Seq, 10) + "-18446744073709551615"
}

// read makes one round.
func (r *feedReader) read() error {
	ctx := r.f.ctx
	if r.interrupted {
		if err := r.recheck(ctx); err != nil {
			return err
		}
		r.interrupted = false
	}
	streams, err := r.wait(ctx)
	if err != nil {
		return err
	}
	if len(streams) == 0 {
		return r.checkHeads(ctx)
	}
	if err := r.handOn(ctx, streams); err != nil {
		return err
	}
	if time.Since(r.checked) > feedBlock { // one busy feed must not keep the others from it
		return r.checkHeads(ctx)
	}
	return nil
}

// handOn delivers what was read, by scope.
func (r *feedReader) handOn(ctx context.Context, streams map[string][]redis.XMessage) error {
	// Entries are dropped from the beginning only. So if the one seen last is
	// there after the read, none behind it had gone before.
	var cmds []redis.Cmder
	for i := range r.scopes {
		entry := r.state[i].entry
		if len(streams[r.scopes[i]]) == 0 || entry == "" {
			cmds = append(cmds, nil)
			continue
		}
		cmds = append(cmds, redis.NewXMessageSliceCmd(ctx, "xrange", r.part.feed(r.scopes[i]), entry, entry))
	}
	if err := r.f.s.doAll(ctx, present(cmds)...); err != nil {
		return err
	}
	for i, scope := range r.scopes {
		if len(streams[scope]) == 0 {
			continue
		}
		there := cmds[i] == nil || len(cmds[i].(*redis.XMessageSliceCmd).Val()) == 1
		if err := r.deliver(ctx, i, streams[scope], there); err != nil {
			return err
		}
	}
	return nil
}

func present(cmds []redis.Cmder) []redis.Cmder {
	var all []redis.Cmder
	for _, cmd := range cmds {
		if cmd != nil {
			all = append(all, cmd)
		}
	}
	return all
}

// deliver hands on what was read of a scope. there says that the last event
// before it is in the feed.
func (r *feedReader) deliver(ctx context.Context, i int, entries []redis.XMessage, there bool) error {
	scope, st := r.scopes[i], r.state[i]
	if !there {
		lost, err := r.lost(ctx, i)
		if err != nil || lost {
			return err // what was read is read again, from where the new epoch began
		}
	}
	events := r.f.s.parseEvents(scope, entries)
	for len(events) > 0 {
		// Mostly one piece: as far as the epoch is the same and there is no hole.
		n := 1
		for n < len(events) && events[n].Epoch == events[0].Epoch && events[n].Seq == events[n-1].Seq+1 {
			n++
		}
		piece := events[:n]
		events = events[n:]
		up := FeedUpdate{Scope: scope, Events: piece}
		begins := st.pos.Epoch == "" && st.pos.Seq == 0 // the feed's first event
		if piece[0].Seq != st.pos.Seq+1 || piece[0].Epoch != st.pos.Epoch && !begins {
			up.Lost = &protocol.FeedPosition{Seq: piece[0].Seq - 1, Epoch: piece[0].Epoch}
		}
		if !r.still(i) {
			return nil
		}
		last := &piece[n-1]
		st.pos, st.entry = last.Position(), entryOf(last.Seq, last.ID)
		r.f.update(up)
	}
	if end := entries[len(entries)-1].ID; end != st.entry && r.still(i) { // the last one can't be read
		if seq := seqOf(end); seq > st.pos.Seq {
			st.pos, st.entry = protocol.FeedPosition{Seq: seq, Epoch: st.pos.Epoch}, end
			r.f.update(FeedUpdate{Scope: scope, Lost: &st.pos})
		}
	}
	return nil
}

// seqOf returns the seq in the id of a stream's entry.
func seqOf(entry string) int64 {
	text, _, _ := strings.Cut(entry, "-")
	seq, _ := strconv.ParseInt(text, 10, 64)
	return seq
}

// recheck looks whether the last event of each scope is still there. After an
// interruption another server may answer, which had not got it: the sooner that
// is noticed, the fewer events take the numbers of those that are lost.
func (r *feedReader) recheck(ctx context.Context) error {
	for i := range r.scopes {
		if r.state[i].pos.Epoch == "" {
			continue
		}
		if _, err := r.lost(ctx, i); err != nil {
			return err
		}
	}
	return nil
}

// lost begins a new epoch if the event at a scope's position is not in the feed
// any more, and says so.
func (r *feedReader) lost(ctx context.Context, i int) (bool, error) {
	scope, st := r.scopes[i], r.state[i]
	pos, lost, err := r.f.s.resetFeed(ctx, scope, st.pos, st.entry)
	if err != nil || !lost {
		return false, err
	}
	if r.still(i) {
		st.pos, st.entry = pos, ""
		r.f.update(FeedUpdate{Scope: scope, Lost: &pos})
	}
	return true, nil
}

// checkHeads looks after the feeds, also those to which nothing comes: whether
// they are where they were, or further.
func (r *feedReader) checkHeads(ctx context.Context) error {
	r.checked = time.Now()
	var cmds []redis.Cmder
	for _, scope := range r.scopes {
		cmds = append(cmds, headCmd(ctx, scope))
	}
	if err := r.f.s.doAll(ctx, cmds...); err != nil {
		return err
	}
	for i := range r.scopes {
		head, st := readHead(cmds[i].(*redis.SliceCmd)), r.state[i]
		if st.pos.Epoch == "" {
			continue // there is nothing yet that could be lost
		}
		if head.pos.Epoch != st.pos.Epoch || head.pos.Seq < st.pos.Seq || head.pos.Seq == st.pos.Seq && st.entry != "" && head.entry != st.entry {
			if _, err := r.lost(ctx, i); err != nil {
				return err
			}
		}
	}
	return nil
}

// wait blocks until something came to one of the feeds, or for feedBlock, and
// returns it by scope.
func (r *feedReader) wait(ctx context.Context) (map[string][]redis.XMessage, error) {
	if r.f.s.embedded {
		return r.waitEmbedded(ctx)
	}
	keys := []string{r.part.wake()}
	ids := []string{r.wake}
	for i, scope := range r.scopes {
		keys = append(keys, r.part.feed(scope))
		ids = append(ids, r.state[i].after())
	}
	// The read does not notice the end of ctx; Close wakes it.
	streams, err := r.f.s.client.XRead(context.WithoutCancel(ctx), &redis.XReadArgs{
		Streams: append(keys, ids...), Count: feedPage, Block: feedBlock,
	}).Result()
	if err == redis.Nil {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read feeds: %w", classify(err))
	}
	found := map[string][]redis.XMessage{}
	for _, st := range streams {
		if st.Stream == r.part.wake() {
			r.wake = st.Messages[len(st.Messages)-1].ID
			found[""] = st.Messages
			continue
		}
		for i, scope := range r.scopes {
			if keys[1+i] == st.Stream {
				found[scope] = st.Messages
				break
			}
		}
	}
	return found, nil
}

// waitEmbedded waits for the bell: a blocked read would slow the embedded
// server down.
func (r *feedReader) waitEmbedded(ctx context.Context) (map[string][]redis.XMessage, error) {
	found, err := r.poll(ctx)
	if err != nil || len(found) > 0 {
		return found, err
	}
	timer := time.NewTimer(feedBlock)
	defer timer.Stop()
	select {
	case <-r.heard:
	case <-timer.C:
		return nil, nil
	case <-ctx.Done():
		return nil, nil
	}
	found, err = r.poll(ctx)
	if found == nil {
		found = map[string][]redis.XMessage{"": nil}
	}
	return found, err
}

func (r *feedReader) poll(ctx context.Context) (map[string][]redis.XMessage, error) {
	var cmds []redis.Cmder
	for i, scope := range r.scopes {
		after := r.state[i].after()
		cmds = append(cmds, redis.NewXMessageSliceCmd(ctx, "xrange", r.part.feed(scope), "("+after, "+", "count", feedPage))
	}
	if err := r.f.s.doAll(ctx, cmds...); err != nil {
		return nil, err
	}
	var found map[string][]redis.XMessage
	for i, scope := range r.scopes {
		if m := cmds[i].(*redis.XMessageSliceCmd).Val(); len(m) > 0 {
			if found == nil {
				found = map[string][]redis.XMessage{}
			}
			found[scope] = m
		}
	}
	return found, nil
}

// A feedBell tells the followers of this process that something was appended.
// The zero value is ready.
type feedBell struct {
	mu    sync.Mutex
	heard map[feedPart]map[chan struct{}]bool
}

func (b *feedBell) ring(p feedPart) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for c := range b.heard[p] {
		select {
		case c <- struct{}{}:
		default:
		}
	}
}

func (b *feedBell) hear(p feedPart) chan struct{} {
	c := make(chan struct{}, 1)
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.heard == nil {
		b.heard = map[feedPart]map[chan struct{}]bool{}
	}
	if b.heard[p] == nil {
		b.heard[p] = map[chan struct{}]bool{}
	}
	b.heard[p][c] = true
	return c
}

func (b *feedBell) leave(p feedPart, c chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.heard[p], c)
}
