package wiretest

import (
	"bufio"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Opcodes (RFC 6455, section 5.2).
const (
	OpContinuation = 0x0
	OpText         = 0x1
	OpBinary       = 0x2
	OpClose        = 0x8
	OpPing         = 0x9
	OpPong         = 0xA
)

// MaxServerFrame is the contract's bound of a frame from the server, in bytes.
const MaxServerFrame = 1 << 20

// A Frame is one frame. The zero value of a field is what an honest client
// sends: final, no reserved bits, masked.
type Frame struct {
	Op       byte
	More     bool // FIN is not set
	Reserved byte // RSV1 to RSV3, as the bits 4, 2 and 1
	Unmasked bool
	Payload  []byte
}

// AppendFrame appends a frame as it goes over the wire, so that a test can put
// several, or a part of one, in one write.
func AppendFrame(dst []byte, f Frame) []byte {
	first := f.Op | f.Reserved<<4
	if !f.More {
		first |= 0x80
	}
	mask := byte(0x80)
	if f.Unmasked {
		mask = 0
	}
	dst = append(dst, first)
	switch n := len(f.Payload); {
	case n < 126:
		dst = append(dst, mask|byte(n))
	case n < 1<<16:
		dst = append(dst, mask|126)
		dst = binary.BigEndian.AppendUint16(dst, uint16(n))
	default:
		dst = append(dst, mask|127)
		dst = binary.BigEndian.AppendUint64(dst, uint64(n))
	}
	if f.Unmasked {
		return append(dst, f.Payload...)
	}
	var key [4]byte
	rand.Read(key[:])
	dst = append(dst, key[:]...)
	for i, b := range f.Payload {
		dst = append(dst, b^key[i%4])
	}
	return dst
}

// readFrame reads one frame from a server and holds it against RFC 6455.
func readFrame(br *bufio.Reader) (Frame, error) {
	var head [2]byte
	if _, err := io.ReadFull(br, head[:]); err != nil {
		return Frame{}, err
	}
	f := Frame{Op: head[0] & 0x0f, More: head[0]&0x80 == 0, Reserved: head[0] >> 4 & 7, Unmasked: true}
	if f.Reserved != 0 {
		return f, errors.New("server set reserved bits without an extension")
	}
	if head[1]&0x80 != 0 {
		return f, errors.New("server masked a frame")
	}
	n := uint64(head[1])
	switch n {
	case 126:
		var ext [2]byte
		if _, err := io.ReadFull(br, ext[:]); err != nil {
			return f, err
		}
		if n = uint64(binary.BigEndian.Uint16(ext[:])); n < 126 {
			return f, errors.New("server did not use the shortest length")
		}
	case 127:
		var ext [8]byte
		if _, err := io.ReadFull(br, ext[:]); err != nil {
			return f, err
		}
		if n = binary.BigEndian.Uint64(ext[:]); n < 1<<16 {
			return f, errors.New("server did not use the shortest length")
		}
	}
	if f.Op >= OpClose && (n > 125 || f.More) {
		return f, errors.New("server sent a control frame that is long or fragmented")
	}
	if n > MaxServerFrame {
		return f, fmt.Errorf("server sent a frame of %d bytes, over the contract's 1 MiB", n)
	}
	f.Payload = make([]byte, n)
	_, err := io.ReadFull(br, f.Payload)
	return f, err
}

// A CloseError is the server's close frame. Code is 1005 when it had none.
type CloseError struct {
	Code   int
	Reason string
}

func (e *CloseError) Error() string {
	return fmt.Sprintf("server closed with %d %q", e.Code, e.Reason)
}

func parseClose(payload []byte) *CloseError {
	if len(payload) < 2 {
		return &CloseError{Code: 1005}
	}
	return &CloseError{int(binary.BigEndian.Uint16(payload)), string(payload[2:])}
}

// ClosePayload is what a close frame holds.
func ClosePayload(code int, reason string) []byte {
	return append(binary.BigEndian.AppendUint16(nil, uint16(code)), reason...)
}
