package loadtest

import (
	"context"
	"math/rand/v2"
	"time"
)

// tooLate is by how much a request may begin after its intended moment. One that
// is later by more counts as missed: then it is the load test that is behind.
const tooLate = time.Second

// A schedule says at which moments something is to begin, whether or not what
// began before has ended.
type schedule struct {
	rate float64 // a second; 0 or less: never
	// random, if given, spaces the moments as independent players would be
	// (Poisson: gaps of exponential length), which is how a crowd arrives, and
	// keeps several workers from going in step. Otherwise the gaps are equal, as
	// for a ramp, which is a bound.
	random *rand.Rand
}

// run calls begin for each moment from start until end, at that moment or, where
// it has fallen behind, as soon as it can; late says that it is too late. An end
// of 0 is no end; limit bounds the number of moments where it is above 0. It
// returns early when ctx ends.
func (s schedule) run(ctx context.Context, c clock, start, end moment, limit int, begin func(intended moment, late bool)) {
	if s.rate <= 0 {
		return
	}
	timer := time.NewTimer(0)
	defer timer.Stop()
	gap := float64(time.Second) / s.rate
	at := float64(start)
	for n := 0; limit <= 0 || n < limit; n++ {
		if s.random != nil {
			at += s.random.ExpFloat64() * gap
		} else {
			at = float64(start) + float64(n)*gap
		}
		intended := moment(at)
		if end != 0 && intended >= end {
			return
		}
		wait := c.until(intended)
		if wait > 0 {
			timer.Reset(wait)
			select {
			case <-timer.C:
			case <-ctx.Done():
				return
			}
		} else if ctx.Err() != nil {
			return
		}
		begin(intended, -wait > tooLate)
	}
}
