package oauth

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"rollcall/protocol"
)

// A network leads requests to fake issuers by host, within the process, so that
// synctest knows when everything waits. A host that is not there refuses.
type network map[string]*fakeIssuer

func (n network) RoundTrip(req *http.Request) (*http.Response, error) {
	issuer := n[req.URL.Host]
	if issuer == nil {
		return nil, errors.New("connection refused")
	}
	w := httptest.NewRecorder()
	issuer.ServeHTTP(w, req)
	if err := req.Context().Err(); err != nil {
		return nil, err
	}
	return w.Result(), nil
}

// add makes an issuer with one key.
func (n network) add(host string, key signingKey) *fakeIssuer {
	i := &fakeIssuer{url: "https://" + host}
	i.publish(key)
	n[host] = i
	return i
}

func (n network) verifier(t testing.TB) *Verifier {
	t.Helper()
	v := New(Options{HTTPClient: &http.Client{Transport: n}, Logger: quietLog})
	t.Cleanup(v.Close)
	return v
}

func TestAHangingIssuerAnswersInTimeAndHoldsNobodyElseUp(t *testing.T) {
	key := es256(t, "k")
	synctest.Test(t, func(t *testing.T) {
		net := network{}
		hanging, fine := net.add("hanging.example", key), net.add("fine.example", key)
		hanging.hang = make(chan struct{})
		v := net.verifier(t)
		start := time.Now()
		token := key.token(t, hanging.claims(start, nil))

		var wg sync.WaitGroup
		for range 100 {
			wg.Go(func() {
				wantStatus(t, login(t, v, hanging, token), protocol.StatusUnavailable, "reached")
				if took := time.Since(start); took > defaultTimeout {
					t.Errorf("answered after %v, want at most %v", took, defaultTimeout)
				}
			})
		}
		synctest.Wait() // all hundred hang
		wantStatus(t, login(t, v, fine, key.token(t, fine.claims(start, nil))), 0, "")
		if took := time.Since(start); took != 0 {
			t.Errorf("the other issuer answered after %v, want at once", took)
		}
		wg.Wait()

		// What failed is remembered: the next is answered without a wait.
		again := time.Now()
		wantStatus(t, login(t, v, hanging, token), protocol.StatusUnavailable, "reached")
		if took := time.Since(again); took != 0 {
			t.Errorf("answered after %v, want at once", took)
		}
		if discoveries, _ := hanging.counts(); discoveries != 1 {
			t.Errorf("the hanging issuer was asked %d times, want once", discoveries)
		}
		hanging.change(func() { close(hanging.hang); hanging.hang = nil })
		time.Sleep(backoffFirst)
		wantStatus(t, login(t, v, hanging, token), 0, "")
	})
}

func TestAHangingIssuerOverHTTPAnswersWhileOthersLogIn(t *testing.T) {
	clock := newClock()
	key := es256(t, "k")
	hanging, fine := newIssuer(t, key), newIssuer(t, key)
	release := make(chan struct{})
	hanging.change(func() { hanging.hang = release })
	v := newVerifier(t, clock, func(o *Options) { o.Timeout = 2 * time.Second })
	var wg sync.WaitGroup
	for range 100 {
		wg.Go(func() {
			token := key.token(t, hanging.claims(clock.Now(), nil))
			wantStatus(t, login(t, v, hanging, token), protocol.StatusUnavailable, "reached")
		})
	}
	wantStatus(t, login(t, v, fine, key.token(t, fine.claims(clock.Now(), nil))), 0, "")
	wg.Wait() // all were answered while the issuer still hangs
	close(release)
}

func TestADeadIssuerIsAskedEverMoreRarelyUntilItIsBack(t *testing.T) {
	clock := newClock()
	key := es256(t, "k")
	issuer := newIssuer(t, key)
	issuer.change(func() { issuer.status = 503 })
	v := newVerifier(t, clock, nil)
	token := key.token(t, issuer.claims(clock.Now(), nil))
	for n, wait := range []time.Duration{5, 10, 20, 30, 30} {
		wait *= time.Second
		for range 10 {
			wantStatus(t, login(t, v, issuer, token), protocol.StatusUnavailable, "reached")
		}
		if asked, _ := issuer.counts(); asked != n+1 {
			t.Fatalf("asked %d times, want %d", asked, n+1)
		}
		var e *protocol.Error
		if err := login(t, v, issuer, token); !errors.As(err, &e) || e.RetryAfter != wait {
			t.Errorf("failure %d: retry after %v, want %v", n+1, e.RetryAfter, wait)
		}
		clock.Advance(wait)
	}
	issuer.change(func() { issuer.status = 0 })
	wantStatus(t, login(t, v, issuer, token), 0, "")
}

