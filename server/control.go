package server

import "bufio"

// Pings and pongs (RFC 6455, section 5.5) that stand between messages are
// answered here and not by the library: it would go on to wait for a message, on
// a stack that is large by then. A client that only answers the server's pings
// stays as small as one that says nothing.

const (
	maskLen = 4
	// maxControl is how long a control frame's payload may be.
	maxControl = 125
)

// takeControl takes the pings and pongs that are at the head of the buffer out of
// it, and reports whether there was one, and the payload to answer the last ping
// with, nil for none. What it does not know, a frame that is not all there among
// them, it leaves to the library.
func takeControl(in *bufio.Reader) (took bool, pong []byte) {
	for in.Buffered() >= 2 {
		head, _ := in.Peek(2)
		op, n := head[0]&^final, int(head[1]&^masked)
		if op != opPing && op != opPong || head[0]&final == 0 || head[1]&masked == 0 || n > maxControl {
			break
		}
		size := 2 + maskLen + n
		if in.Buffered() < size {
			break
		}
		frame, _ := in.Peek(size)
		if op == opPing {
			pong = make([]byte, n)
			for i := range pong {
				pong[i] = frame[2+maskLen+i] ^ frame[2+i%maskLen]
			}
		}
		_, _ = in.Discard(size)
		took = true
	}
	return took, pong
}
