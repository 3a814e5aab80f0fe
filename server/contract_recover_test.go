package server_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"

	"rollcall/server/wiretest"
)

// What a subscriber gets who comes back with since.

func since(positions map[string]position, more ...obj) obj {
	return with(append([]obj{{"scope": theScope, "since": positions}}, more...)...)
}

func at(scope string, p position) map[string]position { return map[string]position{scope: p} }

func TestASubscriberWhoComesBackGetsWhatItMissed(t *testing.T) {
	onBoth(t, func(t *testing.T, a, b named) {
		all, f := a.follow(obj{"scope": theScope}), a.follow(obj{"scope": theScope})
		start := f.heads[theScope]
		c := a.client()
		creates(t, c, "heard", 4)
		heard := f.take(4)
		f.Close()
		creates(t, c, "missed", 7)
		past := all.take(11)

		bare := behind(heard[3])
		bare.EventID = ""
		for _, from := range []struct {
			what string
			at   position
			told int // events before it
		}{
			{"the head", behind(past[10]), 11},
			{"the last event", behind(heard[3]), 4},
			{"the last event by number alone", bare, 4},
			{"an earlier event", behind(heard[1]), 2},
			{"where the first subscription was", start, 0},
		} {
			t.Run(from.what, func(t *testing.T) {
				f := b.follow(since(at(theScope, from.at)))
				f.wantRecovered()
				missed := past[from.told:]
				if got := ids(f.take(len(missed))); !slices.Equal(got, ids(missed)) {
					t.Errorf("got others than the %d events that were missed", len(missed))
				}
				create(t, c, "live "+from.what) // and then no gap and no double
				past = append(past, all.next())
				if got := f.next(); got.EventID != past[len(past)-1].EventID {
					t.Errorf("the next event was %s, want %s", got.Raw, past[len(past)-1].Raw)
				}
			})
		}
	})
}

func TestASubscriberWhoCannotBeGivenWhatItMissedIsTold(t *testing.T) {
	onBoth(t, func(t *testing.T, a, b named) {
		f := a.follow(obj{"scope": theScope})
		c := a.client()
		creates(t, c, "tiny", 3)
		events := f.take(3)
		last := behind(events[2])
		for what, bad := range map[string]func() position{ // last moves on
			"of another epoch":            func() position { return position{last.Seq, "another", ""} },
			"of another epoch and number": func() position { return position{1, "another", ""} },
			"ahead of the head":           func() position { return position{last.Seq + 1000, last.Epoch, ""} },
			"just ahead of the head":      func() position { return position{last.Seq + 1, last.Epoch, ""} },
			"of another event":            func() position { return position{last.Seq, last.Epoch, "another"} },
		} {
			t.Run(what, func(t *testing.T) {
				back := b.follow(since(at(theScope, bad())))
				back.wantLost(theScope)
				head := back.heads[theScope]
				if head.Epoch != last.Epoch || head.Seq < last.Seq {
					t.Errorf("the head is %v, want it at or behind %v", head, last)
				}
				u := create(t, c, "live "+what)
				p := back.next() // the past is not told
				wantRun(t, []wiretest.Push{p}, head)
				if !of("user.created", u)(p) {
					t.Errorf("got %s, want the creation of %s", p.Raw, u.name)
				}
				last = behind(p)
			})
		}
	})
}

func TestEachScopeIsRecoveredOrLostByItself(t *testing.T) {
	onBoth(t, func(t *testing.T, a, b named) {
		one, two := a.client("one"), a.client("two")
		creates(t, one, "early", 2)
		creates(t, two, "early", 2)
		f := a.follow(obj{"scope": "*"})
		positions := map[string]position{}
		for scope, head := range f.heads {
			positions[scope] = head
		}
		missedOne, missedTwo := creates(t, one, "missed", 3), creates(t, two, "missed", 3)

		whole := b.follow(obj{"scope": "*", "since": positions})
		whole.wantRecovered()
		var got []string
		for _, p := range whole.take(6) {
			got = append(got, p.Data.Text("user_id"))
		}
		var missed []string
		for _, u := range append(slices.Clone(missedOne), missedTwo...) {
			missed = append(missed, u.id)
		}
		slices.Sort(got)
		slices.Sort(missed)
		if !slices.Equal(got, missed) {
			t.Errorf("got the creations of %v, want %v", got, missed)
		}

		two1 := positions["two"]
		two1.Epoch, two1.EventID = "another", ""
		positions["two"] = two1
		half := b.follow(obj{"scope": "*", "since": positions})
		half.wantLost("two")
		for i, p := range half.take(3) {
			if !of("user.created", missedOne[i])(p) {
				t.Errorf("got %s, want the creation of %s", p.Raw, missedOne[i].name)
			}
		}
		u := create(t, two, "live")
		if p := half.next(); !of("user.created", u)(p) {
			t.Errorf("got %s, want the creation of %s", p.Raw, u.name)
		}
	})
}

