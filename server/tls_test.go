package server_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"rollcall/protocol"
	"rollcall/protocol/client"
	"rollcall/server"
	"rollcall/server/passwords"
	"rollcall/server/wiretest"
	"rollcall/store"
	"rollcall/store/storetest"
)

// newTLS makes a server that has not been served, with a scope and an admin.
// What it logs is looked through when the test ends.
func newTLS(t *testing.T, change func(*server.Config)) *server.Server {
	t.Helper()
	logs := &logBuffer{}
	t.Cleanup(func() { logs.check(t) })
	logger := slog.New(slog.NewTextHandler(logs, &slog.HandlerOptions{Level: slog.LevelDebug}))
	st, err := store.Open(t.Context(), store.Config{Logger: logger})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	cfg := server.Config{
		Listen: "127.0.0.1:0", Key: theKey, Logger: logger, DrainTimeout: 500 * time.Millisecond,
		Hash: passwords.Params{Memory: 64, Time: 1, Threads: 1},
	}
	change(&cfg)
	srv, err := server.New(cfg, st)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(srv.Close)
	if _, err := srv.Bootstrap(t.Context(), server.BootstrapOptions{AdminPassword: theAdmin, Scopes: []string{theScope}}); err != nil {
		t.Fatal(err)
	}
	return srv
}

