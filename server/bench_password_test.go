package server

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"

	"rollcall/loadtest/bare"
	"rollcall/server/passwords"
)

// Both benchmarks go by turns of the same length, and b.N is how many. What they
// report are medians over the turns, so run them with -benchtime 5x or more:
//
//	go test ./server -run '^$' -bench Password -benchtime 5x
const passwordTurn = 2 * time.Second

// benchHashQueue is shorter than the default, so that a storm is over soon after
// its turn.
const benchHashQueue = 64

// BenchmarkPasswordLogins logs users in by password, at the default cost, on as
// many connections as keep every worker busy. Its reference is the bare hash on
// as many goroutines as there are CPUs, in turns.
func BenchmarkPasswordLogins(b *testing.B) {
	benchHashing(b, func(b *testing.B, srv *Server, url string) {
		storm := newLoginStorm(b, url, 16)
		var limit, logins, ratio []float64
		for b.Loop() {
			limit = append(limit, bare.Hashes(passwordTurn))
			stop := storm.begin(b)
			before, start := storm.served.Load(), time.Now()
			time.Sleep(passwordTurn)
			logins = append(logins, float64(storm.served.Load()-before)/time.Since(start).Seconds())
			stop()
			ratio = append(ratio, last(logins)/last(limit))
		}
		b.ReportMetric(0, "ns/op")
		b.ReportMetric(median(logins), "logins/s")
		b.ReportMetric(median(limit), "bare-hashes/s")
		b.ReportMetric(median(ratio), "of-bare")
	})
}

// BenchmarkPasswordStorm offers 5,000 users.get/s, whether or not earlier ones
// are answered, alone and then while logins by password fill the hash queue. A
// latency counts from when the request should have begun.
func BenchmarkPasswordStorm(b *testing.B) {
	benchHashing(b, func(b *testing.B, srv *Server, url string) {
		storm := newLoginStorm(b, url, benchHashQueue+16) // more than wait and run
		others := newOpenLoop(b, url, 100, 5000)
		var quiet, during, served, ratio, hashes, limit, queue []float64
		for b.Loop() {
			limit = append(limit, bare.Hashes(passwordTurn))
			p99, _ := others.run(b, passwordTurn)
			quiet = append(quiet, p99)

			stop := storm.begin(b)
			before, start := srv.hashes.Hashed(), time.Now()
			p99, part := others.run(b, passwordTurn)
			hashes = append(hashes, float64(srv.hashes.Hashed()-before)/time.Since(start).Seconds()/last(limit))
			queue = append(queue, float64(srv.hashes.Waiting()))
			stop()
			during, served, ratio = append(during, p99), append(served, part), append(ratio, p99/last(quiet))
		}
		b.ReportMetric(0, "ns/op")
		b.ReportMetric(median(served), "served")
		b.ReportMetric(median(quiet), "p99-quiet-ms")
		b.ReportMetric(median(during), "p99-storm-ms")
		b.ReportMetric(median(ratio), "p99-ratio")
		b.ReportMetric(median(hashes), "hashes-of-bare")
		b.ReportMetric(median(queue), "queued")
	})
}

// benchHashing runs a benchmark on a server that hashes at the default cost, in
// a helper and in its own process.
func benchHashing(b *testing.B, bench func(b *testing.B, srv *Server, url string)) {
	exe, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	for _, helper := range []passwords.HelperCommand{
		func() *exec.Cmd {
			cmd := exec.Command(exe)
			cmd.Env = []string{"ROLLCALL_TEST_AS_HASHING_HELPER=1"}
			cmd.Stderr = os.Stderr
			return cmd
		},
		nil,
	} {
		name := "in=helper"
		if helper == nil {
			name = "in=process"
		}
		b.Run(name, func(b *testing.B) {
			if helper == nil { // as the program does
				runtime.GOMAXPROCS(2 * runtime.NumCPU())
				defer runtime.GOMAXPROCS(runtime.NumCPU())
			}
			srv, url := startBenchServerWith(b, func(c *Config) {
				c.Hash, c.HashQueue, c.HashHelper, c.RequestTimeout = passwords.OWASP, benchHashQueue, helper, time.Minute
			})
			bench(b, srv, url)
		})
	}
}

func last(v []float64) float64 { return v[len(v)-1] }

func median(v []float64) float64 { return slices.Sorted(slices.Values(v))[len(v)/2] }

// A loginStorm is users who log in again and again, each on a connection of its
// own. One who is told that the queue is full waits a little.
type loginStorm struct {
	conns  []*websocket.Conn
	frames []string
	served atomic.Int64
}

