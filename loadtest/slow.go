package loadtest

import (
	"net"
	"time"
)

// Slow: a client that asks and never reads. Its own receive buffer is small, so
// that the answers wait at the server soon.
const (
	slowBatch         = 16
	slowPause         = 20 * time.Millisecond
	slowReceiveBuffer = 4 << 10 // bytes
)

// neverRead asks without reading the answers, until the server drops the
// connection. When the buffers on the way are full it waits for that.
func (p *player) neverRead(c *conn) error {
	if tcp, ok := c.nc.(*net.TCPConn); ok {
		_ = tcp.SetReadBuffer(slowReceiveBuffer)
	}
	defer c.lose(errLost)
	for {
		for range slowBatch {
			if err := c.ignore(opSlow, p.account.appendRef); err != nil {
				return err
			}
		}
		if !p.w.sleep(p.w.clock.now().add(slowPause)) {
			return errLost
		}
	}
}
