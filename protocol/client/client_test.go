package client_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"rollcall/protocol"
	"rollcall/protocol/client"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// options are a player's, with the largest jitter there is, so that times are exact.
func options(s *fakeServer) client.Options {
	return client.Options{
		Scope:      "Space Race",
		Key:        "the-server-key",
		HTTPClient: s.client(),
		Backoff:    client.Backoff{Rand: func() float64 { return 1 }},
	}
}

// dial connects to the fake server in a way that must succeed.
func dial(t *testing.T, opt client.Options) *client.Client {
	t.Helper()
	c, err := client.Dial(t.Context(), "ws://rollcall.test", opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// signUp creates a user and logs in as it.
func signUp(t *testing.T, c *client.Client) protocol.Login {
	t.Helper()
	if _, err := c.Create(t.Context(), protocol.CreateParams{Username: "tiny", Credentials: protocol.Credentials{Password: "abcd1234"}}); err != nil {
		t.Fatal(err)
	}
	u, err := c.Login(t.Context(), protocol.LoginParams{Username: "tiny", Credentials: protocol.Credentials{Password: "abcd1234"}})
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func wantStatus(t *testing.T, err error, want protocol.Status) *protocol.Error {
	t.Helper()
	var e *protocol.Error
	if !errors.As(err, &e) || e.Status != want {
		t.Fatalf("error is %v, want status %d", err, want)
	}
	return e
}

// states collects what OnState was told.
type states struct {
	mu  sync.Mutex
	all []client.State
}

func (s *states) add(st client.State) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all = append(s.all, st)
}

func (s *states) phases() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var words []string
	for _, st := range s.all {
		words = append(words, st.Phase.String())
	}
	return strings.Join(words, " ")
}

func (s *states) last() client.State {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.all[len(s.all)-1]
}

func TestAUserIsCreatedLoggedInReadUpdatedAndDeleted(t *testing.T) {
	s := start(t)
	c := dial(t, options(s))
	login := signUp(t, c)
	if got, err := c.Get(t.Context(), login.UserID); err != nil || got.Username != "tiny" {
		t.Errorf("Get: %v, %v", got, err)
	}
	u, err := c.Update(t.Context(), protocol.UpdateParams{UserRef: protocol.UserRef{UserID: login.UserID}, Update: protocol.UserUpdate{Email: protocol.Set("some@email.com")}})
	if err != nil || u.Email != "some@email.com" {
		t.Errorf("Update: %v, %v", u, err)
	}
	if online, err := c.Presence(t.Context(), login.UserID); err != nil || !online[login.UserID] {
		t.Errorf("Presence: %v, %v", online, err)
	}
	if n, err := c.Delete(t.Context(), login.UserID); n != 1 || err != nil {
		t.Errorf("Delete: %d, %v", n, err)
	}
	if u, err := c.User(); u != nil || err != nil {
		t.Errorf("after the user deleted itself, User is %v, %v", u, err)
	}
	if err := c.Ping(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestPasswordsLeaveHashed(t *testing.T) {
	s := start(t)
	c := dial(t, options(s))
	login := signUp(t, c)
	_, _ = c.Update(t.Context(), protocol.UpdateParams{
		UserRef:         protocol.UserRef{UserID: login.UserID},
		Update:          protocol.UserUpdate{Credentials: protocol.Credentials{Password: "new"}},
		CurrentPassword: "abcd1234",
	})
	want := protocol.PasswordHash("Space Race", "abcd1234")
	for _, typ := range []string{"users.create", "users.login"} {
		d := data(t, s.requests(typ)[0])
		if d["password_hash"] != want || d["password"] != nil {
			t.Errorf("%s carries %v", typ, d)
		}
	}
	d := data(t, s.requests("users.update")[0])
	update := d["update"].(map[string]any)
	if d["current_password_hash"] != want || d["current_password"] != nil || update["password"] != nil || update["password_hash"] != protocol.PasswordHash("Space Race", "new") {
		t.Errorf("users.update carries %v", d)
	}
}

func TestPlainPasswordsAreSentWhenAskedFor(t *testing.T) {
	s := start(t)
	opt := options(s)
	opt.SendPlainPasswords = true
	c := dial(t, opt)
	_, _ = c.Create(t.Context(), protocol.CreateParams{Username: "tiny", Credentials: protocol.Credentials{Password: "abcd1234"}})
	if d := data(t, s.requests("users.create")[0]); d["password"] != "abcd1234" || d["password_hash"] != nil {
		t.Errorf("users.create carries %v", d)
	}
}

func TestAForeignHashGetsThePasswordOnceOverTLSOnly(t *testing.T) {
	for _, tt := range []struct {
		url    string
		status protocol.Status // 0: logged in
		sent   int
	}{
		{"ws://rollcall.test", protocol.StatusPasswordNeeded, 1},
		{"wss://rollcall.test", 0, 2},
	} {
		t.Run(tt.url, func(t *testing.T) {
			s := start(t)
			s.users["tiny"] = &fakeUser{hash: "foreign", User: protocol.User{Username: "tiny"}}
			c, err := client.Dial(t.Context(), tt.url, options(s))
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			_, err = c.Login(t.Context(), protocol.LoginParams{Username: "tiny", Credentials: protocol.Credentials{Password: "abcd1234"}})
			if tt.status != 0 {
				wantStatus(t, err, tt.status)
			} else if err != nil {
				t.Error(err)
			}
			logins := s.requests("users.login")
			if len(logins) != tt.sent {
				t.Fatalf("%d logins were sent, want %d", len(logins), tt.sent)
			}
			if d := data(t, logins[0]); d["password"] != nil {
				t.Error("the first login has the password")
			}
			if tt.sent == 2 && data(t, logins[1])["password"] != "abcd1234" {
				t.Error("the second login has no password")
			}
		})
	}
}

func TestDialSaysWhyItFailed(t *testing.T) {
	s := start(t)
	for name, tt := range map[string]struct {
		url    string
		change func(*client.Options)
		status protocol.Status // 0: not a *protocol.Error
	}{
		"wrong key":   {"ws://rollcall.test", func(o *client.Options) { o.Key = "another" }, protocol.StatusWrongKey},
		"wrong admin": {"ws://rollcall.test", func(o *client.Options) { o.Admin = &protocol.AdminLoginParams{Token: "old"} }, protocol.StatusSessionInvalid},
		"wrong path":  {"ws://rollcall.test/nothing", func(*client.Options) {}, 0},
		"no scheme":   {"rollcall.test", func(*client.Options) {}, 0},
		"no host":     {"ws:///ws", func(*client.Options) {}, 0},
		"not a URL":   {"ws://\x7f", func(*client.Options) {}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			opt := options(s)
			tt.change(&opt)
			var seen states
			opt.OnState = seen.add
			c, err := client.Dial(t.Context(), tt.url, opt)
			if c != nil || err == nil {
				t.Fatalf("Dial: %v, %v", c, err)
			}
			var e *protocol.Error
			if tt.status != 0 {
				wantStatus(t, err, tt.status)
			} else if errors.As(err, &e) {
				t.Errorf("error is %v", err)
			}
			if p := seen.phases(); p != "" && p != "connecting closed" {
				t.Errorf("states were %s", p)
			}
		})
	}
}

func TestManyCallersShareOneConnection(t *testing.T) {
	s := start(t)
	c := dial(t, options(s))
	login := signUp(t, c)
	var wg sync.WaitGroup
	for range 200 {
		wg.Go(func() {
			if u, err := c.Get(t.Context(), login.UserID); err != nil || u.UserID != login.UserID {
				t.Errorf("Get: %v, %v", u, err)
			}
		})
	}
	wg.Wait()
	if n := s.dialCount(); n != 1 {
		t.Errorf("%d connections were opened", n)
	}
}

func TestRepliesInAnyOrderReachTheirCallers(t *testing.T) {
	s := start(t)
	const n = 20
	var mu sync.Mutex
	var waiting []protocol.Request
	s.answer = func(c *fakeConn, req protocol.Request) bool {
		if req.Type != "users.resendConfirmation" {
			return false
		}
		mu.Lock()
		defer mu.Unlock()
		if waiting = append(waiting, req); len(waiting) == n {
			for _, r := range slices.Backward(waiting) {
				c.reply(r, data(t, r)["user_id"])
			}
		}
		return true
	}
	c := dial(t, options(s))
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			in := protocol.UserRef{UserID: [16]byte{1, byte(i)}}
			if got, err := client.Call(t.Context(), c, protocol.UsersResendConfirmation, in); err != nil || got != in.UserID {
				t.Errorf("caller %d got %v, %v", i, got, err)
			}
		})
	}
	wg.Wait()
}

