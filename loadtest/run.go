package loadtest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os/exec"
	"slices"
	"strconv"
	"time"

	"rollcall/loadtest/report"
)

// Options are what a run needs besides its plan.
type Options struct {
	// Command makes the command that runs a worker, whose standard input and
	// output are the conversation; it has to die with ctx, as that of
	// exec.CommandContext does. Nil is enough for a plan of one worker, which
	// runs in this process.
	Command func(ctx context.Context) *exec.Cmd
	// OnSample, if set, is called once a second.
	OnSample func(report.Sample)
	// OnPhase, if set, is called as a phase begins and goes on. A total of 0: not
	// known. From the measured phase on, done and total are in seconds.
	OnPhase func(name string, done, total int64)
	// Version is that of the load test, for the report.
	Version string
	// Logger gets what goes wrong without ending the run. Default: slog.Default.
	Logger *slog.Logger
}

// headStart is how far ahead a moment is set, so that every worker knows of it
// before it comes.
const headStart = 200 * time.Millisecond

// feedPatience is how long the feed has at the end to show what is missing.
const feedPatience = 10 * time.Second

// Run carries a plan out and returns what was measured. No worker and no
// connection is left when it returns. Errors are a plan that can't be carried
// out, a server that can't be used, and a worker that is gone. Where it fails
// after the measured phase began, as when ctx ends, it returns the error and a
// report of what was heard until then, which says that it is partial.
func Run(ctx context.Context, plan Plan, opt Options) (*report.Report, error) {
	if err := plan.Validate(); err != nil {
		return nil, err
	}
	if opt.Logger == nil {
		opt.Logger = slog.Default()
	}
	workers := plan.Workers()
	if workers > 1 && opt.Command == nil {
		return nil, fmt.Errorf("the plan needs %d worker processes, and there is no command to start one", workers)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	token, err := setUp(ctx, &plan)
	if err != nil {
		return nil, err
	}
	c := newCoordinator(ctx, &plan, opt)
	defer c.end()
	shares := plan.shares(workers)
	addresses := plan.Addresses()
	for k := range shares {
		shares[k].Run, shares[k].Admin, shares[k].Sources = c.run, token, addresses
		if err := c.start(shares[k], workers); err != nil {
			return nil, err
		}
	}
	if err := c.carryOut(); err != nil {
		err = interrupted(ctx, err)
		return c.partial(err), err
	}
	return c.report(), nil
}

// interrupted is ctx's own end where that is why err came about.
func interrupted(ctx context.Context, err error) error {
	switch cause := context.Cause(ctx); {
	case ctx.Err() == nil:
		return err
	case errors.Is(cause, ctx.Err()):
		return cause
	default: // such as a signal
		return fmt.Errorf("%w: %w", ctx.Err(), cause)
	}
}

// A coordinator tells its workers what to do and gathers what they say. It lives
// in one goroutine.
type coordinator struct {
	ctx    context.Context
	plan   *Plan
	opt    Options
	run    string // names this run
	began  time.Time
	phase  string
	phases []report.Phase
	peers  []*peer
	words  chan heard
	done   chan struct{}
	gathered
	scrapes *scrapes
}

func newCoordinator(ctx context.Context, plan *Plan, opt Options) *coordinator {
	now := time.Now()
	c := &coordinator{
		ctx: ctx, plan: plan, opt: opt, began: now, run: "s" + strconv.FormatInt(now.UnixMilli(), 36),
		words: make(chan heard), done: make(chan struct{}),
	}
	c.scrapes = scrapeAll(ctx, opt.Logger, plan.Metrics, c.second)
	return c
}

// second is how long the run has been going on.
func (c *coordinator) second() float64 { return time.Since(c.began).Seconds() }

// start starts a worker and gives it its share.
func (c *coordinator) start(sh share, workers int) error {
	name := fmt.Sprintf("worker %d", sh.Worker+1)
	var p *peer
	if workers == 1 {
		p = inProcess(c.ctx, name, c.words, c.done)
	} else {
		var err error
		if p, err = asProcess(c.ctx, name, c.opt.Command, c.words, c.done); err != nil {
			return err
		}
	}
	c.peers = append(c.peers, p)
	c.gathered.worker(name)
	_ = p.orders.tell(order{Share: &sh})
	return nil
}

// sayAll gives every worker an order. That one can't be given is no error yet:
// the worker's last words, which say why, are still to be heard.
func (c *coordinator) sayAll(o order) {
	for _, p := range c.peers {
		_ = p.orders.tell(o)
	}
}

// end ends all workers.
func (c *coordinator) end() {
	close(c.done)
	c.scrapes.stop()
	ended := make(chan struct{})
	for _, p := range c.peers {
		go func() { _ = p.stop(); ended <- struct{}{} }()
	}
	for range c.peers {
		<-ended
	}
}

// enter begins a phase, which ends the one before.
func (c *coordinator) enter(phase string, at float64) {
	if n := len(c.phases); n > 0 {
		c.phases[n-1].End = at
	}
	c.phase = phase
	c.phases = append(c.phases, report.Phase{Name: phase, Start: at, End: at})
	c.tellPhase(0, 0)
}

func (c *coordinator) tellPhase(done, total int64) {
	if c.opt.OnPhase != nil {
		c.opt.OnPhase(c.phase, done, total)
	}
}

// carryOut goes through the phases.
func (c *coordinator) carryOut() error {
	c.enter(report.PhasePrepare, 0)
	c.sayAll(order{Prepare: true})
	if err := c.await(readyPrepare); err != nil {
		return err
	}
	c.sayAll(order{Watch: true})
	if err := c.await(readyWatch); err != nil {
		return err
	}
	c.enter(report.PhaseRamp, c.second())
	c.sayAll(order{Ramp: &ramp{At: time.Now().Add(headStart).UnixNano()}})
	if err := c.await(readyRamp); err != nil {
		return err
	}
	warmup := time.Now().Add(headStart)
	measure := warmup.Add(c.plan.Warmup)
	drain := measure.Add(c.plan.Duration)
	c.sayAll(order{Begin: &begin{warmup.UnixNano(), measure.UnixNano(), drain.UnixNano()}})
	c.enter(report.PhaseWarmup, c.second())
	c.timed(report.PhaseMeasure, measure)
	c.timed(report.PhaseDrain, drain)
	if err := c.await(readyDrain); err != nil {
		return err
	}
	if err := c.awaitFeed(); err != nil {
		return err
	}
	c.sayAll(order{Finish: true})
	if err := c.awaitResults(); err != nil {
		return err
	}
	c.phases[len(c.phases)-1].End = c.second()
	return nil
}

// A timedPhase begins at a moment.
type timedPhase struct {
	name string
	at   time.Time
}

func (c *coordinator) timed(phase string, at time.Time) {
	c.coming = append(c.coming, timedPhase{phase, at})
}

// next waits for the next word of a worker, and enters the phases whose moment
// has come. It returns no word when a tenth of a second is over.
func (c *coordinator) next() (*heard, error) {
	timer := time.NewTimer(100 * time.Millisecond)
	defer timer.Stop()
	var got *heard
	select {
	case h := <-c.words:
		got = &h
	case <-timer.C:
	case <-c.ctx.Done():
		return nil, c.ctx.Err()
	}
	for len(c.coming) > 0 && !time.Now().Before(c.coming[0].at) {
		c.enter(c.coming[0].name, c.coming[0].at.Sub(c.began).Seconds())
		c.coming = c.coming[1:]
	}
	if got == nil {
		return nil, nil
	}
	switch {
	case got.err != nil && got.from.finished:
		return nil, nil
	case got.err != nil:
		return nil, got.from.lost(got.err)
	case got.word.Error != "":
		return nil, errors.New(got.word.Error)
	case got.word.Progress != nil:
		c.progress[got.from] = *got.word.Progress
		var sum progress
		for _, p := range c.progress {
			sum.Done += p.Done
			sum.Total += p.Total
		}
		c.tellPhase(sum.Done, sum.Total)
		return nil, nil
	case got.word.Second != nil:
		c.heardSecond(slices.Index(c.peers, got.from), got.word.Second)
		return nil, nil
	}
	return got, nil
}

// await waits until every worker is ready with what it was told to do.
func (c *coordinator) await(ready string) error {
	c.progress = make(map[*peer]progress)
	for left := len(c.peers); left > 0; {
		h, err := c.next()
		if err != nil {
			return err
		}
		if h == nil {
			continue
		}
		if h.word.Ready != ready {
			return fmt.Errorf("%s said it is ready with %q, not %q", h.from.name, h.word.Ready, ready)
		}
		left--
	}
	return nil
}

// awaitFeed asks until the admins have seen all that was acknowledged, or
// patience is over. What is missing then is lost.
func (c *coordinator) awaitFeed() error {
	patience := time.Now().Add(feedPatience)
	for {
		var tallies []*tally
		c.sayAll(order{Tally: true})
		for len(tallies) < len(c.peers) {
			h, err := c.next()
			if err != nil {
				return err
			}
			if h != nil && h.word.Tally != nil {
				tallies = append(tallies, h.word.Tally)
			}
		}
		c.feed = feedOf(tallies)
		if c.feed == nil || c.feed.Lost == 0 || time.Now().After(patience) {
			return nil
		}
		again := time.Now().Add(300 * time.Millisecond)
		for time.Now().Before(again) {
			if _, err := c.next(); err != nil {
				return err
			}
		}
	}
}

func (c *coordinator) awaitResults() error {
	for len(c.results) < len(c.peers) {
		h, err := c.next()
		if err != nil {
			return err
		}
		if h != nil && h.word.Result != nil {
			h.from.finished = true // it says nothing more
			c.results = append(c.results, h.word.Result)
		}
	}
	return nil
}
