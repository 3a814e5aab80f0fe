package passwords

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var cheap = Params{Memory: 64, Time: 1, Threads: 1}

func newPool(t testing.TB, p Params, workers, queue int) *Pool {
	t.Helper()
	pool, err := NewPool(p, workers, queue)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return pool
}

// The vector is of RFC 9106's reference implementation (test.c, version 0x13,
// Argon2id, t=2, m=2^8 KiB, p=1, "password", "somesalt", 32 bytes).
func TestTheHashIsArgon2idVersion13(t *testing.T) {
	got := hex.EncodeToString(derive(Params{Memory: 256, Time: 2, Threads: 1}, "password", []byte("somesalt")))
	const want = "9dfeb910e80bad0311fee20f9c0e2b12c17987b4cac90c2ef54d5b3021c68bfe"
	if got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestARecordFitsRedisCompactForm(t *testing.T) {
	record, err := newPool(t, OWASP, 1, 1).Hash(context.Background(), Players, "secret")
	if err != nil {
		t.Fatal(err)
	}
	if len(record) > 64 {
		t.Errorf("a record has %d bytes; values over 64 bytes make a Redis hash three times as large", len(record))
	}
}

func TestOnlyTheSecretOfARecordFits(t *testing.T) {
	pool, ctx := newPool(t, cheap, 1, 1), context.Background()
	record, err := pool.Hash(ctx, Players, "right")
	if err != nil {
		t.Fatal(err)
	}
	other, _ := pool.Hash(ctx, Players, "right")
	if bytes.Equal(record, other) {
		t.Error("two records of one secret are equal: there is no salt")
	}
	tests := []struct {
		name   string
		record []byte
		secret string
		ok     bool
		err    error
	}{
		{"the secret", record, "right", true, nil},
		{"another secret", record, "wrong", false, nil},
		{"no secret", record, "", false, nil},
		{"no record", nil, "", false, nil}, // the decoy's own secret is empty
		{"a record cut short", record[:20], "right", false, errRecord},
		{"an unknown kind", append([]byte("x"), record[1:]...), "right", false, errRecord},
		{"absurd costs", append([]byte("a\xff\xff\xff\xff"), record[5:]...), "right", false, errRecord},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			ok, stale, err := pool.Verify(ctx, Players, tt.record, tt.secret)
			if ok != tt.ok || stale || !errors.Is(err, tt.err) {
				t.Errorf("got %v, stale %v, %v; want %v, %v", ok, stale, err, tt.ok, tt.err)
			}
		})
	}
}

func TestARecordOfOtherCostsIsStale(t *testing.T) {
	record, err := newPool(t, cheap, 1, 1).Hash(context.Background(), Players, "s")
	if err != nil {
		t.Fatal(err)
	}
	dearer := newPool(t, Params{Memory: 128, Time: 1, Threads: 1}, 1, 1)
	ok, stale, err := dearer.Verify(context.Background(), Players, record, "s")
	if !ok || !stale || err != nil {
		t.Errorf("got %v, stale %v, %v; want a fit that is stale", ok, stale, err)
	}
}

func TestAnUnknownUserCostsOneHashLikeAKnownOne(t *testing.T) {
	pool, ctx := newPool(t, cheap, 1, 1), context.Background()
	record, _ := pool.Hash(ctx, Players, "s")
	for _, r := range [][]byte{record, nil} {
		before := pool.Hashed()
		if _, _, err := pool.Verify(ctx, Players, r, "guess"); err != nil {
			t.Fatal(err)
		}
		if made := pool.Hashed() - before; made != 1 {
			t.Errorf("record %v: %d hashes, want 1", r != nil, made)
		}
	}
}

func TestAFullQueueRefusesAtOnceButKeepsAPlaceForAdmins(t *testing.T) {
	// A pool without workers: what is queued stays queued.
	pool := &Pool{params: cheap, players: make(chan *job, 2), admins: make(chan *job, adminQueue), quit: make(chan struct{}), workers: 1}
	ctx, cancel := context.WithCancel(context.Background())
	var waiting sync.WaitGroup
	for range 2 {
		waiting.Go(func() {
			if _, err := pool.Hash(ctx, Players, "s"); !errors.Is(err, context.Canceled) {
				t.Errorf("got %v, want the context's error", err)
			}
		})
	}
	for len(pool.players) < 2 {
	}
	if _, err := pool.Hash(ctx, Players, "s"); !errors.Is(err, ErrBusy) {
		t.Errorf("got %v, want ErrBusy", err)
	}
	if after := pool.RetryAfter(); after <= 0 {
		t.Errorf("retry after %v", after)
	}
	waiting.Go(func() {
		if _, err := pool.Hash(ctx, Admins, "s"); !errors.Is(err, context.Canceled) {
			t.Errorf("an admin got %v, want to wait", err)
		}
	})
	for len(pool.admins) < 1 {
	}
	cancel()
	waiting.Wait()
	if n := pool.Waiting(); n != 0 {
		t.Errorf("%d wait after all have left", n)
	}
}

func TestAHashThatNobodyWaitsForIsNotMade(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pool := &Pool{params: cheap, players: make(chan *job, 1), admins: make(chan *job, 1), quit: make(chan struct{}), workers: 1}
		ctx, cancel := context.WithCancel(context.Background())
		left := make(chan error)
		go func() {
			_, err := pool.Hash(ctx, Players, "s")
			left <- err
		}()
		synctest.Wait()
		cancel()
		if err := <-left; !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		pool.done.Add(1)
		go pool.work()
		synctest.Wait()
		pool.Close()
		if n := pool.Hashed(); n != 0 {
			t.Errorf("%d hashes made for nobody", n)
		}
	})
}

func TestUnusableCostsAreRefused(t *testing.T) {
	for _, p := range []Params{{}, {Memory: 4, Time: 1, Threads: 1}, {Memory: 2 << 20, Time: 1, Threads: 1}, {Memory: 64, Time: 0, Threads: 1}, {Memory: 64, Time: 1}} {
		if _, err := NewPool(p, 1, 1); err == nil {
			t.Errorf("%+v was taken", p)
		}
	}
}

// BenchmarkPool shows that more callers don't make more hashes, only wait: the
// pool's capacity is that of its workers.
func BenchmarkPool(b *testing.B) {
	for _, callers := range []int{1, 8, 64} {
		b.Run(fmt.Sprintf("callers=%d", callers), func(b *testing.B) {
			pool := newPool(b, OWASP, 0, 256)
			var left sync.WaitGroup
			next := make(chan struct{}, callers)
			b.ResetTimer()
			for range callers {
				left.Go(func() {
					for range next {
						if _, err := pool.Hash(context.Background(), Players, "secret"); err != nil {
							b.Error(err)
						}
					}
				})
			}
			for range b.N {
				next <- struct{}{}
			}
			close(next)
			left.Wait()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "hashes/s")
		})
	}
}

// BenchmarkBare is the limit that BenchmarkPool is held against: the same hash
// on as many goroutines as there are CPUs, and nothing else.
func BenchmarkBare(b *testing.B) {
	salt := make([]byte, saltLen)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			derive(OWASP, "secret", salt)
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "hashes/s")
}
