package oauth

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"rollcall/protocol"
)

func TestOnlyATokenThatProvesTheIdentityIsLetIn(t *testing.T) {
	clock := newClock()
	now := clock.Now()
	rsaKey, ecKey := rs256("rsa-1", 0), es256(t, "ec-1")
	issuer := newIssuer(t, rsaKey, ecKey)
	other := newIssuer(t, rsaKey)
	with := func(changes map[string]any) map[string]any { return issuer.claims(now, changes) }
	good := with(nil)
	header := func(changes map[string]any) map[string]any {
		h := map[string]any{"alg": "RS256", "kid": "rsa-1"}
		for k, v := range changes {
			h[k] = v
		}
		return h
	}
	der, err := x509.MarshalPKIXPublicKey(rsaKey.priv.Public())
	if err != nil {
		t.Fatal(err)
	}
	pemKey := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	forger, forgerEC := rs256("rsa-1", 1), es256(t, "ec-1")
	foreignKid := rs256("made-up", 1)
	valid := rsaKey.token(t, good)
	parts := strings.Split(valid, ".")

	const letIn, refused = protocol.Status(0), protocol.StatusProofRejected
	tests := []struct {
		name   string
		token  string
		status protocol.Status
		text   string
	}{
		{"valid RS256", valid, letIn, ""},
		{"valid ES256", ecKey.token(t, good), letIn, ""},
		{"valid without a kid", rsaKey.tokenWith(t, map[string]any{"alg": "RS256"}, good), letIn, ""},
		{"valid for several audiences by our party", rsaKey.token(t, with(map[string]any{"aud": []string{"x", app}, "azp": app})), letIn, ""},
		{"one audience as a list", rsaKey.token(t, with(map[string]any{"aud": []string{app}})), letIn, ""},
		{"issuer's clock 50 s ahead", rsaKey.token(t, with(map[string]any{"iat": now.Add(50 * time.Second).Unix(), "nbf": now.Add(50 * time.Second).Unix()})), letIn, ""},
		{"times with a fraction", rsaKey.token(t, with(map[string]any{"exp": float64(now.Unix()) + 60.5})), letIn, ""},

		{"expired", rsaKey.token(t, with(map[string]any{"exp": now.Add(-time.Second).Unix()})), refused, "expired"},
		{"expired ES256", ecKey.token(t, with(map[string]any{"exp": now.Add(-time.Hour).Unix()})), refused, "expired"},
		{"expiring now", rsaKey.token(t, with(map[string]any{"exp": now.Unix()})), refused, "expired"},
		{"without expiry", rsaKey.token(t, with(map[string]any{"exp": nil})), refused, "no expiry"},
		{"expiry far out of range", rsaKey.token(t, with(map[string]any{"exp": -1e300})), refused, "expired"},
		{"expiry as text", rsaKey.token(t, with(map[string]any{"exp": "9999999999"})), refused, "malformed"},
		{"not yet valid", rsaKey.token(t, with(map[string]any{"nbf": now.Add(2 * time.Minute).Unix()})), refused, "not valid yet"},
		{"issued in the future", rsaKey.token(t, with(map[string]any{"iat": now.Add(2 * time.Minute).Unix()})), refused, "not valid yet"},
		{"wrong audience", rsaKey.token(t, with(map[string]any{"aud": "another game"})), refused, "another audience"},
		{"no audience", rsaKey.token(t, with(map[string]any{"aud": nil})), refused, "another audience"},
		{"several audiences, no azp", rsaKey.token(t, with(map[string]any{"aud": []string{"x", app}})), refused, "azp"},
		{"several audiences, a foreign azp", rsaKey.token(t, with(map[string]any{"aud": []string{"x", app}, "azp": "x"})), refused, "azp"},
		{"wrong issuer", rsaKey.token(t, with(map[string]any{"iss": other.url})), refused, "another issuer"},
		{"no issuer", rsaKey.token(t, with(map[string]any{"iss": nil})), refused, "another issuer"},
		{"Google's bare name elsewhere", rsaKey.token(t, with(map[string]any{"iss": googleBare})), refused, "another issuer"},
		{"foreign key under the same kid", forger.token(t, good), refused, "signature"},
		{"foreign EC key under the same kid", forgerEC.token(t, good), refused, "signature"},
		{"foreign key without a kid", forger.tokenWith(t, map[string]any{"alg": "RS256"}, good), refused, "no key"},
		{"unknown kid", foreignKid.token(t, good), refused, "no key"},
		{"foreign key brought along in the header", forger.tokenWith(t, header(map[string]any{"jwk": forger.public()}), good), refused, "signature"},
		{"foreign key set named in the header", forger.tokenWith(t, header(map[string]any{"jku": "https://forger.example/keys"}), good), refused, "signature"},
		{"EC key's kid with an RSA signature", rsaKey.tokenWith(t, header(map[string]any{"kid": "ec-1"}), good), refused, "signature"},
		{"alg none, no signature", part(t, header(map[string]any{"alg": "none"})) + "." + part(t, good) + ".", refused, "no signed token"},
		{"alg none with a signature", rsaKey.tokenWith(t, header(map[string]any{"alg": "none"}), good), refused, "not accepted"},
		{"alg None", rsaKey.tokenWith(t, header(map[string]any{"alg": "None"}), good), refused, "not accepted"},
		{"HS256 by the public key's PEM", hs256(t, "rsa-1", pemKey, good), refused, "not accepted"},
		{"HS256 by the public key's DER", hs256(t, "rsa-1", der, good), refused, "not accepted"},
		{"RS512 in the header alone", rsaKey.tokenWith(t, header(map[string]any{"alg": "RS512"}), good), refused, "not accepted"},
		{"critical header that nobody knows", rsaKey.tokenWith(t, header(map[string]any{"crit": []string{"x"}, "x": 1}), good), refused, ""},
		{"access token of the same issuer", rsaKey.tokenWith(t, header(map[string]any{"typ": "at+jwt"}), good), refused, "another kind"},
		{"logout token of the same issuer", rsaKey.tokenWith(t, header(map[string]any{"typ": "logout+jwt"}), good), refused, "another kind"},
		{"sub of somebody else", rsaKey.token(t, with(map[string]any{"sub": "222"})), refused, "not the client_id"},
		{"sub in another case", rsaKey.token(t, with(map[string]any{"sub": nil, "Sub": player})), refused, "no sub"},
		{"second sub in another case", rsaKey.token(t, with(map[string]any{"sub": "222", "SUB": player, "Sub": player})), refused, "not the client_id"},
		{"sub twice", rsaKey.tokenRaw(t, fmt.Sprintf(`{"iss":%q,"sub":"222","sub":%q,"aud":%q,"exp":%d}`, issuer.url, player, app, now.Unix()+60)), refused, "malformed"},
		{"no sub", rsaKey.token(t, with(map[string]any{"sub": nil})), refused, "no sub"},
		{"empty sub", rsaKey.token(t, with(map[string]any{"sub": ""})), refused, "no sub"},
		{"sub as a number", rsaKey.token(t, with(map[string]any{"sub": 110})), refused, "malformed"},
		{"sub with a space after it", rsaKey.token(t, with(map[string]any{"sub": player + " "})), refused, "not the client_id"},
		{"claims that are a list", rsaKey.tokenRaw(t, `[]`), refused, "malformed"},
		{"claims that are no JSON", rsaKey.tokenRaw(t, `sub`), refused, "malformed"},
		{"huge", rsaKey.token(t, with(map[string]any{"picture": strings.Repeat("x", 8<<10)})), refused, "longer than 8192 bytes"},
		{"changed claims", parts[0] + "." + part(t, with(map[string]any{"sub": player, "admin": true})) + "." + parts[2], refused, "signature"},
		{"cut off", valid[:len(valid)-8], refused, "signature"},
		{"no signature", parts[0] + "." + parts[1] + ".", refused, "no signed token"},
		{"two parts", parts[0] + "." + parts[1], refused, "no signed token"},
		{"four parts", valid + ".x", refused, "no signed token"},
		{"JSON form", fmt.Sprintf(`{"payload":%q,"protected":%q,"signature":%q}`, parts[1], parts[0], parts[2]), refused, "no signed token"},
		{"white space around it", " " + valid + "\n", refused, "no signed token"},
		{"garbage", "garbage", refused, "no signed token"},
		{"garbage in the right form", "e30.e30.e30", refused, "no signed token"},
		{"bytes that are no text", "\xff\xfe.\x00.\x80", refused, "no signed token"},
		{"none at all", "", protocol.StatusMissing, "id_token"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var log bytes.Buffer
			v := newVerifier(t, clock, func(o *Options) {
				o.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
			})
			err := login(t, v, issuer, tt.token)
			wantStatus(t, err, tt.status, tt.text)
			v.Close() // so that nothing writes to the log any more
			for _, secret := range []string{tt.token, "ada@example.com", player} {
				if secret != "" && len(secret) > 10 && strings.Contains(fmt.Sprint(err)+log.String(), secret) {
					t.Errorf("the error or the log holds %q", secret)
				}
			}
		})
	}
}

