package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"

	"rollcall/protocol"
	"rollcall/protocol/client"
)

type watchCommand struct {
	connectFlags
	outputFlags
	colorFlag
	feedFilterFlags
	Last  *int   `cli:"only" placeholder:"N" help:"Begin with the newest N events, at most 1,000. By default 10 on a terminal and else 0."`
	Since string `cli:"only" placeholder:"FILE" help:"Continue where the last run with this file ended, and keep the position in it. While the file does not exist --last counts."`
}

// Help describes the command further.
func (watchCommand) Help() string {
	return "Prints one line an event until it is interrupted. A lost connection is opened again; " +
		"what happened meanwhile follows, and a line says whether anything was missed."
}

const (
	lastOnTerminal = 10
	saveInterval   = time.Second
	// closeWait bounds how long the end of a watch waits for its connection,
	// which takes long only where nobody reads our output, or the server is away.
	closeWait = logoutWait + time.Second
)

// Run follows the feed until ctx ends, which is no error, nor is it that nobody
// reads the output any more.
func (w *watchCommand) Run(ctx context.Context, p Program, s *settings) error {
	// By default a broken pipe kills the process as it writes, before the
	// position is kept.
	pipe := make(chan os.Signal, 1)
	signal.Notify(pipe, syscall.SIGPIPE)
	defer signal.Stop(pipe)

	opt, mark, err := w.subscription(isTerminal(p.Stdout))
	if err != nil {
		return err
	}
	connection, err := w.options(p, s)
	if err != nil {
		return err
	}
	f := w.newFollower(p, mark)
	connection.OnState = f.status.state
	opt.OnEvent, opt.OnResume = f.event, f.resumed
	if err := w.follow(ctx, connection, opt, f, mark); err != nil {
		return fmt.Errorf("watch: %w", err)
	}
	return nil
}

// isWanted reports whether an error is how a watch should end: it was
// interrupted, or nobody reads its output any more.
func isWanted(ctx context.Context, err error) bool {
	return ctx.Err() != nil || errors.Is(err, syscall.EPIPE) || errors.Is(err, io.ErrClosedPipe)
}

// subscription returns what to ask of the server, and the bookmark if there is
// to be one.
func (w *watchCommand) subscription(terminal bool) (client.SubscribeOptions, *bookmark, error) {
	opt := client.SubscribeOptions{Scope: w.Scope, Batch: true}
	events, err := w.events()
	if err != nil {
		return opt, nil, err
	}
	opt.Events = events
	switch {
	case w.Last != nil && (*w.Last < 0 || *w.Last > 1000):
		return opt, nil, usagef("last: must be from 0 to 1000")
	case w.Last != nil:
		opt.Last = *w.Last
	case terminal:
		opt.Last = lastOnTerminal
	}
	params := protocol.SubscribeParams{Scope: opt.Scope, Events: opt.Events, Last: opt.Last}
	if err := protocol.AdminSubscribe.Validate(&params); err != nil {
		return opt, nil, usageError{err}
	}
	if w.Since == "" {
		return opt, nil, nil
	}
	mark, err := openBookmark(w.Since)
	if err != nil {
		return opt, nil, err
	}
	if opt.Since = mark.At; opt.Since != nil {
		opt.Last = 0
	}
	return opt, mark, nil
}

// follow connects and stays until ctx ends, the subscription does, or something
// can't be written.
func (w *watchCommand) follow(ctx context.Context, connection client.Options, opt client.SubscribeOptions, f *follower, mark *bookmark) error {
	limited, cancel := w.limit(ctx)
	defer cancel()
	c, err := w.dial(limited, connection)
	if isWanted(ctx, err) {
		return nil
	}
	if err != nil {
		return err
	}
	sub, err := c.Subscribe(limited, opt)
	cancel()
	if err == nil {
		f.sub.Store(sub)
	}
	close(f.begun)
	if err == nil {
		err = f.wait(ctx, sub, mark)
	}
	closed := make(chan struct{})
	go func() { logOut(ctx, c); _ = c.Close(); close(closed) }()
	select {
	case <-closed: // from here on f is ours
		f.status.wipe()
	case <-time.After(closeWait):
	}
	saveErr := f.save(mark)
	if err == nil || isWanted(ctx, err) {
		return saveErr
	}
	return err
}

