package loadtest

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// bindLate lets the kernel choose the port when it knows the other end as well
// (IP_BIND_ADDRESS_NO_PORT): then a port is taken for one server and not for all.
func bindLate(_, _ string, c syscall.RawConn) error {
	return c.Control(func(fd uintptr) {
		_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1)
	})
}
