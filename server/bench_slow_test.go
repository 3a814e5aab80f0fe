package server

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

	"rollcall/protocol"
	"rollcall/store"
	"rollcall/store/storetest"
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
			redis := storetest.SharedRedis(b).URL()
			srv, url := startFeedNode(b, redis, "a")
			st, err := store.Open(context.Background(), store.Config{URL: redis})
			if err != nil {
				b.Fatal(err)
			}
			b.Cleanup(func() { st.Close() })
			token := adminToken(b, url)
			var readers []*runReader
			for range slowReaders {
				readers = append(readers, openRunReader(b, url, token, ""))
			}
			var still *runReader
			var held *conn
			if stopped {
				known := srv.conns.all()
				still = openRunReader(b, url, token, "")
				held = newConn(b, srv, known)
			}
			before := heapAfterGC()
			w := watchHeld(held)
			b.ResetTimer()
			benchRuns(b, st, readers)
			b.StopTimer()
			queue, peak := w.stop()
			b.ReportMetric(float64(b.N)*slowReaders/b.Elapsed().Seconds(), "deliveries/s")
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
			if stopped {
				still.ws.CloseNow()
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
				err := st.TellAdminAction(context.Background(), "bench", protocol.EventData{
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
	feedSubscriber
	at       atomic.Int64 // seq of the last event it has
	position string       // where it subscribed, as JSON
}

// openRunReader subscribes, behind a position or from now on.
func openRunReader(b *testing.B, url, token, since string) *runReader {
	r := &runReader{feedSubscriber: feedSubscriber{ws: closedAfter(b, benchDial(b, url))}}
	if reply := benchAsk(b, r.ws, `{"id":1,"type":"admin.login","data":{"token":"`+token+`"}}`); !bytes.Contains(reply, []byte(`"result":`)) {
		b.Fatalf("admin.login: %s", reply)
	}
	from := ""
	if since != "" {
		from = `,"since":{"bench":` + since + `}`
	}
	reply := benchAsk(b, r.ws, `{"id":2,"type":"admin.subscribe","data":{"scope":"bench","batch":true`+from+`}}`)
	var answer struct {
		Result struct {
			Recovered bool                       `json:"recovered"`
			Heads     map[string]json.RawMessage `json:"heads"`
		} `json:"result"`
	}
	if err := json.Unmarshal(reply, &answer); err != nil || !answer.Result.Recovered {
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
		text, err := r.read()
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

// newConn is the one connection of a server that was not there before.
func newConn(b *testing.B, srv *Server, before []*conn) *conn {
	known := map[*conn]bool{}
	for _, c := range before {
		known[c] = true
	}
	for _, c := range srv.conns.all() {
		if !known[c] {
			return c
		}
	}
	b.Fatal("there is no new connection")
	return nil
}

// A heldWatch notes the most that waited for a connection, and the largest heap.
type heldWatch struct {
	done  chan struct{}
	ended chan struct{}
	bytes int
	heap  uint64
}

func watchHeld(c *conn) *heldWatch {
	w := &heldWatch{done: make(chan struct{}), ended: make(chan struct{})}
	go func() {
		defer close(w.ended)
		sample := []live.Sample{{Name: "/gc/heap/live:bytes"}}
		for {
			if c != nil {
				c.out.mu.Lock()
				w.bytes = max(w.bytes, c.out.bytes)
				c.out.mu.Unlock()
			}
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
