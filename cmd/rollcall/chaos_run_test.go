package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"rollcall/protocol"
	"rollcall/store/storetest"
)

// A chaosScale is how much of everything there is.
type chaosScale struct {
	players int
	rate    int           // logins and resumes a second, at most
	play    time.Duration // from the first player's arrival to the moment when all are told to leave
}

// A chaosRun is one demonstration: a cluster, nodes, players and admins.
type chaosRun struct {
	t       *testing.T
	scale   chaosScale
	cluster *storetest.ClusterServers
	nodes   []*chaosNode
	began   time.Time
	permits chan struct{}
	players []*chaosPlayer
	admins  []*chaosAdmin
	late    *chaosPlayer // logs in when all others have left
	token   string       // of the test's own admin

	mu        sync.Mutex
	faults    int
	surprises map[string]int
	lastLeft  time.Duration
}

// An act is what the test does to the servers while the players play.
type act struct {
	after float64 // part of the time of play
	name  string
	do    func()
}

// startChaos starts a cluster of Redis, three nodes, and ten admins that watch.
func startChaos(t *testing.T, scale chaosScale, serveArgs ...string) *chaosRun {
	t.Helper()
	r := &chaosRun{t: t, scale: scale, permits: make(chan struct{}, max(1, scale.rate/10)), surprises: map[string]int{}, began: time.Now()}
	exe := buildProgram(t)
	r.cluster = storetest.Cluster(t)
	r.nodes = startNodes(t, exe, r.cluster.URL(), chaosScope, []string{"n1", "n2", "n3"}, serveArgs...)

	// So that the feed has a head, and an epoch, when the admins subscribe.
	first := newChaosPlayer(r, 0)
	first.name = "the first one"
	if w := first.arrive(); w != nil {
		w.drop()
	} else {
		t.Fatalf("nobody can log in: %v", r.surprises)
	}
	for i := range scale.players {
		r.players = append(r.players, newChaosPlayer(r, i))
	}
	for i := range chaosAdmins {
		r.admins = append(r.admins, newChaosAdmin(r, i))
	}
	return r
}

// play lets the players play while the admins watch and the acts take place,
// until the last player has left, nobody is online and every admin has what
// there is to have. It returns the admins' records.
func (r *chaosRun) play(acts ...act) []chaosRecord {
	r.t.Helper()
	watching, stopWatching := context.WithCancel(context.Background())
	var watch sync.WaitGroup
	for _, a := range r.admins {
		watch.Go(func() { a.watch(watching) })
	}
	defer watch.Wait()
	defer stopWatching()
	if !r.until("all admins are subscribed", 20*time.Second, func() string {
		var missing []string
		for _, a := range r.admins {
			a.mu.Lock()
			if a.here == nil {
				missing = append(missing, fmt.Sprintf("%s: %d connections, %v", a.name, a.connects, a.endings))
			}
			a.mu.Unlock()
		}
		return strings.Join(missing, "; ")
	}) {
		r.t.FailNow()
	}

	r.game(acts)
	r.nobodyIsOnline()
	r.lateLogin()
	r.everybodyHasAll()
	stopWatching()
	watch.Wait()
	return r.records()
}

// game lets the players play, and returns when the last has left.
func (r *chaosRun) game(acts []act) {
	r.t.Helper()
	r.began = time.Now()
	playing, stopPlaying := context.WithTimeout(context.Background(), r.scale.play)
	defer stopPlaying()
	var play sync.WaitGroup
	play.Go(func() { r.dispense(playing) })
	for _, p := range r.players {
		play.Go(func() { p.play(playing) })
	}
	for _, a := range acts {
		time.Sleep(time.Until(r.began.Add(time.Duration(a.after * float64(r.scale.play)))))
		r.t.Logf("%6v %s", r.since(), a.name)
		a.do()
		r.t.Logf("%6v done", r.since())
	}
	<-playing.Done()
	left := make(chan struct{})
	go func() { play.Wait(); close(left) }()
	select {
	case <-left:
	case <-time.After(90 * time.Second):
		r.t.Fatal("players did not leave: their calls hang")
	}
	r.lastLeft = r.since()
	r.t.Logf("%6v the last player has left", r.lastLeft)
}

// dispense gives out permits to log in, at the rate of the scale. Who wants one
// while none is left waits.
func (r *chaosRun) dispense(ctx context.Context) {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	started, given := time.Now(), 0
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		for due := int(time.Since(started).Seconds() * float64(r.scale.rate)); given < due; given++ {
			select {
			case r.permits <- struct{}{}:
			default: // what nobody wanted is gone
			}
		}
	}
}

