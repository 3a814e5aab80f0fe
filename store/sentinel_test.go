package store

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"rollcall/store/storetest"
)

// callLimit is how long a call may take while the storage is gone: the time of
// one batch, and what a busy machine adds.
const callLimit = batchTimeout + 2*time.Second

// untilServed calls f until it succeeds, and returns how often it failed, which
// it may do in one way only: at once, and by saying that the storage is gone.
func untilServed(t *testing.T, f func() error) (failed int) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		began := time.Now()
		err := f()
		if err == nil {
			return failed
		}
		failed++
		if took := time.Since(began); !errors.Is(err, ErrUnavailable) || took > callLimit {
			t.Fatalf("after %v: %v", took, err)
		}
	}
	t.Fatal("the storage did not come back")
	return 0
}

func TestAKilledMastersReplicaServesTheSameStore(t *testing.T) {
	t.Parallel()
	servers := storetest.Sentinel(t)
	s := openTest(t, Config{URL: servers.URL()})

	signals := make(chan Signal, 100)
	following, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); s.Signals(following, func(sig Signal) { signals <- sig }) }()
	defer func() { stop(); <-ended }()
	if first := <-signals; first.Kind != SignalResync {
		t.Fatalf("first signal: %+v", first)
	}

	var users []User
	var sessions []Session
	for i := range 20 {
		name := fmt.Sprint("user", i)
		users = append(users, mustCreate(t, s, newUserWithEmail(name, name+"@home.com")))
		sessions = append(sessions, mustLogin(t, s, users[i].ID))
	}
	servers.WaitReplicated()

	old := servers.Master()
	servers.Node(old).Kill()
	began := time.Now()
	failed := untilServed(t, func() error {
		_, err := s.User(t.Context(), users[0].ID)
		return err
	})
	if failed == 0 {
		t.Error("the storage was gone, and no call said so")
	}
	t.Logf("served again after %v and %d failed calls", time.Since(began).Round(time.Millisecond), failed)
	if now := servers.Node(1-old).Client().Info(t.Context(), "replication").Val(); !strings.Contains(now, "role:master") {
		t.Errorf("the replica was not promoted: %s", now)
	}

	for i, u := range users {
		name := fmt.Sprint("user", i)
		wantName(t, s, name, u.ID)
		wantEmail(t, s, name+"@home.com", u.ID)
		if got := mustUser(t, s, u.ID); got.Username != name || string(got.Password) != "record of "+name {
			t.Errorf("%s became %+v", name, got)
		}
		if _, _, _, err := s.Resume(t.Context(), testScope, sessions[i].Token, Arrival{At: ConnRef{"n1", "c2"}}); err != nil {
			t.Errorf("resume the session of %s: %v", name, err)
		}
	}
	if _, err := s.CreateUser(t.Context(), newUser("USER1")); !errors.Is(err, ErrUsernameTaken) {
		t.Errorf("a name that was taken before: %v", err)
	}
	later := mustCreate(t, s, newUser("later"))
	if _, err := s.UpdateUser(t.Context(), later.ID, UserUpdate{Username: new("renamed")}); err != nil {
		t.Error(err)
	}
	wantName(t, s, "renamed", later.ID)
	wantName(t, s, "later", uuid.Nil)
	if err := s.Ready(t.Context()); err != nil {
		t.Error(err)
	}

	// The reader of signals has found the new master too.
	sent := Signal{Kind: SignalScope, Scope: "after the failover"}
	if err := s.Signal(t.Context(), sent); err != nil {
		t.Fatal(err)
	}
	for patience := time.After(30 * time.Second); ; {
		select {
		case got := <-signals:
			if got.Scope == sent.Scope {
				return
			}
		case <-patience:
			t.Fatal("no signal came after the failover")
		}
	}
}

