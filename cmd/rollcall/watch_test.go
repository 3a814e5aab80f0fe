package main

import (
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"rollcall/protocol"
)

// clock returns how a watch on this machine shows the time of login.
func clock() string {
	return time.Date(2026, 11, 24, 10, 0, 0, 123e6, time.UTC).Local().Format("15:04:05.000")
}

// recovered answers with an untouched feed.
func recovered(h heads, frames ...string) feedAnswer {
	return feedAnswer{Subscription: protocol.Subscription{Recovered: true, Heads: h}, frames: frames}
}

func TestAWatchPrintsEventsAsTheyCome(t *testing.T) {
	s := startFeed(t, recovered(heads{"Space Race": at(7)}, login("Space Race", 8, "tiny")))
	w := s.watch()
	w.out.wait(t, "tiny")
	s.push("[" + login("Space Race", 9, "huge") + "," + login("Moon Base", 1, "zoe") + "]")
	w.out.wait(t, "zoe")
	if err := w.stop(); err != nil {
		t.Fatal(err)
	}
	want := "-- 2026-11-24\n" +
		clock() + "  Space Race  user.login         tiny          password  n1    203.0.113.7\n" +
		clock() + "  Space Race  user.login         huge          password  n1    203.0.113.7\n" +
		clock() + "  Moon Base   user.login         zoe           password  n1    203.0.113.7\n"
	day := time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC).Local().Format(time.DateOnly)
	want = strings.Replace(want, "2026-11-24", day, 1)
	if day == time.Now().Format(time.DateOnly) {
		_, want, _ = strings.Cut(want, "\n")
	}
	if got := w.out.String(); got != want || w.errOut.String() != "" {
		t.Errorf("printed\n%s\nwant\n%s\nand on stderr %q", got, want, w.errOut)
	}
	if got, want := s.subscribed(), []protocol.SubscribeParams{{Scope: "*", Batch: true}}; !reflect.DeepEqual(got, want) {
		t.Errorf("asked for %+v", got)
	}
}

func TestAWatchInJSONPrintsEventsAsTheyArePushed(t *testing.T) {
	events := []string{
		login("Space Race", 8, "tiny"),
		`{"event":"user.created","scope":"Space Race","seq":9,"epoch":"e1","event_id":"x","time":"2026-11-24T10:00:00.000Z","data":{"username":"<&>","not yet known":[1.0,{"b":null,"a":1e3}]}}`,
	}
	s := startFeed(t, recovered(nil, "["+strings.Join(events, ",")+"]"))
	w := s.watch("--json")
	w.out.wait(t, "not yet known")
	if err := w.stop(); err != nil {
		t.Fatal(err)
	}
	if got, want := w.out.String(), strings.Join(events, "\n")+"\n"; got != want {
		t.Errorf("printed\n%s\nwant\n%s", got, want)
	}
}

