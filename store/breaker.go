package store

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

const (
	probeInterval = 250 * time.Millisecond
	probeTimeout  = time.Second
)

// A breaker keeps callers from waiting for a storage that is gone. The first
// failure of the network opens it: from then on every call fails at once. Only
// the breaker itself asks the storage then, and it closes when all of it
// answers.
type breaker struct {
	ctx     context.Context // ends when the store closes
	running *sync.WaitGroup
	probe   func(context.Context) error
	log     *slog.Logger

	gone    atomic.Bool
	outages atomic.Uint64 // how often it opened

	mu   sync.Mutex
	back chan struct{} // closed when the storage is back; nil while it is not gone
}

func newBreaker(ctx context.Context, running *sync.WaitGroup, probe func(context.Context) error, log *slog.Logger) *breaker {
	return &breaker{ctx: ctx, running: running, probe: probe, log: log}
}

// open reports whether calls must fail at once.
func (b *breaker) open() bool { return b.gone.Load() }

// trip opens the breaker because of err and starts to look for the storage.
// While it is open already, trip does nothing.
func (b *breaker) trip(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.back != nil || b.ctx.Err() != nil {
		return
	}
	b.back = make(chan struct{})
	b.gone.Store(true)
	b.outages.Add(1)
	b.log.Error("storage gone, requests fail until it answers", "error", err)
	b.running.Go(b.watch)
}

// watch probes at once, because the failure may have been one connection's, and
// then at every interval, until the storage answers or the store closes.
func (b *breaker) watch() {
	since := time.Now()
	tick := time.NewTicker(probeInterval)
	defer tick.Stop()
	for {
		ctx, cancel := context.WithTimeout(b.ctx, probeTimeout)
		err := b.probe(ctx)
		cancel()
		if err == nil {
			break
		}
		select {
		case <-tick.C:
		case <-b.ctx.Done():
			return
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.gone.Store(false)
	close(b.back)
	b.back = nil
	b.log.Info("storage is back", "gone_for", time.Since(since).Round(time.Millisecond))
}

// healed returns a channel that is closed once the breaker is not open.
func (b *breaker) healed() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.back != nil {
		return b.back
	}
	done := make(chan struct{})
	close(done)
	return done
}