// serveTLS serves until the test ends and returns the address.
func serveTLS(t *testing.T, srv *server.Server) string {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- srv.Serve(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	addr := srv.Addr()
	if addr == nil {
		t.Fatal("the server does not listen")
	}
	return addr.String()
}

// startTLS runs a server with a certificate for 127.0.0.1, and returns its
// address and how a client trusts it.
func startTLS(t *testing.T) (addr string, trust *tls.Config) {
	t.Helper()
	ca := storetest.NewCA(t)
	cert, key := ca.Issue(t, "127.0.0.1")
	addr = serveTLS(t, newTLS(t, func(c *server.Config) { c.TLSCert, c.TLSKey = cert, key }))
	trust = &tls.Config{RootCAs: ca.Pool()}
	web := webClient(trust)
	await(t, "the server is ready", func() bool {
		resp, err := web.Get("https://" + addr + "/readyz")
		if err != nil {
			return false
		}
		resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	})
	return addr, trust
}

// webClient is a client that, as a browser does, would rather speak HTTP/2.
func webClient(trust *tls.Config) *http.Client {
	return &http.Client{Timeout: wiretest.Guard, Transport: &http.Transport{
		TLSClientConfig: trust.Clone(), ForceAttemptHTTP2: true, DisableKeepAlives: true,
	}}
}

func TestAClientLogsInOverTLS(t *testing.T) {
	addr, trust := startTLS(t)
	for name, opt := range map[string]client.Options{
		"with the client's own transport": {TLS: trust},
		"offering HTTP/2":                 {HTTPClient: webClient(trust)},
	} {
		t.Run(name, func(t *testing.T) {
			opt.Scope, opt.Key, opt.NoReconnect = theScope, theKey, true
			c, err := client.Dial(t.Context(), "wss://"+addr, opt)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			// More than a TLS record holds goes there, and most of it comes back.
			extra := protocol.Extra{"long": protocol.String(strings.Repeat("x", 8000))}
			username := fmt.Sprint("tiny", len(name))
			password := protocol.Credentials{Password: thePassword}
			created, err := c.Create(t.Context(), protocol.CreateParams{Username: username, Credentials: password, Extra: extra})
			if err != nil {
				t.Fatal(err)
			}
			login, err := c.Login(t.Context(), protocol.LoginParams{Username: username, Credentials: password})
			if err != nil {
				t.Fatal(err)
			}
			if u, err := c.Get(t.Context(), login.UserID); err != nil || u.UserID != created.UserID || u.Extra["long"].Text() != extra["long"].Text() {
				t.Errorf("the user that was created became %v, %v", u, err)
			}
			if _, err := c.Login(t.Context(), protocol.LoginParams{Username: username, Credentials: protocol.Credentials{Password: "wrong"}}); err == nil {
				t.Error("a wrong password logs in")
			}
		})
	}
}

func TestAClientRefusesACertificateThatItDoesNotTrust(t *testing.T) {
	addr, trust := startTLS(t)
	elsewhere := trust.Clone()
	elsewhere.ServerName = "accounts.example"
	for name, config := range map[string]*tls.Config{
		"unknown authority": {RootCAs: storetest.NewCA(t).Pool()},
		"another host":      elsewhere,
	} {
		_, err := client.Dial(t.Context(), "wss://"+addr, client.Options{Scope: theScope, Key: theKey, TLS: config})
		var refused *tls.CertificateVerificationError
		if !errors.As(err, &refused) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestOnlyTLS12AndLaterAreSpoken(t *testing.T) {
	addr, trust := startTLS(t)
	for version, want := range map[uint16]bool{tls.VersionTLS10: false, tls.VersionTLS11: false, tls.VersionTLS12: true, tls.VersionTLS13: true} {
		config := trust.Clone()
		config.MinVersion, config.MaxVersion = version, version
		c, err := tls.Dial("tcp", addr, config)
		if err == nil {
			c.Close()
		}
		if (err == nil) != want || !want && !strings.Contains(err.Error(), "protocol version not supported") {
			t.Errorf("%s: %v", tls.VersionName(version), err)
		}
	}
}

func TestProbesAnswerOverTLS(t *testing.T) {
	addr, trust := startTLS(t)
	for _, path := range []string{"/healthz", "/readyz"} {
		resp, err := webClient(trust).Get("https://" + addr + path)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusOK || resp.ProtoMajor != 1 {
			t.Errorf("%s: %s %s", path, resp.Proto, resp.Status)
		}
	}
}

// A WebSocket takes over its connection, which only HTTP/1.1 lets it. A browser
// offers both and speaks what the server chose.
func TestABrowserThatOffersHTTP2GetsAWebSocket(t *testing.T) {
	addr, trust := startTLS(t)
	config := trust.Clone()
	config.NextProtos = []string{"h2", "http/1.1"}
	c, err := tls.Dial("tcp", addr, config)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if p := c.ConnectionState().NegotiatedProtocol; p != "http/1.1" {
		t.Errorf("the server chose %q", p)
	}
	if err := c.SetDeadline(time.Now().Add(wiretest.Guard)); err != nil {
		t.Fatal(err)
	}
	// The first frame comes in the same record as the handshake.
	first := []byte("GET /ws HTTP/1.1\r\nHost: " + addr + "\r\nOrigin: https://" + addr + "\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n")
	first = wiretest.AppendFrame(first, wiretest.Frame{Op: wiretest.OpText, Payload: wiretest.Encode(1, "core.init", initParams(theScope))})
	if _, err := c.Write(first); err != nil {
		t.Fatal(err)
	}
	r := bufio.NewReader(c)
	resp, err := http.ReadResponse(r, nil)
	if err != nil || resp.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("handshake: %v %v", resp, err)
	}
	if payload := readServerText(t, r); !strings.Contains(payload, `"result"`) {
		t.Errorf("core.init: %s", payload)
	}

	config.NextProtos = []string{"h2"}
	if c, err := tls.Dial("tcp", addr, config); err == nil {
		c.Close()
		t.Error("a client that speaks HTTP/2 only is let in")
	}
}

// readServerText reads one text frame of less than 64 KiB.
func readServerText(t *testing.T, r io.Reader) string {
	t.Helper()
	head := make([]byte, 2)
	if _, err := io.ReadFull(r, head); err != nil || head[0] != 0x81 {
		t.Fatalf("frame %x: %v", head, err)
	}
	n := int(head[1])
	if n == 126 {
		if _, err := io.ReadFull(r, head); err != nil {
			t.Fatal(err)
		}
		n = int(head[0])<<8 | int(head[1])
	}
	payload := make([]byte, n)
	if _, err := io.ReadFull(r, payload); err != nil || !json.Valid(payload) {
		t.Fatalf("payload %q: %v", payload, err)
	}
	return string(payload)
}

func TestAPlainRequestToTheTLSPortIsAnsweredOrClosed(t *testing.T) {
	addr, _ := startTLS(t)
	web := &http.Client{Timeout: 5 * time.Second} // less than the server would wait for a slow client
	resp, err := web.Get("http://" + addr + "/healthz")
	if err == nil {
		resp.Body.Close()
		if resp.StatusCode != http.StatusBadRequest {
			t.Errorf("answered with %s", resp.Status)
		}
	} else if os.IsTimeout(err) {
		t.Errorf("no answer: %v", err)
	}
	if c, err := client.Dial(t.Context(), "ws://"+addr, client.Options{Scope: theScope, Key: theKey, DialTimeout: 5 * time.Second}); err == nil {
		c.Close()
		t.Error("a client without TLS is let in")
	} else if errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a client without TLS gets no answer: %v", err)
	}
}

func TestServeSaysWhatIsWrongWithItsTLSFiles(t *testing.T) {
	ca := storetest.NewCA(t)
	cert, key := ca.Issue(t, "127.0.0.1")
	_, otherKey := ca.Issue(t, "127.0.0.1")
	dir := t.TempDir()
	missing := filepath.Join(dir, "missing.pem")
	garbage := filepath.Join(dir, "garbage.pem")
	if err := os.WriteFile(garbage, []byte("s3cr3t, and no PEM"), 0o600); err != nil {
		t.Fatal(err)
	}
	domains := []string{"accounts.example"}
	for name, tt := range map[string]struct {
		cert, key string
		domains   []string
		want      string
	}{
		"the key of another certificate": {cert, otherKey, nil, "private key does not match"},
		"files swapped":                  {key, cert, nil, "PEM"},
		"no such certificate":            {missing, key, nil, missing},
		"no such key":                    {cert, missing, nil, missing},
		"a certificate that is none":     {garbage, key, nil, "PEM"},
		"a key that is none":             {cert, garbage, nil, "PEM"},
		"a certificate without its key":  {cert, "", nil, "both"},
		"a key without its certificate":  {"", key, nil, "both"},
		"files and autocert":             {cert, key, domains, "not both"},
	} {
		t.Run(name, func(t *testing.T) {
			srv := newTLS(t, func(c *server.Config) {
				c.TLSCert, c.TLSKey = tt.cert, tt.key
				c.AutocertDomains, c.AutocertDir = tt.domains, dir
			})
			err := srv.Serve(t.Context()) // a server that does serve hangs here until the test's own limit
			if err == nil || !strings.HasPrefix(err.Error(), "TLS: ") || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error is %v, want %q", err, tt.want)
			}
			if err != nil && (strings.Contains(err.Error(), "s3cr3t") || strings.Contains(err.Error(), "PRIVATE")) {
				t.Errorf("the error shows a file: %v", err)
			}
			if srv.Addr() != nil {
				t.Errorf("it listens on %v", srv.Addr())
			}
		})
	}
}

// No certificate is fetched here: the handshakes end before that.
func TestAutocertServesItsDomainsAndNoHTTP2(t *testing.T) {
	addr := serveTLS(t, newTLS(t, func(c *server.Config) {
		c.AutocertDomains, c.AutocertDir = []string{"accounts.example"}, t.TempDir()
	}))
	for name, tt := range map[string]struct {
		config *tls.Config
		want   string
	}{
		"HTTP/2 only":      {&tls.Config{ServerName: "accounts.example", NextProtos: []string{"h2"}}, "no application protocol"},
		"another domain":   {&tls.Config{ServerName: "other.example", NextProtos: []string{"h2", "http/1.1"}}, "internal error"},
		"no domain at all": {&tls.Config{InsecureSkipVerify: true}, "internal error"},
		"TLS 1.1":          {&tls.Config{ServerName: "accounts.example", MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}, "protocol version"},
	} {
		c, err := tls.Dial("tcp", addr, tt.config)
		if err == nil {
			c.Close()
		}
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		}
	}
}
