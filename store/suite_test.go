package store

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"

	"rollcall/protocol"
	"rollcall/store/storetest"
)

const testScope = "Space {Race}: 100%"

// onEveryWith is onEvery with settings; the URL is filled in.
func onEveryWith(t *testing.T, cfg Config, f func(t *testing.T, s *Store)) {
	for _, kind := range []string{"embedded", "redis", "cluster"} {
		t.Run(kind, func(t *testing.T) {
			cfg := cfg
			switch kind {
			case "redis":
				cfg.URL = storetest.SharedRedis(t).URL()
			case "cluster":
				cfg.URL = storetest.SharedCluster(t).URL()
			}
			f(t, openTest(t, cfg))
		})
	}
}

// onServers runs f over the kinds of storage that several processes share.
func onServers(t *testing.T, cfg Config, f func(t *testing.T, cfg Config)) {
	t.Run("redis", func(t *testing.T) { cfg.URL = storetest.SharedRedis(t).URL(); f(t, cfg) })
	t.Run("cluster", func(t *testing.T) { cfg.URL = storetest.SharedCluster(t).URL(); f(t, cfg) })
}

func newUser(username string) NewUser {
	return NewUser{Scope: testScope, Username: username, Active: true, Password: []byte("record of " + username)}
}

func newUserWithEmail(username, email string) NewUser {
	n := newUser(username)
	n.Email = email
	return n
}

