package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"
	"go.uber.org/goleak"
)

// asProgram makes the test binary behave as the program, so that tests can send
// it signals.
const asProgram = "ROLLCALL_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	// A hashing helper has no environment.
	if os.Getenv(asProgram) != "" || len(os.Args) == 2 && os.Args[1] == hashHelper {
		main()
	}
	goleak.VerifyTestMain(allTests{m}, goleak.IgnoreTopFunction("rollcall/store/storetest.spawn"))
}

// atEnd ends what tests share, after the last of them and before anybody looks for
// goroutines that are left.
var atEnd struct {
	sync.Mutex
	end []func()
}

func whenAllHaveRun(end func()) {
	atEnd.Lock()
	defer atEnd.Unlock()
	atEnd.end = append(atEnd.end, end)
}

type allTests struct{ tests goleak.TestingM }

func (a allTests) Run() int {
	status := a.tests.Run()
	for _, end := range atEnd.end {
		end()
	}
	return status
}

// startProcess runs serve in a process of its own until it listens.
func startProcess(t *testing.T, args ...string) (cmd *exec.Cmd, address string) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return startProcessOf(t, exe, args...)
}

// startProcessOf is startProcess of another program than the test's own.
func startProcessOf(t testing.TB, exe string, args ...string) (cmd *exec.Cmd, address string) {
	t.Helper()
	cmd = exec.Command(exe, append([]string{"serve", "--listen", "127.0.0.1:0", "--log-format", "json",
		"--outbox", t.TempDir(),
		"--hash-memory", "64", "--hash-time", "1"}, args...)...)
	cmd.Env = append(os.Environ(), asProgram+"=1", "ROLLCALL_KEY="+secretKey, "ROLLCALL_ADMIN_PASSWORD="+secretPassword)
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	lines := bufio.NewScanner(stderr)
	for lines.Scan() {
		var entry struct{ Msg, Address string }
		if json.Unmarshal(lines.Bytes(), &entry) == nil && entry.Msg == "listening" {
			return cmd, entry.Address
		}
	}
	t.Fatalf("serve ended: %v", cmd.Wait())
	return nil, ""
}

func TestASignalDrainsAndEndsTheServer(t *testing.T) {
	for _, signal := range []os.Signal{syscall.SIGTERM, os.Interrupt} {
		cmd, _ := startProcess(t)
		if err := cmd.Process.Signal(signal); err != nil {
			t.Fatal(err)
		}
		if err := cmd.Wait(); err != nil {
			t.Errorf("%v: %v", signal, err)
		}
	}
}

func TestASecondSignalEndsTheServerAtOnce(t *testing.T) {
	cmd, address := startProcess(t, "--drain-timeout", "10m", "--write-timeout", "10m")
	// This client never reads, so it never answers the close: the drain takes as
	// long as it may.
	ws, _, err := websocket.Dial(t.Context(), "ws://"+address+"/ws", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer ws.CloseNow()
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	ticks := time.NewTicker(20 * time.Millisecond)
	defer ticks.Stop()
	for signals := 0; ; signals++ { // the process may not have seen the first when the second comes
		_ = cmd.Process.Signal(syscall.SIGTERM)
		select {
		case err := <-ended:
			var exit *exec.ExitError
			if errors.As(err, &exit) && exit.Sys().(syscall.WaitStatus).Signal() == syscall.SIGTERM {
				return
			}
			t.Fatalf("after %d signals: %v, want it killed by the second", signals+1, err)
		case <-ticks.C:
		case <-t.Context().Done():
			t.Fatal("still there")
		}
	}
}

func TestAMistakeEndsTheProcessWithStatus2(t *testing.T) {
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe, "serve", "--no-such-flag")
	cmd.Env = append(os.Environ(), asProgram+"=1")
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 2 {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestTheSchedulerHasRoomForHashesBesideTheRest(t *testing.T) {
	before := runtime.GOMAXPROCS(0)
	r := start(t, admin, "--hash-workers", "3")
	if now := runtime.GOMAXPROCS(0); now != before+3 {
		t.Errorf("GOMAXPROCS %d while serving, want %d", now, before+3)
	}
	r.stop()
	if now := runtime.GOMAXPROCS(0); now != before {
		t.Errorf("GOMAXPROCS %d afterwards, want %d", now, before)
	}
	r = start(t, environ("GOMAXPROCS", "1", "ROLLCALL_KEY", secretKey, "ROLLCALL_ADMIN_PASSWORD", secretPassword))
	if now := runtime.GOMAXPROCS(0); now != before {
		t.Errorf("GOMAXPROCS %d, want it left alone", now)
	}
	r.stop()
}
