package store

import (
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// theGuard locks after three wrong tries, for a minute at first.
var theGuard = Guard{Kind: "test", Key: "who\x00where", Limit: 3, Window: time.Hour, Base: time.Minute, Max: 4 * time.Minute}

func mustTry(t testing.TB, s *Store, g Guard) Try {
	t.Helper()
	try, wait, err := s.Try(t.Context(), g)
	if err != nil || wait != 0 {
		t.Fatalf("no try: wait %v, %v", wait, err)
	}
	return try
}

// wantLocked checks that a guard has those who try wait, not longer than most.
func wantLocked(t testing.TB, s *Store, g Guard, most time.Duration) {
	t.Helper()
	if _, wait, err := s.Try(t.Context(), g); err != nil || wait > most || wait < most-30*time.Second {
		t.Fatalf("wait %v, %v; want about %v", wait, err, most)
	}
}

// guardKeyOf returns the only guard's key.
func guardKeyOf(t testing.TB, s *Store) string {
	t.Helper()
	found := ""
	for _, key := range allKeys(t, s) {
		if strings.HasPrefix(key, "rc:guard:") {
			if found != "" {
				t.Fatalf("two guards: %s and %s", found, key)
			}
			found = key
		}
	}
	return found
}

// endLock moves the end of a guard's lock, and its tries, into the past.
func endLock(t testing.TB, s *Store, ago time.Duration) {
	t.Helper()
	key := guardKeyOf(t, s)
	now, err := s.client.Time(t.Context()).Result()
	if err != nil {
		t.Fatal(err)
	}
	at := now.Add(-ago).UnixMilli()
	fields := s.client.HGetAll(t.Context(), key).Val()
	for field := range fields {
		if field == "u" || strings.HasPrefix(field, "t:") {
			if err := s.client.HSet(t.Context(), key, field, at).Err(); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestAGuardLocksForTwiceAsLongEachTime(t *testing.T) {
	onEveryTwice(t, func(t *testing.T, s *Store) {
		for i, want := range []time.Duration{0, 0, time.Minute} {
			if try := mustTry(t, s, theGuard); try.Locked > want || try.Locked < want-30*time.Second {
				t.Errorf("try %d locks for %v, want %v", i+1, try.Locked, want)
			}
		}
		wantLocked(t, s, theGuard, time.Minute)
		for _, want := range []time.Duration{2 * time.Minute, 4 * time.Minute, 4 * time.Minute} {
			endLock(t, s, time.Second)
			mustTry(t, s, theGuard)
			wantLocked(t, s, theGuard, want)
			wantLocked(t, s, theGuard, want) // to be refused makes it no longer
		}
		another := theGuard
		another.Key = "another"
		mustTry(t, s, another)
		another.Kind = "kind"
		mustTry(t, s, another)
	})
}

func TestAGuardForgets(t *testing.T) {
	onEveryTwice(t, func(t *testing.T, s *Store) {
		mustTry(t, s, theGuard)
		mustTry(t, s, theGuard)
		endLock(t, s, theGuard.Window+time.Second) // tries that are older than the window
		mustTry(t, s, theGuard)
		mustTry(t, s, theGuard)
		if mustTry(t, s, theGuard).Locked == 0 {
			t.Error("three within the window did not lock")
		}
		endLock(t, s, theGuard.Window+time.Second) // a lock that ended before the window
		if mustTry(t, s, theGuard).Locked != 0 {
			t.Error("an old lock counts")
		}
	})
}

func TestATryThatWasRightClearsAGuard(t *testing.T) {
	onEveryTwice(t, func(t *testing.T, s *Store) {
		for range 3 {
			mustTry(t, s, theGuard)
		}
		endLock(t, s, time.Second)
		if err := s.Clear(t.Context(), mustTry(t, s, theGuard)); err != nil {
			t.Fatal(err)
		}
		if key := guardKeyOf(t, s); key != "" {
			t.Errorf("%s is left", key)
		}
		mustTry(t, s, theGuard)
		if try := mustTry(t, s, theGuard); try.Locked != 0 {
			t.Error("what was cleared counts")
		}
	})
}

func TestATryThatIsTakenBackDoesNotCount(t *testing.T) {
	onEveryTwice(t, func(t *testing.T, s *Store) {
		undo := func(try Try) {
			t.Helper()
			if err := s.Undo(t.Context(), try); err != nil {
				t.Fatal(err)
			}
		}
		for range 5 {
			undo(mustTry(t, s, theGuard))
		}
		mustTry(t, s, theGuard)
		mustTry(t, s, theGuard)
		locks := mustTry(t, s, theGuard)
		wantLocked(t, s, theGuard, time.Minute)
		undo(locks)
		undo(locks)
		mustTry(t, s, theGuard)
		wantLocked(t, s, theGuard, time.Minute)

		endLock(t, s, time.Second)
		undo(mustTry(t, s, theGuard)) // the second lock never was
		mustTry(t, s, theGuard)
		wantLocked(t, s, theGuard, 2*time.Minute)
	})
}

func TestTriesAtOnceAreNotMoreThanOneByOne(t *testing.T) {
	onEveryTwice(t, func(t *testing.T, s *Store) {
		var allowed atomic.Int64
		allTogether(50, func(int) {
			_, wait, err := s.Try(t.Context(), theGuard)
			switch {
			case err != nil:
				t.Error(err)
			case wait == 0:
				allowed.Add(1)
			}
		})
		if allowed.Load() != 3 {
			t.Errorf("%d tries, want 3", allowed.Load())
		}
	})
}

func TestAGuardIsKeptUnderAHashAndNotForGood(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		mustTry(t, s, theGuard)
		key := guardKeyOf(t, s)
		if strings.Contains(key, "who") || strings.Contains(key, "where") || strings.ContainsAny(key, "{}") {
			t.Errorf("the key is %s", key)
		}
		if ttl := s.client.PTTL(t.Context(), key).Val(); ttl <= 0 || ttl > theGuard.Window {
			t.Errorf("kept for %v, want the window", ttl)
		}
		mustTry(t, s, theGuard)
		mustTry(t, s, theGuard)
		if ttl := s.client.PTTL(t.Context(), key).Val(); ttl <= theGuard.Window || ttl > theGuard.Window+theGuard.Base {
			t.Errorf("kept for %v, want the window after the lock", ttl)
		}
	})
}
