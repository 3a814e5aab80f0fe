package loadtest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"time"

	"github.com/goccy/go-yaml"
)

// A Mix is a game's day as a file: what is simulated, without the server that it
// is simulated against. A member that the file leaves out is zero.
type Mix struct {
	Connections int              // see Plan
	Weights     map[Scenario]int // see Plan
	Rates       Rates            // see Plan
	Hold        time.Duration
	Ramp        float64
	Warmup      time.Duration
	Duration    time.Duration
}

// mixFile is the form of the file. Scenarios stand under their names.
type mixFile struct {
	Connections int         `yaml:"connections"`
	Weights     mixWeights  `yaml:"weights"`
	Rates       Rates       `yaml:"rates"`
	Hold        mixDuration `yaml:"hold"`
	Ramp        float64     `yaml:"ramp"`
	Warmup      mixDuration `yaml:"warmup"`
	Duration    mixDuration `yaml:"duration"`
}

// mixWeights has a member for each scenario, so that a name that is none is found
// with its line.
type mixWeights struct {
	Idle      int `yaml:"idle"`
	Chatter   int `yaml:"chatter"`
	Churn     int `yaml:"churn"`
	Storm     int `yaml:"storm"`
	Signup    int `yaml:"signup"`
	Passwords int `yaml:"passwords"`
	Watch     int `yaml:"watch"`
	Slow      int `yaml:"slow"`
}

func (w mixWeights) byScenario() map[Scenario]int {
	all := map[Scenario]int{
		Idle: w.Idle, Chatter: w.Chatter, Churn: w.Churn, Storm: w.Storm,
		Signup: w.Signup, Passwords: w.Passwords, Watch: w.Watch, Slow: w.Slow,
	}
	maps.DeleteFunc(all, func(_ Scenario, n int) bool { return n == 0 })
	return all
}

// A mixDuration is one as Go writes it, such as 90s or 1m30s.
type mixDuration time.Duration

// UnmarshalYAML reads it, and refuses a bare number, whose unit nobody knows.
func (d *mixDuration) UnmarshalYAML(text []byte) error {
	var s string
	if err := yaml.Unmarshal(text, &s); err != nil {
		return err
	}
	parsed, err := time.ParseDuration(s)
	if err != nil {
		return fmt.Errorf("%q is no duration; write it as 90s or 1m30s", s)
	}
	*d = mixDuration(parsed)
	return nil
}

// ParseMix reads a mix, in YAML. A key that it does not know is an error, with its
// line. Whether the mix makes sense is the plan's to check: see [Plan.Validate].
func ParseMix(text []byte) (Mix, error) {
	var f mixFile
	err := yaml.NewDecoder(bytes.NewReader(text), yaml.Strict()).Decode(&f)
	if errors.Is(err, io.EOF) {
		return Mix{}, errors.New("mix: the file is empty")
	}
	if err != nil {
		return Mix{}, fmt.Errorf("mix: %w", err)
	}
	return Mix{
		Connections: f.Connections, Weights: f.Weights.byScenario(), Rates: f.Rates, Ramp: f.Ramp,
		Hold: time.Duration(f.Hold), Warmup: time.Duration(f.Warmup), Duration: time.Duration(f.Duration),
	}, nil
}

// Apply puts the mix into a plan, but for what it leaves out.
func (m Mix) Apply(p *Plan) {
	set(&p.Connections, m.Connections)
	set(&p.Rates, m.Rates)
	set(&p.Hold, m.Hold)
	set(&p.Ramp, m.Ramp)
	set(&p.Warmup, m.Warmup)
	set(&p.Duration, m.Duration)
	if len(m.Weights) > 0 {
		p.Weights = m.Weights
	}
}

func set[T comparable](to *T, v T) {
	var zero T
	if v != zero {
		*to = v
	}
}
