package server_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"rollcall/server"
	"rollcall/server/wiretest"
	"rollcall/store"
	"rollcall/store/storetest"
)

// flushFeeds loses what Redis has, but for what is not of the feeds.
func flushFeeds(t *testing.T, redis *storetest.Server) {
	t.Helper()
	c := redis.Client()
	kept := map[string]string{}
	for _, key := range c.Keys(t.Context(), "*").Val() {
		if !strings.HasPrefix(key, "rc:{f") {
			kept[key] = c.Dump(t.Context(), key).Val()
		}
	}
	pipe := c.TxPipeline()
	pipe.FlushAll(t.Context())
	for key, value := range kept {
		pipe.Restore(t.Context(), key, 0, value)
	}
	if _, err := pipe.Exec(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// ours keeps the pushes of the scope.
func ours(pushes []wiretest.Push) []wiretest.Push {
	return slices.DeleteFunc(pushes, func(p wiretest.Push) bool { return p.Scope != theScope })
}

func isLost(p wiretest.Push) bool { return p.Event == "feed.lost" && p.Scope == theScope }

// wantOldEpochLost checks what subscribers are told who come back on any node.
func wantOldEpochLost(t *testing.T, old position, nodes ...*node) (now position) {
	t.Helper()
	for _, n := range nodes {
		for _, from := range []position{old, {Seq: old.Seq, Epoch: old.Epoch}, {Seq: old.Seq - 1, Epoch: old.Epoch}} {
			back := n.follow(since(at(theScope, from)))
			back.wantLost(theScope)
			head := back.heads[theScope]
			if head.Epoch == old.Epoch || now.Epoch != "" && head.Epoch != now.Epoch {
				t.Errorf("after the epoch %s, one is told of %s and another of %s", old.Epoch, now.Epoch, head.Epoch)
			}
			now = head
			back.Close()
		}
	}
	return now
}

func TestWhenRedisLosesTheFeedEverySubscriberIsTold(t *testing.T) {
	redis := storetest.SharedRedis(t)
	a, b := startOn(t, redis.URL(), called("n1")), startOn(t, redis.URL(), called("n2"))
	feeds := []*feed{
		a.follow(obj{"scope": theScope}), b.follow(obj{"scope": theScope, "batch": true}),
		a.follow(obj{"scope": "*"}), b.follow(obj{"scope": theScope, "events": []string{"user.created"}}),
	}
	creates(t, a.client(), "tiny", 3)
	var old, now position
	for _, f := range feeds {
		old = behind(f.take(3)[2])
	}
	flushFeeds(t, redis)
	for i, f := range feeds {
		lost := f.WaitPush(isLost)
		if lost.Epoch == old.Epoch {
			t.Errorf("subscriber %d is told of a loss in the epoch that was lost: %s", i, lost.Raw)
		}
		got := position{Seq: lost.Seq, Epoch: lost.Epoch}
		if i > 0 && got != now {
			t.Errorf("subscriber %d is told that the feed is at %v, another one of %v", i, got, now)
		}
		now = got
	}
	if head := wantOldEpochLost(t, old, a, b); head.Epoch != now.Epoch {
		t.Errorf("who comes back is told of the epoch %s, who stayed of %s", head.Epoch, now.Epoch)
	}
	u := create(t, a.client(), "newcomer")
	for _, f := range append(feeds, b.follow(since(at(theScope, now)))) {
		f.wantRecovered()
		run := ours(f.WaitPushes(of("user.created", u)))
		wantKinds(t, run, "user.created")
		wantRun(t, run, now)
	}
}

// With everything, the sessions of the admins are lost: a subscriber is told of
// the feed, or of its session, whichever the node finds first.
func TestWhenRedisLosesEverythingNoSubscriberGoesOnUntold(t *testing.T) {
	redis := storetest.SharedRedis(t)
	a, b := startOn(t, redis.URL(), called("n1")), startOn(t, redis.URL(), called("n2"))
	feeds := []*feed{
		a.follow(obj{"scope": theScope}), a.follow(obj{"scope": "*"}),
		b.follow(obj{"scope": theScope}), b.follow(obj{"scope": "*"}),
	}
	creates(t, a.client(), "tiny", 3)
	var old position
	for _, f := range feeds {
		old = behind(f.take(3)[2])
	}
	if err := redis.Client().FlushAll(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	for i, f := range feeds {
		pushes, err := f.AwaitPushes(isLost)
		if closed := (*wiretest.CloseError)(nil); err != nil && !(errors.As(err, &closed) && closed.Code == 4506) {
			t.Errorf("subscriber %d: %v", i, err)
		}
		for _, p := range ours(pushes) {
			if !isLost(p) || p.Epoch == old.Epoch {
				t.Errorf("subscriber %d got %s", i, p.Raw)
			}
		}
	}
	// The scope and the admin are made anew.
	if _, err := a.srv.Bootstrap(t.Context(), server.BootstrapOptions{AdminPassword: theAdmin, Scopes: []string{theScope}}); err != nil {
		t.Fatal(err)
	}
	now := wantOldEpochLost(t, old, a, b)
	for i, n := range []*node{a, b} {
		f := n.follow(since(at(theScope, now)))
		f.wantRecovered()
		u := n.elsewhere(fmt.Sprint("newcomer", i))
		run := ours(f.until(of("user.created", u)))
		wantRun(t, run, now)
		now = behind(run[len(run)-1])
	}
}

// everybodyIs checks what presence, the statistics and the users themselves say.
func everybodyIs(t *testing.T, online bool, clients []*wiretest.Client, admins []*wiretest.Client, us []user, count int64) {
	t.Helper()
	for _, c := range clients {
		for name, state := range presence(t, c, us...) {
			if state != ifElse(online, "online", "offline") {
				t.Errorf("presence says that %s is %s", name, state)
			}
		}
	}
	for _, a := range admins {
		if got := statsOf(t, a, obj{"scope": theScope}).Online; got != count {
			t.Errorf("the statistics say that %d are online, want %d", got, count)
		}
		for _, u := range us {
			if got := ok(t, a.Call("admin.users.get", u.ref())).Object().Raw("online"); got != fmt.Sprint(online) {
				t.Errorf("%s has online %s, want %v", u.name, got, online)
			}
		}
	}
}

// moves keeps who came and who went. (A subscriber to these alone would be told
// of the head in between.)
func moves(events []wiretest.Push) []wiretest.Push {
	return slices.DeleteFunc(events, func(p wiretest.Push) bool { return p.Event != "user.online" && p.Event != "user.offline" })
}

// takeMoves takes events until so many came or went.
func (f *feed) takeMoves(count int) []wiretest.Push {
	f.t.Helper()
	var all []wiretest.Push
	for len(all) < count {
		all = append(all, moves(f.take(1))...)
	}
	return all
}

func (n *node) awaitReady() {
	n.t.Helper()
	await(n.t, "the node is ready", func() bool { status, _ := n.get("/readyz", nil); return status == http.StatusOK })
}

// seldomPings is for clients that read nothing for a while.
func seldomPings(c *server.Config) { c.PingInterval = time.Hour }

func TestAnOutageOfRedisMakesNobodyOfflineWhoIsThere(t *testing.T) {
	t.Parallel()
	const (
		connected = 20
		outage    = 30 * time.Second       // far beyond a lease
		behind    = 3 * store.LeaseRenewal // by which the second node finds Redis later than the first
		later     = 20 * time.Second       // after which everybody could have been reaped
	)
	redis := storetest.Redis(t)
	line := layCable(t, redis.Addr())
	a := named{startOn(t, redis.URL(), called("n1"), shortGrace, seldomPings), "n1"}
	b := named{startOn(t, line.url(), called("n2"), shortGrace, seldomPings), "n2"}
	us := creates(t, a.client(), "tiny", connected)
	left := a.elsewhere("leaver")
	feeds := []*feed{a.follow(obj{"scope": theScope}), b.follow(obj{"scope": theScope})}
	var clients []*wiretest.Client
	for i, u := range us {
		c := []named{a, b}[i%2].client()
		login(t, c, u)
		clients = append(clients, c)
	}
	leaver := b.client()
	login(t, leaver, left)
	for _, f := range feeds {
		f.takeMoves(connected + 1)
	}
	admins := []*wiretest.Client{a.admin(), b.admin()}
	everybodyIs(t, true, clients[:2], admins, us, connected+1)

	redis.Stop()
	line.Cut()
	leaver.Close()
	time.Sleep(outage)
	redis.Start()
	a.awaitReady()
	time.Sleep(behind)
	line.Mend()
	b.awaitReady()
	for _, f := range feeds {
		events := moves(f.until(of("user.offline", left)))
		if wantKinds(t, events, "user.offline"); len(events) == 1 {
			wantData(t, events[0], map[string]string{"reason": "lost"})
		}
	}
	everybodyIs(t, true, clients[:2], admins, us, connected)
	time.Sleep(later)
	everybodyIs(t, true, clients[:2], admins, us, connected)
	everybodyIs(t, false, clients[:2], nil, []user{left}, 0)
	for i, f := range feeds {
		events := moves(b.passes(f, fmt.Sprint("passer-by ", i)))
		for _, u := range append(us, left) {
			if got := about(events, u); len(got) > 0 {
				t.Errorf("of %s is told %v, after an outage that he did not notice", u.name, kinds(got))
			}
		}
	}
	for i, c := range clients { // and each is still logged in
		ok(t, c.Call("users.get", us[i].ref()))
	}
}

// A cable carries connections to a storage. Cut, it is to the storage and all
// others as if the node at its end had died.
type cable struct {
	l  net.Listener
	to string

	mu    sync.Mutex
	cut   bool
	conns map[net.Conn]bool
}

func layCable(t *testing.T, to string) *cable {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &cable{l: l, to: to, conns: map[net.Conn]bool{}}
	var carrying sync.WaitGroup
	carrying.Go(func() {
		for {
			near, err := l.Accept()
			if err != nil {
				return
			}
			carrying.Go(func() { c.carry(near) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		c.Cut()
		carrying.Wait()
	})
	return c
}

func (c *cable) url() string { return "redis://" + c.l.Addr().String() }

// carry brings one connection across, until it ends or the cable is cut.
func (c *cable) carry(near net.Conn) {
	defer near.Close()
	far, err := net.Dial("tcp", c.to)
	if err != nil {
		return
	}
	defer far.Close()
	c.mu.Lock()
	cut := c.cut
	c.conns[near], c.conns[far] = true, true
	c.mu.Unlock()
	if cut {
		return
	}
	back := make(chan struct{})
	go func() {
		defer close(back)
		io.Copy(near, far)
		near.Close()
	}()
	io.Copy(far, near)
	far.Close()
	<-back
}

// Cut ends what is carried, and whatever comes.
func (c *cable) Cut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cut = true
	for conn := range c.conns {
		conn.Close()
	}
	clear(c.conns)
}

// Mend ends a Cut.
func (c *cable) Mend() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cut = false
}

func TestTheUsersOfANodeThatDiesAreToldOnceToBeOffline(t *testing.T) {
	t.Parallel()
	const connected = 10
	redis := storetest.Redis(t)
	line := layCable(t, redis.Addr())
	// The grace is long: a death does not wait for it.
	a := named{startOn(t, redis.URL(), called("n1"), shortGrace, seldomPings), "n1"}
	b := named{startOn(t, redis.URL(), called("n2"), shortGrace, seldomPings), "n2"}
	dying := named{startOn(t, line.url(), called("n3"), longGrace, seldomPings), "n3"}
	us := creates(t, a.client(), "tiny", connected)
	both := a.elsewhere("both")
	feeds := []*feed{a.follow(obj{"scope": theScope}), b.follow(obj{"scope": theScope})}
	var clients []*wiretest.Client
	for _, u := range append(us, both) {
		c := dying.client()
		login(t, c, u)
		clients = append(clients, c)
	}
	witness := b.client()
	login(t, witness, both)
	for _, f := range feeds {
		f.takeMoves(connected + 1)
	}
	admins := []*wiretest.Client{a.admin(), b.admin()}
	everybodyIs(t, true, []*wiretest.Client{witness}, admins, us, connected+1)

	line.Cut()
	for _, f := range feeds {
		told := map[string]int{}
		for _, p := range f.takeMoves(connected) {
			wantKinds(t, []wiretest.Push{p}, "user.offline")
			wantData(t, p, map[string]string{"reason": "node"})
			told[p.Data.Text("user_id")]++
		}
		for _, u := range us {
			if told[u.id] != 1 {
				t.Errorf("%s is told %d times to be offline", u.name, told[u.id])
			}
		}
	}
	everybodyIs(t, false, []*wiretest.Client{witness}, admins, us, 1)
	time.Sleep(3 * store.LeaseRenewal) // both who are left have reaped by then
	for i, f := range feeds {
		events := moves(a.passes(f, fmt.Sprint("passer-by ", i)))
		for _, u := range append(us, both) {
			if got := about(events, u); len(got) > 0 {
				t.Errorf("of %s is told %v, after the node was taken out", u.name, kinds(got))
			}
		}
	}

	// It was not dead after all.
	line.Mend()
	for _, f := range feeds {
		missing := map[string]bool{}
		for _, u := range us {
			missing[u.id] = true
		}
		for len(missing) > 0 {
			p := f.takeMoves(1)[0]
			if id := p.Data.Text("user_id"); missing[id] {
				wantKinds(t, []wiretest.Push{p}, "user.online")
				wantData(t, p, map[string]string{"node": "n3"})
				delete(missing, id)
			}
		}
	}
	everybodyIs(t, true, []*wiretest.Client{witness, clients[0]}, admins, append(us, both), connected+1)
}
