package report

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// A Comparison holds the runs of b against those of a.
type Comparison struct {
	RunsA int   `json:"runs_a"`
	RunsB int   `json:"runs_b"`
	Rows  []Row `json:"rows"`
	// Partial is set where a run of either side ended before its plan did.
	Partial bool `json:"partial,omitzero"`
}

// A Row compares one measure.
type Row struct {
	Operation string  `json:"operation,omitzero"` // empty: of the servers as a whole
	Measure   Measure `json:"measure"`
	A         *Spread `json:"a,omitzero"` // nil: no run of a has it
	B         *Spread `json:"b,omitzero"`
	// Ratio is B's median divided by A's; its bounds are B's least by A's most
	// and B's most by A's least. Nil where one side is missing or A has a 0.
	Ratio   *Spread `json:"ratio,omitzero"`
	Verdict Verdict `json:"verdict"`
}

// A Spread is what several runs say of one measure: of one run, three times the same.
type Spread struct {
	Min    float64 `json:"min"`
	Median float64 `json:"median"`
	Max    float64 `json:"max"`
}

// A Measure is what is compared.
type Measure string

// The measures.
const (
	MeasureRate   Measure = "rate"   // done a second
	MeasureP50    Measure = "p50"    // milliseconds
	MeasureP99    Measure = "p99"    // milliseconds
	MeasureErrors Measure = "errors" // number
	MeasureMemory Measure = "memory" // bytes per connection, of the server with the most
	MeasureCPU    Measure = "cpu"    // seconds per million operations, of all servers
)

// A Verdict is what a comparison comes to.
type Verdict string

// The verdicts.
const (
	Better    Verdict = "better"
	Worse     Verdict = "worse"
	Same      Verdict = "the same"
	Noise     Verdict = "within noise"  // the spreads of both sides overlap
	Single    Verdict = "one run each"  // nobody knows the noise
	MissingIn Verdict = "not in both"   // one side has no such number
	NoVerdict Verdict = "no comparison" // neither has
)

// Compare compares reports of a with those of b, several of each side where the
// runs were repeated.
func Compare(a, b []*Report) Comparison {
	c := Comparison{RunsA: len(a), RunsB: len(b), Rows: []Row{}}
	for _, r := range slices.Concat(a, b) {
		c.Partial = c.Partial || r.Partial != ""
	}
	for _, name := range operationNames(a, b) {
		for _, m := range []Measure{MeasureRate, MeasureP50, MeasureP99, MeasureErrors} {
			c.add(a, b, Row{Operation: name, Measure: m}, func(r *Report) (float64, bool) { return r.operation(name).measure(m) })
		}
	}
	c.add(a, b, Row{Measure: MeasureMemory}, func(r *Report) (float64, bool) {
		n := r.memory(KindServer, ProcessSummary.perConnection)
		return n, n > 0
	})
	c.add(a, b, Row{Measure: MeasureCPU}, func(r *Report) (float64, bool) {
		n := r.cpuPerMillion(KindServer)
		return n, n > 0
	})
	return c
}

// operationNames are those of all reports, in the order of their first appearance.
func operationNames(a, b []*Report) []string {
	var names []string
	for _, r := range slices.Concat(a, b) {
		for _, o := range r.Operations {
			if !slices.Contains(names, o.Name) {
				names = append(names, o.Name)
			}
		}
	}
	return names
}

// measure returns one number of an operation, if it was done.
func (o *Operation) measure(m Measure) (float64, bool) {
	if o == nil {
		return 0, false
	}
	switch m {
	case MeasureRate:
		return o.rate(), o.Seconds > 0
	case MeasureP50:
		return milliseconds(o.Latency.Quantile(0.5)), o.Latency.Count() > 0
	case MeasureP99:
		return milliseconds(o.Latency.Quantile(0.99)), o.Latency.Count() > 0
	}
	return float64(o.failed()), true
}

// add appends a row, unless no report has its measure.
func (c *Comparison) add(a, b []*Report, row Row, of func(*Report) (float64, bool)) {
	row.A, row.B = spreadOf(a, of), spreadOf(b, of)
	row.judge(len(a) == 1 || len(b) == 1)
	if row.Verdict != NoVerdict {
		c.Rows = append(c.Rows, row)
	}
}

