package oauth

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"go.uber.org/goleak"

	"rollcall/protocol"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var quietLog = slog.New(slog.NewTextHandler(io.Discard, nil))

// The claims of the tests' one player, and the app that he plays.
const (
	player = "110169484474386276334"
	app    = "space-race.apps.example"
)

// A fakeClock stands still until it is told.
type fakeClock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *fakeClock {
	return &fakeClock{now: time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)}
}

func (c *fakeClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *fakeClock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// A signingKey is a key of an issuer, or of a forger.
type signingKey struct {
	kid  string
	alg  string
	priv crypto.Signer
}

func (k signingKey) public() jose.JSONWebKey {
	return jose.JSONWebKey{Key: k.priv.Public(), KeyID: k.kid, Algorithm: k.alg, Use: "sig"}
}

// Keys are made once: RSA ones take long under the race detector.
var rsaKeys = sync.OnceValue(func() (keys [3]*rsa.PrivateKey) {
	for i := range keys {
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			panic(err)
		}
		keys[i] = key
	}
	return keys
})

func rs256(kid string, n int) signingKey { return signingKey{kid, "RS256", rsaKeys()[n]} }

func es256(t testing.TB, kid string) signingKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return signingKey{kid, "ES256", key}
}

// token signs claims by hand, so that the tests can also make what no library
// would.
func (k signingKey) token(t testing.TB, claims map[string]any) string {
	t.Helper()
	return k.tokenWith(t, map[string]any{"alg": k.alg, "kid": k.kid, "typ": "JWT"}, claims)
}

func (k signingKey) tokenWith(t testing.TB, header, claims map[string]any) string {
	t.Helper()
	return k.sign(t, part(t, header)+"."+part(t, claims))
}

func (k signingKey) sign(t testing.TB, input string) string {
	t.Helper()
	sum := sha256.Sum256([]byte(input))
	var sig []byte
	switch priv := k.priv.(type) {
	case *rsa.PrivateKey:
		s, err := rsa.SignPKCS1v15(rand.Reader, priv, crypto.SHA256, sum[:])
		if err != nil {
			t.Fatal(err)
		}
		sig = s
	case *ecdsa.PrivateKey:
		r, s, err := ecdsa.Sign(rand.Reader, priv, sum[:])
		if err != nil {
			t.Fatal(err)
		}
		sig = append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...)
	}
	return input + "." + base64.RawURLEncoding.EncodeToString(sig)
}

// weakRSA is a key that is too short to be taken.
func weakRSA(t testing.TB, kid string) signingKey {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	return signingKey{kid, "RS256", key}
}

// hs256 is the forgery that takes a public key for the secret of an HMAC.
func hs256(t testing.TB, kid string, secret []byte, claims map[string]any) string {
	t.Helper()
	input := part(t, map[string]any{"alg": "HS256", "kid": kid, "typ": "JWT"}) + "." + part(t, claims)
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(input))
	return input + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

func part(t testing.TB, v any) string {
	t.Helper()
	if raw, ok := v.(string); ok {
		return base64.RawURLEncoding.EncodeToString([]byte(raw))
	}
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return base64.RawURLEncoding.EncodeToString(b)
}

// A fakeIssuer is an OpenID Connect issuer: the two documents that verification
// needs, over HTTP or straight from ServeHTTP.
type fakeIssuer struct {
	url string

	mu          sync.Mutex
	keys        []any // what the key set holds; jose.JSONWebKey and others
	algs        []string
	name        string        // what it calls itself; url if empty
	jwks        string        // jwks_uri; its own if empty
	status      int           // of every answer, if not 0
	pad         int           // bytes of white space before the keys
	hang        chan struct{} // if not nil, answers wait until it is closed
	discoveries int
	fetches     int
}

// newIssuer starts one on loopback.
func newIssuer(t testing.TB, keys ...signingKey) *fakeIssuer {
	t.Helper()
	i := &fakeIssuer{}
	server := httptest.NewServer(i)
	t.Cleanup(server.Close)
	i.url = server.URL
	i.publish(keys...)
	return i
}

func (i *fakeIssuer) publish(keys ...signingKey) {
	i.change(func() {
		i.keys = nil
		for _, k := range keys {
			i.keys = append(i.keys, k.public())
		}
	})
}

func (i *fakeIssuer) change(f func()) {
	i.mu.Lock()
	defer i.mu.Unlock()
	f()
}

func (i *fakeIssuer) counts() (discoveries, fetches int) {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.discoveries, i.fetches
}

func (i *fakeIssuer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	i.mu.Lock()
	var answer any
	pad := 0
	switch r.URL.Path {
	case "/.well-known/openid-configuration":
		i.discoveries++
		doc := map[string]any{"issuer": i.url, "jwks_uri": i.url + "/keys"}
		if i.name != "" {
			doc["issuer"] = i.name
		}
		if i.jwks != "" {
			doc["jwks_uri"] = i.jwks
		}
		if i.algs != nil {
			doc["id_token_signing_alg_values_supported"] = i.algs
		}
		answer = doc
	case "/keys":
		i.fetches++
		answer, pad = map[string]any{"keys": i.keys}, i.pad
	}
	hang, status := i.hang, i.status
	i.mu.Unlock()
	if hang != nil {
		select {
		case <-hang:
		case <-r.Context().Done():
			return
		}
	}
	if status != 0 {
		w.WriteHeader(status)
		return
	}
	io.WriteString(w, strings.Repeat(" ", pad))
	json.NewEncoder(w).Encode(answer)
}

func (i *fakeIssuer) config() protocol.ProviderConfig {
	return protocol.ProviderConfig{Issuer: i.url, ClientIDs: []string{"other.apps.example", app}}
}

// claims are those of a good token, with changes; a nil removes one.
func (i *fakeIssuer) claims(now time.Time, changes map[string]any) map[string]any {
	c := map[string]any{
		"iss": i.url, "sub": player, "aud": app,
		"iat": now.Add(-time.Minute).Unix(), "exp": now.Add(time.Hour).Unix(),
		"email": "ada@example.com",
	}
	maps.Copy(c, changes)
	maps.DeleteFunc(c, func(_ string, v any) bool { return v == nil })
	return c
}

func newVerifier(t testing.TB, clock *fakeClock, change func(*Options)) *Verifier {
	t.Helper()
	o := Options{Clock: clock.Now, Logger: quietLog}
	if change != nil {
		change(&o)
	}
	v := New(o)
	t.Cleanup(v.Close)
	return v
}

// login presents an id_token of the player.
func login(t testing.TB, v *Verifier, i *fakeIssuer, token string) error {
	t.Helper()
	return v.Verify(t.Context(), "Space Race", "corp", i.config(), Proof{ClientID: player, IDToken: token})
}

// wantStatus fails unless err is a *protocol.Error of the status (0: no error)
// whose text contains text.
func wantStatus(t testing.TB, err error, status protocol.Status, text string) {
	t.Helper()
	if status == 0 {
		if err != nil {
			t.Errorf("got %v, want it let in", err)
		}
		return
	}
	var e *protocol.Error
	if !errors.As(err, &e) {
		t.Errorf("got %v, want status %d", err, status)
		return
	}
	if e.Status != status || !strings.Contains(e.Text(), text) {
		t.Errorf("got %d %q, want %d with %q", e.Status, e.Text(), status, text)
	}
	if temporary := status == protocol.StatusUnavailable; e.Temporary != temporary || (e.RetryAfter > 0) != temporary {
		t.Errorf("status %d: temporary %v, retry after %v", e.Status, e.Temporary, e.RetryAfter)
	}
}
