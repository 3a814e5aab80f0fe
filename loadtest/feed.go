package loadtest

import (
	"rollcall/loadtest/report"
)

// feedOf compares what had to be in the feed with what each admin saw, account by
// account, so that one lost event is not made up for by another that came twice.
func feedOf(tallies []*tally) *report.Feed {
	f := &report.Feed{}
	for _, t := range tallies {
		for _, a := range t.Accounts {
			for i := range a.Acked {
				f.Logins += int64(a.Acked[i])
				f.Unknown += int64(a.Unknown[i])
			}
		}
	}
	for _, t := range tallies {
		for _, w := range t.Watchers {
			f.Watchers++
			f.Doubled += w.Doubled
			f.Disorder += w.Disorder
			f.Rejoined += w.Rejoined
			for _, n := range w.Seen {
				f.Seen += int64(n)
			}
			compare(f, tallies, w.Seen)
		}
	}
	if f.Watchers == 0 {
		return nil
	}
	return f
}

// compare adds what one admin lacks and what it saw too often.
func compare(f *report.Feed, tallies []*tally, seen counters) {
	for _, t := range tallies {
		for _, a := range t.Accounts {
			for i, acked := range a.Acked {
				var n uint32
				if at := a.First + i; at < len(seen) {
					n = seen[at]
				}
				if n < acked {
					f.Lost += int64(acked - n)
				}
				if most := acked + a.Unknown[i]; n > most {
					f.Doubled += int64(n - most)
				}
			}
		}
	}
}

// lostSince is how many events the admins lack of those that were acknowledged
// some time ago: the live figure, of sums. An event of a login that was never
// answered can hide a lost one in it; the comparison at the end is exact.
func lostSince(acked int64, seen []int64) (lost int64) {
	for _, n := range seen {
		lost += max(0, acked-n)
	}
	return lost
}
