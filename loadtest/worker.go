package loadtest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"rollcall/protocol"
)

// dialsAtOnce bounds the connections that a worker is opening at one time.
const dialsAtOnce = 512

// A worker simulates a share of a plan's connections.
type worker struct {
	share
	ctx    context.Context // of all that it does
	clock  clock
	meter  meter
	dialer dialer
	conns  connSet
	dials  chan struct{} // room for dialsAtOnce
	dialed atomic.Int64  // connections opened so far, to go round servers and sources
	teller teller
	tasks  sync.WaitGroup

	players   map[Scenario][]*player
	accounts  []account // of the players
	passwords []account
	acked     atomic.Int64
	entered   atomic.Int64 // players that were there once at least
	churn     churn
	storm     storm

	mu       sync.Mutex
	watchers []*watcher
	noted    error // the last that went wrong with a connection
}

// errLeft is why a worker ends when its coordinator is gone.
var errLeft = errors.New("the coordinator is gone")

// Work runs a worker: it does what it is told on in and answers on out, until it
// is told to finish, in ends, or ctx does. All connections are closed when it
// returns.
func Work(ctx context.Context, in io.Reader, out io.Writer) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	w := &worker{ctx: ctx, clock: newClock(), dials: make(chan struct{}, dialsAtOnce), teller: teller{out: out}}
	defer w.tasks.Wait()
	defer w.conns.closeAll()
	defer cancel(nil)

	orders := make(chan order)
	go func() { // may outlive this call by a read that nothing ends
		lines := json.NewDecoder(in)
		for {
			var o order
			if err := lines.Decode(&o); err != nil {
				cancel(errLeft)
				return
			}
			select {
			case orders <- o:
			case <-ctx.Done():
				return
			}
		}
	}()
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case o := <-orders:
			finished, err := w.follow(o)
			if err == nil && ctx.Err() != nil {
				err = context.Cause(ctx)
			}
			if err != nil {
				_ = w.teller.tell(word{Error: err.Error()})
				return err
			}
			if finished {
				return nil
			}
		}
	}
}

// follow does what an order says.
func (w *worker) follow(o order) (finished bool, err error) {
	switch {
	case o.Share != nil:
		return false, w.take(*o.Share)
	case o.Prepare:
		w.tasks.Go(w.tellSeconds)
		if err := w.prepare(); err != nil {
			return false, err
		}
		return false, w.teller.tell(word{Ready: readyPrepare})
	case o.Watch:
		if err := w.watch(); err != nil {
			return false, err
		}
		return false, w.teller.tell(word{Ready: readyWatch})
	case o.Ramp != nil:
		if err := w.rampUp(w.clock.at(o.Ramp.At)); err != nil {
			return false, err
		}
		return false, w.teller.tell(word{Ready: readyRamp})
	case o.Begin != nil:
		w.perform(w.clock.at(o.Begin.Warmup), w.clock.at(o.Begin.Measure), w.clock.at(o.Begin.Drain))
		return false, w.teller.tell(word{Ready: readyDrain})
	case o.Tally:
		return false, w.teller.tell(word{Tally: w.tally()})
	case o.Finish:
		return true, w.teller.tell(word{Result: &result{Operations: w.meter.result(), Storm: w.storm.result()}})
	}
	return false, errors.New("an order that this worker does not know: is it of another version?")
}

// take makes the share's players and accounts.
func (w *worker) take(sh share) error {
	w.share = sh
	w.dialer.sources = sh.Sources
	for _, raw := range sh.Servers {
		u, err := socketURL(raw)
		if err != nil {
			return err
		}
		w.dialer.urls = append(w.dialer.urls, u.String())
	}
	w.dialed.Store(int64(sh.Worker)) // so that not all workers begin at the same server
	w.accounts = make([]account, sh.Players.Count)
	for i := range w.accounts {
		w.accounts[i].seed, w.accounts[i].n = sh.Seed, sh.Players.First+i
	}
	w.passwords = make([]account, sh.Passwords.Count)
	for i := range w.passwords {
		a := &w.passwords[i]
		a.seed, a.n, a.password = sh.Seed, sh.Passwords.First+i, true
	}
	w.players = make(map[Scenario][]*player)
	given := 0
	for _, s := range players {
		for range sh.Counts[s] {
			w.players[s] = append(w.players[s], &player{w: w, scenario: s, account: &w.accounts[given]})
			given++
		}
	}
	w.churn.free = make(chan *player, sh.Counts[Churn])
	for _, s := range []Scenario{Signup, Passwords} { // nobody in particular
		for range sh.Counts[s] {
			w.players[s] = append(w.players[s], &player{w: w, scenario: s})
		}
	}
	return nil
}

