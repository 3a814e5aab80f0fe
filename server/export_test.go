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

// Hashes is how many password hashes were made, and how many wait or run, for
// benchmarks.
func (s *Server) Hashes() (made, waiting int64) {
	return int64(s.hashes.Hashed()), int64(s.hashes.Waiting())
}
