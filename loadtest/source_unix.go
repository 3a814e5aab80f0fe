//go:build unix

package loadtest

import (
	"io"
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// newSource reads a TCP connection by its descriptor, so that no buffer is held
// while nothing comes; one with TLS has buffers of its own in any case.
func newSource(nc net.Conn) source {
	if tcp, ok := nc.(*net.TCPConn); ok {
		if raw, err := tcp.SyscallConn(); err == nil {
			s := &rawSource{raw: raw}
			s.attempt = s.try
			return s
		}
	}
	return &bufferedSource{nc: nc}
}

type rawSource struct {
	raw     syscall.RawConn
	attempt func(fd uintptr) bool // try, as a value that is made once
	r       *frameReader
	size    int
	n       int
	err     error
}

func (s *rawSource) read(r *frameReader, size int) (int, error) {
	s.r, s.size = r, size
	if err := s.raw.Read(s.attempt); err != nil {
		return 0, err
	}
	return s.n, s.err
}

// try reads once. It reports false when the poller is to wait for more.
func (s *rawSource) try(fd uintptr) bool {
	room := s.r.room(s.size)
	for {
		s.n, s.err = unix.Read(int(fd), room)
		switch {
		case s.err == unix.EINTR:
			continue
		case s.err == unix.EAGAIN:
			s.n, s.err = 0, nil
			s.r.release()
			return false
		case s.err != nil:
			s.n = 0
		case s.n == 0:
			s.err = io.EOF
		}
		return true
	}
}
