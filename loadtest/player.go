package loadtest

import (
	"errors"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/google/uuid"

	"rollcall/protocol"
)

// A player is one simulated client: it connects, logs in the first time and
// resumes after that, and comes back when it was lost.
type player struct {
	w        *worker
	scenario Scenario
	account  *account             // nil: it only shows the key
	conn     atomic.Pointer[conn] // while it is there
	cut      atomic.Int64         // the moment at which a storm cut it; 0: it did not
	leaving  atomic.Bool          // it goes by its own will
	entered  bool                 // once at least; owned by who enters
}

// enter connects until it succeeds or the worker ends. intended is when the first
// attempt should begin.
func (p *player) enter(op operation, intended moment) {
	w := p.w
	for attempt := 0; ; attempt++ {
		if err := p.attempt(op, intended); err == nil {
			if !p.entered {
				p.entered = true
				w.entered.Add(1)
			}
			return
		} else {
			w.note(err)
		}
		again := w.clock.now().add(backoff(attempt))
		if !w.sleep(again) {
			return
		}
		if op != opStorm { // a storm's latency counts from the cut, whatever came between
			intended = again
		}
	}
}

// attempt connects once, and counts it.
func (p *player) attempt(op operation, intended moment) error {
	w := p.w
	select {
	case w.dials <- struct{}{}:
		defer func() { <-w.dials }()
	case <-w.ctx.Done():
		return w.ctx.Err()
	}
	var session string
	var resuming *account
	if p.account != nil && p.account.session != "" {
		session, resuming = p.account.session, p.account
	}
	switch {
	case resuming == nil:
		op = opConnect
	case op == opConnect:
		op = opResume
	}
	c, err := w.dial(w.ctx, int(w.dialed.Add(1)))
	if err != nil {
		if w.ctx.Err() == nil {
			w.meter.failed(op, intended, dialErrorName(err))
		}
		return err
	}
	r, err := c.call(pending{op: op, intended: intended, account: resuming},
		jsonData(protocol.CoreInitParams{Scope: w.Scope, Key: w.Key, Session: session}), nil)
	if err == nil && resuming != nil && !resumed(r.result) {
		p.account.session = "" // it ended; log in
		err = &protocol.Error{Status: protocol.StatusSessionInvalid}
	}
	if err == nil && p.account != nil && resuming == nil {
		err = p.logIn(c)
	}
	if err != nil {
		c.lose(errLost)
		return err
	}
	p.conn.Store(c)
	if op == opStorm {
		w.storm.returned(w.clock.now())
	}
	w.tasks.Go(func() { p.stay(c) }) // a new goroutine, whose stack has not grown
	return nil
}

// logIn logs in by the provider's identity and keeps the session.
func (p *player) logIn(c *conn) error {
	r, err := c.call(pending{op: opLogin, intended: p.w.clock.now(), account: p.account}, jsonData(p.account.login(p.w.Scope)), nil)
	if err != nil {
		return err
	}
	var login struct {
		UserID  uuid.UUID `json:"user_id"`
		Session struct {
			Token string `json:"token"`
		} `json:"session"`
	}
	if err := json.Unmarshal(r.result, &login); err != nil || login.Session.Token == "" {
		return errors.New("the answer to users.login has no session")
	}
	if p.account.id != login.UserID { // it never changes, and others read it
		p.account.id = login.UserID
	}
	p.account.session = login.Session.Token
	return nil
}

// stay is there until the connection ends, and then comes back unless it left.
func (p *player) stay(c *conn) {
	var err error
	if p.scenario == Slow {
		err = p.neverRead(c)
	} else {
		err = c.read(nil)
	}
	p.conn.CompareAndSwap(c, nil)
	w := p.w
	if w.ctx.Err() != nil {
		return
	}
	now := w.clock.now()
	if p.scenario == Churn && p.leaving.Swap(false) {
		w.churn.free <- p
		return
	}
	if cut := p.cut.Swap(0); cut != 0 {
		w.tasks.Go(func() { p.enter(opStorm, moment(cut)) })
		return
	}
	if p.scenario != Slow { // of which it is expected
		w.meter.failed(opConnect, now, closeName(err))
		w.note(err)
	}
	w.tasks.Go(func() {
		again := now.add(backoff(0) + c.retryAfter())
		if w.sleep(again) {
			p.enter(opConnect, again)
		}
	})
}

// retryAfter is for how long the server has asked to stay away.
func (c *conn) retryAfter() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.bye == nil {
		return 0
	}
	return time.Duration(c.bye.RetryAfterMS) * time.Millisecond
}

// resumed reports whether the result of a core.init has a user.
func resumed(result []byte) bool {
	var r struct {
		User *struct{} `json:"user"`
	}
	return json.Unmarshal(result, &r) == nil && r.User != nil
}

// closeName is how the loss of a connection is counted: by the server's close
// code where there was one.
func closeName(err error) string {
	var closed closedError
	if errors.As(err, &closed) && closed.code != 0 {
		return strconv.Itoa(closed.code)
	}
	return "lost"
}
