package passwords

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"rollcall/loadtest/bare"
)

func TestMain(m *testing.M) {
	if os.Getenv(asHelper) != "" {
		helperMain()
	}
	goleak.VerifyTestMain(m)
}

var cheap = Params{Memory: 64, Time: 1, Threads: 1}

func newPool(t testing.TB, p Params, workers, queue int) *Pool {
	t.Helper()
	pool, err := NewPool(Options{Params: p, Workers: workers, Queue: queue})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return pool
}

// The vector is of RFC 9106's reference implementation (test.c, version 0x13,
// Argon2id, t=2, m=2^8 KiB, p=1, "password", "somesalt", 32 bytes).
func TestTheHashIsArgon2idVersion13(t *testing.T) {
	const want = "9dfeb910e80bad0311fee20f9c0e2b12c17987b4cac90c2ef54d5b3021c68bfe"
	for name, pool := range bothPools(t, Options{Params: cheap, Workers: 1, Queue: 1}) {
		key, err := pool.engine.argon2id(Params{Memory: 256, Time: 2, Threads: 1}, "password", []byte("somesalt"), 32)
		if got := hex.EncodeToString(key); got != want || err != nil {
			t.Errorf("%s: got %s, %v; want %s", name, got, err, want)
		}
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
	pool := &Pool{params: cheap, engine: inProcess{}, players: make(chan *job, 2), admins: make(chan *job, adminQueue), quit: make(chan struct{}), workers: 1}
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
		pool := &Pool{params: cheap, engine: inProcess{}, players: make(chan *job, 1), admins: make(chan *job, 1), quit: make(chan struct{}), workers: 1}
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

func TestAHashThatIsNotMadeInTimeIsAMatterOfTheQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pool := &Pool{params: cheap, engine: inProcess{}, players: make(chan *job, 1), admins: make(chan *job, 1), quit: make(chan struct{}), workers: 1}
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if _, err := pool.Hash(ctx, Players, "s"); !errors.Is(err, ErrBusy) {
			t.Errorf("got %v, want ErrBusy", err)
		}
	})
}

func TestUnusableCostsAreRefused(t *testing.T) {
	for _, p := range []Params{{}, {Memory: 4, Time: 1, Threads: 1}, {Memory: 2 << 20, Time: 1, Threads: 1}, {Memory: 64, Time: 0, Threads: 1}, {Memory: 64, Time: 1}} {
		if _, err := NewPool(Options{Params: p, Workers: 1, Queue: 1}); err == nil {
			t.Errorf("%+v was taken", p)
		}
	}
}

// BenchmarkPool shows that more callers don't make more hashes, only wait: the
// pool's capacity is that of its workers. Beside it, in turns, runs the bare
// hash on as many goroutines as there are CPUs; b.N is the number of turns.
func BenchmarkPool(b *testing.B) {
	const turn = time.Second
	for _, callers := range []int{1, 8, 64} {
		for name, pool := range bothPools(b, Options{Params: OWASP, Queue: 256}) {
			b.Run(fmt.Sprintf("callers=%d/in=%s", callers, name), func(b *testing.B) {
				var made, of []float64
				for b.Loop() {
					limit := bare.Hashes(turn)
					rate := hashFor(b, pool, callers, turn)
					made, of = append(made, rate), append(of, rate/limit)
				}
				slices.Sort(made)
				slices.Sort(of)
				b.ReportMetric(0, "ns/op")
				b.ReportMetric(made[len(made)/2], "hashes/s")
				b.ReportMetric(of[len(of)/2], "of-bare")
			})
		}
	}
}

// hashFor returns how many hashes a second callers get who ask one after the other.
func hashFor(b *testing.B, pool *Pool, callers int, d time.Duration) float64 {
	var made atomic.Int64
	var done sync.WaitGroup
	ctx, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	start := time.Now()
	for range callers {
		done.Go(func() {
			for ctx.Err() == nil {
				_, err := pool.Hash(ctx, Players, "secret")
				switch {
				case err == nil:
					made.Add(1)
				case ctx.Err() == nil:
					b.Error(err)
				}
			}
		})
	}
	done.Wait()
	return float64(made.Load()) / time.Since(start).Seconds()
}
