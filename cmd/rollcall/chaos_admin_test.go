package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"rollcall/protocol"
)

// How long the restless admin stays each time.
const leastRest, mostRest = 200 * time.Millisecond, 500 * time.Millisecond

// A chaosAdmin is a subscribed admin that keeps a record. It comes back with since
// whenever its connection ends, on the next node.
type chaosAdmin struct {
	run      *chaosRun
	name     string
	node     int
	restless bool // goes and comes back all the time
	batch    bool
	token    string

	mu       sync.Mutex // guards what follows
	record   chaosRecord
	here     *protocol.FeedPosition // behind the last of the record; nil before the first subscription
	connects int
	replies  int               // to admin.subscribe
	early    int               // pushes that came before the reply to admin.subscribe
	endings  map[string]int    // why connections ended
	names    map[string]string // usernames by user_id, as the events have them
}

func newChaosAdmin(r *chaosRun, number int) *chaosAdmin {
	return &chaosAdmin{
		run: r, name: fmt.Sprintf("admin %d", number), node: number % len(r.nodes),
		restless: number == 0, batch: number%2 == 1,
		record:  chaosRecord{admin: fmt.Sprintf("admin %d", number)},
		endings: map[string]int{}, names: map[string]string{},
	}
}

// watch keeps the record until ctx ends.
func (a *chaosAdmin) watch(ctx context.Context) {
	for ctx.Err() == nil {
		node := a.run.nodes[a.node]
		err := a.connect(ctx, node)
		a.mu.Lock()
		if ctx.Err() == nil && err != nil {
			a.endings[shorten(err)]++
		}
		a.mu.Unlock()
		a.node = (a.node + 1) % len(a.run.nodes)
		if err != nil {
			chaosPause(ctx, 50*time.Millisecond, 150*time.Millisecond)
		}
	}
}

// connect is one connection of the admin, to its end. The error is nil when that
// was the admin's own will.
func (a *chaosAdmin) connect(ctx context.Context, node *chaosNode) error {
	w, err := openWire(ctx, node.address)
	if err != nil {
		return fmt.Errorf("dial: %w", err)
	}
	defer w.drop()
	if err := a.enter(ctx, w); err != nil {
		return fmt.Errorf("admin.login: %w", err)
	}
	rest := ctx
	if a.restless {
		var cancel context.CancelFunc
		rest, cancel = context.WithTimeout(ctx, leastRest+rand.N(mostRest-leastRest))
		defer cancel()
	}
	if err := a.subscribe(ctx, w); err != nil {
		return fmt.Errorf("admin.subscribe: %w", err)
	}
	for {
		f, err := w.read(rest)
		if rest.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		a.mu.Lock()
		for _, push := range f.Pushes {
			a.take(push)
		}
		a.mu.Unlock()
	}
}

// enter logs in, by the token of the first time as long as that holds.
func (a *chaosAdmin) enter(ctx context.Context, w *chaosWire) error {
	in := protocol.AdminLoginParams{Token: a.token}
	if a.token == "" {
		in = protocol.AdminLoginParams{Name: "admin", Password: secretPassword}
	}
	var session protocol.AdminSession
	err := w.call(ctx, "admin.login", in, &session)
	if err != nil && statusOf(err) == protocol.StatusSessionInvalid {
		a.token = ""
	}
	if err == nil {
		a.token = session.Token
	}
	return err
}

func (a *chaosAdmin) subscribe(ctx context.Context, w *chaosWire) error {
	in := protocol.SubscribeParams{Scope: chaosScope, Batch: a.batch}
	a.mu.Lock()
	if a.here != nil {
		in.Since = map[string]protocol.FeedPosition{chaosScope: *a.here}
	}
	a.connects++
	a.mu.Unlock()
	var sub protocol.Subscription
	if err := w.call(ctx, "admin.subscribe", in, &sub); err != nil {
		return err
	}
	head, ok := sub.Heads[chaosScope]
	if !ok || head.Epoch == "" {
		a.run.fault("%s: admin.subscribe names no head of the scope: %+v", a.name, sub)
		return fmt.Errorf("no head")
	}
	if sub.Recovered == slices.Contains(sub.Lost, chaosScope) {
		a.run.fault("%s: recovered %v and lost %q contradict each other", a.name, sub.Recovered, sub.Lost)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.replies++
	a.add(chaosEntry{kind: entrySubscribed, pos: head, recovered: sub.Recovered})
	if a.here == nil || !sub.Recovered {
		a.here = &head
	}
	a.early += len(w.pushes)
	for _, push := range w.pushes {
		a.take(push)
	}
	w.pushes = nil
	return nil
}

// take enters a push into the record. a.mu is held.
func (a *chaosAdmin) take(push protocol.Push) {
	pos := protocol.FeedPosition{Seq: push.Seq, Epoch: push.Epoch, EventID: push.EventID}
	if push.Scope != chaosScope {
		a.run.fault("%s: %s of scope %q", a.name, push.Event, push.Scope)
		return
	}
	switch push.Event {
	case protocol.EventFeedHead:
		return
	case protocol.EventFeedLost:
		a.add(chaosEntry{kind: entryLost, pos: pos})
	default:
		var data protocol.EventData
		if err := protocol.DecodeResult(push.Data, &data); err != nil {
			a.run.fault("%s: the data of %s at %s: %v: %s", a.name, push.Event, posText(pos), err, push.Data)
		}
		if !protocol.IsEvent(push.Event) {
			a.run.fault("%s: %q at %s is no event", a.name, push.Event, posText(pos))
		}
		e := chaosEntry{kind: entryEvent, pos: pos, event: push.Event, userID: data.UserID.String(), player: data.Username, reason: data.Reason, time: push.Time.Time}
		if data.Username != "" {
			a.names[e.userID] = data.Username
		}
		a.add(e)
	}
	a.here = &pos
}

func (a *chaosAdmin) add(e chaosEntry) {
	e.at = time.Since(a.run.began)
	a.record.entries = append(a.record.entries, e)
}

// position is behind the last event of the record.
func (a *chaosAdmin) position() protocol.FeedPosition {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.here == nil {
		return protocol.FeedPosition{}
	}
	return *a.here
}

// shorten cuts an error's text so that equal causes count together.
func shorten(err error) string {
	text := err.Error()
	if i := len(text) - 60; i > 0 {
		text = "…" + text[i:]
	}
	return text
}
