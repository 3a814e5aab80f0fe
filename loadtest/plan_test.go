package loadtest

import (
	"encoding/json"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"rollcall/protocol"
)

// goodPlan is one that can be carried out.
func goodPlan() Plan {
	return Plan{
		Servers: []string{"ws://127.0.0.1:7600"}, Scope: "load", Key: "k-5ecret", Admin: &protocol.AdminLoginParams{Name: "admin", Password: "p-5ecret"},
		Connections: 100, Weights: map[Scenario]int{Idle: 5, Chatter: 3, Churn: 2, Signup: 1, Passwords: 1, Watch: 1, Slow: 2},
		Rates: Rates{Get: 10, Update: 1, Churn: 2, Signup: 1, Passwords: 1}, Hold: time.Second,
		Ramp: 100, Warmup: time.Second, Duration: time.Second,
	}
}

func TestAPlanThatCannotBeCarriedOutSaysWhy(t *testing.T) {
	good := goodPlan()
	if err := good.Validate(); err != nil {
		t.Fatal(err)
	}
	for want, change := range map[string]func(*Plan){
		"servers: name at least one":                  func(p *Plan) { p.Servers = nil },
		"the scheme must be ws, wss, http or https":   func(p *Plan) { p.Servers = []string{"ftp://a"} },
		"there is no host":                            func(p *Plan) { p.Servers = []string{"ws:///ws"} },
		"not a URL":                                   func(p *Plan) { p.Servers = []string{"ws://a:b:c"} },
		`metrics "here": must be a URL`:               func(p *Plan) { p.Metrics = []string{"here"} },
		"scope: name the scope":                       func(p *Plan) { p.Scope = "" },
		"scope: name one scope":                       func(p *Plan) { p.Scope = "*" },
		"key: players need the server key":            func(p *Plan) { p.Key = "" },
		`there is no scenario "sleep"`:                func(p *Plan) { p.Weights["sleep"] = 1 },
		"idle: a weight can't be negative":            func(p *Plan) { p.Weights[Idle] = -1 },
		"give at least one scenario a weight":         func(p *Plan) { p.Weights = nil },
		"connections: must be at least 1":             func(p *Plan) { p.Connections = 0 },
		"watch: admins need a name":                   func(p *Plan) { p.Admin = nil },
		"2 and 99 are more than the 100":              func(p *Plan) { p.Weights[Watch], p.Weights[Slow] = 2, 99 },
		"with 100 connections its share is none":      func(p *Plan) { p.Weights[Idle] = 5000 },
		"rate of get: can't be negative":              func(p *Plan) { p.Rates.Get = -1 },
		"scenario signup has no connections":          func(p *Plan) { p.Weights[Signup] = 0 },
		"passwords: say how many a second":            func(p *Plan) { p.Rates.Passwords = 0 },
		"without any it is idle":                      func(p *Plan) { p.Rates.Get, p.Rates.Update = 0, 0 },
		"churn: say for how long a connection stays":  func(p *Plan) { p.Hold = 0 },
		"are 100 connections at once, and its share":  func(p *Plan) { p.Hold = 50 * time.Second },
		"duration: must be at least 1s":               func(p *Plan) { p.Duration = 0 },
		"warmup: can't be negative":                   func(p *Plan) { p.Warmup = -1 },
		"ramp: say how many connections":              func(p *Plan) { p.Ramp = 0 },
		"processes: can't be negative":                func(p *Plan) { p.Processes = -1 },
		"processes: 1 hold 15000 connections at most": func(p *Plan) { p.Connections, p.Processes = 15_001, 1 },
		"sources: must be IP addresses":               func(p *Plan) { p.Sources = []netip.Addr{{}} },
		"have ports for 20000 connections":            func(p *Plan) { p.Connections = 20_001; p.Sources = []netip.Addr{netip.MustParseAddr("127.0.0.1")} },
	} {
		p := goodPlan()
		change(&p)
		if err := p.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, got %v", want, err)
		}
	}
}

func TestAPlanInAReportHasNoSecret(t *testing.T) {
	p := goodPlan()
	text, err := json.Marshal(p.public())
	if err != nil || strings.Contains(string(text), "5ecret") || !strings.Contains(string(text), `"connections":100`) {
		t.Errorf("%v: %s", err, text)
	}
	if p.Key == "" || p.Admin == nil {
		t.Error("and the plan itself lost them")
	}
}

