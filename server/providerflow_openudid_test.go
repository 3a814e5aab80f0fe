package server_test

import (
	"strings"
	"testing"

	"rollcall/store/storetest"
)

const theDevice = "f1d2d2f924e986ac86fdf7b36c94bcdf32beec15"

func udid(clientID string) obj { return obj{"provider": "openudid", "client_id": clientID} }

func TestAnOpenUDIDIsASecretOfItsDevice(t *testing.T) {
	redis := storetest.Redis(t)
	n := startOn(t, redis.URL())
	n.providers(obj{"openudid": obj{}})
	u := n.joins("tina", udid(theDevice))
	c := n.client()
	o := ok(t, c.Call("users.login", udid(theDevice))).Object()
	if o.Text("user_id") != u.id {
		t.Errorf("the login got %v", o)
	}
	wantMembers(t, o.Object("oauth"), "provider access_token_expired")
	p := ok(t, c.Call("users.getAuthProvider", u.at("openudid")))
	wantMembers(t, p.Object(), "provider access_token_expired")
	a := n.admin()
	for _, r := range []string{p.Raw, a.Call("admin.users.get", u.ref()).Raw, c.Call("users.get", u.ref()).Raw} {
		if strings.Contains(r, theDevice) {
			t.Errorf("a reply shows the secret: %s", r)
		}
	}
	for _, other := range []string{strings.ToUpper(theDevice), theDevice[:39], theDevice + "0", " " + theDevice} {
		want(t, n.client().Call("users.login", udid(other)), 604)
	}
	_, bc := n.loggedIn("bert")
	bert := bc.Call("users.get", obj{"user_id": u.id}) // not his
	want(t, bert, 606)
	want(t, n.client().Call("users.create", with(udid(theDevice), obj{"username": "again"})), 620)

	dump := everything(t, redis)
	for _, clear := range []string{theDevice, theDevice[:20], base64url([]byte(theDevice))} {
		if strings.Contains(dump, clear) {
			t.Errorf("the store holds the secret as it is: %s", around(dump, clear))
		}
	}
	n.wantUnlogged(theDevice)

	// A new device takes the place of the old one.
	const newer = "a-newer-device-0123456789"
	o = ok(t, c.Call("users.updateAuthProvider", with(u.at("openudid"), obj{"update": obj{"client_id": newer}}))).Object()
	wantMembers(t, o, "provider access_token_expired")
	want(t, n.client().Call("users.login", udid(theDevice)), 604)
	ok(t, n.client().Call("users.login", udid(newer)))
}

func TestAnOpenUDIDIsLongEnoughToBeASecret(t *testing.T) {
	n := start(t)
	u, c := n.loggedIn("tina")
	for _, mode := range []string{"verify", "trust"} {
		n.providers(obj{"openudid": obj{"mode": mode}})
		for _, id := range []string{"0123456789abcde", "太太太太太太太太太太太太太太太", "x"} {
			want(t, n.client().Call("users.login", udid(id)), 802)
			want(t, n.client().Call("users.create", with(udid(id), obj{"username": "short"})), 802)
			want(t, c.Call("users.addAuthProvider", with(u.at("openudid"), obj{"auth": obj{"client_id": id}})), 802)
		}
		want(t, n.client().Call("users.login", udid("0123456789abcdef")), 604)
	}
	ok(t, c.Call("users.addAuthProvider", with(u.at("openudid"), obj{"auth": obj{"client_id": "0123456789abcdef"}})))
	want(t, c.Call("users.updateAuthProvider", with(u.at("openudid"), obj{"update": obj{"client_id": "short"}})), 802)
	ok(t, n.client().Call("users.login", udid("0123456789abcdef")))
}

func TestATrustedProviderIsBelieved(t *testing.T) {
	n := start(t, sealing)
	i := startIssuer(t, "r1")
	n.providers(obj{"facebook": obj{"mode": "trust"}, theProvider: i.config()})
	trusted := obj{"provider": "facebook", "client_id": "1234"}
	u := n.joins("tina", with(trusted, obj{"access_token": theToken}))
	o := ok(t, n.client().Call("users.login", trusted)).Object()
	if o.Text("user_id") != u.id || o.Object("oauth").Text("access_token") != theToken {
		t.Errorf("the login got %v", o)
	}
	want(t, n.client().Call("users.login", obj{"provider": "facebook", "client_id": "5678"}), 604)
	want(t, n.client().Call("users.login", obj{"provider": theProvider, "client_id": "1234"}), 804) // the others are asked for proof
	n.providers(obj{"facebook": obj{"mode": "verify", "client_ids": []string{"1"}, "app_secret": "x"}})
	want(t, n.client().Call("users.login", trusted), 804)
	if r := n.admin().Call("admin.scopes.list", nil); strings.Contains(r.Raw, "app_secret") {
		t.Errorf("the app's secret is read back: %s", r.Raw)
	}
}
