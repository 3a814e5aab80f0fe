package server_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"runtime"
	live "runtime/metrics"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"rollcall/loadtest/bare"
	"rollcall/protocol"
	"rollcall/server"
	"rollcall/store"
)

const (
	slowReaders = 10
	slowAhead   = 2000 // events that may be under way: what a reader may have waiting, by far
	slowTellers = 64
)

// BenchmarkASubscriberThatStopsReading appends events while ten subscribers of one
// node read them, alone and beside one that never reads. Every reader checks that
// it gets all of them, in order. The one that never reads is closed when it is too
// far behind, and comes back with since: then it gets all of them, too.
//
// deliveries/s are those to the ten. queue-MB is the most that waited for the one
// that never reads, beyond what the kernel took. The heap is what is reachable, of
// the server and of the benchmark's clients together: before, at its highest after
// any collection, and at the end.
//
//	go test ./server -run '^$' -bench ASubscriberThatStopsReading -benchtime 100000x -count 3
func BenchmarkASubscriberThatStopsReading(b *testing.B) {
	for _, stopped := range []bool{false, true} {
		b.Run(map[bool]string{false: "nobody", true: "one"}[stopped], func(b *testing.B) {
			redis := benchRedis(b)
			srv, url := benchNode(b, redis, "a")
			st := benchStore(b, redis)
			token := benchAdmin(b, url)
			var readers []*runReader
			for range slowReaders {
				readers = append(readers, openRunReader(b, url, token, ""))
			}
			var still *runReader
			if stopped {
				still = openRunReader(b, url, token, "")
			}
			before := heapAfterGC()
			w := watchHeld(srv)
			b.ResetTimer()
			benchRuns(b, st, readers)
			b.StopTimer()
			queue, peak := w.stop()
			b.ReportMetric(float64(b.N)*slowReaders/b.Elapsed().Seconds(), "deliveries/s")
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
			if stopped {
				still.conn.Cut()
			}
			b.ReportMetric(before, "heap-before-MB")
			b.ReportMetric(peak, "heap-peak-MB")
			b.ReportMetric(heapAfterGC(), "heap-after-MB")
			if !stopped {
				return
			}
			b.ReportMetric(float64(queue)/(1<<20), "queue-MB")
			began := time.Now()
			back := openRunReader(b, url, token, still.position)
			if err := back.upTo(still.at.Load() + int64(b.N)); err != nil {
				b.Fatalf("back with since: %v", err)
			}
			b.ReportMetric(float64(b.N)/time.Since(began).Seconds(), "recovered/s")
		})
	}
}

// benchRuns appends b.N events, never far ahead of the slowest reader, and waits
// until all have them.
func benchRuns(b *testing.B, st *store.Store, readers []*runReader) {
	var reading, telling sync.WaitGroup
	var failed atomic.Bool
	start := readers[0].at.Load()
	for i, r := range readers {
		reading.Go(func() {
			if err := r.upTo(start + int64(b.N)); err != nil {
				b.Errorf("reader %d is at %d of %d: %v", i, r.at.Load()-start, b.N, err)
				failed.Store(true)
			}
		})
	}
	slowest := func() int64 {
		least := readers[0].at.Load()
		for _, r := range readers {
			least = min(least, r.at.Load())
		}
		return least - start
	}
	var next atomic.Int64
	for range slowTellers {
		telling.Go(func() {
			for n := next.Add(1); n <= int64(b.N) && !failed.Load(); n = next.Add(1) {
				for n-slowest() > slowAhead && !failed.Load() {
					time.Sleep(100 * time.Microsecond)
				}
				err := st.TellAdminAction(context.Background(), benchScope, protocol.EventData{
					Admin: "admin", Action: "admin.users.ban", Target: fmt.Sprint("player", n), Reason: "too many accounts", IP: "192.0.2.7",
				})
				if err != nil {
					b.Error(err)
					failed.Store(true)
				}
			}
		})
	}
	telling.Wait()
	reading.Wait()
	if b.Failed() {
		b.FailNow()
	}
}

// A runReader reads all events of a scope, which must follow one another.
type runReader struct {
	conn     *bare.Conn
	at       atomic.Int64 // seq of the last event it has
	position string       // where it subscribed, as JSON
}

// openRunReader subscribes, behind a position or from now on.
func openRunReader(b *testing.B, url, token, since string) *runReader {
	from := ""
	if since != "" {
		from = `,"since":{"bench":` + since + `}`
	}
	c, reply := benchSubscriber(b, url, token, from)
	r := &runReader{conn: c}
	var answer struct {
		Result struct {
			Heads map[string]json.RawMessage `json:"heads"`
		} `json:"result"`
	}
	if err := json.Unmarshal(reply, &answer); err != nil {
		b.Fatalf("admin.subscribe: %v %s", err, reply)
	}
	if r.position = since; since == "" {
		r.position = string(answer.Result.Heads["bench"])
	}
	var at protocol.FeedPosition
	if err := json.Unmarshal([]byte(r.position), &at); err != nil {
		b.Fatalf("head: %v %s", err, reply)
	}
	r.at.Store(at.Seq)
	return r
}

// upTo reads up to an event, and fails when one is missing or comes twice.
func (r *runReader) upTo(seq int64) error {
	name := []byte(`"seq":`)
	for r.at.Load() < seq {
		text, err := r.conn.Read()
		if err != nil {
			return err
		}
		found := false
		for i := bytes.Index(text, name); i >= 0; i = bytes.Index(text, name) {
			text = text[i+len(name):]
			end := bytes.IndexAny(text, ",}")
			got, err := strconv.ParseInt(string(text[:max(0, end)]), 10, 64)
			if want := r.at.Load() + 1; err != nil || got != want {
				return fmt.Errorf("got event %d, want %d: %v", got, want, err)
			}
			r.at.Store(got)
			found = true
		}
		if !found {
			return fmt.Errorf("no event in %s", text)
		}
	}
	return nil
}

// A heldWatch notes the most that waited for one connection, and the largest heap.
type heldWatch struct {
	done  chan struct{}
	ended chan struct{}
	bytes int
	heap  uint64
}

func watchHeld(srv *server.Server) *heldWatch {
	w := &heldWatch{done: make(chan struct{}), ended: make(chan struct{})}
	go func() {
		defer close(w.ended)
		sample := []live.Sample{{Name: "/gc/heap/live:bytes"}}
		for {
			w.bytes = max(w.bytes, srv.MostQueued())
			live.Read(sample)
			w.heap = max(w.heap, sample[0].Value.Uint64())
			select {
			case <-w.done:
				return
			case <-time.After(time.Millisecond):
			}
		}
	}()
	return w
}

func (w *heldWatch) stop() (bytes int, heapMB float64) {
	close(w.done)
	<-w.ended
	return w.bytes, float64(w.heap) / (1 << 20)
}

// heapAfterGC is how much is reachable, in MiB.
func heapAfterGC() float64 {
	runtime.GC()
	runtime.GC() // what the pools kept
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc) / (1 << 20)
}
