package bare

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"github.com/gobwas/ws"
)

// readBuffer holds most of what a server sends at once.
const readBuffer = 1024

// A Conn is a WebSocket client that costs little: a message is one write that was
// made up before, and one read into a buffer that stays. It answers pings. It may
// be written by one goroutine while another reads.
type Conn struct {
	net    net.Conn
	r      *bufio.Reader
	header [ws.MaxHeaderSize]byte
	buf    []byte
}

// patience is how long a handshake may take, on a busy machine.
const patience = 30 * time.Second

// dialer makes no use of keep-alives: each is two system calls a connection.
var dialer = net.Dialer{KeepAlive: -1, Timeout: patience}

// Dial opens a connection to a ws URL of a host and a port.
func Dial(ctx context.Context, url string) (*Conn, error) {
	d := ws.Dialer{
		ReadBufferSize: readBuffer, WriteBufferSize: readBuffer, Timeout: patience, NetDial: dialer.DialContext,
	}
	c, early, _, err := d.Dial(ctx, url)
	if err != nil {
		return nil, fmt.Errorf("dial: %w", err)
	}
	conn := &Conn{net: c, r: bufio.NewReaderSize(c, readBuffer)}
	if early != nil { // what came together with the handshake's answer
		rest, err := early.Peek(early.Buffered())
		if err != nil {
			c.Close()
			return nil, err
		}
		conn.r = bufio.NewReaderSize(io.MultiReader(strings.NewReader(string(rest)), c), readBuffer)
		ws.PutReader(early)
	}
	return conn, nil
}

// A Message is a text frame as it goes over the wire.
type Message []byte

// Text makes a message, to be sent any number of times. It is masked, as a
// client's frames must be (RFC 6455, section 5.3), always with the same key:
// these clients need no protection from what proxies make of them.
func Text(text string) Message {
	frame := ws.MaskFrameInPlaceWith(ws.NewTextFrame([]byte(text)), [4]byte{0x37, 0xfa, 0x21, 0x3d})
	return ws.MustCompileFrame(frame)
}

// Send writes a message.
func (c *Conn) Send(m Message) error {
	_, err := c.net.Write(m)
	return err
}

// Ask sends a message and returns the next one of the server, as Read does.
func (c *Conn) Ask(m Message) ([]byte, error) {
	if err := c.Send(m); err != nil {
		return nil, err
	}
	return c.Read()
}

// Read returns the next message of the server. It is good until the next Read.
// A server that closes the connection is an error, which tells the code.
func (c *Conn) Read() ([]byte, error) {
	for {
		h, err := ws.ReadHeaderBuffer(c.r, c.header[:])
		if err != nil {
			return nil, err
		}
		if !h.Fin || h.Masked || h.Rsv != 0 {
			return nil, errors.New("read: a frame in pieces, masked or extended")
		}
		if int64(len(c.buf)) < h.Length {
			c.buf = make([]byte, h.Length)
		}
		payload := c.buf[:h.Length]
		if _, err := io.ReadFull(c.r, payload); err != nil {
			return nil, err
		}
		switch h.OpCode {
		case ws.OpText, ws.OpBinary:
			return payload, nil
		case ws.OpPing:
			if err := c.Send(ws.MustCompileFrame(ws.MaskFrame(ws.NewPongFrame(payload)))); err != nil {
				return nil, err
			}
		case ws.OpClose:
			code := uint16(ws.StatusNoStatusRcvd)
			if len(payload) >= 2 {
				code = binary.BigEndian.Uint16(payload)
			}
			return nil, fmt.Errorf("read: closed with %d", code)
		}
	}
}

// SetDeadline bounds all reads and writes from now on; the zero time ends that.
func (c *Conn) SetDeadline(t time.Time) error { return c.net.SetDeadline(t) }

// Cut ends the connection as a network that goes away does: there is no closing
// handshake, and the local port is free at once.
func (c *Conn) Cut() {
	if tcp, ok := c.net.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = c.net.Close()
}
