package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"

	"rollcall/loadtest"
	"rollcall/loadtest/report"
	"rollcall/protocol"
)

// asWorker makes the test binary behave as a worker of a load test.
const asWorker = "ROLLCALL_TEST_AS_WORKER"

func workAsLoadtest() {
	if err := loadtest.Work(context.Background(), os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

func worker(t *testing.T) func(ctx context.Context) *exec.Cmd {
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return func(ctx context.Context) *exec.Cmd {
		cmd := exec.CommandContext(ctx, exe)
		cmd.Env = append(os.Environ(), asWorker+"=1")
		return cmd
	}
}

// mixedPlan has all scenarios in it.
func mixedPlan(r *running) loadtest.Plan {
	return loadtest.Plan{
		Servers: []string{"ws://" + r.address}, Scope: "load", Key: secretKey,
		Admin:       &protocol.AdminLoginParams{Name: "admin", Password: secretPassword},
		Connections: 60,
		Weights: map[loadtest.Scenario]int{
			loadtest.Idle: 10, loadtest.Chatter: 10, loadtest.Churn: 10, loadtest.Storm: 15,
			loadtest.Signup: 3, loadtest.Passwords: 4, loadtest.Watch: 2, loadtest.Slow: 2,
		},
		Rates: loadtest.Rates{Get: 100, Update: 30, Churn: 10, Signup: 10, Passwords: 20},
		Hold:  300 * time.Millisecond, Ramp: 200,
		Warmup: 500 * time.Millisecond, Duration: 3 * time.Second,
		Metrics: []string{"http://" + r.address + "/metrics"},
		Seed:    7,
	}
}

func TestALoadTestOfAllScenariosLosesNothing(t *testing.T) {
	for _, processes := range []int{1, 2} {
		t.Run(fmt.Sprintf("in %d processes", processes), func(t *testing.T) {
			r := start(t, admin)
			plan := mixedPlan(r)
			plan.Processes = processes
			got, err := loadtest.Run(t.Context(), plan, loadtest.Options{Command: worker(t)})
			if err != nil {
				t.Fatal(err)
			}
			checkMixed(t, got, processes)
		})
	}
}

func checkMixed(t *testing.T, r *report.Report, processes int) {
	t.Logf("%+v %+v", r.Feed, r.Storm)
	for _, o := range r.Operations {
		t.Logf("%s %d %v missed %d %v %v", o.Name, o.Done, o.Errors, o.Missed, o.Latency.Quantile(.5), o.Latency.Max())
	}
	for _, p := range r.Phases {
		t.Logf("%+v", p)
	}
	for _, p := range r.Processes {
		t.Logf("%s %s %d", p.Name, p.Kind, len(p.Samples))
	}
}
