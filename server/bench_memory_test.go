package server_test

import (
	"strings"
	"testing"
	"time"

	"rollcall/loadtest/bare"
	"rollcall/loadtest/bare/turns"
)

const memoryConns = 10_000

// BenchmarkRowMemory opens 10,000 connections to a server in a process of its own
// and lets them idle: players whose sessions were resumed, with their presence,
// beside bare echoes that have answered one frame. memory is what is in use by heap
// and stacks after two collections, less what was in use with one connection; RSS
// is what the kernel counts for the process, likewise. The goal is 12 KiB in use,
// then 10; an echo that is used as documented had 24.6, and a lean one 8.3.
//
// The figures hardly differ from run to run, so that two rounds are enough.
//
//	go test ./server -run '^$' -bench RowMemory -benchtime 2x
func BenchmarkRowMemory(b *testing.B) {
	redis := benchRedis(b)
	players := benchPlayers(b, benchStore(b, redis), memoryConns+1)
	frame := bare.Text(strings.Repeat("x", 120))
	turn := func(name string, first func(i int) bare.Message, answered string) turns.Contestant {
		return turns.Contestant{Name: name, Run: func() turns.Share {
			p := benchProcess(b, name, redis, time.Millisecond)
			defer p.end()
			warm := p.open(1, 1, func(int) bare.Message { return first(memoryConns) }, answered)
			before := p.collect()
			began := time.Now()
			conns := p.open(memoryConns, 64, first, answered)
			took := time.Since(began)
			p.rest()
			after := p.collect()
			p.cut(append(conns, warm...))
			p.rest() // until all are offline: the next round's node should find nobody
			each := func(after, before uint64) float64 { return (float64(after) - float64(before)) / memoryConns / 1024 }
			return turns.Share{Count: memoryConns, Took: took, Figures: map[string]float64{
				"KiB/conn":     each(after.Memory, before.Memory),
				"RSS-KiB/conn": each(after.RSS, before.RSS),
			}}
		}}
	}
	echo := func(int) bare.Message { return frame }
	turns.Run(b, "",
		turn("echo", echo, "x"),
		turn("lean-echo", echo, "x"),
		turn("rollcall", func(i int) bare.Message { return players[i].init() }, `"user":{`),
	)
}
