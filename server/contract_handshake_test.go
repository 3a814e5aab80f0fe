package server_test

import (
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"rollcall/server"
	"rollcall/server/wiretest"
)

// refused does a handshake that must not succeed and returns how it was answered.
func refused(t *testing.T, addr string, header map[string]string) *wiretest.RefusedError {
	t.Helper()
	c, err := wiretest.Open(addr, header)
	if err == nil {
		c.Close()
		t.Fatal("the handshake succeeded")
	}
	var r *wiretest.RefusedError
	if !errors.As(err, &r) {
		t.Fatalf("the handshake was not answered: %v", err)
	}
	return r
}

func TestTheSubprotocolIsChosenWhenOfferedAndNotRequired(t *testing.T) {
	n := start(t)
	for offered, chosen := range map[string]string{
		"":                               "",
		"rollcall.v1":                    "rollcall.v1",
		"chat, rollcall.v1, superchat":   "rollcall.v1",
		"chat":                           "",
		"rollcall.v2":                    "",
		"rollcall.v9, rollcall.v1, chat": "rollcall.v1",
	} {
		t.Run(offered, func(t *testing.T) {
			conn, err := wiretest.Open(n.addr, map[string]string{"Sec-WebSocket-Protocol": offered})
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if got := conn.Response.Header.Get("Sec-WebSocket-Protocol"); got != chosen {
				t.Errorf("chose %q, want %q", got, chosen)
			}
			ok(t, wiretest.NewClient(t, conn).Call("core.init", initParams(theScope)))
		})
	}
}

func TestAHandshakeThatIsNoneIsRefused(t *testing.T) {
	n := start(t)
	for name, header := range map[string]map[string]string{
		"no key":        {"Sec-WebSocket-Key": ""},
		"a short key":   {"Sec-WebSocket-Key": "AAAA"},
		"no version":    {"Sec-WebSocket-Version": ""},
		"version 8":     {"Sec-WebSocket-Version": "8"},
		"no upgrade":    {"Upgrade": ""},
		"another one":   {"Upgrade": "h2c"},
		"no connection": {"Connection": ""},
	} {
		t.Run(name, func(t *testing.T) {
			if r := refused(t, n.addr, header); r.Status < 400 || r.Status > 499 {
				t.Errorf("answered with %d", r.Status)
			}
		})
	}
}

func TestAPageOfAForeignHostMayNotConnect(t *testing.T) {
	n := start(t, func(c *server.Config) { c.Origins = []string{"*.friend.example"} })
	_, port, _ := net.SplitHostPort(n.addr)
	for _, tt := range []struct {
		origin  string
		allowed bool
	}{
		{"", true},
		{"http://" + n.addr, true},
		{"https://play.friend.example", true},
		{"https://evil.example", false},
		{"https://evil.example:" + port, false},
		{"https://friend.example.evil.example", false},
		{"http://" + n.addr + ".evil.example", false},
		{"null", false},
		{"file://", false},
	} {
		t.Run("origin "+tt.origin, func(t *testing.T) {
			header := map[string]string{"Origin": tt.origin}
			if !tt.allowed {
				if r := refused(t, n.addr, header); r.Status != http.StatusForbidden {
					t.Errorf("answered with %d, want 403", r.Status)
				}
				return
			}
			conn, err := wiretest.Open(n.addr, header)
			if err != nil {
				t.Fatal(err)
			}
			conn.Close()
		})
	}
}

func TestBeyondTheConnectionCapAHandshakeIsToldToComeBack(t *testing.T) {
	n := start(t, func(c *server.Config) { c.MaxConnections = 2 })
	a, b := n.client(), n.client()
	r := refused(t, n.addr, nil)
	if r.Status != http.StatusServiceUnavailable || r.Header.Get("Retry-After") == "" {
		t.Errorf("answered with %d and Retry-After %q, want 503 and when", r.Status, r.Header.Get("Retry-After"))
	}
	u := create(t, a, "tiny")
	login(t, b, u) // those who are in stay in

	b.Close()
	await(t, "the place is free", func() bool {
		conn, err := wiretest.Open(n.addr, nil)
		if err != nil {
			return false
		}
		conn.Close()
		return true
	})
	ok(t, a.Call("users.get", u.ref()))
}

func TestHalfAHandshakeHoldsNobodyUp(t *testing.T) {
	n := start(t)
	for range 20 {
		nc, err := net.Dial("tcp", n.addr)
		if err != nil {
			t.Fatal(err)
		}
		defer nc.Close()
		if _, err := io.WriteString(nc, "GET /ws HTTP/1.1\r\nHost: "+n.addr+"\r\nUpgr"); err != nil {
			t.Fatal(err)
		}
	}
	wantResult(t, n.client().Call("core.ping", nil), `"pong"`)
}

func TestTheFirstMessageMayComeWithTheHandshake(t *testing.T) {
	n := start(t)
	nc, err := net.Dial("tcp", n.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	text := "GET /ws HTTP/1.1\r\nHost: " + n.addr + "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
	first := wiretest.AppendFrame([]byte(text), wiretest.Frame{Op: wiretest.OpText, Payload: wiretest.Encode(1, "core.init", initParams(theScope))})
	if _, err := nc.Write(wiretest.AppendFrame(first, wiretest.Frame{Op: wiretest.OpText, Payload: wiretest.Encode(2, "core.ping", nil)})); err != nil {
		t.Fatal(err)
	}
	var got strings.Builder
	buf := make([]byte, 4096)
	for !strings.Contains(got.String(), `"pong"`) {
		k, err := nc.Read(buf)
		if err != nil {
			t.Fatalf("%v after %q", err, got.String())
		}
		got.Write(buf[:k])
	}
	// The sample key and its answer are RFC 6455's own, section 1.3.
	if !strings.Contains(got.String(), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=") {
		t.Errorf("the handshake's answer is %q", got.String())
	}
}

// The header promises a payload that never comes; the server closes, and must not
// wait for it.
func TestAPeerThatHoldsUpTheClosingHandshakeLosesItsPlace(t *testing.T) {
	n := start(t, func(c *server.Config) { c.MaxConnections = 1 })
	c := n.dial()
	// A binary frame, masked, of 2^40 bytes.
	if err := c.WriteRaw([]byte{0x82, 0xff, 0, 0, 1, 0, 0, 0, 0, 0, 1, 2, 3, 4}); err != nil {
		t.Fatal(err)
	}
	await(t, "its place is free", func() bool {
		conn, err := wiretest.Open(n.addr, nil)
		if err != nil {
			return false
		}
		conn.Close()
		return true
	})
}
