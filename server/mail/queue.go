package mail

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"
)

// QueueOptions are a queue's bounds. What is zero takes the default.
type QueueOptions struct {
	Size     int                             // mails not yet done, waiting for a retry included; 1,000
	Workers  int                             // mails under way at once; 4
	Attempts int                             // attempts at one mail; 5
	Timeout  time.Duration                   // of one attempt; SendTimeout
	Backoff  func(attempt int) time.Duration // the pause after the attempt of that number, from 1; Backoff
}

// Backoff is the pause after an attempt that failed for now: 45 s, then three
// times as long each time, a quarter more or less by chance. Five attempts take
// half an hour; the fourth comes after about ten minutes, which is past the five
// that greylisting servers ask for as a rule (RFC 6647, section 2.5, says from
// one minute to 24 hours).
func Backoff(attempt int) time.Duration {
	d := 45 * time.Second
	for range min(attempt-1, 6) {
		d *= 3
	}
	return time.Duration(float64(d) * (0.75 + rand.Float64()/2))
}

// A Queue sends mail off the caller's path: bounded, by a few workers, with
// retries. All methods may be called concurrently.
//
// It lives in memory. What it holds when the process dies is not sent.
type Queue struct {
	sender Sender
	opts   QueueOptions

	// ready holds what a worker may take. It has room for every mail, so that
	// putting one in never blocks.
	ready   chan *job
	abort   context.Context
	cancel  context.CancelFunc
	workers sync.WaitGroup

	mu      sync.Mutex
	pending int                  // guarded by mu: mails not yet done
	waiting map[*job]*time.Timer // guarded by mu: mails that wait for their next attempt
	closed  bool                 // guarded by mu
}

type job struct {
	message Message
	outcome func(error)
	first   chan error
	attempt int // owned by who holds the job: one worker, or waiting
	err     error
}

// NewQueue starts a queue. It must be closed.
func NewQueue(sender Sender, opts QueueOptions) *Queue {
	if opts.Size <= 0 {
		opts.Size = 1000
	}
	if opts.Workers <= 0 {
		opts.Workers = 4
	}
	if opts.Attempts <= 0 {
		opts.Attempts = 5
	}
	if opts.Timeout <= 0 {
		opts.Timeout = SendTimeout
	}
	if opts.Backoff == nil {
		opts.Backoff = Backoff
	}
	q := &Queue{
		sender:  sender,
		opts:    opts,
		ready:   make(chan *job, opts.Size),
		waiting: make(map[*job]*time.Timer),
	}
	q.abort, q.cancel = context.WithCancel(context.Background())
	for range opts.Workers {
		q.workers.Go(q.work)
	}
	return q
}

// Submit queues m and returns at once: with ErrQueueFull when too many wait,
// with ErrClosed after Close, and otherwise with a channel that gets the result
// of the first attempt, nil or its error, exactly once. Nobody has to read it.
//
// outcome, if not nil, is called exactly once with the final result: nil, or the
// last attempt's error. It runs on a worker, so it must return; where the first
// attempt is the last one, it runs before the channel gets the result, so that
// who waited sees what outcome wrote. Where Submit returns an error, outcome is
// not called.
func (q *Queue) Submit(m Message, outcome func(error)) (first <-chan error, err error) {
	if m.ID == "" {
		m.ID = newID() // one for all attempts
	}
	j := &job{message: m, outcome: outcome, first: make(chan error, 1)}
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case q.closed:
		return nil, ErrClosed
	case q.pending >= q.opts.Size:
		return nil, ErrQueueFull
	}
	q.pending++
	q.ready <- j
	return j.first, nil
}

// Pending returns how many mails are not yet done, those included that wait for
// their next attempt.
func (q *Queue) Pending() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.pending
}

// Close takes no more mail, makes one last attempt at each that is left, and
// returns when all are done. When ctx is done first, it breaks off what is under
// way, and the rest end with an error that wraps ErrClosed. Every outcome was
// called when Close returns, as long as the sender heeds its context.
func (q *Queue) Close(ctx context.Context) error {
	q.mu.Lock()
	if !q.closed {
		q.closed = true
		for j, timer := range q.waiting {
			timer.Stop()
			delete(q.waiting, j)
			q.ready <- j
		}
		if q.pending == 0 {
			close(q.ready)
		}
	}
	q.mu.Unlock()

	done := make(chan struct{})
	go func() {
		q.workers.Wait()
		close(done)
	}()
	defer q.cancel()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
	}
	q.cancel()
	// Senders end soon after their context. One that does not must not hold up
	// the whole shutdown.
	select {
	case <-done:
	case <-time.After(2 * time.Second):
	}
	return ctx.Err()
}

func (q *Queue) work() {
	for j := range q.ready {
		q.run(j)
	}
}

// run makes one attempt at j, then ends it or lets it wait.
func (q *Queue) run(j *job) {
	if q.abort.Err() != nil {
		q.end(j, ErrClosed)
		return
	}
	j.attempt++
	ctx, cancel := context.WithTimeout(q.abort, q.opts.Timeout)
	err := q.sender.Send(ctx, j.message)
	cancel()
	switch {
	case err == nil:
		q.end(j, nil)
	case q.abort.Err() != nil:
		q.end(j, fmt.Errorf("%w: %w", ErrClosed, err))
	case Temporary(err) && j.attempt < q.opts.Attempts && q.wait(j, err):
	default:
		q.end(j, err)
	}
}

// wait puts j aside until its next attempt. It reports false when the queue is
// closed: then there is none.
func (q *Queue) wait(j *job, err error) bool {
	pause := q.opts.Backoff(j.attempt)
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return false
	}
	if j.attempt == 1 {
		j.first <- err
	}
	j.err = err
	q.waiting[j] = time.AfterFunc(pause, func() { q.wake(j) })
	return true
}

func (q *Queue) wake(j *job) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if _, ok := q.waiting[j]; ok { // else Close took it
		delete(q.waiting, j)
		q.ready <- j
	}
}

// end gives the final result out. The queue counts j until its outcome returned,
// so that Close waits for that too.
func (q *Queue) end(j *job, err error) {
	final := err
	if err != nil && j.attempt > 1 {
		final = fmt.Errorf("after %d attempts: %w", j.attempt, err)
	}
	if err == ErrClosed && j.err != nil {
		final = fmt.Errorf("%w after %d attempts: %w", ErrClosed, j.attempt, j.err)
	}
	if j.outcome != nil {
		j.outcome(final)
	}
	if j.attempt <= 1 && j.err == nil {
		j.first <- err
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.pending--
	if q.closed && q.pending == 0 {
		close(q.ready)
	}
}
