package server_test

import (
	"bytes"
	"strings"
	"sync"
	"testing"
	"time"

	"rollcall/loadtest/bare"
	"rollcall/loadtest/bare/turns"
)

const (
	loginRate    = 1000 // a second
	loginPlayers = 200
	loginsARound = 2000
)

// BenchmarkRowLoginToAdmin resumes sessions on node a at 1,000 a second, whether or
// not earlier ones are answered, and measures from the client's receipt of the
// reply to an admin's receipt of the push, on the same node and on another one. An
// admin that is told first counts as 0. The goal is a p99 of 10 ms on the same
// node and of 15 ms on the other.
//
// "echo" offers a bare echo as many frames at the same rate: from the moment at
// which a frame should have been sent to its answer. Where that is far above 1 ms
// the machine is busy with something else. "late" is how far the offering of
// resumes fell behind its times.
//
//	go test ./server -run '^$' -bench RowLoginToAdmin -benchtime 5x
func BenchmarkRowLoginToAdmin(b *testing.B) {
	redis := benchRedis(b)
	_, nodeA := benchNode(b, redis, "a")
	_, nodeB := benchNode(b, redis, "b")
	players := benchPlayers(b, benchStore(b, redis), loginPlayers)
	number := map[string]int{}
	var resuming, echoing []speaker
	echo := bareServer(b, bare.Echo())
	for i, p := range players {
		c := benchDial(b, nodeA)
		benchAsk(b, c, p.init())
		resuming = append(resuming, speaker{c, p.resume()})
		echoing = append(echoing, speaker{benchDial(b, echo), bare.Text(strings.Repeat("x", 120))})
		number[p.id] = i
	}
	var admins []*bare.Conn
	for _, url := range []string{nodeA, nodeB} {
		c, _ := benchSubscriber(b, url, benchAdmin(b, url), `,"events":["user.resumed"]`)
		admins = append(admins, c)
	}

	turns.Run(b, "",
		turns.Contestant{Name: "echo", Run: func() turns.Share {
			var o offering
			s := turns.Measure(loginsARound, func() { o = offer(b, echoing, nil) })
			var took []time.Duration
			for i := range echoing {
				for n, at := range o.replied[i] {
					took = append(took, at.Sub(o.due(n*len(echoing)+i)))
				}
			}
			s.Figures = map[string]float64{"p99-ms": turns.Percentile(took, 0.99)}
			return s
		}},
		turns.Contestant{Name: "resume", Run: func() turns.Share {
			// The n-th resume of a player is told by the n-th reply and by the n-th push.
			told := make([][][]time.Time, len(admins))
			var o offering
			s := turns.Measure(loginsARound, func() {
				o = offer(b, resuming, func(reading *sync.WaitGroup) {
					for k, admin := range admins {
						told[k] = make([][]time.Time, len(players))
						reading.Go(func() { readLogins(b, admin, number, told[k]) })
					}
				})
			})
			s.Figures = map[string]float64{"late-ms": float64(o.late.Microseconds()) / 1000}
			for k, where := range []string{"same-node", "other-node"} {
				var took []time.Duration
				for i := range players {
					for n := range o.replied[i] {
						took = append(took, max(0, told[k][i][n].Sub(o.replied[i][n])))
					}
				}
				for name, part := range map[string]float64{"p50": 0.5, "p99": 0.99, "p99.9": 0.999} {
					s.Figures[where+"-"+name+"-ms"] = turns.Percentile(took, part)
				}
			}
			return s
		}},
	)
}

// An offering is what became of messages that were sent at their times.
type offering struct {
	began   time.Time
	late    time.Duration // the most by which one was sent too late
	replied [][]time.Time // of each speaker
}

// due is when the n-th message should have been sent.
func (o *offering) due(n int) time.Time {
	return o.began.Add(time.Duration(n) * time.Second / loginRate)
}

// offer sends the messages of a round at their rate, by one speaker after the
// other, and returns when all are answered and also has read what it should.
func offer(b *testing.B, all []speaker, also func(reading *sync.WaitGroup)) offering {
	o := offering{replied: make([][]time.Time, len(all))}
	var reading sync.WaitGroup
	for i, s := range all {
		reading.Go(func() {
			_ = s.conn.SetDeadline(time.Now().Add(benchPatience))
			for range (loginsARound - i + len(all) - 1) / len(all) {
				reply, err := s.conn.Read()
				if err != nil || bytes.Contains(reply, []byte(`"status":`)) {
					b.Errorf("%v %s", err, reply)
					return
				}
				o.replied[i] = append(o.replied[i], time.Now())
			}
		})
	}
	if also != nil {
		also(&reading)
	}
	o.began = time.Now()
	for n := range loginsARound {
		due := o.due(n)
		time.Sleep(time.Until(due))
		o.late = max(o.late, time.Since(due))
		s := all[n%len(all)]
		if err := s.conn.Send(s.message); err != nil {
			b.Error(err)
			break
		}
	}
	reading.Wait()
	if b.Failed() {
		b.FailNow()
	}
	return o
}

// readLogins notes when an admin was told of each player.
func readLogins(b *testing.B, admin *bare.Conn, number map[string]int, told [][]time.Time) {
	_ = admin.SetDeadline(time.Now().Add(benchPatience))
	name := []byte(`"user_id":"`)
	for n := 0; n < loginsARound; {
		text, err := admin.Read()
		if err != nil {
			b.Errorf("an admin has %d of %d pushes: %v", n, loginsARound, err)
			return
		}
		now := time.Now()
		for _, part := range bytes.Split(text, name)[1:] {
			i, ok := number[string(part[:36])]
			if !ok {
				b.Errorf("a push of somebody who is no player: %s", text)
				return
			}
			told[i] = append(told[i], now)
			n++
		}
	}
	for i := range told {
		if want := (loginsARound - i + len(told) - 1) / len(told); len(told[i]) != want {
			b.Errorf("an admin has %d pushes of a player, want %d", len(told[i]), want)
		}
	}
}
