package loadtest

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"time"
)

// Validate reports the first thing that the plan can't be carried out with, in
// words for whoever wrote it.
func (p *Plan) Validate() error {
	for _, check := range []func() error{p.checkTarget, p.checkWeights, p.checkRates, p.checkTimes, p.checkScale} {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

func (p *Plan) checkTarget() error {
	if len(p.Servers) == 0 {
		return errors.New("servers: name at least one, such as ws://127.0.0.1:7600")
	}
	for _, server := range p.Servers {
		if _, err := socketURL(server); err != nil {
			return err
		}
	}
	for _, m := range p.Metrics {
		if u, err := url.Parse(m); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
			return fmt.Errorf("metrics %q: must be a URL such as http://127.0.0.1:7600/metrics", m)
		}
	}
	switch {
	case p.Scope == "":
		return errors.New("scope: name the scope whose players are simulated; use one that is for load tests only")
	case p.Scope == "*":
		return errors.New(`scope: name one scope, "*" stands for all`)
	case p.Key == "" && p.hasPlayers():
		return errors.New("key: players need the server key, or the scope's own")
	}
	return nil
}

func (p *Plan) hasPlayers() bool {
	for s, n := range p.Weights {
		if s != Watch && n > 0 {
			return true
		}
	}
	return false
}

func (p *Plan) checkWeights() error {
	any := false
	for s, w := range p.Weights {
		if !slices.Contains(Scenarios, s) {
			return fmt.Errorf("weights: there is no scenario %q", s)
		}
		if w < 0 {
			return fmt.Errorf("%s: a weight can't be negative", s)
		}
		any = any || w > 0
	}
	switch {
	case !any:
		return errors.New("weights: give at least one scenario a weight above 0")
	case p.Connections <= 0:
		return errors.New("connections: must be at least 1")
	case p.Weights[Watch] > 0 && p.Admin == nil:
		return errors.New("watch: admins need a name and a password, or a token")
	case p.Weights[Watch]+p.Weights[Slow] > p.Connections:
		return fmt.Errorf("watch and slow are counts of connections: %d and %d are more than the %d in all", p.Weights[Watch], p.Weights[Slow], p.Connections)
	}
	counts := p.counts()
	for _, s := range Scenarios {
		if p.Weights[s] > 0 && counts[s] == 0 {
			return fmt.Errorf("%s: with %d connections its share is none; give it a larger weight, or the plan more connections", s, p.Connections)
		}
	}
	return nil
}

func (p *Plan) checkRates() error {
	for _, r := range []struct {
		name     string
		rate     float64
		scenario Scenario
	}{
		{"get", p.Rates.Get, Chatter}, {"update", p.Rates.Update, Chatter}, {"churn", p.Rates.Churn, Churn},
		{"signup", p.Rates.Signup, Signup}, {"passwords", p.Rates.Passwords, Passwords},
	} {
		switch {
		case r.rate < 0:
			return fmt.Errorf("rate of %s: can't be negative", r.name)
		case r.rate > 0 && p.Weights[r.scenario] == 0:
			return fmt.Errorf("rate of %s: scenario %s has no connections; give it a weight", r.name, r.scenario)
		case r.rate == 0 && r.name == string(r.scenario) && p.Weights[r.scenario] > 0:
			return fmt.Errorf("%s: say how many a second", r.scenario)
		}
	}
	if p.Weights[Chatter] > 0 && p.Rates.Get == 0 && p.Rates.Update == 0 {
		return errors.New("chatter: say how many users.get or users.update a second; without any it is idle")
	}
	if p.Weights[Churn] > 0 {
		if p.Hold <= 0 {
			return errors.New("churn: say for how long a connection stays (hold)")
		}
		if stay, share := p.Rates.Churn*p.Hold.Seconds(), p.counts()[Churn]; stay > float64(share) {
			return fmt.Errorf("churn: %g a second that stay %v are %.0f connections at once, and its share is %d", p.Rates.Churn, p.Hold, stay, share)
		}
	}
	return nil
}

func (p *Plan) checkTimes() error {
	switch {
	case p.Duration < time.Second:
		return errors.New("duration: must be at least 1s")
	case p.Warmup < 0:
		return errors.New("warmup: can't be negative")
	case p.Ramp <= 0:
		return errors.New("ramp: say how many connections are opened a second")
	}
	return nil
}

func (p *Plan) checkScale() error {
	if p.Processes < 0 {
		return errors.New("processes: can't be negative")
	}
	if n := p.Workers(); p.Connections > n*MaxPerProcess {
		return fmt.Errorf("processes: %d hold %d connections at most (%d each), not %d", n, n*MaxPerProcess, MaxPerProcess, p.Connections)
	}
	for _, a := range p.Sources {
		if !a.IsValid() {
			return errors.New("sources: must be IP addresses")
		}
	}
	if n := len(p.Sources) * max(1, len(p.Servers)) * MaxPerSource; n > 0 && p.Connections > n {
		return fmt.Errorf("sources: %d addresses to %d servers have ports for %d connections, not %d: name more", len(p.Sources), len(p.Servers), n, p.Connections)
	}
	return nil
}
