package store

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
)

// The embedded server's TTLs elapse only when it is told that time went by.
// Each tick walks over all keys, so that ticks are close together while there
// are few keys and at most tickShare of the time is spent on them. A TTL may
// end early by up to one tick.
const (
	tickMin   = 100 * time.Millisecond
	tickMax   = time.Second
	tickShare = 20 // one twentieth
)

// An embeddedServer is a Redis lookalike inside the process, reachable from
// this process alone: it listens on the loopback with a random password. (Its
// connections in memory deadlock on pipelines.)
//
// A blocked XREAD slows all other commands of it down by an order of magnitude,
// so nothing here may block in it.
type embeddedServer struct {
	server *miniredis.Miniredis
	client redis.UniversalClient
	log    *slog.Logger

	path   string // the data file, or ""
	every  time.Duration
	unlock func() error

	// quiet is held for reading during every round trip and for writing during
	// a snapshot, which therefore sees no script half done.
	quiet sync.RWMutex

	writes   atomic.Uint64 // commands that may have changed something
	saved    uint64        // value of writes at the last snapshot; owned by run, then by close
	lastTick time.Time     // owned by run, then by close
}

// startEmbedded starts the server and loads the data file, if one is named.
func startEmbedded(cfg Config) (*embeddedServer, error) {
	e := &embeddedServer{server: miniredis.NewMiniRedis(), log: cfg.Logger, path: cfg.DataFile, every: cfg.SnapshotInterval}
	if e.path != "" {
		unlock, err := lockFile(e.path + ".lock")
		if err != nil {
			return nil, fmt.Errorf("data file %s: %w", e.path, err)
		}
		e.unlock = unlock
	}
	e.lastTick = time.Now()
	if err := e.load(); err != nil {
		return nil, errors.Join(fmt.Errorf("data file %s: %w", e.path, err), e.release())
	}
	password := rand.Text()
	e.server.RequireAuth(password)
	if err := e.server.Start(); err != nil {
		return nil, errors.Join(fmt.Errorf("start embedded storage: %w", err), e.release())
	}
	opts := &redis.UniversalOptions{Addrs: []string{e.server.Addr()}, Password: password}
	tune(opts, cfg.PoolSize)
	e.client = redis.NewUniversalClient(opts)
	e.client.AddHook(e)
	return e, nil
}

// run lets TTLs elapse and takes snapshots until ctx ends.
func (e *embeddedServer) run(ctx context.Context) {
	tick := time.NewTimer(tickMin)
	defer tick.Stop()
	snapshots := time.NewTicker(e.every)
	defer snapshots.Stop()
	for {
		select {
		case <-tick.C:
			took := e.elapse(time.Now())
			tick.Reset(min(max(tickMin, tickShare*took), tickMax))
		case <-snapshots.C:
			if err := e.save(); err != nil {
				e.log.Error("snapshot failed, the former one is kept", "file", e.path, "error", err)
			}
		case <-ctx.Done():
			return
		}
	}
}

// elapse tells the server that it is now, and returns how long that took.
func (e *embeddedServer) elapse(now time.Time) time.Duration {
	d := now.Sub(e.lastTick)
	e.lastTick = now
	e.server.FastForward(d)
	return time.Since(now)
}

// close takes the last snapshot and stops the server. It must not run beside run.
func (e *embeddedServer) close() error {
	err := e.save()
	if err != nil {
		err = fmt.Errorf("last snapshot to %s: %w", e.path, err)
	}
	e.client.Close()
	e.server.Close()
	return errors.Join(err, e.release())
}

func (e *embeddedServer) release() error {
	if e.unlock == nil {
		return nil
	}
	return e.unlock()
}

// DialHook is part of redis.Hook; it changes nothing.
func (e *embeddedServer) DialHook(next redis.DialHook) redis.DialHook { return next }

// ProcessHook keeps a snapshot from starting during a command.
func (e *embeddedServer) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		e.quiet.RLock()
		defer e.quiet.RUnlock()
		e.note(cmd)
		return next(ctx, cmd)
	}
}

// ProcessPipelineHook is ProcessHook for a batch.
func (e *embeddedServer) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		e.quiet.RLock()
		defer e.quiet.RUnlock()
		for _, cmd := range cmds {
			e.note(cmd)
		}
		return next(ctx, cmds)
	}
}

func (e *embeddedServer) note(cmd redis.Cmder) {
	if !e.server.IsReadOnlyCommand(cmd.Name()) {
		e.writes.Add(1)
	}
}
