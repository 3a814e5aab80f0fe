package loadtest_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"rollcall/loadtest"
	"rollcall/loadtest/report"
)

// asWorker makes the test binary behave as a worker, of the kind that it says.
const asWorker = "LOADTEST_TEST_AS_WORKER"

func TestMain(m *testing.M) {
	switch os.Getenv(asWorker) {
	case "":
		goleak.VerifyTestMain(m)
	case "good":
		if err := loadtest.Work(context.Background(), os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	case "dying":
		fmt.Fprintln(os.Stderr, "out of memory")
		os.Exit(3)
	case "leaving":
	case "babbling":
		fmt.Println("hello, world")
		_, _ = io.Copy(io.Discard, os.Stdin)
	case "stubborn":
		signal.Ignore(os.Interrupt)
		time.Sleep(time.Hour)
	}
}

// workers starts workers of a kind, and keeps their commands.
type workers struct {
	kind string
	mu   sync.Mutex
	all  []*exec.Cmd
}

func (w *workers) command(ctx context.Context) *exec.Cmd {
	exe, err := os.Executable()
	if err != nil {
		panic(err)
	}
	cmd := exec.CommandContext(ctx, exe)
	cmd.Env = append(os.Environ(), asWorker+"="+w.kind)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.all = append(w.all, cmd)
	return cmd
}

// allEnded checks that no process is left.
func (w *workers) allEnded(t *testing.T) {
	t.Helper()
	for i, cmd := range w.all {
		if cmd.ProcessState == nil {
			t.Errorf("%s worker %d is left", w.kind, i+1)
		}
	}
}

// nobody is a plan against a server that is not there.
func nobody(processes int) loadtest.Plan {
	return loadtest.Plan{
		Servers: []string{"ws://127.0.0.1:1"}, Scope: "load", Key: "k", Connections: 10, Weights: map[loadtest.Scenario]int{loadtest.Idle: 1},
		Ramp: 10, Duration: time.Second, Processes: processes,
	}
}

func TestAWorkerThatIsGoneEndsTheRunAndIsNamed(t *testing.T) {
	for kind, want := range map[string]string{
		"dying":    "out of memory",
		"leaving":  "ended in the middle of the run",
		"babbling": "can't be read",
	} {
		w := &workers{kind: kind}
		_, err := loadtest.Run(t.Context(), nobody(2), loadtest.Options{Command: w.command})
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "worker ") {
			t.Errorf("%s: %v, want %q", kind, err, want)
		}
		w.allEnded(t)
	}
}

func TestAnInterruptedRunLeavesNoProcess(t *testing.T) {
	w := &workers{kind: "stubborn"}
	ctx, cancel := context.WithCancelCause(t.Context())
	signal := errors.New("interrupt signal received")
	_, err := loadtest.Run(ctx, nobody(2), loadtest.Options{Command: w.command, OnPhase: func(string, int64, int64) {
		cancel(signal) // both are started by then
	}})
	if !errors.Is(err, context.Canceled) || !errors.Is(err, signal) {
		t.Errorf("%v", err)
	}
	w.allEnded(t)
	if len(w.all) != 2 {
		t.Errorf("%d were started", len(w.all))
	}
}

func TestAServerThatIsNotThereIsTold(t *testing.T) {
	for _, processes := range []int{1, 2} {
		w := &workers{kind: "good"}
		phases := ""
		_, err := loadtest.Run(t.Context(), nobody(processes), loadtest.Options{Command: w.command, OnPhase: func(name string, _, _ int64) {
			if !strings.HasSuffix(phases, name) {
				phases += name
			}
		}})
		if err == nil || !strings.Contains(err.Error(), "connect to ws://127.0.0.1:1/ws") {
			t.Errorf("%d processes: %v", processes, err)
		}
		if phases != report.PhasePrepare {
			t.Errorf("%d processes: phases %s", processes, phases)
		}
		w.allEnded(t)
	}
}

func TestSeveralWorkersNeedACommand(t *testing.T) {
	if _, err := loadtest.Run(t.Context(), nobody(2), loadtest.Options{}); err == nil || !strings.Contains(err.Error(), "2 worker processes") {
		t.Errorf("%v", err)
	}
}

func TestAWorkerEndsWhenItsCoordinatorIsGone(t *testing.T) {
	for name, c := range map[string]struct{ in, want string }{
		"at once":             {"", "the coordinator is gone"},
		"an unknown order":    {`{"dance":true}` + "\n", "another version"},
		"what is no order":    {"hello\n", "the coordinator is gone"},
		"a bad server":        {`{"share":{"servers":["ftp://a"]}}` + "\n", "the scheme must be"},
		"in the middle of it": {`{"share":{"servers":["ws://127.0.0.1:1"]}}` + "\n", "the coordinator is gone"},
	} {
		var out strings.Builder
		err := loadtest.Work(t.Context(), strings.NewReader(c.in), &out)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}
