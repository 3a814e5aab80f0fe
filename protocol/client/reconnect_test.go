package client_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"

	"rollcall/protocol"
	"rollcall/protocol/client"
)

// silent makes the server take requests of a type and never answer.
func silent(types ...string) func(*fakeConn, protocol.Request) bool {
	return func(_ *fakeConn, req protocol.Request) bool { return slices.Contains(types, req.Type) }
}

func TestALossFailsEveryPendingCallOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t)
		s.answer = silent("users.get")
		c := dial(t, options(s))
		failed := make(chan error, 100)
		for range cap(failed) {
			go func() { _, err := c.Get(t.Context(), [16]byte{1}); failed <- err }()
		}
		synctest.Wait()
		s.drop()
		for range cap(failed) {
			if e := wantStatus(t, <-failed, protocol.StatusUnavailable); !e.Temporary {
				t.Error("the error is not temporary")
			}
		}
		if n := len(s.requests("users.get")); n != 100 {
			t.Errorf("%d requests were sent, want each once", n)
		}
		_ = c.Close()
	})
}

func TestAfterALossTheSessionIsResumed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t)
		opt := options(s)
		var seen states
		opt.OnState = seen.add
		c := dial(t, opt)
		login := signUp(t, c)
		s.drop()
		synctest.Wait()
		if u, err := c.Get(t.Context(), login.UserID); err != nil || u.Username != "tiny" {
			t.Errorf("Get after the reconnect: %v, %v", u, err)
		}
		inits := s.requests("core.init")
		if len(inits) != 2 || data(t, inits[1])["session"] != login.Session.Token {
			t.Errorf("%d inits, the last with another session", len(inits))
		}
		if p := seen.phases(); p != "connecting connected waiting connecting connected" {
			t.Errorf("states were %s", p)
		}
		_ = c.Close()
	})
}

func TestASessionFromOptionsIsResumed(t *testing.T) {
	s := start(t)
	login := signUp(t, dial(t, options(s)))
	opt := options(s)
	opt.Session = login.Session.Token
	c := dial(t, opt)
	if u, err := c.User(); err != nil || u == nil || u.UserID != login.UserID {
		t.Errorf("User is %v, %v", u, err)
	}
}

func TestAfterALogoutNothingIsResumed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t)
		c := dial(t, options(s))
		signUp(t, c)
		if err := c.Logout(t.Context(), false); err != nil {
			t.Fatal(err)
		}
		s.drop()
		synctest.Wait()
		if err := c.Ping(t.Context()); err != nil {
			t.Fatal(err)
		}
		if inits := s.requests("core.init"); data(t, inits[1])["session"] != nil {
			t.Error("a session was sent after logout")
		}
		if u, err := c.User(); u != nil || err != nil {
			t.Errorf("User is %v, %v", u, err)
		}
		_ = c.Close()
	})
}

// Both ways in which a server may say that it no longer holds a session.
func TestAnExpiredSessionIsFinalAndNeverAnonymousInSilence(t *testing.T) {
	for name, answer := range map[string]func(*fakeConn, protocol.Request) bool{
		"init without user": nil,
		"init with 607": func(c *fakeConn, req protocol.Request) bool {
			m := map[string]any{}
			_ = protocol.DecodeResult(req.Data, &m)
			if req.Type != "core.init" || m["session"] == nil {
				return false
			}
			c.fail(req, protocol.StatusSessionInvalid)
			return true
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := start(t)
				opt := options(s)
				var seen states
				opt.OnState = seen.add
				c := dial(t, opt)
				login := signUp(t, c)
				s.set(func() { s.answer = answer })
				s.expireSessions()
				s.drop()
				synctest.Wait()

				if _, err := c.Get(t.Context(), login.UserID); !errors.Is(err, client.ErrSessionExpired) {
					t.Errorf("Get: %v", err)
				}
				if err := c.Logout(t.Context(), false); !errors.Is(err, client.ErrSessionExpired) {
					t.Errorf("Logout: %v", err)
				}
				if n := len(s.requests("users.get")); n != 0 {
					t.Error("a call that needs a login was sent without one")
				}
				if st := seen.last(); st.Phase != client.Connected || !errors.Is(st.Err, client.ErrSessionExpired) {
					t.Errorf("state is %+v", st)
				}
				if u, err := c.User(); u != nil || !errors.Is(err, client.ErrSessionExpired) {
					t.Errorf("User is %v, %v", u, err)
				}
				if err := c.Ping(t.Context()); err != nil {
					t.Errorf("a call that needs no login: %v", err)
				}

				if _, err := c.Login(t.Context(), protocol.LoginParams{Username: "tiny", Credentials: protocol.Credentials{Password: "abcd1234"}}); err != nil {
					t.Fatal(err)
				}
				if _, err := c.Get(t.Context(), login.UserID); err != nil {
					t.Errorf("Get after a new login: %v", err)
				}
				_ = c.Close()
			})
		})
	}
}

