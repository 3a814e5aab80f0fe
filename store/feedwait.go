package store

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// feedWaitTimeout is how long Config.FeedWait waits for the replicas.
const feedWaitTimeout = time.Second

// Redis' WAIT is about the writes of its own connection. Replication keeps their
// order, so once a later write of any connection is on a replica, all earlier
// ones are. So those who wait for the replicas of one feed partition share one
// connection, which writes a mark and waits for that.
type replicaWaits struct {
	mu    sync.Mutex
	queue map[feedPart][]chan error // who waits; a partition that is there has a goroutine
}

// awaitReplicas returns when as many replicas as Config.FeedWait asks for have
// everything that was appended to the partition before. ErrUnavailable when they
// have not within a second.
func (s *Store) awaitReplicas(ctx context.Context, p feedPart) error {
	if s.cfg.FeedWait <= 0 || s.embedded {
		return nil
	}
	done := make(chan error, 1)
	w := &s.replicas
	w.mu.Lock()
	_, running := w.queue[p]
	if w.queue == nil {
		w.queue = map[feedPart][]chan error{}
	}
	w.queue[p] = append(w.queue[p], done)
	w.mu.Unlock()
	if !running {
		go s.serveWaits(p)
	}
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return callerGone(ctx.Err())
	}
}

// serveWaits waits for all who are queued, together, until nobody is.
func (s *Store) serveWaits(p feedPart) {
	w := &s.replicas
	for {
		w.mu.Lock()
		all := w.queue[p]
		if len(all) == 0 {
			delete(w.queue, p)
			w.mu.Unlock()
			return
		}
		w.queue[p] = all[:0:0]
		w.mu.Unlock()
		err := s.waitForReplicas(p)
		for _, done := range all {
			done <- err
		}
	}
}

func (s *Store) waitForReplicas(p feedPart) error {
	if s.breaker.open() {
		return errGone
	}
	ctx, cancel := context.WithTimeout(s.ctx, feedWaitTimeout+batchTimeout)
	defer cancel()
	node, err := s.master(ctx, p.wake())
	if err != nil {
		return classify(err)
	}
	conn := node.Conn()
	defer conn.Close()
	mark := string(p) + "mark"
	if err := conn.Set(ctx, mark, "1", time.Minute).Err(); err != nil {
		if cluster, ok := s.client.(*redis.ClusterClient); ok {
			cluster.ReloadState(ctx) // it may have another master by now
		}
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	n, err := conn.Wait(ctx, s.cfg.FeedWait, feedWaitTimeout).Result()
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	if n < int64(s.cfg.FeedWait) {
		return fmt.Errorf("%w: %d of %d replicas have the event", ErrUnavailable, n, s.cfg.FeedWait)
	}
	return nil
}

// master returns a client of the server that holds a key.
func (s *Store) master(ctx context.Context, key string) (*redis.Client, error) {
	switch c := s.client.(type) {
	case *redis.ClusterClient:
		return c.MasterForKey(ctx, key)
	case *redis.Client:
		return c, nil
	}
	return nil, fmt.Errorf("no master of a key in a %T", s.client)
}
