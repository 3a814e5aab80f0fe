package loadtest

import (
	"strconv"
	"sync"
	"sync/atomic"

	"rollcall/loadtest/report"
	"rollcall/protocol"
)

// A meter counts a worker's operations: what happened since it was last asked,
// for the samples, and apart from that what began in the measured time, whenever
// it ended.
type meter struct {
	from, to atomic.Int64 // the measured time, in moments; 0: not yet known
	ops      [measured]opMeter
}

type opMeter struct {
	mu       sync.Mutex
	second   tallied
	measured tallied
}

// A tallied is how often an operation was done, and how fast.
type tallied struct {
	Done    int64             `json:"done,omitzero"`
	Missed  int64             `json:"missed,omitzero"`
	Errors  map[string]int64  `json:"errors,omitempty"`
	Latency *report.Histogram `json:"latency,omitempty"`
}

// add adds what other counted.
func (t *tallied) add(other *tallied) {
	t.Done += other.Done
	t.Missed += other.Missed
	for status, n := range other.Errors {
		t.failed(status, n)
	}
	if other.Latency.Count() > 0 {
		if t.Latency == nil {
			t.Latency = new(report.Histogram)
		}
		t.Latency.Merge(other.Latency)
	}
}

func (t *tallied) failed(status string, n int64) {
	if t.Errors == nil {
		t.Errors = make(map[string]int64)
	}
	t.Errors[status] += n
}

func (t *tallied) empty() bool { return t.Done == 0 && t.Missed == 0 && len(t.Errors) == 0 }

// count applies f to what a thing that should have begun at intended counts in.
func (m *meter) count(op operation, intended moment, f func(*tallied)) {
	if op >= measured {
		return
	}
	o := &m.ops[op]
	inMeasured := int64(intended) >= m.from.Load() && int64(intended) < m.to.Load()
	o.mu.Lock()
	defer o.mu.Unlock()
	f(&o.second)
	if inMeasured {
		f(&o.measured)
	}
}

func (m *meter) done(op operation, intended, now moment) {
	m.count(op, intended, func(t *tallied) {
		t.Done++
		if t.Latency == nil {
			t.Latency = new(report.Histogram)
		}
		t.Latency.Record(now.since(intended))
	})
}

func (m *meter) failed(op operation, intended moment, status string) {
	m.count(op, intended, func(t *tallied) { t.failed(status, 1) })
}

// missed counts what could not be begun.
func (m *meter) missed(op operation, intended moment) {
	m.count(op, intended, func(t *tallied) { t.Missed++ })
}

// take returns what happened since the last call, by operation.
func (m *meter) take() map[string]*tallied {
	taken := make(map[string]*tallied)
	for op := range m.ops {
		o := &m.ops[op]
		o.mu.Lock()
		if !o.second.empty() {
			t := o.second
			o.second = tallied{}
			taken[operationNames[op]] = &t
		}
		o.mu.Unlock()
	}
	return taken
}

// result returns what began in the measured time.
func (m *meter) result() map[string]*tallied {
	all := make(map[string]*tallied)
	for op := range m.ops {
		o := &m.ops[op]
		o.mu.Lock()
		if !o.measured.empty() {
			t := o.measured
			all[operationNames[op]] = &t
		}
		o.mu.Unlock()
	}
	return all
}

// statusName is how an error is counted.
func statusName(err error) string {
	if err == errTimeout {
		return "timeout"
	}
	return "lost"
}

func statusText(s protocol.Status) string { return strconv.Itoa(int(s)) }
