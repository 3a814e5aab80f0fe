package client

import (
	"maps"
	"slices"

	"rollcall/protocol"
)

// positions are how far a subscription has come in each scope's feed.
type positions map[string]position

type position struct {
	protocol.FeedPosition

	// open says that the position is the head that the server named at enrolment,
	// and that events up to it may still follow, from a backlog. The first event
	// then counts as it is.
	open bool
}

// since returns the positions to come back with. It is never nil.
func (ps positions) since() map[string]protocol.FeedPosition {
	since := make(map[string]protocol.FeedPosition, len(ps))
	for scope, p := range ps {
		since[scope] = p.FeedPosition
	}
	return since
}

// enrol takes over what the server answered to a subscription with these
// positions, nil for one without. It returns the scopes of which events were
// lost, in order, and how many events of the others are to follow.
func (ps positions) enrol(since map[string]protocol.FeedPosition, answer *protocol.Subscription) (lost []string, follow int64) {
	gone := map[string]bool{}
	for _, scope := range answer.Lost {
		gone[scope] = true
	}
	if since != nil {
		for scope, p := range ps {
			if _, told := since[scope]; !told { // for want of room in the message
				gone[scope] = true
			}
			p.open = false
			ps[scope] = p
		}
	}
	for scope := range gone {
		delete(ps, scope)
		if head, ok := answer.Heads[scope]; ok { // what follows comes behind it
			ps[scope] = position{FeedPosition: head}
		}
	}
	for scope, head := range answer.Heads {
		p, known := ps[scope]
		switch {
		case !known:
			ps[scope] = position{FeedPosition: head, open: true}
		case !gone[scope] && (p.Epoch == head.Epoch || p.Epoch == "" && p.Seq == 0):
			follow += max(0, head.Seq-p.Seq)
		}
	}
	return slices.Sorted(maps.Keys(gone)), follow
}

// A step is what a push means to the position of its scope.
type step int

const (
	stepBehind step = iota // known already: nothing to do
	stepOn                 // the next one
	stepLost               // the next one, and events before it are lost
)

// next says what a push means, without going there.
func (ps positions) next(p *protocol.Push) step {
	at, known := ps[p.Scope]
	switch {
	case known && at.Epoch != "" && at.Epoch != p.Epoch:
		return stepLost
	case known && at.Epoch == p.Epoch && p.Seq <= at.Seq && (!at.open || p.EventID == ""):
		return stepBehind
	case p.Event == protocol.EventFeedLost:
		return stepLost
	}
	return stepOn
}

// advance goes to where a push is.
func (ps positions) advance(p *protocol.Push) {
	ps[p.Scope] = position{FeedPosition: protocol.FeedPosition{Seq: p.Seq, Epoch: p.Epoch, EventID: p.EventID}}
}
