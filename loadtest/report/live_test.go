package report

import (
	"fmt"
	"strings"
	"testing"
)

// liveSamples are three seconds of a run.
func liveSamples() []Sample {
	return []Sample{
		{Second: 1, Phase: PhaseRamp, Connections: 500, Operations: map[string]OpSample{"connect": {Done: 500, P50: 1.2, P99: 8, Max: 14}}},
		{Second: 2, Phase: PhaseMeasure, Connections: 1000, Operations: map[string]OpSample{"users.get": {Done: 4990, Errors: 10, P50: 0.4, P99: 3, Max: 12}},
			Errors: map[string]int64{"809": 7, "timeout": 3}},
		{Second: 3, Phase: PhaseMeasure, Connections: 1, Operations: map[string]OpSample{"users.get": {Errors: 5}}, Errors: map[string]int64{"timeout": 5}, LostEvents: 2},
	}
}

func TestElsewhereThanOnATerminalALineIsPrintedNowAndThen(t *testing.T) {
	var out strings.Builder
	l := &Live{W: &out, Every: 2}
	l.Phase(PhaseRamp, 0, 1000)
	l.Phase(PhaseRamp, 500, 1000)
	for _, s := range liveSamples() {
		l.Sample(s)
	}
	l.Phase(PhaseMeasure, 0, 0)
	l.Sample(Sample{Second: 5, Phase: PhaseMeasure, LostEvents: 2})
	l.Close()
	want := `opening connections
2 s; measure; 1,000 connections; users.get 4,990/s p50 400 µs p99 3.00 ms; errors so far 7 × 809, 3 × timeout
measuring
5 s; measure; 0 connections; errors so far 8 × timeout, 7 × 809; events lost 2
`
	if out.String() != want {
		t.Errorf("printed\n%s\nwant\n%s", &out, want)
	}
}

func TestOnATerminalABlockIsWrittenOverAndAtLastWiped(t *testing.T) {
	var out strings.Builder
	l := &Live{W: &out, Width: func() int { return 80 }}
	l.Phase(PhaseMeasure, 5, 20)
	first := out.String()
	if want := "measuring [#######.......................] 5 of 20 s\n     0 s  0 connections\n"; first != want {
		t.Errorf("printed\n%q\nwant\n%q", first, want)
	}
	for _, s := range liveSamples() {
		out.Reset()
		l.Sample(s)
	}
	want := "\x1b[5A\r\x1b[J" + `measuring [#######.......................] 5 of 20 s
     3 s  1 connection
operation  rate  errors  p50  p99  max
users.get   0/s       5    -    -    -
errors so far: 8 × timeout, 7 × 809
events lost: 2
`
	if out.String() != want {
		t.Errorf("printed\n%q\nwant\n%q", out.String(), want)
	}
	out.Reset()
	l.Close()
	if got := out.String(); got != "\x1b[6A\r\x1b[J" {
		t.Errorf("at the end %q", got)
	}
	out.Reset()
	l.Close()
	if out.Len() != 0 {
		t.Errorf("closed again it printed %q", &out)
	}
}

func TestALogStandsAboveTheBlock(t *testing.T) {
	var out strings.Builder
	l := &Live{W: &out, Width: func() int { return 80 }}
	l.Phase("x", 0, 0)
	out.Reset()
	fmt.Fprintln(l, "something happened")
	l.Phase("x", 1, 0)
	if got, want := out.String(), "\x1b[2A\r\x1b[Jsomething happened\nx\n     0 s  0 connections\n"; got != want {
		t.Errorf("printed %q, want %q", got, want)
	}
}

func TestNoLineOfTheBlockIsWiderThanTheTerminal(t *testing.T) {
	s := state{phase: PhaseMeasure, done: 1, total: 2}
	for _, sample := range liveSamples() {
		s.add(sample)
	}
	for _, width := range []int{1, 20, 40} {
		for line := range strings.Lines(s.block(width)) {
			if n := len([]rune(strings.TrimSuffix(line, "\n"))); n >= max(width, 1) {
				t.Errorf("width %d: %d characters: %q", width, n, line)
			}
		}
	}
	if block := s.block(0); !strings.Contains(block, "events lost: 2") {
		t.Errorf("of a terminal whose width is not known\n%s", block)
	}
}

func TestProgressStaysWithinItsBar(t *testing.T) {
	for _, tt := range []struct {
		done, total int64
		want        string
	}{
		{-1, 10, "x [..............................] -1 of 10"},
		{0, 0, "x"}, {3, -1, "x"},
		{20, 10, "x [##############################] 20 of 10"},
	} {
		if got := phaseText("x", tt.done, tt.total); got != tt.want {
			t.Errorf("%d of %d: %s", tt.done, tt.total, got)
		}
	}
}

func ExampleLive() {
	var out strings.Builder
	l := &Live{W: &out, Every: 1}
	l.Phase(PhaseRamp, 0, 0)
	l.Sample(Sample{Second: 1, Phase: PhaseRamp, Connections: 1000})
	l.Close()
	fmt.Print(out.String())
	// Output:
	// opening connections
	// 1 s; ramp; 1,000 connections
}