// tokenRaw signs a payload as it is.
func (k signingKey) tokenRaw(t testing.TB, payload string) string {
	t.Helper()
	return k.sign(t, part(t, map[string]any{"alg": k.alg, "kid": k.kid})+"."+part(t, payload))
}

func TestARotatedKeyIsLetInAndTheOldOneAsLongAsItIsPublished(t *testing.T) {
	clock := newClock()
	older, newer := rs256("2026-10", 0), es256(t, "2026-11")
	issuer := newIssuer(t, older)
	v := newVerifier(t, clock, nil)
	claims := issuer.claims(clock.Now(), nil)

	wantStatus(t, login(t, v, issuer, older.token(t, claims)), 0, "")
	wantStatus(t, login(t, v, issuer, newer.token(t, claims)), protocol.StatusProofRejected, "no key")
	issuer.publish(older, newer)
	wantStatus(t, login(t, v, issuer, newer.token(t, claims)), 0, "")
	wantStatus(t, login(t, v, issuer, older.token(t, claims)), 0, "")
	issuer.publish(newer)
	clock.Advance(keysFresh)
	wantStatus(t, login(t, v, issuer, older.token(t, claims)), 0, "") // read again behind it
	v.loads.Wait()
	wantStatus(t, login(t, v, issuer, older.token(t, claims)), protocol.StatusProofRejected, "no key")
	wantStatus(t, login(t, v, issuer, newer.token(t, claims)), 0, "")
}

