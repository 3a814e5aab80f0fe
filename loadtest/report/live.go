package report

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"
)

// Live shows a run while it is on: on a terminal one block that is written over
// once a second, elsewhere a line now and then. It is safe for concurrent use.
type Live struct {
	// W is where it is shown.
	W io.Writer
	// Width returns the width of the terminal that W is; nil: W is none.
	Width func() int
	// Every is the number of seconds between two lines where W is no terminal.
	Every float64

	mu    sync.Mutex
	state state
	told  float64 // the second of the last line
	lines int     // of the block that stands on the terminal
}

// A state is what Live shows.
type state struct {
	phase       string
	done, total int64
	last        Sample
	errors      map[string]int64 // by status, since the run began
}

// Phase tells how far a phase has come: done of total, accounts or connections
// at first and seconds from the warm-up on. Where total is 0 nobody knows when it
// ends.
func (l *Live) Phase(name string, done, total int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	began := name != l.state.phase
	l.state.phase, l.state.done, l.state.total = name, done, total
	switch {
	case l.Width != nil:
		l.draw()
	case began:
		fmt.Fprintln(l.W, phaseName(name))
	}
}

// Sample tells what happened in a second.
func (l *Live) Sample(s Sample) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.state.add(s)
	switch {
	case l.Width != nil:
		l.draw()
	case s.Second-l.told >= l.Every-0.5: // samples are not quite a second apart
		l.told = s.Second
		fmt.Fprintln(l.W, l.state.line())
	}
}

// Write lets others write to W, such as a log: what they write stands above the
// block, which comes again with the next sample.
func (l *Live) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	fmt.Fprint(l.W, l.wipe())
	l.lines = 0
	return l.W.Write(p)
}

// Close wipes the block, if there is one.
func (l *Live) Close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	fmt.Fprint(l.W, l.wipe())
	l.lines = 0
}

// wipe returns what brings the cursor to where the block began, and the end of
// the screen with it.
func (l *Live) wipe() string {
	if l.lines == 0 {
		return ""
	}
	return fmt.Sprintf("\x1b[%dA\r\x1b[J", l.lines)
}

// draw writes the block over the one that stands there. One write, so that it
// does not flicker.
func (l *Live) draw() {
	block := l.state.block(l.Width())
	fmt.Fprint(l.W, l.wipe()+block)
	l.lines = strings.Count(block, "\n")
}

func (s *state) add(sample Sample) {
	s.last = sample
	for status, n := range sample.Errors {
		if s.errors == nil {
			s.errors = map[string]int64{}
		}
		s.errors[status] += n
	}
}

// block returns the state in lines of which none is wider than the terminal.
func (s *state) block(width int) string {
	rows := []string{phaseText(s.phase, s.done, s.total)}
	rows = append(rows, fmt.Sprintf("%6.0f s  %s", s.last.Second, plural(s.last.Connections, "connection", "connections")))
	if len(s.last.Operations) > 0 {
		g := &grid{names: 1}
		g.add("operation", "rate", "errors", "p50", "p99", "max")
		for _, name := range slices.Sorted(maps.Keys(s.last.Operations)) {
			o := s.last.Operations[name]
			g.add(append([]string{name, countText(o.Done) + "/s", countText(o.Errors)}, o.latencies()...)...)
		}
		var b strings.Builder
		g.write(&b, Plain)
		rows = append(rows, strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n")...)
	}
	if len(s.errors) > 0 {
		rows = append(rows, "errors so far: "+statusText(s.errors))
	}
	if s.last.LostEvents > 0 {
		rows = append(rows, "events lost: "+countText(s.last.LostEvents))
	}
	for i, row := range rows {
		rows[i] = cut(row, width)
	}
	return strings.Join(rows, "\n") + "\n"
}

// line returns the state in one line.
func (s *state) line() string {
	parts := []string{fmt.Sprintf("%.0f s", s.last.Second), s.last.Phase, plural(s.last.Connections, "connection", "connections")}
	for _, name := range slices.Sorted(maps.Keys(s.last.Operations)) {
		o := s.last.Operations[name]
		part := fmt.Sprintf("%s %s/s", name, countText(o.Done))
		if o.Done > 0 {
			part += fmt.Sprintf(" p50 %s p99 %s", o.latencies()[0], o.latencies()[1])
		}
		parts = append(parts, part)
	}
	if len(s.errors) > 0 {
		parts = append(parts, "errors so far "+statusText(s.errors))
	}
	if s.last.LostEvents > 0 {
		parts = append(parts, "events lost "+countText(s.last.LostEvents))
	}
	return strings.Join(parts, "; ")
}

// latencies are p50, p99 and the longest.
func (o OpSample) latencies() []string {
	if o.Done == 0 {
		return []string{absent, absent, absent}
	}
	return []string{latencyText(fromMilliseconds(o.P50)), latencyText(fromMilliseconds(o.P99)), latencyText(fromMilliseconds(o.Max))}
}

// phaseNames say what goes on.
var phaseNames = map[string]string{
	PhasePrepare: "preparing accounts",
	PhaseRamp:    "opening connections",
	PhaseWarmup:  "warming up",
	PhaseMeasure: "measuring",
	PhaseDrain:   "waiting for what is under way",
}

func phaseName(name string) string {
	if text, ok := phaseNames[name]; ok {
		return text
	}
	return name
}

func phaseText(name string, done, total int64) string {
	text := phaseName(name)
	if total <= 0 {
		return text
	}
	unit := ""
	if name == PhaseWarmup || name == PhaseMeasure || name == PhaseDrain {
		unit = " s"
	}
	const width = 30
	full := int(min(max(done, 0), total) * width / total)
	return fmt.Sprintf("%s [%s%s] %s of %s%s", text, strings.Repeat("#", full), strings.Repeat(".", width-full), countText(done), countText(total), unit)
}

// cut returns what of a line fits a width.
func cut(line string, width int) string {
	if width <= 0 || utf8.RuneCountInString(line) < width {
		return line
	}
	return string([]rune(line)[:width-1])
}
