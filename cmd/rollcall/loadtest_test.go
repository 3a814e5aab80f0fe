package main

import (
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"rollcall/loadtest"
	"rollcall/loadtest/report"
	"rollcall/protocol"
)

// planOf returns the plan that a command line makes.
func planOf(t *testing.T, env func(string) (string, bool), args ...string) (loadtest.Plan, error) {
	t.Helper()
	var cli commands
	_, s, err := Program{Args: append([]string{"loadtest"}, args...), Env: env}.withDefaults().parse(&cli)
	if err != nil {
		return loadtest.Plan{}, err
	}
	return cli.Load.Run.plan(s)
}

func TestAMixIsTakenAndFlagsGoBeforeIt(t *testing.T) {
	mix := writeFile(t, "day.yaml", `
connections: 500
weights: {idle: 3, chatter: 1, watch: 2}
rates: {get: 40}
warmup: 10s
duration: 2m
`)
	got, err := planOf(t, nil, "--mix", mix, "--chatter", "5", "--duration", "1m", "--update-rate", "7")
	want := loadtest.Plan{
		Servers: []string{"ws://127.0.0.1:7600/ws"}, Scope: "loadtest", Connections: 500, Weights: weights{"idle": 3, "chatter": 5, "watch": 2},
		Rates: loadtest.Rates{Get: 40, Update: 7}, Hold: time.Second, Ramp: 1000, Warmup: 10 * time.Second, Duration: time.Minute, Seed: 1,
		Admin: &protocol.AdminLoginParams{Name: "admin"},
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v; want\n%+v", got, err, want)
	}
	_, err = planOf(t, nil, "--mix", writeFile(t, "day.yaml", "weights: {idel: 1}\n"))
	if ExitCode(err) != 2 || !strings.Contains(err.Error(), "day.yaml: ") || !strings.Contains(err.Error(), "idel") {
		t.Errorf("a scenario that there is not: %v", err)
	}
}

func TestTheREADMEsMixIsOne(t *testing.T) {
	text, _, _ := between(t, readREADME(t), "flags go before it:\n\n```yaml\n", "```")
	plan, err := planOf(t, nil, "--mix", writeFile(t, "day.yaml", text))
	if plan.Key = secretKey; err != nil || plan.Validate() != nil {
		t.Errorf("%v, %v", err, plan.Validate())
	}
}

type weights = map[loadtest.Scenario]int

