package server_test

import (
	"math"
	"slices"
	"testing"
)

// mannWhitney compares two samples by rank: u counts the pairs in which the one
// of x is the greater, ties by half, and p is the two-sided probability of a u
// as far from the middle if both are from one distribution. It is the normal
// approximation with corrections for ties and continuity (Mann and Whitney,
// 1947; Lehmann, Nonparametrics, section 1.4), which is good from 20 samples on.
func mannWhitney(x, y []float64) (u, p float64) {
	type value struct {
		v     float64
		first bool
	}
	var all []value
	for _, v := range x {
		all = append(all, value{v, true})
	}
	for _, v := range y {
		all = append(all, value{v, false})
	}
	slices.SortFunc(all, func(a, b value) int {
		switch {
		case a.v < b.v:
			return -1
		case a.v > b.v:
			return 1
		}
		return 0
	})
	ranks, ties := 0.0, 0.0
	for from := 0; from < len(all); {
		to := from + 1
		for to < len(all) && all[to].v == all[from].v {
			to++
		}
		same := float64(to - from)
		ties += same*same*same - same
		for _, a := range all[from:to] {
			if a.first {
				ranks += float64(from+to+1) / 2 // the middle of their ranks, from 1
			}
		}
		from = to
	}
	n, m := float64(len(x)), float64(len(y))
	u = ranks - n*(n+1)/2
	variance := n * m / 12 * (n + m + 1 - ties/((n+m)*(n+m-1)))
	if variance == 0 {
		return u, 1 // all are the same
	}
	z := max(0, math.Abs(u-n*m/2)-0.5) / math.Sqrt(variance)
	return u, math.Erfc(z / math.Sqrt2)
}

func TestRanksTellSamplesApart(t *testing.T) {
	run := func(from, step float64, n int) (x []float64) {
		for i := range n {
			x = append(x, from+step*float64(i))
		}
		return x
	}
	tests := []struct {
		name      string
		x, y      []float64
		u         float64
		atMost    float64 // p
		atLeast   float64
		symmetric float64 // u of y and x
	}{
		{"by hand", []float64{1, 3, 5}, []float64{2, 4, 6}, 3, 1, 0.5, 6},
		{"with ties by hand", []float64{1, 2, 2}, []float64{2, 3}, 1, 0.5, 0.2, 5},
		{"the same", run(0, 1, 100), run(0, 1, 100), 5000, 1, 0.99, 5000},
		{"all alike", run(1, 0, 50), run(1, 0, 50), 1250, 1, 1, 1250},
		{"apart", run(0, 1, 50), run(1000, 1, 50), 0, 1e-15, 0, 2500},
		// A shift by a tenth of the range, of 200: 16,110 pairs and 180 ties, the
		// deviation is 1156, and z 3.29.
		{"shifted", run(0, 1, 200), run(20, 1, 200), 16200, 0.00102, 0.00101, 23800},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			u, p := mannWhitney(tt.x, tt.y)
			back, q := mannWhitney(tt.y, tt.x)
			if u != tt.u || back != tt.symmetric || p > tt.atMost || p < tt.atLeast || p != q {
				t.Errorf("u %v, p %v, back %v, %v; want u %v, p from %v to %v, back %v", u, p, back, q, tt.u, tt.atLeast, tt.atMost, tt.symmetric)
			}
		})
	}
}
