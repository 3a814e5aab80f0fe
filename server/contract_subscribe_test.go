package server_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"rollcall/server/wiretest"
)

func TestASubscriptionTellsWhereTheFeedIs(t *testing.T) {
	onBoth(t, func(t *testing.T, a, b named) {
		fresh := a.follow(obj{"scope": theScope})
		fresh.wantRecovered()
		head, known := fresh.heads[theScope]
		if len(fresh.heads) != 1 || !known {
			t.Fatalf("the heads are %v, want that of %s", fresh.heads, theScope)
		}
		us := creates(t, b.client(), "tiny", 3)
		wantRun(t, fresh.take(3), head)

		again := b.follow(obj{"scope": theScope})
		if got := again.heads[theScope]; got.Seq != head.Seq+3 || got.Epoch != head.Epoch {
			t.Errorf("after three events the head went from %v to %v", head, got)
		}
		again.wantRecovered()
		more := creates(t, a.client(), "more", 1)
		for _, f := range []*feed{fresh, again} { // without last or since, the past is not told
			if p := f.next(); !of("user.created", more[0])(p) {
				t.Errorf("got %s, want the creation of %v and not of %v", p.Raw, more[0], us)
			}
		}
	})
}

func TestTheAnswerComesBeforeTheFirstPush(t *testing.T) {
	n := start(t)
	creates(t, n.client(), "tiny", 10)
	for range 20 {
		f := n.follow(obj{"scope": theScope, "last": 10}) // checks it
		f.take(10)
		f.Close()
	}
}

func TestTheEventsOfAScopeAreNumberedWithoutAHole(t *testing.T) {
	onBoth(t, func(t *testing.T, a, b named) {
		f := b.follow(obj{"scope": theScope})
		maker := a.client()
		us := creates(t, maker, "tiny", 5)
		create(t, a.client("other scope"), "elsewhere") // counts for itself
		c := b.client()
		for _, u := range us {
			login(t, c, u)
			ok(t, maker.Call("users.update", obj{"user_id": u.id, "update": obj{"group": "red"}}))
			want(t, a.client().Call("users.login", obj{"username": u.name, "password": "wrong-secret"}), 603)
		}
		ok(t, maker.Call("users.delete", us[0].ref()))
		events := f.fence()
		wantRun(t, events, f.heads[theScope])
		counted := map[string]int{}
		for _, p := range events {
			counted[p.Event]++
			if p.Scope != theScope || !timeForm.MatchString(p.Time) {
				t.Errorf("got %s", p.Raw)
			}
			wantMembers(t, p.Members, "event scope seq epoch event_id time data")
		}
		for event, count := range map[string]int{"user.created": 5, "user.login": 5, "user.updated": 5, "user.login_failed": 5, "user.deleted": 1} {
			if counted[event] != count {
				t.Errorf("there were %d of %s, want %d", counted[event], event, count)
			}
		}
	})
}

func TestASubscriptionToAllScopesHearsOfEachOne(t *testing.T) {
	onBoth(t, func(t *testing.T, a, b named) {
		ca := a.client("first")
		creates(t, ca, "early", 2)
		f := b.follow(obj{"scope": "*"})
		f.wantRecovered()
		for _, scope := range []string{"first", theScope} {
			if _, known := f.heads[scope]; !known {
				t.Errorf("the heads are %v, without that of %q", f.heads, scope)
			}
		}
		var made []user
		for _, scope := range []string{"first", theScope, "a scope that is new", "first"} {
			made = append(made, create(t, a.client(scope), fmt.Sprint("tiny", len(made))))
		}
		// Scopes have no order among one another.
		got := map[string]string{}
		last := map[string]wiretest.Push{}
		for len(got) < len(made) {
			p := f.next()
			if before, seen := last[p.Scope]; seen && p.Seq != before.Seq+1 {
				t.Errorf("after seq %d of %q came %s", before.Seq, p.Scope, p.Raw)
			}
			if last[p.Scope] = p; p.Event == "user.created" {
				got[p.Data.Text("user_id")] = p.Scope
			}
		}
		for i, scope := range []string{"first", theScope, "a scope that is new", "first"} {
			if got[made[i].id] != scope {
				t.Errorf("the creation in %q came from %q", scope, got[made[i].id])
			}
		}
	})
}

