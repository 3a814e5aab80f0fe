package server

import (
	"bufio"
	"bytes"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/coder/websocket"

	"rollcall/server/wiretest"
)

func control(op byte, payload string) []byte {
	return wiretest.AppendFrame(nil, wiretest.Frame{Op: op, Payload: []byte(payload)})
}

func filled(t testing.TB, b []byte) *bufio.Reader {
	t.Helper()
	in := bufio.NewReaderSize(bytes.NewReader(b), readBuffer)
	if len(b) > 0 {
		if _, err := in.Peek(1); err != nil {
			t.Fatal(err)
		}
	}
	return in
}

func TestControlFramesAreTakenFromTheHeadOfTheBuffer(t *testing.T) {
	text := control(0x1, `{"id":1}`)
	long := control(opPing, string(bytes.Repeat([]byte("x"), 125)))
	join := func(frames ...[]byte) []byte { return bytes.Join(frames, nil) }
	for name, c := range map[string]struct {
		in   []byte
		took bool
		pong string // "-" for none
		left int
	}{
		"nothing":                      {nil, false, "-", 0},
		"a pong":                       {control(opPong, "abc"), true, "-", 0},
		"a ping":                       {control(opPing, "abc"), true, "abc", 0},
		"a ping without payload":       {control(opPing, ""), true, "", 0},
		"the longest ping":             {long, true, string(bytes.Repeat([]byte("x"), 125)), 0},
		"several, the last is told":    {join(control(opPing, "a"), control(opPong, "b"), control(opPing, "c")), true, "c", 0},
		"before a message":             {join(control(opPing, "a"), text), true, "a", len(text)},
		"behind a message":             {join(text, control(opPing, "a")), false, "-", len(text) + 7},
		"half of one":                  {control(opPing, "abcdef")[:5], false, "-", 5},
		"one byte":                     {control(opPing, "abcdef")[:1], false, "-", 1},
		"one and half of another":      {join(control(opPing, "a"), control(opPing, "b")[:4]), true, "a", 4},
		"a close":                      {control(0x8, "\x03\xe8"), false, "-", 8},
		"without a mask":               {[]byte{0x89, 0x00}, false, "-", 2},
		"with a reserved bit":          {append([]byte{0xc9}, control(opPing, "")[1:]...), false, "-", 6},
		"not final":                    {append([]byte{0x09}, control(opPing, "")[1:]...), false, "-", 6},
		"longer than it may be, a lie": {[]byte{0x89, 0xfe, 0, 126, 1, 2, 3, 4}, false, "-", 8},
	} {
		in := filled(t, c.in)
		took, payload := takeControl(in)
		pong := "-"
		if payload != nil {
			pong = string(payload)
		}
		if took != c.took || pong != c.pong || in.Buffered() != c.left {
			t.Errorf("%s: took %v, pong %q, %d bytes left; want %v, %q, %d", name, took, pong, in.Buffered(), c.took, c.pong, c.left)
		}
	}
}

// FuzzTakeControl holds what is taken against the library: what a client sends is
// read by it alone, and by us first.
func FuzzTakeControl(f *testing.F) {
	f.Add([]byte{})
	f.Add(control(opPing, "abc"))
	f.Add(append(control(opPong, ""), control(0x1, "x")...))
	f.Add([]byte{0x89, 0xfe, 0, 126, 1, 2, 3, 4})
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > readBuffer {
			return
		}
		in := filled(t, b)
		took, pong := takeControl(in)
		if len(pong) > maxControl || !took && in.Buffered() != len(b) {
			t.Fatalf("took %v, a pong of %d bytes, %d of %d bytes left", took, len(pong), in.Buffered(), len(b))
		}
		// What was taken was whole control frames, one after the other.
		for at := 0; at < len(b)-in.Buffered(); {
			n := int(b[at+1] & 0x7f)
			if op := b[at]; op != final|opPing && op != final|opPong || b[at+1]&masked == 0 || n > maxControl {
				t.Fatalf("took a frame that begins with %x", b[at:at+2])
			}
			at += 2 + maskLen + n
			if at > len(b)-in.Buffered() {
				t.Fatal("took a part of a frame")
			}
		}
	})
}

func TestALookEndsBeforeTheLibraryReads(t *testing.T) {
	ours, theirs := net.Pipe()
	defer theirs.Close()
	c := &conn{peer: newPeerConn(ours, nil, time.Second)}
	looking, looked := make(chan struct{}), make(chan error, 1)
	go c.look(func(in *bufio.Reader) {
		close(looking)
		_, err := in.Peek(1)
		looked <- err
	})
	<-looking
	c.endLooking()
	select {
	case err := <-looked:
		if err == nil {
			t.Error("a look found what nobody sent")
		}
	default:
		t.Fatal("the look was not over")
	}
	c.look(func(*bufio.Reader) { t.Error("somebody looks again") })
	c.endLooking() // again: nothing to wait for
	go theirs.Write([]byte("x"))
	if b, err := c.peer.in.ReadByte(); b != 'x' || err != nil {
		t.Errorf("after the looks nothing can be read: %q %v", b, err)
	}
}

// The library must not have read anything when Accept returns, or it would be
// lost with the reader that it put before ours.
func TestTheLibraryReadsNothingBeforeTheFirstMessage(t *testing.T) {
	early := control(0x1, "early")
	read := make(chan error, 1)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := &leanHijacker{ResponseWriter: w, writeTimeout: time.Second}
		ws, err := websocket.Accept(h, r, nil)
		if err != nil {
			read <- err
			return
		}
		h.peer.in.Reset(h.peer)
		_, text, err := ws.Read(r.Context())
		if err == nil && string(text) != "early" {
			err = errors.New("read " + string(text))
		}
		read <- err
		_ = ws.CloseNow()
	}))
	defer srv.Close()
	nc, err := net.Dial("tcp", srv.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	request := "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
	if _, err := nc.Write(append([]byte(request), early...)); err != nil {
		t.Fatal(err)
	}
	if err := <-read; err != nil {
		t.Error(err)
	}
}
