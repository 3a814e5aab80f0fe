package client_test

import (
	"testing"
	"testing/synctest"
	"time"

	"rollcall/protocol"
	"rollcall/protocol/client"
)

func TestASilentServerIsGivenUpAfterThreeIntervals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t)
		s.answer = silent("core.ping", "users.get")
		opt := options(s)
		var when time.Duration
		begin := time.Now()
		opt.OnState = func(st client.State) {
			if st.Phase == client.Waiting && when == 0 {
				when = time.Since(begin)
			}
		}
		c := dial(t, opt)
		_, err := c.Get(t.Context(), [16]byte{1})
		wantStatus(t, err, protocol.StatusUnavailable)
		synctest.Wait()
		if when < 3*s.pingInterval || when > 3*s.pingInterval+s.pingInterval/2 {
			t.Errorf("given up after %v", when)
		}
		_ = c.Close()
	})
}

func TestAServerThatPingsOrAnswersPingsIsKept(t *testing.T) {
	for name, pings := range map[string]bool{"pings": true, "answers pings": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := start(t)
				if pings {
					s.answer = silent("core.ping")
				}
				c := dial(t, options(s))
				for range 20 {
					time.Sleep(s.pingInterval)
					if !pings {
						continue
					}
					s.mu.Lock()
					for conn := range s.conns {
						go func() { _ = conn.ws.Ping(t.Context()) }()
					}
					s.mu.Unlock()
				}
				if n := s.dialCount(); n != 1 {
					t.Errorf("%d connections were opened", n)
				}
				if asked := len(s.requests("core.ping")); pings == (asked > 0) {
					t.Errorf("the client asked %d times", asked)
				}
				_ = c.Close()
			})
		})
	}
}

func TestAServerThatDoesNotReadIsGivenUpAfterTheWriteTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t)
		s.pingInterval = time.Hour
		release := make(chan struct{})
		s.answer = func(_ *fakeConn, req protocol.Request) bool {
			if req.Type != "users.get" {
				return false
			}
			<-release // and reads nothing more
			return true
		}
		opt := options(s)
		opt.WriteTimeout = 5 * time.Second
		c := dial(t, opt)
		begin := time.Now()
		failed := make(chan error, 2)
		go func() { _, err := c.Get(t.Context(), [16]byte{1}); failed <- err }()
		synctest.Wait()
		big := protocol.CreateParams{Username: "x", Extra: protocol.Extra{"k": protocol.String(string(make([]byte, 5<<10)))}}
		go func() { _, err := c.Create(t.Context(), big); failed <- err }()
		for range 2 {
			wantStatus(t, <-failed, protocol.StatusUnavailable)
		}
		if took := time.Since(begin); took != 5*time.Second {
			t.Errorf("given up after %v", took)
		}
		close(release)
		_ = c.Close()
	})
}
