package store

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"rollcall/store/storetest"
)

// A repeater sends everything twice, and what the caller gets is the second
// answer: as when the first one was lost and the client tried again.
type repeater struct{}

func (repeater) DialHook(next redis.DialHook) redis.DialHook { return next }

func (repeater) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		next(ctx, cmd)
		cmd.SetErr(nil)
		return next(ctx, cmd)
	}
}

func (repeater) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		next(ctx, cmds)
		for _, cmd := range cmds {
			cmd.SetErr(nil)
		}
		return next(ctx, cmds)
	}
}

// onEveryTwice runs f over each kind of storage, as it is and with all commands
// sent twice.
func onEveryTwice(t *testing.T, f func(t *testing.T, s *Store)) {
	t.Run("once", func(t *testing.T) { onEvery(t, f) })
	t.Run("twice", func(t *testing.T) {
		onEvery(t, func(t *testing.T, s *Store) {
			s.client.AddHook(repeater{})
			f(t, s)
		})
	})
}

// exerciseCodes calls everything about codes, providers and mails. The users
// are named after the round.
func exerciseCodes(t *testing.T, s *Store, round int) {
	ctx := t.Context()
	n := newUserWithEmail(fmt.Sprint("tiny", round), fmt.Sprintf("tiny%d@home.com", round))
	n.Confirmation, n.Provider = ConfirmationPending, new(google(fmt.Sprint(round)))
	u := mustCreate(t, s, n)
	mustLogin(t, s, u.ID)
	confirm, reset := mustCode(t, s, u, CodeConfirm), mustCode(t, s, u, CodeReset)
	_, handed := s.NewCode(ctx, u.ID, CodeReset, time.Hour)
	_, looked := s.Code(ctx, confirm)
	_, confirmed := s.Confirm(ctx, confirm)
	_, wasReset := s.ResetPassword(ctx, reset, []byte("new"))
	_, moved := s.UpdateUser(ctx, u.ID, UserUpdate{Email: new("new." + u.Email), Unconfirm: true})
	_, added := s.AddProvider(ctx, u.ID, openudid(fmt.Sprint("secret", round)))
	_, changed := s.UpdateProvider(ctx, u.ID, "openudid", ProviderUpdate{Identity: new(fmt.Sprint("another", round)), SealedToken: []byte("t")})
	_, found := s.UserByProvider(ctx, testScope, "openudid", fmt.Sprint("another", round))
	_, _, loggedIn := s.LoginByProvider(ctx, u.ID, Arrival{}, "google", fmt.Sprint(round))
	_, removed := s.RemoveProvider(ctx, u.ID, "openudid")
	_, _, mailed := s.AllowMail(ctx, testScope, u.Email, 1, time.Hour)
	_, refused, mailedAgain := s.AllowMail(ctx, testScope, u.Email, 1, time.Hour)
	if refused == 0 {
		t.Error("a mail too many is allowed")
	}
	err := errors.Join(handed, looked, confirmed, wasReset, moved, added, changed, found, loggedIn, removed, mailed, mailedAgain,
		s.SetConfirmation(ctx, u.ID, ConfirmationPending))
	if _, deleted := s.DeleteUser(ctx, u.ID); err != nil || deleted != nil {
		t.Fatal(err, deleted)
	}
}

func TestEveryScriptOfCodesAndProvidersTouchesOneSlot(t *testing.T) {
	s := openTest(t, Config{URL: storetest.SharedRedis(t).URL()})
	s.client.AddHook(hook{before: func(cmd redis.Cmder) {
		keys := keysOf(t, cmd)
		for _, key := range keys {
			if slotOf(key) != slotOf(keys[0]) {
				t.Errorf("%v touches %s and %s", cmd.Name(), keys[0], key)
			}
		}
	}})
	exerciseCodes(t, s, 1)
}

func TestARepeatedScriptOfCodesAndProvidersChangesNothingAndAnswersTheSame(t *testing.T) {
	server := storetest.SharedRedis(t)
	s := openTest(t, Config{URL: server.URL(), noSweeps: true})
	exerciseCodes(t, s, 1) // the first run of each is by its text
	names := map[string]string{}
	for _, sc := range []*script{
		scriptNewCode, scriptCode, scriptUseCode, scriptSetConfirmation, scriptProvider, scriptMailRate,
		scriptCreate, scriptUpdate, scriptDelete,
	} {
		names[sc.sha] = sc.name
	}
	var mu sync.Mutex
	ran := map[string]bool{}
	s.client.AddHook(hook{after: func(ctx context.Context, cmd redis.Cmder, again func(context.Context, redis.Cmder) error) {
		c, ok := cmd.(*redis.Cmd)
		if !ok || c.Err() != nil || c.Name() != "evalsha" || names[fmt.Sprint(c.Args()[1])] == "" {
			return
		}
		mu.Lock()
		defer mu.Unlock()
		name := names[fmt.Sprint(c.Args()[1])]
		ran[name] = true
		before, second := dump(t, server.Client()), redis.NewCmd(ctx, c.Args()...)
		if err := again(ctx, second); err != nil {
			t.Errorf("%s again: %v", name, err)
		}
		wait, _ := c.Val().(int64)
		if !reflect.DeepEqual(c.Val(), second.Val()) && (name != "mail_rate" || wait == 0) { // one has to wait less then
			t.Errorf("%s says %v, and then %v", name, c.Val(), second.Val())
		}
		if after := dump(t, server.Client()); !maps.Equal(before, after) {
			t.Errorf("%s again changes %v to %v", name, before, after)
		}
	}})
	exerciseCodes(t, s, 2)
	for _, name := range names {
		if !ran[name] {
			t.Errorf("%s was never sent twice", name)
		}
	}
}
