package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"
)

// crashAge is the age limit of reservations in these tests.
const crashAge = 300 * time.Millisecond

// crashVariable tells the test binary to be a process that dies.
const crashVariable = "ROLLCALL_STORE_CRASH"

// A crash is what such a process does: one write, until it reaches the step.
type crash struct {
	URL   string
	Of    crashOf
	Op    string
	Step  string
	Nth   int // which time that the step is reached
	User  uuid.UUID
	Name  string // the user's, from which the other names are made
	Token string // of the user's session or code, where the write needs one
}

// A crashOf is a kind of writes.
type crashOf string

const (
	crashOfNames     crashOf = "names"     // create, rename, email, delete
	crashOfProviders crashOf = "providers" // see providers_crash_test.go
	crashOfEvents    crashOf = "events"    // see feed_crash_test.go
)

// do does the write.
func (c crash) do(ctx context.Context, s *Store) error {
	switch c.Of {
	case crashOfProviders:
		return providerCrash{c}.write(ctx, s)
	case crashOfEvents:
		return eventCrash{c}.write(ctx, s)
	}
	return c.write(ctx, s)
}

// The present name is c.Name for rename, email and delete, and the email
// <name>@home.com. These are the names that the write brings.
func (c crash) newName() string { return c.Name + ".new" }
func (c crash) newMail() string { return c.Name + ".new@home.com" }

func (c crash) write(ctx context.Context, s *Store) (err error) {
	switch c.Op {
	case "create":
		n := newUserWithEmail(c.newName(), c.newMail())
		n.ID = c.User
		_, err = s.CreateUser(ctx, n)
	case "rename":
		_, err = s.UpdateUser(ctx, c.User, UserUpdate{Username: new(c.newName())})
	case "email":
		_, err = s.UpdateUser(ctx, c.User, UserUpdate{Email: new(c.newMail())})
	case "delete":
		_, err = s.DeleteUser(ctx, c.User)
	}
	return err
}

// crashes are all steps of all writes, and whether the write is done by then.
var crashes = []struct {
	op, step string
	nth      int
	done     bool
}{
	{"create", "before reserve name", 1, false},
	{"create", "after reserve name", 1, false},
	{"create", "before reserve mail", 1, false},
	{"create", "after reserve mail", 1, false},
	{"create", "before commit", 1, false},
	{"create", "after commit", 1, true},
	{"rename", "before reserve name", 1, false},
	{"rename", "after reserve name", 1, false},
	{"rename", "before commit", 1, false},
	{"rename", "after commit", 1, true},
	{"rename", "before fence", 1, true},
	{"rename", "after fence", 1, true},
	{"rename", "before release", 1, true},
	{"rename", "after release", 1, true},
	{"email", "before reserve mail", 1, false},
	{"email", "after reserve mail", 1, false},
	{"email", "before commit", 1, false},
	{"email", "after commit", 1, true},
	{"email", "before fence", 1, true},
	{"email", "after fence", 1, true},
	{"email", "before release", 1, true},
	{"email", "after release", 1, true},
	{"delete", "before commit", 1, false},
	{"delete", "after commit", 1, true},
	{"delete", "before fence", 1, true},
	{"delete", "after fence", 1, true},
	{"delete", "after release", 1, true},
	{"delete", "before fence", 2, true},
	{"delete", "after fence", 2, true},
	{"delete", "after release", 2, true},
	{"delete", "before effect", 1, true},
	{"delete", "after effect", 1, true},
}

// TestCrashingProcess is the process that dies, when it is started as one;
// otherwise it does nothing.
func TestCrashingProcess(t *testing.T) {
	text := os.Getenv(crashVariable)
	if text == "" {
		return
	}
	var c crash
	if err := json.Unmarshal([]byte(text), &c); err != nil {
		t.Fatal(err)
	}
	n := 0
	s := openTest(t, Config{URL: c.URL, ReservationAge: crashAge, fault: func(step string) {
		if step == c.Step {
			if n++; n == c.Nth {
				syscall.Kill(os.Getpid(), syscall.SIGKILL)
				select {}
			}
		}
	}})
	err := c.do(t.Context(), s)
	if err == nil {
		time.Sleep(20 * time.Second) // the step may be reached behind the caller's back
	}
	t.Fatalf("step not reached, the write ended with %v", err)
}