func TestABacklogComesFirstAndGoesOverIntoTheLiveFeed(t *testing.T) {
	onBoth(t, func(t *testing.T, a, b named) {
		all := a.follow(obj{"scope": theScope})
		c := b.client()
		creates(t, c, "early", 10)
		past := all.take(10)
		for _, last := range []int{1, 4, 10, 1000} {
			f := b.follow(obj{"scope": theScope, "last": last})
			f.wantRecovered()
			newest := past[max(0, len(past)-last):]
			if !slices.Equal(ids(f.take(len(newest))), ids(newest)) {
				t.Errorf("last %d: not the newest in their order", last)
			}
			creates(t, c, fmt.Sprint("late", last, "-"), 3)
			if live := all.take(3); !slices.Equal(ids(f.take(3)), ids(live)) {
				t.Errorf("last %d: the live events follow with a gap or a double", last)
			} else {
				past = append(past, live...)
			}
			f.Close()
		}
	})
}

func TestABacklogLosesNothingWhileEventsCome(t *testing.T) {
	onBoth(t, func(t *testing.T, a, b named) {
		const total = 60 // the creation and the updates
		all := a.follow(obj{"scope": theScope})
		busy := burst{c: a.client()}
		u := create(t, busy.c, "tiny")
		for i := range total - 1 {
			busy.add("users.update", obj{"user_id": u.id, "update": obj{"group": fmt.Sprint("g", i)}})
		}
		busy.send(t)
		var f *feed
		for range 10 { // somewhere in between, as it comes
			f = b.follow(obj{"scope": theScope, "last": 1000})
			first := f.next()
			wantRun(t, append([]wiretest.Push{first}, f.take(4)...), position{first.Seq - 1, first.Epoch, ""})
		}
		for _, id := range busy.ids {
			ok(t, busy.c.Wait(id))
		}
		past := all.take(total)
		rest := f.take(total - 5)
		if !slices.Equal(ids(rest), ids(past[5:])) {
			t.Error("the backlog and the live events make another sequence than the live events alone")
		}
	})
}

func TestAFilterLetsThroughWhatItNames(t *testing.T) {
	onBoth(t, func(t *testing.T, a, b named) {
		early := create(t, a.client(), "early")
		login(t, a.client(), early)
		logins := b.follow(obj{"scope": theScope, "events": []string{"user.login"}})
		both := b.follow(obj{"scope": "*", "events": []string{"user.created", "user.deleted"}})
		c := a.client()
		us := creates(t, c, "tiny", 30)
		for _, u := range us {
			ok(t, c.Call("users.update", obj{"user_id": u.id, "update": obj{"group": "red"}}))
		}
		login(t, c, us[0])
		ok(t, c.Call("users.delete", us[1].ref()))
		login(t, c, us[2])
		wantKinds(t, logins.take(2), "user.login", "user.login")
		got := both.until(of("user.deleted", us[1]))
		wantKinds(t, got, append(slices.Repeat([]string{"user.created"}, 30), "user.deleted")...)
	})
}

func TestPushesAreBatchedOnlyForWhoAsked(t *testing.T) {
	onBoth(t, func(t *testing.T, a, b named) {
		const total = 200
		c := a.client()
		us := creates(t, c, "tiny", total)
		plain := b.follow(obj{"scope": theScope, "last": total}) // an array ends this test
		batched := b.follow(obj{"scope": theScope, "last": total, "batch": true})
		one, many := plain.take(total), batched.take(total)
		if !slices.Equal(ids(one), ids(many)) {
			t.Error("a batch changes which events come, or their order")
		}
		if last := many[total-1].Frame; last >= total {
			t.Errorf("%d events that waited came in %d frames", total, last)
		}
		if last := one[total-1].Frame; last < total {
			t.Errorf("%d events came in %d frames without batch", total, last)
		}
		ok(t, c.Call("users.delete", us[0].ref()))
		for _, f := range []*feed{plain, batched} {
			if p := f.next(); p.Event != "user.deleted" {
				t.Errorf("got %s", p.Raw)
			}
		}
	})
}

