package store

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"

	"rollcall/protocol"
	"rollcall/store/storetest"
)

// concurrently spreads b.N calls of f over callers goroutines and reports calls
// a second.
func concurrently(b *testing.B, callers int, f func(i int) error) {
	b.Helper()
	b.ReportAllocs()
	b.ResetTimer()
	var next atomic.Int64
	var done sync.WaitGroup
	for range callers {
		done.Go(func() {
			for {
				i := int(next.Add(1))
				if i > b.N {
					return
				}
				if err := f(i); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	done.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "calls/s")
}

// benchUsers creates users with what a game's user has.
func benchUsers(b *testing.B, s *Store, n int) []uuid.UUID {
	b.Helper()
	ids := make([]uuid.UUID, n)
	var next atomic.Int64
	var done sync.WaitGroup
	for range 64 {
		done.Go(func() {
			for i := int(next.Add(1)); i <= n; i = int(next.Add(1)) {
				u, err := s.CreateUser(context.Background(), benchUser(i))
				if err != nil {
					b.Error(err)
					return
				}
				ids[i-1] = u.ID
			}
		})
	}
	done.Wait()
	if b.Failed() {
		b.FailNow()
	}
	return ids
}

func benchUser(i int) NewUser {
	return NewUser{
		Scope: "Space Race", Username: "player" + strconv.Itoa(i), Email: fmt.Sprintf("player%d@example.com", i),
		Group: "red", Active: true, Password: []byte("0123456789abcdef0123456789abcdef0123456789abcdef"),
		Extra: protocol.Extra{"color": protocol.String("blue"), "level": protocol.Int(12)},
	}
}

func benchStore(b *testing.B) *Store {
	return openTest(b, Config{URL: storetest.SharedRedis(b).URL()})
}

func BenchmarkDecodeUser(b *testing.B) {
	s := openTest(b, Config{})
	id := benchUsers(b, s, 1)[0]
	cmd := readUserCmd(context.Background(), id)
	if err := s.do(context.Background(), cmd); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := decodeUser(id, cmd.Val()); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkLogin(b *testing.B) {
	s := benchStore(b)
	ids := benchUsers(b, s, 1000)
	for _, callers := range []int{1, 64} {
		b.Run(strconv.Itoa(callers), func(b *testing.B) {
			concurrently(b, callers, func(i int) error {
				_, _, err := s.Login(context.Background(), ids[i%len(ids)], Arrival{At: ConnRef{"n1", strconv.Itoa(i)}}, nil)
				return err
			})
		})
	}
}

func BenchmarkResume(b *testing.B) {
	s := benchStore(b)
	tokens := make([]string, 0, 1000)
	for _, id := range benchUsers(b, s, 1000) {
		_, sess, err := s.Login(context.Background(), id, Arrival{}, nil)
		if err != nil {
			b.Fatal(err)
		}
		tokens = append(tokens, sess.Token)
	}
	for _, callers := range []int{1, 64, 1000} {
		b.Run(strconv.Itoa(callers), func(b *testing.B) {
			concurrently(b, callers, func(i int) error {
				_, _, _, err := s.Resume(context.Background(), "", tokens[i%len(tokens)], Arrival{At: ConnRef{"n1", strconv.Itoa(i)}})
				return err
			})
		})
	}
}

func BenchmarkCreate(b *testing.B) {
	s := benchStore(b)
	var n atomic.Int64
	for _, callers := range []int{1, 64} {
		b.Run(strconv.Itoa(callers), func(b *testing.B) {
			concurrently(b, callers, func(int) error {
				_, err := s.CreateUser(context.Background(), benchUser(int(n.Add(1))))
				return err
			})
		})
	}
}
