package server_test

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
	"maps"
	"math/big"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"rollcall/server"
	"rollcall/server/wiretest"
)

const (
	theApp      = "space-race.apps.example"
	theProvider = "corp"
)

// sealing lets a server keep access tokens.
func sealing(c *server.Config) { c.TokenKeys = []string{"a phrase that nobody can guess: 7f3a91"} }

// A signer is a private key with the name that its issuer gives it.
type signer struct {
	kid, alg string
	key      crypto.Signer
}

// Keys are made once: RSA ones take long under the race detector.
var signers = sync.OnceValue(func() map[string]signer {
	all := map[string]signer{}
	for _, kid := range []string{"r1", "r2", "foreign"} {
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			panic(err)
		}
		all[kid] = signer{kid, "RS256", key}
	}
	for _, kid := range []string{"e1", "e2"} {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			panic(err)
		}
		all[kid] = signer{kid, "ES256", key}
	}
	return all
})

// published is the key as an issuer publishes it (RFC 7517 and 7518).
func (s signer) published() obj {
	number := func(n *big.Int, size int) string { return base64url(n.FillBytes(make([]byte, size))) }
	k := obj{"kid": s.kid, "alg": s.alg, "use": "sig"}
	switch pub := s.key.Public().(type) {
	case *rsa.PublicKey:
		maps.Copy(k, obj{"kty": "RSA", "n": number(pub.N, pub.Size()), "e": base64url(big.NewInt(int64(pub.E)).Bytes())})
	case *ecdsa.PublicKey:
		point, err := pub.Bytes() // 4, x, y
		if err != nil {
			panic(err)
		}
		maps.Copy(k, obj{"kty": "EC", "crv": "P-256", "x": base64url(point[1:33]), "y": base64url(point[33:])})
	}
	return k
}

func base64url(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func jsonPart(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return base64url(b)
}

// token is a compact JWT (RFC 7519) of these claims.
func (s signer) token(claims obj) string {
	return s.signed(obj{"alg": s.alg, "kid": s.kid, "typ": "JWT"}, claims)
}

func (s signer) signed(header, claims obj) string {
	input := jsonPart(header) + "." + jsonPart(claims)
	sum := sha256.Sum256([]byte(input))
	var sig []byte
	var err error
	switch key := s.key.(type) {
	case *rsa.PrivateKey:
		sig, err = rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
	case *ecdsa.PrivateKey:
		var r, v *big.Int
		r, v, err = ecdsa.Sign(rand.Reader, key, sum[:])
		if err == nil {
			sig = append(r.FillBytes(make([]byte, 32)), v.FillBytes(make([]byte, 32))...)
		}
	}
	if err != nil {
		panic(err)
	}
	return input + "." + base64url(sig)
}

// hmacToken takes a published key for the secret of an HMAC.
func hmacToken(kid string, secret []byte, claims obj) string {
	input := jsonPart(obj{"alg": "HS256", "kid": kid, "typ": "JWT"}) + "." + jsonPart(claims)
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(input))
	return input + "." + base64url(mac.Sum(nil))
}

// An issuer is an OpenID Connect issuer over HTTP: a discovery document and a
// set of keys.
type issuer struct {
	url string
	srv *httptest.Server

	mu   sync.Mutex
	keys []string      // kids of what it publishes; guarded by mu
	gate chan struct{} // if not nil, answers wait for it; guarded by mu
}

func startIssuer(t *testing.T, kids ...string) *issuer {
	t.Helper()
	i := &issuer{keys: kids}
	i.srv = httptest.NewServer(i)
	i.url = i.srv.URL
	t.Cleanup(i.srv.Close)
	return i
}

// rotate replaces the keys that it publishes.
func (i *issuer) rotate(kids ...string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.keys = kids
}

// hang makes it answer nobody until the returned function is called.
func (i *issuer) hang() (release func()) {
	gate := make(chan struct{})
	i.mu.Lock()
	defer i.mu.Unlock()
	i.gate = gate
	return sync.OnceFunc(func() {
		i.mu.Lock()
		defer i.mu.Unlock()
		i.gate = nil
		close(gate)
	})
}

func (i *issuer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	i.mu.Lock()
	gate, keys := i.gate, []obj{}
	for _, kid := range i.keys {
		keys = append(keys, signers()[kid].published())
	}
	i.mu.Unlock()
	if gate != nil {
		select {
		case <-gate:
		case <-r.Context().Done():
			return
		}
	}
	w.Header().Set("Content-Type", "application/json")
	switch r.URL.Path {
	case "/.well-known/openid-configuration":
		json.NewEncoder(w).Encode(obj{
			"issuer": i.url, "jwks_uri": i.url + "/keys", "authorization_endpoint": i.url + "/auth", "token_endpoint": i.url + "/token",
			"response_types_supported": []string{"id_token"}, "subject_types_supported": []string{"public"},
			"id_token_signing_alg_values_supported": []string{"RS256", "ES256"},
		})
	case "/keys":
		json.NewEncoder(w).Encode(obj{"keys": keys})
	default:
		http.NotFound(w, r)
	}
}

// claims are those of a good token of a player, with changes; nil removes one.
func (i *issuer) claims(sub string, changes ...obj) obj {
	now := time.Now()
	c := obj{"iss": i.url, "sub": sub, "aud": theApp, "iat": now.Add(-time.Minute).Unix(), "exp": now.Add(time.Hour).Unix()}
	for _, change := range changes {
		for k, v := range change {
			if c[k] = v; v == nil {
				delete(c, k)
			}
		}
	}
	return c
}

// idToken is a good token of a player.
func (i *issuer) idToken(sub string) string { return signers()["r1"].token(i.claims(sub)) }

// configure tells a scope about it, by the name theProvider.
func (i *issuer) configure(n *node) { n.providers(obj{theProvider: i.config()}) }

func (i *issuer) config() obj {
	return obj{"issuer": i.url, "client_ids": []string{"other.apps.example", theApp}}
}

// providers sets what a scope says of its providers.
func (n *node) providers(config obj) {
	n.t.Helper()
	ok(n.t, n.admin().Call("admin.scopes.update", obj{"name": theScope, "providers": config}))
}

// proof are the parameters of a login or a create by provider.
func proof(clientID, idToken string) obj {
	return obj{"provider": theProvider, "client_id": clientID, "id_token": idToken}
}

// joins makes a user by a provider's proof, on a connection that is then gone.
func (n *node) joins(name string, with obj) user {
	n.t.Helper()
	c := n.client()
	defer c.Close()
	params := obj{"username": name}
	maps.Copy(params, with)
	return user{id: ok(n.t, c.Call("users.create", params)).Object().Text("user_id"), name: name}
}

// binds asks to bind an identity to a user.
func binds(c *wiretest.Client, u user, clientID, idToken string, more ...obj) wiretest.Reply {
	auth := obj{"client_id": clientID, "id_token": idToken}
	for _, m := range more {
		maps.Copy(auth, m)
	}
	return c.Call("users.addAuthProvider", obj{"user_id": u.id, "provider": theProvider, "auth": auth})
}

func (u user) at(provider string) obj { return obj{"user_id": u.id, "provider": provider} }