func TestFlagsMakeThePlan(t *testing.T) {
	base := loadtest.Plan{
		Servers: []string{"ws://127.0.0.1:7600/ws"}, Scope: "loadtest", Connections: 1000, Weights: weights{"idle": 7, "chatter": 2, "churn": 1},
		Rates: loadtest.Rates{Get: 500, Update: 50, Churn: 25}, Hold: time.Second, Ramp: 1000, Warmup: 3 * time.Second, Duration: 20 * time.Second, Seed: 1,
	}
	with := func(change func(*loadtest.Plan)) loadtest.Plan {
		p := base
		change(&p)
		return p
	}
	admin := &protocol.AdminLoginParams{Name: "admin"}
	password := environ("ROLLCALL_ADMIN_PASSWORD", secretPassword)
	for name, tt := range map[string]struct {
		env  func(string) (string, bool)
		args []string
		want loadtest.Plan
	}{
		"nothing": {want: base},
		"with an admin one watches": {env: password, want: with(func(p *loadtest.Plan) {
			p.Admin, p.Weights = admin, weights{"idle": 7, "chatter": 2, "churn": 1, "watch": 1}
		})},
		"unless none shall": {env: password, args: []string{"--watch", "0"}, want: with(func(p *loadtest.Plan) {
			p.Admin, p.Weights = admin, weights{"idle": 7, "chatter": 2, "churn": 1, "watch": 0}
		})},
		"servers of the environment": {env: environ("ROLLCALL_SERVER", "ws://a, ws://b"), want: with(func(p *loadtest.Plan) { p.Servers = []string{"ws://a", "ws://b"} })},
		"servers of the command line": {env: environ("ROLLCALL_SERVER", "ws://a"), args: []string{"--server", "ws://c", "--server", "ws://d"},
			want: with(func(p *loadtest.Plan) { p.Servers = []string{"ws://c", "ws://d"} })},
		"a number of connections": {args: []string{"--connections", "200"}, want: with(func(p *loadtest.Plan) {
			p.Connections, p.Rates = 200, loadtest.Rates{Get: 100, Update: 10, Churn: 5}
		})},
		"one scenario": {env: password, args: []string{"--idle", "1"}, want: with(func(p *loadtest.Plan) {
			p.Admin, p.Weights, p.Rates = admin, weights{"idle": 1}, loadtest.Rates{}
		})},
		"watchers alone leave the rest": {args: []string{"--watch", "3", "--slow", "2"}, want: with(func(p *loadtest.Plan) {
			p.Admin, p.Weights = admin, weights{"idle": 7, "chatter": 2, "churn": 1, "watch": 3, "slow": 2}
		})},
		"a rate of its own leaves out the other": {args: []string{"--chatter", "1", "--get-rate", "5000"}, want: with(func(p *loadtest.Plan) {
			p.Weights, p.Rates = weights{"chatter": 1}, loadtest.Rates{Get: 5000}
		})},
		"all of it": {args: []string{"run", "--scope", "A", "--connections", "10", "--storm=1", "--signup=2", "--passwords=3", "--signup-rate=4", "--password-rate=0.5", "--churn=1", "--churn-rate=2",
			"--hold=2s", "--ramp=50", "--warmup=1s", "--duration=1m", "--processes=2", "--source=127.0.0.2", "--source=::1", "--seed=9", "--admin=ops", "--watch=1"},
			want: loadtest.Plan{Servers: base.Servers, Scope: "A", Connections: 10, Weights: weights{"storm": 1, "signup": 2, "passwords": 3, "churn": 1, "watch": 1},
				Rates: loadtest.Rates{Signup: 4, Passwords: 0.5, Churn: 2}, Hold: 2 * time.Second, Ramp: 50, Warmup: time.Second, Duration: time.Minute,
				Processes: 2, Seed: 9, Admin: &protocol.AdminLoginParams{Name: "ops"}}},
	} {
		got, err := planOf(t, tt.env, tt.args...)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if name == "all of it" {
			if len(got.Sources) != 2 || got.Sources[0].String() != "127.0.0.2" || got.Sources[1].String() != "::1" {
				t.Errorf("sources %v", got.Sources)
			}
			got.Sources = nil
		}
		if !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%s:\n%+v, want\n%+v", name, got, tt.want)
		}
		got.Key, got.Admin = "k", admin
		if err := got.Validate(); err != nil && name != "all of it" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestMistakesOfALoadTestAreFoundBeforeItConnects(t *testing.T) {
	folder := t.TempDir()
	for _, tt := range []struct {
		want string
		args []string
	}{
		{"expectation \"p99<1s\": p99 of what?", []string{"--expect", "p99<1s"}},
		{"out: ", []string{"--out", filepath.Join(folder, "none", "r.json")}},
		{"out: ", []string{"--out", folder}},
		{"html: ", []string{"--html", filepath.Join(folder, "none", "r.html")}},
		{"cpuprofile: ", []string{"--cpuprofile", filepath.Join(folder, "none", "cpu")}},
		{"source: \"here\" is no IP address", []string{"--source", "here"}},
		{"connections", []string{"--connections", "0"}},
		{"duration", []string{"--duration", "1ms"}},
		{"--connections", []string{"--connections", "many"}},
		{"servers", []string{"--server", "ftp://127.0.0.1"}},
		{"metrics", []string{"--metrics", "nowhere"}},
		{"--color", []string{"--color", "blue"}},
		{"read mix", []string{"--mix", filepath.Join(folder, "none.yaml")}},
		{"key and key-file are both set", []string{"--key", "a", "--key-file", "b"}},
		{"rate of churn", []string{"--idle", "1", "--churn-rate", "5"}},
		{"unexpected argument", []string{"more"}},
		{"read report", []string{"compare", filepath.Join(folder, "none.json"), filepath.Join(folder, "none.json")}},
		{"expected \"<b>\"", []string{"compare", "a.json"}},
	} {
		out, _, err := run(t, Program{Args: append([]string{"loadtest"}, tt.args...),
			Env: environ("ROLLCALL_SERVER", "ws://127.0.0.1:1", "ROLLCALL_KEY", secretKey, "ROLLCALL_ADMIN_PASSWORD", secretPassword)})
		if ExitCode(err) != 2 || !strings.Contains(err.Error(), strings.TrimPrefix(tt.want, "servers")) || out != "" {
			t.Errorf("%q: %v, want %q; exit code %d, output %q", tt.args, err, tt.want, ExitCode(err), out)
		}
	}
	_, _, err := run(t, Program{Args: []string{"loadtest", "--server", "ws://127.0.0.1:1"}})
	if ExitCode(err) != 2 || !strings.Contains(err.Error(), "ROLLCALL_KEY") {
		t.Errorf("without a key: %v", err)
	}
	_, _, err = run(t, Program{Args: []string{"loadtest", "--server", "ws://127.0.0.1:1", "--watch", "1"}, Env: environ("ROLLCALL_KEY", secretKey)})
	if ExitCode(err) != 2 || !strings.Contains(err.Error(), "no password") {
		t.Errorf("without an admin's password: %v", err)
	}
}

// loadArgs are a short run with a little of everything.
func loadArgs(r *running, more ...string) Program {
	return Program{
		Args: append([]string{"loadtest", "--scope", "load", "--connections", "40", "--warmup", "0s", "--duration", "2s", "--ramp", "200"}, more...),
		Env:  environ("ROLLCALL_SERVER", "ws://"+r.address, "ROLLCALL_KEY", secretKey, "ROLLCALL_ADMIN_PASSWORD", secretPassword),
	}
}

func readReport(t *testing.T, path string) *report.Report {
	t.Helper()
	all, err := readReports(path)
	if err != nil {
		t.Fatal(err)
	}
	return all[0]
}

func TestALoadTestMeasuresAndReports(t *testing.T) {
	r := start(t, admin)
	folder := t.TempDir()
	out, page, profile := filepath.Join(folder, "r.json"), filepath.Join(folder, "r.html"), filepath.Join(folder, "cpu")
	printed, told, err := run(t, loadArgs(r, "--out", out, "--html", page, "--cpuprofile", profile, "--expect", "lost=0", "--expect", "done(users.get)>0", "--expect", "connections>0"))
	if err != nil {
		t.Fatalf("%v\n%s", err, told)
	}
	for _, want := range []string{"users.get", "login.push", "http://" + r.address + "/metrics", "worker 1", "feed: ", "lost=0", "held"} {
		if !strings.Contains(printed, want) {
			t.Errorf("no %q in\n%s", want, printed)
		}
	}
	if !strings.Contains(told, "measuring") || strings.Contains(printed+told, "5ecret") {
		t.Errorf("told\n%s", told)
	}
	got := readReport(t, out)
	if got.Partial != "" || len(got.Samples) == 0 || len(got.Expected) != 3 || !got.Expected[0].Held || got.Rollcall != version() {
		t.Errorf("%+v", got)
	}
	for _, path := range []string{out, page} {
		text, err := os.ReadFile(path)
		if err != nil || strings.Contains(string(text), "5ecret") {
			t.Errorf("%s: %v, or it holds a secret", path, err)
		}
	}
	if info, err := os.Stat(profile); err != nil || info.Size() == 0 {
		t.Errorf("profile: %v", err)
	}
	if left, _ := os.ReadDir(folder); len(left) != 3 {
		t.Errorf("%d files are left", len(left))
	}
}

func TestALoadTestFailsWhereAnExpectationDoesNotHoldAndWritesItsReport(t *testing.T) {
	r := start(t, admin)
	out := filepath.Join(t.TempDir(), "r.json")
	printed, _, err := run(t, loadArgs(r, "--idle", "1", "--out", out, "--json", "--metrics", "off", "--expect", "p99(users.get)<1m", "--expect", "lost=0", "--expect", "connections>0"))
	if ExitCode(err) != 1 || err.Error() != "2 of 3 expectations did not hold" {
		t.Errorf("%v", err)
	}
	var s report.Summary
	if err := json.Unmarshal([]byte(printed), &s); err != nil || s.Connections == 0 || len(s.Expected) != 3 || s.Processes == nil || s.Processes[0].Kind != report.KindWorker {
		t.Errorf("%v in\n%s", err, printed)
	}
	if got := readReport(t, out); got.Expected[0].Got != "users.get was never done" || got.Expected[1].Got != "nobody watched" || !got.Expected[2].Held {
		t.Errorf("%+v", got.Expected)
	}
}

func TestALoadTestMayHaveSeveralProcesses(t *testing.T) {
	r := start(t, admin)
	t.Setenv(asProgram, "1") // the workers are this binary
	printed, told, err := run(t, loadArgs(r, "--processes", "2", "--expect", "lost=0"))
	if err != nil || !strings.Contains(printed, "worker 2") {
		t.Errorf("%v\n%s%s", err, printed, told)
	}
}

func TestAServerThatIsNotThereFailsALoadTest(t *testing.T) {
	out, _, err := run(t, Program{Args: []string{"loadtest", "--server", "ws://127.0.0.1:1"}, Env: environ("ROLLCALL_KEY", secretKey, "ROLLCALL_ADMIN_PASSWORD", secretPassword)})
	if ExitCode(err) != 1 || !strings.HasPrefix(err.Error(), "load test: ") || out != "" {
		t.Errorf("%v, output %q", err, out)
	}
}

func TestMetricsAreReadWhereTheyAnswer(t *testing.T) {
	serve := func(status int, text string) string {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/metrics" {
				status = http.StatusNotFound
			}
			w.WriteHeader(status)
			_, _ = w.Write([]byte(text))
		}))
		t.Cleanup(s.Close)
		return strings.TrimPrefix(s.URL, "http://")
	}
	good, other, refused := serve(200, "# HELP x\n"), serve(200, "hello\n"), serve(403, "# HELP x\n")
	for _, tt := range []struct{ given, servers, want []string }{
		{nil, []string{"ws://" + good + "/ws", "ws://" + other, "ws://" + refused, "ws://127.0.0.1:1", "http://" + good, "%"}, []string{"http://" + good + "/metrics", "http://" + good + "/metrics"}},
		{[]string{"off"}, []string{"ws://" + good}, nil},
		{[]string{"http://x/m"}, []string{"ws://" + good}, []string{"http://x/m"}},
	} {
		l := loadtestTarget{Server: tt.servers, Metrics: tt.given}
		if got := l.metrics(t.Context(), slog.New(slog.DiscardHandler)); !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%v of %v: %v, want %v", tt.given, tt.servers, got, tt.want)
		}
	}
	if got, err := metricsURL("wss://a.example.com/ws"); got != "https://a.example.com/metrics" || err != nil {
		t.Errorf("%s, %v", got, err)
	}
}

func TestReportsAreCompared(t *testing.T) {
	write := func(name string, done int64) string {
		path := filepath.Join(t.TempDir(), name)
		var text strings.Builder
		r := report.Report{Format: report.FormatVersion, Operations: []report.Operation{{Name: "users.get", Done: done, Seconds: 10}}}
		if err := r.Write(&text); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text.String()), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	a, b := write("a1", 1000)+","+write("a2", 1100), write("b1", 2000)+","+write("b2", 2200)
	out, _, err := run(t, Program{Args: []string{"loadtest", "compare", a, b}})
	wants(t, out, "users.get rate 105/s (100/s..110/s) 210/s (200/s..220/s) 2.00 (1.82..2.20) better")
	if err != nil {
		t.Error(err)
	}
	out, _, err = run(t, Program{Args: []string{"loadtest", "compare", "--json", a, b}})
	var c report.Comparison
	if err := errors.Join(err, json.Unmarshal([]byte(out), &c)); err != nil || c.RunsA != 2 || c.Rows[0].Verdict != report.Better {
		t.Errorf("%v in %s", err, out)
	}
}
