package store

import (
	"context"
	"fmt"
	"testing"

	"rollcall/loadtest/bare/turns"
	"rollcall/store/storetest"
)

// BenchmarkRowUsers reads whole users from Redis and decodes them, with 64 and
// with 1,000 callers at once, beside the same hashes read through go-redis and not
// decoded: each in a round trip of its own, and through go-redis's AutoPipeline.
// The goal is 150,000 and 250,000 users a second on a machine that reads 77,000 and
// 65,000 one by one: ratios of 1.9 and 3.8. The CPU time is this process's, without
// Redis'.
//
//	go test ./store -run '^$' -bench RowUsers -benchtime 9x
func BenchmarkRowUsers(b *testing.B) {
	for _, callers := range []int{64, 1000} {
		b.Run(fmt.Sprintf("callers=%d", callers), func(b *testing.B) { benchReadUsers(b, callers, 50_000) })
	}
}

// BenchmarkUsers is BenchmarkRowUsers with a lone caller.
func BenchmarkUsers(b *testing.B) {
	b.Run("callers=1", func(b *testing.B) { benchReadUsers(b, 1, 5_000) })
}

func benchReadUsers(b *testing.B, callers, count int) {
	redis := storetest.SharedRedis(b).URL()
	s := openTest(b, Config{URL: redis})
	ids := benchUsers(b, s, 1000)
	plain, err := openBareRedis(redis)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { plain.close() })
	ctx := context.Background()
	keys := make([]string, len(ids))
	for i, id := range ids {
		keys[i] = readUserCmd(ctx, id).Args()[1].(string)
	}
	hash := func(get func(context.Context, string) (map[string]string, error)) func(i int) error {
		return func(i int) error {
			fields, err := get(ctx, keys[i%len(keys)])
			if err == nil && len(fields) < 5 {
				err = fmt.Errorf("%d fields", len(fields))
			}
			return err
		}
	}
	way := func(name string, read func(i int) error) turns.Contestant {
		return turns.Contestant{Name: name, Run: func() turns.Share { return turns.Together(b, callers, count, func(_, i int) error { return read(i) }) }}
	}
	turns.Run(b, "users/s",
		way("go-redis", hash(plain.get)),
		way("autopipeline", hash(plain.getShared)),
		way("store", func(i int) error {
			_, err := s.User(ctx, ids[i%len(ids)])
			return err
		}),
	)
}
