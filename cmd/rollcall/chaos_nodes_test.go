package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// buildProgram builds the program, once, without the race detector: the servers of
// the chaos tests and of the dashboard's are the program as it is shipped.
func buildProgram(t testing.TB) string {
	t.Helper()
	exe, err := shippedProgram()
	if err != nil {
		t.Fatal(err)
	}
	return exe
}

var shippedProgram = sync.OnceValues(func() (exe string, err error) {
	dir, err := os.MkdirTemp("", "rollcall-test-")
	if err != nil {
		return "", err
	}
	whenAllHaveRun(func() { _ = os.RemoveAll(dir) })
	exe = filepath.Join(dir, "rollcall")
	if out, err := exec.Command("go", "build", "-o", exe, ".").CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return exe, nil
})

// A chaosNode is one serve process.
type chaosNode struct {
	name    string
	address string
	cmd     *exec.Cmd
	ended   chan struct{} // closed when the process is
	log     *nodeLog
	dead    atomic.Bool // killed by the test
}

// startNodes starts a process for each name, one after the other, on one storage.
func startNodes(t *testing.T, exe, redis, scope string, names []string, more ...string) []*chaosNode {
	t.Helper()
	spawn := newSpawner(t)
	var nodes []*chaosNode
	for _, name := range names {
		nodes = append(nodes, startNode(t, spawn, exe, append([]string{
			"serve", "--listen", "127.0.0.1:0", "--log-format", "json", "--node", name,
			"--redis", redis, "--scope", scope, "--outbox", t.TempDir(),
			"--hash-memory", "64", "--hash-time", "1", "--hash-queue", "4000",
			"--max-connections", "8000", "--drain-timeout", "1s",
		}, more...)))
	}
	return nodes
}

func startNode(t *testing.T, spawn *spawner, exe string, args []string) *chaosNode {
	t.Helper()
	n := &chaosNode{ended: make(chan struct{}), log: &nodeLog{found: make(chan string, 1)}}
	n.cmd = exec.Command(exe, args...)
	n.cmd.Env = append(os.Environ(), "ROLLCALL_KEY="+secretKey, "ROLLCALL_ADMIN_PASSWORD="+secretPassword)
	n.cmd.Stderr = n.log
	for i, arg := range args {
		if arg == "--node" {
			n.name = args[i+1]
		}
	}
	if err := spawn.start(n.cmd); err != nil {
		t.Fatal(err)
	}
	go func() { _ = n.cmd.Wait(); close(n.ended) }()
	t.Cleanup(func() {
		early := n.hasEnded() && !n.dead.Load()
		n.kill()
		if early {
			t.Errorf("node %s ended by itself: %v", n.name, n.cmd.ProcessState)
		}
		if strings.Contains(n.log.tail(), "panic") {
			t.Errorf("node %s panicked", n.name)
		}
		if t.Failed() {
			t.Logf("node %s logged:\n%s", n.name, n.log.tail())
		}
	})
	select {
	case n.address = <-n.log.found:
	case <-n.ended:
		t.Fatalf("serve %q ended: %v\n%s", args[1:], n.cmd.ProcessState, n.log.tail())
	case <-time.After(30 * time.Second):
		t.Fatalf("node %s does not listen", n.name)
	}
	return n
}

// kill ends the process by SIGKILL and waits for its end.
func (n *chaosNode) kill() {
	n.dead.Store(true)
	_ = n.cmd.Process.Kill()
	<-n.ended
}

func (n *chaosNode) hasEnded() bool {
	select {
	case <-n.ended:
		return true
	default:
		return false
	}
}

// A nodeLog keeps the lines of a process that are more than information, up to
// a size, and finds its address.
type nodeLog struct {
	found chan string

	mu   sync.Mutex
	part []byte // of a line
	kept bytes.Buffer
	left int // lines that had no room
}

const keptLog = 8 << 10

func (l *nodeLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.part = append(l.part, p...)
	for {
		line, rest, whole := bytes.Cut(l.part, []byte("\n"))
		if !whole {
			return len(p), nil
		}
		l.line(line)
		l.part = append(l.part[:0], rest...)
	}
}

func (l *nodeLog) line(line []byte) {
	var entry struct{ Level, Msg, Address string }
	if json.Unmarshal(line, &entry) == nil {
		if entry.Msg == "listening" {
			select {
			case l.found <- entry.Address:
			default:
			}
		}
		if entry.Level == "INFO" || entry.Level == "DEBUG" {
			return
		}
	}
	if l.kept.Len() > keptLog && !bytes.Contains(line, []byte("panic")) {
		l.left++
		return
	}
	l.kept.Write(line)
	l.kept.WriteByte('\n')
}

// tail is what was kept.
func (l *nodeLog) tail() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	text := l.kept.String() + string(l.part)
	if l.left > 0 {
		text += fmt.Sprintf("(and %d lines more)\n", l.left)
	}
	return text
}
