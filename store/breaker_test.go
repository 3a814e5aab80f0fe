package store

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"rollcall/store/storetest"
)

func TestAStorageThatGoesAndComesBack(t *testing.T) {
	ends := map[string]func(*storetest.Server){"stopped": (*storetest.Server).Stop, "killed": (*storetest.Server).Kill}
	for name, end := range ends {
		t.Run(name, func(t *testing.T) {
			server := storetest.Redis(t)
			s := openTest(t, Config{URL: server.URL()})
			ctx := t.Context()
			if err := s.do(ctx, redis.NewStatusCmd(ctx, "set", "k", "v")); err != nil {
				t.Fatal(err)
			}
			if err := s.Ready(ctx); err != nil {
				t.Fatalf("ready: %v", err)
			}

			end(server)
			var all sync.WaitGroup
			for range 20 {
				all.Go(func() {
					if err := s.do(ctx, redis.NewStringCmd(ctx, "get", "k")); !errors.Is(err, ErrUnavailable) {
						t.Errorf("while it is gone: %v", err)
					}
				})
			}
			all.Wait()
			if !s.breaker.open() {
				t.Fatal("the breaker is not open")
			}
			if err := s.Ready(ctx); !errors.Is(err, ErrUnavailable) {
				t.Errorf("ready while it is gone: %v", err)
			}
			// An open breaker sends nothing: not even a context that has ended
			// is looked at.
			ended, cancel := context.WithCancel(ctx)
			cancel()
			if err := s.do(ended, redis.NewStringCmd(ctx, "get", "k")); err != errGone {
				t.Errorf("behind an open breaker: %v", err)
			}

			healed := s.breaker.healed()
			server.Start()
			<-healed
			get := redis.NewStringCmd(ctx, "get", "k")
			if err := s.do(ctx, get); err != nil || get.Val() != "v" {
				t.Errorf("after it is back: %q %v", get.Val(), err)
			}
			if err := s.Ready(ctx); err != nil {
				t.Errorf("ready after it is back: %v", err)
			}
		})
	}
}

func TestAStorageThatHangsFailsCallsInTime(t *testing.T) {
	server := storetest.Redis(t)
	s := openTest(t, Config{URL: server.URL()})
	server.Pause()
	ctx, cancel := context.WithTimeout(t.Context(), 2*batchTimeout)
	defer cancel()
	err := s.do(ctx, redis.NewStringCmd(ctx, "get", "k"))
	if !errors.Is(err, ErrUnavailable) || ctx.Err() != nil {
		t.Errorf("got %v; the context: %v", err, ctx.Err())
	}
	healed := s.breaker.healed()
	server.Resume()
	<-healed
	if err := s.do(ctx, redis.NewStringCmd(ctx, "get", "k")); err != redis.Nil {
		t.Errorf("after it is back: %v", err)
	}
}

func TestAClusterThatLosesAMasterServesAgainAfterTheFailover(t *testing.T) {
	servers := storetest.SharedCluster(t)
	s := openTest(t, Config{URL: servers.URL()})
	master := servers.Owner("k")
	servers.Node(master).Kill()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	failed := 0
	for {
		err := s.do(ctx, redis.NewStatusCmd(ctx, "set", "k", "v"))
		if err == nil {
			break
		}
		if !errors.Is(err, ErrUnavailable) || ctx.Err() != nil {
			t.Fatalf("while the master is gone: %v", err)
		}
		failed++
		<-s.breaker.healed()
	}
	if servers.Owner("k") == master {
		t.Error("the dead node still owns the key")
	}
	t.Logf("%d calls failed", failed)
}

func TestOpenSaysThatNobodyAnswers(t *testing.T) {
	server := storetest.Redis(t)
	server.Stop()
	_, err := Open(t.Context(), Config{URL: server.URL(), Logger: quietLog})
	if !errors.Is(err, ErrUnavailable) {
		t.Errorf("got %v", err)
	}
}