// A follower writes the feed. Its fields, but for those that say so, belong to
// the connection's reader, which calls event, resumed and status.state.
type follower struct {
	watch  *watchCommand
	out    io.Writer // of events
	told   io.Writer // of how the feed goes on
	table  *feedTable
	status *statusLine
	left   time.Time // when the watch before this one ended; zero later on

	begun  chan struct{} // closed once sub is there, or will never be
	sub    atomic.Pointer[client.Subscription]
	failed chan error // has room for one: why an event could not be written
	broken atomic.Pointer[map[string]protocol.FeedPosition]
}

func (w *watchCommand) newFollower(p Program, mark *bookmark) *follower {
	f := &follower{
		watch:  w,
		out:    p.Stdout,
		told:   p.Stdout,
		table:  newFeedTable(w.painter(p, p.Stdout), time.Now(), w.Scope == protocol.AllScopes),
		status: &statusLine{w: p.Stderr, terminal: isTerminal(p.Stderr), paint: w.painter(p, p.Stderr)},
		begun:  make(chan struct{}),
		failed: make(chan error, 1),
	}
	if w.JSON {
		f.told = p.Stderr
		f.table.painter = f.status.paint
	}
	if mark != nil {
		f.left = mark.SavedAt.Time
	}
	return f
}

// event writes one event, unless it is not asked for. No event is written whose
// position can't be kept.
func (f *follower) event(p protocol.Push) {
	<-f.begun
	if f.sub.Load() == nil || f.broken.Load() != nil {
		return
	}
	var data protocol.EventData
	_ = protocol.DecodeResult(p.Data, &data) // what can't be read is left out of the line
	if !f.watch.wants(&data) {
		return
	}
	f.status.wipe()
	var err error
	if f.watch.JSON {
		err = printJSON(f.out, p)
	} else {
		_, err = io.WriteString(f.out, f.table.lines(&p, &data))
	}
	if err != nil {
		f.fail(err)
	}
}

// resumed tells how the feed was taken up again.
func (f *follower) resumed(r client.Resumed) {
	away := r.Away
	if !f.left.IsZero() {
		away = max(time.Since(f.left), time.Millisecond)
		f.left = time.Time{}
	}
	f.status.resumed()
	c := dim
	if !r.Recovered {
		c = yellow
	}
	if _, err := fmt.Fprintln(f.told, f.table.paint(c, awayText(r, away))); err != nil && !f.watch.JSON {
		f.fail(err)
	}
}

// fail ends the watch. The position stays before the event that was not written.
func (f *follower) fail(err error) {
	at := map[string]protocol.FeedPosition{}
	if sub := f.sub.Load(); sub != nil {
		at = sub.Positions()
	}
	f.broken.CompareAndSwap(nil, &at)
	select {
	case f.failed <- err:
	default:
	}
}

// wait keeps the bookmark up to date until there is nothing more to come.
func (f *follower) wait(ctx context.Context, sub *client.Subscription, mark *bookmark) error {
	if err := f.save(mark); err != nil { // a file that can't be written is told now
		return err
	}
	tick := time.NewTicker(saveInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case err := <-f.failed:
			return err
		case <-sub.Done():
			return sub.Err()
		case <-tick.C:
			if err := f.save(mark); err != nil {
				return err
			}
		}
	}
}

// save keeps the position of what was written.
func (f *follower) save(mark *bookmark) error {
	sub := f.sub.Load()
	if mark == nil || sub == nil {
		return nil
	}
	at := sub.Positions()
	if broken := f.broken.Load(); broken != nil { // looked at after Positions, which may have gone on
		if at = *broken; len(at) == 0 {
			return nil
		}
	}
	return mark.save(at)
}
