package server

// MostQueued is the most bytes that wait to be written to one of the server's
// connections, for benchmarks.
func (s *Server) MostQueued() int {
	most := 0
	for _, c := range s.conns.all() {
		c.out.mu.Lock()
		most = max(most, c.out.bytes)
		c.out.mu.Unlock()
	}
	return most
}
