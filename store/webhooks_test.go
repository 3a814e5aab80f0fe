package store

import (
	"fmt"
	"hash/fnv"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"rollcall/protocol"
)

const hookLease = time.Minute // longer than any test

func at(seq int64) protocol.FeedPosition {
	return protocol.FeedPosition{Seq: seq, Epoch: "e1", EventID: fmt.Sprint("id", seq)}
}

// setWebhook sets a webhook of testScope and returns it.
func setWebhook(t testing.TB, s *Store, config protocol.WebhookConfig, fresh NewWebhook) *Webhook {
	t.Helper()
	sc, err := s.UpdateScope(t.Context(), testScope, ScopeUpdate{Webhook: &config, NewWebhook: fresh})
	if err != nil {
		t.Fatal(err)
	}
	return sc.Webhook
}

func mustHook(t testing.TB, s *Store) *Webhook {
	t.Helper()
	if _, err := s.CreateScope(t.Context(), Scope{Name: testScope}); err != nil {
		t.Fatal(err)
	}
	return setWebhook(t, s, protocol.WebhookConfig{URL: "https://a.example"}, NewWebhook{Secret: "s", Start: new(at(5))})
}

func claimHook(t testing.TB, s *Store, owner string, w *Webhook) WebhookCursor {
	t.Helper()
	c, err := s.ClaimWebhook(t.Context(), testScope, owner, w, *w.Start, hookLease)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func advanceHook(t testing.TB, s *Store, owner string, w *Webhook, step WebhookStep) bool {
	t.Helper()
	if step.ID == "" {
		step.ID = randomID()
	}
	held, err := s.AdvanceWebhook(t.Context(), testScope, owner, w, step, hookLease)
	if err != nil {
		t.Fatal(err)
	}
	return held
}

// exerciseWebhook calls everything about a webhook of testScope.
func exerciseWebhook(t *testing.T, s *Store) {
	t.Helper()
	w := setWebhook(t, s, protocol.WebhookConfig{URL: "https://a.example"}, NewWebhook{Secret: "s", Start: new(at(5))})
	if c := claimHook(t, s, "n1", w); !c.Held || c.Position != at(5) {
		t.Errorf("claimed %+v", c)
	}
	if !advanceHook(t, s, "n1", w, WebhookStep{To: new(at(6)), Attempt: &protocol.WebhookAttempt{HTTPStatus: 200, Events: 1}}) ||
		advanceHook(t, s, "n2", w, WebhookStep{To: new(at(7))}) ||
		!advanceHook(t, s, "n1", w, WebhookStep{Failures: 1, Retry: time.Minute}) {
		t.Error("the owner alone advances")
	}
	if state, err := s.WebhookState(t.Context(), testScope, w); err != nil || state.Position != at(6) {
		t.Errorf("state %+v, %v", state, err)
	}
	err := s.ReleaseWebhook(t.Context(), testScope, "n1")
	if setWebhook(t, s, protocol.WebhookConfig{}, NewWebhook{}) != nil || err != nil {
		t.Error("the webhook stays", err)
	}
	if err := s.ForgetWebhook(t.Context(), testScope, w.SetUp); err != nil {
		t.Error(err)
	}
}

// The partition of a feed is part of the data: these must never change.
func TestFeedPartitionsStayWhereTheyAre(t *testing.T) {
	for _, scope := range []string{"", "Space Race", "s", testScope, "日本"} {
		sum := fnv.New32a()
		sum.Write([]byte(scope))
		if want := fmt.Sprintf("rc:{f%d}:", sum.Sum32()%16); string(feedPartOf(scope)) != want {
			t.Errorf("%q is in %s, not in %s", scope, feedPartOf(scope), want)
		}
	}
	if key := feedPartOf("{u1}:x").hook("{u1}:x"); strings.Count(key, "{") != 1 || !strings.HasSuffix(key, "hook:%7Bu1%7D%3Ax") {
		t.Errorf("a scope's name steers its key: %s", key)
	}
}

func TestAWebhooksSecretAndBeginningStayWhileItIsChanged(t *testing.T) {
	onEveryTwice(t, func(t *testing.T, s *Store) {
		w := mustHook(t, s)
		if w.Secret != "s" || *w.Start != at(5) || w.SetUp.IsZero() {
			t.Fatalf("set up as %+v", w)
		}
		later := NewWebhook{Secret: "other", Start: new(at(9))}
		changed := setWebhook(t, s, protocol.WebhookConfig{URL: "https://b.example", Events: []string{"user.login"}}, later)
		if changed.URL != "https://b.example" || len(changed.Events) != 1 || changed.Secret != "s" || *changed.Start != at(5) || !changed.SetUp.Equal(w.SetUp) || changed.Rev == w.Rev {
			t.Errorf("changed to %+v", changed)
		}
		if again := setWebhook(t, s, protocol.WebhookConfig{URL: "https://b.example", Secret: "mine"}, later); again.Secret != "mine" || again.Events != nil {
			t.Errorf("changed to %+v", again)
		}
		if _, err := s.UpdateScope(t.Context(), testScope, ScopeUpdate{Sessions: protocol.SessionsSingle}); err != nil {
			t.Fatal(err)
		}
		sc, err := s.Scope(t.Context(), testScope)
		if err != nil || sc.Webhook == nil || sc.Webhook.Secret != "mine" || !sc.Webhook.SetUp.Equal(w.SetUp) {
			t.Errorf("read %+v, %v", sc.Webhook, err)
		}
		if setWebhook(t, s, protocol.WebhookConfig{}, later) != nil {
			t.Error("an empty URL does not remove it")
		}
		if anew := setWebhook(t, s, protocol.WebhookConfig{URL: "https://c.example"}, later); anew.Secret != "other" || *anew.Start != at(9) || !anew.SetUp.After(w.SetUp) {
			t.Errorf("set up anew as %+v", anew)
		}
	})
}

func TestAScopeIsCreatedWithItsWebhook(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		config := protocol.WebhookConfig{URL: "https://a.example", Secret: "s"}
		made, err := s.CreateScope(t.Context(), Scope{Name: testScope, Webhook: &Webhook{WebhookConfig: config, Start: new(at(1))}})
		if err != nil {
			t.Fatal(err)
		}
		read, err := s.Scope(t.Context(), testScope)
		if err != nil || !reflect.DeepEqual(made, read) || read.Webhook.Rev == "" || !read.Webhook.SetUp.Equal(read.CreatedAt) ||
			!reflect.DeepEqual(read.Webhook.WebhookConfig, config) || *read.Webhook.Start != at(1) {
			t.Errorf("made %+v, read %+v, %v", made.Webhook, read.Webhook, err)
		}
	})
}

