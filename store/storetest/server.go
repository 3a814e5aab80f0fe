package storetest

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"maps"
	"math/rand/v2"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// patience is how long a server may take to start, to stop or to agree with
// the others, on a busy machine.
const patience = 30 * time.Second

// A Server is one redis-server.
type Server struct {
	dir     string
	options map[string]string

	mu      sync.Mutex
	t       testing.TB
	port    int // fixed once it has answered
	busPort int // of a cluster's node, else 0
	settled bool
	proc    *os.Process   // nil while it does not run
	exited  chan struct{} // closed when proc has ended
	client  *redis.Client

	secure *tls.Config // how its client speaks TLS; nil when the server does not

	// What a sentinel's configuration file says besides the options. Empty for
	// a server, which gets its options as arguments.
	watch []string
}

// Redis starts a server for this test. args are pairs of an option of
// redis-server and its value, which replace the defaults: appendonly yes,
// appendfsync always, save "".
func Redis(t testing.TB, args ...string) *Server {
	t.Helper()
	s := newServer(t, t.TempDir(), args...)
	t.Cleanup(func() {
		s.Kill()
		s.showLog()
	})
	s.Start()
	return s
}

// newServer prepares a server in dir, on a port that is free now.
func newServer(t testing.TB, dir string, args ...string) *Server {
	t.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		t.Fatal("redis-server not found: install it with apt-get install redis-server")
	}
	options := map[string]string{
		"bind":                 "127.0.0.1",
		"dir":                  dir,
		"logfile":              filepath.Join(dir, "log"),
		"daemonize":            "no",
		"appendonly":           "yes",
		"appendfsync":          "always",
		"save":                 "",
		"shutdown-timeout":     "0",
		"enable-debug-command": "yes",
	}
	for pair := range slices.Chunk(args, 2) {
		if len(pair) != 2 {
			t.Fatalf("storetest: option %s has no value", pair[0])
		}
		options[strings.TrimLeft(pair[0], "-")] = pair[1]
	}
	s := &Server{t: t, dir: dir, options: options}
	s.choosePorts()
	return s
}

// choosePorts gives the server ports that are free now.
func (s *Server) choosePorts() {
	s.t.Helper()
	if s.client != nil {
		s.client.Close()
	}
	s.port = freePort(s.t)
	s.options["port"] = strconv.Itoa(s.port)
	if s.secure != nil {
		s.options["port"], s.options["tls-port"] = "0", s.options["port"]
	}
	if s.options["cluster-enabled"] == "yes" {
		s.busPort = freePort(s.t)
		s.options["cluster-port"] = strconv.Itoa(s.busPort)
	}
	s.client = redis.NewClient(&redis.Options{
		Addr:            s.Addr(),
		Password:        s.options["requirepass"],
		Protocol:        2,
		DisableIdentity: true,
		MaxRetries:      -1,
		DialerRetries:   1,
		DialTimeout:     time.Second,
		TLSConfig:       s.secure,
	})
}

// freePort finds a port on which nobody listens. It looks below the range from
// which the kernel gives ports to outgoing connections, because a server that
// is restarted must find its port free again.
func freePort(t testing.TB) int {
	t.Helper()
	for range 100 {
		port := 15000 + rand.IntN(15000)
		l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err == nil {
			l.Close()
			return port
		}
	}
	t.Fatal("storetest: no free port found")
	return 0
}

// Addr is the server's host:port.
func (s *Server) Addr() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port)) }

// URL is the storage URL of this server, with the password if it wants one.
func (s *Server) URL() string {
	scheme := "redis://"
	if s.secure != nil {
		scheme = "rediss://"
	}
	return scheme + userinfo(s.options["requirepass"]) + s.Addr()
}

// userinfo is what stands before the hosts in a storage URL.
func userinfo(password string) string {
	if password == "" {
		return ""
	}
	return ":" + url.PathEscape(password) + "@"
}

// Client is a connection of the test's own, which neither repeats a command nor
// hides an error.
func (s *Server) Client() *redis.Client { return s.client }

