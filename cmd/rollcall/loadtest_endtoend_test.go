package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"rollcall/loadtest"
	"rollcall/loadtest/report"
	"rollcall/protocol"
)

func worker(t *testing.T) func(ctx context.Context) *exec.Cmd {
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return func(ctx context.Context) *exec.Cmd {
		cmd := exec.CommandContext(ctx, exe, "loadtest", "worker")
		cmd.Env = append(os.Environ(), asProgram+"=1")
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

// checkMixed holds a report against the mixed plan: counts and order, never times.
func checkMixed(t *testing.T, r *report.Report, processes int) {
	t.Helper()
	f := r.Feed
	if f == nil || f.Watchers != 2 || f.Logins == 0 || f.Lost != 0 || f.Doubled != 0 || f.Disorder != 0 || f.Rejoined != 0 ||
		f.Unknown != 0 || f.Seen != 2*f.Logins {
		t.Errorf("feed %+v", f)
	}
	if s := r.Storm; s == nil || s.Connections != 16 || s.Back != 16 || s.WrongOnline != 0 || s.Seconds <= 0 {
		t.Errorf("storm %+v", s)
	}
	var names []string
	for _, o := range r.Operations {
		names = append(names, o.Name)
		if o.Done == 0 || len(o.Errors) > 0 || o.Latency.Count() != o.Done {
			t.Errorf("%s: %d done, errors %v, %d latencies", o.Name, o.Done, o.Errors, o.Latency.Count())
		}
		if o.Name == "storm" && o.Done != 16 {
			t.Errorf("%d came back of 16", o.Done)
		}
	}
	if want := []string{"resume", "users.login", "users.get", "users.update", "users.create", "storm", "login.push"}; !slices.Equal(names, want) {
		t.Errorf("operations %q, want %q", names, want)
	}
	names = nil
	for i, p := range r.Phases {
		names = append(names, p.Name)
		if p.End < p.Start || i > 0 && p.Start != r.Phases[i-1].End {
			t.Errorf("phase %+v", p)
		}
	}
	if want := []string{report.PhasePrepare, report.PhaseRamp, report.PhaseWarmup, report.PhaseMeasure, report.PhaseDrain}; !slices.Equal(names, want) {
		t.Errorf("phases %q", names)
	}
	kinds := map[string]int{}
	for _, p := range r.Processes {
		kinds[p.Kind]++
		if len(p.Samples) == 0 {
			t.Errorf("%s: nothing was read", p.Name)
			continue
		}
		last := p.Samples[len(p.Samples)-1]
		if last.CPU <= 0 || last.Goroutines <= 0 || last.Heap <= 0 || last.Connections <= 0 {
			t.Errorf("%s: %+v", p.Name, last)
		}
	}
	if kinds["server"] != 1 || kinds["worker"] != processes {
		t.Errorf("processes %v", kinds)
	}
	if n := len(r.Samples); n == 0 || r.Samples[n-1].LostEvents != 0 || r.Samples[n-1].Connections == 0 {
		t.Errorf("samples %+v", r.Samples)
	}
	text, err := json.Marshal(r)
	if err != nil || strings.Contains(string(text), "5ecret") {
		t.Errorf("%v, a secret in\n%s", err, text)
	}
}

// smallPlan is a few idle players for a second.
func smallPlan(r *running) loadtest.Plan {
	p := mixedPlan(r)
	p.Connections, p.Weights, p.Rates = 6, map[loadtest.Scenario]int{loadtest.Idle: 1, loadtest.Watch: 1}, loadtest.Rates{}
	p.Warmup, p.Duration, p.Metrics = 0, time.Second, nil
	return p
}

func TestASecondLoadTestFindsTheAccountsOfTheFirst(t *testing.T) {
	r := start(t, admin)
	for range 2 {
		got, err := loadtest.Run(t.Context(), smallPlan(r), loadtest.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if f := got.Feed; f.Logins != 5 || f.Seen != 5 || f.Lost != 0 {
			t.Errorf("%+v", f)
		}
	}
	wants(t, r.do("user", "get", "lt-7-4", "--scope", "load"), "logins 2")
}

func TestALoadTestOfAnAdminAloneWatches(t *testing.T) {
	r := start(t, admin)
	p := smallPlan(r)
	p.Connections, p.Processes, p.Weights = 1, 2, map[loadtest.Scenario]int{loadtest.Watch: 1} // one worker has nothing to do
	got, err := loadtest.Run(t.Context(), p, loadtest.Options{Command: worker(t)})
	if err != nil {
		t.Fatal(err)
	}
	if *got.Feed != (report.Feed{Watchers: 1}) || len(got.Operations) != 0 {
		t.Errorf("%+v %+v", got.Feed, got.Operations)
	}
}

func TestALoadTestSaysWhatIsMissing(t *testing.T) {
	r := start(t, admin, "--no-auto-scopes")
	r.do("scope", "add", "plain")
	r.do("admin", "add", "viewer", "--role", "viewer", "--password-file", writeFile(t, "pw", "viewer-5ecret"))
	for want, change := range map[string]func(*loadtest.Plan){
		`scope "load" does not exist on this server`: func(p *loadtest.Plan) { p.Admin, p.Weights = nil, map[loadtest.Scenario]int{loadtest.Idle: 1} },
		"the server refuses the key":                 func(p *loadtest.Plan) { p.Key = "wrong" },
		`scope "plain" allows no logins by openudid`: func(p *loadtest.Plan) { p.Scope = "plain" },
		"log in as an admin":                         func(p *loadtest.Plan) { p.Admin.Password = "wrong" },
		"whose role viewer makes none":               func(p *loadtest.Plan) { p.Scope = "new"; p.Admin.Name, p.Admin.Password = "viewer", "viewer-5ecret" },
		`"plain" allows no logins by openudid: add th`: func(p *loadtest.Plan) {
			p.Admin, p.Weights, p.Scope = nil, map[loadtest.Scenario]int{loadtest.Idle: 1}, "plain"
		},
	} {
		p := smallPlan(r)
		change(&p)
		_, err := loadtest.Run(t.Context(), p, loadtest.Options{})
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "5ecret") {
			t.Errorf("want %q, got %v", want, err)
		}
	}
}
