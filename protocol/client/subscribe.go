package client

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"rollcall/protocol"
)

// SubscribeOptions say what a subscription is to. Scope and OnEvent are required.
type SubscribeOptions struct {
	Scope  string   // a scope's name, or protocol.AllScopes
	Events []string // names of events; none: all

	// Since continues an earlier subscription, from the positions that
	// [Subscription.Positions] returned. Scopes that this one is not about are
	// left out. An empty map is not nil: it begins where the server does for a
	// scope that it was told nothing of.
	Since map[string]protocol.FeedPosition
	// Last asks for so many of the newest events first, at most 1,000. It does
	// not go with Since. When the connection is lost before a scope's first event
	// came, the backlog of that scope is not asked for again.
	Last int
	// Batch lets the server put events that wait into one frame. It changes
	// nothing else.
	Batch bool

	// OnEvent gets each event once, those of a scope in the order of their seq.
	OnEvent func(protocol.Push)
	// OnResume is told, before the events that follow, each time that the
	// subscription was taken up again: after a reconnect, and at the beginning
	// where Since was given. It is also told when the server lost events of a
	// feed, with the connection in place.
	OnResume func(Resumed)
}

// Resumed tells how a subscription was taken up again.
type Resumed struct {
	// Away is for how long events could not come: from the loss of the connection
	// to the server's answer. It is 0 at the beginning, and where the connection
	// was not lost.
	Away time.Duration
	// Recovered says that every event which happened meanwhile, and which the
	// filter lets through, follows now.
	Recovered bool
	// Lost are the scopes, in order, of which events are lost for good. Whoever
	// keeps something made from events reloads it.
	Lost []string
	// Follow is how many events happened meanwhile in the scopes that lost none,
	// and follow now. It is -1 where a filter makes that unknowable.
	Follow int64
}

// A Subscription is an admin's view of the feed, kept up over losses of the
// connection. Its methods may be called from any goroutine.
type Subscription struct {
	// Static after Subscribe.
	c       *Client
	opt     SubscribeOptions
	ctx     context.Context // ends with Close and with the client
	stop    context.CancelFunc
	started chan error    // has room for one: nil when enrolled for the first time, or why not
	done    chan struct{} // closed when keep has ended

	mu  sync.Mutex // guards what follows
	on  *link      // the connection that it is on; may be lost
	id  string     // its name there
	at  positions  // written by the connection's reader alone once the subscription is enrolled
	err error
}

// ErrSubscribed says that a client has a subscription already.
var ErrSubscribed = errors.New("there is a subscription on this client already: close it, or dial another client")

// Subscribe subscribes to the feed of a scope, or of all scopes, and returns when
// the server has enrolled it. The client must be an admin's. The context bounds
// Subscribe only, not the subscription.
//
// After a loss of the connection the subscription goes on behind the last event
// that it handed out: events that happened meanwhile follow, once each and in
// order, and OnResume is told whether the server still had all of them. A server
// that can't take it up for the moment (815, 809, 807) is asked again; a refusal
// for good (such as 606, 607 or 1004) ends the subscription, see
// [Subscription.Err]. Subscribe itself makes one attempt.
//
// OnEvent and OnResume run on the connection's reader, one at a time: they must
// not wait for a call, nor for the subscription's or the client's Close. While
// OnEvent takes its time nothing is read; a server whose pushes wait too long
// closes the connection (4002), and the subscription catches up from there.
//
// A push names its scope and not its subscription, so a client has one
// subscription at most: a second one is refused with [ErrSubscribed] until the
// first has ended. For overlapping or different views dial a client each, or
// subscribe to all and choose. While there is a subscription every push of its
// scope belongs to it; don't send admin.subscribe by [Call] beside it.
func (c *Client) Subscribe(ctx context.Context, opt SubscribeOptions) (*Subscription, error) {
	s := &Subscription{
		c:       c,
		opt:     opt,
		started: make(chan error, 1),
		done:    make(chan struct{}),
		at:      positions{},
	}
	s.opt.Events = slices.Clone(opt.Events)
	for scope, p := range opt.Since {
		if s.covers(scope) {
			s.at[scope] = position{FeedPosition: p}
		}
	}
	s.ctx, s.stop = context.WithCancel(c.ctx)
	if err := c.enlist(ctx, s); err != nil {
		s.stop()
		return nil, err
	}
	go s.run()
	select {
	case err := <-s.started:
		if err != nil {
			return nil, err
		}
		return s, nil
	case <-ctx.Done():
		s.stop()
		return nil, ctxError(protocol.AdminSubscribe.Message, context.Cause(ctx))
	}
}

