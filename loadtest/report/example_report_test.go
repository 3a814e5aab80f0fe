package report

import (
	"flag"
	"math"
	"os"
	"path/filepath"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write the golden files instead of comparing with them")

// golden compares with a file in testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s is\n%s\nwant\n%s", name, got, want)
	}
}

// histogram counts n latencies, of which each is longer than the one before by
// the same factor, from the shortest to the longest.
func histogram(n int, shortest, longest time.Duration) *Histogram {
	h := new(Histogram)
	for i := range n {
		part := float64(i) / float64(max(n-1, 1))
		h.Record(time.Duration(float64(shortest) * math.Pow(float64(longest)/float64(shortest), part*part*part)))
	}
	return h
}

// exampleReport is a run of 30 seconds with all that a report can have.
func exampleReport() *Report {
	r := &Report{
		Format: FormatVersion, Started: time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC), Rollcall: "v1.2.3",
		Machine: Machine{OS: "linux", Arch: "amd64", CPUs: 2, Go: "go1.26.8", Memory: 8 * gigabyte},
		Plan: map[string]any{"servers": []any{"ws://127.0.0.1:7600/ws"}, "scope": "loadtest", "connections": 1000.0,
			"weights": map[string]any{"idle": 8.0, "chatter": 2.0}, "duration": 20e9, "warmup": 3e9},
		Phases: []Phase{{PhasePrepare, 0, 2}, {PhaseRamp, 2, 4}, {PhaseWarmup, 4, 7}, {PhaseMeasure, 7, 27}, {PhaseDrain, 27, 30}},
		Operations: []Operation{
			{Name: "connect", Seconds: 20},
			{Name: "login.push", Done: 2000, Seconds: 20, Latency: histogram(2000, 200*time.Microsecond, 30*time.Millisecond)},
			{Name: "storm", Done: 998, Errors: map[string]int64{"timeout": 2}, Seconds: 20, Latency: histogram(998, 2*time.Millisecond, 1500*time.Millisecond)},
			{Name: "users.get", Done: 99950, Errors: map[string]int64{"809": 40, "lost": 7, "timeout": 3}, Missed: 12, Seconds: 20, Latency: histogram(99950, 150*time.Microsecond, 45*time.Millisecond)},
			{Name: "users.update", Done: 1000, Seconds: 20, Latency: histogram(1000, 300*time.Microsecond, 60*time.Millisecond)},
		},
		Feed:  &Feed{Watchers: 2, Logins: 1000, Unknown: 2, Seen: 2000, Rejoined: 1},
		Storm: &Storm{Connections: 1000, Back: 998, Seconds: 1.5, WrongOnline: 1},
		Expected: []Expectation{
			{Text: "p99(users.get)<50ms", Got: "38.3 ms", Held: true},
			{Text: "errors=0", Got: "52"},
		},
	}
	server := Process{Name: "http://127.0.0.1:7600", Kind: KindServer}
	worker := Process{Name: "worker 1", Kind: KindWorker}
	for i := 1; i <= 30; i++ {
		second := float64(i)
		s := Sample{Second: second, Phase: PhaseDrain, Operations: map[string]OpSample{}}
		for _, p := range r.Phases {
			if second > p.Start && second <= p.End {
				s.Phase = p.Name
			}
		}
		swing := 1 + 0.2*math.Sin(second)
		switch {
		case i > 4 && i <= 27:
			s.Connections = 1000
			s.Operations["users.get"] = OpSample{Done: int64(5000 * swing), P50: 0.4 * swing, P99: 3 * swing, Max: 12 * swing * swing}
			s.Operations["users.update"] = OpSample{Done: 50, P50: 0.8 * swing, P99: 5 * swing, Max: 9 * swing * swing}
		case i > 2 && i <= 4:
			s.Connections = int64(i-2) * 500
			s.Operations["connect"] = OpSample{Done: 500, P50: 1.2, P99: 8, Max: 14}
		}
		if i == 8 {
			s.Connections = 420
			s.Errors = map[string]int64{"809": 40, "lost": 7, "timeout": 5}
			s.Operations["storm"] = OpSample{Done: 998, Errors: 2, P50: 300, P99: 1200, Max: 1500}
			s.LostEvents = 31
		}
		r.Samples = append(r.Samples, s)
		server.Samples = append(server.Samples, ProcessSample{Second: second, Resident: 30*megabyte + 10*kilobyte*s.Connections, Heap: 12*megabyte + 6*kilobyte*s.Connections,
			CPU: 0.5 + 0.7*second, Goroutines: 20 + 2*s.Connections, Connections: s.Connections})
		worker.Samples = append(worker.Samples, ProcessSample{Second: second, Resident: 60 * megabyte, Heap: 30 * megabyte, CPU: 0.4 * second, Goroutines: 40, Connections: s.Connections})
	}
	r.Processes = []Process{server, worker}
	return r
}

func sourceOf(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