func TestCallsWaitForTheConnectionUpToABound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t)
		c := dial(t, options(s))
		s.set(func() { s.refuse = http.StatusServiceUnavailable })
		s.drop()
		synctest.Wait()

		var wg sync.WaitGroup
		for range client.MaxWaiting {
			wg.Go(func() {
				if err := c.Ping(t.Context()); err != nil {
					t.Errorf("a call that waited: %v", err)
				}
			})
		}
		synctest.Wait()
		if e := wantStatus(t, c.Ping(t.Context()), protocol.StatusBusy); !e.Temporary {
			t.Error("the error is not temporary")
		}
		if n := len(s.requests("core.ping")); n != 0 {
			t.Errorf("%d were sent without a connection", n)
		}
		s.set(func() { s.refuse = 0 })
		wg.Wait()
		_ = c.Close()
	})
}

func TestAWaitingCallEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t)
		c := dial(t, options(s))
		s.set(func() { s.refuse = http.StatusServiceUnavailable })
		s.drop()
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		if err := c.Ping(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Ping: %v", err)
		}
		_ = c.Close()
	})
}

func TestPausesGrowWithFullJitter(t *testing.T) {
	for name, tt := range map[string]struct {
		rand  float64
		extra time.Duration // what HTTP 503 asked for, from the second attempt on
		want  []time.Duration
	}{
		"largest":  {1, 0, []time.Duration{500e6, 1e9, 2e9, 4e9, 8e9, 16e9, 20e9, 20e9}},
		"quarter":  {0.25, 0, []time.Duration{125e6, 250e6, 500e6, 1e9, 2e9, 4e9, 5e9, 5e9}},
		"smallest": {0, 0, make([]time.Duration, 8)},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := start(t)
				opt := options(s)
				opt.Backoff.Rand = func() float64 { return tt.rand }
				var pauses []time.Duration
				enough := make(chan struct{})
				opt.OnState = func(st client.State) {
					if st.Phase != client.Waiting {
						return
					}
					if pauses = append(pauses, st.RetryIn); len(pauses) == len(tt.want) {
						s.set(func() { s.refuse = 0 })
						close(enough)
					}
				}
				c := dial(t, opt)
				s.set(func() { s.refuse = http.StatusBadGateway })
				s.drop()
				<-enough
				// An answer of 502 carries Retry-After here as well.
				for i := range tt.want[1:] {
					tt.want[i+1] += 7 * time.Second
				}
				if !slices.Equal(pauses, tt.want) {
					t.Errorf("pauses were %v, want %v", pauses, tt.want)
				}
				if err := c.Ping(t.Context()); err != nil {
					t.Error(err)
				}
				_ = c.Close()
			})
		})
	}
}

func TestPausesStartAnewOnlyAfterAConnectionThatHeld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t)
		opt := options(s)
		var pauses []time.Duration
		opt.OnState = func(st client.State) {
			if st.Phase == client.Waiting {
				pauses = append(pauses, st.RetryIn)
			}
		}
		c := dial(t, opt)
		for _, held := range []time.Duration{0, time.Second, 21 * time.Second} {
			time.Sleep(held)
			s.drop()
			synctest.Wait()
			if err := c.Ping(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if want := []time.Duration{500e6, 1e9, 500e6}; !slices.Equal(pauses, want) {
			t.Errorf("pauses were %v, want %v", pauses, want)
		}
		_ = c.Close()
	})
}

func TestTheClockCanBeGiven(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t)
		opt := options(s)
		var slept []time.Duration
		opt.Backoff.Sleep = func(_ context.Context, d time.Duration) error { slept = append(slept, d); return nil }
		c := dial(t, opt)
		s.drop()
		synctest.Wait()
		begin := time.Now()
		if err := c.Ping(t.Context()); err != nil {
			t.Fatal(err)
		}
		if len(slept) != 1 || time.Since(begin) != 0 {
			t.Errorf("slept %v, which took %v", slept, time.Since(begin))
		}
		_ = c.Close()
	})
}

