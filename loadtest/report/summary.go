package report

import (
	"maps"
	"slices"
	"time"
)

// A Summary is the numbers of a report that a person or a pipeline looks at
// first. All ways to show a report, to compare it and to expect something of it
// take these numbers from here.
type Summary struct {
	Started     time.Time          `json:"started"`
	Rollcall    string             `json:"rollcall"`
	Partial     string             `json:"partial,omitzero"`     // as in Report
	Seconds     float64            `json:"seconds"`              // of the measured phase
	Connections int64              `json:"connections"`          // open at the end of the measured phase
	CPU         float64            `json:"cpu_seconds,omitzero"` // of the servers per million operations; 0 where it is not known
	Operations  []OperationSummary `json:"operations"`
	Processes   []ProcessSummary   `json:"processes,omitzero"`
	Feed        *Feed              `json:"feed,omitzero"`
	Storm       *Storm             `json:"storm,omitzero"`
	Expected    []Expectation      `json:"expected,omitzero"`
}

// An OperationSummary is one operation of the measured phase. Latencies are in
// milliseconds, 0 where nothing was done.
type OperationSummary struct {
	Name   string           `json:"name"`
	Done   int64            `json:"done"`
	Rate   float64          `json:"rate"` // done a second
	Errors map[string]int64 `json:"errors,omitzero"`
	Missed int64            `json:"missed"`
	Mean   float64          `json:"mean_ms"`
	P50    float64          `json:"p50_ms"`
	P90    float64          `json:"p90_ms"`
	P99    float64          `json:"p99_ms"`
	P999   float64          `json:"p999_ms"`
	Max    float64          `json:"max_ms"`
}

// A ProcessSummary is one process in the measured phase. A number is 0 where it
// is not known.
type ProcessSummary struct {
	Name        string `json:"name"`
	Kind        string `json:"kind"`
	Connections int64  `json:"connections"`    // at the end of the phase
	Resident    int64  `json:"resident_bytes"` // at the end of the phase
	// PerConnection is Resident divided by Connections, in bytes: all that the
	// process takes, and so more than a connection alone.
	PerConnection float64 `json:"bytes_per_connection"`
	// Growth is how much Resident has grown since the process was first looked
	// at, divided by how much Connections has, in bytes. It says what a
	// connection costs where the server was fresh; one that has served others
	// before has room left from them, and grows by less or not at all.
	Growth float64 `json:"growth_per_connection"`
	CPU    float64 `json:"cpu_seconds"` // used within the phase
	Cores  float64 `json:"cores"`       // CPU by the time that passed
}

// Summary returns the report's numbers.
func (r *Report) Summary() Summary {
	s := Summary{
		Started: r.Started, Rollcall: r.Rollcall, Partial: r.Partial,
		Connections: r.connectionsAtEnd(), CPU: r.cpuPerMillion(KindServer),
		Operations: []OperationSummary{},
		Feed:       r.Feed, Storm: r.Storm, Expected: r.Expected,
	}
	if m, ok := r.measured(); ok {
		s.Seconds = m.End - m.Start
	}
	for i := range r.Operations {
		s.Operations = append(s.Operations, r.Operations[i].summary())
	}
	for i := range r.Processes {
		s.Processes = append(s.Processes, r.process(&r.Processes[i]))
	}
	return s
}

func (o *Operation) summary() OperationSummary {
	return OperationSummary{
		Name: o.Name, Done: o.Done, Rate: o.rate(), Errors: o.Errors, Missed: o.Missed,
		Mean: milliseconds(o.Latency.Mean()),
		P50:  milliseconds(o.Latency.Quantile(0.5)), P90: milliseconds(o.Latency.Quantile(0.9)),
		P99: milliseconds(o.Latency.Quantile(0.99)), P999: milliseconds(o.Latency.Quantile(0.999)),
		Max: milliseconds(o.Latency.Max()),
	}
}

// rate is what was done a second.
func (o *Operation) rate() float64 {
	if o.Seconds <= 0 {
		return 0
	}
	return float64(o.Done) / o.Seconds
}