func TestTheNumberOfWorkersAndSourcesFollowsFromTheConnections(t *testing.T) {
	for _, c := range []struct {
		connections, servers, named int
		workers, sources            int
	}{
		{1, 1, 0, 1, 1},
		{MaxPerProcess, 1, 0, 1, 1},
		{MaxPerProcess + 1, 1, 0, 2, 1},
		{MaxPerSource, 1, 0, 2, 1},
		{MaxPerSource + 1, 1, 0, 2, 2},
		{100_000, 1, 0, 7, 5},
		{100_000, 6, 0, 7, 1},
		{100_000, 4, 10, 10, 2},
	} {
		p := Plan{Connections: c.connections, Processes: c.named, Servers: slices.Repeat([]string{"ws://127.0.0.1:1"}, c.servers)}
		if w, s := p.Workers(), p.Addresses(); w != c.workers || len(s) != c.sources {
			t.Errorf("%+v: %d workers, sources %v", c, w, s)
		}
	}
	p := Plan{Connections: 10_000_000, Servers: []string{"localhost:7600"}}
	addresses := p.Addresses()
	if len(addresses) != 500 || addresses[0] != netip.MustParseAddr("127.0.0.1") || addresses[499] != netip.MustParseAddr("127.0.1.244") {
		t.Errorf("%d: %v", len(addresses), addresses)
	}
	p.Servers = append(p.Servers, "wss://example.com")
	if got := p.Addresses(); got != nil {
		t.Errorf("to another machine: %v", got)
	}
	p.Sources = []netip.Addr{netip.MustParseAddr("10.0.0.1")}
	if got := p.Addresses(); !slices.Equal(got, p.Sources) {
		t.Errorf("%v", got)
	}
}

func TestConnectionsAreSharedByWeightAndNoneIsLeftOver(t *testing.T) {
	for _, c := range []struct {
		connections int
		weights     map[Scenario]int
		want        map[Scenario]int
	}{
		{10, map[Scenario]int{Idle: 1}, map[Scenario]int{Idle: 10}},
		{10, map[Scenario]int{Idle: 1, Chatter: 1, Storm: 1}, map[Scenario]int{Idle: 4, Chatter: 3, Storm: 3}},
		{10, map[Scenario]int{Idle: 98, Storm: 2, Watch: 2, Slow: 3}, map[Scenario]int{Idle: 5, Storm: 0, Watch: 2, Slow: 3}},
		{3, map[Scenario]int{Watch: 3}, map[Scenario]int{Watch: 3}},
	} {
		p := Plan{Connections: c.connections, Weights: c.weights}
		if got := p.counts(); !maps.Equal(got, c.want) {
			t.Errorf("%+v: %v", c, got)
		}
	}
}

func TestSharesAddUpToThePlan(t *testing.T) {
	p := goodPlan()
	for workers := 1; workers <= 9; workers++ {
		counts, players, passwords, all := make(map[Scenario]int), 0, 0, []int{}
		var rates Rates
		for _, s := range p.shares(workers) {
			sum := 0
			for scenario, n := range s.Counts {
				counts[scenario] += n
				sum += n
			}
			all = append(all, sum)
			if s.Players.First != players || s.Passwords.First != passwords {
				t.Errorf("%d workers: accounts overlap or leave a gap: %+v", workers, s)
			}
			if s.Counts[Passwords] > 0 && s.Passwords.Count == 0 {
				t.Errorf("%d workers: one logs in by password and has no account", workers)
			}
			players += s.Players.Count
			passwords += s.Passwords.Count
			rates.Get += s.Rates.Get
			rates.Churn += s.Rates.Churn
		}
		want := p.counts()
		if !maps.Equal(counts, want) {
			t.Errorf("%d workers: %v, want %v", workers, counts, want)
		}
		if slices.Max(all)-slices.Min(all) > 1 {
			t.Errorf("%d workers: %v connections", workers, all)
		}
		for _, s := range p.shares(workers) {
			if s.Players.Total != players || s.Passwords.Total != passwords {
				t.Errorf("%d workers: %+v, want %d and %d in all", workers, s, players, passwords)
			}
		}
		if d := rates.Get - 10; d > 1e-9 || d < -1e-9 {
			t.Errorf("%d workers: %v users.get a second", workers, rates.Get)
		}
	}
}

func TestAServersAddressIsThatOfItsSocket(t *testing.T) {
	for raw, want := range map[string]string{
		"ws://a:1": "ws://a:1/ws", "http://a": "ws://a/ws", "https://a/": "wss://a/ws", "wss://a/x/ws": "wss://a/x/ws", "a:7600": "ws://a:7600/ws",
	} {
		u, err := socketURL(raw)
		if err != nil || u.String() != want {
			t.Errorf("%s: %v, %v, want %s", raw, u, err, want)
		}
	}
}
