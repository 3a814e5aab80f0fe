package report

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// An Expected is a statement that a report can be held against, such as
//
//	p99(users.get) < 20ms
//
// It is a quantity, one of < <= > >= =, and a value. Spaces don't matter. The
// quantities, of the measured phase where nothing else is said, and the values
// that go with them:
//
//	p50(OPERATION), p99.9(…)  latency below which that percentage lies    20ms, 1.5s, 300us
//	mean(OPERATION)           mean latency                                20ms
//	max(OPERATION)            longest latency                             20ms
//	rate(OPERATION)           done a second                               5000, 5000/s
//	done(OPERATION)           how often it was done                       100000
//	errors                    failed, over all operations                 0, 0.1% of those that began
//	errors(OPERATION)         failed, of this one                         0, 0.1%
//	missed                    not begun: the load test was behind         0, 0.1% of those that should have begun
//	missed(OPERATION)         the same, of this one                       0, 0.1%
//	connections               open when the measured phase ended          100000
//	lost                      logins of the run that an admin did not see 0
//	doubled                   events that an admin saw twice              0
//	disorder                  events that came out of their order         0
//	storm                     from the cut until the last was back        3s
//	back                      came back after the cut                     10000, 100% of those that were cut
//	wrong                     users shown offline after the storm         0
//	memory(server)            resident memory of the process per open     12KB
//	                          connection at the end of the measured
//	                          phase, all of it counted; of several
//	                          processes, the highest
//	growth(server)            growth of the resident memory since the     12KB
//	                          run began, per connection that was opened
//	                          since; it says nothing of a server that
//	                          had connections before
//	cpu(server)               CPU time per million operations, of all     25s
//	                          servers together
//
// memory, growth and cpu take worker as well, which is the load test itself. A
// KB is 1,024 bytes, an MB 1,024 KB. = is for counts and percentages.
//
// What a report does not have holds nothing: an operation that was never done
// has no p99 that could be low enough, and without an admin who watched nobody
// knows whether a login was lost. Such an expectation fails and says why.
type Expected struct {
	text      string
	quantity  quantity
	argument  string
	operator  string
	value     float64 // nanoseconds, bytes, or a number
	isPercent bool    // value is a fraction of 1
}

// String returns the statement as it was given.
func (e Expected) String() string { return e.text }

// A unit is what a quantity is measured in.
type unit int

const (
	latencyUnit unit = iota
	rateUnit
	countUnit
	bytesUnit
	cpuUnit
)

// A quantity is what a statement is about. Its measure returns the value, or
// why there is none.
type quantity struct {
	argument string // what stands in parentheses: "operation", "kind" or nothing
	optional bool   // it may be left out
	unit     unit
	whole    bool // a percentage of a whole makes sense
	measure  func(r *Report, argument string) (value, whole float64, missing string)
}

var (
	statement  = regexp.MustCompile(`^([a-z][a-z0-9.]*)\s*(?:\(\s*([^()]*?)\s*\))?\s*(<=|>=|<|>|=)\s*(\S(?:.*\S)?)$`)
	percentile = regexp.MustCompile(`^p([0-9]{1,3}(?:\.[0-9]{1,6})?)$`)
	operation  = regexp.MustCompile(`^[a-zA-Z][a-zA-Z0-9._-]*$`)
	number     = regexp.MustCompile(`^([0-9]{1,15}(?:\.[0-9]{1,9})?)\s*([a-zA-Zµμ%/]*)$`)
)

// ParseExpectation reads a statement.
func ParseExpectation(text string) (Expected, error) {
	e := Expected{text: strings.TrimSpace(text)}
	fail := func(format string, args ...any) (Expected, error) {
		return Expected{}, fmt.Errorf("expectation %.200q: %w", text, fmt.Errorf(format, args...))
	}
	if err := checkText(e.text); err != nil {
		return fail("%w", err)
	}
	m := statement.FindStringSubmatch(e.text)
	if m == nil {
		return fail("want a quantity, one of < <= > >= = and a value, such as p99(users.get)<20ms or errors=0")
	}
	name, value := m[1], m[4]
	e.argument, e.operator = m[2], m[3]
	var ok bool
	if e.quantity, ok = quantityOf(name); !ok {
		return fail("there is no %s; there are p50 and other percentiles, %s", name, strings.Join(quantityNames(), ", "))
	}
	inParentheses := strings.Contains(e.text[:len(e.text)-len(value)], "(")
	switch kind := e.quantity.argument; {
	case kind == "" && inParentheses:
		return fail("%s takes nothing in parentheses", name)
	case kind == "kind" && e.argument != KindServer && e.argument != KindWorker:
		return fail("want %s(server) or %s(worker)", name, name)
	case kind == "operation" && !inParentheses && !e.quantity.optional:
		return fail("%s of what? Write an operation, such as %s(users.get)", name, name)
	case kind == "operation" && inParentheses && !operation.MatchString(e.argument):
		return fail("%q is no name of an operation, such as users.get", e.argument)
	}
	if err := e.parseValue(value); err != nil {
		return fail("%w", err)
	}
	if e.operator == "=" && e.quantity.unit != countUnit {
		return fail("= is for counts and percentages: no measurement hits a value exactly")
	}
	return e, nil
}