// admit waits for a permit to log in.
func (r *chaosRun) admit(ctx context.Context) bool {
	select {
	case <-r.permits:
		return true
	case <-ctx.Done():
		return false
	}
}

// nobodyIsOnline waits until the scope's count says so, and then looks at some
// of the players.
func (r *chaosRun) nobodyIsOnline() {
	r.t.Helper()
	started := time.Now()
	late := false
	r.until("nobody is online", offlineWithin+30*time.Second, func() string {
		var stats protocol.Stats
		if err := r.ask("admin.stats", protocol.StatsParams{Scope: chaosScope}, &stats); err != nil {
			return fmt.Sprintf("admin.stats: %v", err)
		}
		if stats.Online == 0 {
			return ""
		}
		if !late && time.Since(started) > offlineWithin {
			late = true
			r.fault("%v after the last player left %d are shown online: %s", offlineWithin, stats.Online, r.whoIsOnline())
		}
		return fmt.Sprintf("%d are online", stats.Online)
	})
	r.t.Logf("%6v nobody is online, %v after the last has left (may take %v)", r.since(), time.Since(started).Round(time.Millisecond), offlineWithin)
	online := 0
	for _, p := range r.sample() {
		var user protocol.UserDetail
		if err := r.ask("admin.users.get", protocol.UserRef{UserID: p}, &user); err != nil {
			if statusOf(err) != protocol.StatusUserNotFound {
				r.fault("admin.users.get: %v", err)
			}
		} else if user.Online {
			online++
		}
	}
	if online > 0 {
		r.fault("admin.users.get shows %d of %d players online, and admin.stats none", online, len(r.sample()))
	}
}

// whoIsOnline names some of those that are listed as online.
func (r *chaosRun) whoIsOnline() string {
	yes := true
	var list protocol.UserList
	if err := r.ask("admin.users.list", protocol.ListUsersParams{Scope: chaosScope, Filter: protocol.UserFilter{Online: &yes}, Limit: 10}, &list); err != nil {
		return err.Error()
	}
	var names []string
	for _, u := range list.Users {
		names = append(names, u.Username)
	}
	return fmt.Sprintf("the first page of admin.users.list has %q", names)
}

// sample is the user_ids of 50 players.
func (r *chaosRun) sample() []uuid.UUID {
	var ids []uuid.UUID
	for i, p := range r.players {
		if i%max(1, len(r.players)/50) != 0 || len(p.ids) == 0 {
			continue
		}
		ids = append(ids, uuid.MustParse(p.ids[len(p.ids)-1]))
	}
	return ids
}

// lateLogin logs one more player in, whose login every admin must see, and lets
// it ask who is there.
func (r *chaosRun) lateLogin() {
	r.late = newChaosPlayer(r, len(r.players))
	r.late.name = "the last one"
	var w *chaosWire
	if !r.until("one more player can log in", 20*time.Second, func() string {
		if w = r.late.arrive(); w == nil {
			r.late.fails()
			return fmt.Sprint(r.surprises)
		}
		return ""
	}) {
		return
	}
	defer w.drop()
	ids := r.sample()
	var presence map[string]string
	if err := w.call(context.Background(), "users.presence", protocol.PresenceParams{UserIDs: ids}, &presence); err != nil {
		r.fault("users.presence: %v", err)
		return
	}
	for _, id := range ids {
		if presence[id.String()] != protocol.Offline {
			r.fault("users.presence says %q of %s, who has left", presence[id.String()], id)
		}
	}
}

// everybodyHasAll waits until the feed stands still for a moment and every admin
// stands where it does.
func (r *chaosRun) everybodyHasAll() {
	r.t.Helper()
	const moment = 1500 * time.Millisecond
	var head protocol.FeedPosition
	var still time.Time
	r.until("every admin is at the feed's head", 30*time.Second, func() string {
		now, err := r.head()
		if err != nil {
			return err.Error()
		}
		if now.Seq != head.Seq || now.Epoch != head.Epoch {
			head, still = now, time.Now()
		}
		if time.Since(still) < moment {
			return "the feed goes on at " + posText(head)
		}
		var behind []string
		for _, a := range r.admins {
			if p := a.position(); p.Epoch != head.Epoch || p.Seq < head.Seq {
				behind = append(behind, fmt.Sprintf("%s is at %s of %s", a.name, posText(p), posText(head)))
			}
		}
		return strings.Join(behind, "; ")
	})
	r.t.Logf("%6v every admin is at %s", r.since(), posText(head))
}

