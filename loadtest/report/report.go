// Package report is the result of a load test: what was measured, how it is
// written down and read again, compared with another one, held against
// expectations, and shown, as a table, as a page with charts, and as a line
// while the test runs.
//
// It depends on no other package of this module and knows no server.
package report

import "time"

// FormatVersion is the version of the form in which a Report is written down. It
// rises when a reader of the old form would misread the new one.
const FormatVersion = 1

// A Report is the result of one run. Its JSON form is what --out writes.
// Moments are seconds since Started.
type Report struct {
	Format   int       `json:"format"` // FormatVersion
	Started  time.Time `json:"started"`
	Rollcall string    `json:"rollcall"` // the load test's own version
	Machine  Machine   `json:"machine"`
	Plan     any       `json:"plan"` // what was simulated, without secrets
	// Partial says why the run ended before its plan did, such as
	// "interrupted"; see EndEarly. The numbers are of what was done until then.
	Partial string `json:"partial,omitzero"`

	Phases     []Phase       `json:"phases"`
	Operations []Operation   `json:"operations"` // of the measured phase, by name
	Samples    []Sample      `json:"samples"`    // one a second, of the whole run
	Processes  []Process     `json:"processes"`  // servers and workers
	Feed       *Feed         `json:"feed,omitzero"`
	Storm      *Storm        `json:"storm,omitzero"`
	Expected   []Expectation `json:"expected,omitzero"`
}

// Machine is where the load test ran.
type Machine struct {
	OS     string `json:"os"`
	Arch   string `json:"arch"`
	CPUs   int    `json:"cpus"`
	Go     string `json:"go"`
	Memory int64  `json:"memory_bytes"`
}

// The phases of a run, in their order.
const (
	PhasePrepare = "prepare" // accounts are made
	PhaseRamp    = "ramp"    // connections are opened
	PhaseWarmup  = "warmup"  // as measured, but not counted
	PhaseMeasure = "measure"
	PhaseDrain   = "drain" // answers and pushes that are still under way
)

// A Phase is a part of a run.
type Phase struct {
	Name  string  `json:"name"`
	Start float64 `json:"start"`
	End   float64 `json:"end"`
}

// OperationPush is the only operation that nobody asked for; see Operation.
const OperationPush = "login.push"

// An Operation is one thing that was done again and again. Its name is that of
// the message ("users.get"), or "connect" (from the intended start to the answer
// to core.init, TCP and WebSocket handshake included), "resume" (the same with a
// session), "storm" (from the cut to the resumed session) or "login.push" (from
// the reply to a login to an admin's push; one that comes before the reply
// counts as 0).
type Operation struct {
	Name    string           `json:"name"`
	Done    int64            `json:"done"`             // answered with a result
	Errors  map[string]int64 `json:"errors,omitzero"`  // by status; "lost" where the connection broke, "timeout" where no answer came
	Missed  int64            `json:"missed,omitzero"`  // could not be begun: the load test itself was behind, or had no connection for it
	Seconds float64          `json:"seconds"`          // measured time
	Latency *Histogram       `json:"latency,omitzero"` // of those done, from the intended start
}

// A Sample is what happened in one second.
type Sample struct {
	Second      float64             `json:"second"` // its end
	Phase       string              `json:"phase"`
	Connections int64               `json:"connections"` // open at its end
	Operations  map[string]OpSample `json:"operations,omitzero"`
	Errors      map[string]int64    `json:"errors,omitzero"` // by status, over all operations
	LostEvents  int64               `json:"lost_events"`     // logins that an admin should have seen by now and has not
}

// An OpSample is one operation's second. Latencies are in milliseconds.
type OpSample struct {
	Done   int64   `json:"done"`
	Errors int64   `json:"errors,omitzero"`
	P50    float64 `json:"p50"`
	P99    float64 `json:"p99"`
	Max    float64 `json:"max"`
}

// The kinds of process.
const (
	KindServer = "server"
	KindWorker = "worker"
)

// A Process is one that was watched: a server by its /metrics, or a worker.
type Process struct {
	Name    string          `json:"name"` // a server's URL, or "worker 1"
	Kind    string          `json:"kind"`
	Samples []ProcessSample `json:"samples"`
}

// A ProcessSample is a process at one moment.
type ProcessSample struct {
	Second      float64 `json:"second"`
	Resident    int64   `json:"resident_bytes"`
	Heap        int64   `json:"heap_bytes"`
	CPU         float64 `json:"cpu_seconds"` // used since the process began
	Goroutines  int64   `json:"goroutines"`
	Connections int64   `json:"connections"`
}

// Feed is what the admins of the scenario watch saw.
type Feed struct {
	Watchers int   `json:"watchers"`
	Logins   int64 `json:"logins"`   // logins and resumes that were acknowledged to players
	Unknown  int64 `json:"unknown"`  // sent but never answered: each may be in the feed or not
	Seen     int64 `json:"seen"`     // over all watchers
	Lost     int64 `json:"lost"`     // acknowledged and not seen, over all watchers
	Doubled  int64 `json:"doubled"`  // seen more often than it can have happened
	Disorder int64 `json:"disorder"` // events whose seq did not rise
	Rejoined int64 `json:"rejoined"` // times that a watcher lost its connection and came back
}

// Storm is how the scenario storm went.
type Storm struct {
	Connections int     `json:"connections"`
	Back        int     `json:"back"`         // resumed their session
	Seconds     float64 `json:"seconds"`      // from the cut until the last was back
	WrongOnline int     `json:"wrong_online"` // users shown offline afterwards
}

// An Expectation is a statement about a report, and whether it held.
type Expectation struct {
	Text string `json:"text"` // such as "p99(users.get)<20ms"
	Got  string `json:"got"`  // such as "12.3 ms"
	Held bool   `json:"held"`
}
