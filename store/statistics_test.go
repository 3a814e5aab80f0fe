package store

import (
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"rollcall/protocol"
)

// setClock makes it a chosen time for a store, from now on.
func setClock(s *Store, at time.Time) { s.skew.Store(int64(time.Until(at))) }

// boundary is midnight of a day with which another stretch of 31 days begins,
// some weeks ahead: what is told of it is young enough.
func boundary() time.Time {
	day := (dayOf(time.Now())/31 + 2) * 31
	return time.Unix(day*86400, 0).UTC()
}

func tellAt(t testing.TB, s *Store, at time.Time, names ...string) {
	t.Helper()
	told := telling{id: newEffectID(), at: at, scope: testScope}
	for _, name := range names {
		told.events = append(told.events, toldEvent{name, uuid.NewString(), "{}"})
	}
	if err := s.appendFeed(t.Context(), told); err != nil {
		t.Fatal(err)
	}
}

func TestCountsFallIntoTheirMinuteHourAndDay(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		b := boundary()
		const (
			joined, login, failed, resumed = protocol.EventUserCreated, protocol.EventUserLogin, protocol.EventUserLoginFailed, protocol.EventUserResumed
			online, offline                = protocol.EventUserOnline, protocol.EventUserOffline
		)
		tellAt(t, s, b.Add(-time.Hour-time.Microsecond), joined)
		tellAt(t, s, b.Add(-time.Hour), joined, login, online)
		tellAt(t, s, b.Add(-time.Minute-time.Microsecond), login, online)
		tellAt(t, s, b.Add(-time.Minute), failed, offline)
		tellAt(t, s, b.Add(-time.Microsecond), resumed, online, online, offline)
		tellAt(t, s, b, login)
		tellAt(t, s, b.Add(time.Minute-time.Microsecond), login, protocol.EventUserUpdated, "user.unheard_of")
		tellAt(t, s, b.Add(time.Minute), login, offline)
		tellAt(t, s, b.Add(time.Hour), joined)

		step := func(at time.Time, joins, logins, failures, resumes, peak int64) protocol.StatStep {
			return protocol.StatStep{
				Time: protocol.Time{Time: at}, Joins: joins, Logins: logins, Failures: failures, Resumes: resumes, OnlinePeak: peak,
			}
		}
		const m, h, d = time.Minute, time.Hour, 24 * time.Hour
		tests := []struct {
			name     string
			from, to time.Time
			step     time.Duration
			want     []protocol.StatStep
		}{
			{"minutes before an hour", b.Add(-h - m), b.Add(-h + m), m, []protocol.StatStep{step(b.Add(-h-m), 1, 0, 0, 0, 0), step(b.Add(-h), 1, 1, 0, 0, 1)}},
			{"minutes over a day", b.Add(-2 * m), b.Add(2 * m), m, []protocol.StatStep{
				step(b.Add(-2*m), 0, 1, 0, 0, 2), step(b.Add(-m), 0, 0, 1, 1, 3), step(b, 0, 2, 0, 0, 0), step(b.Add(m), 0, 1, 0, 0, 1)}},
			{"hours over a day", b.Add(-2 * h), b.Add(2 * h), h, []protocol.StatStep{
				step(b.Add(-2*h), 1, 0, 0, 0, 0), step(b.Add(-h), 1, 2, 1, 1, 3), step(b, 0, 3, 0, 0, 1), step(b.Add(h), 1, 0, 0, 0, 0)}},
			{"days over a stretch of 31", b.Add(-2 * d), b.Add(2 * d), d, []protocol.StatStep{
				step(b.Add(-2*d), 0, 0, 0, 0, 0), step(b.Add(-d), 2, 2, 1, 1, 3), step(b, 1, 3, 0, 0, 1), step(b.Add(d), 0, 0, 0, 0, 0)}},
			{"from within a step, to its very end", b.Add(30 * time.Second), b.Add(m), m, []protocol.StatStep{step(b, 0, 2, 0, 0, 0)}},
			{"to within a step", b, b.Add(m + 1), m, []protocol.StatStep{step(b, 0, 2, 0, 0, 0), step(b.Add(m), 0, 1, 0, 0, 1)}},
			{"nothing", b, b, m, nil},
			{"backwards", b.Add(m), b, m, nil},
			{"another zone", b.In(time.FixedZone("", 5*3600+1800)), b.Add(h), h, []protocol.StatStep{step(b, 0, 3, 0, 0, 1)}},
		}
		for _, tt := range tests {
			got, err := s.StatSteps(t.Context(), testScope, tt.from, tt.to, tt.step)
			if !slices.Equal(got, tt.want) || err != nil {
				t.Errorf("%s: %v\ngot  %+v\nwant %+v", tt.name, err, got, tt.want)
			}
		}
		if got, err := s.StatSteps(t.Context(), testScope, b, b.AddDate(1, 0, 0), m); len(got) != protocol.MaxStatSteps || err != nil {
			t.Errorf("a year of minutes has %d steps, %v", len(got), err)
		}
		for _, bad := range []time.Duration{0, -m, time.Second, 2 * m, 7 * d} {
			if _, err := s.StatSteps(t.Context(), testScope, b, b.Add(h), bad); err == nil {
				t.Errorf("a step of %v is taken", bad)
			}
		}
		p := feedPartOf(testScope)
		for key, kept := range map[string]time.Duration{p.minutes(testScope, b): minutesKept, p.hours(testScope, b): hoursKept, p.days(testScope, b): daysKept} {
			if ttl := s.client.PTTL(t.Context(), key).Val(); ttl <= kept-time.Minute || ttl > kept {
				t.Errorf("%s is kept for %v, want %v", key, ttl, kept)
			}
		}
	})
}

