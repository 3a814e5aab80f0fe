package server

import (
	"context"
	"log/slog"
	"time"
)

// watchRetry is how soon scopes are read again that could not be read, and
// watchTimeout how long that may take.
const (
	watchRetry   = time.Second
	watchTimeout = 30 * time.Second
)

// A scopeWatch has scopes read when they change on any node, and all of them now
// and then, in case a signal was missed.
type scopeWatch struct {
	what  string // it is for, in the log
	log   *slog.Logger
	read  func(ctx context.Context, name string) error // "" for all
	stale chan string                                  // names of scopes to read anew, "" for all
}

func newScopeWatch(what string, log *slog.Logger, read func(ctx context.Context, name string) error) *scopeWatch {
	return &scopeWatch{what: what, log: log, read: read, stale: make(chan string, 64)}
}

// changed never blocks: when too much has changed at once, the refresh finds it.
func (w *scopeWatch) changed(name string) {
	select {
	case w.stale <- name:
	default:
	}
}

// run reads until ctx ends, all scopes first.
func (w *scopeWatch) run(ctx context.Context) {
	tick := time.NewTicker(scopeRefresh)
	defer tick.Stop()
	for name := ""; ; {
		var retry <-chan time.Time
		work, cancel := context.WithTimeout(ctx, watchTimeout)
		err := w.read(work, name)
		cancel()
		if err != nil && ctx.Err() == nil {
			w.log.Debug("scopes could not be read", "for", w.what, "scope", name, "error", err)
			retry = time.After(watchRetry)
		}
		select {
		case <-ctx.Done():
			return
		case name = <-w.stale:
			if err != nil {
				name = "" // what could not be read is still to be read
			}
		case <-tick.C:
			name = ""
		case <-retry:
			name = ""
		}
	}
}
