package oauth

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"rollcall/protocol"
)

const (
	fbApp    = "138483919580948"
	fbSecret = "the-app-secret-0a1b2c"
	fbToken  = "EAAG-the-players-access-token"
)

func fbLogin(t testing.TB, v *Verifier) error {
	t.Helper()
	cfg := protocol.ProviderConfig{ClientIDs: []string{fbApp, "unused"}, AppSecret: fbSecret}
	return v.Verify(t.Context(), "Space Race", Facebook, cfg, Proof{ClientID: player, AccessToken: fbToken})
}

// wantNoSecret fails if a text shows the token or the app's secret.
func wantNoSecret(t testing.TB, text string) {
	t.Helper()
	for _, secret := range []string{fbToken, fbSecret, "debug_token?"} {
		if strings.Contains(text, secret) {
			t.Errorf("%q holds %q", text, secret)
		}
	}
}

func TestOnlyAnAccessTokenThatFacebookConfirmsIsLetIn(t *testing.T) {
	clock := newClock()
	data := func(changes string) string {
		return fmt.Sprintf(`{"data":{"app_id":%q,"type":"USER","is_valid":true,"expires_at":%d,"user_id":%q%s}}`,
			fbApp, clock.Now().Add(time.Hour).Unix(), player, changes)
	}
	const unavailable, rejected = protocol.StatusUnavailable, protocol.StatusProofRejected
	tests := []struct {
		name   string
		status int
		body   string
		want   protocol.Status
		text   string
	}{
		{"valid", 200, data(""), 0, ""},
		{"valid, never expires", 200, data(`,"expires_at":0`), 0, ""},
		{"valid, ids as numbers", 200, `{"data":{"app_id":138483919580948,"is_valid":true,"user_id":` + player + `}}`, 0, ""},
		{"invalid", 200, data(`,"is_valid":false`), rejected, "invalid"},
		{"invalid, with an error", 200, `{"data":{"error":{"code":190,"message":"malformed"},"is_valid":false,"scopes":[]}}`, rejected, "invalid"},
		{"not said to be valid", 200, `{"data":{"app_id":"` + fbApp + `","user_id":"` + player + `"}}`, rejected, "invalid"},
		{"another app's", 200, data(`,"app_id":"999"`), rejected, "another app"},
		{"the app's second client_id", 200, data(`,"app_id":"unused"`), rejected, "another app"},
		{"another user's", 200, data(`,"user_id":"999"`), rejected, "not the client_id"},
		{"no user's", 200, data(`,"user_id":""`), rejected, "no user"},
		{"a page's", 200, data(`,"type":"PAGE"`), rejected, "not a user's"},
		{"expired", 200, data(fmt.Sprintf(`,"expires_at":%d`, clock.Now().Unix())), rejected, "expired"},
		{"expired and invalid", 200, data(`,"is_valid":false,"expires_at":5`), rejected, "expired"},
		{"empty object", 200, `{}`, rejected, "invalid"},
		{"the app's secret refused", 400, `{"error":{"code":190,"message":"Invalid OAuth access token signature."}}`, rejected, "did not accept"},
		{"no permission", 403, `nothing`, rejected, "did not accept"},
		{"too many calls", 400, `{"error":{"code":4,"message":"limit"}}`, unavailable, "reached"},
		{"passing error", 400, `{"error":{"code":77,"is_transient":true}}`, unavailable, "reached"},
		{"HTTP 429", 429, ``, unavailable, "reached"},
		{"HTTP 500", 500, data(""), unavailable, "reached"},
		{"HTTP 204", 204, ``, unavailable, "reached"},
		{"no JSON", 200, `<html>`, unavailable, "reached"},
		{"JSON of another form", 200, `{"data":[]}`, unavailable, "reached"},
		{"no end", 200, strings.Repeat(" ", maxResponseBytes+1), unavailable, "reached"},
		{"a redirect", 302, data(""), unavailable, "reached"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				q := r.URL.Query()
				if r.URL.Path != "/debug_token" || q.Get("input_token") != fbToken || q.Get("access_token") != fbApp+"|"+fbSecret {
					t.Errorf("asked for %s", r.URL)
				}
				if tt.status == 302 {
					w.Header().Set("Location", "/elsewhere")
				}
				w.WriteHeader(tt.status)
				io.WriteString(w, tt.body)
			}))
			t.Cleanup(server.Close)
			var log bytes.Buffer
			v := newVerifier(t, clock, func(o *Options) {
				o.FacebookURL = server.URL
				o.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
			})
			err := fbLogin(t, v)
			wantStatus(t, err, tt.want, tt.text)
			wantNoSecret(t, fmt.Sprint(err)+log.String())
		})
	}
}

