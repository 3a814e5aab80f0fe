package store

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"rollcall/store/storetest"
)

func TestACommandsOwnErrorStaysItsOwn(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		if err := s.do(ctx, redis.NewStatusCmd(ctx, "set", "text", "abc")); err != nil {
			t.Fatal(err)
		}
		var all sync.WaitGroup
		for i := range 300 {
			all.Go(func() {
				key := fmt.Sprint("key", i)
				switch i % 3 {
				case 0:
					if err := s.do(ctx, redis.NewIntCmd(ctx, "incr", "text")); err == nil || errors.Is(err, ErrUnavailable) {
						t.Errorf("counting up a text: %v", err)
					}
				case 1:
					if err := s.do(ctx, redis.NewStringCmd(ctx, "get", key)); err != redis.Nil {
						t.Errorf("reading nothing: %v", err)
					}
				case 2:
					cmd := redis.NewIntCmd(ctx, "incr", key)
					if err := s.do(ctx, cmd); err != nil || cmd.Val() != 1 {
						t.Errorf("counting up: %d %v", cmd.Val(), err)
					}
				}
			})
		}
		all.Wait()
		if s.breaker.open() {
			t.Error("the breaker opened")
		}
	})
}

func TestSeveralCommandsGoInTheirOrder(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		var cmds []redis.Cmder
		for range 2*batchCommands + 1 {
			cmds = append(cmds, redis.NewIntCmd(ctx, "incr", "n"))
		}
		if err := s.doAll(ctx, cmds...); err != nil {
			t.Fatal(err)
		}
		for i, cmd := range cmds {
			if v := cmd.(*redis.IntCmd).Val(); v != int64(i+1) {
				t.Fatalf("command %d counted %d", i, v)
			}
		}

		missing, wrong, right := redis.NewStringCmd(ctx, "get", "none"), redis.NewIntCmd(ctx, "hlen", "n"), redis.NewIntCmd(ctx, "del", "n")
		if err := s.doAll(ctx, missing, wrong, right); err == nil || err != wrong.Err() {
			t.Errorf("first error: %v", err)
		}
		if missing.Err() != redis.Nil || right.Val() != 1 {
			t.Errorf("the others: %v, %d %v", missing.Err(), right.Val(), right.Err())
		}
		if err := s.doAll(ctx); err != nil {
			t.Errorf("no commands: %v", err)
		}
	})
}

// stall is a client hook that holds back every batch until it is let go.
type stall struct {
	begun chan []redis.Cmder
	letGo chan struct{}
}

func stallBatches(s *Store) *stall {
	st := &stall{begun: make(chan []redis.Cmder), letGo: make(chan struct{})}
	s.client.AddHook(st)
	return st
}

func (*stall) DialHook(next redis.DialHook) redis.DialHook          { return next }
func (*stall) ProcessHook(next redis.ProcessHook) redis.ProcessHook { return next }
func (st *stall) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		st.begun <- cmds
		<-st.letGo
		return next(ctx, cmds)
	}
}

func TestACallerThatGivesUpLeavesTheOthersAlone(t *testing.T) {
	s := openTest(t, Config{})
	st := stallBatches(s)
	background := context.Background()
	incr := func(ctx context.Context, key string) chan error {
		result := make(chan error, 1)
		go func() { result <- s.do(ctx, redis.NewIntCmd(background, "incr", key)) }()
		return result
	}
	until := func(what string, ok func() bool) {
		t.Helper()
		for start := time.Now(); ; time.Sleep(time.Millisecond) {
			s.batch.mu.Lock()
			done := ok()
			s.batch.mu.Unlock()
			if done {
				return
			}
			if time.Since(start) > 10*time.Second {
				t.Fatal("never: ", what)
			}
		}
	}
	queued := func(n int) {
		t.Helper()
		until("calls queued", func() bool { return len(s.batch.queue) == n })
	}

	// Every sender is busy with a batch of one.
	inFlight, giveUpInFlight := context.WithCancel(background)
	var first []chan error
	for i := range batchSenders {
		first = append(first, incr(inFlight, fmt.Sprint("first", i)))
		<-st.begun
	}
	// Two more wait for the next batch.
	inQueue, giveUpInQueue := context.WithCancel(background)
	given := incr(inQueue, "given-up")
	queued(1)
	kept := incr(background, "kept")
	queued(2)

	giveUpInQueue()
	if err := <-given; !errors.Is(err, context.Canceled) || errors.Is(err, ErrUnavailable) {
		t.Errorf("given up while queued: %v", err)
	}
	giveUpInFlight()
	for _, result := range first {
		if err := <-result; !errors.Is(err, context.Canceled) {
			t.Errorf("given up while in flight: %v", err)
		}
	}
	st.letGo <- struct{}{}
	if cmds := <-st.begun; len(cmds) != 1 {
		t.Errorf("the next batch holds %d commands, the one given up should be left out", len(cmds))
	}
	go func() {
		for range batchSenders {
			st.letGo <- struct{}{}
		}
	}()
	if err := <-kept; err != nil {
		t.Errorf("the one that stayed: %v", err)
	}
	until("all senders are idle", func() bool { return s.batch.idle == batchSenders })

	// A command of a caller who left while it was on its way is still done.
	for i := range batchSenders {
		v, err := s.local.server.Get(fmt.Sprint("first", i))
		if err != nil || v != "1" {
			t.Errorf("in flight when given up: %q %v", v, err)
		}
	}
	if s.local.server.Exists("given-up") {
		t.Error("given up while queued, and done all the same")
	}
}

func TestADeadlineThatPassesMeansUnavailable(t *testing.T) {
	s := openTest(t, Config{})
	ctx, cancel := context.WithDeadline(context.Background(), time.Unix(1, 0))
	defer cancel()
	err := s.do(ctx, redis.NewStringCmd(ctx, "get", "k"))
	if !errors.Is(err, ErrUnavailable) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}

func TestABrokenConnectionFailsTheWholeBatch(t *testing.T) {
	server := storetest.Redis(t)
	s := openTest(t, Config{URL: server.URL()})
	ctx := t.Context()
	st := stallBatches(s)
	cmds := []redis.Cmder{redis.NewIntCmd(ctx, "incr", "a"), redis.NewIntCmd(ctx, "incr", "b"), redis.NewStringCmd(ctx, "get", "c")}
	result := make(chan error, 1)
	go func() { result <- s.doAll(ctx, cmds...) }()
	<-st.begun
	server.Kill()
	st.letGo <- struct{}{}
	if err := <-result; !errors.Is(err, ErrUnavailable) {
		t.Errorf("got %v", err)
	}
	for i, cmd := range cmds {
		if cmd.Err() == nil {
			t.Errorf("command %d has no error", i)
		}
	}
}

func TestAfterCloseEveryCallIsUnavailable(t *testing.T) {
	s, err := Open(t.Context(), Config{Logger: quietLog})
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			for {
				if err := s.do(t.Context(), redis.NewIntCmd(t.Context(), "incr", "n")); err != nil {
					if !errors.Is(err, ErrUnavailable) {
						t.Errorf("got %v", err)
					}
					return
				}
			}
		})
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	all.Wait()
	if err := s.Close(); err != nil {
		t.Errorf("second close: %v", err)
	}
}
