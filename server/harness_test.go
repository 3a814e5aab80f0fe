package server_test

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"rollcall/server"
	"rollcall/server/passwords"
	"rollcall/server/wiretest"
	"rollcall/store"
)

// The contract's tests start whole servers and speak to them by hand. They know
// the server by its Config and the wire, and nothing else.

const (
	theScope    = "Space Race"
	theKey      = "k"
	theAdmin    = "pw"
	thePassword = "hunter2-secret" // every test's password holds "secret", which no log may show
)

type obj = map[string]any

// A node is one running server.
type node struct {
	t    *testing.T
	addr string
	srv  *server.Server
	logs *logBuffer

	stop context.CancelFunc
	done chan error // what Serve returned
}

// start runs a server on an embedded store of its own.
func start(t *testing.T, change ...func(*server.Config)) *node {
	t.Helper()
	return startOn(t, "", change...)
}

// startOn runs a server on a storage URL. The end of the test stops it and looks
// through its log.
func startOn(t *testing.T, url string, change ...func(*server.Config)) *node {
	t.Helper()
	logs := &logBuffer{}
	logger := slog.New(slog.NewTextHandler(logs, &slog.HandlerOptions{Level: slog.LevelDebug}))
	st, err := store.Open(t.Context(), store.Config{URL: url, Logger: logger})
	if err != nil {
		t.Fatalf("open the store: %v", err)
	}
	cfg := server.Config{
		Listen: "127.0.0.1:0", Key: theKey, AutoScopes: true, Logger: logger,
		Hash:         passwords.Params{Memory: 64, Time: 1, Threads: 1},
		DrainTimeout: 500 * time.Millisecond,
	}
	for _, f := range change {
		f(&cfg)
	}
	srv, err := server.New(cfg, st)
	if err != nil {
		t.Fatalf("make the server: %v", err)
	}
	if _, err := srv.Bootstrap(t.Context(), server.BootstrapOptions{AdminPassword: theAdmin, Scopes: []string{theScope}}); err != nil {
		t.Fatalf("bootstrap: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	n := &node{t: t, srv: srv, logs: logs, stop: cancel, done: make(chan error, 1)}
	served := make(chan struct{})
	go func() { n.done <- srv.Serve(ctx); close(served) }()
	t.Cleanup(func() {
		cancel()
		select {
		case <-served:
		case <-time.After(wiretest.Guard):
			t.Error("the server did not stop")
		}
		if err := st.Close(); err != nil {
			t.Errorf("close the store: %v", err)
		}
		logs.check(t)
	})
	await(t, "the server listens", func() bool { return srv.Addr() != nil })
	n.addr = srv.Addr().String()
	await(t, "the server is ready", func() bool { status, _ := n.get("/readyz", nil); return status == http.StatusOK })
	return n
}

// await waits for what no reply tells.
func await(t *testing.T, what string, done func() bool) {
	t.Helper()
	for hung := time.Now().Add(wiretest.Guard); !done(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(hung) {
			t.Fatalf("waited in vain until %s", what)
		}
	}
}

// A logBuffer keeps what servers log.
type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *logBuffer) check(t *testing.T) {
	b.mu.Lock()
	defer b.mu.Unlock()
	text := b.buf.String()
	for _, never := range []string{"secret", "$argon2", "panic", passwordHash(theScope, thePassword)} {
		if at := strings.Index(text, never); at >= 0 {
			t.Errorf("the log shows %q: %s", never, text[max(0, at-200):min(len(text), at+500)])
		}
	}
	if t.Failed() {
		t.Logf("the server's log ends with: %s", text[max(0, len(text)-4000):])
	}
}

// dial opens a connection that has said nothing yet.
func (n *node) dial() *wiretest.Client {
	n.t.Helper()
	return wiretest.Dial(n.t, n.addr)
}

func initParams(scope string) obj { return obj{"scope": scope, "key": theKey} }

// client opens a connection in a scope, "Space Race" if none is given.
func (n *node) client(scope ...string) *wiretest.Client {
	n.t.Helper()
	c := n.dial()
	name := theScope
	if len(scope) > 0 {
		name = scope[0]
	}
	ok(n.t, c.Call("core.init", initParams(name)))
	return c
}

// admin opens a connection of the account "admin", an owner.
func (n *node) admin() *wiretest.Client {
	n.t.Helper()
	c := n.dial()
	ok(n.t, c.Call("admin.login", obj{"name": "admin", "password": theAdmin}))
	return c
}

// get fetches an operator's page and returns its status, 0 when nobody answers.
func (n *node) get(path string, header map[string]string) (int, http.Header) {
	req, err := http.NewRequest("GET", "http://"+n.addr+path, nil)
	if err != nil {
		n.t.Fatal(err)
	}
	for k, v := range header {
		req.Header.Set(k, v)
	}
	resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: wiretest.Guard}).Do(req)
	if err != nil {
		return 0, nil
	}
	resp.Body.Close()
	return resp.StatusCode, resp.Header
}

