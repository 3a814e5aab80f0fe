package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/coder/websocket"

	"rollcall/protocol"
)

// chaosPatience bounds one call: a server gives up work after 10 s.
const chaosPatience = 12 * time.Second

// chaosHTTP does handshakes and keeps nothing.
var chaosHTTP = &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DisableCompression: true}}

// A chaosWire is one connection with one call at a time, and no goroutine: it is read
// while somebody waits for a reply or a push.
type chaosWire struct {
	ws     *websocket.Conn
	last   int64
	buffer []byte
	pushes []protocol.Push // read before a reply that was waited for
	bye    *protocol.Bye
}

func openWire(ctx context.Context, address string) (*chaosWire, error) {
	ctx, cancel := context.WithTimeout(ctx, chaosPatience)
	defer cancel()
	ws, _, err := websocket.Dial(ctx, "ws://"+address+"/ws", &websocket.DialOptions{HTTPClient: chaosHTTP})
	if err != nil {
		return nil, err
	}
	ws.SetReadLimit(protocol.MaxReplyBytes)
	return &chaosWire{ws: ws}, nil
}

// call sends a request and waits for its reply. An error that the server sent is
// a *protocol.Error; after any other the connection is over, and nobody knows
// what became of the request.
func (w *chaosWire) call(ctx context.Context, typ string, data, out any) error {
	ctx, cancel := context.WithTimeout(ctx, chaosPatience)
	defer cancel()
	w.last++
	var err error
	if w.buffer, err = protocol.AppendRequest(w.buffer[:0], w.last, typ, data); err != nil {
		return err
	}
	if err := w.ws.Write(ctx, websocket.MessageText, w.buffer); err != nil {
		return err
	}
	id := strconv.FormatInt(w.last, 10)
	for {
		f, err := w.read(ctx)
		if err != nil {
			return err
		}
		w.pushes = append(w.pushes, f.Pushes...)
		if f.Reply == nil || string(f.Reply.ID) != id {
			continue
		}
		if err := f.Reply.Err(); err != nil {
			return err
		}
		if out == nil {
			return nil
		}
		return protocol.DecodeResult(f.Reply.Result, out)
	}
}

// read reads one frame that is no bye.
func (w *chaosWire) read(ctx context.Context) (protocol.Frame, error) {
	for {
		_, text, err := w.ws.Read(ctx)
		if err != nil {
			if w.bye != nil {
				err = fmt.Errorf("bye %d %s: %w", w.bye.Code, w.bye.Reason, err)
			}
			return protocol.Frame{}, err
		}
		f, err := protocol.ParseFrame(text)
		if err != nil {
			return f, fmt.Errorf("%w: %.200s", err, text)
		}
		if f.Bye == nil {
			return f, nil
		}
		w.bye = f.Bye
	}
}

// drop ends the connection as a crash of the client does.
func (w *chaosWire) drop() { _ = w.ws.CloseNow() }

// statusOf is the status of an error that the server sent, 0 for another error.
func statusOf(err error) protocol.Status {
	var e *protocol.Error
	if errors.As(err, &e) {
		return e.Status
	}
	return 0
}