func TestAnIssuerThatIsGoneIsTemporarilyUnavailable(t *testing.T) {
	clock := newClock()
	key := es256(t, "k")
	server := httptest.NewServer(http.NotFoundHandler())
	issuer := &fakeIssuer{url: server.URL}
	server.Close()
	v := newVerifier(t, clock, nil)
	err := login(t, v, issuer, key.token(t, issuer.claims(clock.Now(), nil)))
	wantStatus(t, err, protocol.StatusUnavailable, "reached")
}

func TestNoMoreThanSoManyWaitForOneIssuer(t *testing.T) {
	key := es256(t, "k")
	synctest.Test(t, func(t *testing.T) {
		net := network{}
		hanging := net.add("hanging.example", key)
		hanging.hang = make(chan struct{})
		v := net.verifier(t)
		token := key.token(t, hanging.claims(time.Now(), nil))
		var wg sync.WaitGroup
		for range maxWaiting {
			wg.Go(func() { wantStatus(t, login(t, v, hanging, token), 0, "") })
		}
		synctest.Wait()
		start := time.Now()
		wantStatus(t, login(t, v, hanging, token), protocol.StatusUnavailable, "")
		if took := time.Since(start); took != 0 {
			t.Errorf("turned away after %v, want at once", took)
		}
		hanging.change(func() { close(hanging.hang); hanging.hang = nil })
		wg.Wait()
	})
}

func TestALoadOutlivesTheClientThatAskedForIt(t *testing.T) {
	key := es256(t, "k")
	synctest.Test(t, func(t *testing.T) {
		net := network{}
		issuer := net.add("slow.example", key)
		issuer.hang = make(chan struct{})
		v := net.verifier(t)
		token := key.token(t, issuer.claims(time.Now(), nil))
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			err := v.Verify(ctx, "Space Race", "corp", issuer.config(), Proof{ClientID: player, IDToken: token})
			wantStatus(t, err, protocol.StatusUnavailable, "")
		}()
		synctest.Wait()
		cancel()
		synctest.Wait()
		issuer.change(func() { close(issuer.hang); issuer.hang = nil })
		wantStatus(t, login(t, v, issuer, token), 0, "")
		if discoveries, _ := issuer.counts(); discoveries != 1 {
			t.Errorf("%d discoveries, want one", discoveries)
		}
	})
}

func TestCloseEndsWhatIsBeingFetched(t *testing.T) {
	key := es256(t, "k")
	synctest.Test(t, func(t *testing.T) {
		net := network{}
		hanging := net.add("hanging.example", key)
		hanging.hang = make(chan struct{})
		v := net.verifier(t)
		start := time.Now()
		token := key.token(t, hanging.claims(start, nil))
		var wg sync.WaitGroup
		wg.Go(func() { wantStatus(t, login(t, v, hanging, token), protocol.StatusUnavailable, "") })
		synctest.Wait()
		v.Close()
		wg.Wait()
		other := net.add("other.example", key)
		wantStatus(t, login(t, v, other, key.token(t, other.claims(start, nil))), protocol.StatusUnavailable, "")
		if took := time.Since(start); took != 0 {
			t.Errorf("took %v, want no time", took)
		}
	})
}