func TestNothingOfTheTokenIsShownWhenFacebookIsDown(t *testing.T) {
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	broken := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }))
	t.Cleanup(broken.Close)
	for _, url := range []string{gone.URL, broken.URL} {
		var log bytes.Buffer
		clock := newClock()
		v := newVerifier(t, clock, func(o *Options) {
			o.FacebookURL = url
			o.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
		})
		for range 2 {
			err := fbLogin(t, v)
			wantStatus(t, err, protocol.StatusUnavailable, "reached")
			wantNoSecret(t, fmt.Sprint(err)+log.String())
		}
		if n := strings.Count(log.String(), "no connection"); n != 1 {
			t.Errorf("asked %d times, want the failure remembered:\n%s", n, log.String())
		}
		clock.Advance(backoffFirst)
		wantStatus(t, fbLogin(t, v), protocol.StatusUnavailable, "reached")
		if n := strings.Count(log.String(), "no connection"); n != 2 {
			t.Errorf("asked %d times, want it asked again", n)
		}
	}
}

func TestAnAccessTokenThatIsTooLongIsNotSent(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("Facebook was asked") }))
	t.Cleanup(server.Close)
	v := newVerifier(t, newClock(), func(o *Options) { o.FacebookURL = server.URL })
	cfg := protocol.ProviderConfig{ClientIDs: []string{fbApp}, AppSecret: fbSecret}
	err := v.Verify(t.Context(), "Space Race", Facebook, cfg, Proof{ClientID: player, AccessToken: strings.Repeat("x", protocol.MaxTokenBytes+1)})
	wantStatus(t, err, protocol.StatusProofRejected, "longer")
}

func TestFacebookByPlainHTTPIsNotUsable(t *testing.T) {
	v := newVerifier(t, newClock(), func(o *Options) { o.FacebookURL = "http://graph.example" })
	wantStatus(t, fbLogin(t, v), protocol.StatusProviderNotFound, "https")
}

// A hangingGraph answers nothing until a request is given up.
type hangingGraph struct {
	mu    sync.Mutex
	calls int
	most  int
}

func (g *hangingGraph) RoundTrip(req *http.Request) (*http.Response, error) {
	g.mu.Lock()
	g.calls++
	g.most = max(g.most, g.calls)
	g.mu.Unlock()
	<-req.Context().Done()
	g.mu.Lock()
	g.calls--
	g.mu.Unlock()
	return nil, req.Context().Err()
}

func TestAHangingFacebookIsAskedByFewAtATimeAndAnswersInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		graph := &hangingGraph{}
		v := New(Options{HTTPClient: &http.Client{Transport: graph}, Logger: quietLog})
		defer v.Close()
		start := time.Now()
		var wg sync.WaitGroup
		for range maxDebugCalls + maxDebugWaiting {
			wg.Go(func() {
				wantStatus(t, fbLogin(t, v), protocol.StatusUnavailable, "reached")
				if took := time.Since(start); took > defaultTimeout {
					t.Errorf("answered after %v, want at most %v", took, defaultTimeout)
				}
			})
		}
		synctest.Wait()
		wantStatus(t, fbLogin(t, v), protocol.StatusUnavailable, "reached")
		if took := time.Since(start); took != 0 {
			t.Errorf("one too many was turned away after %v, want at once", took)
		}
		wg.Wait()
		wantStatus(t, fbLogin(t, v), protocol.StatusUnavailable, "reached")
		if took := time.Since(start); took > defaultTimeout {
			t.Errorf("the failure was not remembered: answered after %v", took)
		}
		if graph.most != maxDebugCalls {
			t.Errorf("%d calls at a time, want %d", graph.most, maxDebugCalls)
		}
	})
}