// spreadOf returns what the reports say, or nil if one of them does not.
func spreadOf(reports []*Report, of func(*Report) (float64, bool)) *Spread {
	var all []float64
	for _, r := range reports {
		n, ok := of(r)
		if !ok {
			return nil
		}
		all = append(all, n)
	}
	if len(all) == 0 {
		return nil
	}
	slices.Sort(all)
	middle := len(all) / 2
	s := &Spread{Min: all[0], Median: all[middle], Max: all[len(all)-1]}
	if len(all)%2 == 0 {
		s.Median = (all[middle-1] + all[middle]) / 2
	}
	return s
}

// judge fills in the ratio and the verdict.
func (row *Row) judge(single bool) {
	a, b := row.A, row.B
	switch {
	case a == nil && b == nil:
		row.Verdict = NoVerdict
		return
	case a == nil || b == nil:
		row.Verdict = MissingIn
		return
	}
	if a.Min > 0 {
		row.Ratio = &Spread{Min: b.Min / a.Max, Median: b.Median / a.Median, Max: b.Max / a.Min}
	}
	higherIsBetter := row.Measure == MeasureRate
	switch {
	case *a == *b && a.Min == a.Max:
		row.Verdict = Same
	case single:
		row.Verdict = Single
	case b.Min <= a.Max && a.Min <= b.Max:
		row.Verdict = Noise
	case (b.Median > a.Median) == higherIsBetter:
		row.Verdict = Better
	default:
		row.Verdict = Worse
	}
}

// WriteTable writes the comparison for a person who reads it in a terminal.
func (c *Comparison) WriteTable(w io.Writer, paint Painter) error {
	var b strings.Builder
	if c.Partial {
		fmt.Fprintln(&b, paint(Bad, "One of the runs is not complete."))
		b.WriteByte('\n')
	}
	g := &grid{names: 2, remarks: true}
	g.add("operation", "measure", "a", "b", "b/a", "")
	for _, row := range c.Rows {
		name := row.Operation
		if name == "" {
			name = "servers"
		}
		verdict := string(row.Verdict)
		if row.Verdict == Single {
			verdict = ""
		}
		g.add(name, row.Measure.title(), row.A.text(row.Measure), row.B.text(row.Measure), row.Ratio.ratio(), verdict)
		switch row.Verdict {
		case Better:
			g.color(5, Good)
		case Worse, MissingIn:
			g.color(5, Bad)
		case Noise:
			g.color(5, Heading)
		}
	}
	g.write(&b, paint)
	b.WriteByte('\n')
	fmt.Fprintf(&b, "%s of a, %s of b", plural(int64(c.RunsA), "run", "runs"), plural(int64(c.RunsB), "run", "runs"))
	if c.RunsA == 1 || c.RunsB == 1 {
		b.WriteString(": how much of a difference is noise shows only where both sides were run several times, in turns\n")
	} else {
		b.WriteString(": medians, with the least and the most; within noise is where these overlap\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (m Measure) title() string {
	switch m {
	case MeasureMemory:
		return "memory per connection"
	case MeasureCPU:
		return "CPU per million operations"
	}
	return string(m)
}

func (m Measure) text(n float64) string {
	switch m {
	case MeasureRate:
		return rateText(n)
	case MeasureP50, MeasureP99:
		return latencyText(fromMilliseconds(n))
	case MeasureMemory:
		return bytesText(n)
	case MeasureCPU:
		return secondsText(n)
	}
	return countText(int64(n))
}

func (s *Spread) text(m Measure) string {
	switch {
	case s == nil:
		return absent
	case s.Min == s.Max:
		return m.text(s.Median)
	}
	return fmt.Sprintf("%s (%s..%s)", m.text(s.Median), m.text(s.Min), m.text(s.Max))
}

func (s *Spread) ratio() string {
	switch {
	case s == nil:
		return absent
	case s.Min == s.Max:
		return threeDigits(s.Median)
	}
	return fmt.Sprintf("%s (%s..%s)", threeDigits(s.Median), threeDigits(s.Min), threeDigits(s.Max))
}