// failed is the number of errors, whatever their status.
func (o *Operation) failed() int64 { return total(o.Errors) }

func total(counts map[string]int64) (n int64) {
	for _, c := range counts {
		n += c
	}
	return n
}

// operation returns the operation of a name, or nil.
func (r *Report) operation(name string) *Operation {
	for i := range r.Operations {
		if r.Operations[i].Name == name {
			return &r.Operations[i]
		}
	}
	return nil
}

// measured returns the measured phase, if the run came to it.
func (r *Report) measured() (Phase, bool) {
	i := slices.IndexFunc(r.Phases, func(p Phase) bool { return p.Name == PhaseMeasure })
	if i < 0 {
		return Phase{}, false
	}
	return r.Phases[i], true
}

// connectionsAtEnd is how many connections were open when the measured phase ended.
func (r *Report) connectionsAtEnd() int64 {
	for _, s := range slices.Backward(r.Samples) {
		if s.Phase == PhaseMeasure {
			return s.Connections
		}
	}
	return 0
}

// process returns a process's numbers in the measured phase.
func (r *Report) process(p *Process) ProcessSummary {
	s := ProcessSummary{Name: p.Name, Kind: p.Kind}
	first, last, ok := r.within(p)
	if !ok {
		return s
	}
	s.Connections, s.Resident = last.Connections, last.Resident
	if last.Connections > 0 {
		s.PerConnection = float64(last.Resident) / float64(last.Connections)
	}
	begin := p.Samples[0]
	if more := last.Connections - begin.Connections; more > 0 && last.Resident > begin.Resident {
		s.Growth = float64(last.Resident-begin.Resident) / float64(more)
	}
	if used := last.CPU - first.CPU; used > 0 && last.Second > first.Second { // less than before: it was restarted
		s.CPU, s.Cores = used, used/(last.Second-first.Second)
	}
	return s
}

// within returns a process's samples at the beginning of the measured phase and
// at its end.
func (r *Report) within(p *Process) (first, last ProcessSample, ok bool) {
	m, ok := r.measured()
	if !ok {
		return first, last, false
	}
	// Samples are a second apart, and may be a little late.
	const slack = 0.5
	ok = false
	for i, s := range p.Samples {
		if i == 0 || s.Second <= m.Start+slack {
			first = s
		}
		if s.Second >= m.Start && s.Second <= m.End+slack {
			last, ok = s, true
		}
	}
	return first, last, ok
}

// cpuPerMillion is the CPU time that processes of a kind used in the measured
// phase per million operations, in seconds; 0 where it is not known. A push is
// part of the login that it tells of and not an operation of its own.
func (r *Report) cpuPerMillion(kind string) float64 {
	var done int64
	for i := range r.Operations {
		if r.Operations[i].Name != OperationPush {
			done += r.Operations[i].Done
		}
	}
	used := 0.0
	for i := range r.Processes {
		if p := &r.Processes[i]; p.Kind == kind {
			cpu := r.process(p).CPU
			if cpu == 0 { // one that is not known makes the sum too small
				return 0
			}
			used += cpu
		}
	}
	if done == 0 {
		return 0
	}
	return used / float64(done) * 1e6
}

// memory returns the most that a connection takes in any process of a kind; 0
// where it is not known of one of them.
func (r *Report) memory(kind string, of func(ProcessSummary) float64) float64 {
	most := 0.0
	for i := range r.Processes {
		if p := &r.Processes[i]; p.Kind == kind {
			bytes := of(r.process(p))
			if bytes == 0 {
				return 0
			}
			most = max(most, bytes)
		}
	}
	return most
}

func (p ProcessSummary) perConnection() float64 { return p.PerConnection }
func (p ProcessSummary) growth() float64        { return p.Growth }

// statuses returns the statuses of errors in the order in which they are shown:
// the most frequent first.
func statuses(errors map[string]int64) []string {
	return slices.SortedFunc(maps.Keys(errors), func(a, b string) int {
		if errors[a] != errors[b] {
			return int(min(1, max(-1, errors[b]-errors[a])))
		}
		if a < b {
			return -1
		}
		return 1
	})
}