func TestAnEndedSubscriptionIsSilent(t *testing.T) {
	onBoth(t, func(t *testing.T, a, b named) {
		f, witness := b.follow(obj{"scope": theScope}), b.follow(obj{"scope": theScope})
		creates(t, a.client(), "heard", 3)
		f.take(3)
		wantResult(t, f.Call("admin.unsubscribe", obj{"subscription": f.id}), "true")
		if f.Held() > 0 {
			t.Errorf("nothing happened and there came %s", f.NextPush().Raw)
		}
		creates(t, a.client(), "unheard", 20)
		witness.take(23)
		wantResult(t, f.Call("core.ping", nil), `"pong"`)
		if f.Held() > 0 {
			t.Errorf("after the end of the subscription there came %s", f.NextPush().Raw)
		}
		// It can be had again.
		again := b.subscribed(f.Client, ok(t, f.Call("admin.subscribe", obj{"scope": theScope})))
		u := create(t, a.client(), "heard again")
		again.until(of("user.created", u))
	})
}

func TestAConnectionMayHaveSeveralSubscriptions(t *testing.T) {
	n := start(t)
	other := n.client("other")
	a := n.admin()
	subscribe := func(params obj) *feed { return n.subscribed(a, ok(t, a.Call("admin.subscribe", params))) }
	created := subscribe(obj{"scope": theScope, "events": []string{"user.created"}})
	updated := subscribe(obj{"scope": theScope, "events": []string{"user.updated"}})
	there := subscribe(obj{"scope": "other"})
	if created.id == updated.id || created.id == there.id || updated.id == there.id {
		t.Errorf("the subscriptions are %s, %s and %s", created.id, updated.id, there.id)
	}
	c := n.client()
	act := func(name string) (here, away user) {
		here = create(t, c, name)
		ok(t, c.Call("users.update", obj{"user_id": here.id, "update": obj{"group": "red"}}))
		return here, create(t, other, name)
	}
	arrived := func(count int) []string { // pushes carry no id of a subscription; what is wanted is known by its scope
		var got []string
		for _, p := range created.take(count) {
			got = append(got, p.Scope+" "+p.Event)
		}
		slices.Sort(got)
		return got
	}
	act("first")
	if got := strings.Join(arrived(3), ", "); got != "Space Race user.created, Space Race user.updated, other user.created" {
		t.Errorf("there arrived %s", got)
	}
	wantResult(t, a.Call("admin.unsubscribe", obj{"subscription": updated.id}), "true")
	act("second")
	if got := strings.Join(arrived(2), ", "); got != "Space Race user.created, other user.created" {
		t.Errorf("without the second subscription there arrived %s", got)
	}
	wantResult(t, a.Call("admin.unsubscribe", obj{"subscription": created.id}), "true")
	_, away := act("third")
	if p := there.next(); !of("user.created", away)(p) {
		t.Errorf("the last subscription got %s", p.Raw)
	}
}

