package sessions

import (
	"context"
	"encoding/base64"
	"errors"
	"log/slog"
	"reflect"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"go.uber.org/goleak"

	"rollcall/protocol"
	"rollcall/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fakeStore answers as told, and lets a test do something while it is asked.
type fakeStore struct {
	Store
	user    store.User
	session store.Session
	former  store.ConnRef
	err     error
	during  func() // runs inside Login and Resume
	alive   []store.Session
	sent    []store.Signal
	ended   []string

	mu       sync.Mutex
	departed []string // reasons
}

func (f *fakeStore) Login(context.Context, uuid.UUID, store.Arrival, []byte) (store.User, store.Session, error) {
	if f.during != nil {
		f.during()
	}
	return f.user, f.session, f.err
}

func (f *fakeStore) Resume(_ context.Context, scope, _ string, _ store.Arrival) (store.User, store.Session, store.ConnRef, error) {
	if f.during != nil {
		f.during()
	}
	if f.err == nil && f.user.Scope != scope {
		return store.User{}, store.Session{}, store.ConnRef{}, store.ErrSessionInvalid
	}
	return f.user, f.session, f.former, f.err
}

func (f *fakeStore) EndSession(_ context.Context, _ uuid.UUID, id string, _ protocol.CloseCode, _ string) (bool, error) {
	f.ended = append(f.ended, id)
	return true, f.err
}

func (f *fakeStore) Sessions(context.Context, uuid.UUID) ([]store.Session, error) {
	return f.alive, f.err
}

func (f *fakeStore) RenewLease(context.Context, string, bool, protocol.NodeObject) ([]string, error) {
	return nil, f.err
}
func (f *fakeStore) EndLease(context.Context, string, time.Duration) error { return nil }
func (f *fakeStore) Present(context.Context, string, int) ([]store.Presence, error) {
	return nil, nil
}
func (f *fakeStore) Outages() uint64                          { return 0 }
func (f *fakeStore) TakeCensus(context.Context) (bool, error) { return true, nil }
func (f *fakeStore) Now() time.Time                           { return time.Now() }

func (f *fakeStore) Depart(_ context.Context, pr store.Presence, reason string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.departed = append(f.departed, reason)
	return nil
}

func (f *fakeStore) Signal(_ context.Context, sig store.Signal) error {
	f.sent = append(f.sent, sig)
	return nil
}

// fakePeer records how it was closed.
type fakePeer struct {
	mu    sync.Mutex
	codes []protocol.CloseCode
}

func (p *fakePeer) Close(code protocol.CloseCode, _ string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.codes = append(p.codes, code)
}

func (p *fakePeer) closed() protocol.CloseCode {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.codes) == 0 {
		return 0
	}
	return p.codes[0]
}

func newNode(st Store) *Node {
	return New("n1", st, Options{
		Logger: slog.New(slog.DiscardHandler), Grace: time.Millisecond,
		OnScope: func(string) {}, About: func() (about protocol.NodeObject) { return },
	})
}

var here = Where{Scope: "s"}

func connect(n *Node) (*Client, *fakePeer) {
	p := &fakePeer{}
	return n.Connect(p), p
}

func loggedIn(t *testing.T, n *Node, st *fakeStore, user uuid.UUID, session string) (*Client, *fakePeer) {
	t.Helper()
	c, p := connect(n)
	st.user, st.session = store.User{ID: user, Scope: "s"}, store.Session{ID: session}
	if _, _, err := c.Login(context.Background(), user, here, nil); err != nil {
		t.Fatal(err)
	}
	return c, p
}

