package server_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"rollcall/loadtest/bare"
	"rollcall/protocol"
	"rollcall/server"
	"rollcall/server/passwords"
	"rollcall/store"
	"rollcall/store/storetest"
)

// What the benchmarks of this package share. Clients, servers and Redis are on
// this machine.

const (
	benchScope    = "bench"
	benchPatience = 60 * time.Second // for what should not take long
)

// benchInit is a first message without a session.
var benchInit = bare.Text(`{"id":1,"type":"core.init","data":{"scope":"bench","key":"k"}}`)

// benchRedis starts a Redis that writes to disk each second, as most do, and not
// at every command, as the tests' do.
func benchRedis(b *testing.B) (url string) {
	return storetest.Redis(b, "appendfsync", "everysec").URL()
}

func benchStore(b *testing.B, redis string) *store.Store {
	st, err := store.Open(context.Background(), store.Config{URL: redis})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := st.Close(); err != nil {
			b.Error(err)
		}
	})
	return st
}

// benchConfig is that of a node whose hashes cost next to nothing.
func benchConfig(node string) server.Config {
	return server.Config{
		Listen: "127.0.0.1:0", Key: "k", AutoScopes: true, Logger: slog.New(slog.DiscardHandler), DrainTimeout: time.Second,
		Node: node, HashQueue: 2000, Hash: passwords.Params{Memory: 64, Time: 1, Threads: 1},
	}
}

var benchBootstrap = server.BootstrapOptions{AdminPassword: "p", Scopes: []string{benchScope}}

// benchNode runs a node in this process.
func benchNode(b *testing.B, redis, name string, change ...func(*server.Config)) (srv *server.Server, url string) {
	st := benchStore(b, redis)
	cfg := benchConfig(name)
	for _, f := range change {
		f(&cfg)
	}
	srv, err := server.New(cfg, st)
	if err != nil {
		b.Fatal(err)
	}
	if _, err := srv.Bootstrap(context.Background(), benchBootstrap); err != nil {
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
	})
	if srv.Addr() == nil {
		b.Fatal("the server does not listen")
	}
	return srv, "ws://" + srv.Addr().String() + "/ws"
}

// bareServer runs a reference in this process.
func bareServer(b *testing.B, h http.Handler) (url string) {
	s, err := bare.Serve(h)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(s.Close)
	return s.URL()
}

// benchDial opens a connection that is cut when the benchmark is over.
func benchDial(b *testing.B, url string) *bare.Conn {
	c, err := bare.Dial(context.Background(), url)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(c.Cut)
	return c
}

// benchAsk wants a result.
func benchAsk(b *testing.B, c *bare.Conn, m bare.Message) []byte {
	reply, err := c.Ask(m)
	if err != nil || !bytes.Contains(reply, []byte(`"result":`)) {
		b.Fatalf("%v %s", err, reply)
	}
	return reply
}

// A player is a user with a session.
type player struct {
	id, token string
}

// init is the first message of a player, which resumes the session.
func (p player) init() bare.Message {
	return bare.Text(`{"id":1,"type":"core.init","data":{"scope":"bench","key":"k","session":"` + p.token + `"}}`)
}

func (p player) resume() bare.Message {
	return bare.Text(`{"id":1,"type":"users.resume","data":{"session":"` + p.token + `"}}`)
}

func (p player) get() bare.Message {
	return bare.Text(`{"id":1,"type":"users.get","data":{"user_id":"` + p.id + `"}}`)
}

var benchNames atomic.Int64

// benchPlayers makes users and logs them in through the store: what is measured
// are their connections, and no hash should be part of that.
func benchPlayers(b *testing.B, st *store.Store, n int) []player {
	ctx := context.Background()
	players := make([]player, n)
	inParallel(64, n, func(i int) {
		u, err := st.CreateUser(ctx, store.NewUser{
			Scope: benchScope, Username: fmt.Sprintf("player%d", benchNames.Add(1)), Active: true,
			Extra: protocol.Extra{"level": protocol.Int(3), "color": protocol.String("red")},
		})
		if err != nil {
			b.Error(err)
			return
		}
		_, session, err := st.Login(ctx, u.ID, store.Arrival{}, nil)
		if err != nil {
			b.Error(err)
			return
		}
		players[i] = player{u.ID.String(), session.Token}
	})
	if b.Failed() {
		b.FailNow()
	}
	return players
}

// inParallel calls f with 0 to n-1, so many at a time.
func inParallel(atOnce, n int, f func(i int)) {
	var next atomic.Int64
	var all sync.WaitGroup
	for range min(atOnce, n) {
		all.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				f(i)
			}
		})
	}
	all.Wait()
}

// benchAdmin logs the first admin in by password, once.
func benchAdmin(b *testing.B, url string) (token string) {
	c := benchDial(b, url)
	var login struct {
		Result protocol.AdminSession `json:"result"`
	}
	reply := benchAsk(b, c, bare.Text(`{"id":1,"type":"admin.login","data":{"name":"admin","password":"p"}}`))
	if err := json.Unmarshal(reply, &login); err != nil || login.Result.Token == "" {
		b.Fatalf("admin.login: %v %s", err, reply)
	}
	return login.Result.Token
}

// benchSubscriber is an admin's connection that gets the events of the scope. more
// are further parameters of its admin.subscribe, each after a comma.
func benchSubscriber(b *testing.B, url, token, more string) (c *bare.Conn, subscribed []byte) {
	c = benchDial(b, url)
	benchAsk(b, c, bare.Text(`{"id":1,"type":"admin.login","data":{"token":"`+token+`"}}`))
	reply := benchAsk(b, c, bare.Text(`{"id":2,"type":"admin.subscribe","data":{"scope":"bench","batch":true`+more+`}}`))
	if !bytes.Contains(reply, []byte(`"recovered":true`)) {
		b.Fatalf("admin.subscribe: %s", reply)
	}
	return c, bytes.Clone(reply)
}
