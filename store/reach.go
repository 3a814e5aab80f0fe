package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"

	"github.com/redis/go-redis/v9"
)

// reachError says why nothing could be opened at a storage URL. A server that is
// spoken to with TLS and has none, or the other way round, does not say so: it
// hangs up or waits. So the error then says what that may mean.
func reachError(raw string, opts *redis.UniversalOptions, err error) error {
	var op *net.OpError
	hint := ""
	switch {
	case unknownMaster(err):
		return fmt.Errorf("reach %s: no sentinel that answers knows a master of this name", safeURL(raw))
	case opts.TLSConfig == nil && (errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET)):
		hint = " (a server that speaks TLS wants rediss in place of redis)"
	case opts.TLSConfig != nil && errors.Is(err, context.DeadlineExceeded) && !errors.As(err, &op): // connected, then silence
		hint = " (a server that speaks no TLS wants redis in place of rediss)"
	}
	return fmt.Errorf("reach %s: %w%s", safeURL(raw), classify(err), hint)
}

// unknownMaster reports whether err, of any command, is a sentinel's that does
// not know the master. The reply to a command is redis.Nil itself, never wrapped.
func unknownMaster(err error) bool { return err != redis.Nil && errors.Is(err, redis.Nil) }
