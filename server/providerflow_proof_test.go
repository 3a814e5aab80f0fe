package server_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"rollcall/server/wiretest"
)

// One set of proofs, good and bad, against every message that takes one.

// A proofCase makes a token that is shown with the client_id sub.
type proofCase struct {
	name   string
	good   bool
	status int // of the refusal; 625 if not given
	token  func(i *issuer, sub string) string
}

var proofs = []proofCase{
	{name: "signed with RS256", good: true, token: func(i *issuer, sub string) string { return i.idToken(sub) }},
	{name: "signed with ES256", good: true, token: func(i *issuer, sub string) string { return signers()["e1"].token(i.claims(sub)) }},
	{name: "for several audiences", good: true, token: func(i *issuer, sub string) string {
		return signers()["r1"].token(i.claims(sub, obj{"aud": []string{theApp, "other.apps.example"}, "azp": theApp}))
	}},
	{name: "signed with a key that the issuer has changed to", good: true, token: func(i *issuer, sub string) string {
		i.rotate("r1", "e1", "e2")
		return signers()["e2"].token(i.claims(sub))
	}},
	{name: "expired", token: func(i *issuer, sub string) string {
		return signers()["r1"].token(i.claims(sub, obj{"iat": ago(2 * time.Hour), "exp": ago(time.Hour)}))
	}},
	{name: "without an expiry", token: func(i *issuer, sub string) string { return signers()["r1"].token(i.claims(sub, obj{"exp": nil})) }},
	{name: "of tomorrow", token: func(i *issuer, sub string) string {
		return signers()["r1"].token(i.claims(sub, obj{"nbf": ago(-24 * time.Hour), "exp": ago(-48 * time.Hour)}))
	}},
	{name: "for another audience", token: func(i *issuer, sub string) string {
		return signers()["r1"].token(i.claims(sub, obj{"aud": "elsewhere.apps.example"}))
	}},
	{name: "for no audience", token: func(i *issuer, sub string) string { return signers()["r1"].token(i.claims(sub, obj{"aud": nil})) }},
	{name: "of another issuer", token: func(i *issuer, sub string) string {
		return signers()["r1"].token(i.claims(sub, obj{"iss": "https://accounts.google.com"}))
	}},
	{name: "of an issuer with a slash more", token: func(i *issuer, sub string) string {
		return signers()["r1"].token(i.claims(sub, obj{"iss": i.url + "/"}))
	}},
	{name: "of no issuer", token: func(i *issuer, sub string) string { return signers()["r1"].token(i.claims(sub, obj{"iss": nil})) }},
	{name: "signed with a foreign key by a known name", token: func(i *issuer, sub string) string {
		return signer{"r1", "RS256", signers()["foreign"].key}.token(i.claims(sub))
	}},
	{name: "signed with a foreign key by a name of its own", token: func(i *issuer, sub string) string {
		return signers()["foreign"].token(i.claims(sub))
	}},
	{name: "signed with a foreign key that it brings along", token: func(i *issuer, sub string) string {
		s := signers()["foreign"]
		return s.signed(obj{"alg": "RS256", "jwk": s.published(), "typ": "JWT"}, i.claims(sub))
	}},
	{name: "with alg none", token: func(i *issuer, sub string) string {
		return jsonPart(obj{"alg": "none", "typ": "JWT"}) + "." + jsonPart(i.claims(sub)) + "."
	}},
	{name: "with alg none and a signature", token: func(i *issuer, sub string) string {
		return signers()["r1"].signed(obj{"alg": "none", "kid": "r1"}, i.claims(sub))
	}},
	{name: "signed with a published key as a shared one", token: func(i *issuer, sub string) string {
		return hmacToken("r1", []byte(signers()["r1"].published()["n"].(string)), i.claims(sub))
	}},
	{name: "with other claims than were signed", token: func(i *issuer, sub string) string {
		parts := strings.Split(i.idToken("somebody"), ".")
		return parts[0] + "." + jsonPart(i.claims(sub)) + "." + parts[2]
	}},
	{name: "of another player", token: func(i *issuer, sub string) string { return i.idToken("not-" + sub) }},
	{name: "of a player whose name begins alike", token: func(i *issuer, sub string) string { return i.idToken(sub + "0") }},
	{name: "of nobody", token: func(i *issuer, sub string) string { return signers()["r1"].token(i.claims(sub, obj{"sub": nil})) }},
	{name: "that is no token", token: func(*issuer, string) string { return "x" }},
	{name: "that is cut short", token: func(i *issuer, sub string) string { return i.idToken(sub)[:200] }},
	{name: "that is absent", status: 804, token: func(*issuer, string) string { return "" }},
}

func ago(d time.Duration) int64 { return time.Now().Add(-d).Unix() }

