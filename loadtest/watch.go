package loadtest

import (
	"bytes"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/go-json-experiment/json"

	"rollcall/protocol"
)

// Watch: admins who are subscribed to the logins of the run's scope, from before
// the first one.

// A watcher is one of them. It comes back where it was when it was lost.
type watcher struct {
	w         *worker
	sightings *sightings
}

// feedEvent is what a watcher reads of a push.
type feedEvent struct {
	Event   string `json:"event"`
	Seq     int64  `json:"seq"`
	Epoch   string `json:"epoch"`
	EventID string `json:"event_id"`
	Data    struct {
		Username string `json:"username"`
	} `json:"data"`
}

// watch subscribes the worker's admins and returns when all are.
func (w *worker) watch() error {
	var subscribing sync.WaitGroup
	failures := make(chan error, w.Counts[Watch])
	for range w.Counts[Watch] {
		a := &watcher{w: w, sightings: newSightings(w.Seed, w.Players.Total, w.share.Passwords.Total)}
		w.mu.Lock()
		w.watchers = append(w.watchers, a)
		w.mu.Unlock()
		subscribing.Go(func() {
			c, err := a.subscribe(false)
			if err != nil {
				failures <- err
				return
			}
			w.tasks.Go(func() { a.follow(c) })
		})
	}
	subscribing.Wait()
	select {
	case err := <-failures:
		return fmt.Errorf("subscribing an admin to scope %q: %w", w.Scope, err)
	default:
		return nil
	}
}

// admins are the worker's watchers so far.
func (w *worker) admins() []*watcher {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.watchers)
}

// subscribe opens an admin's connection, from the first event on that it has not
// seen.
func (a *watcher) subscribe(again bool) (*conn, error) {
	w := a.w
	c, err := w.dial(w.ctx, int(w.dialed.Add(1)))
	if err != nil {
		return nil, err
	}
	_, err = c.call(pending{op: opAdminLogin}, jsonData(protocol.AdminLoginParams{Token: w.Admin}), nil)
	if err != nil {
		c.lose(errLost)
		return nil, err
	}
	params := protocol.SubscribeParams{Scope: w.Scope, Events: []string{protocol.EventUserLogin, protocol.EventUserResumed}, Batch: true}
	if since := a.sightings.since(); again && since.Epoch != "" {
		params.Since = map[string]protocol.FeedPosition{w.Scope: since}
	}
	r, err := c.call(pending{op: opSubscribe}, jsonData(params), a.pushed)
	var subscription protocol.Subscription
	if err == nil {
		err = json.Unmarshal(r.result, &subscription)
	}
	if err != nil {
		c.lose(errLost)
		return nil, err
	}
	a.sightings.subscribed(subscription.Heads[w.Scope], again)
	return c, nil
}

// follow reads what is pushed until the worker ends.
func (a *watcher) follow(c *conn) {
	w := a.w
	for attempt := 0; ; {
		if c != nil {
			err := c.read(a.pushed)
			if w.ctx.Err() != nil {
				return
			}
			w.note(err)
			w.meter.failed(opConnect, w.clock.now(), closeName(err))
			attempt = 0
		}
		if !w.sleep(w.clock.now().add(min(backoff(attempt), time.Second))) { // sooner than a player: it checks
			return
		}
		attempt++
		var err error
		if c, err = a.subscribe(true); err != nil {
			w.note(err)
			c = nil
		}
	}
}

// pushed reads a push, or several.
func (a *watcher) pushed(text []byte) {
	now := a.w.clock.now()
	if !bytes.HasPrefix(text, []byte("[")) {
		var e feedEvent
		if err := json.Unmarshal(text, &e); err != nil {
			a.w.note(err)
			return
		}
		a.see(e, now)
		return
	}
	var events []feedEvent
	if err := json.Unmarshal(text, &events); err != nil {
		a.w.note(err)
		return
	}
	for _, e := range events {
		a.see(e, now)
	}
}

// see notes an event, and how long it came after the player's own answer where
// the player is in this worker too.
func (a *watcher) see(e feedEvent, now moment) {
	s, ok := a.sightings.see(e)
	if !ok {
		return
	}
	w := a.w
	var of *account
	if n := s.index - w.Players.First; s.index < w.Players.Total {
		if n >= 0 && n < len(w.accounts) {
			of = &w.accounts[n]
		}
	} else if n := s.index - w.Players.Total - w.share.Passwords.First; n >= 0 && n < len(w.passwords) {
		of = &w.passwords[n]
	}
	if of == nil || of.unknown.Load() > 0 { // then it is not known which answer the push belongs to
		return
	}
	switch acked := of.acked.Load(); {
	case acked < s.nth: // the push overtook the answer
		w.meter.done(opPush, now, now)
	case acked == s.nth:
		at := moment(of.ackedAt.Load())
		w.meter.done(opPush, at, max(at, now))
	}
}
