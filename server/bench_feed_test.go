package server

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"

	"rollcall/protocol"
	"rollcall/server/passwords"
	"rollcall/store"
	"rollcall/store/storetest"
)

// The feed, measured over real sockets. Clients, servers and Redis share this
// machine.
//
//	go test ./server -run '^$' -bench LoginToAdmin -benchtime 20000x
//	go test ./server -run '^$' -bench 'FanOut' -benchtime 500x

const (
	feedResumeRate  = 1000 // a second
	feedPlayers     = 200
	feedSubscribers = 1000
	feedPatience    = 30 * time.Second
)

// BenchmarkLoginToAdmin resumes sessions on node a at 1,000 a second, whether or
// not earlier ones are answered, and measures from the client's receipt of the
// reply to an admin's receipt of the push, on the same node and on another one. An
// admin that is told first counts as 0.
func BenchmarkLoginToAdmin(b *testing.B) {
	redis := storetest.SharedRedis(b).URL()
	nodeA, nodeB := startFeedServer(b, redis, "a"), startFeedServer(b, redis, "b")
	players := openFeedPlayers(b, nodeA, feedPlayers)
	admins := []*feedSubscriber{
		subscribeToFeed(b, nodeA, adminToken(b, nodeA), protocol.EventUserResumed),
		subscribeToFeed(b, nodeB, adminToken(b, nodeB), protocol.EventUserResumed),
	}

	// The n-th resume of a player is told by the n-th reply and by the n-th push.
	number := map[string]int{}
	replied := make([][]time.Time, len(players))
	told := make([][][]time.Time, len(admins))
	for i, p := range players {
		number[p.id] = i
	}
	var reading sync.WaitGroup
	for i, p := range players {
		reading.Go(func() {
			for n := (b.N - i + len(players) - 1) / len(players); n > 0; n-- {
				reply, err := p.read()
				if err != nil || bytes.Contains(reply, []byte(`"status":`)) {
					b.Errorf("resume: %v %s", err, reply)
					return
				}
				replied[i] = append(replied[i], time.Now())
			}
		})
	}
	for k, admin := range admins {
		told[k] = make([][]time.Time, len(players))
		reading.Go(func() {
			for n := 0; n < b.N; {
				text, err := admin.read()
				if err != nil {
					b.Errorf("an admin has %d of %d pushes: %v", n, b.N, err)
					return
				}
				now := time.Now()
				for _, user := range resumedIn(b, text) {
					i, ok := number[user]
					if !ok {
						b.Errorf("a push of %s, who is no player", user)
						return
					}
					told[k][i] = append(told[k][i], now)
					n++
				}
			}
		})
	}

	b.ResetTimer()
	started, late := time.Now(), time.Duration(0)
	for n := range b.N {
		due := started.Add(time.Duration(n) * time.Second / feedResumeRate)
		time.Sleep(time.Until(due))
		late = max(late, time.Since(due))
		p := players[n%len(players)]
		if err := p.ws.Write(context.Background(), websocket.MessageText, p.resume); err != nil {
			b.Fatal(err)
		}
	}
	reading.Wait()
	b.StopTimer()
	if b.Failed() {
		return
	}
	for k, name := range []string{"same-node", "other-node"} {
		var took []time.Duration
		for i := range players {
			if len(told[k][i]) != len(replied[i]) {
				b.Fatalf("%d replies and %d pushes of one player", len(replied[i]), len(told[k][i]))
			}
			for n := range replied[i] {
				took = append(took, max(0, told[k][i][n].Sub(replied[i][n])))
			}
		}
		slices.Sort(took)
		for _, q := range []struct {
			name string
			at   float64
		}{{"p50", 0.5}, {"p99", 0.99}, {"p99.9", 0.999}} {
			b.ReportMetric(float64(took[int(float64(len(took)-1)*q.at)].Microseconds())/1000, name+"-"+q.name+"-ms")
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "resumes/s")
	b.ReportMetric(float64(late.Microseconds())/1000, "late-ms") // how far the offering fell behind its times
}

// BenchmarkFanOut resumes sessions with 1,000 admins subscribed to one node; each
// event goes to all of them. So many events are under way at once.
func BenchmarkFanOut(b *testing.B) {
	for _, inFlight := range []int{1, 8} {
		b.Run(fmt.Sprintf("inflight=%d", inFlight), func(b *testing.B) {
			node := startFeedServer(b, storetest.SharedRedis(b).URL(), "a")
			players := openFeedPlayers(b, node, inFlight)
			token := adminToken(b, node)
			var subscribers []*feedSubscriber
			for range feedSubscribers {
				subscribers = append(subscribers, subscribeToFeed(b, node, token, protocol.EventUserResumed))
			}
			benchFanOut(b, subscribers, inFlight, inFlight, func(maker int) error {
				p := players[maker]
				if err := p.ws.Write(context.Background(), websocket.MessageText, p.resume); err != nil {
					return err
				}
				reply, err := p.read()
				if err == nil && bytes.Contains(reply, []byte(`"status":`)) {
					err = fmt.Errorf("resume: %s", reply)
				}
				return err
			})
		})
	}
}

// BenchmarkBareFanOut is the reference of BenchmarkFanOut: a loop writes a push of
// the same size to 1,000 connections of the same library, and nothing else is done.
func BenchmarkBareFanOut(b *testing.B) {
	push := barePush(b)
	for _, inFlight := range []int{1, 8} {
		b.Run(fmt.Sprintf("inflight=%d", inFlight), func(b *testing.B) {
			accepted := make(chan *websocket.Conn, 1)
			done := make(chan struct{})
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				b.Fatal(err)
			}
			hs := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				ws, err := websocket.Accept(w, r, nil)
				if err != nil {
					b.Error(err)
					return
				}
				defer ws.CloseNow()
				accepted <- ws
				<-done
			})}
			go hs.Serve(l)
			b.Cleanup(func() { close(done); hs.Close() })
			var subscribers []*feedSubscriber
			var server []*websocket.Conn
			for range feedSubscribers {
				subscribers = append(subscribers, &feedSubscriber{ws: closedAfter(b, benchDial(b, "ws://"+l.Addr().String()))})
				server = append(server, <-accepted)
			}
			benchFanOut(b, subscribers, inFlight, 1, func(int) error {
				for _, ws := range server {
					if err := ws.Write(context.Background(), websocket.MessageText, push); err != nil {
						return err
					}
				}
				return nil
			})
		})
	}
}

