package report

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
)

// maxPoints is how many points a line has at most. A longer run has several
// seconds in each.
const maxPoints = 240

// A timeline makes charts over the time of a run.
type timeline struct {
	r     *Report
	end   float64
	width float64 // seconds in each point
	n     int     // points
}

func newTimeline(r *Report) *timeline {
	t := &timeline{r: r, end: 1}
	for _, s := range r.Samples {
		t.end = max(t.end, s.Second)
	}
	for _, p := range r.Phases {
		t.end = max(t.end, p.End)
	}
	for _, p := range r.Processes {
		for _, s := range p.Samples {
			t.end = max(t.end, s.Second)
		}
	}
	const longest = 366 * 24 * 3600 // a report that claims more is wrong
	t.end = min(t.end, longest)
	t.width = math.Ceil(t.end / maxPoints)
	t.n = int(math.Ceil(t.end / t.width))
	return t
}

// point returns where a second belongs.
func (t *timeline) point(second float64) int {
	return int(min(max(math.Ceil(second/t.width)-1, 0), float64(t.n-1)))
}

// A fold joins the values of the seconds of one point.
type fold func(all []float64) float64

func mean(all []float64) float64 {
	sum := 0.0
	for _, v := range all {
		sum += v
	}
	return sum / float64(len(all))
}

func longest(all []float64) float64 { return slices.Max(all) }

// gather returns the value of each point, from values of seconds. What is not a
// number is left out.
func (t *timeline) gather(join fold, each func(add func(second, value float64))) []float64 {
	parts := make([][]float64, t.n)
	each(func(second, value float64) {
		if !math.IsNaN(second) && !math.IsNaN(value) && !math.IsInf(value, 0) {
			i := t.point(second)
			parts[i] = append(parts[i], value)
		}
	})
	values := make([]float64, t.n)
	for i, all := range parts {
		values[i] = math.NaN()
		if len(all) > 0 {
			values[i] = join(all)
		}
	}
	return values
}

// chart completes a chart over time.
func (t *timeline) chart(c chart, log bool) *chart {
	c.XTitle = "seconds since the run began"
	c.x = scale{from: 0, to: t.end, a: plotLeft, b: plotRight}
	if t.width > 1 {
		c.Note = strings.TrimSpace(c.Note + fmt.Sprintf(" Each point is %.0f seconds.", t.width))
	}
	xs := make([]float64, t.n)
	for i := range xs {
		xs[i] = min(float64(i+1)*t.width, t.end)
		c.XCells = append(c.XCells, countText(int64(xs[i]))+" s")
	}
	c.fitY(log)
	step := niceStep(t.end / 8)
	for i := 0; float64(i)*step <= t.end; i++ {
		v := float64(i) * step
		c.XTicks = append(c.XTicks, tick{At: c.x.at(v), Text: axisText(v, max(step, 1)), Minor: i%2 == 1})
	}
	for i, p := range t.r.Phases {
		from, to := c.x.at(min(p.Start, t.end)), c.x.at(min(p.End, t.end))
		if to > from {
			c.Shades = append(c.Shades, shade{Name: p.Name, X: from, W: to - from, Plain: p.Name == PhaseMeasure, Odd: i%2 == 1, Named: to-from > 8*float64(len(p.Name)+1)})
		}
	}
	c.draw(xs)
	return &c
}

// operationNames are those of all operations, in the order of their colours, which are the same
// in every chart.
func (r *Report) operationNames() []string {
	names := map[string]bool{}
	for _, o := range r.Operations {
		names[o.Name] = true
	}
	for _, s := range r.Samples {
		for name := range s.Operations {
			names[name] = true
		}
	}
	return slices.Sorted(maps.Keys(names))
}

// color gives the i-th line its colour, and dashes where the colours are used up.
func color(l line, i int) line {
	l.Color, l.Dashed = i%colors, max(l.Dashed, i/colors%3)
	return l
}

func (t *timeline) throughput() *chart {
	c := chart{id: "throughput", Title: "Throughput", Unit: "operations a second", cellText: rateText}
	for i, name := range t.r.operationNames() {
		if !slices.ContainsFunc(t.r.Samples, func(s Sample) bool { return s.Operations[name].Done > 0 }) {
			continue
		}
		c.Lines = append(c.Lines, color(line{Name: name, values: t.gather(mean, func(add func(float64, float64)) {
			for _, s := range t.r.Samples {
				add(s.Second, float64(s.Operations[name].Done))
			}
		})}, i))
	}
	return t.chart(c, false)
}

