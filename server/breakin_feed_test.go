package server_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	"github.com/google/uuid"

	"rollcall/server"
	"rollcall/server/wiretest"
	"rollcall/store"
	"rollcall/store/storetest"
)

// Each test here was once a way past what admins see and decide, or a way to
// keep them from it.

func TestABannedUserIsNotReachedByTheConnectionThatCreatedHim(t *testing.T) {
	onBoth(t, func(t *testing.T, a, b named) {
		creator := b.client()
		u := create(t, creator, "tiny", obj{"idempotency_key": "k1"})
		c := a.client()
		login(t, c, u)
		ok(t, a.admin().Call("admin.users.ban", u.ref()))
		wantEnd(t, c, 4503)

		await(t, "the creator has lost the user", func() bool { return creator.Call("users.get", u.ref()).Status() == 606 })
		want(t, creator.Call("users.update", obj{"user_id": u.id, "update": obj{"username": "tinier"}}), 606)
		want(t, creator.Call("users.delete", u.ref()), 606)

		// The same request again would be another way to own the user.
		again := a.client()
		want(t, again.Call("users.create", obj{"username": "tiny", "password": thePassword, "idempotency_key": "k1"}), 608)
		want(t, again.Call("users.delete", u.ref()), 606)
	})
}

func TestABanBesideARepeatedCreateIsNotPassedBy(t *testing.T) {
	n := start(t, oneAtATime)
	admin := n.admin()
	u := n.elsewhere("tiny", obj{"idempotency_key": "k1"})
	again := n.client()
	occupy(t, n, 4)
	var id string
	n.submitting(1, func() { // the user is read, and the password waits to be held against it
		id = again.Send("users.create", obj{"username": "tiny", "password": thePassword, "idempotency_key": "k1"})
	})
	ok(t, admin.Call("admin.users.ban", u.ref()))
	want(t, again.Wait(id), 608)
	want(t, again.Call("users.delete", u.ref()), 606)
}

func TestAPasswordResetEndsWhatTheCreatorsConnectionMay(t *testing.T) {
	n := start(t)
	squatter := n.client()
	u := create(t, squatter, "tiny", obj{"email": "tina@home.example"})
	link := ok(t, n.admin().Call("admin.users.resetLink", u.ref())).Object().Text("link")
	open(t, link).want(200, "tiny").submit("password", "brand new", "again", "brand new").want(200, "tiny")

	await(t, "the creator has lost the user", func() bool { return squatter.Call("users.get", u.ref()).Status() == 606 })
	want(t, squatter.Call("users.update", obj{"user_id": u.id, "update": obj{"password": "other-secret"}}), 606)
	u.password = "brand new"
	login(t, n.client(), u)
}

func TestAPasswordThatAnAdminSetEndsWhatTheCreatorsConnectionMay(t *testing.T) {
	n := start(t)
	squatter := n.client()
	u := create(t, squatter, "tiny")
	ok(t, squatter.Call("users.update", obj{"user_id": u.id, "update": obj{"password": "other-secret"}}))
	ok(t, squatter.Call("users.get", u.ref())) // his own change leaves him what he has
	ok(t, n.admin().Call("admin.users.update", obj{"user_id": u.id, "update": obj{"password": thePassword}}))

	await(t, "the creator has lost the user", func() bool { return squatter.Call("users.get", u.ref()).Status() == 606 })
	want(t, squatter.Call("users.delete", u.ref()), 606)
	login(t, n.client(), u)
}

func TestAReasonThatIsCutStaysText(t *testing.T) {
	n := start(t)
	u := n.elsewhere("tiny")
	for _, reason := range []string{strings.Repeat("é", 128), "x" + strings.Repeat("é", 127), strings.Repeat("語", 85)} {
		c := n.client()
		login(t, c, u)
		ok(t, n.admin().Call("admin.sessions.kick", obj{"user_id": u.id, "reason": reason}))
		e := wantEnd(t, c, 4502)
		// RFC 6455, section 5.5.1: a client fails the connection otherwise, and
		// never sees the code.
		if e.Close != nil && (!utf8.ValidString(e.Close.Reason) || !strings.HasPrefix(reason, e.Close.Reason) || len(e.Close.Reason) < 120) {
			t.Errorf("the close frame's reason is %q", e.Close.Reason)
		}
		if e.Bye == nil || e.Bye.Reason != reason {
			t.Errorf("the bye is %+v, want the whole reason", e.Bye)
		}
	}
}

func TestClientsWithLongNamesDoNotHideTheSessions(t *testing.T) {
	n := start(t)
	// 32 sessions each, and what a client may say of itself at its longest.
	long := strings.Repeat("😀", 64)
	client := obj{"name": long, "version": long, "platform": long}
	const users, sessions = 32, 32
	var wg sync.WaitGroup
	failed := make(chan string, users*sessions)
	conns := make([]*wiretest.Client, users*sessions)
	for i := range users {
		u := n.elsewhere(fmt.Sprint("tiny", i))
		for k := range sessions {
			c := n.dial()
			conns[i*sessions+k] = c
			wg.Go(func() {
				if r, err := c.Do("core.init", obj{"scope": theScope, "key": theKey, "client": client}); err != nil || !r.OK() {
					failed <- fmt.Sprint(r.Raw, err)
				}
				if r, err := c.Do("users.login", u.login()); err != nil || !r.OK() {
					failed <- fmt.Sprint(r.Raw, err)
				}
			})
		}
		wg.Wait()
	}
	if len(failed) > 0 {
		t.Fatal(<-failed)
	}
	r := ok(t, n.admin().Call("admin.sessions.list", obj{"scope": theScope}))
	if got := strings.Count(r.Result(), `"session_id"`); got < 500 || len(r.Raw) > 1<<20 {
		t.Errorf("%d sessions are listed, in %d bytes", got, len(r.Raw))
	}
}

func TestASubscriberIsGivenThePastNoFasterThanItReads(t *testing.T) {
	n := start(t, func(c *server.Config) { c.MaxOutbound = 32 << 10 })
	f := n.follow(obj{"scope": theScope})
	from := f.heads[theScope]
	f.Close()
	u := n.elsewhere("tiny")
	c := n.client()
	token := login(t, c, u)
	for range 600 {
		ok(t, c.Call("users.resume", obj{"session": token}))
	}
	back := n.admin()
	var ids []string
	for range 16 {
		ids = append(ids, back.Send("admin.subscribe", obj{"scope": theScope, "since": obj{theScope: from}}))
	}
	for _, id := range ids {
		ok(t, back.Wait(id))
	}
	for range 16 * 600 {
		back.NextPush() // which fails where the connection was closed with 4002
	}
}

func TestComingBackAgainAndAgainLeavesNoTrailOfPlaces(t *testing.T) {
	url := storetest.SharedRedis(t).URL()
	n := startOn(t, url, longGrace)
	st, err := store.Open(t.Context(), store.Config{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	u := n.elsewhere(fmt.Sprint("flapping-", uuid.New()))
	c := n.client()
	token := login(t, c, u)
	c.Close()
	for range 100 {
		c := n.dial()
		ok(t, c.Call("core.init", obj{"scope": theScope, "key": theKey, "session": token}))
		c.Close()
	}
	// Each place is read by every login and by whoever reads the user.
	await(t, "the user has one place, by which he is still online", func() bool {
		known, err := st.User(t.Context(), uuid.MustParse(u.id))
		return err == nil && len(known.Places) == 1
	})
}
