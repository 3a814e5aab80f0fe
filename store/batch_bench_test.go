package store

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/redis/go-redis/v9"

	"rollcall/store/storetest"
)

// BenchmarkGet reads whole small hashes from a real server, from several
// callers at once: each in a round trip of its own, and shared as the store
// does. Compare within one run only; each figure is over all callers.
func BenchmarkGet(b *testing.B) {
	const users = 10000
	server := storetest.SharedRedis(b)
	s := openTest(b, Config{URL: server.URL()})
	ctx := context.Background()
	pipe := s.client.Pipeline()
	keys := make([]string, users)
	for i := range keys {
		keys[i] = fmt.Sprintf("rc:{u%d}:user:%036d", i%128, i)
		pipe.HSet(ctx, keys[i], "sc", "Space Race", "u", fmt.Sprint("player", i), "e", fmt.Sprint(i, "@example.org"),
			"a", "1", "ca", "1790000000000", "ua", "1790000000000", "ll", "1790000000000", "lc", "12", "x:color", "sred")
	}
	if _, err := pipe.Exec(ctx); err != nil {
		b.Fatal(err)
	}
	ways := []struct {
		name string
		get  func(redis.Cmder) error
	}{
		{"unshared", func(cmd redis.Cmder) error { return s.client.Process(ctx, cmd) }},
		{"shared", func(cmd redis.Cmder) error { return s.do(ctx, cmd) }},
	}
	for _, callers := range []int{1, 64, 1000} {
		for _, way := range ways {
			b.Run(fmt.Sprintf("%s/callers=%d", way.name, callers), func(b *testing.B) {
				b.ReportAllocs()
				var next atomic.Int64
				var all sync.WaitGroup
				for range callers {
					all.Go(func() {
						for i := next.Add(1); i <= int64(b.N); i = next.Add(1) {
							cmd := redis.NewMapStringStringCmd(ctx, "hgetall", keys[i%users])
							if err := way.get(cmd); err != nil || len(cmd.Val()) != 9 {
								b.Errorf("%d fields, %v", len(cmd.Val()), err)
								return
							}
						}
					})
				}
				all.Wait()
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "ops/s")
			})
		}
	}
}
