package passwords

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"
)

// asHelper makes the test binary behave as a hashing helper.
const asHelper = "ROLLCALL_TEST_AS_HASHING_HELPER"

func helperMain() {
	if os.Getenv(asHelper) == "ends" {
		os.Exit(3)
	}
	if err := ServeHelper(os.Stdin, os.Stdout); err != nil {
		os.Exit(1)
	}
	os.Exit(0)
}

// helpers starts helpers and remembers them.
type helpers struct {
	t       testing.TB
	mode    string
	mu      sync.Mutex
	started []*exec.Cmd
}

func (h *helpers) command() *exec.Cmd {
	exe, err := os.Executable()
	if err != nil {
		h.t.Fatal(err)
	}
	cmd := exec.Command(exe)
	cmd.Env = []string{asHelper + "=" + h.mode}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.started = append(h.started, cmd)
	return cmd
}

func (h *helpers) all() []*exec.Cmd {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.started
}

// kill kills the helper that a pool has now, if it has one.
func kill(pool *Pool) { pool.engine.(*helper).end() }

var quiet = slog.New(slog.DiscardHandler)

func newHelperPool(t testing.TB, o Options) (*Pool, *helpers) {
	t.Helper()
	h := &helpers{t: t, mode: "yes"}
	o.Helper = h.command
	if o.Logger == nil {
		o.Logger = quiet
	}
	pool, err := NewPool(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return pool, h
}

// bothPools are a pool that hashes in this process and one that has a helper.
func bothPools(t testing.TB, o Options) map[string]*Pool {
	t.Helper()
	with, _ := newHelperPool(t, o)
	return map[string]*Pool{"process": newPool(t, o.Params, o.Workers, o.Queue), "helper": with}
}

func TestARecordMadeInAHelperFitsInThisProcessAndBack(t *testing.T) {
	pools, ctx := bothPools(t, Options{Params: cheap, Workers: 2, Queue: 8}), context.Background()
	hash, err := bcrypt.GenerateFromPassword([]byte("right"), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	records := map[string][]byte{}
	for name, pool := range pools {
		if records[name], err = pool.Hash(ctx, Players, "right"); err != nil {
			t.Fatal(err)
		}
	}
	brought := map[string][]byte{}
	brought["bcrypt"], _ = NewForeign(Bcrypt, string(hash))
	brought["argon2id"], _ = NewForeign(Argon2id, phc(Params{Memory: 64, Time: 3, Threads: 4}, "right", 16, 24))
	for in, pool := range pools {
		for secret, want := range map[string]bool{"right": true, "wrong": false, "": false} {
			for from, record := range records {
				if ok, stale, err := pool.Verify(ctx, Players, record, secret); ok != want || stale || err != nil {
					t.Errorf("%q of the %s, in the %s: %v, stale %v, %v", secret, from, in, ok, stale, err)
				}
			}
			for kind, record := range brought {
				if ok, err := pool.VerifyForeign(ctx, Players, record, secret); ok != want || err != nil {
					t.Errorf("%q of %s, in the %s: %v, %v", secret, kind, in, ok, err)
				}
			}
		}
	}
}

func TestAnErrorOfTheHashIsNotTakenForAHelperThatEnded(t *testing.T) {
	pool, h := newHelperPool(t, Options{Params: cheap, Workers: 1, Queue: 1})
	_, err := pool.VerifyForeign(context.Background(), Players, []byte{kindBcrypt, 'x'}, "s")
	if err == nil || errors.Is(err, ErrBusy) {
		t.Errorf("got %v, want bcrypt's error", err)
	}
	if n := len(h.all()); n != 1 {
		t.Errorf("%d helpers were started, want 1", n)
	}
}

func TestAHelperThatWasKilledIsReplacedAndItsHashesAnswerBusy(t *testing.T) {
	pool, h := newHelperPool(t, Options{Params: cheap, Workers: 1, Queue: 1})
	// Dear enough to be under way when the kill comes, on any machine.
	dear := makeRecord(Params{Memory: 128 << 10, Time: 64, Threads: 1}, make([]byte, saltLen), make([]byte, keyLen))
	got := make(chan error)
	go func() {
		_, _, err := pool.Verify(context.Background(), Players, dear, "s")
		got <- err
	}()
	for answered := false; !answered; {
		kill(pool)
		select {
		case err := <-got:
			if answered = true; !errors.Is(err, ErrBusy) {
				t.Errorf("got %v, want ErrBusy", err)
			}
		case <-time.After(10 * time.Millisecond):
		}
	}
	// Another is there soon; until then everybody is told to come again.
	for {
		_, err := pool.Hash(context.Background(), Players, "s")
		if err == nil {
			break
		}
		if !errors.Is(err, ErrBusy) {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Millisecond)
	}
	if n := len(h.all()); n < 2 {
		t.Errorf("%d helper was started, want another", n)
	}
}

func TestACallerWhoLeavesDoesNotDisturbTheHelper(t *testing.T) {
	pool, h := newHelperPool(t, Options{Params: cheap, Workers: 1, Queue: 1})
	dear := makeRecord(Params{Memory: 64 << 10, Time: 8, Threads: 1}, make([]byte, saltLen), make([]byte, keyLen))
	ctx, cancel := context.WithCancel(context.Background())
	left := make(chan error)
	go func() {
		_, _, err := pool.Verify(ctx, Players, dear, "s")
		left <- err
	}()
	for pool.Waiting() == 0 {
		time.Sleep(time.Millisecond)
	}
	cancel()
	if err := <-left; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want the context's error", err)
	}
	record, err := pool.Hash(context.Background(), Players, "right")
	if err != nil {
		t.Fatal(err)
	}
	if ok, _, err := pool.Verify(context.Background(), Players, record, "right"); !ok || err != nil {
		t.Errorf("got %v, %v", ok, err)
	}
	if n := len(h.all()); n != 1 {
		t.Errorf("%d helpers were started, want 1", n)
	}
}

func TestAHelperThatCannotBeStartedIsAnErrorAtOnce(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "missing")
	_, err := NewPool(Options{Params: cheap, Queue: 1, Helper: func() *exec.Cmd { return exec.Command(missing) }})
	if err == nil || !strings.Contains(err.Error(), "hashing helper") {
		t.Errorf("got %v", err)
	}
}