// run starts a process for c and waits until it has died.
func (c crash) run(t *testing.T) {
	text, err := json.Marshal(c)
	if err != nil {
		t.Error(err)
		return
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestCrashingProcess$", "-test.timeout=60s")
	cmd.Env = append(os.Environ(), crashVariable+"="+string(text))
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		t.Errorf("%s, %s: the process was not killed: %v\n%s", c.Op, c.Step, err, out)
	}
}

// runAll starts the processes, two at a time, and waits until all have died.
func runAll[C interface{ run(t *testing.T) }](t *testing.T, all []C) {
	var running sync.WaitGroup
	two := make(chan struct{}, 2)
	for _, c := range all {
		running.Go(func() {
			two <- struct{}{}
			defer func() { <-two }()
			c.run(t)
		})
	}
	running.Wait()
	if t.Failed() {
		t.FailNow()
	}
}

func TestAProcessKilledAtAnyStepLosesAndDoublesNoName(t *testing.T) {
	onServers(t, Config{ReservationAge: crashAge}, func(t *testing.T, cfg Config) {
		s := openTest(t, cfg)
		all := make([]crash, len(crashes))
		for i, k := range crashes {
			c := crash{URL: cfg.URL, Op: k.op, Step: k.step, Nth: k.nth, User: uuid.New(), Name: fmt.Sprint("user", i)}
			all[i] = c
			if k.op != "create" {
				n := newUserWithEmail(c.Name, c.Name+"@home.com")
				n.ID = c.User
				mustCreate(t, s, n)
				mustLogin(t, s, n.ID)
			}
		}
		runAll(t, all)
		checkConsistent(t, s, true)
		allTogether(len(all), func(i int) {
			checkAfterCrash(t, s, all[i], crashes[i].done)
		})
		checkConsistent(t, s, true)
	})
}

// The same on every kind of storage, with a writer that just stops. (The
// embedded storage dies with its process.)
func TestAWriterThatStopsAtAnyStepLosesAndDoublesNoName(t *testing.T) {
	var a abandoner
	onEveryWith(t, Config{ReservationAge: crashAge, fault: a.fault}, func(t *testing.T, s *Store) {
		all := make([]crash, len(crashes))
		for i, k := range crashes {
			if k.nth > 1 {
				continue // the abandoner stops at the first
			}
			c := crash{Op: k.op, Step: k.step, Nth: 1, User: uuid.New(), Name: fmt.Sprint("user", i)}
			all[i] = c
			if k.op != "create" {
				n := newUserWithEmail(c.Name, c.Name+"@home.com")
				n.ID = c.User
				mustCreate(t, s, n)
			}
			if !a.run(k.step, func() { c.do(t.Context(), s) }) {
				t.Errorf("%s: %s not reached", k.op, k.step)
			}
		}
		allTogether(len(all), func(i int) {
			if all[i].Op != "" {
				checkAfterCrash(t, s, all[i], crashes[i].done)
			}
		})
		checkConsistent(t, s, true)
	})
}

