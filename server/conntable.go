package server

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// tableShards is how many parts the table of connections has. Each part is
// looked at once a ping interval, so pings are spread over it.
const tableShards = 64

// connTable holds the node's open connections.
type connTable struct {
	reserved atomic.Int64 // open, or in their handshake
	next     atomic.Uint64
	shards   [tableShards]struct {
		mu sync.Mutex
		m  map[*conn]struct{}
	}
}

func (t *connTable) init() {
	for i := range t.shards {
		t.shards[i].m = make(map[*conn]struct{})
	}
}

// reserve takes a place among at most most, and release gives it back.
func (t *connTable) reserve(most int) bool {
	if t.reserved.Add(1) > int64(most) {
		t.reserved.Add(-1)
		return false
	}
	return true
}

func (t *connTable) release() { t.reserved.Add(-1) }

// count returns how many places are taken.
func (t *connTable) count() int { return int(t.reserved.Load()) }

func (t *connTable) add(c *conn) {
	c.shard = int(t.next.Add(1) % tableShards)
	s := &t.shards[c.shard]
	s.mu.Lock()
	s.m[c] = struct{}{}
	s.mu.Unlock()
}

func (t *connTable) remove(c *conn) {
	s := &t.shards[c.shard]
	s.mu.Lock()
	_, in := s.m[c]
	delete(s.m, c)
	s.mu.Unlock()
	if in {
		t.release()
	}
}

func (t *connTable) shard(i int) []*conn {
	s := &t.shards[i]
	s.mu.Lock()
	defer s.mu.Unlock()
	cs := make([]*conn, 0, len(s.m))
	for c := range s.m {
		cs = append(cs, c)
	}
	return cs
}

func (t *connTable) all() []*conn {
	var cs []*conn
	for i := range t.shards {
		cs = append(cs, t.shard(i)...)
	}
	return cs
}

// closeAll cuts what is left at the end of a drain, below the WebSocket: a
// closing handshake that is under way must not be waited for.
func (t *connTable) closeAll() {
	for t.count() > 0 { // their readers see it at once; a late handshake enters one more
		for _, c := range t.all() {
			_ = c.peer.Conn.Close()
		}
		time.Sleep(time.Millisecond)
	}
}

// watch looks at every connection once a ping interval, see checkLiveness.
func (t *connTable) watch(ctx context.Context, s *Server) {
	tick := time.NewTicker(s.cfg.PingInterval / tableShards)
	defer tick.Stop()
	for i := 0; ; i = (i + 1) % tableShards {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			for _, c := range t.shard(i) {
				c.checkLiveness(now, s.cfg.PingInterval)
			}
		}
	}
}
