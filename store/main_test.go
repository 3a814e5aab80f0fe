package store

import (
	"context"
	"io"
	"log/slog"
	"testing"
	"time"

	"rollcall/store/storetest"
)

func TestMain(m *testing.M) { storetest.Main(m) }

// quietLog is for tests in which the storage goes on purpose.
var quietLog = slog.New(slog.NewTextHandler(io.Discard, nil))

// openTest opens a store that closes with the test.
func openTest(t testing.TB, cfg Config) *Store {
	t.Helper()
	if cfg.Logger == nil {
		cfg.Logger = quietLog
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	s, err := Open(ctx, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close store: %v", err)
		}
	})
	return s
}

// onEvery runs f over each kind of storage.
func onEvery(t *testing.T, f func(t *testing.T, s *Store)) {
	t.Run("embedded", func(t *testing.T) { f(t, openTest(t, Config{})) })
	t.Run("redis", func(t *testing.T) { f(t, openTest(t, Config{URL: storetest.SharedRedis(t).URL()})) })
	t.Run("cluster", func(t *testing.T) { f(t, openTest(t, Config{URL: storetest.SharedCluster(t).URL()})) })
}