// eachProof runs a test for every proof, with a client_id of its own.
func eachProof(t *testing.T, test func(t *testing.T, n *node, i *issuer, sub string, p proofCase, token string)) {
	n := start(t, sealing)
	for k, p := range proofs {
		t.Run(p.name, func(t *testing.T) {
			i := startIssuer(t, "r1", "e1")
			i.configure(n)
			sub := fmt.Sprintf("1101694%d", k)
			if p.status == 0 {
				p.status = 625
			}
			if p.good { // the issuer's first keys are known before it changes them
				want(t, n.client().Call("users.login", proof("nobody", i.idToken("nobody"))), 604)
			}
			test(t, n, i, sub, p, p.token(i, sub))
		})
	}
	n.wantUnlogged("eyJ") // how a token begins
}

// wantVerdict checks the reply to a proof; the text of a refusal shows nothing of it.
func wantVerdict(t *testing.T, r wiretest.Reply, p proofCase, token string) {
	t.Helper()
	if p.good {
		ok(t, r)
		return
	}
	want(t, r, p.status)
	if parts := strings.Split(token, "."); len(parts) > 1 && strings.Contains(r.Raw, parts[1]) {
		t.Errorf("the reply shows the token: %s", r.Raw)
	}
}

// shown leaves an absent token out.
func shown(params obj) obj {
	if params["id_token"] == "" {
		delete(params, "id_token")
	}
	return params
}

func TestOnlyAProofCreatesByProvider(t *testing.T) {
	eachProof(t, func(t *testing.T, n *node, i *issuer, sub string, p proofCase, token string) {
		c := n.client()
		params := shown(proof(sub, token))
		params["username"] = "player " + sub
		r := c.Call("users.create", params)
		wantVerdict(t, r, p, token)
		good := proof(sub, i.idToken(sub))
		if !p.good {
			want(t, c.Call("users.login", good), 604) // nothing is bound
			n.joins("player "+sub, good)              // and no name is taken
			return
		}
		o := ok(t, c.Call("users.login", good)).Object()
		if o.Text("user_id") != r.Object().Text("user_id") || o.Object("oauth").Text("client_id") != sub {
			t.Errorf("the login got %v", o)
		}
	})
}

func TestOnlyAProofLogsInByProvider(t *testing.T) {
	eachProof(t, func(t *testing.T, n *node, i *issuer, sub string, p proofCase, token string) {
		u := n.joins("player "+sub, proof(sub, i.idToken(sub)))
		c := n.client()
		r := c.Call("users.login", shown(proof(sub, token)))
		wantVerdict(t, r, p, token)
		if !p.good {
			want(t, c.Call("users.get", u.ref()), 606)
			return
		}
		o := r.Object()
		if o.Text("user_id") != u.id || o.Text("username") != u.name || o.Object("session").Text("token") == "" {
			t.Errorf("the login got %v", o)
		}
		wantMembers(t, o.Object("oauth"), "provider client_id access_token_expired")
		ok(t, c.Call("users.get", u.ref()))
		ok(t, resume(n.client(), o.Object("session").Text("token")))
	})
}

func TestOnlyAProofBindsAnIdentity(t *testing.T) {
	eachProof(t, func(t *testing.T, n *node, i *issuer, sub string, p proofCase, token string) {
		me := n.elsewhere("me " + sub)
		c := n.client()
		login(t, c, me)
		auth := obj{"client_id": sub}
		if token != "" {
			auth["id_token"] = token
		}
		r := c.Call("users.addAuthProvider", obj{"user_id": me.id, "provider": theProvider, "auth": auth})
		wantVerdict(t, r, p, token)
		checkBound(t, n, c, i, me, sub, p.good)
	})
}

func TestOnlyAProofRebindsAnIdentity(t *testing.T) {
	eachProof(t, func(t *testing.T, n *node, i *issuer, sub string, p proofCase, token string) {
		former := "former-" + sub
		me := n.joins("me "+sub, proof(former, i.idToken(former)))
		c := n.client()
		ok(t, c.Call("users.login", proof(former, i.idToken(former))))
		r := c.Call("users.updateAuthProvider", obj{"user_id": me.id, "provider": theProvider, "update": shown(obj{"client_id": sub, "id_token": token})})
		wantVerdict(t, r, p, token)
		checkBound(t, n, c, i, me, sub, p.good)
		status := 0
		if p.good {
			status = 604
		}
		want(t, n.client().Call("users.login", proof(former, i.idToken(former))), status)
	})
}

// checkBound checks whether the identity sub is the user's, as he sees it and as
// a login finds it.
func checkBound(t *testing.T, n *node, c *wiretest.Client, i *issuer, me user, sub string, bound bool) {
	t.Helper()
	r := c.Call("users.getAuthProvider", me.at(theProvider))
	if mine := r.Object().Text("client_id") == sub; mine != bound {
		t.Errorf("getAuthProvider got %s, want it bound: %v", r.Raw, bound)
	}
	r = n.client().Call("users.login", proof(sub, i.idToken(sub)))
	if !bound {
		want(t, r, 604)
	} else if ok(t, r).Object().Text("user_id") != me.id {
		t.Errorf("the login got %s, want %s", r.Raw, me.id)
	}
}