// parseValue reads a value with its unit, which the quantity decides.
func (e *Expected) parseValue(text string) error {
	m := number.FindStringSubmatch(text)
	if m == nil {
		return fmt.Errorf("%.40q is no number with a unit", text)
	}
	n, err := strconv.ParseFloat(m[1], 64)
	if err != nil {
		return fmt.Errorf("%q is no number", m[1])
	}
	suffix := m[2]
	if suffix == "%" && e.quantity.whole {
		e.value, e.isPercent = n/100, true
		return nil
	}
	scale, ok := units[e.quantity.unit][suffix]
	if !ok {
		return fmt.Errorf("want %s, not %s", e.quantity.wants(), text)
	}
	e.value = n * scale
	return nil
}

// units are the suffixes of values and what they stand for: nanoseconds for
// latencies, seconds for CPU time, bytes for memory.
var units = map[unit]map[string]float64{
	latencyUnit: {"ns": 1, "us": 1e3, "µs": 1e3, "μs": 1e3, "ms": 1e6, "s": 1e9, "m": 60e9},
	rateUnit:    {"": 1, "/s": 1},
	countUnit:   {"": 1},
	bytesUnit:   {"B": 1, "KB": kilobyte, "KiB": kilobyte, "MB": megabyte, "MiB": megabyte, "GB": gigabyte, "GiB": gigabyte},
	cpuUnit:     {"ms": 1e-3, "s": 1},
}

func (q quantity) wants() string {
	switch {
	case q.unit == latencyUnit:
		return "a time such as 20ms"
	case q.unit == rateUnit:
		return "a rate such as 5000 or 5000/s"
	case q.unit == bytesUnit:
		return "a size such as 12KB"
	case q.unit == cpuUnit:
		return "a time such as 25s"
	case q.whole:
		return "a number or a percentage such as 0.1%"
	}
	return "a number"
}

func quantityOf(name string) (quantity, bool) {
	if m := percentile.FindStringSubmatch(name); m != nil {
		p, err := strconv.ParseFloat(m[1], 64)
		return latencyOf(func(h *Histogram) time.Duration { return h.Quantile(p / 100) }), err == nil && p > 0 && p <= 100
	}
	q, ok := quantities[name]
	return q, ok
}

func quantityNames() []string {
	var names []string
	for name := range quantities {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Check holds the statement against a report.
func (e Expected) Check(r *Report) Expectation {
	result := Expectation{Text: e.text}
	value, whole, missing := e.quantity.measure(r, e.argument)
	if missing != "" {
		result.Got = missing
		return result
	}
	if e.isPercent {
		if whole <= 0 {
			result.Got = "nothing of which this could be a part"
			return result
		}
		value /= whole
	}
	result.Got = e.show(value, whole)
	switch e.operator {
	case "<":
		result.Held = value < e.value
	case "<=":
		result.Held = value <= e.value
	case ">":
		result.Held = value > e.value
	case ">=":
		result.Held = value >= e.value
	case "=":
		result.Held = value == e.value
	}
	return result
}

func (e Expected) show(value, whole float64) string {
	switch {
	case e.isPercent:
		return fmt.Sprintf("%s (%s of %s)", percentText(value), countText(int64(math.Round(value*whole))), countText(int64(whole)))
	case e.quantity.unit == latencyUnit:
		return latencyText(time.Duration(value))
	case e.quantity.unit == rateUnit:
		return rateText(value)
	case e.quantity.unit == bytesUnit:
		return bytesText(value)
	case e.quantity.unit == cpuUnit:
		return secondsText(value)
	}
	return countText(int64(value))
}