// checkAfterCrash has rivals ask for every name that the write touched. Each is
// either the victim's and refused, or free and given, at the latest when the
// reservation is too old.
func checkAfterCrash(t *testing.T, s *Store, c crash, done bool) {
	t.Helper()
	what := fmt.Sprintf("%s killed at %s, %d", c.Op, c.Step, c.Nth)
	victim, err := s.User(t.Context(), c.User)
	exists := err == nil
	if err != nil && !errors.Is(err, ErrUserNotFound) {
		t.Errorf("%s: %v", what, err)
		return
	}
	var wantName, wantMail string
	switch c.Op {
	case "create":
		if exists != done {
			t.Errorf("%s: the user exists: %v", what, exists)
		}
		wantName, wantMail = c.newName(), c.newMail()
	case "delete":
		if exists == done {
			t.Errorf("%s: the user exists: %v", what, exists)
		}
		wantName, wantMail = c.Name, c.Name+"@home.com"
	case "rename", "email":
		wantName, wantMail = c.Name, c.Name+"@home.com"
		if done && c.Op == "rename" {
			wantName = c.newName()
		} else if done {
			wantMail = c.newMail()
		}
	}
	if exists && (victim.Username != wantName || victim.Email != wantMail) {
		t.Errorf("%s: user has %s and %s", what, victim.Username, victim.Email)
	}

	for _, name := range []string{c.Name, c.newName()} {
		rival, err := s.CreateUser(t.Context(), newUser(strings.ToUpper(name)))
		holder, found := s.UserByUsername(t.Context(), testScope, name)
		checkHolder(t, what+": "+name, exists && victim.Username == name, victim.ID, rival.ID, holder.ID, err, ErrUsernameTaken, found)
	}
	for i, mail := range []string{c.Name + "@home.com", c.newMail()} {
		rival, err := s.CreateUser(t.Context(), newUserWithEmail(fmt.Sprint(c.Name, " rival ", i), mail))
		holder, found := s.UserByEmail(t.Context(), testScope, mail)
		checkHolder(t, what+": "+mail, exists && victim.Email == mail, victim.ID, rival.ID, holder.ID, err, ErrEmailTaken, found)
	}
}

func checkHolder(t *testing.T, what string, taken bool, victim, rival, holder uuid.UUID, err, wantErr, found error) {
	t.Helper()
	switch {
	case found != nil:
		t.Errorf("%s resolves to nobody: %v; the rival's create: %v", what, found, err)
	case taken && (!errors.Is(err, wantErr) || holder != victim):
		t.Errorf("%s is the victim's, but the rival's create: %v, and it resolves to %v", what, err, holder)
	case !taken && (err != nil || holder != rival):
		t.Errorf("%s is free, but the rival's create: %v, and it resolves to %v", what, err, holder)
	}
}

// A takeover that dies half way leaves the name to the next one.
func TestATakeoverThatStopsLeavesTheNameToTheNext(t *testing.T) {
	var a abandoner
	onEveryWith(t, Config{ReservationAge: 50 * time.Millisecond, fault: a.fault}, func(t *testing.T, s *Store) {
		for i, step := range []string{"after fence", "after reserve name", "before commit"} {
			name := nthName(i)
			if !a.run("before commit", func() { s.CreateUser(t.Context(), newUser(name)) }) {
				t.Fatal("the first one did not stop")
			}
			if !a.run(step, func() { s.CreateUser(t.Context(), newUser(name)) }) {
				t.Fatal("the second one did not stop")
			}
			u := mustCreate(t, s, newUser(name))
			wantName(t, s, name, u.ID)
		}
		checkConsistent(t, s, false)
	})
}

// A killed process has left the signal in the outbox; another one's sweep sends it.
func TestASweepSendsTheSignalsOfAKilledProcess(t *testing.T) {
	onServers(t, Config{ReservationAge: crashAge}, func(t *testing.T, cfg Config) {
		s := openTest(t, cfg)
		n := newUserWithEmail("tiny", "tiny@home.com")
		n.ID = uuid.New()
		mustCreate(t, s, n)
		signals := follow(t, s)
		crash{URL: cfg.URL, Op: "delete", Step: "after commit", Nth: 1, User: n.ID, Name: "tiny"}.run(t)
		eventually(t, "the signal arrives", func() bool {
			if err := s.Sweep(t.Context()); err != nil {
				t.Fatal(err)
			}
			return signals.has(func(sig Signal) bool { return sig.Kind == SignalEnd && sig.User == n.ID })
		})
		eventually(t, "the outbox is empty", func() bool {
			return s.client.HLen(t.Context(), partitionOf(n.ID).outbox()).Val() == 0
		})
	})
}