// A user is what a test knows of one that it made.
type user struct{ id, name, password string }

func (u user) login() obj { return obj{"username": u.name, "password": u.password} }
func (u user) ref() obj   { return obj{"user_id": u.id} }

// create makes a user on a connection; more adds to the parameters.
func create(t *testing.T, c *wiretest.Client, name string, more ...obj) user {
	t.Helper()
	params := obj{"username": name, "password": thePassword}
	for _, m := range more {
		for k, v := range m {
			params[k] = v
		}
	}
	u := user{name: name, password: thePassword}
	if u.id = ok(t, c.Call("users.create", params)).Object().Text("user_id"); !uuidForm.MatchString(u.id) {
		t.Fatalf("user_id %q is no UUID", u.id)
	}
	return u
}

// elsewhere makes a user on a connection that is then gone, so that only a login
// opens it.
func (n *node) elsewhere(name string, more ...obj) user {
	n.t.Helper()
	c := n.client()
	u := create(n.t, c, name, more...)
	c.Close()
	return u
}

// login logs in on a connection and returns the session's token.
func login(t *testing.T, c *wiretest.Client, u user) string {
	t.Helper()
	token := ok(t, c.Call("users.login", u.login())).Object().Object("session").Text("token")
	if token == "" {
		t.Fatal("the login has no token")
	}
	return token
}

func ok(t *testing.T, r wiretest.Reply) wiretest.Reply {
	t.Helper()
	if !r.OK() {
		t.Fatalf("got %s, want a result", r.Raw)
	}
	return r
}

// want checks the status of an error, or 0 for a result.
func want(t *testing.T, r wiretest.Reply, status int) wiretest.Reply {
	t.Helper()
	if r.Status() != status {
		t.Errorf("got %s, want status %d", r.Raw, status)
	}
	return r
}

func wantResult(t *testing.T, r wiretest.Reply, result string) {
	t.Helper()
	if r.Result() != result {
		t.Errorf("got %s, want the result %s", r.Raw, result)
	}
}

// wantMembers checks which members an object has: all of must, perhaps some of may.
func wantMembers(t *testing.T, o wiretest.Object, must string, may ...string) {
	t.Helper()
	names := strings.Fields(must)
	for _, name := range names {
		if o.Raw(name) == "" {
			t.Errorf("%q is missing in %v", name, o)
		}
	}
	for _, name := range o.Names() {
		if !slices.Contains(names, name) && !slices.Contains(may, name) {
			t.Errorf("%q does not belong in %v", name, o)
		}
	}
}

// wantEnd checks a close by the server: a bye of the code, then the close. Any
// goroutine of a test may call it.
func wantEnd(t *testing.T, c *wiretest.Client, code int) wiretest.Ending {
	t.Helper()
	e, err := c.End()
	switch {
	case err != nil:
		t.Errorf("want a close with %d: %v", code, err)
	case e.Bye == nil:
		t.Errorf("closed without a bye, want %d: close %v", code, e.Close)
	case e.Bye.Code != code || e.Bye.Reconnect != (code < 4500):
		t.Errorf("bye %s, want code %d and reconnect %v", e.Bye.Raw, code, code < 4500)
	}
	if e.Close == nil || e.Close.Code != code {
		t.Errorf("close %v, want %d", e.Close, code)
	}
	return e
}

var (
	uuidForm = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)
	timeForm = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$`)
)
