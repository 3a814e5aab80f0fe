package server

import (
	"context"
	"runtime/debug"
	"time"

	"github.com/google/uuid"

	"rollcall/protocol"
	"rollcall/sessions"
)

// A route is one message type with its handler. The parameters are decoded by
// the connection's reader, the handler runs in the connection's order.
type route struct {
	message *protocol.Message
	stats   *routeStats
	decode  func(data []byte) (in any, subject uuid.UUID, err error)
	handle  func(ctx context.Context, c *conn, in any) (result any, then func(), err error) // result is a pointer
}

// handle enters a typed handler for a message of the protocol's tables.
func handle[In, Out any](s *Server, m protocol.Method[In, Out], h func(ctx context.Context, c *conn, in *In) (Out, error)) {
	handleThen(s, m, func(ctx context.Context, c *conn, in *In) (Out, func(), error) {
		out, err := h(ctx, c, in)
		return out, nil, err
	})
}

// handleThen is handle for a handler that has something to do, or nil, once its
// reply is queued.
func handleThen[In, Out any](s *Server, m protocol.Method[In, Out], h func(ctx context.Context, c *conn, in *In) (Out, func(), error)) {
	s.routes[m.Type] = &route{
		message: m.Message,
		stats:   s.metrics.route(m.Type),
		decode: func(data []byte) (any, uuid.UUID, error) {
			in, err := m.Decode(data)
			if err != nil {
				return nil, uuid.Nil, err
			}
			if named, ok := any(in).(protocol.Subject); ok {
				return in, named.Subject(), nil
			}
			return in, uuid.Nil, nil
		},
		handle: func(ctx context.Context, c *conn, in any) (any, func(), error) {
			out, then, err := h(ctx, c, in.(*In))
			return &out, then, err
		},
	}
}

// A request is one message on its way through the server.
type request struct {
	turn
	conn      *conn
	route     *route
	id        [24]byte // of the reply, where it fits
	reply     protocol.Request
	in        any
	badParams error
	started   time.Time
}

// route enters one request and returns it as work if its turn has come. The frame
// that req points into may be used again then.
func (s *Server) route(c *conn, req protocol.Request) work {
	r := s.routes[req.Type]
	switch {
	case r == nil:
		s.refuse(c, r, req, &protocol.Error{Status: protocol.StatusUnknownType})
		return nil
	case c.draining.Load():
		s.refuse(c, r, req, errStopping)
		return nil
	case int(c.inFlight.Add(1)) > s.cfg.MaxInFlight:
		c.inFlight.Add(-1)
		s.refuse(c, r, req, &protocol.Error{
			Status: protocol.StatusTooManyRequests, Temporary: true, RetryAfter: 100 * time.Millisecond,
			Message: "too many requests in flight on this connection",
		})
		return nil
	}
	w := &request{conn: c, route: r, started: time.Now()}
	w.reply = protocol.Request{ID: append(w.id[:0], req.ID...), Type: r.message.Type}
	w.in, w.subject, w.badParams = r.decode(req.Data)
	w.kind, w.work = r.message.Order, w
	if !c.order.add(&w.turn) {
		return nil
	}
	return w
}

// refuse answers a request that is not begun.
func (s *Server) refuse(c *conn, r *route, req protocol.Request, e *protocol.Error) {
	c.replyError(req, e, nil)
	s.metrics.request(r, e.Status, 0)
}

// run implements work.
func (w *request) run() {
	c, s := w.conn, w.conn.srv
	status := protocol.Status(0)
	result, then, err := s.call(w)
	if err != nil {
		e := s.wireError(w.reply.Type, err)
		status = e.Status
		c.replyError(w.reply, e, c)
		c.countFailure(w.route.message, status)
	} else {
		c.reply(w.reply, result)
		if then != nil {
			then()
		}
	}
	c.order.finish(&w.turn)
	s.metrics.request(w.route, status, time.Since(w.started))
}

// A panic in a handler is a mistake of ours. It costs the one request that met
// it, not every connection of the node.
func (w *request) recovered(err *error) {
	if p := recover(); p != nil {
		w.conn.srv.log.Error("handler panicked", "type", w.reply.Type, "panic", p, "stack", string(debug.Stack()))
		*err = &protocol.Error{Status: protocol.StatusGeneral}
	}
}

// call holds a request against the connection's phase, its parameters' rules and
// its permission, in that order, and runs its handler.
func (s *Server) call(w *request) (result any, then func(), err error) {
	defer w.recovered(&err)
	m := w.route.message
	if first := m.Access == protocol.AccessFirst; first != (w.conn.phase == phaseNew) {
		return nil, nil, &protocol.Error{Status: protocol.StatusOutOfOrder}
	}
	if w.badParams != nil {
		return nil, nil, w.badParams
	}
	if err := s.permit(w.conn, m, w.subject); err != nil {
		return nil, nil, err
	}
	ctx := s.deadlines.context()
	if w.conn.phase != phaseAdmin {
		return w.route.handle(ctx, w.conn, w.in)
	}
	admin := w.conn.admin.session
	within, done := admin.Context(ctx)
	defer done()
	if m.Changes {
		result, then, err = s.audited(ctx, within, w)
	} else {
		result, then, err = w.route.handle(within, w.conn, w.in)
	}
	if err != nil && admin.Ended() { // whatever it looks like from below
		err = sessions.ErrSessionInvalid
	}
	return result, then, err
}

// permit is the one place where a request is allowed or not. Handlers add only
// what depends on what they read: that a user is of the caller's scope, and that
// an admin's account covers a scope.
func (s *Server) permit(c *conn, m *protocol.Message, subject uuid.UUID) error {
	switch m.Access {
	case protocol.AccessFirst, protocol.AccessAny:
		return nil
	case protocol.AccessViewer, protocol.AccessOperator, protocol.AccessOwner:
		switch {
		case c.phase != phaseAdmin:
			return errNotPermitted
		case time.Now().After(c.admin.until), c.admin.session.Ended():
			return sessions.ErrSessionInvalid
		case !c.admin.may(m.Access):
			return errNotPermitted
		}
		return nil
	}
	if c.phase != phaseClient {
		return errNotPermitted
	}
	scope := c.scope.load()
	if scope == nil {
		return &protocol.Error{Status: protocol.StatusScopeNotFound}
	}
	switch scope.Permissions[m.Type] {
	case protocol.PermitOff:
		return errSwitchedOff
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
	return errNotPermitted
}

var (
	errStopping     = &protocol.Error{Status: protocol.StatusUnavailable, Message: "the server is being stopped", Temporary: true}
	errNotPermitted = &protocol.Error{Status: protocol.StatusNotPermitted}
	errSwitchedOff  = &protocol.Error{Status: protocol.StatusNotPermitted, Message: "not permitted: this scope has switched the method off"}
)