func TestAStoreFollowsAPlannedFailover(t *testing.T) {
	t.Parallel()
	servers := storetest.Sentinel(t)
	s := openTest(t, Config{URL: servers.URL()})
	var before []User
	for i := range 20 {
		before = append(before, mustCreate(t, s, newUser(fmt.Sprint("before", i))))
	}
	servers.WaitReplicated()

	// While the roles are swapped, calls succeed or say that the storage is
	// gone. Of what they write then, Redis may lose some: the old master serves
	// on for a while after the new one has left it.
	stop, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			if _, err := s.CreateUser(t.Context(), newUser(fmt.Sprint("meanwhile", i))); err != nil && !errors.Is(err, ErrUnavailable) {
				t.Errorf("create during the failover: %v", err)
				return
			}
		}
	}()
	servers.Failover()
	close(stop)
	<-ended

	// All connections lead to the new master now, or very soon.
	master := servers.Node(servers.Master()).Client()
	untilServed(t, func() error {
		u, err := s.CreateUser(t.Context(), newUser("after"+uuid.NewString()))
		if err != nil {
			return err
		}
		if n, err := master.Exists(t.Context(), partitionOf(u.ID).user(u.ID)).Result(); n != 1 || err != nil {
			return fmt.Errorf("%w: on the new master: %v", ErrUnavailable, err)
		}
		return nil
	})
	for i, u := range before {
		wantName(t, s, fmt.Sprint("before", i), u.ID)
	}
}

func TestSentinelsAreAskedByTheirOwnPassword(t *testing.T) {
	t.Parallel()
	const password = "s3cr3t/@:?#%"
	servers := storetest.Sentinel(t, "requirepass", password)
	servers.Sentinel(0).Kill() // the others answer for the first of the URL

	s := openTest(t, Config{URL: servers.URL()})
	u := mustCreate(t, s, newUser("Tiny"))
	wantName(t, s, "tiny", u.ID)

	for name, url := range map[string]string{
		"no password for sentinels":    strings.Replace(servers.URL(), "sentinel_password=", "sentinel_password=&sentinel_user=", 1),
		"wrong password for sentinels": strings.Replace(servers.URL(), "sentinel_password=", "sentinel_password=s3cr3t-", 1),
		"wrong password for servers":   strings.Replace(servers.URL(), "://:", "://:s3cr3t-", 1),
	} {
		if url == servers.URL() {
			t.Fatalf("%s: the URL was not changed", name)
		}
		began := time.Now()
		_, err := Open(t.Context(), Config{URL: url, Logger: quietLog})
		if !errors.Is(err, ErrUnavailable) || time.Since(began) > 10*time.Second {
			t.Errorf("%s: after %v: %v", name, time.Since(began), err)
		} else if strings.Contains(err.Error(), "s3cr3t") {
			t.Errorf("%s: the error shows the password: %v", name, err)
		}
	}

	another := strings.Replace(servers.URL(), "/mymaster", "/another", 1)
	if _, err := Open(t.Context(), Config{URL: another, Logger: quietLog}); err == nil || errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), "no sentinel that answers knows") {
		t.Errorf("a name that the sentinels do not know: %v", err)
	}
}

func TestSentinelsThatForgotTheMasterMeanAStorageThatIsGone(t *testing.T) {
	t.Parallel()
	servers := storetest.Sentinel(t)
	s := openTest(t, Config{URL: servers.URL()})
	u := mustCreate(t, s, newUser("Tiny"))
	_, port, _ := net.SplitHostPort(servers.Node(0).Addr())
	for i := range 3 {
		if err := servers.Sentinel(i).Client().Do(t.Context(), "sentinel", "remove", "mymaster").Err(); err != nil {
			t.Fatal(err)
		}
	}
	// The connections that there are go on; new ones find nobody.
	if err := servers.Node(0).Client().ClientKillByFilter(t.Context(), "type", "normal", "skipme", "yes").Err(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.User(t.Context(), u.ID); !errors.Is(err, ErrUnavailable) {
		t.Errorf("a call: %v", err)
	}
	for i := range 3 {
		if err := servers.Sentinel(i).Client().Do(t.Context(), "sentinel", "monitor", "mymaster", "127.0.0.1", port, 2).Err(); err != nil {
			t.Fatal(err)
		}
	}
	untilServed(t, func() error {
		_, err := s.User(t.Context(), u.ID)
		return err
	})
}
