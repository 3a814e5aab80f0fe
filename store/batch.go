package store

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	batchCommands = 128 // at most so many commands in one round trip, unless one call brings more
	batchSenders  = 4   // round trips under way at once
	batchTimeout  = 3 * time.Second
)

// A batcher sends the commands of concurrent callers together. There is no
// timer: a batch leaves as soon as a sender is free, and what arrives while they
// are busy makes the next batch. So one caller alone waits for nobody, and a
// thousand share a handful of round trips. Two senders would be cheaper, but two
// batches that hang would stop everybody.
//
// A reply with an error belongs to its command alone. A broken connection fails
// all commands of that batch.
type batcher struct {
	client  redis.UniversalClient
	breaker *breaker
	wake    chan struct{} // one token for each sender that has to look at the queue
	done    sync.WaitGroup

	mu     sync.Mutex
	queue  []*call
	idle   int // senders waiting for a token
	closed bool
}

// A call is one caller's commands, sent in one batch, in their order.
type call struct {
	cmds  []redis.Cmder
	one   [1]redis.Cmder // where cmds points for a single command
	state atomic.Uint32
	done  chan struct{} // gets one value when the replies are in
}

// States of a call. Whoever moves it out of waiting decides what becomes of it.
const (
	waiting uint32 = iota
	sent
	abandoned
)

var calls = sync.Pool{New: func() any { return &call{done: make(chan struct{}, 1)} }}

func newBatcher(client redis.UniversalClient, b *breaker) *batcher {
	bt := &batcher{client: client, breaker: b, wake: make(chan struct{}, batchSenders), idle: batchSenders}
	for range batchSenders {
		bt.done.Go(bt.send)
	}
	return bt
}

// do sends one command and waits for its reply, or for the end of ctx. Only
// commands of a single slot may be sent. After an error that is ctx's, the
// command belongs to the batch that may still be filling it in: it must not be
// touched again.
func (b *batcher) do(ctx context.Context, cmd redis.Cmder) error {
	c := calls.Get().(*call)
	c.one[0] = cmd
	c.cmds = c.one[:]
	if err := b.wait(ctx, c); err != nil {
		return err
	}
	err := cmd.Err()
	c.recycle()
	return classify(err)
}

// doAll is do for several commands. Its error is the first one that is not
// redis.Nil.
func (b *batcher) doAll(ctx context.Context, cmds []redis.Cmder) error {
	if len(cmds) == 0 {
		return nil
	}
	c := calls.Get().(*call)
	c.cmds = cmds
	if err := b.wait(ctx, c); err != nil {
		return err
	}
	c.recycle()
	for _, cmd := range cmds {
		if err := cmd.Err(); err != nil && err != redis.Nil {
			return classify(err)
		}
	}
	return nil
}

// recycle may be called only when the batch is done with c.
func (c *call) recycle() {
	c.cmds, c.one[0] = nil, nil
	c.state.Store(waiting)
	calls.Put(c)
}

// wait queues c and returns nil when its commands have been answered or failed.
// With any other outcome c must not be recycled: a sender may still hold it.
func (b *batcher) wait(ctx context.Context, c *call) error {
	if b.breaker.open() {
		return errGone
	}
	if err := ctx.Err(); err != nil {
		return callerGone(err)
	}
	b.mu.Lock()
	if b.closed {
		b.mu.Unlock()
		return errClosed
	}
	b.queue = append(b.queue, c)
	if b.idle > 0 {
		b.idle--
		b.wake <- struct{}{} // has room: one token a sender
	}
	b.mu.Unlock()

	select {
	case <-c.done:
		return nil
	case <-ctx.Done():
		c.state.CompareAndSwap(waiting, abandoned)
		return callerGone(ctx.Err())
	}
}

// callerGone says why a caller no longer waits. A deadline that passed means
// that the storage was too slow; a cancellation is the caller's own wish.
func callerGone(err error) error {
	if err == context.Canceled {
		return err
	}
	return fmt.Errorf("%w: %w", ErrUnavailable, err)
}

// send carries batches until the batcher is closed and nothing is queued.
func (b *batcher) send() {
	var batch []*call
	var cmds []redis.Cmder
	for range b.wake {
		// Those who are just about to queue a command get the chance to: the
		// reply to the last batch has woken many callers at once.
		runtime.Gosched()
		for {
			batch, cmds = b.take(batch[:0], cmds[:0])
			if len(batch) == 0 {
				break
			}
			b.exec(cmds)
			for i, c := range batch {
				batch[i] = nil
				c.done <- struct{}{}
			}
			clear(cmds)
			runtime.Gosched()
		}
	}
}

// take moves queued calls into batch, and their commands into cmds. When there
// are none, the sender counts as idle from then on, under the same lock, so that
// no call is left without one.
func (b *batcher) take(batch []*call, cmds []redis.Cmder) ([]*call, []redis.Cmder) {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := 0
	for _, c := range b.queue {
		if len(cmds) > 0 && len(cmds)+len(c.cmds) > batchCommands {
			break
		}
		n++
		if c.state.CompareAndSwap(waiting, sent) {
			batch = append(batch, c)
			cmds = append(cmds, c.cmds...)
		}
	}
	rest := copy(b.queue, b.queue[n:])
	clear(b.queue[rest:])
	b.queue = b.queue[:rest]
	if len(batch) == 0 && !b.closed {
		b.idle++
	}
	return batch, cmds
}

// exec sends cmds in one round trip a node; afterwards each has its reply or
// its error.
func (b *batcher) exec(cmds []redis.Cmder) {
	if b.breaker.open() {
		for _, cmd := range cmds {
			cmd.SetErr(errGone)
		}
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), batchTimeout)
	defer cancel()
	pipe := b.client.Pipeline()
	pipe.BatchProcess(ctx, cmds...)
	_, err := pipe.Exec(ctx)
	if err == nil {
		return
	}
	failAll(cmds, err)
	for _, cmd := range cmds {
		if err := cmd.Err(); trips(err) {
			b.breaker.trip(err)
			return
		}
	}
}

// failAll gives err to all commands of a batch if none has an error. The client
// leaves them so when a server refuses a new connection by a reply, such as to
// its password: they would pass for commands that were answered with nothing.
func failAll(cmds []redis.Cmder, err error) {
	for _, cmd := range cmds {
		if cmd.Err() != nil {
			return
		}
	}
	for _, cmd := range cmds {
		cmd.SetErr(err)
	}
}

// close fails all later calls, lets the senders finish what is queued, and
// waits for them.
func (b *batcher) close() {
	b.mu.Lock()
	if !b.closed {
		b.closed = true
		close(b.wake)
	}
	b.mu.Unlock()
	b.done.Wait()
}

// do sends one command, of one slot, in a round trip shared with other callers.
// redis.Nil stays redis.Nil; trouble with the storage is ErrUnavailable. After
// an error of ctx (which is then done), cmd must not be touched again.
func (s *Store) do(ctx context.Context, cmd redis.Cmder) error {
	return s.batch.do(ctx, cmd)
}

// doAll sends several commands, each of one slot, in their order and in one go.
// It is no transaction. The error is the first one other than redis.Nil; the
// commands hold their own.
func (s *Store) doAll(ctx context.Context, cmds ...redis.Cmder) error {
	return s.batch.doAll(ctx, cmds)
}
