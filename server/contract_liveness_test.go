package server_test

import (
	"testing"
	"time"

	"rollcall/server"
	"rollcall/server/wiretest"
)

func TestAConnectionWithoutAFirstMessageIsClosed(t *testing.T) {
	n := start(t, func(c *server.Config) { c.InitTimeout = 2 * time.Second })
	t.Run("that says nothing", func(t *testing.T) {
		t.Parallel()
		wantEnd(t, n.dial(), 4504)
	})
	t.Run("that says something else", func(t *testing.T) {
		t.Parallel()
		c := n.dial()
		want(t, c.Call("core.ping", nil), 806)
		want(t, c.Call("core.init", obj{"scope": theScope, "key": "wrong"}), 808)
		wantEnd(t, c, 4504)
	})
	t.Run("that pings only", func(t *testing.T) {
		t.Parallel()
		c := n.dial()
		if err := c.WriteFrame(wiretest.Frame{Op: wiretest.OpPing}); err != nil {
			t.Fatal(err)
		}
		wantEnd(t, c, 4504)
	})
}

func TestAFirstMessageInTimeIsEnough(t *testing.T) {
	n := start(t, func(c *server.Config) { c.InitTimeout = 2 * time.Second })
	c, a := n.client(), n.admin()
	wantEnd(t, n.dial(), 4504) // the time of the other two is over before this one's
	wantResult(t, c.Call("core.ping", nil), `"pong"`)
	ok(t, a.Call("admin.scopes.list", nil))
}

func TestASilentPeerIsClosed(t *testing.T) {
	n := start(t, func(c *server.Config) { c.PingInterval = 300 * time.Millisecond })
	c := n.dial()
	if o := ok(t, c.Call("core.init", initParams(theScope))).Object(); o.Raw("ping_interval_ms") != "300" {
		t.Errorf("ping_interval_ms is %s, want 300", o.Raw("ping_interval_ms"))
	}
	c.Mute = true
	wantEnd(t, c, 4003)
	if c.Pings == 0 {
		t.Error("the server never asked")
	}
}

// stay reads pings until five have come, which is well past the time after which
// a silent peer is closed.
func stay(t *testing.T, c *wiretest.Client, onPing func(payload []byte)) {
	t.Helper()
	for pings := 0; pings < 5; {
		f, err := c.ReadFrame()
		switch {
		case err != nil:
			t.Fatalf("after %d pings: %v", pings, err)
		case f.Op == wiretest.OpPing:
			pings++
			onPing(f.Payload)
		case f.Op == wiretest.OpClose:
			t.Fatalf("closed after %d pings: %q", pings, f.Payload)
		}
	}
}

func TestAPeerThatIsHeardStays(t *testing.T) {
	n := start(t, func(c *server.Config) { c.PingInterval = 500 * time.Millisecond })
	for name, frame := range map[string]func(ping []byte) wiretest.Frame{
		"by pongs":          func(ping []byte) wiretest.Frame { return wiretest.Frame{Op: wiretest.OpPong, Payload: ping} },
		"by core.ping only": func([]byte) wiretest.Frame { return textFrame(`{"id":1,"type":"core.ping"}`) },
		"by pings only":     func([]byte) wiretest.Frame { return wiretest.Frame{Op: wiretest.OpPing} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := n.client()
			stay(t, c, func(ping []byte) {
				if err := c.WriteFrame(frame(ping)); err != nil {
					t.Fatal(err)
				}
			})
		})
	}
}

func textFrame(text string) wiretest.Frame {
	return wiretest.Frame{Op: wiretest.OpText, Payload: []byte(text)}
}
