package wiretest

import (
	"bufio"
	"crypto/rand"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
	"unicode/utf8"
)

// Guard bounds one read or write. It only keeps a hung test from hanging for
// good; no test may depend on it.
const Guard = 60 * time.Second

// A Conn is a WebSocket connection. Reads belong to one goroutine; writes may
// come from several.
type Conn struct {
	nc net.Conn
	br *bufio.Reader

	wmu sync.Mutex // guards writes

	// Response is the server's answer to the handshake.
	Response *http.Response
	// Mute leaves pings without an answer.
	Mute bool
	// Pings counts the pings that were read.
	Pings int
}

// A RefusedError is a handshake that was answered with something else than 101.
type RefusedError struct {
	Status int
	Header http.Header
	Body   string
}

func (e *RefusedError) Error() string {
	return fmt.Sprintf("handshake answered with %d: %s", e.Status, e.Body)
}

// acceptKey is what a server makes of a client's key (RFC 6455, section 4.2.2).
func acceptKey(key string) string {
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// Open connects and does the handshake on /ws. header adds to the request or,
// where a name is there already, replaces what it would have; an empty value
// removes the name. A refusal is a *RefusedError.
func Open(addr string, header map[string]string) (*Conn, error) {
	nc, err := net.DialTimeout("tcp", addr, Guard)
	if err != nil {
		return nil, err
	}
	c := &Conn{nc: nc, br: bufio.NewReader(nc)}
	if err := c.handshake(addr, header); err != nil {
		nc.Close()
		return nil, err
	}
	return c, nil
}

func (c *Conn) handshake(addr string, header map[string]string) error {
	var nonce [16]byte
	rand.Read(nonce[:])
	fields := map[string]string{
		"Host":                  addr,
		"Upgrade":               "websocket",
		"Connection":            "Upgrade",
		"Sec-WebSocket-Version": "13",
		"Sec-WebSocket-Key":     base64.StdEncoding.EncodeToString(nonce[:]),
	}
	for name, value := range header {
		fields[name] = value
	}
	var text strings.Builder
	text.WriteString("GET /ws HTTP/1.1\r\n")
	for name, value := range fields {
		if value != "" {
			text.WriteString(name + ": " + value + "\r\n")
		}
	}
	text.WriteString("\r\n")
	if err := c.WriteRaw([]byte(text.String())); err != nil {
		return err
	}
	c.nc.SetReadDeadline(time.Now().Add(Guard))
	resp, err := http.ReadResponse(c.br, nil)
	if err != nil {
		return fmt.Errorf("read the handshake's answer: %w", err)
	}
	if resp.StatusCode != http.StatusSwitchingProtocols {
		body, _ := io.ReadAll(io.LimitReader(resp.Body, 4096))
		return &RefusedError{resp.StatusCode, resp.Header, string(body)}
	}
	switch {
	case !strings.EqualFold(resp.Header.Get("Upgrade"), "websocket"),
		!strings.EqualFold(resp.Header.Get("Connection"), "Upgrade"):
		return errors.New("the 101 does not upgrade to a websocket")
	case resp.Header.Get("Sec-WebSocket-Accept") != acceptKey(fields["Sec-WebSocket-Key"]):
		return errors.New("Sec-WebSocket-Accept does not prove that the key was read")
	case resp.Header.Get("Sec-WebSocket-Extensions") != "":
		return errors.New("the server chose an extension that nobody offered")
	}
	c.Response = resp
	return nil
}

// WriteRaw writes bytes as they are.
func (c *Conn) WriteRaw(b []byte) error {
	c.wmu.Lock()
	defer c.wmu.Unlock()
	c.nc.SetWriteDeadline(time.Now().Add(Guard))
	_, err := c.nc.Write(b)
	return err
}

// WriteFrame writes one frame.
func (c *Conn) WriteFrame(f Frame) error { return c.WriteRaw(AppendFrame(nil, f)) }

// ReadFrame reads one frame, whatever it is, and answers nothing.
func (c *Conn) ReadFrame() (Frame, error) {
	c.nc.SetReadDeadline(time.Now().Add(Guard))
	return readFrame(c.br)
}

// ReadText reads the next text message within Guard, answers the pings before it (unless
// Mute) and skips pongs. The server's close is a *CloseError.
func (c *Conn) ReadText() ([]byte, error) {
	var text []byte
	fragmented := false
	c.nc.SetReadDeadline(time.Now().Add(Guard)) // for all of it: pings come for ever
	for {
		f, err := readFrame(c.br)
		if err != nil {
			return nil, err
		}
		switch f.Op {
		case OpPing:
			c.Pings++
			if !c.Mute {
				if err := c.WriteFrame(Frame{Op: OpPong, Payload: f.Payload}); err != nil {
					return nil, err
				}
			}
			continue
		case OpPong:
			continue
		case OpClose:
			return nil, parseClose(f.Payload)
		case OpText:
			if fragmented {
				return nil, errors.New("server began a message within another")
			}
			text = f.Payload
		case OpContinuation:
			if !fragmented {
				return nil, errors.New("server continued a message that it had not begun")
			}
			text = append(text, f.Payload...)
		default:
			return nil, fmt.Errorf("server sent a frame of opcode %d", f.Op)
		}
		if fragmented = f.More; !fragmented {
			if !utf8.Valid(text) {
				return nil, errors.New("server sent text that is not UTF-8")
			}
			return text, nil
		}
	}
}

// ReadEnd reads to the end of the TCP connection and reports whether it came:
// after a close frame nothing else may.
func (c *Conn) ReadEnd() error {
	c.nc.SetReadDeadline(time.Now().Add(Guard))
	switch n, err := io.Copy(io.Discard, c.br); {
	case errors.Is(err, net.ErrClosed):
		return nil
	case isTimeout(err):
		return errors.New("the server left the TCP connection open")
	case n > 0:
		return fmt.Errorf("%d bytes after the end", n)
	}
	return nil // EOF, or a reset: the connection is gone
}

func isTimeout(err error) bool {
	var ne net.Error
	return errors.As(err, &ne) && ne.Timeout()
}

// CloseWrite ends the client's half of the TCP connection, without a close frame.
func (c *Conn) CloseWrite() error { return c.nc.(*net.TCPConn).CloseWrite() }

// Reset ends the TCP connection with an RST, as a crash of the peer does.
func (c *Conn) Reset() error {
	if err := c.nc.(*net.TCPConn).SetLinger(0); err != nil {
		return err
	}
	return c.nc.Close()
}

// Close ends the TCP connection without a close frame.
func (c *Conn) Close() error { return c.nc.Close() }
