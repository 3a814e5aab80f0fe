package bare_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"rollcall/loadtest/bare"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func serve(t *testing.T, h http.Handler) *bare.Server {
	t.Helper()
	s, err := bare.Serve(h)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func dial(t *testing.T, s *bare.Server) *bare.Conn {
	t.Helper()
	c, err := bare.Dial(t.Context(), s.URL())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Cut)
	if err := c.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return c
}

func TestAnEchoAnswersEveryMessageWithItself(t *testing.T) {
	for name, h := range map[string]http.Handler{"documented": bare.Echo(), "lean": bare.LeanEcho()} {
		t.Run(name, func(t *testing.T) {
			c := dial(t, serve(t, h))
			for _, length := range []int{0, 1, 125, 126, 120, 5000, 30000, 7} {
				text := strings.Repeat("x", length)
				got, err := c.Ask(bare.Text(text))
				if err != nil || string(got) != text {
					t.Fatalf("of %d bytes came back %d, %v", length, len(got), err)
				}
			}
		})
	}
}

func TestAFanOutSendsToEveryConnectionInOrder(t *testing.T) {
	f := &bare.FanOut{}
	t.Cleanup(f.Close)
	s := serve(t, f)
	var conns []*bare.Conn
	for range 3 {
		conns = append(conns, dial(t, s))
	}
	for f.Connections() < len(conns) {
		time.Sleep(time.Millisecond)
	}
	messages := []string{"one", "two", strings.Repeat("three", 1000)}
	for _, m := range messages {
		if err := f.Send(t.Context(), []byte(m)); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range conns {
		for _, m := range messages {
			if got, err := c.Read(); err != nil || string(got) != m {
				t.Fatalf("got %.20q, %v; want %.20q", got, err, m)
			}
		}
	}
	f.Close()
	if _, err := conns[0].Read(); err == nil {
		t.Error("a connection that was closed can be read")
	}
}
