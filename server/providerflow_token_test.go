package server_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"rollcall/server"
	"rollcall/server/wiretest"
	"rollcall/store/storetest"
)

const theToken = "ya29.an-access-token-of-tina"

func TestAnAccessTokenIsForItsOwnerAlone(t *testing.T) {
	redis := storetest.Redis(t)
	n := startOn(t, redis.URL(), sealing)
	i := startIssuer(t, "r1")
	i.configure(n)
	expiry := time.Now().Add(time.Hour).Unix()
	shows := func(r wiretest.Reply, token string) {
		t.Helper()
		o := ok(t, r).Object()
		if login := o.Object("oauth"); login != nil {
			o = login
		}
		if o.Text("access_token") != token || o.Text("client_id") != "g-1" || token == "" && strings.Contains(r.Raw, theToken) {
			t.Errorf("got %s, want the token %q", r.Raw, token)
		}
	}

	maker := n.client()
	u := create(t, maker, "tina")
	shows(binds(maker, u, "g-1", i.idToken("g-1"), obj{"access_token": theToken, "access_token_expiry": expiry}), "")
	shows(maker.Call("users.getAuthProvider", u.at(theProvider)), "") // made him, but isn't him
	shows(maker.Call("users.updateTokenExpiry", with(u.at(theProvider), obj{"expiry": expiry})), "")

	owner := n.client()
	shows(owner.Call("users.login", proof("g-1", i.idToken("g-1"))), theToken)
	shows(owner.Call("users.getAuthProvider", u.at(theProvider)), theToken)
	shows(owner.Call("users.updateTokenExpiry", with(u.at(theProvider), obj{"expiry": expiry})), theToken)
	byPassword := n.client()
	login(t, byPassword, u)
	shows(byPassword.Call("users.getAuthProvider", u.at(theProvider)), theToken)

	a := n.admin()
	ok(t, a.Call("admin.scopes.update", obj{"name": theScope, "permissions": obj{"users.getAuthProvider": "any", "users.updateTokenExpiry": "any", "users.get": "any"}}))
	_, other := n.loggedIn("bert")
	for _, c := range []*wiretest.Client{n.client(), other} {
		shows(c.Call("users.getAuthProvider", u.at(theProvider)), "")
		shows(c.Call("users.updateTokenExpiry", with(u.at(theProvider), obj{"expiry": expiry})), "")
		if r := c.Call("users.get", u.ref()); strings.Contains(r.Raw, theToken) {
			t.Errorf("users.get shows it: %s", r.Raw)
		}
	}
	for _, call := range []wiretest.Reply{a.Call("admin.users.get", u.ref()), a.Call("admin.users.list", obj{"scope": theScope})} {
		if ok(t, call); strings.Contains(call.Raw, theToken) {
			t.Errorf("an admin sees it: %s", call.Raw)
		}
	}

	const newer = "ya29.another-token-of-tina"
	shows(owner.Call("users.updateAuthProvider", with(u.at(theProvider), obj{"update": obj{"access_token": newer}})), newer)
	shows(owner.Call("users.updateTokenExpiry", with(u.at(theProvider), obj{"expiry": expiry, "token": theToken})), theToken)
	shows(owner.Call("users.login", with(proof("g-1", i.idToken("g-1")), obj{"access_token": newer})), newer)

	dump := everything(t, redis)
	for _, clear := range []string{theToken, newer, theToken[5:20], base64url([]byte(theToken))} {
		if strings.Contains(dump, clear) {
			t.Errorf("the store holds the token as it is: %s", around(dump, clear))
		}
	}
	n.wantUnlogged(theToken, newer)
}

func TestASealedTokenOpensUnderTheKeysThatAreLeft(t *testing.T) {
	redis := storetest.Redis(t)
	i := startIssuer(t, "r1")
	first, second := "the first phrase: 1b2c3d4e", strings.Repeat("ab", 32)
	tokenWith := func(keys ...string) string {
		n := startOn(t, redis.URL(), func(c *server.Config) { c.TokenKeys = keys })
		defer n.stop()
		i.configure(n)
		c := n.client()
		r := c.Call("users.login", proof("g-1", i.idToken("g-1")))
		if r.Status() == 604 {
			n.joins("tina", with(proof("g-1", i.idToken("g-1")), obj{"access_token": theToken}))
			r = c.Call("users.login", proof("g-1", i.idToken("g-1")))
		}
		return ok(t, r).Object().Object("oauth").Text("access_token")
	}
	for _, step := range []struct {
		keys []string
		want string
	}{
		{[]string{first}, theToken},
		{[]string{second, first}, theToken}, // and seals it anew under the second
		{[]string{second}, theToken},
		{[]string{first}, ""}, // gone, but the login works
		{nil, ""},
		{[]string{first, second}, theToken},
	} {
		if got := tokenWith(step.keys...); got != step.want {
			t.Errorf("with %d keys the token is %q, want %q", len(step.keys), got, step.want)
		}
	}
}