// latency is one operation's.
func (t *timeline) latency(name string, i int) *chart {
	c := chart{id: fmt.Sprintf("latency-%d", i), Title: "Latency of " + name, Unit: "ms, logarithmic",
		Note:     "From the moment at which it should have begun.",
		cellText: func(ms float64) string { return latencyText(fromMilliseconds(ms)) }}
	for i, l := range []struct {
		name string
		join fold
		of   func(OpSample) float64
	}{
		{"p50", mean, func(o OpSample) float64 { return o.P50 }},
		{"p99", longest, func(o OpSample) float64 { return o.P99 }},
		{"longest", longest, func(o OpSample) float64 { return o.Max }},
	} {
		c.Lines = append(c.Lines, line{Name: l.name, Color: i, Dashed: i, values: t.gather(l.join, func(add func(float64, float64)) {
			for _, s := range t.r.Samples {
				if o := s.Operations[name]; o.Done > 0 {
					add(s.Second, l.of(o))
				}
			}
		})})
	}
	if t.width > 1 {
		c.Note += " Of p50 the mean, of the others the highest."
	}
	return t.chart(c, true)
}

func (t *timeline) connections() *chart {
	c := chart{id: "connections", Title: "Connections", Unit: "open", cellText: func(v float64) string { return countText(int64(v)) }}
	c.Lines = []line{{Name: "open", values: t.gather(mean, func(add func(float64, float64)) {
		for _, s := range t.r.Samples {
			add(s.Second, float64(s.Connections))
		}
	})}}
	return t.chart(c, false)
}

func (t *timeline) errors() *chart {
	c := chart{id: "errors", Title: "Errors", Unit: "a second, by status", cellText: rateText,
		Note: "lost: the connection broke; timeout: no answer came."}
	all := map[string]int64{}
	for _, s := range t.r.Samples {
		for status, n := range s.Errors {
			all[status] += n
		}
	}
	for i, status := range statuses(all) {
		c.Lines = append(c.Lines, color(line{Name: status, values: t.gather(mean, func(add func(float64, float64)) {
			for _, s := range t.r.Samples {
				add(s.Second, float64(s.Errors[status]))
			}
		})}, i))
	}
	return t.chart(c, false)
}

func (t *timeline) lost() *chart {
	c := chart{id: "lost", Title: "Events lost", Unit: "logins that an admin should have seen", cellText: func(v float64) string { return countText(int64(v)) }}
	c.Lines = []line{{Name: "not seen", values: t.gather(longest, func(add func(float64, float64)) {
		for _, s := range t.r.Samples {
			add(s.Second, float64(s.LostEvents))
		}
	})}}
	return t.chart(c, false)
}

func (t *timeline) memory() *chart {
	c := chart{id: "memory", Title: "Memory of the servers", Unit: "MB", cellText: func(v float64) string { return bytesText(v * megabyte) }}
	for i, p := range t.servers() {
		c.Lines = append(c.Lines,
			color(line{Name: p.Name + ", resident", values: t.process(p, func(s ProcessSample) float64 { return float64(s.Resident) / megabyte })}, i),
			color(line{Name: p.Name + ", heap", Dashed: 1, values: t.process(p, func(s ProcessSample) float64 { return float64(s.Heap) / megabyte })}, i))
	}
	return t.chart(c, false)
}

// cpu is that of each server, and of the load test as a whole.
func (t *timeline) cpu() *chart {
	c := chart{id: "cpu", Title: "CPU", Unit: "cores in use", cellText: threeDigits}
	workers := make([]float64, t.n)
	for i := range workers {
		workers[i] = math.NaN()
	}
	worked := false
	for i := range t.r.Processes {
		p := &t.r.Processes[i]
		cores := t.cores(p)
		if p.Kind == KindServer {
			c.Lines = append(c.Lines, color(line{Name: p.Name, values: cores}, len(c.Lines)))
			continue
		}
		worked = true
		for i, v := range cores {
			switch {
			case math.IsNaN(workers[i]):
				workers[i] = v
			case !math.IsNaN(v):
				workers[i] += v
			}
		}
	}
	if worked {
		c.Lines = append(c.Lines, line{Name: "the load test itself", Color: len(c.Lines) % colors, Dashed: 1, values: workers})
	}
	return t.chart(c, false)
}

func (t *timeline) servers() (servers []*Process) {
	for i := range t.r.Processes {
		if p := &t.r.Processes[i]; p.Kind == KindServer {
			servers = append(servers, p)
		}
	}
	return servers
}

func (t *timeline) process(p *Process, of func(ProcessSample) float64) []float64 {
	return t.gather(mean, func(add func(float64, float64)) {
		for _, s := range p.Samples {
			add(s.Second, of(s))
		}
	})
}

// cores is the CPU time that a process used between samples, by the time between them.
func (t *timeline) cores(p *Process) []float64 {
	return t.gather(mean, func(add func(float64, float64)) {
		for i := 1; i < len(p.Samples); i++ {
			a, b := p.Samples[i-1], p.Samples[i]
			if b.Second > a.Second && b.CPU >= a.CPU {
				add(b.Second, (b.CPU-a.CPU)/(b.Second-a.Second))
			}
		}
	})
}
