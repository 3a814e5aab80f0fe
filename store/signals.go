package store

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"

	"rollcall/protocol"
)

// Signals travel through one stream, rc:ctl, that every node follows with one
// blocking read. A follower marks its beginning by an entry of its own, so that
// there is always an entry it has seen: while that one is still in the stream,
// nothing behind it has been lost. The embedded store has one process only and
// hands signals over in memory.
const (
	ctlField  = "s"
	ctlMark   = "mark"
	ctlLength = 10_000 // about so many signals are kept
	ctlBlock  = 5 * time.Second
	ctlCount  = 256
	ctlRetry  = 250 * time.Millisecond
)

// Signal sends a signal to all nodes, this one too.
func (s *Store) Signal(ctx context.Context, sig Signal) error {
	if err := s.publish(ctx, encodeSignal(sig)); err != nil {
		return fmt.Errorf("signal: %w", err)
	}
	return nil
}

func encodeSignal(sig Signal) string {
	b, err := json.Marshal(sig)
	if err != nil {
		panic("store: a signal has no JSON form: " + err.Error()) // it is made of strings and numbers
	}
	return string(b)
}

// signalEffect returns the effect of sending a signal.
func signalEffect(sig Signal) effect {
	return effect{id: randomID(), kind: effectSignal, payload: encodeSignal(sig)}
}

// endSessionEffect returns the effect of ending one session whose id only the
// script knows: what comes before the id and what comes after it.
func endSessionEffect(user uuid.UUID) (before, after string) {
	return fmt.Sprintf(`%s {"kind":"%s","user":"%s","session":"`, effectSignal, SignalEnd, user),
		fmt.Sprintf(`","code":%d,"reason":"too many sessions"}`, protocol.CloseSessionEnded)
}

// publish sends an encoded signal.
func (s *Store) publish(ctx context.Context, payload string) error {
	if s.embedded {
		var sig Signal
		if err := json.Unmarshal([]byte(payload), &sig); err != nil {
			return fmt.Errorf("decode signal: %w", err)
		}
		s.hub.send(sig)
		return nil
	}
	_, err := s.addSignal(ctx, payload)
	return err
}

func (s *Store) addSignal(ctx context.Context, payload string) (id string, err error) {
	cmd := redis.NewStringCmd(ctx, "xadd", ctlKey, "maxlen", "~", ctlLength, "*", ctlField, payload)
	if err := s.do(ctx, cmd); err != nil {
		return "", fmt.Errorf("publish: %w", err)
	}
	return cmd.Val(), nil
}

// Signals calls fn with every signal, one at a time and in order, until ctx or
// the store ends, and returns why it ended. The first signal is a SignalResync:
// from then on nothing is missed. Whenever signals may have been missed after
// all, another SignalResync says so. While the storage is gone Signals waits
// for it.
func (s *Store) Signals(ctx context.Context, fn func(Signal)) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(s.ctx, func() { cancel(errClosed) })()

	var err error
	if s.embedded {
		err = s.hub.follow(ctx, fn)
	} else {
		err = s.followStream(ctx, fn)
	}
	return fmt.Errorf("follow signals: %w", err)
}

func (s *Store) followStream(ctx context.Context, fn func(Signal)) error {
	last := "" // the last entry seen; "" when that is not known to be in the stream
	for {
		err := s.followOnce(ctx, &last, fn)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err == nil {
			continue
		}
		s.log.Warn("signals interrupted", "error", err)
		select {
		case <-time.After(ctlRetry):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		select {
		case <-s.breaker.healed():
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// followOnce makes one blocking read behind *last and hands on what it brings.
func (s *Store) followOnce(ctx context.Context, last *string, fn func(Signal)) error {
	if *last == "" {
		id, err := s.addSignal(ctx, ctlMark)
		if err != nil {
			return err
		}
		*last = id
		fn(Signal{Kind: SignalResync})
	}
	entries, err := s.readSignals(ctx, *last)
	if err != nil {
		return err
	}
	// Entries are trimmed from the beginning only. So if the one seen last is
	// there after the read, none behind it had gone before.
	seen := redis.NewXMessageSliceCmd(ctx, "xrange", ctlKey, *last, *last)
	if err := s.do(ctx, seen); err != nil {
		return err
	}
	if len(seen.Val()) == 0 {
		s.log.Warn("signals were lost, all sessions are checked again")
		*last = ""
		return nil
	}
	for _, e := range entries {
		*last = e.ID
		payload, _ := e.Values[ctlField].(string)
		if payload == ctlMark {
			continue
		}
		var sig Signal
		if err := json.Unmarshal([]byte(payload), &sig); err != nil {
			s.log.Error("skipped a malformed signal", "id", e.ID, "error", err)
			continue
		}
		fn(sig)
		if ctx.Err() != nil {
			return nil
		}
	}
	return nil
}

// readSignals blocks for what comes behind last, on a connection of its own. A
// read under way does not notice the end of ctx, so a mark wakes it.
func (s *Store) readSignals(ctx context.Context, last string) ([]redis.XMessage, error) {
	type answer struct {
		streams []redis.XStream
		err     error
	}
	read := make(chan answer, 1)
	go func() {
		args := &redis.XReadArgs{Streams: []string{ctlKey, last}, Count: ctlCount, Block: ctlBlock}
		streams, err := s.client.XRead(context.WithoutCancel(ctx), args).Result()
		read <- answer{streams, err}
	}()
	var a answer
	select {
	case a = <-read:
	case <-ctx.Done():
		wake, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseTimeout)
		defer cancel()
		s.addSignal(wake, ctlMark) // if it cannot wake the read, the read ends by itself
		<-read
		return nil, ctx.Err()
	}
	if a.err == redis.Nil || a.err == nil && len(a.streams) == 0 {
		return nil, nil
	}
	if a.err != nil {
		return nil, fmt.Errorf("read signals: %w", classify(a.err))
	}
	return a.streams[0].Messages, nil
}

// A signalHub hands signals over within the process. The zero value is ready.
type signalHub struct {
	mu        sync.Mutex
	followers map[*signalQueue]struct{}
}

// A signalQueue holds what one follower has yet to take.
type signalQueue struct {
	wake chan struct{} // holds a token while queue may have something

	// Guarded by the hub's mu.
	queue []Signal
}

// send queues a signal for every follower. One that is as far behind as the
// stream would reach is told to resync instead.
func (h *signalHub) send(sig Signal) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for q := range h.followers {
		if len(q.queue) >= ctlLength {
			q.queue = append(q.queue[:0], Signal{Kind: SignalResync})
		} else {
			q.queue = append(q.queue, sig)
		}
		select {
		case q.wake <- struct{}{}:
		default:
		}
	}
}

func (h *signalHub) follow(ctx context.Context, fn func(Signal)) error {
	q := &signalQueue{wake: make(chan struct{}, 1)}
	h.mu.Lock()
	if h.followers == nil {
		h.followers = make(map[*signalQueue]struct{})
	}
	h.followers[q] = struct{}{}
	h.mu.Unlock()
	defer func() {
		h.mu.Lock()
		delete(h.followers, q)
		h.mu.Unlock()
	}()

	fn(Signal{Kind: SignalResync})
	for {
		select {
		case <-q.wake:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		h.mu.Lock()
		queue := q.queue
		q.queue = nil
		h.mu.Unlock()
		for _, sig := range queue {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			fn(sig)
		}
	}
}
