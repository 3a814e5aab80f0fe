package main

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"rollcall/protocol"
	"rollcall/protocol/client"
)

// A tap passes a server's connections on and keeps what the server said.
type tap struct {
	*httptest.Server
	mu   sync.Mutex
	said strings.Builder // guarded by mu
}

func (p *tap) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.said.Write(b)
}

func startTap(t *testing.T, address string) *tap {
	t.Helper()
	p := &tap{}
	proxy := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: address})
	proxy.ModifyResponse = func(r *http.Response) error {
		if conn, ok := r.Body.(io.ReadWriteCloser); ok { // of a WebSocket
			r.Body = tapped{conn, io.TeeReader(conn, p)}
		}
		return nil
	}
	p.Server = httptest.NewServer(proxy)
	t.Cleanup(p.Close)
	return p
}

type tapped struct {
	io.ReadWriteCloser
	reader io.Reader
}

func (c tapped) Read(b []byte) (int, error) { return c.reader.Read(b) }

func (p *tap) has(text string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.Contains(p.said.String(), text)
}

// tokens returns the tokens that the server has given out.
func (p *tap) tokens() (all []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, m := range regexp.MustCompile(`"token":"([^"]+)"`).FindAllStringSubmatch(p.said.String(), -1) {
		all = append(all, m[1])
	}
	return all
}

func (p *tap) wantNoToken(t *testing.T, server string) {
	t.Helper()
	tokens := p.tokens()
	if len(tokens) != 1 {
		t.Fatalf("the server gave out %d tokens, want 1", len(tokens))
	}
	c, err := client.Dial(t.Context(), "ws://"+server, client.Options{Admin: &protocol.AdminLoginParams{Token: tokens[0]}, NoReconnect: true})
	if err == nil {
		c.Close()
	}
	if !isStatus(err, protocol.StatusSessionInvalid) {
		t.Errorf("its token is still good: %v", err)
	}
}

func TestACommandLeavesNoTokenBehind(t *testing.T) {
	r := start(t, environ("ROLLCALL_KEY", secretKey, "ROLLCALL_ADMIN_PASSWORD", secretPassword))
	for _, tt := range []struct {
		args []string
		ok   bool
	}{
		{[]string{"admin", "list"}, true},
		{[]string{"scope", "add", "A"}, true},
		{[]string{"admin", "remove", "nobody"}, false},
	} {
		p := startTap(t, r.address)
		_, errOut, err := run(t, Program{Args: tt.args, Env: environ("ROLLCALL_SERVER", p.URL, "ROLLCALL_ADMIN_PASSWORD", secretPassword)})
		if (err == nil) != tt.ok {
			t.Errorf("%q: %v\n%s", tt.args, err, errOut)
		}
		p.wantNoToken(t, r.address)
	}
}

func TestAWatchLeavesNoTokenBehind(t *testing.T) {
	r := start(t, environ("ROLLCALL_KEY", secretKey, "ROLLCALL_ADMIN_PASSWORD", secretPassword))
	p := startTap(t, r.address)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	ended := make(chan error, 1)
	go func() {
		ended <- Program{Args: []string{"watch"}, Env: environ("ROLLCALL_SERVER", p.URL, "ROLLCALL_ADMIN_PASSWORD", secretPassword)}.Run(ctx)
	}()
	for began := time.Now(); !p.has(`"subscription":`) && time.Since(began) < 30*time.Second; {
		time.Sleep(5 * time.Millisecond)
	}
	stop()
	if err := <-ended; err != nil {
		t.Errorf("watch: %v", err)
	}
	p.wantNoToken(t, r.address)
}
