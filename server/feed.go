package server

import (
	"context"
	"strconv"
	"sync"

	"rollcall/protocol"
	"rollcall/sessions"
)

func (s *Server) feedRoutes() {
	handleThen(s, protocol.AdminSubscribe, s.adminSubscribe)
	handle(s, protocol.AdminUnsubscribe, s.adminUnsubscribe)
}

// maxSubscriptions is how many subscriptions one connection may have.
const maxSubscriptions = 16

var errManySubscriptions = &protocol.Error{
	Status: protocol.StatusTooManyRequests, Message: "too many subscriptions on this connection: at most " + strconv.Itoa(maxSubscriptions),
}

// subscriptions are those of one connection. The zero value is ready.
type subscriptions struct {
	mu    sync.Mutex
	last  int
	all   map[string]*sessions.Subscription
	ended bool
}

// add keeps a subscription and returns its name, "" when the connection is gone
// or has too many.
func (ss *subscriptions) add(sub *sessions.Subscription) string {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	if ss.ended || len(ss.all) >= maxSubscriptions {
		return ""
	}
	if ss.all == nil {
		ss.all = map[string]*sessions.Subscription{}
	}
	ss.last++
	name := "s" + strconv.Itoa(ss.last)
	ss.all[name] = sub
	return name
}

func (ss *subscriptions) remove(name string) *sessions.Subscription {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	sub := ss.all[name]
	delete(ss.all, name)
	return sub
}

func (ss *subscriptions) count() int {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	return len(ss.all)
}

// end closes all subscriptions, and those to come.
func (ss *subscriptions) end() {
	ss.mu.Lock()
	all := ss.all
	ss.all, ss.ended = nil, true
	ss.mu.Unlock()
	for _, sub := range all {
		sub.Close()
	}
}

// adminSubscribe enrols the connection; what it is to get follows the reply.
func (s *Server) adminSubscribe(ctx context.Context, c *conn, in *protocol.SubscribeParams) (protocol.Subscription, func(), error) {
	if c.feeds.count() >= maxSubscriptions {
		return protocol.Subscription{}, nil, errManySubscriptions
	}
	scopes, err := s.scopesFor(ctx, c, in.Scope)
	if err != nil {
		return protocol.Subscription{}, nil, err
	}
	sub, answer, err := s.feed.Subscribe(ctx, sessions.SubscribeRequest{
		SubscribeParams: *in, Scopes: scopes, Covers: c.admin.covers, Sink: c,
	})
	if err != nil {
		return protocol.Subscription{}, nil, err
	}
	answer.Subscription = c.feeds.add(sub)
	if answer.Subscription == "" {
		sub.Close()
		return protocol.Subscription{}, nil, errManySubscriptions
	}
	if in.Scope == protocol.AllScopes {
		s.newScopes.changed("") // one may have come since they were read
	}
	return answer, sub.Start, nil
}

// scopesFor returns the scopes that an admin means: the one that is named, or all
// that the account covers. What concerns no scope stands in a feed of its own,
// for those who may see all.
func (s *Server) scopesFor(ctx context.Context, c *conn, name string) ([]string, error) {
	if name != protocol.AllScopes {
		if _, err := s.scopeForAdmin(ctx, c, name); err != nil {
			return nil, err
		}
		return []string{name}, nil
	}
	all, err := s.store.Scopes(ctx)
	if err != nil {
		return nil, err
	}
	var scopes []string
	if c.admin.coversAll() {
		scopes = append(scopes, protocol.AllScopes)
	}
	for _, scope := range all {
		if c.admin.covers(scope.Name) {
			scopes = append(scopes, scope.Name)
		}
	}
	return scopes, nil
}

func (s *Server) adminUnsubscribe(_ context.Context, c *conn, in *protocol.UnsubscribeParams) (bool, error) {
	sub := c.feeds.remove(in.Subscription)
	if sub == nil {
		return false, protocol.Errorf(protocol.StatusOutOfBounds, "subscription: there is none of that name on this connection")
	}
	sub.Close()
	return true, nil
}

// scopeChanged is told of every change of a scope, "" for any.
func (s *Server) scopeChanged(name string) {
	s.scopes.changed(name)
	s.webhooks.changed(name)
	s.newScopes.changed(name)
}

// appeared enrols subscribers of all scopes in one that may be new, or in all
// that are, for "".
func (s *Server) appeared(ctx context.Context, name string) error {
	if s.feed.Subscribers() == 0 {
		return nil
	}
	scopes, err := s.store.Scopes(ctx)
	if err != nil {
		return err
	}
	for _, scope := range scopes {
		if name == "" || scope.Name == name {
			if err := s.feed.Appeared(ctx, scope.Name); err != nil {
				return err
			}
		}
	}
	return nil
}