func TestEventsThatAreTooOldAreNotToldAtAll(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		b := boundary()
		setClock(s, b.Add(tellingAge))
		tellAt(t, s, b.Add(-time.Second), protocol.EventUserLogin)
		tellAt(t, s, b.Add(time.Minute), protocol.EventUserLogin)
		steps, err := s.StatSteps(t.Context(), testScope, b.Add(-time.Minute), b.Add(2*time.Minute), time.Minute)
		if err != nil || len(steps) != 3 || steps[0].Logins != 0 || steps[2].Logins != 1 {
			t.Errorf("counted %+v, %v", steps, err)
		}
		if events, err := s.FeedAfter(t.Context(), testScope, 0, 10); len(events) != 1 || err != nil {
			t.Errorf("%d events, %v", len(events), err)
		}
	})
}

func TestOneCensusAMinuteNotesWhoIsOnline(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		ctx, b := t.Context(), boundary()
		if _, err := s.CreateScope(ctx, Scope{Name: testScope}); err != nil {
			t.Fatal(err)
		}
		for i := range 3 {
			mustLoginAt(t, s, mustCreate(t, s, newUser(fmt.Sprint("user", i))).ID, "lease1", fmt.Sprint(i))
		}
		// The counter has gone wrong, as when Redis lost an event.
		meta := feedPartOf(testScope).meta(testScope)
		s.client.HSet(ctx, meta, "n", 77)
		other := openSame(t, s)
		for minute := range 2 {
			at := b.Add(time.Duration(minute) * time.Minute)
			setClock(s, at.Add(time.Second))
			setClock(other, at.Add(time.Second))
			var taken atomic.Int64
			allTogether(6, func(i int) {
				st := s
				if i%2 == 1 {
					st = other
				}
				mine, err := st.TakeCensus(ctx)
				must(t, err)
				if mine {
					taken.Add(1)
				}
			})
			if taken.Load() != 1 {
				t.Errorf("minute %d was counted %d times", minute, taken.Load())
			}
		}
		if n := s.client.HGet(ctx, meta, "n").Val(); n != "3" {
			t.Errorf("the feed counts %s users online", n)
		}
		for _, tt := range []struct {
			step time.Duration
			want []int64
		}{{time.Minute, []int64{0, 3, 3}}, {time.Hour, []int64{0, 3}}, {24 * time.Hour, []int64{0, 3}}} {
			steps, err := s.StatSteps(ctx, testScope, b.Add(-tt.step), b.Add(90*time.Second), tt.step)
			var peaks []int64
			for _, st := range steps {
				peaks = append(peaks, st.OnlinePeak)
			}
			if !slices.Equal(peaks, tt.want) || err != nil {
				t.Errorf("peaks by %v: %v, %v; want %v", tt.step, peaks, err, tt.want)
			}
		}
		// A census does not lower a peak that was higher.
		tellAt(t, s, b.Add(time.Second), protocol.EventUserOnline)
		s.client.Del(ctx, censusKey(b.Unix()/60))
		setClock(s, b.Add(time.Second))
		if mine, err := s.TakeCensus(ctx); !mine || err != nil {
			t.Fatal(mine, err)
		}
		if steps, err := s.StatSteps(ctx, testScope, b, b.Add(time.Minute), time.Minute); err != nil || steps[0].OnlinePeak != 4 {
			t.Errorf("after a later census: %+v, %v", steps, err)
		}
	})
}
