package oauth

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"

	"rollcall/server/guard"
)

const (
	maxKeys    = 100  // keys of an issuer that are looked at; each may cost a signature check
	minRSABits = 2048 // RFC 7518, section 3.3
)

// safeAlgs are the signature algorithms that an issuer may choose from: all with
// a public key. So "none", and a public key used as the secret of an HMAC, are
// never even tried.
var safeAlgs = []string{
	oidc.RS256, oidc.RS384, oidc.RS512, oidc.PS256, oidc.PS384, oidc.PS512,
	oidc.ES256, oidc.ES384, oidc.ES512, oidc.EdDSA,
}

// defaultAlgs are for issuers that don't say.
var defaultAlgs = []string{oidc.RS256, oidc.ES256}

// A keySet is what an issuer said of itself at one moment. It does not change
// once it is shared.
//
// go-oidc's own remote set is not used, for three things it lacks: it asks the
// issuer again for every token that no key verifies, and anybody can make those
// up; it keeps a withdrawn key until a newer one is met; and its errors hold
// what the issuer answered.
type keySet struct {
	algs   []string
	keys   []jose.JSONWebKey // public keys for signatures
	readAt time.Time
}

// readKeys reads an issuer's discovery document and the keys that it points to.
func (v *Verifier) readKeys(ctx context.Context, issuer string) (*keySet, error) {
	provider, err := oidc.NewProvider(oidc.ClientContext(ctx, v.client), issuer)
	if err != nil {
		return nil, fmt.Errorf("discovery: %w", err)
	}
	var doc struct {
		JWKS string   `json:"jwks_uri"`
		Algs []string `json:"id_token_signing_alg_values_supported"`
	}
	if err := provider.Claims(&doc); err != nil {
		return nil, fmt.Errorf("decode discovery document: %w", err)
	}
	algs := defaultAlgs
	if len(doc.Algs) > 0 {
		algs = nil
		for _, alg := range safeAlgs {
			if slices.Contains(doc.Algs, alg) {
				algs = append(algs, alg)
			}
		}
		if len(algs) == 0 {
			return nil, errConfig("signs with no algorithm that is accepted")
		}
	}
	keys, err := v.readJWKS(ctx, issuer, doc.JWKS)
	if err != nil {
		return nil, err
	}
	return &keySet{algs: algs, keys: keys}, nil
}

func (v *Verifier) readJWKS(ctx context.Context, issuer, address string) ([]jose.JSONWebKey, error) {
	from, err := url.Parse(issuer)
	if err != nil {
		return nil, err
	}
	u, err := url.Parse(address)
	if err != nil {
		return nil, errConfig("has a jwks_uri that is not a URL")
	}
	if err := guard.CheckURL(u, guard.Rules{Loopback: guard.Loopback(from.Hostname()), Private: v.private}); err != nil {
		return nil, errConfig("has a jwks_uri that " + err.Error())
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, err
	}
	resp, err := v.client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("fetch keys: %w", err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body) // bounded by the transport
	if err != nil {
		return nil, fmt.Errorf("read keys: %w", err)
	}
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("fetch keys: HTTP status %d", resp.StatusCode)
	}
	return parseJWKS(body)
}

// parseJWKS takes the keys that can verify a signature and leaves the others
// out (RFC 7517, section 5): a set may hold kinds that are not known here.
func parseJWKS(body []byte) ([]jose.JSONWebKey, error) {
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(body, &set); err != nil {
		return nil, fmt.Errorf("decode keys: %w", err)
	}
	var keys []jose.JSONWebKey
	for _, raw := range set.Keys {
		var key jose.JSONWebKey
		if key.UnmarshalJSON(raw) != nil || !verifies(&key) {
			continue
		}
		if keys = append(keys, key); len(keys) == maxKeys {
			break
		}
	}
	if len(keys) == 0 {
		return nil, errors.New("no usable key in the issuer's set")
	}
	return keys, nil
}

func verifies(key *jose.JSONWebKey) bool {
	if key.Use != "" && key.Use != "sig" {
		return false
	}
	switch k := key.Key.(type) {
	case *rsa.PublicKey:
		return k.N.BitLen() >= minRSABits
	case *ecdsa.PublicKey, ed25519.PublicKey:
		return true
	}
	return false // symmetric, private or unknown
}

// What a signature check may find.
var (
	errUnknownKey = errors.New("no key of the issuer fits")
	errSignature  = errors.New("the key that the token names did not sign it")
)

// verify checks the token's one signature and returns what it signs.
func (s *keySet) verify(token *jose.JSONWebSignature) ([]byte, error) {
	header := token.Signatures[0].Header
	named := false
	for _, key := range s.keys {
		// Like go-oidc: a token without a kid may be by any of the keys.
		if header.KeyID != "" && key.KeyID != header.KeyID {
			continue
		}
		named = header.KeyID != ""
		if key.Algorithm != "" && key.Algorithm != header.Algorithm {
			continue
		}
		if payload, err := token.Verify(key.Key); err == nil {
			return payload, nil
		}
	}
	if named {
		return nil, errSignature
	}
	return nil, errUnknownKey
}

// configFault returns what of a failed load is not the network's fault.
func configFault(err error) errConfig {
	if fault, ok := errors.AsType[errConfig](err); ok {
		return fault
	}
	if _, ok := errors.AsType[*oidc.IssuerMismatchError](err); ok {
		return "calls itself by another name"
	}
	return ""
}