func TestAnIssuerWhoseDocumentsAreWrongIsNotUsable(t *testing.T) {
	key := es256(t, "k")
	tests := []struct {
		name   string
		change func(i *fakeIssuer)
		status protocol.Status
		text   string
	}{
		{"it calls itself by another name", func(i *fakeIssuer) { i.name = "https://issuer.example" }, protocol.StatusProviderNotFound, "another name"},
		{"it signs by shared secrets only", func(i *fakeIssuer) { i.algs = []string{"HS256", "none"} }, protocol.StatusProviderNotFound, "no algorithm"},
		{"its keys are at a private address", func(i *fakeIssuer) { i.jwks = "https://10.0.0.1/keys" }, protocol.StatusProviderNotFound, "not public"},
		{"its keys are at the cloud's metadata", func(i *fakeIssuer) { i.jwks = "http://169.254.169.254/keys" }, protocol.StatusProviderNotFound, "https"},
		{"its keys are in a file", func(i *fakeIssuer) { i.jwks = "file:///etc/passwd" }, protocol.StatusProviderNotFound, "host"},
		{"it has no address of keys", func(i *fakeIssuer) { i.jwks = ":" }, protocol.StatusProviderNotFound, "jwks_uri"},
		{"it has no key that can be used", func(i *fakeIssuer) { i.keys = nil }, protocol.StatusUnavailable, ""},
		{"its keys are no JSON", func(i *fakeIssuer) { i.jwks = i.url + "/nowhere" }, protocol.StatusUnavailable, ""},
		{"its answer has no end", func(i *fakeIssuer) { i.pad = maxResponseBytes }, protocol.StatusUnavailable, ""},
		{"it answers 404", func(i *fakeIssuer) { i.status = 404 }, protocol.StatusUnavailable, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			clock := newClock()
			issuer := newIssuer(t, key)
			issuer.change(func() { tt.change(issuer) })
			v := newVerifier(t, clock, nil)
			token := key.token(t, issuer.claims(clock.Now(), nil))
			for range 2 { // the failure, and its memory
				wantStatus(t, login(t, v, issuer, token), tt.status, tt.text)
			}
		})
	}
}

func TestRedirectsOfAnIssuerAreFewAndLeadNowherePrivate(t *testing.T) {
	key := es256(t, "k")
	issuer := newIssuer(t, key)
	tests := []struct {
		name, location string
		status         protocol.Status
		text           string
	}{
		{"to where the document is", issuer.url + "/.well-known/openid-configuration", protocol.StatusProviderNotFound, "another name"},
		{"to itself, for ever", "", protocol.StatusProviderNotFound, "too often"},
		{"to a private address", "https://192.168.0.1/", protocol.StatusProviderNotFound, "not public"},
		{"to plain HTTP", "http://issuer.example/", protocol.StatusProviderNotFound, "https"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			clock := newClock()
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				location := tt.location
				if location == "" {
					location = r.URL.Path
				}
				http.Redirect(w, r, location, http.StatusFound)
			}))
			t.Cleanup(server.Close)
			from := &fakeIssuer{url: server.URL}
			v := newVerifier(t, clock, nil)
			wantStatus(t, login(t, v, from, key.token(t, from.claims(clock.Now(), nil))), tt.status, tt.text)
		})
	}
}

func TestOnlySoManyIssuersAreKept(t *testing.T) {
	clock := newClock()
	v := newVerifier(t, clock, nil)
	first := v.issuer("https://first.example")
	clock.Advance(time.Second)
	second := v.issuer("https://second.example")
	clock.Advance(time.Second)
	for n := range maxIssuers {
		if n == maxIssuers/2 {
			v.issuer(first.url) // so that the second is the one unused for longest
		}
		clock.Advance(time.Second)
		v.issuer(fmt.Sprintf("https://%d.example", n))
	}
	if len(v.known) != maxIssuers {
		t.Errorf("%d issuers are kept, want %d", len(v.known), maxIssuers)
	}
	if v.known[first.url] != first || v.known[second.url] != nil {
		t.Error("not the issuer unused for longest was forgotten")
	}
}

func TestGoogleAndAppleNeedNoIssuerInTheConfiguration(t *testing.T) {
	key := es256(t, "k")
	net := network{}
	google, apple := net.add("accounts.google.com", key), net.add("appleid.apple.com", key)
	v := net.verifier(t)
	cfg := protocol.ProviderConfig{ClientIDs: []string{app}}
	tests := []struct {
		provider string
		issuer   *fakeIssuer
		iss      any
		status   protocol.Status
		text     string
	}{
		{Google, google, google.url, 0, ""},
		{Google, google, googleBare, 0, ""}, // as Google sometimes does
		{Google, google, apple.url, protocol.StatusProofRejected, "another issuer"},
		{Apple, apple, apple.url, 0, ""},
		{Apple, apple, strings.TrimPrefix(apple.url, "https://"), protocol.StatusProofRejected, "another issuer"},
	}
	for _, tt := range tests {
		token := key.token(t, tt.issuer.claims(time.Now(), map[string]any{"iss": tt.iss}))
		err := v.Verify(t.Context(), "Space Race", tt.provider, cfg, Proof{ClientID: player, IDToken: token})
		wantStatus(t, err, tt.status, tt.text)
	}
}