func TestAHelperThatKeepsEndingIsLoggedAndClosedWithThePool(t *testing.T) {
	h := &helpers{t: t, mode: "ends"}
	var ended atomic.Int64
	pool, err := NewPool(Options{Params: cheap, Workers: 1, Queue: 1, Helper: h.command, Logger: slog.New(counting{slog.DiscardHandler, &ended})})
	if err != nil {
		t.Fatal(err)
	}
	for ended.Load() < 3 {
		if _, err := pool.Hash(context.Background(), Players, "s"); !errors.Is(err, ErrBusy) {
			t.Fatalf("got %v, want ErrBusy", err)
		}
		time.Sleep(time.Millisecond)
	}
	pool.Close() // while it waits before the next, or starts it
	for _, cmd := range h.all() {
		if cmd.ProcessState == nil {
			t.Error("a helper outlived its pool")
		}
	}
}

// counting counts what is logged.
type counting struct {
	slog.Handler
	n *atomic.Int64
}

func (counting) Enabled(context.Context, slog.Level) bool { return true }

func (c counting) Handle(context.Context, slog.Record) error { c.n.Add(1); return nil }

func TestAPoolEndsAtOnceWithItsHelperAndWhatThatIsAt(t *testing.T) {
	h := &helpers{t: t, mode: "yes"}
	pool, err := NewPool(Options{Params: cheap, Workers: 2, Queue: 2, Helper: h.command})
	if err != nil {
		t.Fatal(err)
	}
	// A minute's work and more.
	dear := makeRecord(Params{Memory: 1 << 20, Time: 64, Threads: 1}, make([]byte, saltLen), make([]byte, keyLen))
	got := make(chan error)
	for range 3 {
		go func() {
			_, _, err := pool.Verify(context.Background(), Players, dear, "s")
			got <- err
		}()
	}
	for pool.Waiting() < 3 {
		time.Sleep(time.Millisecond)
	}
	pool.Close()
	for range 3 {
		if err := <-got; !errors.Is(err, ErrBusy) {
			t.Errorf("got %v, want ErrBusy", err)
		}
	}
	if cmd := h.all()[0]; cmd.ProcessState == nil {
		t.Error("the helper is still there")
	}
}

func TestAHelperEndsWithTheProcessThatAsks(t *testing.T) {
	in, asks := io.Pipe()
	var out bytes.Buffer
	ended := make(chan error)
	go func() { ended <- ServeHelper(in, &out) }()
	_ = asks.Close() // as the kernel does for a process that was killed
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestSecretsAreInNoArgumentAndNoVariableOfAHelper(t *testing.T) {
	pool, h := newHelperPool(t, Options{Params: cheap, Workers: 1, Queue: 1})
	if _, err := pool.Hash(context.Background(), Players, "a-5ecret"); err != nil {
		t.Fatal(err)
	}
	cmd := h.all()[0]
	if all := strings.Join(append(cmd.Args, cmd.Env...), " "); strings.Contains(all, "5ecret") {
		t.Error(all)
	}
}
