package client

import (
	"context"
	"errors"
	"fmt"

	"github.com/go-json-experiment/json/jsontext"

	"rollcall/protocol"
)

// A call is one request that waits for its reply.
type call struct {
	message *protocol.Message
	in      any          // the parameters
	done    chan outcome // has room for the one outcome, so that nobody waits for a caller who left

	// onResult, if not nil, gets a result on the connection's reader, before the
	// next frame is read.
	onResult func(jsontext.Value)
}

type outcome struct {
	result jsontext.Value
	err    error
}

// Call sends a message of the contract and waits for its answer:
//
//	user, err := client.Call(ctx, c, protocol.UsersGet, protocol.UserRef{UserID: id})
//
// Without a connection it waits for one, together with at most [MaxWaiting]
// others. What the server, or the client in its place, answers with is a
// *protocol.Error: status 815 and Temporary when the connection was lost before
// the reply came, in which case the server may have done what was asked; status
// 802 for a message beyond protocol.MaxRequestBytes. When the context ends first,
// the error wraps the context's; the message may have been sent.
//
// Call sends a Password as it is; the methods Create, Login and Update hash it.
func Call[In, Out any](ctx context.Context, c *Client, m protocol.Method[In, Out], in In) (Out, error) {
	var out Out
	result, err := c.roundTrip(ctx, m.Message, in)
	if err != nil {
		return out, err
	}
	err = protocol.DecodeResult(result, &out)
	return out, err
}

// roundTrip sends one request and waits for the outcome.
func (c *Client) roundTrip(ctx context.Context, m *protocol.Message, in any) (jsontext.Value, error) {
	id := c.nextID.Add(1)
	frame, err := protocol.AppendRequest(nil, id, m.Type, in)
	if err != nil {
		return nil, protocol.Errorf(protocol.StatusEncodeFailed, "%s: the parameters have no JSON form", m.Type)
	}
	if len(frame) > protocol.MaxRequestBytes {
		return nil, protocol.Errorf(protocol.StatusOutOfBounds, "%s: a message is at most %d bytes", m.Type, protocol.MaxRequestBytes)
	}
	for {
		l, err := c.ready(ctx, m)
		if err != nil {
			return nil, err
		}
		call := &call{message: m, in: in, done: make(chan outcome, 1)}
		switch err := l.send(ctx, id, call, frame); {
		case errors.Is(err, errNotSent):
			c.detach(l) // the connection went before the frame did: wait for the next one
			continue
		case err != nil:
			return nil, ctxError(m, err)
		}
		select {
		case o := <-call.done:
			return o.result, o.err
		case <-ctx.Done():
			l.abandon(id, call)
			return nil, ctxError(m, context.Cause(ctx))
		}
	}
}

func ctxError(m *protocol.Message, err error) error { return fmt.Errorf("%s: %w", m.Type, err) }

// ready returns the connection, waiting for it if need be, unless the message
// can't be sent on it.
func (c *Client) ready(ctx context.Context, m *protocol.Message) (*link, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for waits := false; ; waits = true {
		switch {
		case c.final != nil:
			return nil, finalError(c.final)
		case c.link != nil && c.sessionErr != nil && needsLogin(m):
			return nil, c.sessionErr
		case c.link != nil:
			return c.link, nil
		case ctx.Err() != nil:
			return nil, ctxError(m, context.Cause(ctx))
		}
		if !waits {
			if c.waiting >= MaxWaiting {
				return nil, &protocol.Error{Status: protocol.StatusBusy, Temporary: true,
					Message: fmt.Sprintf("%d calls wait for the connection already", MaxWaiting)}
			}
			c.waiting++
			defer func() { c.waiting-- }()
		}
		changed := c.changed
		c.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
		}
		c.mu.Lock()
	}
}

// needsLogin reports whether a message is meant for a logged-in client.
func needsLogin(m *protocol.Message) bool {
	return m.Access == protocol.AccessUser || m.Access == protocol.AccessSubject
}

// finalError is what calls on a closed client fail with.
func finalError(err error) error {
	var own *protocol.Error
	if errors.As(err, &own) {
		return own
	}
	return protocol.Errorf(protocol.StatusUnavailable, "%v", err)
}
