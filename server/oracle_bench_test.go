package server_test

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"testing"
	"time"

	"rollcall/loadtest/bare/turns"
	"rollcall/server"
	"rollcall/server/passwords"
	"rollcall/server/wiretest"
	"rollcall/store"
	"rollcall/store/storetest"
)

const oracleSamples = 200 // of each kind

// BenchmarkResetOracle takes the times of users.sendPasswordReset for a known and
// for an unknown address, in random order, and of a core.ping right after it, by
// which somebody might feel the work that follows the answer. BenchmarkLoginOracle
// takes those of logins that end in 603 and in 604.
//
// Both compare 200 samples of each kind by rank: "p" is the chance of a
// difference as large as this one if there is none (Mann-Whitney U, two-sided),
// "auc" how often a random known one took longer than a random unknown one, 0.5
// for never knowing. The times of a machine under load differ by themselves, so
// nothing is asserted:
//
//	go test ./server -run '^$' -bench Oracle -benchtime 1x -count 5
func BenchmarkResetOracle(b *testing.B) {
	dir := b.TempDir()
	c := oracleServer(b, func(cfg *server.Config) { cfg.Outbox, cfg.MailLimit = dir, 1<<30 })
	reset := func(email string) func() time.Duration {
		return func() time.Duration {
			return timed(b, c, "users.sendPasswordReset", obj{"email": email}, 0)
		}
	}
	ping := func(email string) func() time.Duration {
		return func() time.Duration {
			reset(email)()
			return timed(b, c, "core.ping", nil, 0)
		}
	}
	for name, f := range map[string]func(string) func() time.Duration{"answer": reset, "ping after it": ping} {
		b.Run(name, func(b *testing.B) { compare(b, f("known@home.example"), f("nobody@home.example")) })
	}
}

// BenchmarkLoginOracle: see [BenchmarkResetOracle].
func BenchmarkLoginOracle(b *testing.B) {
	c := oracleServer(b, func(cfg *server.Config) { cfg.Hash = passwords.OWASP })
	for name, who := range map[string]string{"username": "%s", "email": "%s@home.example"} {
		b.Run(name, func(b *testing.B) {
			attempt := func(user string, status int) func() time.Duration {
				params := obj{name: fmt.Sprintf(who, user), "password": "wrong"}
				return func() time.Duration { return timed(b, c, "users.login", params, status) }
			}
			compare(b, attempt("known", 603), attempt("nobody", 604))
		})
	}
}

// oracleServer runs a server on a Redis of its own and returns a connection to
// it; the user "known" is there.
func oracleServer(b *testing.B, change func(*server.Config)) *wiretest.Client {
	st, err := store.Open(context.Background(), store.Config{URL: storetest.Redis(b).URL()})
	if err != nil {
		b.Fatal(err)
	}
	cfg := server.Config{Listen: "127.0.0.1:0", Key: theKey, AutoScopes: true, Logger: slog.New(slog.DiscardHandler), DrainTimeout: time.Second,
		Hash: passwords.Params{Memory: 64, Time: 1, Threads: 1}}
	change(&cfg)
	srv, err := server.New(cfg, st)
	if err != nil {
		b.Fatal(err)
	}
	if _, err := srv.Bootstrap(context.Background(), server.BootstrapOptions{AdminPassword: theAdmin}); err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- srv.Serve(ctx) }()
	b.Cleanup(func() {
		cancel()
		if err := <-served; err != nil {
			b.Error(err)
		}
		if err := st.Close(); err != nil {
			b.Error(err)
		}
	})
	c := wiretest.Dial(b, srv.Addr().String())
	timed(b, c, "core.init", initParams(theScope), 0)
	timed(b, c, "users.create", obj{"username": "known", "password": thePassword, "email": "known@home.example"}, 0)
	return c
}

// timed is how long a call took that must end with a status.
func timed(b *testing.B, c *wiretest.Client, typ string, params any, status int) time.Duration {
	b.Helper()
	began := time.Now()
	r, err := c.Do(typ, params)
	took := time.Since(began)
	if err != nil || r.Status() != status {
		b.Fatalf("%s: %v %s, want status %d", typ, err, r.Raw, status)
	}
	return took
}

// compare takes samples of two calls in random order and reports how well their
// times tell them apart.
func compare(b *testing.B, known, unknown func() time.Duration) {
	var times [2][]float64
	sample := func() {
		first := rand.IntN(2)
		for _, which := range []int{first, 1 - first} {
			times[which] = append(times[which], float64([]func() time.Duration{known, unknown}[which]()))
		}
	}
	for range 20 { // the first ones find nothing warm
		sample()
	}
	times = [2][]float64{}
	for b.Loop() {
		sample()
	}
	for len(times[0]) < oracleSamples {
		sample()
	}
	x, y := times[0][:oracleSamples], times[1][:oracleSamples]
	u, p := mannWhitney(x, y)
	b.ReportMetric(u, "U")
	b.ReportMetric(p, "p")
	b.ReportMetric(u/float64(len(x)*len(y)), "auc")
	b.ReportMetric(turns.Median(x)/1e3, "known-µs")
	b.ReportMetric(turns.Median(y)/1e3, "unknown-µs")
}