func TestASignalEndsTheSessionsThatItNames(t *testing.T) {
	user := uuid.New()
	tests := []struct {
		name string
		sig  store.Signal
		want [3]protocol.CloseCode // of the sessions s1, s2, and one of another user
	}{
		{"all of a user", store.Signal{Kind: store.SignalEnd, User: user}, [3]protocol.CloseCode{4506, 4506, 0}},
		{"all but one", store.Signal{Kind: store.SignalEnd, User: user, Except: "s1"}, [3]protocol.CloseCode{0, 4506, 0}},
		{"one", store.Signal{Kind: store.SignalEnd, User: user, Session: "s1"}, [3]protocol.CloseCode{4506, 0, 0}},
		{"with a code", store.Signal{Kind: store.SignalEnd, User: user, Code: 4503}, [3]protocol.CloseCode{4503, 4503, 0}},
		{"of nobody here", store.Signal{Kind: store.SignalEnd, User: uuid.New()}, [3]protocol.CloseCode{}},
		{"a replaced connection", store.Signal{Kind: store.SignalReplace, User: user, Session: "s1", Node: "n1", Conn: "1"}, [3]protocol.CloseCode{4501, 0, 0}},
		{"a replaced connection of the same number on another node", store.Signal{Kind: store.SignalReplace, User: user, Session: "s1", Node: "n2", Conn: "1"}, [3]protocol.CloseCode{}},
		{"a replaced connection that has moved on", store.Signal{Kind: store.SignalReplace, User: user, Session: "s9", Node: "n1", Conn: "1"}, [3]protocol.CloseCode{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			st := &fakeStore{}
			n := newNode(st)
			_, p1 := loggedIn(t, n, st, user, "s1")
			_, p2 := loggedIn(t, n, st, user, "s2")
			_, p3 := loggedIn(t, n, st, uuid.New(), "s3")
			n.apply(context.Background(), tt.sig)
			got := [3]protocol.CloseCode{p1.closed(), p2.closed(), p3.closed()}
			if got != tt.want {
				t.Errorf("closed with %v, want %v", got, tt.want)
			}
		})
	}
}

// The store ends a session, and signals it, between its answer to a login and
// the moment that the node has entered the session.
func TestASessionThatEndsWhileItIsEnteredDoesNotHold(t *testing.T) {
	user := uuid.New()
	tests := []struct {
		name string
		sig  store.Signal
		err  error
	}{
		{"all sessions end", store.Signal{Kind: store.SignalEnd, User: user}, ErrSessionInvalid},
		{"all but another end", store.Signal{Kind: store.SignalEnd, User: user, Except: "s9"}, ErrSessionInvalid},
		{"all but this one end", store.Signal{Kind: store.SignalEnd, User: user, Except: "s1"}, nil},
		{"another ends", store.Signal{Kind: store.SignalEnd, User: user, Session: "s9"}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			st := &fakeStore{user: store.User{ID: user}, session: store.Session{ID: "s1"}}
			n := newNode(st)
			c, p := connect(n)
			st.during = func() { n.apply(context.Background(), tt.sig) }
			if _, _, err := c.Login(context.Background(), user, here, nil); !errors.Is(err, tt.err) {
				t.Errorf("got %v, want %v", err, tt.err)
			}
			if held := c.Owns(user); held != (tt.err == nil) {
				t.Errorf("logged in: %v", held)
			}
			if p.closed() != 0 {
				t.Errorf("closed with %d: the reply would be lost", p.closed())
			}
		})
	}
}