func TestAWatchFilters(t *testing.T) {
	tiny, id := login("A", 1, "Tiny"), login("A", 2, "")
	failed := `{"event":"user.login_failed","scope":"A","seq":3,"epoch":"e1","data":{"reason":"unknown"}}`
	banned := `{"event":"admin.action","scope":"A","seq":4,"epoch":"e1","data":{"admin":"ops","action":"admin.users.ban","user_id":"00000000-0000-4000-8000-000000000001","target":"tiny"}}`
	scope := `{"event":"admin.action","scope":"A","seq":5,"epoch":"e1","data":{"admin":"ops","action":"admin.scopes.create","target":"tiny"}}`
	last := login("A", 6, "tiny")
	for name, tt := range map[string]struct {
		args   []string
		asked  protocol.SubscribeParams
		events []string // that are printed
	}{
		"nothing":     {nil, protocol.SubscribeParams{Scope: "*"}, []string{tiny, id, failed, banned, scope, last}},
		"scope":       {[]string{"--scope", "A"}, protocol.SubscribeParams{Scope: "A"}, []string{tiny, id, failed, banned, scope, last}},
		"events":      {[]string{"--event", "user.login", "--event", "user.banned"}, protocol.SubscribeParams{Scope: "*", Events: []string{"user.banned", "user.login"}}, nil},
		"failed":      {[]string{"--failed"}, protocol.SubscribeParams{Scope: "*", Events: []string{"user.login_failed"}}, nil},
		"failed too":  {[]string{"--failed", "--event", "user.login,user.login_failed"}, protocol.SubscribeParams{Scope: "*", Events: []string{"user.login", "user.login_failed"}}, nil},
		"last":        {[]string{"--last", "25"}, protocol.SubscribeParams{Scope: "*", Last: 25}, nil},
		"last none":   {[]string{"--last", "0"}, protocol.SubscribeParams{Scope: "*"}, nil},
		"user":        {[]string{"--user", "TINY"}, protocol.SubscribeParams{Scope: "*"}, []string{tiny, banned, last}},
		"user id":     {[]string{"--user", "289bc36E"}, protocol.SubscribeParams{Scope: "*"}, []string{tiny, id, last}},
		"short of id": {[]string{"--user", "289bc36"}, protocol.SubscribeParams{Scope: "*"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			end := `{"event":"admin.action","scope":"A","seq":7,"epoch":"e1","data":{"user_id":"289bc36e-0df7-44df-99b1-a6543c6f45eb","target":"tiny","action":"end"}}`
			s := startFeed(t, recovered(nil, tiny, id, failed, banned, scope, last, end))
			w := s.watch(append(tt.args, "--json")...)
			if tt.events != nil {
				w.out.wait(t, `"end"`)
			} else {
				s.waitForSubscribe()
			}
			if err := w.stop(); err != nil {
				t.Fatal(err)
			}
			tt.asked.Batch = true
			if got := s.subscribed()[0]; !reflect.DeepEqual(got, tt.asked) {
				t.Errorf("asked for %+v, want %+v", got, tt.asked)
			}
			if tt.events == nil {
				return
			}
			var got []string
			for line := range strings.Lines(w.out.String()) {
				if !strings.Contains(line, `"end"`) {
					got = append(got, regexp.MustCompile(`"seq":\d`).FindString(line))
				}
			}
			var want []string
			for _, e := range tt.events {
				want = append(want, regexp.MustCompile(`"seq":\d`).FindString(e))
			}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("printed %q, want %q", got, want)
			}
		})
	}
}

func TestAWatchComesBackAndSaysWhetherAnythingWasMissed(t *testing.T) {
	lost := recovered(heads{"Space Race": at(900)}, login("Space Race", 901, "huge"))
	lost.Recovered, lost.Lost = false, []string{"Space Race"}
	for name, tt := range map[string]struct {
		answer feedAnswer
		marker string
	}{
		"all is there": {recovered(heads{"Space Race": at(9)}, login("Space Race", 8, "tiny"), login("Space Race", 9, "huge")),
			`(?m)^-- away \d+\.\d s, nothing missed$`},
		"something is lost": {lost,
			`(?m)^-- away \d+\.\d s, history no longer reaches back: 1 scope lost: Space Race$`},
	} {
		for _, json := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				s := startFeed(t, recovered(heads{"Space Race": at(7)}, login("Space Race", 8, "tiny")), tt.answer)
				args := []string{"--scope", "Space Race"}
				if json {
					args = append(args, "--json")
				}
				w := s.watch(args...)
				w.out.wait(t, "tiny")
				s.drop()
				w.out.wait(t, "huge")
				if err := w.stop(); err != nil {
					t.Fatal(err)
				}
				if got, want := s.subscribed()[1].Since, (heads{"Space Race": at(8)}); !reflect.DeepEqual(got, want) {
					t.Errorf("came back with %v", got)
				}
				out, told := w.out.String(), w.out.String()
				if json {
					told = w.errOut.String()
				}
				if !regexp.MustCompile(tt.marker).MatchString(told) {
					t.Errorf("no %s in\n%s", tt.marker, told)
				}
				if strings.Count(out, "tiny") != 1 || json && strings.Contains(out, "--") {
					t.Errorf("printed\n%s", out)
				}
				if !strings.HasPrefix(w.errOut.String(), "-- connection lost, trying again: ") {
					t.Errorf("on stderr %q", w.errOut)
				}
			})
		}
	}
}

