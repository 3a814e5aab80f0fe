package report

import (
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"
)

// A Painter colours a text for a terminal by what it means.
type Painter func(m Meaning, text string) string

// A Meaning is what a colour says.
type Meaning int

// The meanings.
const (
	Heading Meaning = iota // dim
	Good
	Bad
	Doubtful
)

// Plain is the Painter of what is no terminal.
func Plain(_ Meaning, text string) string { return text }

// WriteTable writes the report for a person who reads it in a terminal.
func (r *Report) WriteTable(w io.Writer, paint Painter) error {
	s := r.Summary()
	var b strings.Builder
	if s.Partial != "" {
		fmt.Fprintln(&b, paint(Bad, "The run is not complete: "+s.Partial+"."))
		b.WriteByte('\n')
	}
	operationTable(s.Operations).write(&b, paint)
	if len(s.Processes) > 0 {
		b.WriteByte('\n')
		processTable(s.Processes).write(&b, paint)
	}
	b.WriteByte('\n')
	for _, line := range s.lines() {
		fmt.Fprintln(&b, line)
	}
	if len(s.Expected) > 0 {
		b.WriteByte('\n')
		expectationTable(s.Expected).write(&b, paint)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func operationTable(operations []OperationSummary) *grid {
	g := &grid{names: 1}
	g.add("operation", "done", "rate", "errors", "missed", "p50", "p90", "p99", "p99.9", "max")
	for _, o := range operations {
		failed := countText(total(o.Errors))
		row := []string{o.Name, countText(o.Done), rateText(o.Rate), failed, countText(o.Missed)}
		for _, l := range []float64{o.P50, o.P90, o.P99, o.P999, o.Max} {
			if o.Done == 0 {
				row = append(row, absent)
			} else {
				row = append(row, latencyText(fromMilliseconds(l)))
			}
		}
		g.add(row...)
		if total(o.Errors) > 0 {
			g.color(3, Bad)
		}
		if o.Missed > 0 {
			g.color(4, Doubtful)
		}
	}
	return g
}

func processTable(processes []ProcessSummary) *grid {
	g := &grid{names: 1}
	g.add("process", "connections", "memory", "per connection", "growth", "CPU", "cores")
	known := func(value float64, text string) string {
		if value == 0 {
			return absent
		}
		return text
	}
	for _, p := range processes {
		g.add(p.Name, countText(p.Connections), known(float64(p.Resident), bytesText(float64(p.Resident))),
			known(p.PerConnection, bytesText(p.PerConnection)), known(p.Growth, bytesText(p.Growth)),
			known(p.CPU, secondsText(p.CPU)), known(p.Cores, threeDigits(p.Cores)))
	}
	return g
}

func expectationTable(expected []Expectation) *grid {
	g := &grid{names: 3}
	g.add("expectation", "", "got")
	for _, e := range expected {
		verdict, m := "held", Good
		if !e.Held {
			verdict, m = "FAILED", Bad
		}
		g.add(e.Text, verdict, e.Got)
		g.color(1, m)
	}
	return g
}

// lines returns what is said in sentences.
func (s *Summary) lines() []string {
	lines := []string{fmt.Sprintf("measured for %s with %s at its end", secondsText(s.Seconds), plural(s.Connections, "connection", "connections"))}
	if s.CPU > 0 {
		lines = append(lines, fmt.Sprintf("servers: %s of CPU time per million operations", secondsText(s.CPU)))
	}
	for _, o := range s.Operations {
		if len(o.Errors) > 0 {
			lines = append(lines, fmt.Sprintf("errors of %s: %s", o.Name, statusText(o.Errors)))
		}
	}
	if f := s.Feed; f != nil {
		lines = append(lines, f.text())
	}
	if st := s.Storm; st != nil {
		lines = append(lines, st.text())
	}
	return lines
}

func (f *Feed) text() string {
	text := fmt.Sprintf("feed: %s watched by %s: %s seen, %s lost, %s doubled, %s out of order",
		plural(f.Logins, "login", "logins"), plural(int64(f.Watchers), "admin", "admins"),
		countText(f.Seen), countText(f.Lost), countText(f.Doubled), countText(f.Disorder))
	if f.Unknown > 0 {
		text += fmt.Sprintf("; %s never answered", countText(f.Unknown))
	}
	if f.Rejoined > 0 {
		text += fmt.Sprintf("; admins came back %s", plural(f.Rejoined, "time", "times"))
	}
	return text
}

func (s *Storm) text() string {
	return fmt.Sprintf("storm: %s of %s back in %s, %s shown offline",
		countText(int64(s.Back)), countText(int64(s.Connections)), secondsText(s.Seconds), plural(int64(s.WrongOnline), "user", "users"))
}

// statusText returns how often each status came, the most frequent first.
func statusText(errors map[string]int64) string {
	var parts []string
	for _, status := range statuses(errors) {
		parts = append(parts, fmt.Sprintf("%s × %s", countText(errors[status]), status))
	}
	return strings.Join(parts, ", ")
}

func fromMilliseconds(ms float64) time.Duration { return time.Duration(ms * float64(time.Millisecond)) }

// A grid is a table in aligned columns: the first are names and begin at the
// left, the others are numbers and end at the right. Its first row is the heading.
type grid struct {
	names   int  // number of columns with names
	remarks bool // the last column is a remark, which begins at the left as well
	rows    [][]string
	colored map[[2]int]Meaning // by row and column
}

func (g *grid) add(cells ...string) { g.rows = append(g.rows, cells) }

// color colours a cell of the last row.
func (g *grid) color(column int, m Meaning) {
	if g.colored == nil {
		g.colored = map[[2]int]Meaning{}
	}
	g.colored[[2]int{len(g.rows) - 1, column}] = m
}

func (g *grid) write(b *strings.Builder, paint Painter) {
	var widths []int
	for _, row := range g.rows {
		for i, cell := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	for at, row := range g.rows {
		var line strings.Builder
		for i, cell := range row {
			fill := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell))
			if m, ok := g.colored[[2]int{at, i}]; ok {
				cell = paint(m, cell)
			} else if at == 0 {
				cell = paint(Heading, cell)
			}
			if i > 0 {
				line.WriteString("  ")
			}
			if i < g.names || g.remarks && i == len(widths)-1 {
				line.WriteString(cell + fill)
			} else {
				line.WriteString(fill + cell)
			}
		}
		b.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
}