func TestAWithdrawnKeyOpensNothingAfterAnHourOfSilence(t *testing.T) {
	clock := newClock()
	older, newer := rs256("old", 0), rs256("new", 1)
	issuer := newIssuer(t, older)
	v := newVerifier(t, clock, nil)
	claims := issuer.claims(clock.Now().Add(2*time.Hour), map[string]any{"iat": nil})

	wantStatus(t, login(t, v, issuer, older.token(t, claims)), 0, "")
	issuer.publish(newer)
	clock.Advance(keysMax)
	wantStatus(t, login(t, v, issuer, older.token(t, claims)), protocol.StatusProofRejected, "no key")
}

func TestKeysServeOnWhileTheIssuerIsDownButNotForMoreThanAnHour(t *testing.T) {
	clock := newClock()
	key := rs256("k", 0)
	issuer := newIssuer(t, key)
	v := newVerifier(t, clock, nil)
	token := key.token(t, issuer.claims(clock.Now().Add(2*time.Hour), map[string]any{"iat": nil}))

	wantStatus(t, login(t, v, issuer, token), 0, "")
	issuer.change(func() { issuer.status = 500 })
	for range 3 {
		clock.Advance(keysFresh)
		wantStatus(t, login(t, v, issuer, token), 0, "")
		v.loads.Wait()
	}
	unknown := rs256("not yet seen", 1).token(t, issuer.claims(clock.Now(), nil))
	wantStatus(t, login(t, v, issuer, unknown), protocol.StatusUnavailable, "")
	clock.Advance(keysFresh)
	wantStatus(t, login(t, v, issuer, token), protocol.StatusUnavailable, "")
	issuer.change(func() { issuer.status = 0 })
	clock.Advance(backoffMost)
	wantStatus(t, login(t, v, issuer, token), 0, "")
}

