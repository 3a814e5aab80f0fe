package store

import (
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

func allowMail(t testing.TB, s *Store, scope, email string, limit int, window time.Duration) (bool, time.Duration) {
	t.Helper()
	ok, wait, err := s.AllowMail(t.Context(), scope, email, limit, window)
	if err != nil {
		t.Fatal(err)
	}
	if ok != (wait == 0) || wait < 0 || wait > window {
		t.Errorf("allowed %v, wait %v", ok, wait)
	}
	return ok, wait
}

// mailKeyOf returns the only key that counts mails.
func mailKeyOf(t testing.TB, s *Store) string {
	t.Helper()
	var found []string
	for _, key := range allKeys(t, s) {
		if strings.HasPrefix(key, "rc:mailrate:") {
			found = append(found, key)
		}
	}
	if len(found) != 1 {
		t.Fatalf("keys are %q", found)
	}
	return found[0]
}

func TestAnAddressGetsAsManyMailsAsTheLimitSays(t *testing.T) {
	onEveryTwice(t, func(t *testing.T, s *Store) {
		var allowed atomic.Int64
		allTogether(50, func(i int) {
			email := []string{"tina@home.com", "Tina@Home.com", "TINA@HOME.COM"}[i%3]
			if ok, _ := allowMail(t, s, testScope, email, 5, time.Hour); ok {
				allowed.Add(1)
			}
		})
		if allowed.Load() != 5 {
			t.Errorf("%d mails are allowed", allowed.Load())
		}
		key := mailKeyOf(t, s)
		if strings.Contains(key, "tina") || strings.Contains(key, "home") || strings.ContainsAny(key, "{}") {
			t.Errorf("key is %s", key)
		}
		if ttl := s.client.PTTL(t.Context(), key).Val(); ttl <= 0 || ttl > time.Hour {
			t.Errorf("kept for %v", ttl)
		}
		if n := s.client.ZCard(t.Context(), key).Val(); n != 5 {
			t.Errorf("%d mails are kept", n)
		}
		for what, ok := range map[string]bool{
			"another address": first(allowMail(t, s, testScope, "tim@home.com", 5, time.Hour)),
			"another scope":   first(allowMail(t, s, "other", "tina@home.com", 5, time.Hour)),
			"a higher limit":  first(allowMail(t, s, testScope, "tina@home.com", 6, time.Hour)),
		} {
			if !ok {
				t.Errorf("%s is refused", what)
			}
		}
		for _, limit := range []int{0, -1, 3} {
			if ok, _ := allowMail(t, s, testScope, "tina@home.com", limit, time.Hour); ok {
				t.Errorf("allowed with a limit of %d", limit)
			}
		}
	})
}

func first(ok bool, _ time.Duration) bool { return ok }

// Time passes by making what is kept older.
func TestTheWindowOfMailsSlides(t *testing.T) {
	onEveryTwice(t, func(t *testing.T, s *Store) {
		const limit, window = 3, time.Hour
		ask := func() (bool, time.Duration) { return allowMail(t, s, testScope, "tina@home.com", limit, window) }
		pass := func(d time.Duration) {
			key := mailKeyOf(t, s)
			for _, mail := range s.client.ZRangeWithScores(t.Context(), key, 0, -1).Val() {
				mail.Score -= float64(d.Milliseconds())
				s.client.ZAdd(t.Context(), key, redis.Z{Score: mail.Score, Member: mail.Member})
			}
		}
		wantWait := func(want time.Duration) {
			t.Helper()
			if ok, wait := ask(); ok || wait > want || wait < want-time.Minute {
				t.Errorf("allowed %v, wait %v, want %v", ok, wait, want)
			}
		}
		for range limit {
			if ok, _ := ask(); !ok {
				t.Error("refused below the limit")
			}
			pass(10 * time.Minute)
		}
		wantWait(30 * time.Minute)
		pass(20 * time.Minute)
		wantWait(10 * time.Minute)
		pass(10 * time.Minute) // the first one is an hour old
		if ok, _ := ask(); !ok {
			t.Error("refused when the first one has left the window")
		}
		wantWait(10 * time.Minute)
		// With a lower limit, more of them have to leave.
		if ok, wait := allowMail(t, s, testScope, "tina@home.com", 1, window); ok || wait < 59*time.Minute {
			t.Errorf("allowed %v, wait %v", ok, wait)
		}
	})
}

func TestAShortWindowEnds(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		const window = 50 * time.Millisecond
		allowMail(t, s, testScope, "tina@home.com", 1, window)
		eventually(t, "the window ends", func() bool {
			ok, _ := allowMail(t, s, testScope, "tina@home.com", 1, window)
			return ok
		})
	})
}
