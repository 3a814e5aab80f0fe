package oauth

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"
	"github.com/go-json-experiment/json"

	"rollcall/protocol"
)

// leeway is by how much an issuer's clock may be ahead of ours, for iat and nbf
// only: an expired token is expired.
const leeway = 60 * time.Second

// Google's tokens may name it without the scheme; go-oidc knows that too.
const (
	googleIssuer = "https://accounts.google.com"
	googleBare   = "accounts.google.com"
)

// verifyIDToken checks an id_token as OpenID Connect Core 1.0 (section 3.1.3.7)
// asks, and that its sub is the identity that is claimed.
func (v *Verifier) verifyIDToken(ctx context.Context, issuerURL string, accepted []string, p Proof) *protocol.Error {
	if len(p.IDToken) > protocol.MaxTokenBytes { // before any work on it
		return rejected(fmt.Sprintf("the id_token is longer than %d bytes", protocol.MaxTokenBytes))
	}
	if !compact(p.IDToken) {
		return rejected("the id_token is no signed token")
	}
	issuer := v.issuer(issuerURL)
	keys, failure := issuer.current(ctx)
	if failure != nil {
		return failure
	}
	seen := &signature{issuer: issuer, keys: keys}
	verifier := oidc.NewVerifier(issuerURL, seen, &oidc.Config{
		SupportedSigningAlgs: keys.algs,
		SkipClientIDCheck:    true, // several are accepted; claims.check sees to it
		Now:                  v.clock,
	})
	_, err := verifier.Verify(ctx, p.IDToken)
	switch {
	case seen.failure != nil:
		return seen.failure
	case !seen.holds:
		return rejected("the id_token's algorithm is not accepted, or it is no signed token")
	}
	// The signature holds. Our own reading of the claims comes on top of
	// go-oidc's: it is stricter, and knows what to call what is wrong.
	var c claims
	if json.Unmarshal(seen.payload, &c) != nil {
		return rejected("the id_token's claims are malformed")
	}
	if failure := c.check(v.clock(), issuerURL, accepted, p.ClientID); failure != nil {
		return failure
	}
	if err != nil {
		return rejected("the id_token's claims are malformed")
	}
	return nil
}

// compact reports whether a token has the form of a signed JWT: three parts of
// base64url (RFC 7515, section 7.1). JWS has a JSON form too, which no issuer
// uses for id_tokens.
func compact(token string) bool {
	dots, part := 0, 0
	for _, c := range []byte(token) {
		switch {
		case c == '.':
			if part == 0 {
				return false
			}
			dots, part = dots+1, 0
		case c >= '0' && c <= '9', c >= 'A' && c <= 'Z', c >= 'a' && c <= 'z', c == '-', c == '_':
			part++
		default:
			return false
		}
	}
	return dots == 2 && part > 0
}

// A signature is the key set that one verification sees. It reads the issuer's
// keys again if none fits, and keeps what it found: go-oidc puts only the text
// of that into its own error.
type signature struct {
	issuer *issuer
	keys   *keySet

	holds   bool
	payload []byte
	failure *protocol.Error
}

var errRefused = errors.New("refused")

// VerifySignature implements oidc.KeySet.
func (s *signature) VerifySignature(ctx context.Context, raw string) ([]byte, error) {
	algs := make([]jose.SignatureAlgorithm, 0, len(s.keys.algs))
	for _, alg := range s.keys.algs {
		algs = append(algs, jose.SignatureAlgorithm(alg))
	}
	token, err := jose.ParseSignedCompact(raw, algs)
	if err != nil || len(token.Signatures) != 1 {
		s.failure = rejected("the id_token is no signed token")
		return nil, errRefused
	}
	if !typed(token) {
		s.failure = rejected("the token is of another kind than an id_token")
		return nil, errRefused
	}
	payload, err := s.keys.verify(token)
	if errors.Is(err, errUnknownKey) {
		newer, failure := s.issuer.newer(ctx, s.keys)
		if failure != nil {
			s.failure = failure
			return nil, errRefused
		}
		if newer != s.keys {
			payload, err = newer.verify(token)
		}
	}
	switch {
	case errors.Is(err, errUnknownKey):
		s.failure = rejected("the id_token is signed by no key that the issuer publishes")
		return nil, errRefused
	case err != nil:
		s.failure = rejected("the id_token's signature does not hold")
		return nil, errRefused
	}
	s.holds, s.payload = true, payload
	return payload, nil
}

// typed reports whether a token's header allows it to be an id_token. An issuer
// signs other tokens with the same keys, and those that say what they are say
// so in typ, such as at+jwt (RFC 9068, RFC 8725 section 3.11).
func typed(token *jose.JSONWebSignature) bool {
	typ, _ := token.Signatures[0].Header.ExtraHeaders[jose.HeaderType].(string)
	return !strings.HasSuffix(strings.ToLower(typ), "+jwt")
}

// claims are those of an id_token that count. Their names are matched exactly
// and may not repeat: an issuer that lets its users add claims must not let them
// add a "Sub".
type claims struct {
	Issuer    string   `json:"iss"`
	Subject   string   `json:"sub"`
	Audience  audience `json:"aud"`
	Party     string   `json:"azp"`
	Expiry    *float64 `json:"exp"` // seconds since 1970, perhaps with a fraction (RFC 7519, section 2)
	NotBefore *float64 `json:"nbf"`
	IssuedAt  *float64 `json:"iat"`
}

// An audience is one string or several (RFC 7519, section 4.1.3).
type audience []string

func (a *audience) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '"' {
		var one string
		if err := json.Unmarshal(b, &one); err != nil {
			return err
		}
		*a = audience{one}
		return nil
	}
	return json.Unmarshal(b, (*[]string)(a))
}

func (c *claims) check(now time.Time, issuer string, accepted []string, clientID string) *protocol.Error {
	seconds := float64(now.UnixMilli()) / 1000
	ahead := seconds + leeway.Seconds()
	ours := func(id string) bool { return slices.Contains(accepted, id) }
	switch {
	case c.Issuer != issuer && !(issuer == googleIssuer && c.Issuer == googleBare):
		return rejected("the id_token is by another issuer")
	case c.Expiry == nil:
		return rejected("the id_token has no expiry")
	case *c.Expiry <= seconds:
		return rejected("the id_token is expired")
	case c.NotBefore != nil && *c.NotBefore > ahead, c.IssuedAt != nil && *c.IssuedAt > ahead:
		return rejected("the id_token is not valid yet")
	case !slices.ContainsFunc(c.Audience, ours):
		return rejected("the id_token is for another audience")
	case len(c.Audience) > 1 && !ours(c.Party):
		return rejected("the id_token is for several audiences, and its azp is none of the client_ids")
	case c.Subject == "":
		return rejected("the id_token has no sub")
	case c.Subject != clientID:
		return rejected("the id_token's sub is not the client_id")
	}
	return nil
}
