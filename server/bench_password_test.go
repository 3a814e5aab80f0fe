package server_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"rollcall/loadtest/bare"
	"rollcall/loadtest/bare/turns"
	"rollcall/server"
	"rollcall/server/passwords"
	"rollcall/store"
)

// passwordTurn is how long a contestant has in each round.
const passwordTurn = 2 * time.Second

// BenchmarkRowPasswordLogins logs users in by password, at the default cost, on as
// many connections as keep every worker busy, beside the bare hash on as many
// goroutines as there are CPUs.
//
//	go test ./server -run '^$' -bench RowPassword -benchtime 5x
func BenchmarkRowPasswordLogins(b *testing.B) {
	benchHashing(b, func(b *testing.B, _ *server.Server, url string, _ *store.Store) {
		storm := newLoginStorm(b, url, 16)
		turns.Run(b, "ops/s", bareHashes(), turns.Contestant{Name: "logins", Run: func() turns.Share {
			stop := storm.begin(b)
			defer stop()
			before, began := storm.served.Load(), time.Now()
			time.Sleep(passwordTurn)
			return turns.Share{Count: int(storm.served.Load() - before), Took: time.Since(began)}
		}})
	})
}

// BenchmarkRowPasswordStorm offers 5,000 users.get/s, whether or not earlier ones
// are answered, alone ("quiet") and while logins by password fill the hash queue
// ("storm"). A latency counts from when the request should have begun. "hashes/limit"
// are the storm's hashes beside bare ones made right before it.
func BenchmarkRowPasswordStorm(b *testing.B) {
	benchHashing(b, func(b *testing.B, srv *server.Server, url string, st *store.Store) {
		storm := newLoginStorm(b, url, 264) // more than wait and run
		others := newOpenLoop(b, url, st, 100, 5000)
		turns.Run(b, "ops/s",
			turns.Contestant{Name: "quiet", Run: func() turns.Share { return others.run(b, passwordTurn) }},
			turns.Contestant{Name: "storm", Run: func() turns.Share {
				limit := bareHashes().Run()
				stop := storm.begin(b)
				defer stop()
				before, _ := srv.Hashes()
				s := others.run(b, passwordTurn)
				made, waiting := srv.Hashes()
				s.Figures["hashes/limit"] = float64(made-before) / s.Took.Seconds() / (float64(limit.Count) / limit.Took.Seconds())
				s.Figures["queued"] = float64(waiting)
				return s
			}},
		)
	})
}

// bareHashes are the most hashes that this machine can make.
func bareHashes() turns.Contestant {
	return turns.Contestant{Name: "hash", Run: func() turns.Share {
		rate := bare.Hashes(passwordTurn)
		return turns.Share{Count: int(rate * passwordTurn.Seconds()), Took: passwordTurn}
	}}
}

// benchHashing runs a benchmark on a server that hashes at the default cost, in
// a helper and in its own process.
func benchHashing(b *testing.B, bench func(b *testing.B, srv *server.Server, url string, st *store.Store)) {
	for name, helper := range map[string]passwords.HelperCommand{
		"in=process": nil,
		"in=helper": func() *exec.Cmd {
			cmd := hashingHelper()
			cmd.Stderr = os.Stderr
			return cmd
		},
	} {
		b.Run(name, func(b *testing.B) {
			redis := benchRedis(b)
			srv, url := benchNode(b, redis, "a", func(c *server.Config) {
				c.Hash, c.HashQueue, c.HashHelper, c.RequestTimeout = passwords.OWASP, 0, helper, time.Minute
			})
			bench(b, srv, url, benchStore(b, redis))
		})
	}
}

// A loginStorm is users who log in again and again, each on a connection of its
// own. One who is told that the queue is full waits a little.
type loginStorm struct {
	speakers []speaker
	served   atomic.Int64
}

func newLoginStorm(b *testing.B, url string, users int) *loginStorm {
	s := &loginStorm{}
	var creating sync.WaitGroup
	for range users {
		c, name := benchDial(b, url), fmt.Sprintf("u%d", benchNames.Add(1))
		s.speakers = append(s.speakers, speaker{c, bare.Text(`{"id":3,"type":"users.login","data":{"username":"` + name + `","password":"a password"}}`)})
		benchAsk(b, c, benchInit)
		creating.Go(func() {
			create := bare.Text(`{"id":2,"type":"users.create","data":{"username":"` + name + `","password":"a password"}}`)
			for {
				reply, err := c.Ask(create)
				if err != nil {
					b.Error(err)
					return
				}
				if !bytes.Contains(reply, []byte(`"status":809`)) {
					return
				}
				time.Sleep(100 * time.Millisecond)
			}
		})
	}
	creating.Wait()
	if b.Failed() {
		b.FailNow()
	}
	return s
}

// begin lets them begin, and returns what ends the storm.
func (s *loginStorm) begin(b *testing.B) (stop func()) {
	var over atomic.Bool
	var done sync.WaitGroup
	for _, user := range s.speakers {
		done.Go(func() {
			for !over.Load() {
				reply, err := user.conn.Ask(user.message)
				switch {
				case err == nil && bytes.Contains(reply, []byte(`"token"`)):
					s.served.Add(1)
				case err == nil && bytes.Contains(reply, []byte(`"status":809`)):
					time.Sleep(50 * time.Millisecond)
				default:
					b.Errorf("a login was answered %s, %v", reply, err)
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
	conns   []*bare.Conn
	players []player
	rate    int // requests a second, of all connections together
}

func newOpenLoop(b *testing.B, url string, st *store.Store, conns, rate int) *openLoop {
	o := &openLoop{players: benchPlayers(b, st, conns), rate: rate}
	for _, p := range o.players {
		c := benchDial(b, url)
		benchAsk(b, c, p.init())
		o.conns = append(o.conns, c)
	}
	return o
}

// run asks for a time d. All must be served.
func (o *openLoop) run(b *testing.B, d time.Duration) turns.Share {
	each := o.rate * int(d/time.Second) / len(o.conns)
	step := d / time.Duration(each)
	took := make([][]time.Duration, len(o.conns))
	frames := make([][]bare.Message, len(o.conns))
	for i, p := range o.players {
		for n := range each {
			frames[i] = append(frames[i], bare.Text(fmt.Sprintf(`{"id":%d,"type":"users.get","data":{"user_id":"%s"}}`, n+1, p.id)))
		}
	}
	s := turns.Measure(each*len(o.conns), func() {
		start := time.Now()
		var done sync.WaitGroup
		for i, c := range o.conns {
			due := func(n int) time.Time {
				return start.Add(time.Duration(n)*step + time.Duration(i)*step/time.Duration(len(o.conns)))
			}
			done.Go(func() {
				for n, frame := range frames[i] {
					time.Sleep(time.Until(due(n)))
					if err := c.Send(frame); err != nil {
						b.Error(err)
						return
					}
				}
			})
			done.Go(func() {
				for range each {
					reply, err := c.Read()
					if err != nil || !bytes.Contains(reply, []byte(`"result"`)) {
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
	})
	if b.Failed() {
		b.FailNow()
	}
	s.Figures = map[string]float64{"p99-ms": turns.Percentile(slices.Concat(took...), 0.99)}
	return s
}
