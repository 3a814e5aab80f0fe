package server_test

import (
	"bytes"
	"strings"
	"testing"

	"rollcall/server/wiretest"
)

const (
	maxRequest = 32 << 10 // the contract's bound of a client's frame
)

func writeFrames(t *testing.T, c *wiretest.Client, frames ...wiretest.Frame) {
	t.Helper()
	for _, f := range frames {
		if err := c.WriteFrame(f); err != nil {
			t.Fatal(err)
		}
	}
}

// pingOf is a core.ping padded to a size by a member that nobody knows.
func pingOf(size int) string {
	const head, tail = `{"id":"p","type":"core.ping","pad":"`, `"}`
	return head + strings.Repeat("x", size-len(head)-len(tail)) + tail
}

// wantClose checks the close frame's code, and that the TCP connection ends.
func wantClose(t *testing.T, c *wiretest.Client, codes ...int) {
	t.Helper()
	e := c.WaitEnd()
	for _, code := range codes {
		if e.Close != nil && e.Close.Code == code || e.Close == nil && code == 0 {
			return
		}
	}
	t.Errorf("closed with %v, want one of %v (0: without a close frame)", e.Close, codes)
}

func TestAFrameOf32KiBIsFineAndALargerOneCloses(t *testing.T) {
	n := start(t)
	c := n.client()
	c.SendText(pingOf(maxRequest))
	wantResult(t, c.Next(), `"pong"`)
	for name, size := range map[string]int{"one byte over": maxRequest + 1, "33 KiB": 33 << 10, "1 MiB": 1 << 20} {
		t.Run(name, func(t *testing.T) {
			c := n.client()
			_ = c.WriteFrame(wiretest.Frame{Op: wiretest.OpText, Payload: []byte(pingOf(size))}) // may be cut short
			wantClose(t, c, 1009)
		})
	}
	t.Run("in fragments", func(t *testing.T) {
		c := n.client()
		text := []byte(pingOf(33 << 10))
		writeFrames(t, c, wiretest.Frame{Op: wiretest.OpText, More: true, Payload: text[:20<<10]},
			wiretest.Frame{Op: wiretest.OpContinuation, Payload: text[20<<10:]})
		wantClose(t, c, 1009)
	})
	t.Run("announced as 2^62 bytes", func(t *testing.T) {
		c := n.client()
		_ = c.WriteRaw(append([]byte{0x81, 0xff, 0x40, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4}, make([]byte, 33<<10)...)) // may be cut short
		wantClose(t, c, 1009)
	})
}

func TestTextThatIsNotUTF8Closes(t *testing.T) {
	n := start(t)
	bad := func(s string) []byte { return []byte(`{"id":1,"type":"core.ping","x":"` + s + `"}`) }
	for name, s := range map[string]string{
		"a stray byte": "\xff", "an overlong form": "\xc0\xaf", "a surrogate": "\xed\xa0\x80", "beyond Unicode": "\xf4\x90\x80\x80", "cut short": "\xe2\x82",
	} {
		t.Run(name, func(t *testing.T) {
			c := n.client()
			writeFrames(t, c, wiretest.Frame{Op: wiretest.OpText, Payload: bad(s)})
			wantClose(t, c, 1007)
		})
	}
	t.Run("in fragments", func(t *testing.T) {
		c := n.client()
		text := bad("\xff")
		writeFrames(t, c, wiretest.Frame{Op: wiretest.OpText, More: true, Payload: text[:20]}, wiretest.Frame{Op: wiretest.OpContinuation, Payload: text[20:]})
		wantClose(t, c, 1007)
	})
	t.Run("before the first message", func(t *testing.T) {
		c := n.dial()
		writeFrames(t, c, wiretest.Frame{Op: wiretest.OpText, Payload: []byte("\xff")})
		wantClose(t, c, 1007)
	})
}

func TestABinaryFrameCloses(t *testing.T) {
	n := start(t)
	c := n.client()
	writeFrames(t, c, wiretest.Frame{Op: wiretest.OpBinary, Payload: wiretest.Encode(1, "core.ping", nil)})
	wantClose(t, c, 1003)
}

func TestFramesAgainstRFC6455FailTheConnection(t *testing.T) {
	ping := wiretest.Encode(1, "core.ping", nil)
	for name, frames := range map[string][]wiretest.Frame{
		"unmasked":                           {{Op: wiretest.OpText, Unmasked: true, Payload: ping}},
		"unmasked ping":                      {{Op: wiretest.OpPing, Unmasked: true}},
		"RSV1 without an extension":          {{Op: wiretest.OpText, Reserved: 4, Payload: ping}},
		"RSV2":                               {{Op: wiretest.OpText, Reserved: 2, Payload: ping}},
		"RSV3 on a ping":                     {{Op: wiretest.OpPing, Reserved: 1}},
		"reserved opcode 3":                  {{Op: 0x3, Payload: ping}},
		"reserved opcode 11":                 {{Op: 0xB}},
		"a fragmented ping":                  {{Op: wiretest.OpPing, More: true}},
		"a ping of 126 bytes":                {{Op: wiretest.OpPing, Payload: make([]byte, 126)}},
		"a continuation of nothing":          {{Op: wiretest.OpContinuation, Payload: ping}},
		"a message within a message":         {{Op: wiretest.OpText, More: true, Payload: ping[:5]}, {Op: wiretest.OpText, Payload: ping}},
		"a close with a payload of one byte": {{Op: wiretest.OpClose, Payload: []byte{3}}},
		"a close with a forbidden code":      {{Op: wiretest.OpClose, Payload: wiretest.ClosePayload(1005, "")}},
	} {
		t.Run(name, func(t *testing.T) {
			n := start(t)
			c := n.client()
			writeFrames(t, c, frames...)
			wantClose(t, c, 1002, 0) // RFC 6455, section 7.1.7: a close frame should, but need not come
			wantResult(t, n.client().Call("core.ping", nil), `"pong"`)
		})
	}
}

