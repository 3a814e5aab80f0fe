package server_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"rollcall/server"
	"rollcall/server/wiretest"
)

// stats is the answer to admin.stats.
type stats struct {
	Online, Users, Pending int64
	DAU, WAU, MAU          int64
	Steps                  []step
}

type step struct {
	Time                             time.Time
	Joins, Logins, Failures, Resumes int64
	OnlinePeak                       int64 `json:"online_peak"`
}

// statsOf asks for statistics and holds the answer's form against the contract.
func statsOf(t *testing.T, a *wiretest.Client, params obj) stats {
	t.Helper()
	r := ok(t, a.Call("admin.stats", params))
	wantMembers(t, r.Object(), "online users pending dau wau mau steps")
	var s stats
	if err := json.Unmarshal([]byte(r.Result()), &s); err != nil {
		t.Fatalf("%v: %s", err, r.Raw)
	}
	for _, o := range list(r.Object().Raw("steps")) {
		wantMembers(t, o, "time joins logins failures resumes online_peak")
		if !timeForm.MatchString(o.Text("time")) {
			t.Fatalf("a step's time is %s", o.Raw("time"))
		}
	}
	return s
}

// sum adds the steps up; of the peaks it is the highest.
func (s stats) sum() step {
	var all step
	for _, st := range s.Steps {
		all.Joins, all.Logins = all.Joins+st.Joins, all.Logins+st.Logins
		all.Failures, all.Resumes = all.Failures+st.Failures, all.Resumes+st.Resumes
		all.OnlinePeak = max(all.OnlinePeak, st.OnlinePeak)
	}
	return all
}

func TestStatisticsCountWhatHappened(t *testing.T) {
	onBoth(t, func(t *testing.T, a, b named) {
		here, there := a.client(), b.client("other")
		for i := range 3 {
			create(t, here, fmt.Sprint("idle", i))
		}
		tiny, tina := create(t, here, "tiny"), create(t, here, "tina")
		gone := create(t, here, "gone")
		ok(t, here.Call("users.create", obj{"username": "pending", "password": thePassword, "email": "p@home.example", "confirmation": obj{}}))
		owner := b.admin()
		ok(t, owner.Call("admin.users.create", obj{"scope": theScope, "username": "made"}))
		abroad := create(t, there, "abroad")
		login(t, there, abroad)

		one, two := a.client(), b.client()
		login(t, one, tiny)
		login(t, one, tiny)
		token := login(t, one, tiny)
		login(t, two, tina)
		third := b.client()
		ok(t, resume(third, token))
		for range 2 {
			want(t, b.client().Call("users.login", obj{"username": "tiny", "password": "wrong-secret"}), 603)
		}
		want(t, a.client().Call("users.login", obj{"username": "nobody", "password": "wrong-secret"}), 604)
		ok(t, here.Call("users.delete", gone.ref()))

		for scope, wanted := range map[string]struct {
			now stats
			sum step
		}{
			theScope: {stats{Online: 2, Users: 7, Pending: 1, DAU: 2, WAU: 2, MAU: 2}, step{Joins: 8, Logins: 4, Failures: 3, Resumes: 1, OnlinePeak: 2}},
			"other":  {stats{Online: 1, Users: 1, DAU: 1, WAU: 1, MAU: 1}, step{Joins: 1, Logins: 1, OnlinePeak: 1}},
			"*":      {stats{Online: 3, Users: 8, Pending: 1, DAU: 3, WAU: 3, MAU: 3}, step{Joins: 9, Logins: 5, Failures: 3, Resumes: 1}},
		} {
			for _, n := range []named{a, b} {
				c := n.admin()
				for _, size := range []int{0, 60, 3600, 86400} {
					t.Run(fmt.Sprintf("%s by %d on %s", scope, size, n.name), func(t *testing.T) {
						params := obj{"scope": scope}
						if size > 0 {
							params["step"] = size
						}
						var got stats
						var sum step
						defer func() { t.Logf("the last answer was %+v, the steps' sum %+v", got, sum) }()
						await(t, fmt.Sprintf("the statistics are %+v %+v", wanted.now, wanted.sum), func() bool {
							got = statsOf(t, c, params)
							if sum = got.sum(); scope == "*" { // the sum of the scopes' peaks, which need not be of one step
								sum.OnlinePeak = 0
							}
							got.Steps = nil
							return fmt.Sprintf("%+v", got) == fmt.Sprintf("%+v", wanted.now) && sum == wanted.sum
						})
					})
				}
			}
		}

		// The peak stays when everybody is gone.
		for _, c := range []*wiretest.Client{one, two, third, there} {
			c.Close()
		}
		await(t, "nobody is online", func() bool { return statsOf(t, owner, obj{"scope": "*"}).Online == 0 })
		s := statsOf(t, owner, obj{"scope": theScope})
		if s.sum().OnlinePeak != 2 || s.DAU != 2 {
			t.Errorf("when all are gone the peak is %d and dau %d, want 2 and 2", s.sum().OnlinePeak, s.DAU)
		}
	}, shortGrace)
}

