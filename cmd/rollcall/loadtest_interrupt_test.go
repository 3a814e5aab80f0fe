package main

import (
	"bytes"
	"context"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"rollcall/loadtest/report"
)

// A trigger does something once, when a text is written to it.
type trigger struct {
	text string
	do   func()
	mu   sync.Mutex
	all  bytes.Buffer
}

func (w *trigger) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	before := strings.Contains(w.all.String(), w.text)
	w.all.Write(p)
	if !before && strings.Contains(w.all.String(), w.text) {
		w.do()
	}
	return len(p), nil
}

func (w *trigger) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.all.String()
}

// interrupted runs a long load test until stderr has a text.
func interrupted(t *testing.T, text string, more ...string) (printed string, err error) {
	t.Helper()
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	p := loadArgs(start(t, admin), append([]string{"--duration", "10m"}, more...)...)
	var out bytes.Buffer
	p.Stdout, p.Stderr = &out, &trigger{text: text, do: interrupt}
	err = p.Run(ctx)
	return out.String(), err
}

func TestAnInterruptedLoadTestReportsWhatItMeasured(t *testing.T) {
	folder := t.TempDir()
	out, page := filepath.Join(folder, "r.json"), filepath.Join(folder, "r.html")
	printed, err := interrupted(t, "s; measure; ", "--out", out, "--html", page, "--expect", "done(users.get)>0")
	if ExitCode(err) != 1 || err.Error() != "the load test is not complete: interrupted" {
		t.Errorf("ended with %v", err)
	}
	if !strings.HasPrefix(printed, "The run is not complete: interrupted.\n") || !strings.Contains(printed, "users.get") {
		t.Errorf("printed\n%s", printed)
	}
	got := readReport(t, out)
	if got.Partial != "interrupted" || len(got.Operations) == 0 || !got.Expected[0].Held {
		t.Errorf("%+v", got)
	}
	last := got.Phases[len(got.Phases)-1]
	if last.Name != report.PhaseMeasure || last.End <= last.Start || got.Operations[0].Seconds != last.End-last.Start {
		t.Errorf("phases %+v, measured for %v s", got.Phases, got.Operations[0].Seconds)
	}
}

func TestALoadTestThatIsInterruptedBeforeItMeasuresHasNoReport(t *testing.T) {
	out := filepath.Join(t.TempDir(), "r.json")
	printed, err := interrupted(t, "opening connections", "--out", out)
	if ExitCode(err) != 1 || err.Error() != "load test: interrupted" || printed != "" {
		t.Errorf("ended with %v, printed %q", err, printed)
	}
	if left, _ := filepath.Glob(out); len(left) > 0 {
		t.Error("there is a report")
	}
}
