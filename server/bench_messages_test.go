package server_test

import (
	"fmt"
	"strings"
	"testing"

	"rollcall/loadtest/bare"
	"rollcall/loadtest/bare/turns"
)

// BenchmarkRowMessages has 100 connections with one request outstanding on each:
// core.ping, which asks nobody, and users.get, which reads the own user from
// Redis, beside bare echoes of frames of 120 bytes. The CPU time is that of this
// process, server and clients together, without Redis'. The goal is 0.9 and 0.6 of
// the echo.
//
//	go test ./server -run '^$' -bench RowMessages -benchtime 9x
func BenchmarkRowMessages(b *testing.B) { benchMessages(b, 100, 40_000) }

// BenchmarkMessages is BenchmarkRowMessages with other numbers of connections.
func BenchmarkMessages(b *testing.B) {
	for conns, each := range map[int]int{1: 5_000, 1000: 40_000} {
		b.Run(fmt.Sprintf("conns=%d", conns), func(b *testing.B) { benchMessages(b, conns, each) })
	}
}

func benchMessages(b *testing.B, conns, each int) {
	redis := benchRedis(b)
	players := benchPlayers(b, benchStore(b, redis), conns)
	_, rollcall := benchNode(b, redis, "a")
	frame := bare.Text(strings.Repeat("x", 120))

	echo := func(url string) []speaker {
		var all []speaker
		for range conns {
			all = append(all, speaker{benchDial(b, url), frame})
		}
		return all
	}
	var pinging, getting []speaker
	for _, p := range players {
		c := benchDial(b, rollcall)
		benchAsk(b, c, benchInit)
		pinging = append(pinging, speaker{c, bare.Text(`{"id":1,"type":"core.ping","data":{}}`)})
		c = benchDial(b, rollcall)
		benchAsk(b, c, p.init())
		benchAsk(b, c, p.get())
		getting = append(getting, speaker{c, p.get()})
	}
	turn := func(name string, all []speaker) turns.Contestant {
		return turns.Contestant{Name: name, Run: func() turns.Share { return converse(b, all, each) }}
	}
	turns.Run(b, "ops/s",
		turn("echo", echo(bareServer(b, bare.Echo()))),
		turn("lean-echo", echo(bareServer(b, bare.LeanEcho()))),
		turn("core.ping", pinging),
		turn("users.get", getting),
	)
}

// A speaker says the same again and again.
type speaker struct {
	conn    *bare.Conn
	message bare.Message
}

// converse lets all speakers ask and await together so many times.
func converse(b *testing.B, all []speaker, count int) turns.Share {
	return turns.Together(b, len(all), count, func(caller, _ int) error {
		_, err := all[caller].conn.Ask(all[caller].message)
		return err
	})
}
