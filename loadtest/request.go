package loadtest

import (
	"strconv"
	"sync"

	"github.com/go-json-experiment/json"
	"github.com/gobwas/ws"
)

// A requestBuffer is a pooled buffer in which a frame is built.
type requestBuffer struct {
	b       []byte
	head    frameHead
	scratch [ws.MaxHeaderSize]byte
}

var requestBuffers = sync.Pool{New: func() any { return &requestBuffer{b: make([]byte, 0, 1024)} }}

// headRoom is left free before a payload for the longest header of a client's
// frame of at most 64 KiB: 2 bytes, 2 of length, 4 of mask.
const headRoom = 8

// request builds the frame of a request.
func (buffer *requestBuffer) request(id uint32, op operation, data func([]byte) []byte) []byte {
	b := append(buffer.b[:0], make([]byte, headRoom)...)
	b = append(b, `{"id":`...)
	b = strconv.AppendUint(b, uint64(id), 10)
	b = append(b, `,"type":"`...)
	b = append(b, op.message()...)
	b = append(b, `","data":`...)
	b = data(b)
	b = append(b, '}')
	buffer.b = b
	return buffer.masked(ws.OpText)
}

// masked makes a client's frame of what is in the buffer behind headRoom, in
// place.
func (buffer *requestBuffer) masked(op ws.OpCode) []byte {
	payload := buffer.b[headRoom:]
	h := ws.Header{Fin: true, OpCode: op, Masked: true, Mask: ws.NewMask(), Length: int64(len(payload))}
	ws.Cipher(payload, h.Mask, 0)
	buffer.head = buffer.head[:0]
	_ = ws.WriteHeaderBuffer(&buffer.head, h, buffer.scratch[:])
	start := headRoom - len(buffer.head)
	copy(buffer.b[start:], buffer.head)
	return buffer.b[start:]
}

// A frameHead is a header as it is written.
type frameHead []byte

func (h *frameHead) Write(p []byte) (int, error) {
	*h = append(*h, p...)
	return len(p), nil
}

// jsonData is the data of a request that is not on the way of the many: any
// value, through the JSON library.
func jsonData(v any) func([]byte) []byte {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err) // parameters of our own always have a JSON form
	}
	return func(b []byte) []byte { return append(b, text...) }
}
