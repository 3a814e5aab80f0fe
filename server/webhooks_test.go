package server

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"rollcall/protocol"
	"rollcall/server/passwords"
	"rollcall/server/wiretest"
	"rollcall/store"
)

// A memoryFeed is one scope's feed in memory.
type memoryFeed struct {
	mu     sync.Mutex
	events []protocol.Push
	wakes  []chan struct{}
}

func (f *memoryFeed) Head(context.Context, string) (protocol.FeedPosition, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return protocol.FeedPosition{Seq: int64(len(f.events)), Epoch: "e1"}, nil
}

func (f *memoryFeed) Since(_ context.Context, _ string, after protocol.FeedPosition, _ int) ([]protocol.Push, bool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.events[after.Seq:], false, nil
}

func (f *memoryFeed) Watch(string) (<-chan struct{}, func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	wake := make(chan struct{}, 1)
	f.wakes = append(f.wakes, wake)
	return wake, func() {}
}

func (f *memoryFeed) add(name string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.events = append(f.events, protocol.Push{Event: name, Seq: int64(len(f.events) + 1), Epoch: "e1"})
	for _, wake := range f.wakes {
		select {
		case wake <- struct{}{}:
		default:
		}
	}
}

// From an owner's message to the POST, by a whole server.
func TestAServerPostsTheFeedToTheWebhookThatAnOwnerSets(t *testing.T) {
	var mu sync.Mutex
	var got []string // "<path> <event>"
	secret := ""
	hook := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		var d protocol.WebhookDelivery
		mu.Lock()
		defer mu.Unlock()
		if err := json.Unmarshal(body, &d); err != nil {
			t.Error(err)
		}
		if err := protocol.VerifyWebhook(secret, r.Header.Get(protocol.HeaderTimestamp), r.Header.Get(protocol.HeaderSignature), body, 0); err != nil {
			t.Error(err)
		}
		for _, e := range d.Events {
			got = append(got, r.URL.Path+" "+e.Event)
		}
	}))
	defer hook.Close()
	seen := func() string {
		mu.Lock()
		defer mu.Unlock()
		return strings.Join(got, ", ")
	}
	until := func(want string) {
		t.Helper()
		for hung := time.Now().Add(wiretest.Guard); seen() != want; time.Sleep(2 * time.Millisecond) {
			if time.Now().After(hung) {
				t.Fatalf("got %s, want %s", seen(), want)
			}
		}
	}

	var logs bytes.Buffer // read when the server has ended
	log := slog.New(slog.NewTextHandler(&logs, &slog.HandlerOptions{Level: slog.LevelDebug}))
	st, err := store.Open(t.Context(), store.Config{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	feed := &memoryFeed{}
	feed.add("user.before")
	s, err := New(Config{
		Listen: "127.0.0.1:0", Key: "k", Logger: log, feed: feed,
		Hash: passwords.Params{Memory: 64, Time: 1, Threads: 1}, DrainTimeout: 10 * time.Millisecond,
	}, st)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Bootstrap(t.Context(), BootstrapOptions{AdminPassword: "pw", Scopes: []string{"Moon"}}); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	var served sync.WaitGroup
	served.Go(func() { _ = s.Serve(ctx) })
	a := wiretest.Dial(t, s.Addr().String())
	call := func(typ string, params any) wiretest.Reply {
		t.Helper()
		r := a.Call(typ, params)
		if !r.OK() {
			t.Fatalf("got %s", r.Raw)
		}
		return r
	}
	call("admin.login", map[string]any{"name": "admin", "password": "pw"})
	set := func(path string, events ...string) {
		t.Helper()
		webhook := map[string]any{"url": ""}
		if path != "" {
			webhook["url"], webhook["events"] = hook.URL+path, events
		}
		o := call("admin.scopes.update", map[string]any{"name": "Moon", "webhook": webhook}).Object()
		if told := o.Object("webhook").Text("secret"); told != "" {
			mu.Lock()
			secret = told
			mu.Unlock()
		}
	}
	noted := func(seq string) {
		t.Helper()
		place := ""
		for hung := time.Now().Add(wiretest.Guard); place != seq; {
			if time.Now().After(hung) {
				t.Fatalf("the place is %s, not %s", place, seq)
			}
			place = call("admin.scopes.deliveries", map[string]any{"name": "Moon"}).Object().Object("position").Raw("seq")
		}
	}
	set("/a")
	feed.add("user.login")
	until("/a user.login")
	noted("2")
	set("/b", "user.banned") // no client has named the scope here
	feed.add("user.login")
	feed.add("user.banned")
	until("/a user.login, /b user.banned")
	noted("4")
	set("")
	for hung := time.Now().Add(wiretest.Guard); len(s.webhooks.Scopes()) > 0 && time.Now().Before(hung); {
		time.Sleep(time.Millisecond)
	}
	feed.add("user.banned")
	set("/c")
	feed.add("user.login")
	until("/a user.login, /b user.banned, /c user.login")
	noted("6")

	stop()
	served.Wait()
	if err := st.Close(); err != nil {
		t.Error(err)
	}
	if strings.Contains(logs.String(), secret) || strings.Contains(logs.String(), "/b") {
		t.Errorf("the log shows the secret or a path:\n%s", logs.String())
	}
	families, err := s.metrics.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == "rollcall_webhook_deliveries_total" && f.GetMetric()[0].GetCounter().GetValue() != 3 {
			t.Errorf("counted %v", f)
		}
	}
}
