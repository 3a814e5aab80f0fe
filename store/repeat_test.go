package store

import (
	"context"
	"testing"

	"github.com/redis/go-redis/v9"
)

// A repeater sends everything twice, and what the caller gets is the second
// answer: as when the first one was lost and the client tried again.
type repeater struct{}

func (repeater) DialHook(next redis.DialHook) redis.DialHook { return next }

func (repeater) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		next(ctx, cmd)
		cmd.SetErr(nil)
		return next(ctx, cmd)
	}
}

func (repeater) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		next(ctx, cmds)
		for _, cmd := range cmds {
			cmd.SetErr(nil)
		}
		return next(ctx, cmds)
	}
}

// onEveryTwice runs f over each kind of storage, as it is and with all commands
// sent twice.
func onEveryTwice(t *testing.T, f func(t *testing.T, s *Store)) {
	t.Run("once", func(t *testing.T) { onEvery(t, f) })
	t.Run("twice", func(t *testing.T) {
		onEvery(t, func(t *testing.T, s *Store) {
			s.client.AddHook(repeater{})
			f(t, s)
		})
	})
}
