package server_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"rollcall/loadtest/bare"
	"rollcall/loadtest/bare/turns"
	"rollcall/protocol"
	"rollcall/store"
)

const (
	stormPlayers = 10_000
	stormAtOnce  = 512 // connections under way: what waits in the kernel's queue beyond that would be dropped and tried again after a second
	stormGrace   = 5 * time.Second
)

// BenchmarkRowResumeStorm cuts 10,000 players off and lets them come back at once, each
// with a new connection and a core.init that resumes the session. The server is a
// process of its own. back is when the last one has its answer; presence when the
// store counts all of them online, on top of that. Then users.presence has to say
// of each that he is online, and the store still has to count them all when the
// grace is over and the places of the connections that were cut are gone. The goal
// is 3 s for both together.
//
// "echo" is the same with a bare echo's first frame. The CPU time is the server's.
//
//	go test ./server -run '^$' -bench RowResumeStorm -benchtime 3x
func BenchmarkRowResumeStorm(b *testing.B) {
	redis := benchRedis(b)
	st := benchStore(b, redis)
	players := benchPlayers(b, st, stormPlayers)
	first := make([]bare.Message, len(players))
	for i, p := range players {
		first[i] = p.init()
	}
	rollcall, echo := benchProcess(b, "rollcall", redis, stormGrace), benchProcess(b, "echo", "", 0)
	frame := bare.Text(strings.Repeat("x", 120))

	turns.Run(b, "conns/s",
		turns.Contestant{Name: "echo", Run: func() turns.Share {
			cpu, began := echo.cpu(), time.Now()
			conns := echo.open(stormPlayers, stormAtOnce, func(int) bare.Message { return frame }, "x")
			s := turns.Share{Count: stormPlayers, Took: time.Since(began), CPU: echo.cpu() - cpu}
			s.Figures = map[string]float64{"back-s": s.Took.Seconds()}
			echo.cut(conns)
			echo.rest()
			return s
		}},
		turns.Contestant{Name: "rollcall", Run: func() turns.Share {
			open := func() []*bare.Conn {
				return rollcall.open(stormPlayers, stormAtOnce, func(i int) bare.Message { return first[i] }, `"user":{`)
			}
			conns := open()
			rollcall.rest()
			rollcall.cut(conns)
			cpu, began := rollcall.cpu(), time.Now()
			conns = open()
			s := turns.Share{Count: stormPlayers, Took: time.Since(began), CPU: rollcall.cpu() - cpu}
			awaitOnline(b, st, stormPlayers)
			s.Figures = map[string]float64{"back-s": s.Took.Seconds(), "presence-s": time.Since(began).Seconds()}
			wantPresence(b, conns[0], players)
			time.Sleep(time.Until(began.Add(stormGrace)))
			rollcall.rest()
			awaitOnline(b, st, stormPlayers)
			wantPresence(b, conns[len(conns)-1], players)
			rollcall.cut(conns)
			time.Sleep(stormGrace)
			rollcall.rest()
			awaitOnline(b, st, 0)
			return s
		}},
	)
}

// awaitOnline waits until the store counts so many users online.
func awaitOnline(b *testing.B, st *store.Store, want int64) {
	b.Helper()
	for hung := time.Now().Add(benchPatience); ; time.Sleep(5 * time.Millisecond) {
		n, err := st.CountOnline(context.Background(), benchScope)
		if err != nil {
			b.Fatal(err)
		}
		if n == want {
			return
		}
		if time.Now().After(hung) {
			b.Fatalf("%d users are online, want %d", n, want)
		}
	}
}

// wantPresence asks of every player, who must be online.
func wantPresence(b *testing.B, c *bare.Conn, players []player) {
	b.Helper()
	for start := 0; start < len(players); start += protocol.MaxPresenceIDs {
		var ids []string
		for _, p := range players[start:min(start+protocol.MaxPresenceIDs, len(players))] {
			ids = append(ids, p.id)
		}
		list, err := json.Marshal(ids)
		if err != nil {
			b.Fatal(err)
		}
		reply := benchAsk(b, c, bare.Text(`{"id":1,"type":"users.presence","data":{"user_ids":`+string(list)+`}}`))
		var answer struct {
			Result map[string]string `json:"result"`
		}
		if err := json.Unmarshal(reply, &answer); err != nil {
			b.Fatal(err)
		}
		for _, id := range ids {
			if answer.Result[id] != protocol.Online {
				b.Fatalf("a player who is back is %q", answer.Result[id])
			}
		}
	}
}
