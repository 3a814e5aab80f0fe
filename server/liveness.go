package server

import (
	"time"

	"rollcall/protocol"
)

// silentIntervals is after how many ping intervals without a byte a peer is
// taken for gone.
const silentIntervals = 3

// checkLiveness pings a connection that was silent for half an interval or more,
// so that no live one is silent for two, and closes one that was for three. It is
// called once an interval and never waits for the peer.
func (c *conn) checkLiveness(now time.Time, interval time.Duration) {
	silent := now.Sub(time.Unix(0, c.peer.heard.Load()))
	switch {
	case silent >= silentIntervals*interval:
		c.Close(protocol.CloseSilent, "")
	case silent >= interval/2:
		// The writer may have to wait for the peer's window; the sweep must not.
		go c.sendPing()
	}
}
