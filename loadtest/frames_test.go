package loadtest

import (
	"bytes"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/gobwas/ws"

	"rollcall/protocol"
)

// pieces is a source that gives what it has in pieces of given sizes.
type pieces struct {
	text  []byte
	sizes func() int
}

func (p *pieces) read(r *frameReader, size int) (int, error) {
	if len(p.text) == 0 {
		return 0, io.EOF
	}
	n := copy(r.room(size), p.text[:min(p.sizes(), len(p.text))])
	p.text = p.text[n:]
	return n, nil
}

type read struct {
	op   ws.OpCode
	text string
}

// readAll returns the messages until the end, and the error if it is another.
func readAll(text []byte, sizes func() int) (all []read, err error) {
	r := &frameReader{src: &pieces{text, sizes}}
	for {
		op, payload, err := r.next()
		if err == io.EOF {
			return all, nil
		}
		if err != nil {
			return all, err
		}
		all = append(all, read{op, string(payload)})
		r.release()
		if len(r.held) == 0 && r.buffer != nil {
			panic("a buffer is kept while nothing is held")
		}
	}
}

func frames(all ...ws.Frame) []byte {
	var out bytes.Buffer
	for _, f := range all {
		ws.MustWriteFrame(&out, f)
	}
	return out.Bytes()
}

func TestFramesAreReadHoweverTheyArrive(t *testing.T) {
	long, longer := strings.Repeat("x", 300), strings.Repeat("y", 70_000)
	text := frames(
		ws.NewTextFrame([]byte("first")), ws.NewPingFrame([]byte("p")), ws.NewTextFrame(nil), ws.NewTextFrame([]byte(long)),
		ws.NewTextFrame([]byte(longer)),
		ws.NewFrame(ws.OpText, false, []byte("in ")), ws.NewPingFrame(nil), ws.NewFrame(ws.OpContinuation, false, []byte("three ")),
		ws.NewFrame(ws.OpContinuation, true, []byte("parts")),
		ws.NewCloseFrame(ws.NewCloseFrameBody(4001, "bye")),
	)
	want := []read{
		{ws.OpText, "first"}, {ws.OpPing, "p"}, {ws.OpText, ""}, {ws.OpText, long}, {ws.OpText, longer},
		{ws.OpPing, ""}, {ws.OpText, "in three parts"}, {ws.OpClose, "\x0f\xa1bye"},
	}
	random := rand.New(rand.NewPCG(1, 1))
	for name, sizes := range map[string]func() int{
		"at once":      func() int { return len(text) },
		"byte by byte": func() int { return 1 },
		"in pieces":    func() int { return 1 + random.IntN(40_000) },
	} {
		got, err := readAll(text, sizes)
		if err != nil || len(got) != len(want) {
			t.Fatalf("%s: %v, %d messages", name, err, len(got))
		}
		for i := range want {
			if got[i] != want[i] {
				t.Errorf("%s: message %d is %v of %d bytes", name, i, got[i].op, len(got[i].text))
			}
		}
	}
}

func TestAServerThatBreaksTheProtocolIsAnError(t *testing.T) {
	masked := ws.MaskFrame(ws.NewTextFrame([]byte("x")))
	for name, text := range map[string][]byte{
		"masked":                   frames(masked),
		"too long":                 {0x81, 127, 0, 0, 0, 0, 1, 0, 0, 0},
		"reserved operation":       {0x83, 0},
		"continuation of nothing":  frames(ws.NewFrame(ws.OpContinuation, true, nil)),
		"text within a text":       frames(ws.NewFrame(ws.OpText, false, nil), ws.NewTextFrame(nil)),
		"ping in parts":            {0x09, 0},
		"length with the sign bit": {0x81, 127, 0x80, 0, 0, 0, 0, 0, 0, 0},
		"parts that are too long": frames(ws.NewFrame(ws.OpText, false, make([]byte, protocol.MaxReplyBytes)),
			ws.NewFrame(ws.OpContinuation, true, []byte("x"))),
	} {
		if got, err := readAll(text, func() int { return len(text) }); err == nil {
			t.Errorf("%s: read as %d messages", name, len(got))
		}
	}
}

func TestARequestIsOneMaskedFrame(t *testing.T) {
	for _, size := range []int{0, 40, 125, 126, 30_000} {
		var b requestBuffer
		value := strings.Repeat("v", size)
		frame := b.request(12, opGet, func(b []byte) []byte { return append(b, `"`+value+`"`...) })
		in := bytes.NewReader(frame)
		h, err := ws.ReadHeader(in)
		if err != nil || !h.Masked || !h.Fin || h.OpCode != ws.OpText || int(h.Length) != in.Len() {
			t.Fatalf("%d bytes: %v, %+v, and %d bytes behind it", size, err, h, in.Len())
		}
		payload := frame[len(frame)-in.Len():]
		ws.Cipher(payload, h.Mask, 0)
		r, err := protocol.ParseRequest(payload)
		if err != nil || string(r.ID) != "12" || r.Type != "users.get" || string(r.Data) != `"`+value+`"` {
			t.Errorf("%d bytes: %v, %s %s", size, err, r.ID, r.Type)
		}
	}
}

// FuzzFrames reads whatever a server may send: whole or byte by byte it is the
// same, and nothing panics.
func FuzzFrames(f *testing.F) {
	f.Add(frames(ws.NewTextFrame([]byte("first")), ws.NewPingFrame([]byte("p"))))
	f.Add(frames(ws.NewFrame(ws.OpText, false, []byte("in ")), ws.NewPingFrame(nil), ws.NewFrame(ws.OpContinuation, true, []byte("two"))))
	f.Add([]byte{0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0})
	f.Fuzz(func(t *testing.T, text []byte) {
		whole, errWhole := readAll(bytes.Clone(text), func() int { return len(text) })
		byByte, errByByte := readAll(bytes.Clone(text), func() int { return 1 })
		if !slices.Equal(whole, byByte) || (errWhole == nil) != (errByByte == nil) {
			t.Fatalf("%q: whole %v, %v; byte by byte %v, %v", text, whole, errWhole, byByte, errByByte)
		}
	})
}
