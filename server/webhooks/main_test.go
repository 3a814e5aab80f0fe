package webhooks

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"go.uber.org/goleak"

	"rollcall/protocol"
	"rollcall/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	guardTime = 30 * time.Second // after which a test has hung
	theScope  = "Space Race"
	theSecret = "whsec-0123456789"
)

// A fakeFeed is feeds in memory.
type fakeFeed struct {
	mu       sync.Mutex
	epoch    string
	events   map[string][]protocol.Push
	seq      map[string]int64 // of the last event, kept or not
	watchers map[chan struct{}]string
	reads    int
	down     bool
	mute     bool // tokens get lost
}

func newFeed() *fakeFeed {
	return &fakeFeed{epoch: "e1", events: map[string][]protocol.Push{}, seq: map[string]int64{}, watchers: map[chan struct{}]string{}}
}

func (f *fakeFeed) Head(_ context.Context, scope string) (protocol.FeedPosition, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.down {
		return protocol.FeedPosition{}, store.ErrUnavailable
	}
	return f.head(scope), nil
}

func (f *fakeFeed) head(scope string) protocol.FeedPosition {
	p := protocol.FeedPosition{Seq: f.seq[scope], Epoch: f.epoch}
	if p.Seq > 0 {
		p.EventID = eventID(scope, p.Seq)
	}
	return p
}

func eventID(scope string, seq int64) string { return fmt.Sprintf("%s-%d", scope, seq) }

func (f *fakeFeed) Since(_ context.Context, scope string, after protocol.FeedPosition, limit int) ([]protocol.Push, bool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.reads++
	if f.down {
		return nil, false, store.ErrUnavailable
	}
	kept := f.events[scope]
	if after.Epoch != f.epoch {
		return slices.Clone(kept[:min(limit, len(kept))]), true, nil
	}
	lost := after.Seq < f.seq[scope]-int64(len(kept))
	at := slices.IndexFunc(kept, func(e protocol.Push) bool { return e.Seq > after.Seq })
	if at < 0 {
		return nil, lost, nil
	}
	return slices.Clone(kept[at:min(at+limit, len(kept))]), lost, nil
}

func (f *fakeFeed) Watch(scope string) (<-chan struct{}, func()) {
	wake := make(chan struct{}, 1)
	f.mu.Lock()
	f.watchers[wake] = scope
	f.mu.Unlock()
	return wake, func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		if _, ok := f.watchers[wake]; !ok {
			panic("stopped twice")
		}
		delete(f.watchers, wake)
	}
}

// add appends events of a name.
func (f *fakeFeed) add(scope, event string, n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for range n {
		f.seq[scope]++
		seq := f.seq[scope]
		f.events[scope] = append(f.events[scope], protocol.Push{
			Event: event, Scope: scope, Seq: seq, Epoch: f.epoch, EventID: eventID(scope, seq), Data: []byte(`{"username":"tiny"}`),
		})
	}
	for wake, of := range f.watchers {
		if of == scope && !f.mute {
			select {
			case wake <- struct{}{}:
			default:
			}
		}
	}
}

func (f *fakeFeed) change(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
}

// A receiver is a real HTTP server that keeps what it was posted and answers by
// script.
type receiver struct {
	*httptest.Server
	t *testing.T

	mu     sync.Mutex
	answer func(w http.ResponseWriter, r *http.Request, n int) // n counts from 0; nil: 200
	posts  []post
	at     int // requests being served
	most   int // of those at once
}

type post struct {
	protocol.WebhookDelivery
	header http.Header
	taken  bool
}

func newReceiver(t *testing.T, answer func(w http.ResponseWriter, r *http.Request, n int)) *receiver {
	t.Helper()
	r := &receiver{t: t, answer: answer}
	r.Server = httptest.NewServer(r)
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return
	}
	p := post{header: req.Header}
	if err := json.Unmarshal(body, &p.WebhookDelivery); err != nil {
		r.t.Errorf("the body is %q: %v", body, err)
	}
	if err := protocol.VerifyWebhook(theSecret, req.Header.Get(protocol.HeaderTimestamp), req.Header.Get(protocol.HeaderSignature), body, 0); err != nil {
		r.t.Error(err)
	}
	if req.Method != http.MethodPost || req.Header.Get("Content-Type") != "application/json" || req.Header.Get("User-Agent") != "Rollcall" ||
		req.Header.Get(protocol.HeaderDelivery) != p.Delivery || p.Delivery == "" || req.Header["Idempotency-Key"] != nil {
		r.t.Errorf("%s %v", req.Method, req.Header)
	}
	r.mu.Lock()
	n := len(r.posts)
	r.posts = append(r.posts, p)
	r.at++
	r.most = max(r.most, r.at)
	answer := r.answer
	r.mu.Unlock()
	seen := &statusWriter{ResponseWriter: w, status: http.StatusOK}
	defer func() {
		r.mu.Lock()
		r.posts[n].taken = seen.status/100 == 2
		r.at--
		r.mu.Unlock()
	}()
	if answer != nil {
		answer(seen, req, n)
	}
}

