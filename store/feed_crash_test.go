package store

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/google/uuid"

	"rollcall/protocol"
)

// An eventCrash is one write that tells events. Before it the user has what the
// write needs: see prepare.
type eventCrash struct{ crash }

// place is the user's connection before the write; the write brings place().2.
func (c eventCrash) place() string { return "p" + c.Name }

func (c eventCrash) presence(place string) Presence {
	return Presence{Lease: "lease1", Place: place, User: c.User, Session: c.Token, Scope: testScope, Via: Via{Node: "n1"}}
}

func (c eventCrash) newUser() NewUser {
	n := newUserWithEmail(c.Name, c.Name+"@home.com")
	n.ID = c.User
	return n
}

// prepare brings about what the write needs, and returns the crash with the
// token that it uses.
func (c eventCrash) prepare(t *testing.T, s *Store) eventCrash {
	t.Helper()
	n := c.newUser()
	if c.Op == "confirm" {
		n.Confirmation, n.Active = ConfirmationPending, false
	}
	if c.Op == "create" {
		return c
	}
	u := mustCreate(t, s, n)
	switch c.Op {
	case "resume":
		c.Token = mustLogin(t, s, u.ID).Token
	case "enter":
		c.Token = mustLogin(t, s, u.ID).ID
	case "confirm":
		c.Token = mustCode(t, s, u, CodeConfirm)
	case "unban":
		if _, err := s.BanUser(t.Context(), u.ID, Ban{}); err != nil {
			t.Fatal(err)
		}
	case "single", "depart", "delete":
		_, sess, err := s.Login(t.Context(), u.ID, arrival("lease1", c.place()), nil)
		if err != nil {
			t.Fatal(err)
		}
		c.Token = sess.ID
	}
	return c
}

func (c eventCrash) write(ctx context.Context, s *Store) (err error) {
	second := arrival("lease1", c.place()+".2")
	switch c.Op {
	case "login":
		_, _, err = s.Login(ctx, c.User, second, nil)
	case "single":
		second.Single = true
		_, _, err = s.Login(ctx, c.User, second, nil)
	case "resume":
		_, _, _, err = s.Resume(ctx, testScope, c.Token, second)
	case "create":
		_, err = s.CreateUser(ctx, c.newUser())
	case "update":
		_, err = s.UpdateUser(ctx, c.User, UserUpdate{Group: new("blue")})
	case "confirm":
		_, err = s.Confirm(ctx, c.Token)
	case "delete":
		_, err = s.DeleteUser(ctx, c.User)
	case "ban":
		_, err = s.BanUser(ctx, c.User, Ban{Reason: "aimbot"})
	case "unban":
		_, err = s.UnbanUser(ctx, c.User)
	case "enter":
		err = s.Enter(ctx, c.presence(c.place()))
	case "depart":
		err = s.Depart(ctx, c.presence(c.place()), protocol.OfflineClosed)
	}
	return err
}

// eventWrites are all writes that tell events: the step that writes the user,
// what they tell, and whether they also tell other nodes something.
var eventWrites = []struct {
	op, step string
	tells    []string
	signals  bool
}{
	{"login", "login", []string{protocol.EventUserLogin, protocol.EventUserOnline}, false},
	{"single", "login", []string{protocol.EventUserLogin}, true},
	{"resume", "resume", []string{protocol.EventUserResumed, protocol.EventUserOnline}, false},
	{"create", "commit", []string{protocol.EventUserCreated}, false},
	{"update", "commit", []string{protocol.EventUserUpdated}, false},
	{"confirm", "commit", []string{protocol.EventUserConfirmed}, false},
	{"delete", "commit", []string{protocol.EventUserOffline, protocol.EventUserDeleted}, true},
	{"ban", "ban", []string{protocol.EventUserBanned}, true},
	{"unban", "ban", []string{protocol.EventUserUnbanned}, false},
	{"enter", "enter", []string{protocol.EventUserOnline}, false},
	{"depart", "depart", []string{protocol.EventUserOffline}, false},
}

// eventCrashes returns a crash at every step of every one of these writes, and
// what is told of its user in the end.
func eventCrashes(url string) (all []eventCrash, tells [][]string) {
	for _, w := range eventWrites {
		steps := []string{"before " + w.step, "after " + w.step, "before append", "after append", "after clear"}
		if w.signals {
			steps = append(steps, "before effect", "after effect")
		}
		for i, step := range steps {
			all = append(all, eventCrash{crash{
				URL: url, Of: crashOfEvents, Op: w.op, Step: step, Nth: 1, User: uuid.New(), Name: fmt.Sprint("user", len(all)),
			}})
			if i == 0 {
				tells = append(tells, nil)
			} else {
				tells = append(tells, w.tells)
			}
		}
	}
	return all, tells
}

// outboxesEmpty reports whether nothing is left to be carried out.
func outboxesEmpty(t testing.TB, s *Store) bool {
	t.Helper()
	for _, key := range outboxes() {
		if s.client.Exists(t.Context(), key).Val() != 0 {
			return false
		}
	}
	return true
}