func TestASubscriptionIsHeldToItsBounds(t *testing.T) {
	n := start(t, noAutoScopes)
	a := n.admin()
	here := func(more obj) obj { return with(obj{"scope": theScope}, more) }
	for name, tt := range map[string]struct {
		params any
		status int
	}{
		"no scope":                       {nil, 804},
		"an empty scope":                 {obj{"scope": ""}, 802},
		"a scope of another type":        {obj{"scope": 5}, 801},
		"an unknown scope":               {obj{"scope": "nowhere"}, 1004},
		"an unknown event":               {here(obj{"events": []string{"user.login", "user.flew"}}), 802},
		"what is no event of the feed":   {here(obj{"events": []string{"feed.head"}}), 802},
		"a bye as an event":              {here(obj{"events": []string{"bye"}}), 802},
		"events of another type":         {here(obj{"events": "user.login"}), 801},
		"numbers as events":              {here(obj{"events": []int{1}}), 801},
		"last of -1":                     {here(obj{"last": -1}), 802},
		"last of 1001":                   {here(obj{"last": 1001}), 802},
		"last of another type":           {here(obj{"last": "5"}), 801},
		"since of another type":          {here(obj{"since": "x"}), 801},
		"since as a list":                {here(obj{"since": []int{1}}), 801},
		"a position of another type":     {here(obj{"since": obj{theScope: 5}}), 801},
		"a seq of another type":          {here(obj{"since": obj{theScope: obj{"seq": "1", "epoch": "x"}}}), 801},
		"an epoch of another type":       {here(obj{"since": obj{theScope: obj{"seq": 1, "epoch": 5}}}), 801},
		"last together with since":       {here(obj{"last": 5, "since": obj{theScope: obj{"seq": 1, "epoch": "x"}}}), 802},
		"last together with empty since": {here(obj{"last": 5, "since": obj{}}), 802},
		"batch of another type":          {here(obj{"batch": "yes"}), 801},
	} {
		t.Run(name, func(t *testing.T) { want(t, a.Call("admin.subscribe", tt.params), tt.status) })
	}
	for name, tt := range map[string]struct {
		params any
		status int
	}{
		"no subscription":                {nil, 804},
		"an empty subscription":          {obj{"subscription": ""}, 802},
		"a subscription of another type": {obj{"subscription": 5}, 801},
	} {
		t.Run(name, func(t *testing.T) { want(t, a.Call("admin.unsubscribe", tt.params), tt.status) })
	}
	for _, c := range []*wiretest.Client{n.client(), func() *wiretest.Client { _, c := n.loggedIn("tiny"); return c }()} {
		want(t, c.Call("admin.subscribe", obj{"scope": theScope}), 606)
		want(t, c.Call("admin.subscribe", obj{"scope": "*"}), 606)
		want(t, c.Call("admin.unsubscribe", obj{"subscription": "s1"}), 606)
	}
	if a.Held() > 0 {
		t.Errorf("a refused subscription pushes: %s", a.NextPush().Raw)
	}
}

func TestAnAdminOfSomeScopesHearsOfThoseAlone(t *testing.T) {
	onBoth(t, func(t *testing.T, a, b named) {
		mine, others := a.client("mine"), a.client("others")
		a.client("mine too").Close()
		creates(t, mine, "early", 2)
		creates(t, others, "early", 2)
		owner := a.follow(obj{"scope": "others"})
		c := b.staff("viewer", "mine", "mine too")

		hidden := want(t, c.Call("admin.subscribe", obj{"scope": "others"}), 1004)
		unknown := want(t, c.Call("admin.subscribe", obj{"scope": "nowhere"}), 1004)
		if hidden.Message() != unknown.Message() {
			t.Errorf("the texts tell which scopes exist: %s and %s", hidden.Raw, unknown.Raw)
		}
		f := b.followAs(c, obj{"scope": "*"})
		named := b.followAs(b.staff("viewer", "mine"), obj{"scope": "mine", "last": 1})
		if p := named.next(); p.Scope != "mine" {
			t.Errorf("got %s", p.Raw)
		}
		// What it says of other scopes is as if it had said nothing.
		asks := b.followAs(b.staff("viewer", "mine"), obj{"scope": "*", "since": obj{
			"mine": f.heads["mine"], "others": owner.heads["others"], "*": obj{"seq": 1, "epoch": "x"},
		}})
		for _, f := range []*feed{f, asks} {
			f.wantRecovered()
			for scope := range f.heads {
				if scope != "mine" && scope != "mine too" {
					t.Errorf("the heads %v show %q", f.heads, scope)
				}
			}
		}
		creates(t, others, "unheard", 5)
		b.staff("viewer") // an event of no scope
		u := create(t, mine, "heard")
		for _, f := range []*feed{f, asks, named} {
			for _, p := range f.until(of("user.created", u)) {
				if p.Scope != "mine" && p.Scope != "mine too" {
					t.Errorf("an admin of other scopes got %s", p.Raw)
				}
			}
		}
	})
}
