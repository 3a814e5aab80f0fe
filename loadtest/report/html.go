package report

import (
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html/template"
	"io"
	"maps"
	"slices"
	"strings"
	"time"
)

//go:embed page.html
var pageText string

//go:embed page.css
var pageStyle string

var pageTemplate = template.Must(template.New("page").Parse(pageText))

// page is what the template shows.
type page struct {
	// Policy lets nothing be loaded or run, and no style count but the page's own.
	Policy  string
	Style   template.HTML
	Report  *Report
	Summary Summary
	Title   string
	Started string
	Verdict string // of the expectations; empty: there are none
	Held    bool
	Facts   [][2]string
	Tables  []pageTable
	Charts  []*chart
}

// A pageTable is a table in the page: of numbers, but for its first columns.
type pageTable struct {
	Title string
	Names int
	Head  []string
	Rows  [][]string
	Lines []string // below it
}

// WriteHTML writes the report as one page that needs no other file and runs no
// script.
func (r *Report) WriteHTML(w io.Writer) error {
	hash := sha256.Sum256([]byte(pageStyle))
	s := r.Summary()
	p := page{
		Policy: "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(hash[:]) + "'; base-uri 'none'; form-action 'none'",
		Style:  template.HTML("<style>" + pageStyle + "</style>"),
		Report: r, Summary: s,
		Title:   "Load test of " + r.target(),
		Started: r.Started.UTC().Format(time.RFC1123),
		Held:    true,
		Facts:   r.facts(s),
	}
	for _, e := range s.Expected {
		p.Held = p.Held && e.Held
	}
	if n := len(s.Expected); n > 0 {
		p.Verdict = fmt.Sprintf("%d of %s held", held(s.Expected), plural(int64(n), "expectation", "expectations"))
	}
	operations := pageTableOf("Operations", operationTable(s.Operations))
	for _, o := range s.Operations {
		if len(o.Errors) > 0 {
			operations.Lines = append(operations.Lines, fmt.Sprintf("Errors of %s: %s.", o.Name, statusText(o.Errors)))
		}
	}
	p.Tables = append(p.Tables, operations)
	if len(s.Processes) > 0 {
		t := pageTableOf("Processes", processTable(s.Processes))
		t.Lines = append(t.Lines, "At the end of the measured phase. Per connection: the process's memory by its connections. Growth: by how much it grew since the run began, by the connections that came since.")
		p.Tables = append(p.Tables, t)
	}
	p.Charts = r.charts()
	if err := pageTemplate.Execute(w, p); err != nil {
		return fmt.Errorf("write page: %w", err)
	}
	return nil
}

func held(expected []Expectation) (n int) {
	for _, e := range expected {
		if e.Held {
			n++
		}
	}
	return n
}

func pageTableOf(title string, g *grid) pageTable {
	return pageTable{Title: title, Names: g.names, Head: g.rows[0], Rows: g.rows[1:]}
}

// Numeric reports whether a column has numbers.
func (t pageTable) Numeric(column int) bool { return column >= t.Names }

// charts are those for which there are numbers.
func (r *Report) charts() []*chart {
	t := newTimeline(r)
	all := []*chart{t.throughput(), t.connections()}
	for i, name := range r.operationNames() {
		all = append(all, t.latency(name, i))
	}
	all = append(all, percentileChart(r), t.memory(), t.cpu())
	all = append(all, t.errors())
	if r.Feed != nil {
		all = append(all, t.lost())
	}
	return slices.DeleteFunc(all, func(c *chart) bool {
		return !slices.ContainsFunc(c.Lines, func(l line) bool { return l.Path+l.Dots != "" })
	})
}

// target is what was tested, as far as the report tells.
func (r *Report) target() string {
	var names []string
	if servers, ok := r.plan()["servers"].([]any); ok {
		for _, s := range servers {
			names = append(names, fmt.Sprint(s))
		}
	}
	switch {
	case len(names) == 0:
		return "Rollcall"
	case len(names) > 2:
		return fmt.Sprintf("%s and %s", names[0], plural(int64(len(names)-1), "other", "others"))
	}
	return strings.Join(names, " and ")
}

// plan returns the plan as plain JSON values, whatever it was made from.
func (r *Report) plan() map[string]any {
	text, err := json.Marshal(r.Plan)
	if err != nil {
		return nil
	}
	var plan map[string]any
	if json.Unmarshal(text, &plan) != nil {
		return nil
	}
	return plan
}

// facts are what stands at the top of the page.
func (r *Report) facts(s Summary) [][2]string {
	facts := [][2]string{
		{"Measured for", secondsText(s.Seconds)},
		{"Connections", countText(s.Connections)},
	}
	if s.CPU > 0 {
		facts = append(facts, [2]string{"Servers' CPU per million operations", secondsText(s.CPU)})
	}
	if f := s.Feed; f != nil {
		facts = append(facts, [2]string{"Feed", strings.TrimPrefix(f.text(), "feed: ")})
	}
	if st := s.Storm; st != nil {
		facts = append(facts, [2]string{"Storm", strings.TrimPrefix(st.text(), "storm: ")})
	}
	return append(facts,
		[2]string{"Load test", strings.TrimSpace("rollcall " + r.Rollcall)},
		[2]string{"On", fmt.Sprintf("%s/%s, %s, %s of memory, %s", r.Machine.OS, r.Machine.Arch,
			plural(int64(r.Machine.CPUs), "CPU", "CPUs"), bytesText(float64(r.Machine.Memory)), r.Machine.Go)})
}

// Phases says what the shades in the charts are.
func (p page) Phases() string {
	var parts []string
	for _, phase := range p.Report.Phases {
		parts = append(parts, fmt.Sprintf("%s %.0f–%.0f s", phase.Name, phase.Start, phase.End))
	}
	if len(parts) == 0 {
		return ""
	}
	return "In the charts the measured phase is clear and the others are shaded: " + strings.Join(parts, ", ") + "."
}

// PlanRows are the plan's members, for people.
func (p page) PlanRows() [][2]string {
	plan := p.Report.plan()
	var rows [][2]string
	for _, name := range slices.Sorted(maps.Keys(plan)) {
		rows = append(rows, [2]string{name, planText(name, plan[name])})
	}
	return rows
}

// planDurations are members of a plan that count nanoseconds.
var planDurations = []string{"hold", "warmup", "duration"}

func planText(name string, value any) string {
	switch v := value.(type) {
	case string:
		return v
	case float64:
		if slices.Contains(planDurations, name) {
			return time.Duration(v).String()
		}
	case []any:
		var parts []string
		for _, e := range v {
			parts = append(parts, planText("", e))
		}
		return strings.Join(parts, ", ")
	case map[string]any:
		var parts []string
		for _, key := range slices.Sorted(maps.Keys(v)) {
			parts = append(parts, key+" "+planText("", v[key]))
		}
		return strings.Join(parts, ", ")
	}
	text, err := json.Marshal(value)
	if err != nil {
		return absent
	}
	return string(text)
}