func TestWithoutATokenKeyNoTokenIsKept(t *testing.T) {
	n := start(t)
	i := startIssuer(t, "r1")
	i.configure(n)
	u, c := n.loggedIn("tina")
	// What comes beside a proof may be a part of it, and is let go.
	r := ok(t, binds(c, u, "g-1", i.idToken("g-1"), obj{"access_token": theToken}))
	wantMembers(t, r.Object(), "provider client_id access_token_expired")
	// What is sent to be kept is refused.
	want(t, c.Call("users.updateAuthProvider", with(u.at(theProvider), obj{"update": obj{"access_token": theToken}})), 624)
	want(t, c.Call("users.updateTokenExpiry", with(u.at(theProvider), obj{"expiry": 1, "token": theToken})), 624)
	wantMembers(t, ok(t, c.Call("users.getAuthProvider", u.at(theProvider))).Object(), "provider client_id access_token_expired")
	r = ok(t, n.client().Call("users.login", with(proof("g-1", i.idToken("g-1")), obj{"access_token": theToken})))
	wantMembers(t, r.Object().Object("oauth"), "provider client_id access_token_expired")
}

func TestATokensExpiryIsHeldAgainstTheServersClock(t *testing.T) {
	n := start(t, sealing)
	i := startIssuer(t, "r1")
	i.configure(n)
	u, c := n.loggedIn("tina")
	isExpired := func(expired bool) {
		t.Helper()
		wantResult(t, c.Call("users.accessTokenExpired", u.at(theProvider)), fmt.Sprintf(`{"expired":%v}`, expired))
		o := ok(t, c.Call("users.getAuthProvider", u.at(theProvider))).Object()
		if o.Raw("access_token_expired") != fmt.Sprint(expired) {
			t.Errorf("got %v, want it expired: %v", o, expired)
		}
	}
	ok(t, binds(c, u, "g-1", i.idToken("g-1"), obj{"access_token": theToken}))
	isExpired(false) // nobody said when
	for _, step := range []struct {
		expiry  int64
		expired bool
	}{{ago(-time.Hour), false}, {ago(time.Second), true}, {ago(-time.Hour), false}, {1, true}} {
		o := ok(t, c.Call("users.updateTokenExpiry", with(u.at(theProvider), obj{"expiry": step.expiry}))).Object()
		if o.Raw("access_token_expiry") != fmt.Sprint(step.expiry) || o.Raw("access_token_expired") != fmt.Sprint(step.expired) {
			t.Errorf("with %d got %v", step.expiry, o)
		}
		isExpired(step.expired)
		ok(t, c.Call("users.updateAuthProvider", with(u.at(theProvider), obj{"update": obj{"access_token_expiry": ago(-time.Hour)}})))
		isExpired(false)
	}
	for _, bad := range []struct {
		expiry any
		status int
	}{{"soon", 801}, {1.5, 802}, {nil, 804}, {-1, 802}} {
		params := with(u.at(theProvider), obj{"expiry": bad.expiry})
		if bad.expiry == nil {
			delete(params, "expiry")
		}
		want(t, c.Call("users.updateTokenExpiry", params), bad.status)
	}
}

// everything is all that a store holds, as text.
func everything(t *testing.T, redis *storetest.Server) string {
	t.Helper()
	client, ctx := redis.Client(), context.Background()
	keys, err := client.Keys(ctx, "*").Result()
	if err != nil || len(keys) == 0 {
		t.Fatalf("read the store: %d keys, %v", len(keys), err)
	}
	var all strings.Builder
	for _, key := range keys {
		var value any
		switch kind := client.Type(ctx, key).Val(); kind {
		case "string":
			value = client.Get(ctx, key).Val()
		case "hash":
			value = client.HGetAll(ctx, key).Val()
		case "set":
			value = client.SMembers(ctx, key).Val()
		case "zset":
			value = client.ZRange(ctx, key, 0, -1).Val()
		case "list":
			value = client.LRange(ctx, key, 0, -1).Val()
		case "stream":
			value = client.XRange(ctx, key, "-", "+").Val()
		case "none": // expired meanwhile
		default:
			t.Fatalf("%s is a %s", key, kind)
		}
		fmt.Fprintln(&all, key, value)
	}
	return all.String()
}

// around is the place where a text stands in another.
func around(all, text string) string {
	at := strings.Index(all, text)
	return fmt.Sprintf("%q", all[max(0, at-100):min(len(all), at+len(text)+100)])
}
