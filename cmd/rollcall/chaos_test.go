package main

import (
	"context"
	"fmt"
	"hash/fnv"
	"os"
	"testing"
	"time"

	"github.com/google/uuid"

	"rollcall/protocol"
)

// The demonstration of the feed's promise: with nodes and Redis masters dying,
// each acknowledged login is in each admin's record exactly once, in the order of
// seq, or its loss is announced. Nodes are processes of the program on a cluster
// of Redis; players and admins are here and speak the public protocol.
//
//	go test ./cmd/rollcall -run 'NodesAndAPlanned|AKilledMaster' -v -count 1
//
// ROLLCALL_CHAOS=full plays the losses of masters at the size of the planned
// failover as well; -short makes everything small.

const (
	chaosScope  = "Space Race"
	chaosAdmins = 10

	// offlineWithin is how long after the last player's leaving anybody may be
	// shown online.
	offlineWithin = 15 * time.Second

	// feedPartitions is how many hash tags the feeds are spread over.
	feedPartitions = 16
)

var (
	fullScale   = chaosScale{players: 3000, rate: 400, play: 30 * time.Second}
	killedScale = chaosScale{players: 600, rate: 200, play: 14 * time.Second}
	shortScale  = chaosScale{players: 300, rate: 100, play: 10 * time.Second}
)

// scaleOf is a scale as this machine and this way of running the tests allow.
func scaleOf(scale chaosScale) chaosScale {
	switch {
	case testing.Short():
		return shortScale
	case os.Getenv("ROLLCALL_CHAOS") == "full":
		scale = fullScale
	}
	if raceDetector {
		scale.rate = scale.rate * 3 / 5
	}
	return scale
}

// feedKey is a key in the slot of a scope's feed.
func feedKey(scope string) string {
	h := fnv.New32a()
	h.Write([]byte(scope))
	return fmt.Sprintf("rc:{f%d}:x", h.Sum32()%feedPartitions)
}

func TestNodesAndAPlannedFailoverLoseNoLogin(t *testing.T) {
	r := startChaos(t, scaleOf(fullScale))
	records := r.play(
		act{0.4, "node n2 is killed by SIGKILL", r.nodes[1].kill},
		act{0.65, "the master of the feed is failed over by CLUSTER FAILOVER", func() {
			master := r.cluster.Owner(feedKey(chaosScope))
			replica := r.cluster.Replica(master)
			if replica < 0 {
				t.Fatalf("Redis node %d has no replica", master)
			}
			r.cluster.Failover(replica)
		}},
	)
	r.tell(records)

	if again, recovered := r.replay(); !recovered {
		r.fault("the whole history can't be had again: recovered: false")
	} else {
		records = append(records, r.attributed(again)...)
	}
	all := r.acks()
	for _, rec := range records {
		r.report("order", checkContinuity(rec))
		r.report("event_id", checkRepeats(rec))
		missing, problems := checkLogins(rec, all)
		r.report("too many", problems)
		var lines []string
		for _, m := range missing {
			lines = append(lines, r.explain(rec, m))
		}
		r.report("missing", lines)
		others := r.acks()
		delete(others, r.late.name) // may still be online
		r.report("presence", checkPresence(rec, others))
		if a, b := rec.announcements(); a+b > 0 {
			r.fault("%s was told %d times recovered: false and got %d feed.lost, and nothing was lost", rec.admin, a, b)
		}
	}
	r.report("agreement", checkAgreement(records))
	r.onlyStatuses(protocol.StatusUnavailable, protocol.StatusBusy, protocol.StatusTooManyRequests)
}

