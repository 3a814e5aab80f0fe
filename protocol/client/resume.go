package client

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"rollcall/protocol"
)

// How a subscription is taken up on one connection after the other.

// unsubscribeWait bounds how long the end of a subscription waits for the
// server's answer before the connection is given up in its place.
const unsubscribeWait = 5 * time.Second

// run is the goroutine that keeps the subscription up.
func (s *Subscription) run() {
	defer s.c.keeper.Done()
	defer s.stop()
	err := s.keep()
	s.c.mu.Lock()
	s.c.sub = nil
	s.c.mu.Unlock()
	s.mu.Lock()
	s.err = err
	s.mu.Unlock()
	close(s.done)
	select {
	case s.started <- err:
	default: // it was enrolled, and Subscribe told so
	}
}

// keep enrols the subscription on one connection after the other. It returns why
// there will be no further one, or nil after Close.
func (s *Subscription) keep() error {
	var lostAt time.Time // zero until it was enrolled once
	for attempt := 0; ; {
		l, err := s.enrol(lostAt)
		if err == nil {
			if attempt = 0; lostAt.IsZero() {
				s.started <- nil
			}
			select {
			case <-l.dead:
				lostAt = time.Now()
			case <-s.ctx.Done():
				s.unsubscribe(l)
			}
		}
		if s.ctx.Err() != nil {
			if s.c.ctx.Err() == nil {
				return nil
			}
			<-s.c.done
			return s.c.Err()
		}
		if err == nil {
			continue
		}
		final, after := verdict(err)
		if final || lostAt.IsZero() {
			return err
		}
		attempt++
		s.c.opt.Logger.Warn("subscription can't be taken up yet", "attempt", attempt, "error", err)
		_ = s.c.opt.Backoff.Sleep(s.ctx, after+s.c.opt.Backoff.pause(attempt)) // an error is the context's, seen by enrol
	}
}

// enrol makes one attempt, on the present connection or the next one.
func (s *Subscription) enrol(lostAt time.Time) (*link, error) {
	id := s.c.nextID.Add(1)
	in, frame, err := s.request(id, !lostAt.IsZero())
	if err != nil {
		return nil, err
	}
	for {
		l, err := s.c.ready(s.ctx, protocol.AdminSubscribe.Message)
		if err != nil {
			return nil, err
		}
		call := &call{message: protocol.AdminSubscribe.Message, in: in, done: make(chan outcome, 1)}
		call.onResult = func(result jsontext.Value) { s.enrolled(l, in.Since, result, lostAt) }
		err = l.send(s.ctx, id, call, frame)
		if errors.Is(err, errNotSent) {
			s.c.detach(l)
			continue
		}
		if err != nil {
			return nil, err
		}
		return l, s.await(l, call)
	}
}

// await waits for the answer. A connection on which there may be a subscription
// that nobody wants any more is given up.
func (s *Subscription) await(l *link, call *call) error {
	var o outcome
	select {
	case o = <-call.done:
	case <-s.ctx.Done():
		t := time.NewTimer(unsubscribeWait)
		defer t.Stop()
		select {
		case o = <-call.done:
		case <-t.C:
			l.cancel()
			return s.ctx.Err()
		}
	}
	if o.err != nil {
		return o.err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.on != l {
		return protocol.Errorf(protocol.StatusResultInvalid, "%s: the result is not of the documented form", call.message.Type)
	}
	return nil
}

// request returns the message that enrols the subscription. Positions that are
// too many for one message lose their events' ids, and then the last of them
// their place: of those scopes what happened meanwhile counts as lost.
func (s *Subscription) request(id int64, again bool) (protocol.SubscribeParams, []byte, error) {
	in := protocol.SubscribeParams{Scope: s.opt.Scope, Events: s.opt.Events, Batch: s.opt.Batch}
	if again || s.opt.Since != nil {
		in.Since = s.Positions()
	} else {
		in.Last = s.opt.Last
	}
	encode := func() ([]byte, error) {
		return protocol.AppendRequest(nil, id, protocol.AdminSubscribe.Type, in)
	}
	frame, err := encode()
	if err == nil && len(frame) > protocol.MaxRequestBytes {
		for scope, p := range in.Since {
			in.Since[scope] = protocol.FeedPosition{Seq: p.Seq, Epoch: p.Epoch}
		}
		frame, err = encode()
	}
	scopes := slices.Sorted(maps.Keys(in.Since))
	for err == nil && len(frame) > protocol.MaxRequestBytes && len(scopes) > 0 {
		delete(in.Since, scopes[len(scopes)-1])
		scopes = scopes[:len(scopes)-1]
		if len(scopes)%16 == 0 {
			frame, err = encode()
		}
	}
	switch {
	case err != nil:
		return in, nil, protocol.Errorf(protocol.StatusEncodeFailed, "%s: the parameters have no JSON form", protocol.AdminSubscribe.Type)
	case len(frame) > protocol.MaxRequestBytes:
		return in, nil, protocol.Errorf(protocol.StatusOutOfBounds, "%s: a message is at most %d bytes", protocol.AdminSubscribe.Type, protocol.MaxRequestBytes)
	}
	return in, frame, nil
}

// enrolled takes over the server's answer. It runs on the reader of l, so that
// no push which follows the answer finds the subscription unprepared.
func (s *Subscription) enrolled(l *link, since map[string]protocol.FeedPosition, result jsontext.Value, lostAt time.Time) {
	var answer protocol.Subscription
	if protocol.DecodeResult(result, &answer) != nil {
		return // await tells
	}
	var r Resumed
	s.mu.Lock()
	s.on, s.id = l, answer.Subscription
	r.Lost, r.Follow = s.at.enrol(since, &answer)
	s.mu.Unlock()

	r.Recovered = answer.Recovered && len(r.Lost) == 0
	if len(s.opt.Events) > 0 {
		r.Follow = -1
	}
	if !lostAt.IsZero() {
		r.Away = time.Since(lostAt)
	}
	if since != nil {
		s.tell(r)
	}
}

// unsubscribe ends the subscription on a connection, or else the connection.
func (s *Subscription) unsubscribe(l *link) {
	ctx, cancel := context.WithTimeout(s.c.ctx, unsubscribeWait)
	defer cancel()
	s.mu.Lock()
	in := protocol.UnsubscribeParams{Subscription: s.id}
	s.mu.Unlock()
	id := s.c.nextID.Add(1)
	frame, err := protocol.AppendRequest(nil, id, protocol.AdminUnsubscribe.Type, in)
	if err == nil {
		call := &call{message: protocol.AdminUnsubscribe.Message, in: in, done: make(chan outcome, 1)}
		if err = l.send(ctx, id, call, frame); err == nil {
			select {
			case o := <-call.done:
				err = o.err
			case <-ctx.Done():
				err = ctx.Err()
			}
		}
	}
	if err != nil && s.c.ctx.Err() == nil { // a client that closes does so in good form
		l.cancel()
	}
}