// Two owners set the webhook up at once: one secret comes out, and of those who
// were told a secret the last one was told that one.
func TestRacingSettersOfAWebhookAgreeOnOneSecret(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		if _, err := s.CreateScope(t.Context(), Scope{Name: testScope}); err != nil {
			t.Fatal(err)
		}
		var told atomic.Int64
		allTogether(8, func(i int) {
			mine := fmt.Sprint("secret", i)
			sc, err := s.UpdateScope(t.Context(), testScope, ScopeUpdate{
				Webhook: &protocol.WebhookConfig{URL: fmt.Sprintf("https://%d.example", i)}, NewWebhook: NewWebhook{Secret: mine},
			})
			if err != nil {
				t.Error(err)
			} else if sc.Webhook.Secret == mine {
				told.Add(1)
			}
		})
		if told.Load() != 1 {
			t.Errorf("%d setters generated the secret", told.Load())
		}
	})
}

func TestOneOwnerAtATimeDeliversAndTheNextGoesOnWhereHeStopped(t *testing.T) {
	onEveryTwice(t, func(t *testing.T, s *Store) {
		w := mustHook(t, s)
		if c := claimHook(t, s, "n1", w); !c.Held || c.Position != at(5) {
			t.Fatalf("claimed %+v", c)
		}
		if c := claimHook(t, s, "n2", w); c.Held || c.Wait <= 0 || c.Wait > hookLease {
			t.Fatalf("another one claimed %+v", c)
		}
		if !advanceHook(t, s, "n1", w, WebhookStep{To: new(at(7))}) {
			t.Fatal("the owner can't advance")
		}
		if advanceHook(t, s, "n2", w, WebhookStep{To: new(at(99))}) {
			t.Error("another one advanced")
		}
		if c := claimHook(t, s, "n1", w); !c.Held || c.Position != at(7) {
			t.Errorf("claimed again %+v", c)
		}
		if err := s.ReleaseWebhook(t.Context(), testScope, "n2"); err != nil {
			t.Fatal(err)
		}
		if c := claimHook(t, s, "n2", w); c.Held {
			t.Error("another one released it")
		}
		if err := s.ReleaseWebhook(t.Context(), testScope, "n1"); err != nil {
			t.Fatal(err)
		}
		if c := claimHook(t, s, "n2", w); !c.Held || c.Position != at(7) {
			t.Errorf("the next one claimed %+v", c)
		}
		if advanceHook(t, s, "n1", w, WebhookStep{To: new(at(8))}) {
			t.Error("who released it advanced")
		}
	})
}

func TestALeaseOfAWebhookEnds(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		w := mustHook(t, s)
		if c, err := s.ClaimWebhook(t.Context(), testScope, "n1", w, *w.Start, 50*time.Millisecond); err != nil || !c.Held {
			t.Fatal(c, err)
		}
		eventually(t, "the lease of a dead node ends", func() bool { return claimHook(t, s, "n2", w).Held })
		if advanceHook(t, s, "n1", w, WebhookStep{To: new(at(9))}) {
			t.Error("the dead one advanced")
		}
	})
}

