// Package turns measures contestants beside one another, such as Rollcall and a
// reference of package bare, on a machine whose speed changes by the hour.
//
// An iteration of the benchmark is a round, in which every contestant does a fixed
// amount of work, one after another. A figure is the median of the rounds, and a
// ratio is the median of the rounds' ratios: a machine that slows down slows both.
// Five rounds (-benchtime 5x) are the least that says something. Only benchmarks
// import this package.
package turns

import (
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// A Contestant does its share of a round.
type Contestant struct {
	Name string
	Run  func() Share
}

// A Share is what one contestant did in one round.
type Share struct {
	Count   int
	Took    time.Duration
	CPU     time.Duration      // 0: not measured
	Figures map[string]float64 // more that was measured, by unit
}

// values are all that is reported of a share, by unit.
func (s Share) values(unit string) map[string]float64 {
	all := map[string]float64{}
	maps.Copy(all, s.Figures)
	if unit != "" {
		all[unit] = float64(s.Count) / s.Took.Seconds()
	}
	if s.CPU > 0 {
		all["CPU-s/M"] = s.CPU.Seconds() * 1e6 / float64(s.Count)
	}
	return all
}

// Run runs rounds until the benchmark has enough. The first contestant is the
// reference. Reported are, of each contestant: how many it did a second, in that
// unit; how many seconds of CPU time a million would take; and its Figures; each as
// "ours:ops/s", and as a ratio to the reference's, "ours:ops/s-of-bare". Where the
// rate is given and not measured, unit is "".
func Run(b *testing.B, unit string, contestants ...Contestant) {
	shares := make([][]Share, len(contestants))
	backwards := false
	for b.Loop() {
		for n := range contestants {
			if backwards {
				n = len(contestants) - 1 - n
			}
			shares[n] = append(shares[n], contestants[n].Run())
			if b.Failed() {
				b.FailNow()
			}
		}
		backwards = !backwards
	}
	b.ReportMetric(0, "ns/op") // a round's, which says nothing
	for n, c := range contestants {
		values := map[string][]float64{}
		for round, s := range shares[n] {
			reference := shares[0][round].values(unit)
			for unit, v := range s.values(unit) {
				values[unit] = append(values[unit], v)
				if r, ok := reference[unit]; ok && n > 0 {
					ratio := unit + "-of-" + contestants[0].Name
					values[ratio] = append(values[ratio], v/r)
				}
			}
		}
		for unit, v := range values {
			b.ReportMetric(Median(v), c.Name+":"+unit)
		}
	}
}

// Measure times a share of work in this process.
func Measure(count int, work func()) Share {
	cpu, began := CPU(), time.Now()
	work()
	return Share{Count: count, Took: time.Since(began), CPU: CPU() - cpu}
}

// Together lets so many callers call f until it was called count times, and
// reports the 99th percentile of a call, p99-ms, too. i counts from 1 over all
// callers. An error ends the benchmark.
func Together(b *testing.B, callers, count int, f func(caller, i int) error) Share {
	took := make([][]time.Duration, callers)
	s := Measure(count, func() {
		var next atomic.Int64
		var done sync.WaitGroup
		for caller := range callers {
			done.Go(func() {
				for i := int(next.Add(1)); i <= count; i = int(next.Add(1)) {
					began := time.Now()
					if err := f(caller, i); err != nil {
						b.Error(err)
						return
					}
					took[caller] = append(took[caller], time.Since(began))
				}
			})
		}
		done.Wait()
	})
	if b.Failed() {
		b.FailNow()
	}
	s.Figures = map[string]float64{"p99-ms": Percentile(slices.Concat(took...), 0.99)}
	return s
}

// CPU is what this process has used, in user and system mode.
func CPU() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err) // there is no such error for the own process
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// Median returns the upper median.
func Median(values []float64) float64 {
	return slices.Sorted(slices.Values(values))[len(values)/2]
}

// Percentile returns the value below which that part of them lies, in
// milliseconds. It sorts them.
func Percentile(took []time.Duration, part float64) float64 {
	slices.Sort(took)
	return float64(took[int(float64(len(took)-1)*part)].Microseconds()) / 1000
}