// head is where the feed stands.
func (r *chaosRun) head() (protocol.FeedPosition, error) {
	var sub protocol.Subscription
	err := r.ask("admin.subscribe", protocol.SubscribeParams{Scope: chaosScope}, &sub)
	return sub.Heads[chaosScope], err
}

// replay is the record of one more admin, who comes when all is over and asks
// for everything since an early position. The reply says at once whether that is
// to be had.
func (r *chaosRun) replay() (chaosRecord, bool) {
	r.t.Helper()
	base := r.admins[1].record.entries[0].pos
	head, err := r.head()
	if err != nil {
		r.fault("admin.subscribe: %v", err)
		return chaosRecord{}, false
	}
	a := newChaosAdmin(r, 1)
	a.name, a.record.admin = "the replay", "the replay"
	a.here = &base
	a.add(chaosEntry{kind: entrySubscribed, pos: base, recovered: true}) // from where it asks
	for r.nodes[a.node].dead.Load() {
		a.node = (a.node + 1) % len(r.nodes)
	}
	ctx, stop := context.WithCancel(context.Background())
	var watch sync.WaitGroup
	watch.Go(func() { a.watch(ctx) })
	r.until("the replay has reached the head", 30*time.Second, func() string {
		if p := a.position(); p.Epoch != head.Epoch || p.Seq < head.Seq {
			return fmt.Sprintf("it is at %s of %s", posText(p), posText(head))
		}
		return ""
	})
	stop()
	watch.Wait()
	return a.record, !a.record.announced()
}

// ask sends a request as an admin, to whichever node answers.
func (r *chaosRun) ask(typ string, in, out any) error {
	err := errors.New("no node is left")
	for _, n := range r.nodes {
		if n.dead.Load() {
			continue
		}
		if err = r.askNode(n, typ, in, out); err == nil {
			return nil
		}
		if s := statusOf(err); s != 0 && s != protocol.StatusUnavailable && s != protocol.StatusBusy {
			return err
		}
	}
	return err
}

func (r *chaosRun) askNode(n *chaosNode, typ string, in, out any) error {
	ctx := context.Background()
	w, err := openWire(ctx, n.address)
	if err != nil {
		return err
	}
	defer w.drop()
	a := chaosAdmin{token: r.token}
	if err := a.enter(ctx, w); statusOf(err) == protocol.StatusSessionInvalid {
		err = a.enter(ctx, w)
		if err != nil {
			return err
		}
	} else if err != nil {
		return err
	}
	r.token = a.token
	return w.call(ctx, typ, in, out)
}

// until waits for what no reply tells, and reports whether it came. miss says what
// is still missing.
func (r *chaosRun) until(what string, guard time.Duration, miss func() string) bool {
	r.t.Helper()
	for started := time.Now(); ; time.Sleep(100 * time.Millisecond) {
		missing := miss()
		if missing == "" {
			return true
		}
		if time.Since(started) > guard {
			r.fault("waited %v in vain until %s: %s", guard, what, missing)
			return false
		}
	}
}

func (r *chaosRun) since() time.Duration { return time.Since(r.began).Round(10 * time.Millisecond) }

// fault fails the test, with as many words as a person reads.
func (r *chaosRun) fault(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.faults++; r.faults <= 40 {
		r.t.Errorf(format, args...)
	}
}

// report makes faults of problems of one kind.
func (r *chaosRun) report(what string, problems []string) {
	const most = 3
	for _, p := range problems[:min(most, len(problems))] {
		r.fault("%s: %s", what, p)
	}
	if more := len(problems) - most; more > 0 {
		r.fault("%s: and %d more", what, more)
	}
}

// surprise counts an error that a player was answered.
func (r *chaosRun) surprise(typ string, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if s := statusOf(err); s != 0 {
		r.surprises[fmt.Sprintf("%s %d", typ, s)]++
	}
}

// onlyStatuses checks that players were answered no errors but these.
func (r *chaosRun) onlyStatuses(allowed ...protocol.Status) {
	for _, key := range slices.Sorted(maps.Keys(r.surprises)) {
		typ, status, _ := strings.Cut(key, " ")
		if !slices.ContainsFunc(allowed, func(s protocol.Status) bool { return fmt.Sprint(int(s)) == status }) {
			r.fault("%s was answered %s, %d times", typ, status, r.surprises[key])
		}
	}
}

