package server_test

import (
	"runtime"
	"strings"
	"testing"

	"rollcall/server/wiretest"
)

// readers counts the goroutines that read a message of a connection, or wait
// for one with all that needs.
func readers() int {
	stacks := make([]byte, 1<<20)
	return strings.Count(string(stacks[:runtime.Stack(stacks, true)]), "(*conn).readMessage(")
}

func TestAClientThatHasSaidWhatItHadToSayIsOnlyWaitedFor(t *testing.T) {
	n := start(t)
	c := n.client()
	for _, step := range []struct {
		what string
		do   func()
	}{
		{"a message", func() { wantResult(t, c.Call("core.ping", nil), `"pong"`) }},
		{"a ping", func() {
			writeFrames(t, c, wiretest.Frame{Op: wiretest.OpPing, Payload: []byte("a")})
			wantPong(t, c, []byte("a"))
		}},
		{"a pong", func() { writeFrames(t, c, wiretest.Frame{Op: wiretest.OpPong}) }},
		{"a pong, then messages at once", func() {
			raw := wiretest.AppendFrame(nil, wiretest.Frame{Op: wiretest.OpPong})
			for range 3 {
				raw = wiretest.AppendFrame(raw, textFrame(pingOf(100)))
			}
			if err := c.WriteRaw(raw); err != nil {
				t.Fatal(err)
			}
			for range 3 {
				if text, err := c.ReadText(); err != nil || !strings.Contains(string(text), "pong") {
					t.Fatalf("%s %v", text, err)
				}
			}
		}},
	} {
		step.do()
		await(t, "after "+step.what+" nobody reads", func() bool { return readers() == 0 })
	}
}
