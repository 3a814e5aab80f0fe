package server_test

import (
	"slices"
	"syscall"
	"testing"
	"time"
)

// The benchmarks whose names begin with BenchmarkRow measure what README.md's
// table of performance has, a row each: Rollcall beside a reference (package
// bare) that does the same work with nothing of ours. `make bench` runs them.
//
// An iteration is a round in which every contestant does a fixed amount of work,
// one after another. A figure is the median of the rounds, and a ratio is the
// median of the rounds' ratios, so that a machine that slows down slows both.
// Five rounds (-benchtime 5x) is the least that says something.

// A contestant does its share of a round.
type contestant struct {
	name string
	run  func() share
}

// A share is what one contestant did in one round.
type share struct {
	count   int
	took    time.Duration
	cpu     time.Duration      // of the process that the row is about
	figures map[string]float64 // by unit
}

// inTurns runs rounds and reports, of each contestant, how many it did a second
// and the median of each figure; of all but the first, which is the reference,
// also the ratio to it; and how many seconds of CPU time a million takes. Where
// the rate is given and not measured, unit is "".
func inTurns(b *testing.B, unit string, contestants ...contestant) {
	shares := make([][]share, len(contestants))
	backwards := false
	for b.Loop() {
		for n := range contestants {
			if backwards {
				n = len(contestants) - 1 - n
			}
			shares[n] = append(shares[n], contestants[n].run())
			if b.Failed() {
				b.FailNow()
			}
		}
		backwards = !backwards
	}
	b.ReportMetric(0, "ns/op") // a round's, which says nothing
	for n, c := range contestants {
		var rates, ratios, cpu []float64
		figures := map[string][]float64{}
		for round, s := range shares[n] {
			reference := shares[0][round]
			rates = append(rates, s.rate())
			ratios = append(ratios, s.rate()/reference.rate())
			cpu = append(cpu, s.cpu.Seconds()*1e6/float64(s.count))
			for unit, v := range s.figures {
				figures[unit] = append(figures[unit], v)
			}
		}
		if unit != "" {
			b.ReportMetric(median(rates), c.name+":"+unit)
		}
		if unit != "" && n > 0 {
			b.ReportMetric(median(ratios), c.name+":of-"+contestants[0].name)
		}
		if cpu[0] > 0 {
			b.ReportMetric(median(cpu), c.name+":CPU-s/M")
		}
		for unit, values := range figures {
			b.ReportMetric(median(values), c.name+":"+unit)
		}
	}
}

func (s share) rate() float64 { return float64(s.count) / s.took.Seconds() }

// measured times one contestant's round of work in this process.
func measured(count int, work func()) share {
	cpu, began := cpuTime(), time.Now()
	work()
	return share{count: count, took: time.Since(began), cpu: cpuTime() - cpu}
}

// cpuTime is what this process has used, in user and system mode.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// percentile returns the value below which that part of them lies, in
// milliseconds. It sorts them.
func percentile(took []time.Duration, part float64) float64 {
	slices.Sort(took)
	return float64(took[int(float64(len(took)-1)*part)].Microseconds()) / 1000
}
