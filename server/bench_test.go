package server

import (
	"context"
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

// BenchmarkUsersGet reads a user through the whole server, over real sockets,
// with one request outstanding on each connection. Client, server and Redis
// share this machine. BenchmarkBareEcho is its reference: the same library, the
// same client, frames of the same size, and nothing behind it. Run both in one
// go and compare:
//
//	go test ./server -run '^$' -bench 'UsersGet|CorePing|BareEcho' -count 5
func BenchmarkUsersGet(b *testing.B) {
	for _, conns := range benchConns {
		b.Run(fmt.Sprintf("conns=%d", conns), func(b *testing.B) {
			url := startBenchServer(b)
			request := []byte(`{"id":1,"type":"users.get","data":{"user_id":"00000000-0000-0000-0000-000000000000"}}`)
			benchConversation(b, conns, func(ctx context.Context) (*websocket.Conn, []byte) {
				ws := benchDial(b, url)
				benchAsk(b, ws, `{"id":1,"type":"core.init","data":{"scope":"bench","key":"k"}}`)
				name := fmt.Sprintf("u%d", benchNames.Add(1))
				reply := benchAsk(b, ws, `{"id":2,"type":"users.create","data":{"username":"`+name+`","password":"p","extra":{"level":3,"color":"red"}}}`)
				at := slices.Index(request, '0')
				own := slices.Clone(request)
				copy(own[at:], userIDIn(reply))
				return ws, own
			})
		})
	}
}

// BenchmarkCorePing is a request that asks nobody: the cost of the way alone.
func BenchmarkCorePing(b *testing.B) {
	for _, conns := range benchConns {
		b.Run(fmt.Sprintf("conns=%d", conns), func(b *testing.B) {
			url := startBenchServer(b)
			benchConversation(b, conns, func(ctx context.Context) (*websocket.Conn, []byte) {
				ws := benchDial(b, url)
				benchAsk(b, ws, `{"id":1,"type":"core.init","data":{"scope":"bench","key":"k"}}`)
				return ws, []byte(`{"id":1,"type":"core.ping","data":{}}`)
			})
		})
	}
}

// BenchmarkBareEcho is a bare echo on the same library, used as documented.
func BenchmarkBareEcho(b *testing.B) {
	for _, conns := range benchConns {
		b.Run(fmt.Sprintf("conns=%d", conns), func(b *testing.B) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				b.Fatal(err)
			}
			hs := &http.Server{Handler: http.HandlerFunc(bareEcho)}
			go hs.Serve(l)
			b.Cleanup(func() { hs.Close() })
			frame := slices.Repeat([]byte("x"), 120)
			benchConversation(b, conns, func(context.Context) (*websocket.Conn, []byte) {
				return benchDial(b, "ws://"+l.Addr().String()), frame
			})
		})
	}
}

func bareEcho(w http.ResponseWriter, r *http.Request) {
	ws, err := websocket.Accept(w, r, nil)
	if err != nil {
		return
	}
	defer ws.CloseNow()
	for {
		typ, msg, err := ws.Read(context.Background())
		if err != nil {
			return
		}
		if err := ws.Write(context.Background(), typ, msg); err != nil {
			return
		}
	}
}

var (
	benchConns = []int{1, 100, 1000}
	benchNames atomic.Int64
)

func startBenchServer(b *testing.B) (url string) {
	_, url = startBenchServerWith(b, func(*Config) {})
	return url
}

func startBenchServerWith(b *testing.B, change func(*Config)) (srv *Server, url string) {
	st, err := store.Open(context.Background(), store.Config{URL: storetest.SharedRedis(b).URL()})
	if err != nil {
		b.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	cfg := Config{Listen: "127.0.0.1:0", Key: "k", AutoScopes: true, Logger: log, DrainTimeout: time.Second,
		HashQueue: 2000, Hash: passwords.Params{Memory: 64, Time: 1, Threads: 1}}
	change(&cfg)
	srv, err = New(cfg, st)
	if err != nil {
		b.Fatal(err)
	}
	if _, err := srv.Bootstrap(context.Background(), BootstrapOptions{AdminPassword: "p"}); err != nil {
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
	return srv, "ws://" + srv.Addr().String() + "/ws"
}

func benchDial(b *testing.B, url string) *websocket.Conn {
	ws, _, err := websocket.Dial(context.Background(), url, nil)
	if err != nil {
		b.Fatal(err)
	}
	ws.SetReadLimit(protocol.MaxReplyBytes)
	return ws
}

func benchAsk(b *testing.B, ws *websocket.Conn, frame string) []byte {
	if err := ws.Write(context.Background(), websocket.MessageText, []byte(frame)); err != nil {
		b.Fatal(err)
	}
	_, reply, err := ws.Read(context.Background())
	if err != nil {
		b.Fatal(err)
	}
	return reply
}

// userIDIn finds the user_id in a reply to users.create.
func userIDIn(reply []byte) []byte {
	const key = `"user_id":"`
	for i := range reply {
		if len(reply) >= i+len(key)+36 && string(reply[i:i+len(key)]) == key {
			return reply[i+len(key) : i+len(key)+36]
		}
	}
	return nil
}

// benchConversation opens connections and lets each ask and await b.N/conns times.
func benchConversation(b *testing.B, conns int, open func(context.Context) (*websocket.Conn, []byte)) {
	ctx := context.Background()
	var all []*websocket.Conn
	var frames [][]byte
	for range conns {
		ws, frame := open(ctx)
		all, frames = append(all, ws), append(frames, frame)
	}
	defer func() {
		for _, ws := range all {
			ws.CloseNow()
		}
	}()
	took := make([][]time.Duration, conns)
	var left atomic.Int64
	left.Store(int64(b.N))
	var done sync.WaitGroup
	b.ReportAllocs()
	b.ResetTimer()
	for i, ws := range all {
		done.Go(func() {
			buf := make([]byte, 4096)
			for left.Add(-1) >= 0 {
				start := time.Now()
				if err := ws.Write(ctx, websocket.MessageText, frames[i]); err != nil {
					b.Error(err)
					return
				}
				_, r, err := ws.Reader(ctx)
				for err == nil {
					_, err = r.Read(buf)
				}
				if err.Error() != "EOF" {
					b.Error(err)
					return
				}
				took[i] = append(took[i], time.Since(start))
			}
		})
	}
	done.Wait()
	b.StopTimer()
	each := slices.Sorted(slices.Values(slices.Concat(took...)))
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "ops/s")
	b.ReportMetric(float64(each[len(each)/2].Microseconds()), "p50-µs")
	b.ReportMetric(float64(each[len(each)*99/100].Microseconds()), "p99-µs")
}
