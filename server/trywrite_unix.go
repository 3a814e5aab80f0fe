//go:build unix

package server

import (
	"errors"
	"syscall"
)

// A tryWriter writes to a socket what the kernel takes at once.
type tryWriter struct {
	raw  syscall.RawConn
	b    []byte
	n    int
	err  error
	once func(fd uintptr) bool // try, made once
}

// newTryWriter returns nil for a connection that is not a socket, such as TLS.
func newTryWriter(conn any) *tryWriter {
	sc, ok := conn.(syscall.Conn)
	if !ok {
		return nil
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return nil
	}
	w := &tryWriter{raw: raw}
	w.once = w.try
	return w
}

func (w *tryWriter) try(fd uintptr) bool {
	w.n, w.err = syscall.Write(int(fd), w.b)
	return true // whatever came of it: nothing is waited for
}

// write returns how much of b was written, which may be nothing.
func (w *tryWriter) write(b []byte) (int, error) {
	w.b = b
	if err := w.raw.Write(w.once); err != nil {
		return 0, err
	}
	w.b = nil
	if errors.Is(w.err, syscall.EAGAIN) || errors.Is(w.err, syscall.EINTR) {
		return 0, nil
	}
	return max(0, w.n), w.err
}
