package loadtest

import (
	"context"
	"math"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"
)

func TestEvenMomentsComeAtTheirRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClock()
		var got []moment
		schedule{rate: 4}.run(t.Context(), c, moment(time.Second), moment(2*time.Second), 0, func(at moment, late bool) {
			if late || c.now() != at {
				t.Errorf("at %v, late %v, begun at %v", at, late, c.now())
			}
			got = append(got, at)
		})
		if len(got) != 4 || got[0] != moment(time.Second) || got[3] != moment(1750*time.Millisecond) {
			t.Errorf("%v", got)
		}
	})
}

func TestAScheduleThatFellBehindCatchesUpAndKeepsItsMoments(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClock()
		n, tooLate := 0, 0
		schedule{rate: 10}.run(t.Context(), c, 0, moment(5*time.Second), 0, func(at moment, late bool) {
			if want := moment(n) * moment(100*time.Millisecond); at != want {
				t.Errorf("the %d. is meant for %v, want %v", n, at, want)
			}
			if late {
				tooLate++
			}
			if n == 10 { // the one who begins them is held up once, from 1 s to 4 s
				time.Sleep(3 * time.Second)
			}
			n++
		})
		if n != 50 {
			t.Errorf("%d begun, want none left out", n)
		}
		// Those meant for 1.1 s to 2.9 s begin at 4 s, more than a second late.
		if tooLate != 19 {
			t.Errorf("%d too late, want 19", tooLate)
		}
	})
}

func TestRandomMomentsAreAsManyOnAverageAndTheSameForASeed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		moments := func(seed uint64) (all []moment) {
			c := newClock()
			s := schedule{rate: 1000, random: rand.New(rand.NewPCG(seed, 0))}
			s.run(t.Context(), c, 0, moment(10*time.Second), 0, func(at moment, _ bool) { all = append(all, at) })
			return all
		}
		first, again, other := moments(1), moments(1), moments(2)
		// A Poisson count of 10,000 has a standard deviation of 100.
		if n := float64(len(first)); math.Abs(n-10_000) > 500 {
			t.Errorf("%v moments", n)
		}
		if len(first) != len(again) || first[100] != again[100] || first[100] == other[100] {
			t.Error("the seed does not decide")
		}
	})
}

func TestAScheduleEndsWithItsContextItsEndOrItsLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		n := 0
		schedule{rate: 1}.run(ctx, newClock(), 0, 0, 0, func(moment, bool) {
			if n++; n == 3 {
				cancel()
			}
		})
		if n != 3 {
			t.Errorf("%d after its context's end", n)
		}
		n = 0
		schedule{rate: 1}.run(t.Context(), newClock(), 0, 0, 5, func(moment, bool) { n++ })
		if n != 5 {
			t.Errorf("%d with a limit of 5", n)
		}
		schedule{}.run(t.Context(), newClock(), 0, 0, 5, func(moment, bool) { t.Error("without a rate something begins") })
	})
}
