package report

import (
	"fmt"
	"time"
)

// quantities are those of [Expected], but for the percentiles.
var quantities = map[string]quantity{
	"mean": latencyOf((*Histogram).Mean),
	"max":  latencyOf((*Histogram).Max),
	"rate": {argument: "operation", unit: rateUnit, measure: ofOperation(func(o *Operation) (float64, float64) { return o.rate(), 0 })},
	"done": {argument: "operation", unit: countUnit, measure: ofOperation(func(o *Operation) (float64, float64) { return float64(o.Done), 0 })},
	"errors": {argument: "operation", optional: true, unit: countUnit, whole: true, measure: ofOperations(func(o *Operation) (float64, float64) {
		return float64(o.failed()), float64(o.Done + o.failed())
	})},
	"missed": {argument: "operation", optional: true, unit: countUnit, whole: true, measure: ofOperations(func(o *Operation) (float64, float64) {
		return float64(o.Missed), float64(o.Done + o.failed() + o.Missed)
	})},
	"connections": {unit: countUnit, measure: func(r *Report, _ string) (float64, float64, string) {
		if _, ok := r.measured(); !ok {
			return 0, 0, noMeasuring
		}
		return float64(r.connectionsAtEnd()), 0, ""
	}},
	"lost":     {unit: countUnit, measure: ofFeed(func(f *Feed) int64 { return f.Lost })},
	"doubled":  {unit: countUnit, measure: ofFeed(func(f *Feed) int64 { return f.Doubled })},
	"disorder": {unit: countUnit, measure: ofFeed(func(f *Feed) int64 { return f.Disorder })},
	"storm": {unit: latencyUnit, measure: ofStorm(func(s *Storm) (float64, float64, string) {
		if s.Back < s.Connections {
			return 0, 0, fmt.Sprintf("never over: %s of %s came back", countText(int64(s.Back)), countText(int64(s.Connections)))
		}
		return s.Seconds * float64(time.Second), 0, ""
	})},
	"back":   {unit: countUnit, whole: true, measure: ofStorm(func(s *Storm) (float64, float64, string) { return float64(s.Back), float64(s.Connections), "" })},
	"wrong":  {unit: countUnit, measure: ofStorm(func(s *Storm) (float64, float64, string) { return float64(s.WrongOnline), 0, "" })},
	"memory": {argument: "kind", unit: bytesUnit, measure: ofProcesses(func(r *Report, kind string) float64 { return r.memory(kind, ProcessSummary.perConnection) })},
	"growth": {argument: "kind", unit: bytesUnit, measure: ofProcesses(func(r *Report, kind string) float64 { return r.memory(kind, ProcessSummary.growth) })},
	"cpu":    {argument: "kind", unit: cpuUnit, measure: ofProcesses((*Report).cpuPerMillion)},
}

const noMeasuring = "the run did not come to its measured phase"

// latencyOf makes a quantity of what a histogram says.
func latencyOf(of func(*Histogram) time.Duration) quantity {
	return quantity{argument: "operation", unit: latencyUnit, measure: func(r *Report, name string) (float64, float64, string) {
		switch o := r.operation(name); {
		case o == nil || o.Done == 0:
			return 0, 0, neverDone(name)
		case o.Latency.Count() == 0:
			return 0, 0, fmt.Sprintf("no latency of %s was measured", name)
		default:
			return float64(of(o.Latency)), 0, ""
		}
	}}
}

func neverDone(name string) string { return name + " was never done" }

// ofOperation measures an operation that was done.
func ofOperation(of func(*Operation) (value, whole float64)) func(*Report, string) (float64, float64, string) {
	return func(r *Report, name string) (float64, float64, string) {
		o := r.operation(name)
		if o == nil || o.Done == 0 {
			return 0, 0, neverDone(name)
		}
		value, whole := of(o)
		return value, whole, ""
	}
}

// ofOperations measures an operation that was begun or should have been, or all
// of them together where none is named. Pushes are nobody's operations.
func ofOperations(of func(*Operation) (value, whole float64)) func(*Report, string) (float64, float64, string) {
	return func(r *Report, name string) (value, whole float64, missing string) {
		found := false
		for i := range r.Operations {
			o := &r.Operations[i]
			asked := o.Name == name || name == "" && o.Name != OperationPush
			if !asked || o.Done+o.failed()+o.Missed == 0 {
				continue
			}
			v, w := of(o)
			value, whole, found = value+v, whole+w, true
		}
		switch {
		case found:
			return value, whole, ""
		case name != "":
			return 0, 0, neverDone(name)
		}
		return 0, 0, "nothing was done"
	}
}

func ofFeed(of func(*Feed) int64) func(*Report, string) (float64, float64, string) {
	return func(r *Report, _ string) (float64, float64, string) {
		if r.Feed == nil && r.Partial != "" {
			return 0, 0, "not known: the run is not complete"
		}
		if r.Feed == nil || r.Feed.Watchers == 0 {
			return 0, 0, "nobody watched"
		}
		if r.Feed.Logins+r.Feed.Unknown == 0 {
			return 0, 0, "there was no login to watch"
		}
		return float64(of(r.Feed)), 0, ""
	}
}

func ofStorm(of func(*Storm) (value, whole float64, missing string)) func(*Report, string) (float64, float64, string) {
	return func(r *Report, _ string) (float64, float64, string) {
		if r.Storm == nil || r.Storm.Connections == 0 {
			return 0, 0, "there was no storm"
		}
		return of(r.Storm)
	}
}

func ofProcesses(of func(r *Report, kind string) float64) func(*Report, string) (float64, float64, string) {
	return func(r *Report, kind string) (float64, float64, string) {
		if value := of(r, kind); value > 0 {
			return value, 0, ""
		}
		return 0, 0, fmt.Sprintf("not known of every %s", kind)
	}
}