// benchFanOut lets so many makers make b.N events, with no more than inFlight of
// them under way, by the number of pushes that all subscribers have together.
func benchFanOut(b *testing.B, subscribers []*feedSubscriber, inFlight, makers int, event func(maker int) error) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	room := make(chan struct{}, inFlight)
	var pushes atomic.Int64
	var reading, making sync.WaitGroup
	for _, s := range subscribers {
		reading.Go(func() {
			for n := 0; n < b.N; {
				text, err := s.read()
				if err != nil {
					b.Errorf("a subscriber has %d of %d pushes: %v", n, b.N, err)
					cancel()
					return
				}
				for range bytes.Count(text, []byte(`"event":"user.resumed"`)) {
					n++
					if pushes.Add(1)%int64(len(subscribers)) == 0 {
						<-room
					}
				}
			}
		})
	}
	b.ResetTimer()
	var next atomic.Int64
	for maker := range makers {
		making.Go(func() {
			for {
				select {
				case room <- struct{}{}:
				case <-ctx.Done():
					return
				}
				if next.Add(1) > int64(b.N) {
					<-room
					return
				}
				if err := event(maker); err != nil {
					b.Error(err)
					cancel()
					return
				}
			}
		})
	}
	making.Wait()
	reading.Wait()
	b.StopTimer()
	b.ReportMetric(float64(b.N)*float64(len(subscribers))/b.Elapsed().Seconds(), "deliveries/s")
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
}

// startFeedServer runs one node of several on a storage.
func startFeedServer(b *testing.B, redis, node string) (url string) {
	_, url = startFeedNode(b, redis, node)
	return url
}

func startFeedNode(b *testing.B, redis, node string) (srv *Server, url string) {
	st, err := store.Open(context.Background(), store.Config{URL: redis})
	if err != nil {
		b.Fatal(err)
	}
	srv, err = New(Config{Listen: "127.0.0.1:0", Key: "k", AutoScopes: true, Logger: slog.New(slog.DiscardHandler), DrainTimeout: time.Second,
		Node: node, HashQueue: 2000, Hash: passwords.Params{Memory: 64, Time: 1, Threads: 1}}, st)
	if err != nil {
		b.Fatal(err)
	}
	if _, err := srv.Bootstrap(context.Background(), BootstrapOptions{AdminPassword: "p", Scopes: []string{"bench"}}); err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- srv.Serve(ctx) }()
	b.Cleanup(func() {
		cancel()
		if err := <-served; err != nil {
			b.Error(err)
		}
		if err := st.Close(); err != nil {
			b.Error(err)
		}
	})
	for hung := time.Now().Add(feedPatience); srv.Addr() == nil; time.Sleep(time.Millisecond) {
		if time.Now().After(hung) {
			b.Fatal("the server does not listen")
		}
	}
	return srv, "ws://" + srv.Addr().String() + "/ws"
}

