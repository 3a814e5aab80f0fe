package turns_test

import (
	"flag"
	"maps"
	"slices"
	"testing"
	"time"

	"rollcall/loadtest/bare/turns"
)

func TestARatioIsTakenWithinARound(t *testing.T) {
	if err := flag.Set("test.benchtime", "5x"); err != nil {
		t.Fatal(err)
	}
	// A machine that is slower from round to round, on which we are half as fast
	// as the reference but for one round.
	var order []string
	took := func(name string, each ...time.Duration) turns.Contestant {
		round := 0
		return turns.Contestant{Name: name, Run: func() turns.Share {
			order = append(order, name)
			round++
			return turns.Share{
				Count: 100, Took: each[round-1], CPU: 10 * time.Millisecond,
				Figures: map[string]float64{"p99-ms": float64(round)},
			}
		}}
	}
	const s = time.Second
	r := testing.Benchmark(func(b *testing.B) {
		turns.Run(b, "ops/s",
			took("bare", 1*s, 2*s, 4*s, 5*s, 10*s),
			took("ours", 2*s, 4*s, 8*s, 50*s, 20*s),
		)
	})
	want := map[string]float64{
		"bare:ops/s": 25, "bare:CPU-s/M": 100, "bare:p99-ms": 3,
		"ours:ops/s": 12.5, "ours:CPU-s/M": 100, "ours:p99-ms": 3,
		"ours:ops/s-of-bare": 0.5, "ours:CPU-s/M-of-bare": 1, "ours:p99-ms-of-bare": 1,
		"ns/op": 0,
	}
	if !maps.Equal(r.Extra, want) {
		t.Errorf("got %v, want %v", r.Extra, want)
	}
	if want := []string{"bare", "ours", "ours", "bare", "bare", "ours", "ours", "bare", "bare", "ours"}; !slices.Equal(order, want) {
		t.Errorf("the order was %v, want %v", order, want)
	}
}

func TestAPercentileOfATinySampleIsOneOfItsValues(t *testing.T) {
	if got := turns.Percentile([]time.Duration{7 * time.Millisecond}, 0.99); got != 7 {
		t.Errorf("got %v ms", got)
	}
	if got := turns.Percentile([]time.Duration{3 * time.Millisecond, time.Millisecond, 2 * time.Millisecond}, 0.5); got != 2 {
		t.Errorf("got %v ms", got)
	}
}
