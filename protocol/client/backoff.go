package client

import (
	"context"
	"math/rand/v2"
	"time"
)

// A Backoff sets the pauses between attempts to reconnect: exponential with full
// jitter, that is, the pause before attempt n is drawn evenly from
//
//	0 … min(Max, Min·2ⁿ⁻¹)
//
// Source: Marc Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog,
// 2015. Drawn from the whole range, the attempts of many clients that lost their
// connections at once spread best. Where the server named a time to wait, the
// pause is that time and the drawn one together, for the same reason.
type Backoff struct {
	Min time.Duration // 0 means 0.5 s
	Max time.Duration // 0 means 20 s

	// Rand returns a number from 0 to 1, 1 excluded. When nil, math/rand/v2's.
	Rand func() float64
	// Sleep waits, at most until the context ends, and then returns its error.
	// When nil, it waits by the clock.
	Sleep func(context.Context, time.Duration) error
}

func (b Backoff) withDefaults() Backoff {
	if b.Min <= 0 {
		b.Min = 500 * time.Millisecond
	}
	if b.Max <= 0 {
		b.Max = 20 * time.Second
	}
	if b.Rand == nil {
		b.Rand = rand.Float64
	}
	if b.Sleep == nil {
		b.Sleep = sleep
	}
	return b
}

// pause returns the length of the pause before an attempt, counted from 1.
func (b Backoff) pause(attempt int) time.Duration {
	most := b.Max
	if shift := attempt - 1; shift < 32 && b.Min<<shift < b.Max && b.Min<<shift > 0 {
		most = b.Min << shift
	}
	return time.Duration(b.Rand() * float64(most))
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
