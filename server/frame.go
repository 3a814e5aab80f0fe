package server

import "encoding/binary"

// Frames from a server, as RFC 6455, section 5.2, has them: whole messages in one
// frame, without a mask. They are made here and not by the library, so that all
// that waits for a client, its pings among it, goes out in one system call; the
// library's way of writing took a tenth of what answering core.ping takes.

// The parts of a frame's first two bytes.
const (
	opText = 0x1
	opPing = 0x9
	opPong = 0xa
	final  = 0x80 // of the first byte
	masked = 0x80 // of the second; what a client's frame must have
)

// appendHeader appends the header of a frame whose payload has n bytes.
func appendHeader(dst []byte, op byte, n int) []byte {
	dst = append(dst, final|op)
	switch {
	case n < 126:
		return append(dst, byte(n))
	case n < 1<<16:
		return binary.BigEndian.AppendUint16(append(dst, 126), uint16(n))
	}
	return binary.BigEndian.AppendUint64(append(dst, 127), uint64(n))
}

// appendFrame appends a frame.
func appendFrame(dst []byte, op byte, payload []byte) []byte {
	return append(appendHeader(dst, op, len(payload)), payload...)
}

// appendMessage appends the message of one queued frame, or the array of several
// pushes.
func appendMessage(dst []byte, batch []frame) []byte {
	if len(batch) == 1 {
		return appendFrame(dst, opText, batch[0].b)
	}
	n := len(batch) + 1 // brackets and commas
	for i := range batch {
		n += len(batch[i].b)
	}
	dst = append(appendHeader(dst, opText, n), '[')
	for i := range batch {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, batch[i].b...)
	}
	return append(dst, ']')
}