func TestAFloodOfForgedKeyIDsReadsTheKeysAFewTimes(t *testing.T) {
	clock := newClock()
	key := rs256("k", 0)
	issuer := newIssuer(t, key)
	v := newVerifier(t, clock, nil)
	valid := key.token(t, issuer.claims(clock.Now(), nil))
	wantStatus(t, login(t, v, issuer, valid), 0, "")

	forged := make([]string, 60)
	for n := range forged {
		forged[n] = rs256(fmt.Sprint("forged ", n), 1).token(t, issuer.claims(clock.Now(), nil))
	}
	flood := func() {
		var wg sync.WaitGroup
		for _, token := range forged {
			wg.Go(func() { wantStatus(t, login(t, v, issuer, token), protocol.StatusProofRejected, "no key") })
		}
		wg.Wait()
		for _, token := range forged {
			wantStatus(t, login(t, v, issuer, token), protocol.StatusProofRejected, "no key")
		}
	}
	flood()
	if _, got := issuer.counts(); got != 1+refetchBurst {
		t.Errorf("the keys were read %d times, want %d", got, 1+refetchBurst)
	}
	clock.Advance(refetchEvery)
	flood()
	if _, got := issuer.counts(); got != 2+refetchBurst {
		t.Errorf("the keys were read %d times, want %d", got, 2+refetchBurst)
	}
	clock.Advance(time.Hour / 6)
	flood()
	if _, got := issuer.counts(); got != 2+2*refetchBurst {
		t.Errorf("the keys were read %d times, want %d", got, 2+2*refetchBurst)
	}
	wantStatus(t, login(t, v, issuer, valid), 0, "")

	// A known kid under a foreign signature makes no read at all.
	before, _ := issuer.counts()
	for range 20 {
		wantStatus(t, login(t, v, issuer, rs256("k", 1).token(t, issuer.claims(clock.Now(), nil))), protocol.StatusProofRejected, "signature")
	}
	if after, _ := issuer.counts(); after != before {
		t.Errorf("%d discoveries, want %d", after, before)
	}
}

func TestConcurrentFirstUseMakesOneDiscovery(t *testing.T) {
	clock := newClock()
	key := es256(t, "k")
	issuer := newIssuer(t, key)
	release := make(chan struct{})
	issuer.change(func() { issuer.hang = release })
	v := newVerifier(t, clock, nil)
	token := key.token(t, issuer.claims(clock.Now(), nil))
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() { wantStatus(t, login(t, v, issuer, token), 0, "") })
	}
	close(release)
	wg.Wait()
	if discoveries, fetches := issuer.counts(); discoveries != 1 || fetches != 1 {
		t.Errorf("%d discoveries and %d reads of the keys, want one of each", discoveries, fetches)
	}
}

func TestAnIssuersOwnAlgorithmsAreTheOnlyOnes(t *testing.T) {
	clock := newClock()
	rsaKey, ecKey := rs256("rsa", 0), es256(t, "ec")
	issuer := newIssuer(t, rsaKey, ecKey)
	issuer.change(func() { issuer.algs = []string{"none", "HS256", "ES256"} })
	v := newVerifier(t, clock, nil)
	claims := issuer.claims(clock.Now(), nil)
	wantStatus(t, login(t, v, issuer, ecKey.token(t, claims)), 0, "")
	wantStatus(t, login(t, v, issuer, rsaKey.token(t, claims)), protocol.StatusProofRejected, "not accepted")
	none := part(t, map[string]any{"alg": "none"}) + "." + part(t, claims) + ".AA"
	wantStatus(t, login(t, v, issuer, none), protocol.StatusProofRejected, "not accepted")
}

func TestKeysThatAreNotForSignaturesOrTooWeakAreLeftOut(t *testing.T) {
	clock := newClock()
	weak, enc, good := weakRSA(t, "weak"), rs256("enc", 0), rs256("good", 1)
	issuer := newIssuer(t)
	encKey := enc.public()
	encKey.Use = "enc"
	issuer.change(func() {
		issuer.keys = []any{
			weak.public(), encKey, good.public(),
			map[string]any{"kty": "oct", "kid": "secret", "k": "c2VjcmV0"},
			map[string]any{"kty": "from the future", "kid": "x"},
			"no key",
		}
	})
	v := newVerifier(t, clock, nil)
	claims := issuer.claims(clock.Now(), nil)
	wantStatus(t, login(t, v, issuer, good.token(t, claims)), 0, "")
	wantStatus(t, login(t, v, issuer, weak.token(t, claims)), protocol.StatusProofRejected, "no key")
	wantStatus(t, login(t, v, issuer, enc.token(t, claims)), protocol.StatusProofRejected, "no key")
	wantStatus(t, login(t, v, issuer, hs256(t, "secret", []byte("secret"), claims)), protocol.StatusProofRejected, "not accepted")
}