// enlist makes s the client's subscription. It waits for one that is ending.
func (c *Client) enlist(ctx context.Context, s *Subscription) error {
	for {
		c.mu.Lock()
		other := c.sub
		if c.final != nil {
			defer c.mu.Unlock()
			return finalError(c.final)
		}
		if other == nil {
			defer c.mu.Unlock()
			c.sub = s
			c.keeper.Add(1) // before c.final is set, so before Close waits
			return nil
		}
		c.mu.Unlock()
		if other.ctx.Err() == nil {
			return ErrSubscribed
		}
		select {
		case <-other.done:
		case <-ctx.Done():
			return ctxError(protocol.AdminSubscribe.Message, context.Cause(ctx))
		}
	}
}

// Close ends the subscription: the server is told, unless the connection is lost,
// and no event is handed out any more. It waits for the server's answer at most
// five seconds.
func (s *Subscription) Close() error {
	s.stop()
	<-s.done
	return nil
}

// Done is closed when the subscription has ended.
func (s *Subscription) Done() <-chan struct{} { return s.done }

// Err returns why the subscription has ended: a *protocol.Error when the server
// refused to take it up again, what [Client.Err] returns when the client is
// closed. It is nil after Close, and while the subscription goes on.
func (s *Subscription) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// Positions returns how far the subscription has come in each scope, to be given
// as Since later. An event counts once OnEvent has returned from it.
func (s *Subscription) Positions() map[string]protocol.FeedPosition {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.at.since()
}

func (s *Subscription) covers(scope string) bool {
	return scope != "" && (s.opt.Scope == protocol.AllScopes || s.opt.Scope == scope)
}

func (s *Subscription) tell(r Resumed) {
	if s.opt.OnResume != nil && s.ctx.Err() == nil {
		s.opt.OnResume(r)
	}
}

// push hands a push to whom it belongs to. It runs on the connection's reader.
func (c *Client) push(p protocol.Push) {
	c.mu.Lock()
	s := c.sub
	c.mu.Unlock()
	if s != nil && s.covers(p.Scope) && s.isEnrolled() {
		s.push(p)
	} else if c.opt.OnPush != nil {
		c.opt.OnPush(p)
	}
}

// isEnrolled reports whether the server has answered on the present connection:
// what is pushed before that belongs to somebody else.
func (s *Subscription) isEnrolled() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.on == nil {
		return false
	}
	select {
	case <-s.on.dead:
		return false
	default:
		return true
	}
}

// push goes on by one push of the feed. Only the reader changes positions, so
// nothing can come between the parts of it.
func (s *Subscription) push(p protocol.Push) {
	if s.ctx.Err() != nil {
		return // not wanted any more
	}
	s.mu.Lock()
	what := s.at.next(&p)
	s.mu.Unlock()
	if what == stepBehind {
		return
	}
	if what == stepLost {
		s.tell(Resumed{Lost: []string{p.Scope}})
	}
	if p.Event != protocol.EventFeedHead && p.Event != protocol.EventFeedLost && s.opt.OnEvent != nil {
		s.opt.OnEvent(p)
	}
	s.mu.Lock()
	s.at.advance(&p)
	s.mu.Unlock()
}