func TestAWatchTellsOfEventsThatTheServerLost(t *testing.T) {
	s := startFeed(t, recovered(heads{"A": at(7)}, `{"event":"feed.lost","scope":"A","seq":20,"epoch":"e1"}`, login("A", 21, "tiny")))
	w := s.watch()
	w.out.wait(t, "tiny")
	if !strings.HasPrefix(w.out.String(), "-- the server lost events of 1 scope: A\n") {
		t.Errorf("printed\n%s", w.out)
	}
}

func TestAWatchContinuesWhereTheLastOneEnded(t *testing.T) {
	file := filepath.Join(t.TempDir(), "positions.json")
	s := startFeed(t, recovered(heads{"A": at(7), "B": at(3)}, login("A", 8, "tiny")), recovered(heads{"A": at(10)}, login("A", 9, "huge")))
	w := s.watch("--since", file, "--last", "5")
	w.out.wait(t, "tiny")
	if err := w.stop(); err != nil {
		t.Fatal(err)
	}
	if asked := s.subscribed()[0]; asked.Since != nil || asked.Last != 5 {
		t.Errorf("the first run asked for %+v", asked)
	}
	w = s.watch("--since", file, "--last", "5", "--scope", "A")
	w.out.wait(t, "huge")
	if err := w.stop(); err != nil {
		t.Fatal(err)
	}
	if asked := s.subscribed()[1]; asked.Last != 0 || !reflect.DeepEqual(asked.Since, heads{"A": at(8)}) {
		t.Errorf("the second run asked for %+v", asked)
	}
	if !regexp.MustCompile(`^-- away \d+\.\d s, nothing missed\n`).MatchString(w.out.String()) {
		t.Errorf("printed\n%s", w.out)
	}
	mark, err := openBookmark(file)
	if err != nil || !reflect.DeepEqual(mark.At, heads{"A": at(9), "B": at(3)}) {
		t.Errorf("the file holds %v, %v", mark, err)
	}
	if left, _ := os.ReadDir(filepath.Dir(file)); len(left) != 1 {
		t.Errorf("%d files are left", len(left))
	}
}

func TestAWatchThatCannotKeepItsPositionSaysSoAtOnce(t *testing.T) {
	s := startFeed(t, recovered(heads{"A": at(7)}))
	w := s.watch("--since", filepath.Join(t.TempDir(), "no such folder", "positions.json"))
	if err := w.end(); ExitCode(err) != 1 || !strings.Contains(err.Error(), "save positions") {
		t.Errorf("ended with %v", err)
	}
}

func TestMistakesOfAWatchAreFoundBeforeItConnects(t *testing.T) {
	bad := writeFile(t, "positions.json", "[]")
	for _, args := range [][]string{
		{"--last", "1001"}, {"--last", "-1"}, {"--last", "many"},
		{"--event", "user.loggin"}, {"--scope", ""}, {"--color", "blue"},
		{"--since", bad}, {"--since", t.TempDir()}, {"--server"}, {"more"},
	} {
		out, _, err := run(t, Program{Args: append([]string{"watch"}, args...),
			Env: environ("ROLLCALL_SERVER", "ws://127.0.0.1:1", "ROLLCALL_ADMIN_PASSWORD", secretPassword)})
		if ExitCode(err) != 2 || out != "" {
			t.Errorf("%q: %v, exit code %d, output %q", args, err, ExitCode(err), out)
		}
	}
}