func TestAScopeThatTheSubscriberDidNotKnowIsToldWholeOrNamed(t *testing.T) {
	onBoth(t, func(t *testing.T, a, b named) {
		f := a.follow(obj{"scope": "*"})
		u := create(t, a.client("a new scope"), "tiny")
		back := b.follow(obj{"scope": "*", "since": f.heads})
		if !back.recovered && slices.Contains(back.lost, "a new scope") {
			return // then it reloads
		}
		if !back.recovered {
			t.Errorf("lost %v", back.lost)
		}
		back.until(of("user.created", u))
	})
}

func TestAFilteredSubscriberComesBackToWhatItsFilterLetsThrough(t *testing.T) {
	onBoth(t, func(t *testing.T, a, b named) {
		f := a.follow(obj{"scope": theScope, "events": []string{"user.login"}})
		start := f.heads[theScope]
		c := a.client()
		us := creates(t, c, "tiny", 5)
		login(t, c, us[0])
		first := f.next()
		f.Close()
		for _, u := range us[1:] {
			login(t, c, u)
		}
		for _, from := range []position{behind(first), start} {
			back := b.follow(since(at(theScope, from), obj{"events": []string{"user.login"}}))
			back.wantRecovered()
			wanted := us
			if from != start {
				wanted = us[1:]
			}
			for _, u := range wanted {
				if p := back.next(); !of("user.login", u)(p) {
					t.Errorf("got %s, want the login of %s", p.Raw, u.name)
				}
			}
			back.Close()
		}
	})
}

// A returner follows a scope's feed by connections that are lost again and again.
type returner struct {
	nodes  []named
	token  string // of an admin
	events []string
	at     position
	got    []wiretest.Push
	rounds int
}

// round connects, takes a few events and is gone. done says that no more are to come.
func (r *returner) round(t *testing.T, done func() bool) {
	t.Helper()
	n := r.nodes[r.rounds%len(r.nodes)]
	c := n.dial()
	ok(t, c.Call("admin.login", obj{"token": r.token}))
	params := since(at(theScope, r.at))
	if r.events != nil {
		params["events"] = r.events
	}
	if r.rounds%2 == 1 {
		params["batch"] = true
	}
	f := n.followAs(c, params)
	f.wantRecovered()
	r.rounds++
	for range 1 + r.rounds*7%11 {
		p := f.next()
		r.got, r.at = append(r.got, p), behind(p)
		if done() {
			break
		}
	}
	if r.rounds%3 == 0 {
		c.Reset()
	} else {
		c.Close()
	}
}

func TestASubscriberWhoKeepsComingBackMissesNothingAndGetsNothingTwice(t *testing.T) {
	const clients, each = 20, 10
	onBoth(t, func(t *testing.T, a, b named) {
		for _, filter := range [][]string{nil, {"user.login"}} {
			t.Run(fmt.Sprint("filter ", filter), func(t *testing.T) {
				nodes := []named{a, b}
				control := a.follow(with(obj{"scope": theScope}, ifElse(filter != nil, obj{"events": filter}, obj{})))
				r := &returner{nodes: nodes, events: filter, at: control.heads[theScope]}
				r.token = ok(t, a.dial().Call("admin.login", obj{"name": "admin", "password": theAdmin})).Object().Text("token")
				var players []user
				var conns []*wiretest.Client
				maker := a.client()
				for i := range clients {
					players = append(players, create(t, maker, fmt.Sprintf("player %d of %v", i, filter)))
					conns = append(conns, nodes[i%2].client())
				}
				var wg sync.WaitGroup
				defer wg.Wait()
				for i, c := range conns {
					wg.Go(func() {
						for range each {
							if reply, err := c.Do("users.login", players[i].login()); err != nil || !reply.OK() {
								t.Errorf("%s: %s, %v", players[i].name, reply.Raw, err)
								return
							}
						}
					})
				}
				logins := func(events []wiretest.Push) int {
					count := 0
					for _, p := range events {
						if p.Event == "user.login" {
							count++
						}
					}
					return count
				}
				for done := func() bool { return logins(r.got) >= clients*each }; !done(); {
					r.round(t, done)
				}
				wg.Wait()

				if filter == nil {
					wantRun(t, r.got, control.heads[theScope])
				}
				if same := ids(control.take(len(r.got))); !slices.Equal(ids(r.got), same) {
					t.Errorf("%d connections got another sequence than one that was never lost", r.rounds)
				}
				for i := range players {
					if count := logins(about(r.got, players[i])); count != each {
						t.Errorf("%s logged in %d times and was heard of %d times", players[i].name, each, count)
					}
				}
				t.Logf("%d events over %d connections", len(r.got), r.rounds)
			})
		}
	})
}