// records are the admins' records, with every event given to the player whom its
// user_id names.
func (r *chaosRun) records() []chaosRecord {
	var records []chaosRecord
	for _, a := range r.admins {
		records = append(records, a.record)
	}
	return r.attributed(records...)
}

func (r *chaosRun) attributed(records ...chaosRecord) []chaosRecord {
	byID := map[string]string{}
	for _, p := range r.everyone() {
		for _, id := range p.ids {
			byID[id] = p.name
		}
	}
	wrong := map[string]string{}
	for _, rec := range records {
		for i := range rec.entries {
			e := &rec.entries[i]
			name := byID[e.userID]
			if name == "" { // the one whose answer never came, or not a player
				continue
			}
			if e.player != name {
				wrong[e.userID] = fmt.Sprintf("%s: %s at %s is of user_id %s, who is %q, and says %q", rec.admin, e.event, posText(e.pos), e.userID, name, e.player)
			}
			e.player = name
		}
	}
	r.report("an event names another user", slices.Sorted(maps.Values(wrong)))
	return records
}

func (r *chaosRun) everyone() []*chaosPlayer {
	if r.late == nil {
		return r.players
	}
	return append(slices.Clone(r.players), r.late)
}

// acks are what all players did.
func (r *chaosRun) acks() acks {
	all := acks{}
	for _, p := range r.everyone() {
		all[p.name] = p.acks
	}
	return all
}

// explain tells what a record lacks, with all that its player did and all that
// the record has of him.
func (r *chaosRun) explain(rec chaosRecord, m shortfall) string {
	since := func(t time.Time) time.Duration { return t.Sub(r.began).Round(time.Millisecond) }
	var b strings.Builder
	fmt.Fprintf(&b, "%s lacks %s of %s, acknowledged on %s at %v. Answers:", rec.admin, m.ack.event, m.player, m.ack.node, since(m.ack.to))
	for _, p := range r.everyone() {
		if p.name == m.player {
			for _, a := range p.acks {
				fmt.Fprintf(&b, " [%v–%v %s on %s", since(a.from), since(a.to), a.event, a.node)
				if !a.known {
					b.WriteString(" unknown")
				}
				b.WriteString("]")
			}
			fmt.Fprintf(&b, "; user_ids %v", p.ids)
		}
	}
	b.WriteString(". Record:")
	for _, e := range rec.entries {
		if e.kind == entryEvent && e.player == m.player {
			fmt.Fprintf(&b, " [%v %s %s, told at %v]", since(e.time), e.event, posText(e.pos), e.at.Round(time.Millisecond))
		}
	}
	return b.String()
}

// tell logs what the run was like.
func (r *chaosRun) tell(records []chaosRecord) {
	var logins, resumes, created, unknown, outages, cut int
	var longest time.Duration
	var sufferer string
	var took []time.Duration
	for _, p := range r.everyone() {
		for _, a := range p.acks {
			switch {
			case !a.known:
				unknown++
			case a.event == protocol.EventUserLogin:
				logins++
			case a.event == protocol.EventUserResumed:
				resumes++
			default:
				created++
			}
		}
		took = append(took, p.took...)
		outages += p.outages
		if p.outages > 0 {
			cut++
		}
		if p.outage > longest {
			longest, sufferer = p.outage, p.name
		}
	}
	r.t.Logf("acknowledged: %d logins, %d resumes, %d created users, %.0f logins and resumes a second; %d that may have happened or not (no answer, or 815)",
		logins, resumes, created, float64(logins+resumes)/r.scale.play.Seconds(), unknown)
	if slices.Sort(took); len(took) > 0 {
		r.t.Logf("a login or resume took %v in the middle, %v at the 99th percentile, %v at most",
			took[len(took)/2].Round(10*time.Microsecond), took[len(took)*99/100].Round(10*time.Microsecond), took[len(took)-1].Round(time.Millisecond))
	}
	r.t.Logf("%d of %d players were cut off, %d times in all; the longest outage was %v (%s)", cut, len(r.players), outages, longest.Round(time.Millisecond), sufferer)
	r.t.Logf("errors that players were answered: %v", r.surprises)
	for i, a := range r.admins {
		notRecovered, losses := records[i].announcements()
		r.t.Logf("%s: %d events, %d connections, %d subscriptions (%d recovered: false), %d feed.lost, %d pushes before the reply; ends: %v",
			a.name, records[i].events(), a.connects, a.replies, notRecovered, losses, a.early, a.endings)
	}
}
