package loadtest

import "time"

// Slow: a client that asks and never reads. It asks for so much at once and then
// pauses: some 800 requests a second, whose answers fill the buffers on the way
// to it, some megabytes, within half a minute. (A smaller receive buffer of its
// own would be no shortcut: Linux drops all that comes for a full one, the
// acknowledgements of what is sent included, so that the asking stops as well.)
const (
	slowBatch = 16
	slowPause = 20 * time.Millisecond
)

// neverRead asks without reading the answers, until the server drops the
// connection. When the buffers on the way are full it waits for that.
func (p *player) neverRead(c *conn) error {
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
