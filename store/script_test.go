package store

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"testing"

	"github.com/redis/go-redis/v9"
)

var scriptTest = scriptOf("test", `
redis.call('INCR', KEYS[1])
return {KEYS[1], ARGV[1], 7, false}
`)

func TestAScriptRunsOnEveryMaster(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		for i := range 30 { // enough keys to meet all masters
			key := fmt.Sprint("key", i)
			got, err := s.run(t.Context(), scriptTest, []string{key}, "v")
			if want := []any{key, "v", int64(7), nil}; err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("%s: got %v %v", key, got, err)
			}
		}
		if cluster, ok := s.client.(*redis.ClusterClient); ok {
			cluster.ForEachMaster(t.Context(), func(ctx context.Context, node *redis.Client) error {
				if n := node.DBSize(ctx).Val(); n == 0 {
					t.Errorf("%s got no key", node.Options().Addr)
				}
				return nil
			})
		}
	})
}

func TestAScriptThatTheServerForgotRunsOnce(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		if _, err := s.run(ctx, scriptTest, []string{"n"}, "v"); err != nil {
			t.Fatal(err)
		}
		flush := func(ctx context.Context, node *redis.Client) error { return node.ScriptFlush(ctx).Err() }
		if cluster, ok := s.client.(*redis.ClusterClient); ok {
			cluster.ForEachMaster(ctx, flush)
		} else {
			flush(ctx, s.client.(*redis.Client))
		}
		var all sync.WaitGroup
		for range 50 {
			all.Go(func() {
				if _, err := s.run(ctx, scriptTest, []string{"n"}, "v"); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		get := redis.NewStringCmd(ctx, "get", "n")
		if err := s.do(ctx, get); err != nil || get.Val() != "51" {
			t.Errorf("ran %s times, %v", get.Val(), err)
		}
	})
}

func TestAScriptsErrorIsNotTheStorages(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		wrong := scriptOf("wrong", `return redis.call('INCR', KEYS[1], 1, 1)`)
		if _, err := s.run(t.Context(), wrong, []string{"n"}); err == nil || errors.Is(err, ErrUnavailable) {
			t.Errorf("got %v", err)
		}
		if v, err := s.run(t.Context(), scriptOf("nil", `return false`), []string{"n"}); err != redis.Nil || v != nil {
			t.Errorf("a nil reply: %v %v", v, err)
		}
	})
}

func TestReleaseRemovesOnlyWhatWasWritten(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		ctx, release := t.Context(), newScript("release")
		s.do(ctx, redis.NewStatusCmd(ctx, "set", "k", "other"))
		for _, want := range []struct {
			value string
			n     int64
		}{{"mine", 0}, {"other", 1}, {"other", 0}} {
			if got, err := s.run(ctx, release, []string{"k"}, want.value); err != nil || got != want.n {
				t.Errorf("%s: %v %v", want.value, got, err)
			}
		}
	})
}
