package loadtest

import "sync"

// A connSet holds the open connections of a worker.
type connSet struct {
	mu     sync.Mutex
	conns  map[*conn]struct{}
	closed bool
}

func (s *connSet) add(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		c.close()
		return
	}
	if s.conns == nil {
		s.conns = make(map[*conn]struct{})
	}
	s.conns[c] = struct{}{}
}

func (s *connSet) remove(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
}

func (s *connSet) count() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return int64(len(s.conns))
}

func (s *connSet) all() []*conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]*conn, 0, len(s.conns))
	for c := range s.conns {
		all = append(all, c)
	}
	return all
}

// expire fails what has been pending for too long, on every connection.
func (s *connSet) expire(now moment) {
	for _, c := range s.all() {
		c.expire(now)
	}
}

// pending returns how many requests wait for an answer.
func (s *connSet) pending() (n int) {
	for _, c := range s.all() {
		n += c.inFlight()
	}
	return n
}

// closeAll closes every connection, and those that are still added.
func (s *connSet) closeAll() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	for _, c := range s.all() {
		c.close()
	}
}