// checkToldOnce holds the feed, its counts and a tape of it against what the
// crashes are to tell, once nothing is left to be carried out.
func checkToldOnce(t *testing.T, s *Store, tp *tape, from int64, all []eventCrash, tells [][]string) {
	t.Helper()
	ctx := t.Context()
	whole, err := s.FeedAfter(ctx, testScope, 0, MaxFeedPage)
	if err != nil {
		t.Fatal(err)
	}
	told, counts := map[uuid.UUID][]string{}, map[string]int64{}
	for i, e := range whole {
		if e.Seq != int64(i+1) {
			t.Errorf("event %d has seq %d", i+1, e.Seq)
		}
		counts[e.Name]++
		if e.Seq > from {
			told[e.User] = append(told[e.User], e.Name)
		}
	}
	for i, c := range all {
		if !slices.Equal(told[c.User], tells[i]) {
			t.Errorf("%s that ended %s told %v, want %v", c.Op, c.Step, told[c.User], tells[i])
		}
	}
	eventually(t, "a follower gets all of it", func() bool { return len(tp.names()) >= len(whole) })
	events, lost := tp.snapshot()
	if len(events) != len(whole) || lost != nil {
		t.Errorf("a follower got %d events of %d, lost %v", len(events), len(whole), lost)
	}
	for i := range min(len(events), len(whole)) {
		if events[i].ID != whole[i].ID {
			t.Errorf("event %d came as %s to a follower, and is %s", i+1, events[i].ID, whole[i].ID)
		}
	}

	var sum protocol.StatStep
	steps, err := s.StatSteps(ctx, testScope, s.Now().Add(-time.Hour), s.Now().Add(time.Minute), 24*time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	for _, st := range steps {
		sum.Joins, sum.Logins, sum.Resumes = sum.Joins+st.Joins, sum.Logins+st.Logins, sum.Resumes+st.Resumes
	}
	want := protocol.StatStep{Joins: counts[protocol.EventUserCreated], Logins: counts[protocol.EventUserLogin], Resumes: counts[protocol.EventUserResumed]}
	if sum != want {
		t.Errorf("counted %+v, want %+v", sum, want)
	}
	online := counts[protocol.EventUserOnline] - counts[protocol.EventUserOffline]
	if n, err := s.CountOnline(ctx, testScope); n != online || err != nil {
		t.Errorf("%d users are online, %v; the events say %d", n, err, online)
	}
	if n := s.client.HGet(ctx, feedPartOf(testScope).meta(testScope), "n").Val(); n != strconv.FormatInt(online, 10) {
		t.Errorf("the feed counts %s users online; its events say %d", n, online)
	}
}

func TestAProcessKilledAtAnyStepTellsItsEventsOnceOrNotAtAll(t *testing.T) {
	onServers(t, Config{}, func(t *testing.T, cfg Config) {
		s := openTest(t, cfg)
		openTest(t, cfg) // sweeps at the same time
		tp, _ := followFeed(t, s, testScope)
		all, tells := eventCrashes(cfg.URL)
		for i := range all {
			all[i] = all[i].prepare(t, s)
		}
		head, err := s.FeedHead(t.Context(), testScope)
		if err != nil {
			t.Fatal(err)
		}
		runAll(t, all)
		eventually(t, "nothing is left to be carried out", func() bool { return outboxesEmpty(t, s) })
		checkToldOnce(t, s, tp, head.Seq, all, tells)
	})
}

// The same on every kind of storage, with a writer that just stops.
func TestAWriterThatStopsAtAnyStepTellsItsEventsOnceOrNotAtAll(t *testing.T) {
	var a abandoner
	onEveryWith(t, Config{fault: a.fault, noSweeps: true}, func(t *testing.T, s *Store) {
		tp, _ := followFeed(t, s, testScope)
		all, tells := eventCrashes("")
		for i := range all {
			all[i] = all[i].prepare(t, s)
		}
		head, err := s.FeedHead(t.Context(), testScope)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range all {
			if !a.run(c.Step, func() { c.do(t.Context(), s) }) {
				t.Errorf("%s: %s not reached", c.Op, c.Step)
			}
		}
		eventually(t, "nothing is left to be carried out", func() bool {
			if err := s.Sweep(t.Context()); err != nil {
				t.Fatal(err)
			}
			return outboxesEmpty(t, s)
		})
		checkToldOnce(t, s, tp, head.Seq, all, tells)
	})
}

// What a killed process left of a user is told by the user's next write, before
// its own events: a sweep that came later would turn their order around.
func TestTheNextWriteTellsFirstWhatAKilledProcessLeft(t *testing.T) {
	onServers(t, Config{noSweeps: true}, func(t *testing.T, cfg Config) {
		s := openTest(t, cfg)
		for i, step := range []string{"after login", "before append", "after append"} {
			c := eventCrash{crash{URL: cfg.URL, Of: crashOfEvents, Op: "login", Step: step, Nth: 1, User: uuid.New(), Name: fmt.Sprint("user", i)}}
			c = c.prepare(t, s)
			c.run(t)
			if _, err := s.UpdateUser(t.Context(), c.User, UserUpdate{Group: new("blue")}); err != nil {
				t.Fatal(err)
			}
			if err := s.Depart(t.Context(), c.presence(c.place()+".2"), protocol.OfflineClosed); err != nil {
				t.Fatal(err)
			}
			if !outboxesEmpty(t, s) {
				t.Errorf("%s: something is left", step)
			}
			var told []string
			events, err := s.FeedAfter(t.Context(), testScope, 0, MaxFeedPage)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range events {
				if e.User == c.User {
					told = append(told, e.Name)
				}
			}
			if want := []string{"user.created", "user.login", "user.online", "user.updated", "user.offline"}; !slices.Equal(told, want) {
				t.Errorf("%s: told %v, want %v", step, told, want)
			}
		}
	})
}