func TestAMessageMayComeInFragments(t *testing.T) {
	n := start(t)
	c := n.client()
	text := wiretest.Encode("ü€😀", "core.ping", nil)
	for _, step := range []int{1, 2, 3, 7, len(text)} { // one byte a frame cuts every character
		var frames []wiretest.Frame
		for at := 0; at < len(text); at += step {
			f := wiretest.Frame{Op: wiretest.OpContinuation, More: at+step < len(text), Payload: text[at:min(at+step, len(text))]}
			if at == 0 {
				f.Op = wiretest.OpText
			}
			frames = append(frames, f, wiretest.Frame{Op: wiretest.OpPong})
		}
		c.SendText(string(text)) // marks the client as one that sends by hand
		wantResult(t, c.Next(), `"pong"`)
		writeFrames(t, c, frames...)
		if r := c.Next(); r.Result() != `"pong"` || r.ID() != `"ü€😀"` {
			t.Errorf("fragments of %d bytes got %s", step, r.Raw)
		}
	}
	writeFrames(t, c, wiretest.Frame{Op: wiretest.OpText, More: true}, wiretest.Frame{Op: wiretest.OpContinuation, More: true, Payload: text}, wiretest.Frame{Op: wiretest.OpContinuation})
	wantResult(t, c.Next(), `"pong"`)
}

func TestAPingIsAnsweredWithItsPayload(t *testing.T) {
	n := start(t)
	text := wiretest.Encode(9, "core.ping", nil)
	for name, payload := range map[string][]byte{"empty": {}, "text": []byte("are you there?"), "125 bytes": bytes.Repeat([]byte{0, 0xff, 'x', '\n', 7}, 25)} {
		t.Run(name, func(t *testing.T) {
			c := n.dial()
			ping := wiretest.Frame{Op: wiretest.OpPing, Payload: payload}
			writeFrames(t, c, ping)
			wantPong(t, c, payload)
			// And in the middle of a fragmented message.
			writeFrames(t, c, wiretest.Frame{Op: wiretest.OpText, More: true, Payload: text[:4]}, ping)
			wantPong(t, c, payload)
			writeFrames(t, c, wiretest.Frame{Op: wiretest.OpContinuation, Payload: text[4:]})
			c.SendText(`{"id":10,"type":"core.ping"}`)
			want(t, c.Next(), 806)
			want(t, c.Next(), 806)
		})
	}
}

func wantPong(t *testing.T, c *wiretest.Client, payload []byte) {
	t.Helper()
	f, err := c.ReadFrame()
	if err != nil {
		t.Fatal(err)
	}
	if f.Op != wiretest.OpPong || !bytes.Equal(f.Payload, payload) {
		t.Errorf("got opcode %d with %q, want a pong with %q", f.Op, f.Payload, payload)
	}
}

func TestACloseIsEchoedAndEndsTheConnection(t *testing.T) {
	n := start(t)
	for name, tt := range map[string]struct {
		payload []byte
		codes   []int
	}{
		"normal":          {wiretest.ClosePayload(1000, "done"), []int{1000}},
		"going away":      {wiretest.ClosePayload(1001, ""), []int{1001}},
		"an app's code":   {wiretest.ClosePayload(4999, "because"), []int{4999}},
		"without a code":  {nil, []int{1005, 1000}},
		"a reason of 123": {wiretest.ClosePayload(1000, strings.Repeat("r", 123)), []int{1000}},
	} {
		t.Run(name, func(t *testing.T) {
			c := n.client()
			writeFrames(t, c, wiretest.Frame{Op: wiretest.OpClose, Payload: tt.payload})
			wantClose(t, c, tt.codes...)
		})
	}
}

func TestAPeerThatIsGoneIsForgotten(t *testing.T) {
	n := start(t)
	u := n.elsewhere("tiny")
	t.Run("half-open", func(t *testing.T) {
		c := n.client()
		login(t, c, u)
		if err := c.CloseWrite(); err != nil {
			t.Fatal(err)
		}
		wantClose(t, c, 0, 1002, 1006, 1011)
	})
	t.Run("half-open within a frame", func(t *testing.T) {
		c := n.client()
		frame := wiretest.AppendFrame(nil, wiretest.Frame{Op: wiretest.OpText, Payload: wiretest.Encode(1, "core.ping", nil)})
		if err := c.WriteRaw(frame[:len(frame)-3]); err != nil {
			t.Fatal(err)
		}
		if err := c.CloseWrite(); err != nil {
			t.Fatal(err)
		}
		wantClose(t, c, 0, 1002, 1006, 1011)
	})
	t.Run("reset with requests in flight", func(t *testing.T) {
		c := n.client()
		for range 50 {
			c.Send("users.login", u.login())
		}
		if err := c.Reset(); err != nil {
			t.Fatal(err)
		}
	})
	wantResult(t, n.client().Call("core.ping", nil), `"pong"`)
}
