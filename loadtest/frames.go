package loadtest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/gobwas/ws"

	"rollcall/protocol"
)

// readBuffer is the size of the pooled buffers that frames are read into. A
// connection has one only while a frame is under way.
const readBuffer = 16 << 10

var readBuffers = sync.Pool{New: func() any { b := make([]byte, readBuffer); return &b }}

var errFrameTooLong = fmt.Errorf("a frame of the server is longer than %d bytes", protocol.MaxReplyBytes)

// A frameReader reads the frames of one connection. While it waits for the first
// byte of a frame it holds no buffer.
type frameReader struct {
	src     source
	held    []byte  // what has come and was not handed out yet; nil while idle
	buffer  *[]byte // the pooled buffer that held lies in; nil where it is none
	message []byte  // the parts so far of a message in several frames
	state   ws.State
}

// A source waits until there is something to read, and only then asks the reader
// for room to read it into.
type source interface {
	read(r *frameReader, size int) (int, error)
}

// early gives the reader what came before it began.
func (r *frameReader) early(b []byte) {
	if len(b) > 0 {
		r.held = b
	}
}

// next returns the next message or control frame. The payload is good until
// release or the next call.
func (r *frameReader) next() (op ws.OpCode, payload []byte, err error) {
	for {
		h, size, err := r.header()
		if err != nil {
			return 0, nil, err
		}
		if size > 0 && len(r.held) >= size {
			payload = r.held[size-int(h.Length) : size]
			r.held = r.held[size:]
			op, whole, err := r.assemble(h, payload)
			if err != nil || whole != nil {
				return op, whole, err
			}
			continue
		}
		if err := r.fill(size); err != nil {
			return 0, nil, err
		}
	}
}

// assemble returns the message that a frame completes, or nil.
func (r *frameReader) assemble(h ws.Header, payload []byte) (ws.OpCode, []byte, error) {
	if payload == nil {
		payload = []byte{}
	}
	if h.OpCode.IsControl() || h.Fin && h.OpCode != ws.OpContinuation {
		return h.OpCode, payload, nil
	}
	if len(r.message)+len(payload) > protocol.MaxReplyBytes {
		return 0, nil, errFrameTooLong
	}
	r.message = append(r.message, payload...)
	r.state = r.state.Set(ws.StateFragmented)
	if !h.Fin {
		return 0, nil, nil
	}
	whole := r.message
	r.message, r.state = nil, r.state.Clear(ws.StateFragmented)
	return ws.OpText, whole, nil
}

// header reads the header of the frame at the start of what is held, and the
// frame's size with it. A size of 0: not even the header is there.
func (r *frameReader) header() (h ws.Header, size int, err error) {
	if len(r.held) < ws.MinHeaderSize {
		return h, 0, nil
	}
	var scratch [ws.MaxHeaderSize]byte
	in := bytes.NewReader(r.held)
	h, err = ws.ReadHeaderBuffer(in, scratch[:])
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return h, 0, nil
	}
	if err == nil {
		err = ws.CheckHeader(h, r.state|ws.StateClientSide)
	}
	if err == nil && h.Length > protocol.MaxReplyBytes {
		err = errFrameTooLong
	}
	return h, len(r.held) - in.Len() + int(h.Length), err
}

// release gives the buffer back if nothing is held in it.
func (r *frameReader) release() {
	if len(r.held) > 0 {
		return
	}
	r.held = nil
	if r.buffer != nil {
		readBuffers.Put(r.buffer)
		r.buffer = nil
	}
}

// fill reads more, with room for a frame of that size where it is known.
func (r *frameReader) fill(size int) error {
	r.release()
	n, err := r.src.read(r, size)
	r.held = r.held[:len(r.held)+n]
	return err
}

// room returns a buffer for what comes, right behind what is held.
func (r *frameReader) room(size int) []byte {
	if r.buffer == nil && r.held == nil && size <= readBuffer {
		r.buffer = readBuffers.Get().(*[]byte)
		r.held = (*r.buffer)[:0]
	}
	if free := cap(r.held) - len(r.held); free == 0 || size > cap(r.held) {
		var from []byte
		if r.buffer != nil && max(size, len(r.held)+1) <= readBuffer {
			from = (*r.buffer)[:0] // move to its start; append copes with the overlap
		} else {
			from = make([]byte, 0, max(size, 2*len(r.held), readBuffer))
		}
		held := append(from, r.held...)
		if r.buffer != nil && cap(from) > readBuffer {
			readBuffers.Put(r.buffer)
			r.buffer = nil
		}
		r.held = held
	}
	return r.held[len(r.held):cap(r.held)]
}