func TestAScopeWhereNothingHappenedHasStatisticsOfZero(t *testing.T) {
	n := start(t)
	s := statsOf(t, n.admin(), obj{"scope": theScope})
	if s.sum() != (step{}) || s.Online+s.Users+s.Pending+s.DAU+s.WAU+s.MAU != 0 || len(s.Steps) == 0 {
		t.Errorf("got %+v", s)
	}
}

func TestStatisticsComeInStepsOfTheAskedLength(t *testing.T) {
	n := start(t)
	u := n.elsewhere("tiny")
	login(t, n.client(), u)
	a := n.admin()
	for _, size := range []int{0, 60, 3600, 86400} {
		for what, span := range map[string]struct {
			from, to time.Duration // before now
			given    bool
		}{
			"by default":   {},
			"until now":    {from: 10, given: true},
			"in the past":  {from: 30, to: 20, given: true},
			"of one step":  {from: 1, given: true},
			"of no length": {given: true},
		} {
			t.Run(fmt.Sprint(what, ", ", size), func(t *testing.T) {
				length := time.Duration(size) * time.Second
				params := obj{"scope": theScope, "step": size}
				if size == 0 {
					length = time.Minute
					delete(params, "step")
				}
				asked := time.Now()
				from, to := asked.Add(-span.from*length), asked.Add(-span.to*length)
				if span.given {
					params["from"] = from.UTC().Format(time.RFC3339Nano)
					params["to"] = to.UTC().Format(time.RFC3339Nano) // a second cut off could be the step that has begun
				} else {
					from = asked.Add(-60 * length)
				}
				s := statsOf(t, a, params)
				answered := time.Now()
				count := int(to.Sub(from) / length)
				if len(s.Steps) < count || len(s.Steps) > count+2 { // the first and the last may be begun
					t.Errorf("%d steps, want about %d", len(s.Steps), count)
				}
				for i, st := range s.Steps {
					if st.Time.Unix()%int64(length/time.Second) != 0 {
						t.Errorf("a step begins at %v, within a step of UTC", st.Time)
					}
					if i > 0 && !st.Time.Equal(s.Steps[i-1].Time.Add(length)) {
						t.Errorf("after the step of %v comes that of %v", s.Steps[i-1].Time, st.Time)
					}
					if !st.Time.After(from.Add(-length-time.Second)) || st.Time.After(to.Add(answered.Sub(asked)+time.Second)) {
						t.Errorf("the step of %v is out of %v to %v", st.Time, from, to)
					}
				}
				switch logins := s.sum().Logins; {
				case !span.given && logins != 1, what == "in the past" && logins != 0, what == "until now" && logins != 1:
					t.Errorf("%d logins", logins)
				}
			})
		}
	}
}

