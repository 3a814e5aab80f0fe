package store

import "github.com/redis/go-redis/v9"

// PoolStats counts what the connections to the storage went through since the
// start, over all nodes.
type PoolStats struct {
	Hits     int // times a free connection was at hand
	Misses   int // times one had to be opened
	Timeouts int // times none became free in time
	Total    int // connections now
	Idle     int // of those, unused now
	Stale    int // connections dropped because they were dead or too old
}

// Stats returns the counters of the connection pools.
func (s *Store) Stats() PoolStats {
	var sum PoolStats
	stats := s.client.PoolStats()
	sum.add(stats)
	if stats != nil {
		sum.add((*redis.PoolStats)(stats.PipelineStats))
	}
	return sum
}

func (p *PoolStats) add(s *redis.PoolStats) {
	if s == nil {
		return
	}
	p.Hits += int(s.Hits)
	p.Misses += int(s.Misses)
	p.Timeouts += int(s.Timeouts)
	p.Total += int(s.TotalConns)
	p.Idle += int(s.IdleConns)
	p.Stale += int(s.StaleConns)
}
