package server_test

import (
	"testing"
)

// What the contract names and this server does not do yet: mail and providers.
// The permission check comes first, so nobody learns about others.

var laterMethods = []struct {
	typ    string
	params func(id string) obj
	status int
}{
	{"users.resendConfirmation", func(id string) obj { return obj{"user_id": id} }, 702},
	{"users.addAuthProvider", func(id string) obj {
		return obj{"user_id": id, "provider": "google", "auth": obj{"client_id": "1", "id_token": "x"}}
	}, 624},
	{"users.getAuthProvider", func(id string) obj { return obj{"user_id": id, "provider": "google"} }, 624},
	{"users.updateAuthProvider", func(id string) obj {
		return obj{"user_id": id, "provider": "google", "update": obj{"access_token": "x"}}
	}, 624},
	{"users.removeAuthProvider", func(id string) obj { return obj{"user_id": id, "provider": "google"} }, 624},
	{"users.accessTokenExpired", func(id string) obj { return obj{"user_id": id, "provider": "google"} }, 624},
	{"users.updateTokenExpiry", func(id string) obj {
		return obj{"user_id": id, "provider": "google", "expiry": 1793534400}
	}, 624},
}

func TestMailAndProvidersAnswerThatTheyAreNotConfigured(t *testing.T) {
	n := start(t)
	mine, others := n.elsewhere("mine", obj{"email": "mine@home.com", "confirmation": obj{}}), n.elsewhere("others")
	c := n.client()
	login(t, c, mine)
	for _, m := range laterMethods {
		t.Run(m.typ, func(t *testing.T) {
			want(t, c.Call(m.typ, m.params(mine.id)), m.status)
			want(t, c.Call(m.typ, m.params(others.id)), 606)
			want(t, n.client().Call(m.typ, m.params(mine.id)), 606)
			want(t, c.Call(m.typ, nil), 804)
			bad := m.params(mine.id)
			bad["user_id"] = 5
			want(t, c.Call(m.typ, bad), 801)
		})
	}
}

func TestAPasswordResetWithoutMailIsNotConfiguredForAnyAddress(t *testing.T) {
	n := start(t)
	n.elsewhere("tiny", obj{"email": "tiny@home.com"})
	c := n.client()
	known := want(t, c.Call("users.sendPasswordReset", obj{"email": "tiny@home.com"}), 702)
	unknown := want(t, c.Call("users.sendPasswordReset", obj{"email": "nobody@home.com"}), 702)
	if known.Message() != unknown.Message() {
		t.Errorf("the texts tell a known address: %s and %s", known.Raw, unknown.Raw)
	}
	want(t, c.Call("users.sendPasswordReset", obj{"email": "nobody"}), 704)
	want(t, c.Call("users.sendPasswordReset", obj{}), 804)
	want(t, c.Call("users.sendPasswordReset", obj{"email": 5}), 801)
}

func TestPresenceAnswersForEveryUserThatIsAsked(t *testing.T) {
	n := start(t)
	here, gone := n.elsewhere("here"), n.elsewhere("gone")
	c := n.client()
	want(t, c.Call("users.presence", obj{"user_ids": []string{here.id}}), 606)
	login(t, c, here)
	o := ok(t, c.Call("users.presence", obj{"user_ids": []string{here.id, gone.id}})).Object()
	wantMembers(t, o, here.id+" "+gone.id)
	if o.Text(here.id) != "online" || o.Text(gone.id) != "offline" {
		t.Errorf("got %v, want the one who is logged in online and the other not", o)
	}
	if u := ok(t, c.Call("users.get", here.ref())).Object(); u.Raw("online") != "true" {
		t.Errorf("the user object says online %s", u.Raw("online"))
	}
	many := make([]string, 101)
	for i := range many {
		many[i] = here.id
	}
	want(t, c.Call("users.presence", obj{"user_ids": many}), 802)
	want(t, c.Call("users.presence", obj{"user_ids": here.id}), 801)
	want(t, c.Call("users.presence", obj{}), 804)
}