func TestStatisticsAreHeldToTheirBounds(t *testing.T) {
	n := start(t, noAutoScopes)
	a := n.admin()
	now := time.Now().UTC()
	here := func(more obj) obj { return with(obj{"scope": theScope}, more) }
	ago := func(d time.Duration) string { return now.Add(-d).Format(time.RFC3339) }
	for name, tt := range map[string]struct {
		params any
		status int
	}{
		"no scope":                 {nil, 804},
		"an empty scope":           {obj{"scope": ""}, 802},
		"a scope of another type":  {obj{"scope": 5}, 801},
		"an unknown scope":         {obj{"scope": "nowhere"}, 1004},
		"a step of 59":             {here(obj{"step": 59}), 802},
		"a step of 61":             {here(obj{"step": 61}), 802},
		"a step of -60":            {here(obj{"step": -60}), 802},
		"a step of 86401":          {here(obj{"step": 86401}), 802},
		"a step of another type":   {here(obj{"step": "60"}), 801},
		"from after to":            {here(obj{"from": ago(0), "to": ago(time.Hour)}), 802},
		"from that is no time":     {here(obj{"from": "yesterday"}), 802},
		"from of another type":     {here(obj{"from": 5}), 801},
		"to of another type":       {here(obj{"to": true}), 801},
		"too many minutes":         {here(obj{"from": ago(1502 * time.Minute), "to": ago(0)}), 802},
		"too many minutes to now":  {here(obj{"from": ago(1502 * time.Minute), "step": 60}), 802},
		"too many hours":           {here(obj{"from": ago(1502 * time.Hour), "step": 3600}), 802},
		"too many days":            {here(obj{"from": ago(1502 * 24 * time.Hour), "step": 86400}), 802},
		"many minutes":             {here(obj{"from": ago(1490 * time.Minute), "to": ago(0)}), 0},
		"many hours":               {here(obj{"from": ago(1480 * time.Hour), "step": 3600}), 0},
		"as many days as are kept": {here(obj{"from": ago(725 * 24 * time.Hour), "step": 86400}), 0},
	} {
		t.Run(name, func(t *testing.T) { want(t, a.Call("admin.stats", tt.params), tt.status) })
	}
	_, c := n.loggedIn("tiny")
	want(t, c.Call("admin.stats", obj{"scope": theScope}), 606)
}

func TestAnAdminOfSomeScopesSeesTheStatisticsOfThoseAlone(t *testing.T) {
	n := start(t)
	for i, scope := range []string{"mine", "mine", "others", "others", "others"} {
		create(t, n.client(scope), fmt.Sprint("tiny", i))
	}
	c := n.staff("viewer", "mine")
	hidden := want(t, c.Call("admin.stats", obj{"scope": "others"}), 1004)
	unknown := want(t, c.Call("admin.stats", obj{"scope": "nowhere"}), 1004)
	if hidden.Message() != unknown.Message() {
		t.Errorf("the texts tell which scopes exist: %s and %s", hidden.Raw, unknown.Raw)
	}
	for _, scope := range []string{"mine", "*"} {
		if s := statsOf(t, c, obj{"scope": scope}); s.Users != 2 || s.sum().Joins != 2 {
			t.Errorf("%s: %d users and %d joins, want 2 and 2", scope, s.Users, s.sum().Joins)
		}
	}
}

func TestTheNodesAreListedWithWhatTheyCarry(t *testing.T) {
	onBoth(t, func(t *testing.T, a, b named) {
		asker := a.admin()
		u := a.elsewhere("tiny")
		login(t, b.client(), u)
		login(t, b.client(), u)
		b.client()
		nodes := map[string]bool{a.name: true, b.name: true}
		carries := func(name string, connections, sessions string) func() bool {
			return func() bool {
				all := list(ok(t, asker.Call("admin.nodes", nil)).Result())
				found := false
				for _, o := range all {
					wantMembers(t, o, "node version started_at connections sessions hash_queue")
					if !nodes[o.Text("node")] || o.Text("version") != "0.0.7-test" || o.Raw("hash_queue") != "0" || !timeForm.MatchString(o.Text("started_at")) {
						t.Errorf("got the node %v", o)
					}
					if started, _ := time.Parse(time.RFC3339, o.Text("started_at")); time.Since(started) < -time.Minute || time.Since(started) > time.Hour {
						t.Errorf("it started at %s", o.Text("started_at"))
					}
					found = found || o.Text("node") == name && o.Raw("connections") == connections && o.Raw("sessions") == sessions
				}
				return found && len(all) == len(nodes)
			}
		}
		if a.name == b.name {
			await(t, "the node has 4 connections and 2 sessions", carries(a.name, "4", "2"))
			return
		}
		await(t, "the second node has 3 connections and 2 sessions", carries(b.name, "3", "2"))
		await(t, "the first node has 1 connection", carries(a.name, "1", "0"))
		b.stop()
		delete(nodes, b.name)
		await(t, "the stopped node is gone", func() bool {
			return len(list(ok(t, asker.Call("admin.nodes", nil)).Result())) == 1
		})
	}, func(c *server.Config) { c.Version = "0.0.7-test" })
}
