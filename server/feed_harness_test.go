package server_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"rollcall/server"
	"rollcall/server/wiretest"
	"rollcall/store/storetest"
)

// A named node is one whose name the test knows.
type named struct {
	*node
	name string
}

func called(name string) func(*server.Config) {
	return func(c *server.Config) { c.Node = name }
}

// onBoth runs a test on one node with a store of its own, which is a and b then,
// and on two nodes that share a redis-server.
func onBoth(t *testing.T, test func(t *testing.T, a, b named), change ...func(*server.Config)) {
	t.Run("embedded", func(t *testing.T) {
		n := named{start(t, append(slices.Clone(change), called("n1"))...), "n1"}
		test(t, n, n)
	})
	t.Run("two nodes on redis", func(t *testing.T) {
		url := storetest.SharedRedis(t).URL()
		a := startOn(t, url, append(slices.Clone(change), called("n1"))...)
		b := startOn(t, url, append(slices.Clone(change), called("n2"))...)
		test(t, named{a, "n1"}, named{b, "n2"})
	})
}

// configure sets what the scope says of its providers, on two nodes: a node knows
// of a change from its own answer on.
func configure(a, b named, providers obj) {
	a.t.Helper()
	a.providers(providers)
	b.providers(providers)
}

// shortGrace is for tests that wait for user.offline.
func shortGrace(c *server.Config) { c.OfflineGrace = 50 * time.Millisecond }

// longGrace is for tests of what does not wait for it: had it to, they would hang.
func longGrace(c *server.Config) { c.OfflineGrace = 10 * wiretest.Guard }

// A position is a place in a scope's feed.
type position struct {
	Seq     int64  `json:"seq"`
	Epoch   string `json:"epoch"`
	EventID string `json:"event_id,omitempty"`
}

// behind is the place behind an event.
func behind(p wiretest.Push) position { return position{p.Seq, p.Epoch, p.EventID} }

// A feed is a subscription, on a connection of its own unless a test made two on one.
type feed struct {
	*wiretest.Client
	t *testing.T
	n *node

	id        string
	recovered bool
	lost      []string
	heads     map[string]position
}

// follow subscribes as the owner of all scopes, on a new connection.
func (n *node) follow(params obj) *feed {
	n.t.Helper()
	return n.followAs(n.admin(), params)
}

// followAs subscribes on a connection that has no subscription yet.
func (n *node) followAs(c *wiretest.Client, params obj) *feed {
	n.t.Helper()
	c.Batch = c.Batch || params["batch"] == true
	r := ok(n.t, c.Call("admin.subscribe", params))
	if c.Held() > 0 {
		n.t.Errorf("a push came before the reply to admin.subscribe: %s", c.NextPush().Raw)
	}
	return n.subscribed(c, r)
}

// subscribed reads the answer to admin.subscribe.
func (n *node) subscribed(c *wiretest.Client, r wiretest.Reply) *feed {
	n.t.Helper()
	o := r.Object()
	wantMembers(n.t, o, "subscription recovered heads", "lost")
	f := &feed{Client: c, t: n.t, n: n, id: o.Text("subscription"), recovered: o.Raw("recovered") == "true"}
	if f.id == "" {
		n.t.Errorf("the subscription has no id: %s", r.Raw)
	}
	if o.Raw("lost") != "" {
		if err := json.Unmarshal(o["lost"], &f.lost); err != nil {
			n.t.Errorf("lost is %s", o.Raw("lost"))
		}
	}
	if err := json.Unmarshal(o["heads"], &f.heads); err != nil {
		n.t.Errorf("heads is %s", o.Raw("heads"))
	}
	for scope, head := range f.heads {
		if head.Epoch == "" {
			n.t.Errorf("the head of %q has no epoch: %s", scope, r.Raw)
		}
	}
	slices.Sort(f.lost)
	return f
}

// wantRecovered checks that nothing was lost.
func (f *feed) wantRecovered() {
	f.t.Helper()
	if !f.recovered || len(f.lost) > 0 {
		f.t.Errorf("recovered %v and lost %v, want true and nothing", f.recovered, f.lost)
	}
}

// wantLost checks which scopes were lost.
func (f *feed) wantLost(scopes ...string) {
	f.t.Helper()
	if f.recovered || !slices.Equal(f.lost, scopes) {
		f.t.Errorf("recovered %v and lost %v, want false and %v", f.recovered, f.lost, scopes)
	}
}

