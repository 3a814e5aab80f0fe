package bare

import (
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/argon2"
)

// Hashes makes password hashes for a time d on as many goroutines as there are
// CPUs, and returns how many were made a second: the most that this machine can
// do. The costs are OWASP's for Argon2id, which are the server's default:
// 19 MiB, two passes, one lane.
func Hashes(d time.Duration) float64 {
	var made atomic.Int64
	var done sync.WaitGroup
	start := time.Now()
	for range runtime.NumCPU() {
		done.Go(func() {
			salt := make([]byte, 16)
			for time.Since(start) < d {
				argon2.IDKey([]byte("a password"), salt, 2, 19*1024, 1, 32)
				made.Add(1)
			}
		})
	}
	done.Wait()
	return float64(made.Load()) / time.Since(start).Seconds()
}
