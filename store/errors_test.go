package store

import (
	"context"
	"errors"
	"io"
	"testing"

	"github.com/redis/go-redis/v9"
)

// errorReply is an error reply of a server.
type errorReply string

func (r errorReply) Error() string { return string(r) }
func (errorReply) RedisError()     {}

func TestErrorsOfTheClientAreClassified(t *testing.T) {
	tests := []struct {
		err                error
		unavailable, trips bool
	}{
		{nil, false, false},
		{redis.Nil, false, false},
		{context.Canceled, false, false},
		{context.DeadlineExceeded, true, true},
		{io.EOF, true, true},
		{redis.ErrPoolTimeout, true, true},
		{redis.ErrClosed, true, false},
		{errorReply("LOADING Redis is loading the dataset in memory"), true, true},
		{errorReply("CLUSTERDOWN Hash slot not served"), true, true},
		{errorReply("READONLY You can't write against a read only replica."), true, false},
		{errorReply("MISCONF Redis is configured to save RDB snapshots"), true, false},
		{errorReply("OOM command not allowed when used memory > 'maxmemory'. script: x, on @user_script:1."), true, false},
		{errorReply("NOREPLICAS Not enough good replicas to write."), true, false},
		{errorReply("ERR max number of clients reached"), true, false},
		{errorReply("NOAUTH Authentication required."), true, false},
		{errorReply("WRONGTYPE Operation against a key holding the wrong kind of value"), false, false},
		{errorReply("ERR value is not an integer or out of range"), false, false},
		{errorReply("NOSCRIPT No matching script. Please use EVAL."), false, false},
	}
	for _, tt := range tests {
		got := classify(tt.err)
		if errors.Is(got, ErrUnavailable) != tt.unavailable {
			t.Errorf("%v: classified as %v", tt.err, got)
		}
		if !errors.Is(got, tt.err) {
			t.Errorf("%v: lost in %v", tt.err, got)
		}
		if trips(tt.err) != tt.trips {
			t.Errorf("%v: trips is %v", tt.err, !tt.trips)
		}
	}
	if got := classify(redis.Nil); got != redis.Nil {
		t.Errorf("redis.Nil became %v", got)
	}
}
