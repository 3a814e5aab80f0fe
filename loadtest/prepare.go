package loadtest

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"rollcall/protocol"
)

// Accounts are made over so many connections, with so many requests in flight on
// each.
const (
	prepareConns    = 4
	prepareInFlight = 32
	prepareAttempts = 20
)

// prepare makes the accounts. One that is there already, from an earlier run, is
// as good.
func (w *worker) prepare() error {
	total := len(w.accounts) + len(w.passwords)
	at := func(i int) *account {
		if i < len(w.accounts) {
			return &w.accounts[i]
		}
		return &w.passwords[i-len(w.accounts)]
	}
	var next, done atomic.Int64
	var mu sync.Mutex
	var failure error
	fail := func(err error) {
		mu.Lock()
		defer mu.Unlock()
		if failure == nil {
			failure = err
		}
		next.Store(int64(total))
	}
	var makers, readers sync.WaitGroup
	var conns []*conn
	for range min(prepareConns, max(1, total/prepareInFlight)) {
		c, err := w.opened()
		if err != nil {
			fail(err)
			break
		}
		conns = append(conns, c)
		readers.Go(func() { _ = c.read(nil) })
		for range min(prepareInFlight, total) {
			makers.Go(func() {
				for {
					i := int(next.Add(1)) - 1
					if i >= total || w.ctx.Err() != nil {
						return
					}
					if err := w.create(c, at(i)); err != nil {
						fail(err)
						return
					}
					done.Add(1)
				}
			})
		}
	}
	finished := make(chan struct{})
	go func() { makers.Wait(); close(finished) }()
	w.tellProgress(&done, int64(total), finished)
	for _, c := range conns {
		c.close()
	}
	readers.Wait()
	return failure
}

// tellProgress says how far a phase is, until it is finished.
func (w *worker) tellProgress(done *atomic.Int64, total int64, finished <-chan struct{}) {
	ticks := time.NewTicker(200 * time.Millisecond)
	defer ticks.Stop()
	for {
		select {
		case <-finished:
			_ = w.teller.tell(word{Progress: &progress{done.Load(), total}})
			return
		case <-ticks.C:
			_ = w.teller.tell(word{Progress: &progress{done.Load(), total}})
		case <-w.ctx.Done():
			w.conns.closeAll()
			<-finished
			return
		}
	}
}

// opened opens a connection and shows the key.
func (w *worker) opened() (*conn, error) {
	c, err := w.dial(w.ctx, int(w.dialed.Add(1)))
	if err != nil {
		return nil, err
	}
	if _, err := c.call(pending{op: opInit, intended: w.clock.now()},
		jsonData(protocol.CoreInitParams{Scope: w.Scope, Key: w.Key}), nil); err != nil {
		c.lose(errLost)
		if known := w.fatal(err); known != nil {
			return nil, known
		}
		return nil, fmt.Errorf("core.init: %w", err)
	}
	return c, nil
}

// create makes one account.
func (w *worker) create(c *conn, a *account) error {
	data := jsonData(a.create(w.Scope))
	for attempt := 0; ; attempt++ {
		r, err := c.ask(opPrepare, data)
		if err != nil {
			if w.ctx.Err() != nil {
				return w.ctx.Err()
			}
			return fmt.Errorf("making the account %s: %w", a.name(), err)
		}
		switch r.status {
		case 0, protocol.StatusUserExists, protocol.StatusProviderExists:
			return nil
		case protocol.StatusBusy, protocol.StatusTooManyRequests, protocol.StatusUnavailable:
			if attempt < prepareAttempts && w.sleep(w.clock.now().add(backoff(min(attempt, 2)))) {
				continue
			}
		}
		err = &protocol.Error{Status: r.status, Message: r.text}
		if known := w.fatal(err); known != nil {
			return known
		}
		return fmt.Errorf("making the account %s: %w", a.name(), err)
	}
}

// ask sends a request on a connection that is being read, and waits for its
// answer.
func (c *conn) ask(op operation, data func([]byte) []byte) (reply, error) {
	type outcome struct {
		reply
		err error
	}
	answers := make(chan outcome, 1)
	err := c.send(pending{op: op, intended: c.w.clock.now(), answered: func(r reply, err error) {
		answers <- outcome{r, err}
	}}, data)
	if err != nil {
		return reply{}, err
	}
	o := <-answers
	return o.reply, o.err
}
