package main

import (
	"maps"
	"net/netip"
	"os"
	"time"

	"rollcall/loadtest"
	"rollcall/protocol"
)

// loadtestPlan says what is simulated.
type loadtestPlan struct {
	Mix         string `cli:"only" placeholder:"FILE" help:"YAML file that says what is simulated. Flags go before it."`
	Connections int    `cli:"only" default:"1000" placeholder:"N" help:"Connections that are open at once, over all scenarios."`

	Idle      *int `cli:"only" placeholder:"WEIGHT" help:"Share of players who log in and stay."`
	Chatter   *int `cli:"only" placeholder:"WEIGHT" help:"Share of players who read and change their user."`
	Churn     *int `cli:"only" placeholder:"WEIGHT" help:"Share of connections for players who come and go."`
	Storm     *int `cli:"only" placeholder:"WEIGHT" help:"Share of players who are cut off and come back all at once."`
	Signup    *int `cli:"only" placeholder:"WEIGHT" help:"Share of connections on which users are created."`
	Passwords *int `cli:"only" placeholder:"WEIGHT" help:"Share of connections on which users log in by password."`
	Watch     *int `cli:"only" placeholder:"N" help:"Admins who check that they see every login exactly once. By default 1 where an admin password and no scenario is given."`
	Slow      *int `cli:"only" placeholder:"N" help:"Players who ask and don't read the answers."`

	GetRate      *float64 `cli:"only" placeholder:"RATE" help:"users.get a second, by chatter. By default half of the connections."`
	UpdateRate   *float64 `cli:"only" placeholder:"RATE" help:"users.update a second, by chatter. By default a 20th of the connections, unless --get-rate is given."`
	ChurnRate    *float64 `cli:"only" placeholder:"RATE" help:"Connections a second, by churn. By default a 40th of the connections."`
	SignupRate   *float64 `cli:"only" placeholder:"RATE" help:"users.create a second, by signup. By default 10."`
	PasswordRate *float64 `cli:"only" placeholder:"RATE" help:"users.login a second, by passwords. By default 10."`

	Hold     time.Duration `cli:"only" default:"1s" help:"Time that a connection of churn stays."`
	Ramp     float64       `cli:"only" default:"1000" placeholder:"RATE" help:"Connections opened a second at the beginning."`
	Warmup   time.Duration `cli:"only" default:"3s" help:"Time with load before anything counts."`
	Duration time.Duration `cli:"only" default:"20s" help:"Time that is measured."`

	Processes int      `cli:"only" default:"0" placeholder:"N" help:"Processes that simulate; 0 is as few as hold the connections."`
	Source    []string `cli:"only" sep:"none" placeholder:"ADDR" help:"IP address to connect from. By default as many of 127.0.0.0/8 as needed where the servers are on this machine. May be repeated."`
	Seed      uint64   `cli:"only" default:"1" placeholder:"N" help:"Decides all that is random, and the players' names: a run with the same seed finds the users of the last one."`
}

// plan returns the plan that file and flags make, without what is secret. Its
// Admin is set where there is to be one.
func (l *loadtestRun) plan(s *settings) (loadtest.Plan, error) {
	plan, err := l.mix()
	if err != nil {
		return plan, err
	}
	mixed := l.Mix != ""
	plan.Servers, plan.Scope = l.Server, l.Scope
	l.scale(&plan, s)
	scenarios := l.weigh(&plan)
	if !mixed && !scenarios {
		plan.Weights = map[loadtest.Scenario]int{loadtest.Idle: 7, loadtest.Chatter: 2, loadtest.Churn: 1}
		if l.Watch == nil && l.hasAdmin() {
			plan.Weights[loadtest.Watch] = 1
		}
		l.count(&plan)
	}
	l.rate(&plan, !mixed)
	for _, text := range l.Source {
		a, err := netip.ParseAddr(text)
		if err != nil {
			return plan, usagef("source: %q is no IP address", text)
		}
		plan.Sources = append(plan.Sources, a)
	}
	if l.hasAdmin() || plan.Weights[loadtest.Watch] > 0 {
		plan.Admin = &protocol.AdminLoginParams{Name: l.Admin}
	}
	return plan, nil
}

