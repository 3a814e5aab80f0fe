package loadtest

import "net/netip"

// A share is what one worker is to simulate.
type share struct {
	Worker  int    `json:"worker"`  // from 0 on
	Workers int    `json:"workers"` // how many there are
	Run     string `json:"run"`     // names this run, in usernames that must be new
	Seed    uint64 `json:"seed"`

	Servers []string     `json:"servers"`
	Sources []netip.Addr `json:"sources,omitempty"`
	Scope   string       `json:"scope"`
	Key     string       `json:"key"`
	Admin   string       `json:"admin,omitempty"` // token for admin.login

	Counts map[Scenario]int `json:"counts"` // connections
	Rates  Rates            `json:"rates"`
	Hold   int64            `json:"hold"` // nanoseconds
	Ramp   float64          `json:"ramp"`

	// The accounts of this worker's players and of its password logins: numbers
	// from First on, of Total in all workers.
	Players, Passwords accountRange
}

// An accountRange are the numbers First to First+Count-1 of Total.
type accountRange struct{ First, Count, Total int }

// players are the scenarios whose connections have an account each.
var players = []Scenario{Idle, Chatter, Churn, Storm, Slow}

// counts returns how many connections each scenario has. Watch and Slow have
// theirs as they are; the rest is shared by weights, the left-over ones to those
// with the largest remainder.
func (p *Plan) counts() map[Scenario]int {
	counts := make(map[Scenario]int)
	left, weights := p.Connections, 0
	for _, s := range Scenarios {
		switch w := p.Weights[s]; {
		case w <= 0:
		case s == Watch || s == Slow:
			counts[s] = w
			left -= w
		default:
			weights += w
		}
	}
	if weights == 0 || left <= 0 {
		return counts
	}
	given, remainders := 0, make(map[Scenario]int)
	for _, s := range Scenarios {
		if w := p.Weights[s]; w > 0 && s != Watch && s != Slow {
			counts[s] = left * w / weights
			remainders[s] = left * w % weights
			given += counts[s]
		}
	}
	for ; given < left; given++ {
		var most Scenario
		for _, s := range Scenarios {
			if remainders[s] > remainders[most] {
				most = s
			}
		}
		counts[most]++
		delete(remainders, most)
	}
	return counts
}

// shares divides the plan among n workers, each scenario's connections as evenly
// as they go, and the rates as the connections.
func (p *Plan) shares(n int) []share {
	counts := p.counts()
	shares := make([]share, n)
	given := 0 // connections so far, so that what is left over goes round
	for k := range shares {
		shares[k] = share{
			Worker: k, Workers: n, Seed: p.Seed, Servers: p.Servers, Scope: p.Scope, Key: p.Key,
			Counts: make(map[Scenario]int), Hold: int64(p.Hold), Ramp: p.Ramp / float64(n),
		}
	}
	for _, s := range Scenarios {
		for k := range counts[s] {
			shares[(given+k)%n].Counts[s]++
		}
		given += counts[s]
	}
	passwords := min(passwordAccounts, counts[Passwords])
	total := accountRange{Total: 0}
	for _, s := range players {
		total.Total += counts[s]
	}
	first, firstPassword := 0, 0
	for k := range shares {
		sh := &shares[k]
		of := func(s Scenario, rate float64) float64 {
			if counts[s] == 0 {
				return 0
			}
			return rate * float64(sh.Counts[s]) / float64(counts[s])
		}
		sh.Rates = Rates{
			Get: of(Chatter, p.Rates.Get), Update: of(Chatter, p.Rates.Update), Churn: of(Churn, p.Rates.Churn),
			Signup: of(Signup, p.Rates.Signup), Passwords: of(Passwords, p.Rates.Passwords),
		}
		sh.Players = accountRange{First: first, Total: total.Total}
		for _, s := range players {
			sh.Players.Count += sh.Counts[s]
		}
		first += sh.Players.Count
		sh.Passwords = accountRange{First: firstPassword, Total: passwords}
		if has := sh.Counts[Passwords]; has > 0 {
			// A worker with password connections has an account at least.
			sh.Passwords.Count = max(1, passwords*has/counts[Passwords])
		}
		firstPassword += sh.Passwords.Count
	}
	for k := range shares { // rounding may have given fewer, or with max(1, …) more
		shares[k].Passwords.Total = firstPassword
	}
	return shares
}
