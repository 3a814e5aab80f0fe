package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// The memory that the server and its helper may ask the kernel for, each, in KiB
// (RLIMIT_DATA: heap, stacks of threads and what else is private and writable).
// Hashes of 19 MiB for 64 connections would need 1.2 GiB.
const stormMemory = 300 << 10

func TestAPasswordStormWithinALimitOfMemoryKillsNobody(t *testing.T) {
	s := startLimited(t, buildProgram(t))
	other := s.dial(t)
	created := s.ask(t, other, `{"id":2,"type":"users.create","data":{"username":"tiny","password":"abcd1234"}}`)
	_, id, found := strings.Cut(created, `"user_id":"`)
	if !found {
		t.Fatal(created)
	}
	get := `{"id":3,"type":"users.get","data":{"user_id":"` + id[:36] + `"}}`

	var busy, hashed atomic.Int64
	var storm sync.WaitGroup
	for i := range 64 {
		ws := s.dial(t)
		storm.Go(func() {
			for range 2 {
				reply := s.ask(t, ws, fmt.Sprintf(`{"id":2,"type":"users.login","data":{"username":"u%d","password":"abcd1234"}}`, i))
				switch {
				case strings.Contains(reply, `"status":809`):
					busy.Add(1)
				case strings.Contains(reply, `"status":604`): // unknown, which cost a hash to find out
					hashed.Add(1)
				default:
					t.Errorf("a login was answered %s", reply)
				}
			}
		})
	}
	over := make(chan struct{})
	go func() { storm.Wait(); close(over) }()
	for going := true; going; {
		if reply := s.ask(t, other, get); !strings.Contains(reply, `"tiny"`) {
			t.Fatalf("users.get was answered %s", reply)
		}
		select {
		case <-over:
			going = false
		case <-time.After(10 * time.Millisecond):
		}
	}
	if busy.Load() == 0 || hashed.Load() == 0 {
		t.Errorf("%d logins were told 809 and %d were hashed, want some of each", busy.Load(), hashed.Load())
	}
	server := s.cmd.Process.Pid
	helpers := children(t, server)
	if len(helpers) != 1 {
		t.Fatalf("the server has the helpers %v, want one", helpers)
	}
	t.Logf("%d hashed, %d told 809; at most %d MiB in the server, %d in the helper", hashed.Load(), busy.Load(), peak(t, server), peak(t, helpers[0]))

	// Where memory runs out all the same, the kernel takes the helper.
	if score, err := os.ReadFile(fmt.Sprintf("/proc/%d/oom_score_adj", helpers[0])); err != nil || string(score) != "1000\n" {
		t.Errorf("oom_score_adj %q, %v; want 1000", score, err)
	}
	if err := syscall.Kill(helpers[0], syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	login := `{"id":4,"type":"users.login","data":{"username":"tiny","password":"abcd1234"}}`
	reply := s.ask(t, other, login)
	for strings.Contains(reply, `"status":809`) {
		time.Sleep(10 * time.Millisecond)
		reply = s.ask(t, other, login)
	}
	if !strings.Contains(reply, `"token"`) {
		t.Errorf("after the helper was killed, a login was answered %s", reply)
	}
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	s.log.Wait()
	if err := s.cmd.Wait(); err != nil {
		t.Errorf("the server ended: %v\n%s", err, s.stderr.String())
	}
	if ended := strings.Count(s.stderr.String(), "hashing helper"); ended != 1 {
		t.Errorf("helpers ended %d times, want only the one that was killed\n%s", ended, s.stderr.String())
	}
}

// A limited server is one that may have stormMemory.
type limited struct {
	cmd     *exec.Cmd
	address string
	log     sync.WaitGroup
	stderr  bytes.Buffer
}

func startLimited(t *testing.T, exe string, args ...string) *limited {
	t.Helper()
	script := fmt.Sprintf(`ulimit -d %d && exec "$0" "$@"`, stormMemory)
	s := &limited{cmd: exec.Command("/bin/sh", append([]string{"-c", script, exe, "serve", "--listen", "127.0.0.1:0", "--log-format", "json",
		"--outbox", t.TempDir(), "--request-timeout", "10m", "--hash-queue", "8", "--hash-workers", "2"}, args...)...)}
	s.cmd.Env = append(os.Environ(), "ROLLCALL_KEY="+secretKey, "ROLLCALL_ADMIN_PASSWORD="+secretPassword)
	stderr, err := s.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.cmd.Process.Kill(); s.log.Wait(); _ = s.cmd.Wait() })
	lines := bufio.NewScanner(stderr)
	for s.address == "" && lines.Scan() {
		var entry struct{ Msg, Address string }
		if json.Unmarshal(lines.Bytes(), &entry) == nil && entry.Msg == "listening" {
			s.address = entry.Address
		}
		s.stderr.Write(append(lines.Bytes(), '\n'))
	}
	if s.address == "" {
		t.Fatalf("serve ended\n%s", s.stderr.String())
	}
	s.log.Go(func() {
		for lines.Scan() {
			s.stderr.Write(append(lines.Bytes(), '\n'))
		}
	})
	return s
}

func (s *limited) dial(t *testing.T) *websocket.Conn {
	t.Helper()
	ws, _, err := websocket.Dial(t.Context(), "ws://"+s.address+"/ws", nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ws.CloseNow() })
	s.ask(t, ws, `{"id":1,"type":"core.init","data":{"scope":"A","key":"`+secretKey+`"}}`)
	return ws
}

// ask returns the reply to the one request that is under way, or "" after an error.
func (s *limited) ask(t *testing.T, ws *websocket.Conn, request string) string {
	if err := ws.Write(t.Context(), websocket.MessageText, []byte(request)); err != nil {
		t.Error(err)
		return ""
	}
	_, reply, err := ws.Read(t.Context())
	if err != nil {
		t.Error(err)
	}
	return string(reply)
}

// children returns the processes that a process started.
func children(t *testing.T, pid int) (pids []int) {
	t.Helper()
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	if err != nil || len(threads) == 0 {
		t.Fatalf("no threads of %d: %v", pid, err)
	}
	for _, thread := range threads {
		text, _ := os.ReadFile(thread) // a thread that ended has none
		for _, word := range strings.Fields(string(text)) {
			child, err := strconv.Atoi(word)
			if err != nil {
				t.Fatal(err)
			}
			pids = append(pids, child)
		}
	}
	return pids
}

// peak returns the most memory that a process had, in MiB.
func peak(t *testing.T, pid int) (mib int) {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	_, kib, _ := strings.Cut(string(status), "VmHWM:")
	if _, err := fmt.Sscan(kib, &mib); err != nil {
		t.Fatal(err)
	}
	return mib >> 10
}