// closedAfter closes a connection when the benchmark is over.
func closedAfter(b *testing.B, ws *websocket.Conn) *websocket.Conn {
	b.Cleanup(func() { ws.CloseNow() })
	return ws
}

// A feedPlayer is a logged-in client that resumes its session on its connection.
type feedPlayer struct {
	feedSubscriber
	id     string
	resume []byte // the frame
}

func openFeedPlayers(b *testing.B, url string, n int) []*feedPlayer {
	var players []*feedPlayer
	for range n {
		p := &feedPlayer{feedSubscriber: feedSubscriber{ws: closedAfter(b, benchDial(b, url))}}
		name := fmt.Sprintf("feed%d", benchNames.Add(1))
		benchAsk(b, p.ws, `{"id":1,"type":"core.init","data":{"scope":"bench","key":"k"}}`)
		benchAsk(b, p.ws, `{"id":2,"type":"users.create","data":{"username":"`+name+`","password":"p"}}`)
		var login struct {
			Result protocol.Login `json:"result"`
		}
		reply := benchAsk(b, p.ws, `{"id":3,"type":"users.login","data":{"username":"`+name+`","password":"p"}}`)
		if err := protocol.DecodeResult(reply, &login); err != nil || login.Result.Session.Token == "" {
			b.Fatalf("login: %v %s", err, reply)
		}
		p.id = login.Result.UserID.String()
		p.resume = []byte(`{"id":4,"type":"users.resume","data":{"session":"` + login.Result.Session.Token + `"}}`)
		players = append(players, p)
	}
	return players
}

// adminToken logs the admin in by password, once.
func adminToken(b *testing.B, url string) string {
	ws := benchDial(b, url)
	defer ws.CloseNow()
	reply := benchAsk(b, ws, `{"id":1,"type":"admin.login","data":{"name":"admin","password":"p"}}`)
	var login struct {
		Result protocol.AdminSession `json:"result"`
	}
	if err := protocol.DecodeResult(reply, &login); err != nil || login.Result.Token == "" {
		b.Fatalf("admin.login: %v %s", err, reply)
	}
	return login.Result.Token
}

// A feedSubscriber is a connection that is read with one buffer.
type feedSubscriber struct {
	ws  *websocket.Conn
	buf []byte
}

// subscribeToFeed opens an admin's connection that gets the events of one name.
func subscribeToFeed(b *testing.B, url, token, event string) *feedSubscriber {
	ws := closedAfter(b, benchDial(b, url))
	if reply := benchAsk(b, ws, `{"id":1,"type":"admin.login","data":{"token":"`+token+`"}}`); !bytes.Contains(reply, []byte(`"result":`)) {
		b.Fatalf("admin.login: %s", reply)
	}
	if reply := benchAsk(b, ws, `{"id":2,"type":"admin.subscribe","data":{"scope":"bench","events":["`+event+`"],"batch":true}}`); !bytes.Contains(reply, []byte(`"recovered":true`)) {
		b.Fatalf("admin.subscribe: %s", reply)
	}
	return &feedSubscriber{ws: ws}
}

// read reads the next frame. It is good until the next read.
func (s *feedSubscriber) read() ([]byte, error) {
	ctx, cancel := context.WithTimeout(context.Background(), feedPatience)
	defer cancel()
	if s.buf == nil {
		s.buf = make([]byte, 4096)
	}
	_, r, err := s.ws.Reader(ctx)
	if err != nil {
		return nil, err
	}
	n, err := readFrame(r, &s.buf)
	return s.buf[:n], err
}

// resumedIn returns the user_ids of the user.resumed in a frame.
func resumedIn(b *testing.B, text []byte) (users []string) {
	type push struct {
		Event string
		Data  struct {
			UserID string `json:"user_id"`
		}
	}
	var pushes []push
	var err error
	if text[0] == '[' {
		err = json.Unmarshal(text, &pushes)
	} else {
		pushes = make([]push, 1)
		err = json.Unmarshal(text, &pushes[0])
	}
	if err != nil {
		b.Errorf("push: %v: %s", err, text)
	}
	for _, p := range pushes {
		if p.Event == protocol.EventUserResumed {
			users = append(users, p.Data.UserID)
		}
	}
	return users
}

// barePush is a push as long as one of user.resumed.
func barePush(b *testing.B) []byte {
	for _, info := range protocol.Events {
		if info.Name == protocol.EventUserResumed {
			text, err := protocol.AppendPush(nil, protocol.Push{
				Event: info.Name, Scope: "bench", Seq: 123456, Epoch: "0123456789abcdef", EventID: "0123456789abcdef0123456789abcdef",
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
