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
	s, err := New(Config{
		Listen: "127.0.0.1:0", Key: "k", Logger: log,
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
	create := func(name string) string {
		t.Helper()
		return call("admin.users.create", map[string]any{"scope": "Moon", "username": name}).Object().Text("user_id")
	}
	ban := func(id string) {
		t.Helper()
		call("admin.users.ban", map[string]any{"user_id": id})
	}
	create("before")
	set("/a", "user.created")
	id := create("tiny")
	until("/a user.created")
	set("/b", "user.banned") // no client has named the scope here
	create("other")
	ban(id)
	until("/a user.created, /b user.banned")
	set("")
	for hung := time.Now().Add(wiretest.Guard); len(s.webhooks.Scopes()) > 0 && time.Now().Before(hung); {
		time.Sleep(time.Millisecond)
	}
	ban(id)
	set("/c", "user.created")
	create("third")
	until("/a user.created, /b user.banned, /c user.created")

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