func TestErrorsAreTheServers(t *testing.T) {
	s := start(t)
	s.answer = func(c *fakeConn, req protocol.Request) bool {
		if req.Type != "users.get" {
			return false
		}
		c.send(protocol.AppendError(nil, req, &protocol.Error{Status: protocol.StatusBusy, Message: "hashing", Temporary: true, RetryAfter: 1500 * time.Millisecond}))
		return true
	}
	c := dial(t, options(s))
	_, err := c.Get(t.Context(), [16]byte{1})
	e := wantStatus(t, err, protocol.StatusBusy)
	if e.Message != "hashing" || !e.Temporary || e.RetryAfter != 1500*time.Millisecond {
		t.Errorf("error is %+v", e)
	}
}

func TestAMessageBeyondTheLimitIsNotSent(t *testing.T) {
	s := start(t)
	c := dial(t, options(s))
	_, err := c.Create(t.Context(), protocol.CreateParams{Username: strings.Repeat("x", protocol.MaxRequestBytes)})
	wantStatus(t, err, protocol.StatusOutOfBounds)
	if err := c.Ping(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestAnUnreadableResultIsAnError(t *testing.T) {
	s := start(t)
	s.answer = func(c *fakeConn, req protocol.Request) bool {
		if req.Type == "users.get" {
			c.reply(req, []int{1})
			return true
		}
		return false
	}
	c := dial(t, options(s))
	_, err := c.Get(t.Context(), [16]byte{1})
	wantStatus(t, err, protocol.StatusResultInvalid)
}

func TestPushesComeInOrderAloneAndInBatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t)
		opt := options(s)
		var got []string
		opt.OnPush = func(p protocol.Push) { got = append(got, fmt.Sprint(p.Event, p.Seq)) }
		c := dial(t, opt)
		s.push(`{"event":"user.login","seq":1}`, `not JSON`, `[{"event":"user.online","seq":2},{"event":"user.login","seq":3}]`, `{"event":"feed.head","seq":3}`)
		synctest.Wait()
		if err := c.Ping(t.Context()); err != nil {
			t.Error(err)
		}
		if want := []string{"user.login1", "user.online2", "user.login3", "feed.head3"}; !slices.Equal(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
		_ = c.Close()
	})
}

func TestACallEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t)
		s.answer = func(_ *fakeConn, req protocol.Request) bool { return req.Type == "users.get" }
		c := dial(t, options(s))
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		begin := time.Now()
		_, err := c.Get(ctx, [16]byte{1})
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(begin) != 3*time.Second {
			t.Errorf("after %v: %v", time.Since(begin), err)
		}
		if err := c.Ping(t.Context()); err != nil {
			t.Error(err)
		}
		_ = c.Close()
	})
}

func TestALoginWhoseCallerLeftIsStillResumed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t)
		c := dial(t, options(s))
		signUp(t, c)
		if err := c.Logout(t.Context(), false); err != nil {
			t.Fatal(err)
		}
		s.set(func() {
			s.answer = func(c *fakeConn, req protocol.Request) bool {
				if req.Type == "users.login" {
					time.Sleep(2 * time.Second)
				}
				return false
			}
		})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := c.Login(ctx, protocol.LoginParams{Username: "tiny", Credentials: protocol.Credentials{Password: "abcd1234"}})
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Second)
		if u, _ := c.User(); u == nil || u.Username != "tiny" {
			t.Errorf("the connection is logged in, but User is %v", u)
		}
		_ = c.Close()
	})
}

func TestAnAdminLogsInAndComesBackByToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t)
		opt := options(s)
		opt.Admin = &protocol.AdminLoginParams{Name: "admin", Password: "the-admin-password"}
		c := dial(t, opt)
		if a := c.Admin(); a.Role != protocol.RoleOwner {
			t.Errorf("Admin is %+v", a)
		}
		s.drop()
		synctest.Wait()
		scopes, err := client.Call(t.Context(), c, protocol.AdminScopesList, protocol.None{})
		if err != nil || len(scopes) != 1 {
			t.Errorf("scopes: %v, %v", scopes, err)
		}
		logins := s.requests("admin.login")
		if len(logins) != 2 || data(t, logins[1])["token"] != "the-admin-token" || data(t, logins[1])["password"] != nil {
			t.Errorf("admin.login was sent %d times", len(logins))
		}
		_ = c.Close()
	})
}

func TestAnAdminWhoseTokenExpiredLogsInByPasswordAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t)
		opt := options(s)
		opt.Admin = &protocol.AdminLoginParams{Name: "admin", Password: "the-admin-password"}
		c := dial(t, opt)
		s.set(func() {
			s.answer = func(c *fakeConn, req protocol.Request) bool {
				if req.Type == "admin.login" && strings.Contains(string(req.Data), "token") {
					c.fail(req, protocol.StatusSessionInvalid)
					return true
				}
				return false
			}
		})
		s.drop()
		synctest.Wait()
		if _, err := client.Call(t.Context(), c, protocol.AdminScopesList, protocol.None{}); err != nil {
			t.Error(err)
		}
		_ = c.Close()
	})
}

func TestACloseFailsCallsAndMayBeRepeated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t)
		s.answer = func(_ *fakeConn, req protocol.Request) bool { return req.Type == "users.get" }
		opt := options(s)
		var seen states
		opt.OnState = seen.add
		c := dial(t, opt)
		failed := make(chan error)
		go func() { _, err := c.Get(t.Context(), [16]byte{1}); failed <- err }()
		synctest.Wait()
		go func() { _ = c.Close() }()
		wantStatus(t, <-failed, protocol.StatusUnavailable)
		_ = c.Close()
		<-c.Done()
		if err := c.Ping(t.Context()); !errors.Is(err, client.ErrClosed) {
			t.Errorf("Ping after Close: %v", err)
		}
		if !errors.Is(c.Err(), client.ErrClosed) {
			t.Errorf("Err is %v", c.Err())
		}
		if p := seen.phases(); p != "connecting connected closed" {
			t.Errorf("states were %s", p)
		}
	})
}