func TestFailuresOfAWebhookAreEverybodysUntilItIsSetAgain(t *testing.T) {
	onEveryTwice(t, func(t *testing.T, s *Store) {
		w := mustHook(t, s)
		claimHook(t, s, "n1", w)
		if !advanceHook(t, s, "n1", w, WebhookStep{Failures: 3, Retry: time.Hour, BatchEnd: 8}) {
			t.Fatal("not advanced")
		}
		for _, owner := range []string{"n1", "n2"} {
			if c := claimHook(t, s, owner, w); c.Held || c.Wait > time.Hour || c.Wait < 50*time.Minute {
				t.Errorf("%s claimed %+v", owner, c)
			}
		}
		state, err := s.WebhookState(t.Context(), testScope, w)
		if until := time.Until(state.RetryAt.Time); err != nil || state.Failures != 3 || until < 50*time.Minute || state.Paused {
			t.Errorf("state %+v, %v", state, err)
		}
		w = setWebhook(t, s, protocol.WebhookConfig{URL: "https://a.example"}, NewWebhook{})
		if c := claimHook(t, s, "n2", w); !c.Held || c.Failures != 0 || c.BatchEnd != 0 || c.Position != at(5) {
			t.Errorf("set again, claimed %+v", c)
		}
		if !advanceHook(t, s, "n2", w, WebhookStep{Failures: 1, Retry: time.Millisecond, BatchEnd: 9}) {
			t.Fatal("not advanced")
		}
		var c WebhookCursor
		eventually(t, "the next attempt is due", func() bool { c = claimHook(t, s, "n1", w); return c.Held })
		if c.Failures != 1 || c.BatchEnd != 9 {
			t.Errorf("when due, claimed %+v", c)
		}
		if !advanceHook(t, s, "n1", w, WebhookStep{Pause: true}) {
			t.Fatal("not paused")
		}
		if c := claimHook(t, s, "n1", w); !c.Paused || c.Held {
			t.Errorf("paused, claimed %+v", c)
		}
		if state, err := s.WebhookState(t.Context(), testScope, w); err != nil || !state.Paused {
			t.Errorf("state %+v, %v", state, err)
		}
		w = setWebhook(t, s, protocol.WebhookConfig{URL: "https://a.example"}, NewWebhook{})
		if c := claimHook(t, s, "n1", w); !c.Held || c.Paused {
			t.Errorf("set again, claimed %+v", c)
		}
	})
}

func TestAWebhookThatIsSetUpAnewForgetsTheOldPlaceAndIgnoresOldNodes(t *testing.T) {
	onEveryTwice(t, func(t *testing.T, s *Store) {
		old := mustHook(t, s)
		claimHook(t, s, "n1", old)
		advanceHook(t, s, "n1", old, WebhookStep{To: new(at(7))})
		setWebhook(t, s, protocol.WebhookConfig{}, NewWebhook{})
		anew := setWebhook(t, s, protocol.WebhookConfig{URL: "https://b.example"}, NewWebhook{Secret: "s", Start: new(at(20))})
		if c := claimHook(t, s, "n2", anew); !c.Held || c.Position != at(20) {
			t.Errorf("claimed %+v", c)
		}
		if c := claimHook(t, s, "n1", old); c.Held || c.Wait <= 0 {
			t.Errorf("by the old configuration, claimed %+v", c)
		}
		if advanceHook(t, s, "n1", old, WebhookStep{To: new(at(8))}) {
			t.Error("the old one advanced")
		}
		if err := s.ForgetWebhook(t.Context(), testScope, old.SetUp); err != nil {
			t.Fatal(err)
		}
		if c := claimHook(t, s, "n2", anew); c.Position != at(20) {
			t.Error("the removal of the old one removed the new one")
		}
		if err := s.ForgetWebhook(t.Context(), testScope, anew.SetUp); err != nil {
			t.Fatal(err)
		}
		for _, key := range allKeys(t, s) {
			if strings.Contains(key, ":hook:") {
				t.Errorf("%s is left", key)
			}
		}
	})
}

func TestTheLastAttemptsOfAWebhookAreKept(t *testing.T) {
	onEveryTwice(t, func(t *testing.T, s *Store) {
		w := mustHook(t, s)
		if state, err := s.WebhookState(t.Context(), testScope, w); err != nil || len(state.Deliveries) != 0 || state.Deliveries == nil {
			t.Errorf("before any: %+v, %v", state, err)
		}
		claimHook(t, s, "n1", w)
		for i := range WebhookAttempts + 3 {
			advanceHook(t, s, "n1", w, WebhookStep{Attempt: &protocol.WebhookAttempt{HTTPStatus: 200 + i, Events: i, DurationMS: 9, Error: "no\nanswer at all"}})
		}
		advanceHook(t, s, "n1", w, WebhookStep{To: new(at(6))}) // nothing was sent
		state, err := s.WebhookState(t.Context(), testScope, w)
		if err != nil || len(state.Deliveries) != WebhookAttempts || state.Position != at(6) {
			t.Fatalf("state %+v, %v", state, err)
		}
		for i, d := range state.Deliveries {
			n := WebhookAttempts + 2 - i
			if d.HTTPStatus != 200+n || d.Events != n || d.DurationMS != 9 || d.Error != "no answer at all" || time.Since(d.Time.Time) > time.Hour {
				t.Errorf("%d: %+v", i, d)
			}
		}
	})
}
