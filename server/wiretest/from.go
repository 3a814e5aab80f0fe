package wiretest

import (
	"bufio"
	"net"
	"testing"
)

// DialFrom is Dial from another address of this machine, such as 127.0.0.2, for
// what the server does by address.
func DialFrom(t testing.TB, from, addr string) *Client {
	t.Helper()
	d := net.Dialer{Timeout: Guard, LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	nc, err := d.Dial("tcp", addr)
	if err != nil {
		t.Fatalf("dial from %s: %v", from, err)
	}
	t.Cleanup(func() { nc.Close() })
	c := &Conn{nc: nc, br: bufio.NewReader(nc)}
	if err := c.handshake(addr, nil); err != nil {
		t.Fatalf("handshake from %s: %v", from, err)
	}
	return NewClient(t, c)
}
