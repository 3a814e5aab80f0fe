package server_test

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"rollcall/loadtest/bare"
	"rollcall/loadtest/bare/turns"
	"rollcall/protocol"
)

const (
	fanOutSubscribers = 1000
	fanOutEvents      = 100 // of each contestant in a round
)

// BenchmarkRowFanOut tells events to 1,000 admins who are subscribed to one node,
// with one and with eight events under way at once, beside a loop that writes a
// push of the same size to 1,000 connections of the same library and does nothing
// else.
//
// An event is made in two ways. "append" is the store's append alone, as an
// admin's action does it: a script in Redis, which the node's follower then
// reads. It is what comes nearest to a publish. "resume" is a player's
// users.resume, whose three scripts, reply and push are all part of it; with one
// event under way the next one begins when all have the push and not before.
//
// p99 is from the beginning of making an event to a subscriber's receipt of it.
// With eight under way the n-th push is taken for the n-th event begun. The CPU
// time is this process's, the 1,000 readers included.
//
// The goal is 1.1 of Centrifugo, which was measured beside the same loop: 108,000
// deliveries/s to its 116,000 with one event, and 327,000 to 108,000 with eight.
// So the ratio to the loop should be 1.02 and 3.3. Centrifugo's p99 with one event
// was 11 ms.
//
//	go test ./server -run '^$' -bench RowFanOut -benchtime 7x
func BenchmarkRowFanOut(b *testing.B) {
	for _, inFlight := range []int{1, 8} {
		b.Run(fmt.Sprintf("inflight=%d", inFlight), func(b *testing.B) {
			redis := benchRedis(b)
			st := benchStore(b, redis)
			_, url := benchNode(b, redis, "a")
			var players []speaker
			for _, p := range benchPlayers(b, st, inFlight) {
				c := benchDial(b, url)
				benchAsk(b, c, p.init())
				players = append(players, speaker{c, p.resume()})
			}
			token := benchAdmin(b, url)
			loop := &bare.FanOut{}
			b.Cleanup(loop.Close)
			loopURL := bareServer(b, loop)
			var subscribers, listeners []*bare.Conn
			for range fanOutSubscribers {
				c, _ := benchSubscriber(b, url, token, `,"events":["user.resumed","admin.action"]`)
				subscribers = append(subscribers, c)
				listeners = append(listeners, benchDial(b, loopURL))
			}
			for loop.Connections() < fanOutSubscribers {
				time.Sleep(time.Millisecond)
			}
			push := barePush(b)
			turn := func(name string, readers []*bare.Conn, makers int, event func(maker int) error) turns.Contestant {
				return turns.Contestant{Name: name, Run: func() turns.Share { return fanOut(b, readers, inFlight, makers, event) }}
			}
			turns.Run(b, "deliveries/s",
				turn("loop", listeners, 1, func(int) error { return loop.Send(context.Background(), push) }),
				turn("append", subscribers, inFlight, func(int) error {
					return st.TellAdminAction(context.Background(), benchScope, protocol.EventData{
						Admin: "admin", Action: "admin.users.ban", Target: "player", Reason: "too many accounts", IP: "192.0.2.7",
					})
				}),
				turn("resume", subscribers, inFlight, func(maker int) error {
					reply, err := players[maker].conn.Ask(players[maker].message)
					if err == nil && !bytes.Contains(reply, []byte(`"result":`)) {
						err = fmt.Errorf("resume: %s", reply)
					}
					return err
				}),
			)
		})
	}
}

// fanOut lets so many makers make events, with no more than inFlight of them
// under way: one is over when all readers have it.
func fanOut(b *testing.B, readers []*bare.Conn, inFlight, makers int, event func(maker int) error) turns.Share {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	room := make(chan struct{}, inFlight)
	began := make([]atomic.Int64, fanOutEvents) // UNIX nanoseconds
	took := make([][]time.Duration, len(readers))
	s := turns.Measure(fanOutEvents*len(readers), func() {
		var pushes, next atomic.Int64
		var working sync.WaitGroup
		for i, c := range readers {
			working.Go(func() {
				if err := c.SetDeadline(time.Now().Add(benchPatience)); err != nil {
					b.Error(err)
				}
				for len(took[i]) < fanOutEvents {
					text, err := c.Read()
					if err != nil {
						b.Errorf("a subscriber has %d of %d pushes: %v", len(took[i]), fanOutEvents, err)
						cancel()
						return
					}
					for range bytes.Count(text, []byte(`"event":"`)) {
						took[i] = append(took[i], time.Duration(time.Now().UnixNano()-began[len(took[i])].Load()))
						if pushes.Add(1)%int64(len(readers)) == 0 {
							<-room
						}
					}
				}
			})
		}
		for maker := range makers {
			working.Go(func() {
				for {
					select {
					case room <- struct{}{}:
					case <-ctx.Done():
						return
					}
					n := next.Add(1) - 1
					if n >= fanOutEvents {
						<-room
						return
					}
					began[n].Store(time.Now().UnixNano())
					if err := event(maker); err != nil {
						b.Error(err)
						cancel()
						return
					}
				}
			})
		}
		working.Wait()
	})
	if b.Failed() {
		b.FailNow()
	}
	s.Figures = map[string]float64{"p99-ms": turns.Percentile(slices.Concat(took...), 0.99)}
	return s
}

// barePush is a push as long as one of user.resumed.
func barePush(b *testing.B) []byte {
	for _, info := range protocol.Events {
		if info.Name == protocol.EventUserResumed {
			text, err := protocol.AppendPush(nil, protocol.Push{
				Event: info.Name, Scope: benchScope, Seq: 123456, Epoch: "0123456789abcdef", EventID: "0123456789abcdef0123456789abcdef",
				Time: protocol.Time{Time: time.Now()},
			}, info.Sample)
			if err != nil {
				b.Fatal(err)
			}
			return text
		}
	}
	b.Fatal("there is no user.resumed")
	return nil
}