type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

func (r *receiver) all() []post {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.posts)
}

// mostAtOnce returns how many POSTs were being served together.
func (r *receiver) mostAtOnce() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.most
}

// taken returns the seqs of the events in deliveries that were answered 2xx.
func (r *receiver) taken() []int64 {
	var seqs []int64
	for _, p := range r.all() {
		if p.taken {
			for _, e := range p.Events {
				seqs = append(seqs, e.Seq)
			}
		}
	}
	return seqs
}

func seqs(from, to int64) []int64 {
	var s []int64
	for ; from <= to; from++ {
		s = append(s, from)
	}
	return s
}

func eventually(t testing.TB, what string, f func() bool) {
	t.Helper()
	for hung := time.Now().Add(guardTime); !f(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(hung) {
			t.Fatal("never: " + what)
		}
	}
}

// A logBuffer keeps what deliverers log, of all levels.
type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// A bench is a store, a feed and what runs on them.
type bench struct {
	t     *testing.T
	feed  *fakeFeed
	store *store.Store
	logs  *logBuffer

	mu       sync.Mutex
	outcomes map[string]int
}

// newBench starts a bench on an embedded store with the scope and no webhook.
func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{t: t, feed: newFeed(), logs: &logBuffer{}, outcomes: map[string]int{}}
	st, err := store.Open(t.Context(), store.Config{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	b.store = st
	t.Cleanup(func() {
		if err := st.Close(); err != nil {
			t.Error(err)
		}
		for _, never := range []string{theSecret, "path-secret", "query-secret", "v1="} {
			if strings.Contains(b.logs.String(), never) {
				t.Errorf("the log shows %q:\n%s", never, b.logs)
			}
		}
		if t.Failed() {
			text := b.logs.String()
			t.Logf("the log ends with\n%s", text[max(0, len(text)-4000):])
		}
	})
	b.scope(theScope)
	return b
}

func (b *bench) scope(name string) {
	b.t.Helper()
	if _, err := b.store.CreateScope(b.t.Context(), store.Scope{Name: name}); err != nil {
		b.t.Fatal(err)
	}
}

// set sets the webhook in the store; "" removes it.
func (b *bench) set(scope, url string, events ...string) *store.Webhook {
	b.t.Helper()
	head, err := b.feed.Head(b.t.Context(), scope)
	if err != nil {
		b.t.Fatal(err)
	}
	if url != "" {
		url += "/path-secret?q=query-secret"
	}
	sc, err := b.store.UpdateScope(b.t.Context(), scope, store.ScopeUpdate{
		Webhook: &protocol.WebhookConfig{URL: url, Events: events}, NewWebhook: store.NewWebhook{Secret: theSecret, Start: &head},
	})
	if err != nil {
		b.t.Fatal(err)
	}
	return sc.Webhook
}

// deliverer starts one that retries within milliseconds.
func (b *bench) deliverer(owner string, change ...func(*Options)) *Deliverer {
	b.t.Helper()
	o := Options{
		Owner: owner, Timeout: 2 * time.Second, Lease: 3 * time.Second,
		Backoff: func(int) time.Duration { return time.Millisecond },
		Delivered: func(outcome string) {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.outcomes[outcome]++
		},
		Logger: slog.New(slog.NewTextHandler(b.logs, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	for _, f := range change {
		f(&o)
	}
	d := New(b.feed, b.store, o)
	b.t.Cleanup(func() { closeNow(d) })
	return d
}

func (b *bench) outcome(name string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.outcomes[name]
}

func (b *bench) state(scope string, w *store.Webhook) protocol.WebhookState {
	b.t.Helper()
	s, err := b.store.WebhookState(b.t.Context(), scope, w)
	if err != nil {
		b.t.Fatal(err)
	}
	return s
}

func closeNow(d *Deliverer) {
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	d.Close(ctx)
}

func wantSeqs(t *testing.T, got, want []int64) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("got the events %v, want %v", got, want)
	}
}