func TestAResumeReplacesTheOlderConnection(t *testing.T) {
	user := uuid.New()
	token, id := tokenOf(t, user)
	t.Run("on this node", func(t *testing.T) {
		st := &fakeStore{}
		n := newNode(st)
		older, p := loggedIn(t, n, st, user, id)
		st.former = older.ref()
		c, p2 := connect(n)
		if _, _, err := c.Resume(context.Background(), here, token); err != nil {
			t.Fatal(err)
		}
		if p.closed() != protocol.CloseReplaced || p2.closed() != 0 || len(st.sent) != 0 {
			t.Errorf("older %d, newer %d, signals %v", p.closed(), p2.closed(), st.sent)
		}
	})
	t.Run("on another node", func(t *testing.T) {
		st := &fakeStore{user: store.User{ID: user, Scope: "s"}, former: store.ConnRef{Node: "n2", Conn: "7"}}
		c, _ := connect(newNode(st))
		if _, _, err := c.Resume(context.Background(), here, token); err != nil {
			t.Fatal(err)
		}
		want := store.Signal{Kind: store.SignalReplace, User: user, Session: id, Node: "n2", Conn: "7"}
		if len(st.sent) != 1 || !reflect.DeepEqual(st.sent[0], want) {
			t.Errorf("sent %v, want %v", st.sent, want)
		}
	})
	t.Run("on the same connection", func(t *testing.T) {
		st := &fakeStore{user: store.User{ID: user, Scope: "s"}}
		n := newNode(st)
		c, p := connect(n)
		for range 2 {
			if _, _, err := c.Resume(context.Background(), here, token); err != nil {
				t.Fatal(err)
			}
			st.former = c.ref()
		}
		if p.closed() != 0 || n.Sessions() != 1 {
			t.Errorf("closed with %d, %d sessions", p.closed(), n.Sessions())
		}
	})
}

// A signal, or another resume on this node, may overtake the store's answer.
func TestAConnectionThatIsReplacedWhileItResumesIsClosed(t *testing.T) {
	user := uuid.New()
	token, id := tokenOf(t, user)
	st := &fakeStore{user: store.User{ID: user, Scope: "s"}}
	n := newNode(st)
	c, p := connect(n)
	st.during = func() {
		n.apply(context.Background(), store.Signal{Kind: store.SignalReplace, User: user, Session: id, Node: "n1", Conn: c.conn()})
	}
	if _, _, err := c.Resume(context.Background(), here, token); err != nil {
		t.Fatal(err)
	}
	if p.closed() != protocol.CloseReplaced || c.Owns(user) {
		t.Errorf("closed with %d, logged in: %v", p.closed(), c.Owns(user))
	}
}

func TestATokenOfAnotherScopeDoesNotHold(t *testing.T) {
	user := uuid.New()
	token, _ := tokenOf(t, user)
	st := &fakeStore{user: store.User{ID: user, Scope: "other"}}
	n := newNode(st)
	c, _ := connect(n)
	if _, _, err := c.Resume(context.Background(), here, token); !errors.Is(err, ErrSessionInvalid) {
		t.Errorf("got %v", err)
	}
	if c.Owns(user) || n.Sessions() != 0 {
		t.Error("the connection is logged in")
	}
}

func TestAFailedLoginLeavesTheConnectionAsItWas(t *testing.T) {
	st := &fakeStore{}
	n := newNode(st)
	first := uuid.New()
	c, _ := loggedIn(t, n, st, first, "s1")
	st.err = store.ErrUnavailable
	if _, _, err := c.Login(context.Background(), uuid.New(), here, nil); !errors.Is(err, store.ErrUnavailable) {
		t.Fatal(err)
	}
	if err := c.Logout(context.Background(), false); err == nil {
		t.Fatal("logout went through")
	}
	if user, session := c.Identity(); user != first || session != "s1" {
		t.Errorf("logged in as %v, %q", user, session)
	}
}

func TestDeletingOneselfLeavesTheConnectionOpen(t *testing.T) {
	st := &fakeStore{}
	n := newNode(st)
	user := uuid.New()
	c, p := loggedIn(t, n, st, user, "s1")
	_, other := loggedIn(t, n, st, user, "s2")
	err := c.While(user, func() error {
		n.apply(context.Background(), store.Signal{Kind: store.SignalEnd, User: user})
		return nil
	})
	if err != nil || p.closed() != 0 || other.closed() != protocol.CloseSessionEnded || c.Owns(user) {
		t.Errorf("%v; own closed with %d, other with %d, still logged in: %v", err, p.closed(), other.closed(), c.Owns(user))
	}
}