// until takes the feed's events up to and including the first that matches. Where
// the head is, it does not care; a loss fails the test.
func (f *feed) until(match func(wiretest.Push) bool) []wiretest.Push {
	f.t.Helper()
	var events []wiretest.Push
	for _, p := range f.WaitPushes(match) {
		switch p.Event {
		case "feed.head":
		case "feed.lost":
			f.t.Errorf("events were lost: %s", p.Raw)
		default:
			events = append(events, p)
		}
	}
	return events
}

// next is the feed's next event.
func (f *feed) next() wiretest.Push {
	f.t.Helper()
	return f.until(func(p wiretest.Push) bool { return !p.OfFeed() })[0]
}

// take are the feed's next events.
func (f *feed) take(count int) []wiretest.Push {
	f.t.Helper()
	var events []wiretest.Push
	for range count {
		events = append(events, f.next())
	}
	return events
}

var fences atomic.Int64

// fence makes one more event and takes all that came before it: where an event
// must not come, it would be among them.
func (f *feed) fence() []wiretest.Push {
	f.t.Helper()
	u := f.n.elsewhere(fmt.Sprint("fence-", fences.Add(1)))
	events := f.until(of("user.created", u))
	return events[:len(events)-1]
}

// of matches an event of a user.
func of(event string, u user) func(wiretest.Push) bool {
	return func(p wiretest.Push) bool { return p.Event == event && p.Data.Text("user_id") == u.id }
}

// about keeps the events that name a user.
func about(events []wiretest.Push, u user) []wiretest.Push {
	return slices.DeleteFunc(slices.Clone(events), func(p wiretest.Push) bool { return p.Data.Text("user_id") != u.id })
}

// kinds are the events' names.
func kinds(events []wiretest.Push) []string {
	names := []string{}
	for _, p := range events {
		names = append(names, p.Event)
	}
	return names
}

// ids are the events' ids.
func ids(events []wiretest.Push) []string {
	all := []string{}
	for _, p := range events {
		all = append(all, p.EventID)
	}
	return all
}

// wantKinds checks events by their names.
func wantKinds(t *testing.T, events []wiretest.Push, names ...string) {
	t.Helper()
	if got := kinds(events); !slices.Equal(got, names) {
		t.Errorf("the events are %v, want %v", got, names)
	}
}

// wantRun checks that events of one scope follow a place without a hole.
func wantRun(t *testing.T, events []wiretest.Push, from position) {
	t.Helper()
	seen := map[string]bool{}
	for i, p := range events {
		if want := from.Seq + int64(i) + 1; p.Seq != want {
			t.Fatalf("event %d of the run has seq %d, want %d: %s", i, p.Seq, want, p.Raw)
		}
		if p.Epoch != from.Epoch {
			t.Fatalf("the epoch went from %s to %s", from.Epoch, p.Epoch)
		}
		if seen[p.EventID] {
			t.Errorf("a second event has the id of %s", p.Raw)
		}
		seen[p.EventID] = true
	}
}

// wantData checks members of an event's data that are strings.
func wantData(t *testing.T, p wiretest.Push, values map[string]string) {
	t.Helper()
	for name, value := range values {
		if p.Data.Text(name) != value {
			t.Errorf("%s is %s, want %q in %s", name, p.Data.Raw(name), value, p.Raw)
		}
	}
}

// creates makes users on one connection.
func creates(t *testing.T, c *wiretest.Client, prefix string, count int) []user {
	t.Helper()
	var all []user
	for i := range count {
		all = append(all, create(t, c, fmt.Sprint(prefix, i)))
	}
	return all
}

// staffPassword opens the accounts that staff makes.
const staffPassword = "long enough for staff"

// staff makes an admin account over the wire and opens a connection of it.
func (n *node) staff(role string, scopes ...string) *wiretest.Client {
	n.t.Helper()
	c, _ := n.staffNamed(role, scopes...)
	return c
}

func (n *node) staffNamed(role string, scopes ...string) (c *wiretest.Client, name string) {
	n.t.Helper()
	name = fmt.Sprint(role, "-", fences.Add(1))
	params := obj{"name": name, "role": role, "password": staffPassword}
	if len(scopes) > 0 {
		params["scopes"] = scopes
	}
	a := n.admin()
	ok(n.t, a.Call("admin.admins.create", params))
	a.Close()
	c = n.dial()
	ok(n.t, c.Call("admin.login", obj{"name": name, "password": staffPassword}))
	return c, name
}