// Start starts the server, on the port and the data that it had before, and
// waits until it answers. A running server is left alone.
func (s *Server) Start() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.t.Helper()
	if s.alive() {
		return
	}
	for try := 1; ; try++ {
		err := s.tryStart()
		if err == nil {
			s.settled = true
			return
		}
		if s.settled || try == 5 {
			s.t.Fatalf("redis-server: %v\n%s", err, s.log())
		}
		s.choosePorts() // another process was faster
	}
}

func (s *Server) tryStart() error {
	args, err := s.arguments()
	if err != nil {
		return err
	}
	cmd := exec.Command("redis-server", args...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := start(cmd); err != nil {
		return err
	}
	exited := make(chan struct{})
	go func() {
		cmd.Wait()
		close(exited)
	}()
	s.proc, s.exited = cmd.Process, exited

	// Another server may answer on a port that two wanted: the process id
	// tells. One that still loads its data answers INFO, but PING only when it
	// is done.
	self := fmt.Sprintf("process_id:%d\r\n", cmd.Process.Pid)
	for deadline := time.Now().Add(patience); ; {
		info, err := s.client.Info(context.Background(), "server").Result()
		if err == nil && strings.Contains(info, self) {
			if err = s.client.Ping(context.Background()).Err(); err == nil {
				return nil
			}
		}
		select {
		case <-exited:
			s.proc = nil
			return fmt.Errorf("ended at once: %s", out.String())
		case <-time.After(10 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("does not answer: %v", err)
		}
	}
}

func (s *Server) arguments() ([]string, error) {
	if len(s.watch) > 0 {
		return s.sentinelArguments()
	}
	var args []string
	for _, name := range slices.Sorted(maps.Keys(s.options)) {
		args = append(args, "--"+name, s.options[name])
	}
	return args, nil
}

// alive reports whether the process runs. s.mu is held.
func (s *Server) alive() bool {
	if s.proc == nil {
		return false
	}
	select {
	case <-s.exited:
		s.proc = nil
		return false
	default:
		return true
	}
}

// Stop ends the server by SIGTERM and waits for its end. What it acknowledged
// is on disk.
func (s *Server) Stop() { s.end(syscall.SIGTERM) }

// Kill ends the server by SIGKILL and waits for its end.
func (s *Server) Kill() { s.end(syscall.SIGKILL) }

func (s *Server) end(sig os.Signal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.proc == nil {
		return
	}
	s.proc.Signal(sig)
	select {
	case <-s.exited:
	case <-time.After(patience):
		s.t.Errorf("redis-server did not end on %v", sig)
		s.proc.Kill()
		<-s.exited
	}
	s.proc = nil
}

// Pause stops the server's process, so that connections stay but nobody
// answers; Resume lets it go on.
func (s *Server) Pause() { s.signal(syscall.SIGSTOP) }

// Resume ends a Pause.
func (s *Server) Resume() { s.signal(syscall.SIGCONT) }

func (s *Server) signal(sig os.Signal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.t.Helper()
	if s.proc == nil {
		s.t.Fatalf("storetest: no running server to send %v", sig)
	}
	if err := s.proc.Signal(sig); err != nil {
		s.t.Fatalf("storetest: send %v: %v", sig, err)
	}
}

func (s *Server) running() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.alive()
}

// revive starts the server if it does not run, and resumes it if it is paused.
func (s *Server) revive() {
	s.Start()
	s.Resume()
}

// use makes t the test that gets the server's errors.
func (s *Server) use(t testing.TB) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.t = t
}

func (s *Server) showLog() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.t.Failed() {
		s.t.Log(s.log())
	}
}

// log is the end of what the server logged.
func (s *Server) log() string {
	const most = 8 << 10
	text, err := os.ReadFile(filepath.Join(s.dir, "log"))
	if err != nil {
		return fmt.Sprintf("redis-server %s has no log: %v", s.Addr(), err)
	}
	if len(text) > most {
		text = text[len(text)-most:]
	}
	return fmt.Sprintf("redis-server %s logged:\n%s", s.Addr(), text)
}