func TestAResyncClosesWhatIsGone(t *testing.T) {
	st := &fakeStore{}
	n := newNode(st)
	user := uuid.New()
	_, p1 := loggedIn(t, n, st, user, "s1")
	_, p2 := loggedIn(t, n, st, user, "s2")
	st.alive = []store.Session{{ID: "s2"}}
	n.apply(context.Background(), store.Signal{Kind: store.SignalResync})
	if p1.closed() != protocol.CloseSessionEnded || p2.closed() != 0 {
		t.Errorf("gone one closed with %d, living one with %d", p1.closed(), p2.closed())
	}
}

func TestDisconnectLeavesNothingBehind(t *testing.T) {
	st := &fakeStore{}
	n := newNode(st)
	user := uuid.New()
	var clients []*Client
	for range 5 {
		c, _ := loggedIn(t, n, st, user, "s")
		clients = append(clients, c)
	}
	for _, i := range []int{2, 0, 4, 1, 3} {
		clients[i].Disconnect(protocol.OfflineClosed)
		clients[i].Disconnect(protocol.OfflineClosed)
	}
	if n.Connections() != 0 || n.Sessions() != 0 || bindings(n) != 0 {
		t.Errorf("%d connections, %d sessions", n.Connections(), n.Sessions())
	}
}

func TestALoginThatFinishesAfterTheDisconnectIsNotEntered(t *testing.T) {
	user := uuid.New()
	st := &fakeStore{user: store.User{ID: user}, session: store.Session{ID: "s1"}}
	n := newNode(st)
	c, _ := connect(n)
	st.during = func() { c.Disconnect(protocol.OfflineClosed) }
	if _, _, err := c.Login(context.Background(), user, here, nil); !errors.Is(err, ErrSessionInvalid) {
		t.Errorf("got %v", err)
	}
	if bindings(n) != 0 {
		t.Error("a connection that is gone is online")
	}
}

func TestAConnectionRemembersABoundedNumberOfCreatedUsers(t *testing.T) {
	c, _ := connect(newNode(&fakeStore{}))
	first := uuid.New()
	c.Created(first)
	if !c.Owns(first) {
		t.Fatal("not its own")
	}
	for range maxCreated {
		c.Created(uuid.New())
	}
	if c.Owns(first) || len(c.created) != maxCreated {
		t.Errorf("%d remembered", len(c.created))
	}
}

func TestLogoutEndsTheSession(t *testing.T) {
	st := &fakeStore{}
	n := newNode(st)
	c, p := loggedIn(t, n, st, uuid.New(), "s1")
	if err := c.Logout(context.Background(), false); err != nil {
		t.Fatal(err)
	}
	if len(st.ended) != 1 || st.ended[0] != "s1" || p.closed() != 0 || n.Sessions() != 0 {
		t.Errorf("ended %v, closed with %d", st.ended, p.closed())
	}
	if err := c.Logout(context.Background(), false); !errors.Is(err, ErrSessionInvalid) {
		t.Errorf("a second logout: %v", err)
	}
}

func TestRunWaitsForAStoreThatIsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := &interruptedStore{}
		n := newNode(st)
		ctx, cancel := context.WithCancel(context.Background())
		go n.Run(ctx)
		time.Sleep(3500 * time.Millisecond)
		synctest.Wait()
		if st.calls != 4 {
			t.Errorf("asked %d times in 3.5 s, want once a second", st.calls)
		}
		cancel()
		synctest.Wait()
	})
}

type interruptedStore struct {
	fakeStore
	calls int
}

func (s *interruptedStore) Signals(context.Context, func(store.Signal)) error {
	s.calls++
	return store.ErrUnavailable
}

// tokenOf makes a token of the store's form: the user's id and 32 bytes.
func tokenOf(t *testing.T, user uuid.UUID) (token, id string) {
	t.Helper()
	token = base64.RawURLEncoding.EncodeToString(append(user[:], make([]byte, 32)...))
	_, id, ok := store.SessionID(token)
	if !ok {
		t.Fatal("token is not understood")
	}
	return token, id
}

// bindings counts who is entered, also those whose login is under way.
func bindings(n *Node) (count int) {
	n.registry.each(func(*binding) { count++ })
	return count
}
