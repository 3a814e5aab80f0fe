package loadtest

import (
	"net/netip"
	"time"

	"rollcall/protocol"
)

// A Scenario is one way in which a simulated connection behaves.
type Scenario string

// The scenarios. Players log in by an openudid identity, which costs the server
// no password hash, unless the scenario says otherwise.
const (
	// Idle: connect, core.init, log in (the first time) or resume, stay. Answers
	// pings and sends nothing.
	Idle Scenario = "idle"
	// Chatter: as Idle, and sends users.get and users.update of the own user at
	// the plan's rates.
	Chatter Scenario = "chatter"
	// Churn: connections come at the plan's rate, resume, stay for Hold, leave.
	Churn Scenario = "churn"
	// Storm: as Idle; when the measured time begins all are cut at once and come
	// back at once. It is over when all are back.
	Storm Scenario = "storm"
	// Signup: users.create at the plan's rate, on connections that stay.
	Signup Scenario = "signup"
	// Passwords: users.login by password at the plan's rate; each costs the
	// server one password hash.
	Passwords Scenario = "passwords"
	// Watch: admins subscribed to the scope's logins. Each checks that it saw
	// every login and resume of the run exactly once, in order.
	Watch Scenario = "watch"
	// Slow: as Idle, but asks without reading the answers, until it is dropped;
	// then it comes back.
	Slow Scenario = "slow"
)

// Scenarios are all of them, in the order in which they are shown.
var Scenarios = []Scenario{Idle, Chatter, Churn, Storm, Signup, Passwords, Watch, Slow}

// Defaults and limits of a plan.
const (
	// DefaultRamp is how many connections are opened a second.
	DefaultRamp = 1000
	// MaxPerProcess is how many connections one worker process holds at most:
	// below the 20,000 open files that a process commonly may have.
	MaxPerProcess = 15_000
	// MaxPerSource is how many connections are made from one source address to
	// one server address: below the 28,232 ephemeral ports of Linux
	// (net.ipv4.ip_local_port_range, 32768–60999).
	MaxPerSource = 20_000
)

// A Plan says what is simulated against which server.
type Plan struct {
	// Servers are URLs of the processes under test (ws, wss, http or https; the
	// path /ws is added where there is none). Connections go to them in turn.
	Servers []string `json:"servers"`
	// Scope and Key are what players show in core.init. A run makes the scope by
	// itself where Admin may (owner), with openudid logins allowed.
	Scope string `json:"scope"`
	Key   string `json:"key"`
	// Admin is needed by Watch, to make the scope, and for what is verified
	// through the admin's API. Nil: none of that.
	Admin *protocol.AdminLoginParams `json:"admin,omitzero"`

	// Connections is how many are open at once, those of Watch and Churn
	// included, shared among the scenarios by Weights.
	Connections int `json:"connections"`
	// Weights of the scenarios; at least one is above 0. Watch and Slow are
	// counts and not weights: so many of Connections.
	Weights map[Scenario]int `json:"weights"`
	// Rates in requests a second, over all connections of the scenario.
	Rates Rates `json:"rates"`
	// Hold is how long a Churn connection stays.
	Hold time.Duration `json:"hold"`
	// Ramp is how many connections are opened a second while warming up.
	Ramp float64 `json:"ramp"`

	// Warmup follows the ramp and is not measured; Duration is.
	Warmup   time.Duration `json:"warmup"`
	Duration time.Duration `json:"duration"`

	// Processes is the number of worker processes. 0: as few as hold the
	// connections; 1 worker runs inside the coordinator's process.
	Processes int `json:"processes"`
	// Sources are addresses to connect from, in turn. Empty: 127.0.0.1 and as
	// many more of 127.0.0.0/8 as the connections need, where all servers are on
	// loopback; elsewhere the system's choice.
	Sources []netip.Addr `json:"sources,omitzero"`
	// Metrics are URLs of the servers' /metrics. Empty: none is read.
	Metrics []string `json:"metrics,omitzero"`

	// Seed decides all that is random, and the names of the accounts: a second
	// run with the same seed and scope finds the accounts of the first.
	Seed uint64 `json:"seed"`
}

// Rates are in requests a second.
type Rates struct {
	Get       float64 `json:"get" yaml:"get"`             // users.get, by Chatter
	Update    float64 `json:"update" yaml:"update"`       // users.update, by Chatter
	Churn     float64 `json:"churn" yaml:"churn"`         // connections, by Churn
	Signup    float64 `json:"signup" yaml:"signup"`       // users.create, by Signup
	Passwords float64 `json:"passwords" yaml:"passwords"` // users.login, by Passwords
}