func TestByeAndCloseCodesAreHonoured(t *testing.T) {
	byCode := func(code protocol.CloseCode) func(*fakeServer) {
		return func(s *fakeServer) {
			s.set(func() {
				for c := range s.conns {
					go func() { _ = c.ws.Close(websocket.StatusCode(code), "") }()
				}
			})
		}
	}
	for name, tt := range map[string]struct {
		end  func(*fakeServer)
		back bool
		wait time.Duration // before the next attempt, with the largest jitter
		code protocol.CloseCode
	}{
		"bye, draining":          {func(s *fakeServer) { s.bye(protocol.CloseDraining, 800*time.Millisecond) }, true, 1300 * time.Millisecond, 4001},
		"bye, kicked":            {func(s *fakeServer) { s.bye(protocol.CloseKicked, 0) }, false, 0, 4502},
		"bye, banned":            {func(s *fakeServer) { s.bye(protocol.CloseBanned, 0) }, false, 0, 4503},
		"code alone, too slow":   {byCode(protocol.CloseTooSlow), true, 500 * time.Millisecond, 4002},
		"code alone, replaced":   {byCode(protocol.CloseReplaced), false, 0, 4501},
		"code alone, going away": {byCode(1001), true, 500 * time.Millisecond, 1001},
		"code alone, too big":    {byCode(1009), false, 0, 1009},
		"bye against its code": {func(s *fakeServer) {
			s.push(`{"event":"bye","code":4001,"reason":"no more","reconnect":false}`)
			s.bye4001()
		}, false, 0, 4001},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := start(t)
				opt := options(s)
				var seen states
				opt.OnState = seen.add
				c := dial(t, opt)
				tt.end(s)
				synctest.Wait()
				st := seen.last()
				var ce *client.CloseError
				if !errors.As(st.Err, &ce) || ce.Code != tt.code || ce.Reconnect != tt.back {
					t.Fatalf("state is %+v", st)
				}
				if !tt.back {
					<-c.Done()
					if st.Phase != client.Closed || c.Err() != st.Err {
						t.Errorf("state is %+v, Err %v", st, c.Err())
					}
					if e := wantStatus(t, c.Ping(t.Context()), protocol.StatusUnavailable); e.Temporary {
						t.Error("a final close is not temporary")
					}
					return
				}
				if st.Phase != client.Waiting || st.RetryIn != tt.wait {
					t.Errorf("state is %+v, want a pause of %v", st, tt.wait)
				}
				if err := c.Ping(t.Context()); err != nil {
					t.Error(err)
				}
				_ = c.Close()
			})
		})
	}
}

// bye4001 closes with 4001 and says nothing before.
func (s *fakeServer) bye4001() {
	s.set(func() {
		for c := range s.conns {
			go func() { _ = c.ws.Close(4001, "") }()
		}
	})
}

func TestWithoutReconnectTheFirstLossIsFinal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t)
		opt := options(s)
		opt.NoReconnect = true
		c := dial(t, opt)
		s.drop()
		<-c.Done()
		wantStatus(t, c.Ping(t.Context()), protocol.StatusUnavailable)
		if n := s.dialCount(); n != 1 {
			t.Errorf("%d connections were opened", n)
		}
	})
}

func TestAReconnectThatIsRefusedIsFinal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t)
		c := dial(t, options(s))
		s.set(func() {
			s.answer = func(c *fakeConn, req protocol.Request) bool {
				c.fail(req, protocol.StatusScopeNotFound)
				return true
			}
		})
		s.drop()
		synctest.Wait()
		wantStatus(t, c.Ping(t.Context()), protocol.StatusScopeNotFound)
		<-c.Done()
		wantStatus(t, c.Err(), protocol.StatusScopeNotFound)
	})
}

func TestAReconnectThatIsRefusedForNowIsRepeated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t)
		c := dial(t, options(s))
		left := 3
		s.set(func() {
			s.answer = func(c *fakeConn, req protocol.Request) bool {
				if left--; req.Type != "core.init" || left < 0 {
					return false
				}
				c.send(protocol.AppendError(nil, req, &protocol.Error{Status: protocol.StatusUnavailable, Temporary: true}))
				return true
			}
		})
		s.drop()
		synctest.Wait()
		if err := c.Ping(t.Context()); err != nil {
			t.Error(err)
		}
		_ = c.Close()
	})
}

func TestCloseDuringAPauseEndsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t)
		c := dial(t, options(s))
		s.set(func() { s.refuse = http.StatusServiceUnavailable })
		s.drop()
		synctest.Wait()
		time.Sleep(30 * time.Second)
		begin := time.Now()
		_ = c.Close()
		if took := time.Since(begin); took != 0 {
			t.Errorf("Close took %v", took)
		}
	})
}
