package loadtest

import (
	"math/rand/v2"
	"time"
)

// The bounds of the wait before a client comes back, as for the SDKs.
const (
	firstBackoff = 500 * time.Millisecond
	maxBackoff   = 20 * time.Second
)

// backoff returns how long to wait before the n-th attempt in a row, from 0 on:
// exponential, with full jitter.
func backoff(n int) time.Duration {
	bound := min(firstBackoff<<min(n, 10), maxBackoff)
	return rand.N(bound)
}