func newLoginStorm(b *testing.B, url string, users int) *loginStorm {
	s := &loginStorm{}
	var creating sync.WaitGroup
	for range users {
		ws, name := benchDial(b, url), fmt.Sprintf("u%d", benchNames.Add(1))
		b.Cleanup(func() { ws.CloseNow() })
		s.conns = append(s.conns, ws)
		s.frames = append(s.frames, `{"id":3,"type":"users.login","data":{"username":"`+name+`","password":"a password"}}`)
		creating.Go(func() {
			benchAsk(b, ws, `{"id":1,"type":"core.init","data":{"scope":"bench","key":"k"}}`)
			create := `{"id":2,"type":"users.create","data":{"username":"` + name + `","password":"a password"}}`
			for bytes.Contains(benchAsk(b, ws, create), []byte(`"status":809`)) {
				time.Sleep(100 * time.Millisecond)
			}
		})
	}
	creating.Wait()
	return s
}

// begin lets them begin, and returns what ends the storm.
func (s *loginStorm) begin(b *testing.B) (stop func()) {
	var over atomic.Bool
	var done sync.WaitGroup
	for i, ws := range s.conns {
		done.Go(func() {
			for !over.Load() {
				reply := benchAsk(b, ws, s.frames[i])
				switch {
				case bytes.Contains(reply, []byte(`"token"`)):
					s.served.Add(1)
				case bytes.Contains(reply, []byte(`"status":809`)):
					time.Sleep(50 * time.Millisecond)
				default:
					b.Errorf("a login was answered %s", reply)
					return
				}
			}
		})
	}
	time.Sleep(200 * time.Millisecond) // until the queue is full
	return func() { over.Store(true); done.Wait() }
}

// An openLoop asks for users at a rate that does not depend on the answers.
type openLoop struct {
	conns []*websocket.Conn
	users [][]byte
	rate  int // requests a second, of all connections together
}

func newOpenLoop(b *testing.B, url string, conns, rate int) *openLoop {
	o := &openLoop{rate: rate}
	for range conns {
		ws, name := benchDial(b, url), fmt.Sprintf("u%d", benchNames.Add(1))
		b.Cleanup(func() { ws.CloseNow() })
		benchAsk(b, ws, `{"id":1,"type":"core.init","data":{"scope":"bench","key":"k"}}`)
		reply := benchAsk(b, ws, `{"id":2,"type":"users.create","data":{"username":"`+name+`","password":"p","extra":{"level":3,"color":"red"}}}`)
		o.conns, o.users = append(o.conns, ws), append(o.users, bytes.Clone(userIDIn(reply)))
	}
	return o
}

// run asks for a time d and returns the 99th percentile of the latencies, in
// milliseconds, and which part of the requests was served. One that is refused,
// since too many before it wait, is not.
func (o *openLoop) run(b *testing.B, d time.Duration) (p99, served float64) {
	each := o.rate * int(d/time.Second) / len(o.conns)
	step := d / time.Duration(each)
	took := make([][]time.Duration, len(o.conns))
	var refused atomic.Int64
	start := time.Now()
	var done sync.WaitGroup
	for i, ws := range o.conns {
		due := func(n int) time.Time {
			return start.Add(time.Duration(n)*step + time.Duration(i)*step/time.Duration(len(o.conns)))
		}
		done.Go(func() {
			for n := range each {
				time.Sleep(time.Until(due(n)))
				frame := fmt.Appendf(nil, `{"id":%d,"type":"users.get","data":{"user_id":"%s"}}`, n+1, o.users[i])
				if err := ws.Write(context.Background(), websocket.MessageText, frame); err != nil {
					b.Error(err)
					return
				}
			}
		})
		done.Go(func() {
			for range each {
				_, reply, err := ws.Read(context.Background())
				if err == nil && bytes.Contains(reply, []byte(`"status":807`)) {
					refused.Add(1)
				} else if err != nil || !bytes.Contains(reply, []byte(`"result"`)) {
					b.Errorf("users.get was answered %s, %v", reply, err)
					return
				}
				digits, _, _ := bytes.Cut(bytes.TrimPrefix(reply, []byte(`{"id":`)), []byte(","))
				n, err := strconv.Atoi(string(digits))
				if err != nil {
					b.Error(err)
					return
				}
				took[i] = append(took[i], time.Since(due(n-1)))
			}
		})
	}
	done.Wait()
	all := slices.Sorted(slices.Values(slices.Concat(took...)))
	return float64(all[len(all)*99/100].Microseconds()) / 1000, 1 - float64(refused.Load())/float64(len(all))
}