// mix returns what the file says, if there is one.
func (l *loadtestPlan) mix() (plan loadtest.Plan, err error) {
	if l.Mix == "" {
		return plan, nil
	}
	text, err := os.ReadFile(l.Mix)
	if err != nil {
		return plan, usagef("read mix: %w", err)
	}
	mix, err := loadtest.ParseMix(text)
	if err != nil {
		return plan, usagef("%s: %w", l.Mix, err)
	}
	mix.Apply(&plan)
	return plan, nil
}

// choose sets what a plan has by a flag that was given, and by its default where
// the plan has nothing.
func choose[T comparable](s *settings, name string, flag T, plan *T) {
	var none T
	if *plan == none || s.from[name].source == fromFlag {
		*plan = flag
	}
}

// scale sets how many, how long and from where.
func (l *loadtestPlan) scale(plan *loadtest.Plan, s *settings) {
	choose(s, "connections", l.Connections, &plan.Connections)
	choose(s, "hold", l.Hold, &plan.Hold)
	choose(s, "ramp", l.Ramp, &plan.Ramp)
	choose(s, "warmup", l.Warmup, &plan.Warmup)
	choose(s, "duration", l.Duration, &plan.Duration)
	choose(s, "processes", l.Processes, &plan.Processes)
	choose(s, "seed", l.Seed, &plan.Seed)
}

// weigh sets the weights that were given, and reports whether one was.
func (l *loadtestPlan) weigh(plan *loadtest.Plan) bool {
	given := false
	plan.Weights = maps.Clone(plan.Weights)
	if plan.Weights == nil {
		plan.Weights = map[loadtest.Scenario]int{}
	}
	for scenario, weight := range map[loadtest.Scenario]*int{
		loadtest.Idle: l.Idle, loadtest.Chatter: l.Chatter, loadtest.Churn: l.Churn,
		loadtest.Storm: l.Storm, loadtest.Signup: l.Signup, loadtest.Passwords: l.Passwords,
	} {
		if weight != nil {
			plan.Weights[scenario], given = *weight, true
		}
	}
	l.count(plan)
	return given
}

// count sets the scenarios that have no weight but a number.
func (l *loadtestPlan) count(plan *loadtest.Plan) {
	if l.Watch != nil {
		plan.Weights[loadtest.Watch] = *l.Watch
	}
	if l.Slow != nil {
		plan.Weights[loadtest.Slow] = *l.Slow
	}
}

// rate sets the rates that were given and, where defaults count, those of the
// scenarios that take part.
func (l *loadtestPlan) rate(plan *loadtest.Plan, defaults bool) {
	connections := float64(plan.Connections)
	chatter := defaults && l.GetRate == nil && l.UpdateRate == nil
	for _, r := range []struct {
		scenario loadtest.Scenario
		given    *float64
		rate     *float64
		fallback float64
		defaults bool
	}{
		{loadtest.Chatter, l.GetRate, &plan.Rates.Get, connections / 2, chatter},
		{loadtest.Chatter, l.UpdateRate, &plan.Rates.Update, connections / 20, chatter},
		{loadtest.Churn, l.ChurnRate, &plan.Rates.Churn, connections / 40, defaults},
		{loadtest.Signup, l.SignupRate, &plan.Rates.Signup, 10, defaults},
		{loadtest.Passwords, l.PasswordRate, &plan.Rates.Passwords, 10, defaults},
	} {
		switch {
		case r.given != nil:
			*r.rate = *r.given
		case r.defaults && plan.Weights[r.scenario] > 0:
			*r.rate = r.fallback
		}
	}
}
