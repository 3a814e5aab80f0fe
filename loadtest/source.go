package loadtest

import "net"

// A bufferedSource waits with a small buffer of its own.
type bufferedSource struct {
	nc    net.Conn
	small [512]byte
}

func (s *bufferedSource) read(r *frameReader, size int) (int, error) {
	if len(r.held) > 0 { // in the middle of a frame: the reader has a buffer already
		return s.nc.Read(r.room(size))
	}
	n, err := s.nc.Read(s.small[:])
	if n > 0 {
		copy(r.room(n), s.small[:n])
	}
	return n, err
}
