package server_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"strconv"
	"strings"
	"testing"
	"time"

	"rollcall/loadtest/bare"
	"rollcall/loadtest/bare/turns"
	"rollcall/server"
	"rollcall/store"
)

// Some rows are about the server's memory or about as many connections as a
// process may have. There the server, or the reference, is a process of its own:
// this test binary again, told so by its environment.

const (
	benchServes = "ROLLCALL_BENCH_SERVES" // what is served: see benchServe
	benchGrace  = "ROLLCALL_BENCH_GRACE"  // the node's OfflineGrace
	benchURL    = "ROLLCALL_BENCH_REDIS"

	// benchProfiles is for whoever runs the benchmark: a folder for the processes'
	// profiles, which -cpuprofile and -memprofile don't see. WHAT.cpu is of a
	// process's whole life, WHAT.heap of its last collect; a later process of the
	// same kind writes over them.
	benchProfiles = "ROLLCALL_BENCH_PROFILES"
)

// A usage is what a server process says of itself.
type usage struct {
	Memory uint64        // bytes of heap and of stacks in use, after two collections
	RSS    uint64        // bytes resident after them; what the kernel holds for sockets is not among them
	CPU    time.Duration // used so far, before the collections
	Files  int           // open ones, of which each connection is one
}

// benchServe serves an "echo" or a "lean-echo" of package bare, or "rollcall".
// It writes the URL to stdout, and a usage for every line that comes in on stdin.
// The end of stdin ends it.
func benchServe(what string) {
	fail := func(err error) {
		if err != nil {
			fmt.Fprintln(os.Stderr, "bench server:", err)
			os.Exit(1)
		}
	}
	url := ""
	switch what {
	case "rollcall":
		st, err := store.Open(context.Background(), store.Config{URL: os.Getenv(benchURL)})
		fail(err)
		cfg := benchConfig("a")
		cfg.OfflineGrace, err = time.ParseDuration(os.Getenv(benchGrace))
		fail(err)
		srv, err := server.New(cfg, st)
		fail(err)
		_, err = srv.Bootstrap(context.Background(), benchBootstrap)
		fail(err)
		go func() { fail(srv.Serve(context.Background())) }()
		url = "ws://" + srv.Addr().String() + "/ws"
	default:
		s, err := bare.Serve(map[string]http.Handler{"echo": bare.Echo(), "lean-echo": bare.LeanEcho()}[what])
		fail(err)
		url = s.URL()
	}
	profiles := os.Getenv(benchProfiles)
	if profiles != "" {
		f, err := os.Create(filepath.Join(profiles, what+".cpu"))
		fail(err)
		fail(pprof.StartCPUProfile(f))
		defer func() { pprof.StopCPUProfile(); fail(f.Close()) }()
	}
	fmt.Println(url)
	asked, answers := bufio.NewScanner(os.Stdin), json.NewEncoder(os.Stdout)
	for asked.Scan() {
		u, err := ownUsage(asked.Text() == "collect")
		fail(err)
		fail(answers.Encode(u))
		if profiles != "" && asked.Text() == "collect" {
			f, err := os.Create(filepath.Join(profiles, what+".heap"))
			fail(err)
			fail(errors.Join(pprof.Lookup("heap").WriteTo(f, 0), f.Close()))
		}
	}
}

func ownUsage(collect bool) (u usage, err error) {
	u.CPU = turns.CPU()
	files, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return u, err
	}
	u.Files = len(files)
	if !collect {
		return u, nil
	}
	runtime.GC()
	runtime.GC() // what the pools kept
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	u.Memory = m.HeapInuse + m.StackInuse
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return u, err
	}
	_, rest, _ := strings.Cut(string(status), "VmRSS:")
	kB, _, _ := strings.Cut(strings.TrimSpace(rest), " ")
	n, err := strconv.ParseUint(kB, 10, 64)
	u.RSS = n << 10
	return u, err
}

// A serverProcess is such a process, seen from outside.
type serverProcess struct {
	b     *testing.B
	url   string
	cmd   *exec.Cmd
	stdin io.WriteCloser
	lines *bufio.Scanner
}

// benchProcess starts a process. redis and grace are for "rollcall". It ends with
// the benchmark, or by end.
func benchProcess(b *testing.B, what, redis string, grace time.Duration) *serverProcess {
	exe, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	p := &serverProcess{b: b, cmd: exec.Command(exe)}
	p.cmd.Env = append(os.Environ(), benchServes+"="+what, benchURL+"="+redis, benchGrace+"="+grace.String())
	p.cmd.Stderr = os.Stderr
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		b.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(p.end)
	p.lines = bufio.NewScanner(stdout)
	if !p.lines.Scan() {
		b.Fatalf("the %s server did not start", what)
	}
	p.url = p.lines.Text()
	return p
}

func (p *serverProcess) end() {
	if p.cmd == nil {
		return
	}
	p.stdin.Close()
	if err := p.cmd.Wait(); err != nil {
		p.b.Errorf("server process: %v", err)
	}
	p.cmd = nil
}

func (p *serverProcess) ask(question string) (u usage) {
	p.b.Helper()
	if _, err := io.WriteString(p.stdin, question+"\n"); err != nil || !p.lines.Scan() {
		p.b.Fatalf("server process: %v", err)
	}
	if err := json.Unmarshal(p.lines.Bytes(), &u); err != nil {
		p.b.Fatalf("server process: %v", err)
	}
	return u
}

// collect makes the process collect its garbage, twice.
func (p *serverProcess) collect() usage { return p.ask("collect") }

func (p *serverProcess) cpu() time.Duration { return p.ask("").CPU }

// rest waits until the process has nothing to do: it used less than a twentieth
// of a CPU for a while, which is what asking costs.
func (p *serverProcess) rest() {
	const look = 200 * time.Millisecond
	for hung := time.Now().Add(benchPatience); ; {
		before := p.cpu()
		time.Sleep(look)
		if p.cpu()-before < look/20 {
			return
		}
		if time.Now().After(hung) {
			p.b.Fatal("the server process does not come to rest")
		}
	}
}

// cut ends connections and waits until the server has noticed. What it does about
// that may take longer: see rest.
func (p *serverProcess) cut(conns []*bare.Conn) {
	before := p.ask("").Files
	inParallel(8, len(conns), func(i int) { conns[i].Cut() })
	for hung := time.Now().Add(benchPatience); p.ask("").Files > before-len(conns); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(hung) {
			p.b.Fatal("the server process keeps connections that were cut")
		}
	}
}

// open opens n connections, so many at a time, and waits for the answer to the
// first message of each.
func (p *serverProcess) open(n, atOnce int, first func(i int) bare.Message, answered string) []*bare.Conn {
	p.b.Helper()
	conns := make([]*bare.Conn, n)
	inParallel(atOnce, n, func(i int) {
		c, err := bare.Dial(context.Background(), p.url)
		if err != nil {
			p.b.Error(err)
			return
		}
		conns[i] = c
		_ = c.SetDeadline(time.Now().Add(benchPatience))
		if reply, err := c.Ask(first(i)); err != nil || !strings.Contains(string(reply), answered) {
			p.b.Errorf("first message: %v %s", err, reply)
		}
	})
	if p.b.Failed() {
		p.b.FailNow()
	}
	return conns
}