func mustCreate(t testing.TB, s *Store, n NewUser) User {
	t.Helper()
	u, err := s.CreateUser(t.Context(), n)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func mustUser(t testing.TB, s *Store, id uuid.UUID) User {
	t.Helper()
	u, err := s.User(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func mustLogin(t testing.TB, s *Store, id uuid.UUID) Session {
	t.Helper()
	_, sess, err := s.Login(t.Context(), id, Arrival{At: ConnRef{"n1", "c1"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return sess
}

func wantErr(t testing.TB, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("got error %v, want %v", err, want)
	}
}

// wantName checks to whom a username resolves; uuid.Nil for nobody.
func wantName(t testing.TB, s *Store, username string, want uuid.UUID) {
	t.Helper()
	u, err := s.UserByUsername(t.Context(), testScope, username)
	if want == uuid.Nil {
		wantErr(t, err, ErrUserNotFound)
	} else if err != nil || u.ID != want {
		t.Fatalf("username %s resolves to %v, %v; want %v", username, u.ID, err, want)
	}
}

func wantEmail(t testing.TB, s *Store, email string, want uuid.UUID) {
	t.Helper()
	u, err := s.UserByEmail(t.Context(), testScope, email)
	if want == uuid.Nil {
		wantErr(t, err, ErrUserNotFound)
	} else if err != nil || u.ID != want {
		t.Fatalf("email %s resolves to %v, %v; want %v", email, u.ID, err, want)
	}
}

// allTogether runs f n times at once and waits for all.
func allTogether(n int, f func(i int)) {
	var done sync.WaitGroup
	start := make(chan struct{})
	for i := range n {
		done.Go(func() {
			<-start
			f(i)
		})
	}
	close(start)
	done.Wait()
}

// eventually waits until f is true; it fails the test when that takes too long.
func eventually(t testing.TB, what string, f func() bool) {
	t.Helper()
	deadline := time.After(30 * time.Second)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !f() {
		select {
		case <-deadline:
			t.Fatal("never: " + what)
		case <-tick.C:
		}
	}
}

// allKeys returns every key of the storage.
func allKeys(t testing.TB, s *Store) []string {
	t.Helper()
	var mu sync.Mutex
	var keys []string
	scan := func(ctx context.Context, c *redis.Client) error {
		it := c.Scan(ctx, 0, "rc:*", 1000).Iterator()
		for it.Next(ctx) {
			mu.Lock()
			keys = append(keys, it.Val())
			mu.Unlock()
		}
		return it.Err()
	}
	var err error
	switch c := s.client.(type) {
	case *redis.ClusterClient:
		err = c.ForEachMaster(t.Context(), scan)
	case *redis.Client:
		err = scan(t.Context(), c)
	}
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}

// checkConsistent holds the whole storage against what must be true when
// nothing is under way: each record and its entries name one another, no name
// is held twice, and the listings have exactly the users. Entries that no
// record names are allowed only where a process was killed.
func checkConsistent(t testing.TB, s *Store, leftovers bool) {
	t.Helper()
	ctx := t.Context()
	named, listed, entries := map[string]uuid.UUID{}, map[string]bool{}, 0
	for _, key := range allKeys(t, s) {
		parts := strings.Split(key, ":")
		switch {
		case len(parts) == 4 && parts[2] == "user":
			id := uuid.MustParse(parts[3])
			u := mustUser(t, s, id)
			mine := []entry{usernameEntry(u.Scope, u.Username)}
			if u.Email != "" {
				mine = append(mine, emailEntry(u.Scope, u.Email))
			}
			for _, e := range mine {
				if other, ok := named[e.key]; ok {
					t.Errorf("%s is held twice, by %s and %s", e.key, other, id)
				}
				named[e.key] = id
				r, err := parseReservation(s.client.Get(ctx, e.key).Val())
				if err != nil || r.holder != id {
					t.Errorf("%s names %s, which names %q back", id, e.key, r.value)
				}
			}
			p := partitionOf(id)
			listed[p.names(u.Scope)+" "+memberOf(&u, cursorByName)] = true
			listed[p.created(u.Scope)+" "+memberOf(&u, cursorByCreated)] = true
		case parts[1] == "name" || parts[1] == "mail":
			entries++
		}
	}
	if !leftovers && entries != len(named) {
		t.Errorf("%d entries for %d names", entries, len(named))
	}
	members := 0
	for _, key := range allKeys(t, s) {
		if parts := strings.Split(key, ":"); len(parts) == 4 && (parts[2] == "names" || parts[2] == "created") {
			for _, member := range s.client.ZRange(ctx, key, 0, -1).Val() {
				members++
				if !listed[key+" "+member] {
					t.Errorf("%s lists %q, which no user is", key, member)
				}
			}
		}
	}
	if members != len(listed) {
		t.Errorf("%d members of listings, want %d", members, len(listed))
	}
}

// A gate, once armed, stops the first goroutine that reaches a step, until it
// is opened.
type gate struct {
	mu      sync.Mutex
	step    string
	armed   bool
	reached chan struct{}
	opened  chan struct{}
}

func (g *gate) arm(step string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.armed, g.step, g.reached, g.opened = true, step, make(chan struct{}), make(chan struct{})
}

func (g *gate) fault(step string) {
	g.mu.Lock()
	stop := g.armed && step == g.step
	if stop {
		g.armed = false
	}
	reached, opened := g.reached, g.opened
	g.mu.Unlock()
	if stop {
		close(reached)
		<-opened
	}
}

// waitReached waits until somebody stands at the gate.
func (g *gate) waitReached(t testing.TB) {
	t.Helper()
	select {
	case <-g.reached:
	case <-time.After(30 * time.Second):
		t.Fatal("the step was never reached")
	}
}

// An abandoner runs a function in a goroutine that ends for good at a step, as
// if its process had died there.
type abandoner struct {
	mu   sync.Mutex
	step string
}

func (a *abandoner) fault(step string) {
	a.mu.Lock()
	die := a.step == step
	a.mu.Unlock()
	if die {
		runtime.Goexit()
	}
}

// run reports whether the step was reached.
func (a *abandoner) run(step string, f func()) (died bool) {
	a.mu.Lock()
	a.step = step
	a.mu.Unlock()
	died = true
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
		died = false
	}()
	<-done
	a.mu.Lock()
	a.step = ""
	a.mu.Unlock()
	return died
}

func extraOf(kv ...string) protocol.Extra {
	x := protocol.Extra{}
	for i := 0; i < len(kv); i += 2 {
		x[kv[i]] = protocol.String(kv[i+1])
	}
	return x
}

func nthName(i int) string { return fmt.Sprintf("Player %04d", i) }

func sharedRedisURL(t testing.TB) string { return storetest.SharedRedis(t).URL() }
