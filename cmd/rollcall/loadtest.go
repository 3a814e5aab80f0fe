package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"

	"rollcall/loadtest"
	"rollcall/loadtest/report"
)

type loadtestCommands struct {
	Run     loadtestRun     `cmd:"" default:"withargs" help:"Run a load test (what loadtest does without another word)."`
	Compare loadtestCompare `cmd:"" help:"Compare the reports of load tests."`
	Worker  loadtestWorker  `cmd:"" hidden:"" help:"Simulate a share of the players; started by a load test."`
}

// Help describes the commands further.
func (loadtestCommands) Help() string {
	return "Without another word it runs a load test; rollcall loadtest run --help lists the flags."
}

// loadtestRun runs a load test and tells how it went. What the load test does is
// about one call and has no settings; where the server is and who asks there has.
type loadtestRun struct {
	loadtestTarget
	loadtestPlan
	loadtestResults
	colorFlag
}

// Help describes the command further.
func (loadtestRun) Help() string {
	return "Without flags 1,000 players do a little of everything for half a minute. " +
		"Players need the server key. With an admin's password the scope is made where it is absent, and one admin checks that the feed loses nothing. " +
		"Use a scope that is for load tests only: its accounts stay. " +
		"The exit status is 0 when all expectations held, 1 when one did not or the run failed, 2 for a mistake."
}

// secondsPerLine is how often the run tells of itself where stderr is no terminal.
const secondsPerLine = 5

// Run carries the load test out.
func (l *loadtestRun) Run(ctx context.Context, p Program, s *settings) error {
	expected, err := l.check()
	if err != nil {
		return err
	}
	plan, err := l.plan(s)
	if err != nil {
		return err
	}
	if err := l.connect(p, s, &plan); err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(p.Stderr, nil))
	plan.Metrics = l.metrics(ctx, log)
	if err := plan.Validate(); err != nil {
		return usageError{err}
	}
	if len(plan.Metrics) == 0 {
		log.Warn("no server's metrics are read: its memory and CPU are not measured")
	}
	stop, err := profileCPU(l.CPUProfile)
	if err != nil {
		return err
	}
	got, runErr := l.measure(ctx, p, plan)
	if err := stop(); err != nil && runErr == nil {
		runErr = err
	}
	if got == nil {
		return fmt.Errorf("load test: %w", runErr)
	}
	if runErr != nil && got.Partial == "" {
		got.EndEarly(runErr.Error())
	}
	return errors.Join(l.tell(p, got, expected), incomplete(got))
}

func incomplete(r *report.Report) error {
	if r.Partial == "" {
		return nil
	}
	return fmt.Errorf("the load test is not complete: %s", r.Partial)
}

// measure runs the plan, and shows it while it is on.
func (l *loadtestRun) measure(ctx context.Context, p Program, plan loadtest.Plan) (*report.Report, error) {
	exe, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program, to start workers: %w", err)
	}
	live := &report.Live{W: p.Stderr, Every: secondsPerLine, Width: p.screenWidth()}
	defer live.Close()
	got, err := loadtest.Run(ctx, plan, loadtest.Options{
		Command:  func(ctx context.Context) *exec.Cmd { return exec.CommandContext(ctx, exe, "loadtest", "worker") },
		OnSample: live.Sample,
		OnPhase:  live.Phase,
		Logger:   slog.New(slog.NewTextHandler(live, nil)),
		Version:  version(),
	})
	if err != nil && ctx.Err() != nil {
		err = errors.New("interrupted")
	}
	return got, err
}

type loadtestWorker struct{}

// Run does what the load test that started it says until that ends. An interrupt
// reaches all processes of a terminal: what follows from it is for the load test
// to decide.
func (loadtestWorker) Run(ctx context.Context, p Program) error {
	return loadtest.Work(context.WithoutCancel(ctx), p.Stdin, p.Stdout)
}
