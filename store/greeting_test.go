package store

import (
	"testing"

	"github.com/redis/go-redis/v9"

	"rollcall/store/storetest"
)

// A command that got no connection must never look like one that was answered
// with nothing: a user would be missing, and a write be acknowledged.
func TestARefusedPasswordIsNoEmptyAnswer(t *testing.T) {
	const password = "s3cr3t"
	server := storetest.Redis(t, "requirepass", password)
	s := openTest(t, Config{URL: server.URL()})
	u := mustCreate(t, s, newUser("Tiny"))
	ctx := t.Context()

	// This connection stays while the password is another one, and closes all
	// others.
	conn := server.Client().Conn()
	defer conn.Close()
	setPassword := func(to string) {
		t.Helper()
		if err := conn.ConfigSet(ctx, "requirepass", to).Err(); err != nil {
			t.Fatal(err)
		}
		if err := conn.Do(ctx, "client", "kill", "type", "normal", "skipme", "yes").Err(); err != nil {
			t.Fatal(err)
		}
	}
	setPassword("another")
	for what, f := range map[string]func() error{
		"read a user":     func() error { _, err := s.User(ctx, u.ID); return err },
		"find a user":     func() error { _, err := s.UserByUsername(ctx, testScope, "tiny"); return err },
		"create a user":   func() error { _, err := s.CreateUser(ctx, newUser("Tim")); return err },
		"delete a user":   func() error { _, err := s.DeleteUser(ctx, u.ID); return err },
		"log a user in":   func() error { _, _, err := s.Login(ctx, u.ID, Arrival{At: ConnRef{"n1", "c1"}}, nil); return err },
		"two commands":    func() error { return s.doAll(ctx, redis.NewIntCmd(ctx, "del", "a"), redis.NewIntCmd(ctx, "del", "b")) },
		"send a signal":   func() error { return s.Signal(ctx, Signal{Kind: SignalScope, Scope: testScope}) },
		"list the scopes": func() error { _, err := s.Scopes(ctx); return err },
	} {
		t.Run(what, func(t *testing.T) { wantErr(t, f(), ErrUnavailable) })
	}

	setPassword(password)
	untilServed(t, func() error { _, err := s.User(ctx, u.ID); return err })
	wantName(t, s, "tiny", u.ID)
}