func TestAWatchThatIsRefusedEndsWithStatus1(t *testing.T) {
	s := startFeed(t, feedAnswer{refused: &protocol.Error{Status: protocol.StatusNotPermitted}})
	if err := s.watch().end(); !isStatus(err, protocol.StatusNotPermitted) || ExitCode(err) != 1 {
		t.Errorf("refused at once: %v", err)
	}
	s = startFeed(t, recovered(heads{"A": at(7)}, login("A", 8, "tiny")), feedAnswer{refused: &protocol.Error{Status: protocol.StatusScopeNotFound}})
	w := s.watch()
	w.out.wait(t, "tiny")
	s.drop()
	if err := w.end(); !isStatus(err, protocol.StatusScopeNotFound) || ExitCode(err) != 1 {
		t.Errorf("refused later: %v", err)
	}
}

// Once the watch runs, the context of the timeout has ended already: the other
// tests show that it goes on.
func TestTheTimeoutBoundsTheConnecting(t *testing.T) {
	s := startFeed(t, feedAnswer{silent: true})
	if err := s.watch("--timeout", "50ms").end(); ExitCode(err) != 1 || !strings.Contains(err.Error(), context.DeadlineExceeded.Error()) {
		t.Errorf("ended with %v", err)
	}
}

func TestAnInterruptWhileConnectingIsNoError(t *testing.T) {
	s := startFeed(t, feedAnswer{silent: true})
	w := s.watch()
	s.waitForSubscribe()
	if err := w.stop(); err != nil {
		t.Errorf("ended with %v", err)
	}
}

func TestAnInterruptEndsAWatchWhoseOutputNobodyReads(t *testing.T) {
	file := filepath.Join(t.TempDir(), "positions.json")
	s := startFeed(t, recovered(heads{"A": at(7)}, login("A", 8, "tiny"), login("A", 9, "huge")))
	read, write := io.Pipe()
	p := s.program("--since", file)
	p.Stdout = write
	ctx, interrupt := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- p.Run(ctx) }()
	if _, err := read.Read(make([]byte, 1000)); err != nil { // the day or the first event, and then nothing
		t.Fatal(err)
	}
	interrupt()
	if err := <-ended; err != nil {
		t.Errorf("ended with %v", err)
	}
	if mark, err := openBookmark(file); err != nil || mark.At["A"] != at(8) {
		t.Errorf("the file holds %v, %v; want what was read", mark, err)
	}
	_ = read.Close()
}

func TestTheProcessEndsQuietlyWhenNobodyReadsOrItIsInterrupted(t *testing.T) {
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for name, end := range map[string]func(*feedServer, *exec.Cmd, io.Closer){
		"broken pipe": func(s *feedServer, _ *exec.Cmd, out io.Closer) { _ = out.Close(); s.push(login("A", 9, "huge")) },
		"interrupt":   func(_ *feedServer, cmd *exec.Cmd, _ io.Closer) { _ = cmd.Process.Signal(os.Interrupt) },
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "positions.json")
			s := startFeed(t, recovered(heads{"A": at(7)}, login("A", 8, "tiny")))
			cmd := exec.Command(exe, "watch", "--json", "--since", file)
			cmd.Env = append(os.Environ(), asProgram+"=1", "ROLLCALL_SERVER="+s.http.URL, "ROLLCALL_ADMIN_PASSWORD="+secretPassword)
			out, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			var stderr strings.Builder
			cmd.Stderr = &stderr
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			defer func() { _ = cmd.Process.Kill() }()
			if _, err := out.Read(make([]byte, 1000)); err != nil {
				t.Fatal(err)
			}
			for { // the line is out before Subscribe has returned
				if _, err := os.Stat(file); err == nil {
					break
				}
				time.Sleep(time.Millisecond)
			}
			end(s, cmd, out)
			if err := cmd.Wait(); err != nil || stderr.String() != "" {
				t.Errorf("ended with %v and %q", err, &stderr)
			}
			if mark, err := openBookmark(file); err != nil || mark.At["A"] != at(8) {
				t.Errorf("the file holds %v, %v", mark, err)
			}
		})
	}
}
