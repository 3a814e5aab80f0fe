package loadtest

import (
	"context"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"rollcall/loadtest/report"
)

// scrapeTimeout bounds one reading.
const scrapeTimeout = 2 * time.Second

// scrapes read the servers' /metrics once a second, each by itself, so that a
// slow one delays no other.
type scrapes struct {
	log    *slog.Logger
	http   *http.Client
	cancel context.CancelFunc
	tasks  sync.WaitGroup
	mu     sync.Mutex
	all    []report.Process
}

func scrapeAll(ctx context.Context, log *slog.Logger, urls []string, second func() float64) *scrapes {
	s := &scrapes{log: log, http: &http.Client{Transport: &http.Transport{}, Timeout: scrapeTimeout}}
	ctx, s.cancel = context.WithCancel(ctx)
	for i, url := range urls {
		s.all = append(s.all, report.Process{Name: url, Kind: "server"})
		s.tasks.Go(func() { s.follow(ctx, i, url, second) })
	}
	return s
}

func (s *scrapes) follow(ctx context.Context, i int, url string, second func() float64) {
	ticks := time.NewTicker(time.Second)
	defer ticks.Stop()
	failed := false
	for {
		sample, err := scrape(ctx, s.http, url)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil && !failed:
			s.log.Warn("a server's metrics can't be read", "url", url, "error", err)
		case err == nil:
			sample.Second = second()
			s.mu.Lock()
			s.all[i].Samples = append(s.all[i].Samples, sample)
			s.mu.Unlock()
		}
		failed = err != nil
		select {
		case <-ticks.C:
		case <-ctx.Done():
			return
		}
	}
}

// processes are the servers and what was read of them.
func (s *scrapes) processes() []report.Process {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]report.Process(nil), s.all...)
}

func (s *scrapes) stop() {
	s.cancel()
	s.tasks.Wait()
	s.http.CloseIdleConnections()
}
