package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// What a write brings about in another slot is an effect. The script that
// writes leaves it in the outbox of its own slot, so that both happen or
// neither; then it is carried out and taken from the outbox. If the process
// dies in between, any node's sweep does it. So every effect is carried out at
// least once, and must bear being carried out twice.
//
// An outbox is a hash: effect id → "<ms when it was left> <kind> <payload>".
// Effects that tell events are in events.go.
type effect struct {
	id, kind, payload string
}

// Kinds of effects.
const effectSignal = "signal" // payload: a Signal as JSON, for all nodes

// String is what scripts put behind the time.
func (e effect) String() string { return e.kind + " " + e.payload }

const (
	// sweepAge is how old an effect must be before a sweep takes it for
	// abandoned; sweepEvery is the time between two sweeps.
	sweepAge   = 2 * time.Second
	sweepEvery = 2 * time.Second
)

// startLoops starts the background work; it ends with the store.
func (s *Store) startLoops() {
	if s.cfg.noSweeps {
		return
	}
	s.spawn(func(ctx context.Context) {
		tick := time.NewTicker(sweepEvery)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			if err := s.Sweep(ctx); err != nil && ctx.Err() == nil && !errors.Is(err, ErrUnavailable) {
				s.log.Error("outbox not swept", "error", err)
			}
		}
	})
}

// finish carries out an effect that a script of ours has just left, even when
// the caller has gone. What fails is left to a sweep.
func (s *Store) finish(ctx context.Context, outbox string, e effect) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseTimeout)
	defer cancel()
	if err := s.carryOut(ctx, outbox, e); err != nil {
		s.log.Warn("an effect is left to the next sweep", "kind", e.kind, "error", err)
	}
}

// carryOut does what an effect says and takes it from its outbox.
func (s *Store) carryOut(ctx context.Context, outbox string, e effect) error {
	s.fault("before effect")
	switch e.kind {
	case effectSignal:
		if err := s.publish(ctx, e.payload); err != nil {
			return err
		}
	case effectFeed:
		t, err := parsePayload(e.id, e.payload)
		if err != nil {
			s.log.Error("dropped a malformed effect", "outbox", outbox, "error", err)
			break
		}
		if err := s.appendFeed(ctx, t); err != nil {
			return err
		}
	default:
		// Of a newer version: a node of that version will know.
		return nil
	}
	s.fault("after effect")
	if err := s.do(ctx, redis.NewIntCmd(ctx, "hdel", outbox, e.id)); err != nil {
		return fmt.Errorf("clear outbox: %w", err)
	}
	return nil
}

// Sweep carries out the effects that were left for two seconds or more, because
// whoever left them has died or lost the storage. Every store does this by
// itself every two seconds.
func (s *Store) Sweep(ctx context.Context) error {
	clock := redis.NewTimeCmd(ctx, "time")
	keys := outboxes()
	cmds := []redis.Cmder{clock}
	for _, key := range keys {
		cmds = append(cmds, redis.NewMapStringStringCmd(ctx, "hgetall", key))
	}
	if err := s.doAll(ctx, cmds...); err != nil {
		return fmt.Errorf("sweep: %w", err)
	}
	var errs []error
	for i, key := range keys {
		errs = append(errs, s.sweepOne(ctx, key, cmds[1+i].(*redis.MapStringStringCmd).Val(), clock.Val()))
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("sweep: %w", err)
	}
	return nil
}

// sweepOne carries out what was left in one outbox, in the order in which it
// came there.
func (s *Store) sweepOne(ctx context.Context, outbox string, all map[string]string, now time.Time) error {
	var due []effect
	var errs []error
	for id, text := range all {
		e, left, err := parseEffect(id, text)
		switch {
		case err != nil:
			s.log.Error("dropped a malformed effect", "outbox", outbox, "error", err)
			errs = append(errs, s.do(ctx, redis.NewIntCmd(ctx, "hdel", outbox, id)))
		case now.Sub(left) >= sweepAge:
			due = append(due, e)
		}
	}
	// The payload of events begins with their time in microseconds.
	slices.SortFunc(due, func(a, b effect) int { return strings.Compare(a.payload, b.payload) })
	for _, e := range due {
		errs = append(errs, s.carryOut(ctx, outbox, e))
	}
	return errors.Join(errs...)
}

// parseEffect reads an effect and when it was left.
func parseEffect(id, text string) (effect, time.Time, error) {
	at, rest, _ := strings.Cut(text, " ")
	kind, payload, ok := strings.Cut(rest, " ")
	ms, err := strconv.ParseInt(at, 10, 64)
	if !ok || err != nil {
		return effect{}, time.Time{}, errors.New("effect is malformed")
	}
	return effect{id, kind, payload}, millis(ms), nil
}
