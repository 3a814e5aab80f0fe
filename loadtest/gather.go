package loadtest

import (
	"context"
	"errors"
	"math"
	"runtime"
	"slices"
	"time"

	"rollcall/loadtest/report"
)

// feedLag is how long an acknowledged login may take to an admin before it counts
// as lost in the samples.
const feedLag = 2 * time.Second

// gathered is what the workers have said so far.
type gathered struct {
	coming   []timedPhase
	progress map[*peer]progress
	workers  []report.Process
	waiting  []*second // of the workers, for the next sample; nil: not said yet
	last     []*second
	acked    []int64 // over all workers, by sample
	samples  []report.Sample
	partly   map[string]*tallied // what the samples of the measured phase say
	feed     *report.Feed
	results  []*result
}

// worker adds a worker.
func (g *gathered) worker(name string) {
	g.workers = append(g.workers, report.Process{Name: name, Kind: "worker"})
	g.waiting = append(g.waiting, nil)
	g.last = append(g.last, nil)
}

// heardSecond takes a worker's second. When each has said one they make a sample;
// a worker that has said two while another said none makes it without that one.
func (c *coordinator) heardSecond(k int, s *second) {
	now := c.second()
	c.workers[k].Samples = append(c.workers[k].Samples, report.ProcessSample{
		Second: now, Resident: s.Usage.Resident, Heap: s.Usage.Heap, CPU: s.Usage.CPU,
		Goroutines: s.Usage.Goroutines, Connections: s.Connections,
	})
	if c.waiting[k] != nil {
		c.sample(now)
	}
	c.waiting[k], c.last[k] = s, s
	if !slices.Contains(c.waiting, nil) {
		c.sample(now)
	}
}

// sample makes a sample of what the workers have said since the last one.
func (c *coordinator) sample(now float64) {
	sample := report.Sample{Second: now, Phase: c.phase, Operations: make(map[string]report.OpSample), Errors: make(map[string]int64)}
	operations := make(map[string]*tallied)
	for _, s := range c.waiting {
		if s == nil {
			continue
		}
		for name, t := range s.Operations {
			add(operations, name, t)
		}
	}
	clear(c.waiting)
	if c.phase == report.PhaseMeasure {
		if c.partly == nil {
			c.partly = make(map[string]*tallied)
		}
		for name, t := range operations {
			add(c.partly, name, t)
		}
	}
	var acked int64
	var seen []int64
	for _, s := range c.last {
		if s != nil {
			sample.Connections += s.Connections
			acked += s.Acked
			seen = append(seen, s.Seen...)
		}
	}
	for name, t := range operations {
		o := report.OpSample{
			Done: t.Done, P50: millis(t.Latency.Quantile(0.5)), P99: millis(t.Latency.Quantile(0.99)), Max: millis(t.Latency.Max()),
		}
		for status, n := range t.Errors {
			o.Errors += n
			sample.Errors[status] += n
		}
		sample.Operations[name] = o
	}
	c.acked = append(c.acked, acked)
	if before := len(c.acked) - 1 - int(feedLag/time.Second); before >= 0 {
		sample.LostEvents = lostSince(c.acked[before], seen)
	}
	c.samples = append(c.samples, sample)
	if c.opt.OnSample != nil {
		c.opt.OnSample(sample)
	}
	switch c.phase { // whose progress is their time
	case report.PhaseWarmup:
		c.tellPhase(c.elapsed(), int64(math.Ceil(c.plan.Warmup.Seconds())))
	case report.PhaseMeasure:
		c.tellPhase(c.elapsed(), int64(math.Ceil(c.plan.Duration.Seconds())))
	case report.PhaseDrain:
		c.tellPhase(c.elapsed(), 0)
	}
}

// elapsed is for how many seconds the phase has been going on.
func (c *coordinator) elapsed() int64 {
	return int64(c.second() - c.phases[len(c.phases)-1].Start)
}

func millis(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

func add(to map[string]*tallied, name string, t *tallied) {
	if to[name] == nil {
		to[name] = new(tallied)
	}
	to[name].add(t)
}

// report is the report of a run that has ended.
func (c *coordinator) report() *report.Report {
	operations := make(map[string]*tallied)
	for _, result := range c.results {
		for name, t := range result.Operations {
			add(operations, name, t)
		}
	}
	return c.reportOf(operations, c.plan.Duration.Seconds())
}

// partial is the report of a run that failed: nil before it measured anything.
// Its operations are those of the samples, which count what ended in the measured
// phase instead of what began in it.
func (c *coordinator) partial(why error) *report.Report {
	i := slices.IndexFunc(c.phases, func(p report.Phase) bool { return p.Name == report.PhaseMeasure })
	if i < 0 || len(c.partly) == 0 {
		return nil
	}
	last := &c.phases[len(c.phases)-1]
	last.End = max(last.Start, c.second())
	r := c.reportOf(c.partly, c.phases[i].End-c.phases[i].Start)
	if errors.Is(why, context.Canceled) {
		why = errors.New("interrupted")
	}
	r.EndEarly(why.Error())
	return r
}

func (c *coordinator) reportOf(operations map[string]*tallied, seconds float64) *report.Report {
	r := &report.Report{
		Format: report.FormatVersion, Started: c.began, Rollcall: c.opt.Version,
		Machine: report.Machine{
			OS: runtime.GOOS, Arch: runtime.GOARCH, CPUs: runtime.NumCPU(), Go: runtime.Version(), Memory: machineMemory(),
		},
		Plan:   c.plan.public(),
		Phases: c.phases, Samples: c.samples, Feed: c.feed, Storm: c.storm(),
		Processes: append(c.scrapes.processes(), c.workers...),
	}
	for name, t := range operations {
		r.Operations = append(r.Operations, report.Operation{
			Name: name, Done: t.Done, Errors: t.Errors, Missed: t.Missed, Seconds: seconds, Latency: t.Latency,
		})
	}
	slices.SortFunc(r.Operations, func(a, b report.Operation) int {
		return slices.Index(operationNames[:], a.Name) - slices.Index(operationNames[:], b.Name)
	})
	return r
}

// storm puts the workers' storms together: they began at one moment.
func (c *coordinator) storm() *report.Storm {
	var sum *report.Storm
	for _, result := range c.results {
		s := result.Storm
		if s == nil {
			continue
		}
		if sum == nil {
			sum = new(report.Storm)
		}
		sum.Connections += s.Connections
		sum.Back += s.Back
		sum.Seconds = max(sum.Seconds, s.Seconds)
		sum.WrongOnline += s.WrongOnline
	}
	return sum
}

// public is the plan without its secrets.
func (p *Plan) public() Plan {
	open := *p
	open.Key, open.Admin = "", nil
	return open
}
