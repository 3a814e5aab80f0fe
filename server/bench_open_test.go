package server_test

import (
	"strings"
	"testing"
	"time"

	"rollcall/loadtest/bare"
	"rollcall/loadtest/bare/turns"
)

const (
	openConns  = 4000
	openAtOnce = 128
)

// BenchmarkRowOpen opens 4,000 connections with 128 dialers, each until its first
// message is answered: core.init, and core.init with the session of a user of its
// own, which is resumed in Redis and brings the user online, beside bare echoes.
// The server is a process of its own, and the CPU time is the server's alone. All
// are cut after each turn, and the next one begins when the server is at rest. The
// goal is 12,000 and 7,000 a second on a machine whose bare accepts are between
// 11,600 and 18,000.
//
//	go test ./server -run '^$' -bench RowOpen -benchtime 7x
func BenchmarkRowOpen(b *testing.B) {
	redis := benchRedis(b)
	rollcall := benchProcess(b, "rollcall", redis, time.Millisecond) // no grace: nothing of one turn happens during another
	players := benchPlayers(b, benchStore(b, redis), openConns)
	resumes := make([]bare.Message, len(players))
	for i, p := range players {
		resumes[i] = p.init()
	}
	frame := bare.Text(strings.Repeat("x", 120))
	always := func(m bare.Message) func(int) bare.Message { return func(int) bare.Message { return m } }

	turn := func(name string, p *serverProcess, first func(i int) bare.Message, answered string) turns.Contestant {
		return turns.Contestant{Name: name, Run: func() turns.Share {
			p.rest()
			cpu, began := p.cpu(), time.Now()
			conns := p.open(openConns, openAtOnce, first, answered)
			s := turns.Share{Count: openConns, Took: time.Since(began), CPU: p.cpu() - cpu}
			p.cut(conns)
			p.rest()
			return s
		}}
	}
	turns.Run(b, "conns/s",
		turn("echo", benchProcess(b, "echo", "", 0), always(frame), "x"),
		turn("lean-echo", benchProcess(b, "lean-echo", "", 0), always(frame), "x"),
		turn("core.init", rollcall, always(benchInit), `"result":`),
		turn("resume", rollcall, func(i int) bare.Message { return resumes[i] }, `"user":{`),
	)
}
