package server

import (
	"context"
	"time"

	"github.com/google/uuid"

	"rollcall/protocol"
)

// A route is one message type with its handler. The parameters are decoded by
// the connection's reader, the handler runs in the connection's order.
type route struct {
	message *protocol.Message
	stats   *routeStats
	prepare func(data []byte) (call func(ctx context.Context, c *conn) (any, error), subject uuid.UUID, err error)
}

// handle enters a typed handler for a message of the protocol's tables.
func handle[In, Out any](s *Server, m protocol.Method[In, Out], h func(ctx context.Context, c *conn, in *In) (Out, error)) {
	s.routes[m.Type] = &route{
		message: m.Message,
		stats:   s.metrics.route(m.Type),
		prepare: func(data []byte) (func(context.Context, *conn) (any, error), uuid.UUID, error) {
			in, err := m.Decode(data)
			if err != nil {
				return nil, uuid.Nil, err
			}
			var subject uuid.UUID
			if named, ok := any(in).(protocol.Subject); ok {
				subject = named.Subject()
			}
			return func(ctx context.Context, c *conn) (any, error) { return h(ctx, c, in) }, subject, nil
		},
	}
}

// route starts the work on one request. It returns at once; the frame that req
// points into may be used again then.
func (s *Server) route(c *conn, req protocol.Request) {
	r := s.routes[req.Type]
	refuse := func(e *protocol.Error) {
		c.replyError(req, e)
		s.metrics.request(r, e.Status, 0)
	}
	if r == nil {
		refuse(&protocol.Error{Status: protocol.StatusUnknownType})
		return
	}
	if c.draining.Load() {
		refuse(&protocol.Error{Status: protocol.StatusUnavailable, Message: "the server is being stopped", Temporary: true})
		return
	}
	if int(c.inFlight.Add(1)) > s.cfg.MaxInFlight {
		c.inFlight.Add(-1)
		refuse(&protocol.Error{
			Status: protocol.StatusTooManyRequests, Temporary: true, RetryAfter: 100 * time.Millisecond,
			Message: "too many requests in flight on this connection",
		})
		return
	}
	call, subject, err := r.prepare(req.Data)
	req = protocol.Request{ID: append([]byte(nil), req.ID...), Type: r.message.Type}
	t := &task{kind: r.message.Order, subject: subject}
	start := time.Now()
	t.run = func() {
		status := protocol.Status(0)
		result, err := s.call(c, r, subject, call, err)
		if err != nil {
			e := s.wireError(req.Type, err)
			status = e.Status
			c.replyError(req, e)
			c.inFlight.Add(-1)
		} else {
			c.reply(req, result, func() { c.inFlight.Add(-1) })
		}
		c.order.finish(t)
		s.metrics.request(r, status, time.Since(start))
	}
	c.order.add(t)
}

// call holds a request against the connection's phase, its parameters' rules
// (badParams) and its permission, in that order, and runs its handler.
func (s *Server) call(c *conn, r *route, subject uuid.UUID, call func(context.Context, *conn) (any, error), badParams error) (any, error) {
	if first := r.message.Access == protocol.AccessFirst; first != (c.phase == phaseNew) {
		return nil, &protocol.Error{Status: protocol.StatusOutOfOrder}
	}
	if badParams != nil {
		return nil, badParams
	}
	if err := s.permit(c, r.message, subject); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(s.ctx, s.cfg.RequestTimeout)
	defer cancel()
	return call(ctx, c)
}

// permit is the one place where a request is allowed or not. Handlers add only
// what depends on what they read: that a user is of the caller's scope, and that
// an admin's account covers a scope.
func (s *Server) permit(c *conn, m *protocol.Message, subject uuid.UUID) error {
	refused := &protocol.Error{Status: protocol.StatusNotPermitted}
	switch m.Access {
	case protocol.AccessFirst, protocol.AccessAny:
		return nil
	case protocol.AccessViewer, protocol.AccessOperator, protocol.AccessOwner:
		if c.phase != phaseAdmin || !c.admin.may(m.Access) {
			return refused
		}
		return nil
	}
	if c.phase != phaseClient {
		return refused
	}
	scope := c.scope.load()
	if scope == nil {
		return &protocol.Error{Status: protocol.StatusScopeNotFound}
	}
	switch scope.Permissions[m.Type] {
	case protocol.PermitOff:
		return &protocol.Error{Status: protocol.StatusNotPermitted, Message: "not permitted: this scope has switched the method off"}
	case protocol.PermitAny:
		return nil
	}
	switch m.Access {
	case protocol.AccessKey:
		return nil
	case protocol.AccessUser:
		if user, _ := c.client.Identity(); user != uuid.Nil {
			return nil
		}
	case protocol.AccessSubject:
		if c.client.Owns(subject) {
			return nil
		}
	}
	return refused
}
