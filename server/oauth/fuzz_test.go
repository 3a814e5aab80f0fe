package oauth

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"encoding/base64"
	"errors"
	"net/http"
	"strings"
	"testing"

	"rollcall/protocol"
)

func FuzzNoIDTokenPanicsOrIsLetInUnlessTheIssuerSignedIt(f *testing.F) {
	// The fuzzer runs this in several processes and hands tokens from one to the
	// other, so all of them have the same issuer with the same key.
	priv, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), bytes.Repeat([]byte{7}, 32))
	if err != nil {
		f.Fatal(err)
	}
	key, clock, net := signingKey{"ec", "ES256", priv}, newClock(), network{}
	issuer := net.add("issuer.example", key)
	v := newVerifier(f, clock, func(o *Options) { o.HTTPClient = &http.Client{Transport: net} })
	claims := issuer.claims(clock.Now(), nil)
	signed := make(map[string]bool) // header and claims that the issuer signed for the player
	for _, token := range []string{
		key.token(f, claims),
		key.tokenWith(f, map[string]any{"alg": "ES256"}, claims),
	} {
		wantStatus(f, login(f, v, issuer, token), 0, "")
		signed[token[:strings.LastIndexByte(token, '.')]] = true
		f.Add(token)
	}
	f.Add(key.token(f, issuer.claims(clock.Now(), map[string]any{"sub": "222"})))
	f.Add(key.tokenRaw(f, `{"iss":1,"aud":{},"exp":"x","nbf":[],"_claim_names":{"a":"b"}}`))
	f.Add(key.tokenRaw(f, `{"aud":[[]],"exp":1e999}`))
	f.Add(rs256("made up", 1).token(f, claims))
	f.Add("e30.e30.e30")
	f.Add("..")
	f.Add(part(f, `{"alg":"ES256","jwk":{"kty":"EC","crv":"P-256","x":"","y":""},"crit":["b64"],"b64":false}`) + ".AA.AA")
	f.Fuzz(func(t *testing.T, token string) {
		err := login(t, v, issuer, token)
		if err == nil {
			if dot := strings.LastIndexByte(token, '.'); dot < 0 || !signed[token[:dot]] {
				t.Errorf("let in: %q", token)
			}
			return
		}
		var e *protocol.Error
		if !errors.As(err, &e) || e.Status != protocol.StatusProofRejected && e.Status != protocol.StatusMissing {
			t.Errorf("got %v", err)
		}
	})
}

// The claims behind a signature that holds are an issuer's, and no less strange
// for that.
func FuzzNoClaimsPanicOrAreLetInUnlessTheyNameTheClient(f *testing.F) {
	key, clock, net := es256(f, "k"), newClock(), network{}
	issuer := net.add("issuer.example", key)
	v := newVerifier(f, clock, func(o *Options) { o.HTTPClient = &http.Client{Transport: net} })
	for _, payload := range []string{
		`{"iss":"` + issuer.url + `","sub":"` + player + `","aud":["` + app + `"],"exp":9e9}`,
		`{"sub":null,"aud":null,"exp":null}`, `[]`, `null`, `""`, `{"aud":[1]}`, `{"_claim_names":{"x":""}}`,
	} {
		f.Add(payload)
	}
	f.Fuzz(func(t *testing.T, payload string) {
		if base64.RawURLEncoding.EncodedLen(len(payload)) > 7<<10 {
			return
		}
		if login(t, v, issuer, key.tokenRaw(t, payload)) == nil && !strings.Contains(payload, player) && !strings.Contains(payload, `\u`) {
			t.Errorf("let in: %q", payload)
		}
	})
}

func FuzzNoKeySetPanicsOrHoldsASecretKey(f *testing.F) {
	f.Add([]byte(`{"keys":[{"kty":"oct","k":"AA"},{"kty":"RSA","n":"AQAB","e":"AQAB"},null,1,"x"]}`))
	f.Add([]byte(`{"keys":[{"kty":"EC","crv":"P-256","x":"AA","y":"AA","d":"AA"},{"kty":"OKP","crv":"Ed25519","x":""}]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		keys, err := parseJWKS(body)
		if err == nil && len(keys) == 0 {
			t.Error("neither keys nor an error")
		}
		for _, key := range keys {
			if !key.IsPublic() {
				t.Errorf("a key that is not public: %q", body)
			}
		}
	})
}

func FuzzNoAnswerOfFacebookPanicsOrLetsAnotherUserIn(f *testing.F) {
	f.Add(200, []byte(`{"data":{"app_id":"`+fbApp+`","is_valid":true,"user_id":"`+player+`"}}`))
	f.Add(200, []byte(`{"data":{"app_id":1e5,"user_id":null,"expires_at":"x"}}`))
	f.Add(400, []byte(`{"error":{"code":190}}`))
	f.Add(500, []byte(`{"error":null}`))
	now := newClock().Now()
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		if judgeDebug(status, body, fbApp, "nobody at all", now) == nil && !strings.Contains(string(body), "nobody at all") && !strings.Contains(string(body), `\u`) {
			t.Errorf("%d %q lets somebody in", status, body)
		}
	})
}