// tellSeconds says once a second what happened, and fails the requests that wait
// for too long.
func (w *worker) tellSeconds() {
	ticks := time.NewTicker(time.Second)
	defer ticks.Stop()
	for {
		select {
		case <-ticks.C:
		case <-w.ctx.Done():
			return
		}
		w.conns.expire(w.clock.now())
		s := second{Connections: w.conns.count(), Operations: w.meter.take(), Acked: w.acked.Load(), Usage: readUsage()}
		for _, watcher := range w.admins() {
			s.Seen = append(s.Seen, watcher.sightings.total())
		}
		if w.teller.tell(word{Second: &s}) != nil {
			return
		}
	}
}

// tally says what has to be in the feed and what the admins saw of it.
func (w *worker) tally() *tally {
	t := &tally{}
	of := func(first int, accounts []account) {
		if len(accounts) == 0 {
			return
		}
		a := accountTally{First: first, Acked: make(counters, len(accounts)), Unknown: make(counters, len(accounts))}
		for i := range accounts {
			a.Acked[i], a.Unknown[i] = accounts[i].acked.Load(), accounts[i].unknown.Load()
		}
		t.Accounts = append(t.Accounts, a)
	}
	of(w.Players.First, w.accounts)
	of(w.Players.Total+w.Passwords.First, w.passwords)
	for _, watcher := range w.admins() {
		t.Watchers = append(t.Watchers, watcher.sightings.tally())
	}
	return t
}

// answered counts the answer to a request.
func (w *worker) answered(p pending, r reply) {
	now := w.clock.now()
	if r.status == 0 && (p.op == opResume || p.op == opStorm) && !resumed(r.result) {
		r.status = protocol.StatusSessionInvalid
	}
	if r.status != 0 {
		if p.account != nil && uncertain(r.status) {
			p.account.unknown.Add(1)
		}
		w.meter.failed(p.op, p.intended, statusText(r.status))
		return
	}
	if p.account != nil {
		p.account.ack(now)
		w.acked.Add(1)
	}
	w.meter.done(p.op, p.intended, now)
}

// unanswered counts a request that gets no answer any more. Those that are under
// way when the worker leaves are nobody's error.
func (w *worker) unanswered(p pending, why error) {
	if p.account != nil {
		p.account.unknown.Add(1)
	}
	if w.ctx.Err() == nil {
		w.meter.failed(p.op, p.intended, statusName(why))
	}
}

// uncertain reports whether an error leaves open if the request took effect.
func uncertain(s protocol.Status) bool {
	switch s {
	case protocol.StatusUnavailable, protocol.StatusGeneral, protocol.StatusIO, protocol.StatusUnknown, protocol.StatusEncodeFailed:
		return true
	}
	return false
}

// note keeps what went wrong, for when nothing goes right.
func (w *worker) note(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.noted = err
}

func (w *worker) lastNote() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.noted
}

// sleep waits until m and reports whether ctx lives on.
func (w *worker) sleep(m moment) bool {
	timer := time.NewTimer(w.clock.until(m))
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-w.ctx.Done():
		return false
	}
}

// fatal reports an error that no retry mends, in words that say what to do.
func (w *worker) fatal(err error) error {
	switch status := statusOf(err); status {
	case protocol.StatusScopeNotFound:
		return fmt.Errorf("scope %q does not exist on this server: give an admin's name and password, so that it is made, or make it", w.Scope)
	case protocol.StatusWrongKey:
		return errors.New("the server refuses the key (808): give the server key, or the scope's own")
	case protocol.StatusProviderNotFound:
		return fmt.Errorf("scope %q allows no logins by %s: add that provider to it, or name a scope that does not exist, which an owner's run makes", w.Scope, provider)
	case protocol.StatusProofRejected:
		return fmt.Errorf("scope %q holds accounts of this seed that were not made by a load test (625): choose another --seed", w.Scope)
	}
	return nil
}

func statusOf(err error) protocol.Status {
	var e *protocol.Error
	if errors.As(err, &e) {
		return e.Status
	}
	return 0
}