func TestAKilledMasterLosesNothingInSilence(t *testing.T) {
	for _, c := range []struct {
		name    string
		wait    bool // --feed-wait 1
		cutOff  bool // the replica is cut off for a second before the master dies
		nothing bool // may be lost
		full    bool // with ROLLCALL_CHAOS=full alone
	}{
		{"feed-wait 0", false, false, false, false},
		{"feed-wait 1", true, false, true, false},
		{"feed-wait 0, replica cut off", false, true, false, false},
		{"feed-wait 1, replica cut off", true, true, false, true}, // what WAIT is worth when nobody can answer it
	} {
		if c.full && os.Getenv("ROLLCALL_CHAOS") != "full" {
			continue
		}
		t.Run(c.name, func(t *testing.T) {
			var args []string
			if c.wait {
				args = []string{"--feed-wait", "1"}
			}
			r := startChaos(t, scaleOf(killedScale), args...)
			records := r.play(act{0.4, "the master of the feed is killed by SIGKILL", func() { r.killFeedMaster(c.cutOff, c.wait) }})
			r.tell(records)

			all := r.acks()
			epochs := map[string]bool{}
			var silent []string
			for _, rec := range records {
				r.report("order", checkContinuity(rec))
				missing, problems := checkLogins(rec, all)
				r.report("too many", problems)
				if !rec.announced() {
					for _, m := range missing {
						silent = append(silent, r.explain(rec, m))
					}
				}
				t.Logf("%s lacks %d logins, %d resumes and %d created users that were acknowledged; announced: %v; %d events came again with a new number",
					rec.admin, missingOf(missing, protocol.EventUserLogin), missingOf(missing, protocol.EventUserResumed),
					missingOf(missing, protocol.EventUserCreated), rec.announced(), len(checkRepeats(rec)))
				for _, e := range rec.entries {
					epochs[e.pos.Epoch] = true
				}
				if len(missing) == 0 && !rec.announced() { // then it is as without a loss
					others := r.acks()
					delete(others, r.late.name)
					if problems := checkPresence(rec, others); len(problems) > 0 {
						t.Logf("presence does not take turns (what the lost master knew of it is gone): %d times, such as %s", len(problems), problems[0])
					}
				}
			}
			r.report("lost in silence", silent)
			r.report("agreement", checkAgreement(records))
			r.onlyStatuses(protocol.StatusUnavailable, protocol.StatusBusy, protocol.StatusTooManyRequests,
				protocol.StatusSessionInvalid, protocol.StatusUserNotFound, protocol.StatusNotPermitted)

			lines := r.lostToAll(records, all)
			t.Logf("acknowledged logins and resumes that no admin has and the history has not either: %d; epochs: %d", len(lines), len(epochs))
			if c.nothing {
				r.report("lost in spite of --feed-wait 1", lines)
			}
			if c.cutOff && len(epochs) == 1 {
				t.Log("the replica was cut off, and the epoch is the same: there was nothing to lose, or it was not noticed")
			}
		})
	}
}

// killFeedMaster kills the master of the scope's feed. With cutOff its replica
// loses it a second before: what is acknowledged in that second is certainly
// lost. With rejoin it is started again, as the new master's replica: without one
// nothing that waits for a replica is acknowledged.
func (r *chaosRun) killFeedMaster(cutOff, rejoin bool) {
	master := r.cluster.Owner(feedKey(chaosScope))
	node := r.cluster.Node(master)
	if cutOff {
		ctx := context.Background()
		if r.cluster.Replica(master) < 0 {
			r.t.Fatalf("Redis node %d has no replica", master)
		}
		for _, command := range [][]any{{"acl", "setuser", "default", "-psync", "-sync"}, {"client", "kill", "type", "replica"}} {
			if err := node.Client().Do(ctx, command...).Err(); err != nil {
				r.t.Fatalf("%v: %v", command, err)
			}
		}
		time.Sleep(time.Second)
	}
	node.Kill()
	if !rejoin {
		return
	}
	for hung := time.Now().Add(30 * time.Second); len(r.cluster.Masters()) < 3; time.Sleep(100 * time.Millisecond) {
		if time.Now().After(hung) {
			r.t.Fatal("no replica took over")
		}
	}
	node.Start()
}

// lostToAll finds the acknowledged logins and resumes that neither an admin's
// record nor the user's own history has. An admin that was told of a loss may lack
// what the history has.
func (r *chaosRun) lostToAll(records []chaosRecord, all acks) (lines []string) {
	together := unionOf(records)
	missing, _ := checkLogins(together, all)
	for _, m := range missing {
		if m.ack.event != protocol.EventUserCreated && !r.inHistory(m) {
			lines = append(lines, r.explain(together, m))
		}
	}
	return lines
}

// inHistory reports whether admin.users.get shows the event of what a record
// lacks, among the last 50 of the user.
func (r *chaosRun) inHistory(m shortfall) bool {
	for _, p := range r.everyone() {
		if p.name != m.player {
			continue
		}
		for _, id := range p.ids {
			var user protocol.UserDetail
			if err := r.ask("admin.users.get", protocol.UserRef{UserID: uuid.MustParse(id)}, &user); err != nil {
				continue
			}
			for _, e := range user.Events {
				if e.Event == m.ack.event && m.ack.during(e.Time.Time) {
					return true
				}
			}
		}
	}
	return false
}
