package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// openTerminal returns both ends of a pseudo-terminal.
func openTerminal(t *testing.T) (screen, program *os.File) {
	t.Helper()
	screen, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = screen.Close() })
	if err := unix.IoctlSetPointerInt(int(screen.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(screen.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	program, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = program.Close() })
	return screen, program
}

func TestColoursAreForTerminals(t *testing.T) {
	_, terminal := openTerminal(t)
	for _, tt := range []struct {
		flag string
		env  func(string) (string, bool)
		want painter // on a terminal
		pipe painter // and elsewhere
	}{
		{"auto", environ(), true, false},
		{"auto", environ("TERM", "xterm", "NO_COLOR", ""), true, false},
		{"auto", environ("NO_COLOR", "1"), false, false},
		{"auto", environ("TERM", "dumb"), false, false},
		{"always", environ("NO_COLOR", "1", "TERM", "dumb"), true, true},
		{"never", environ(), false, false},
	} {
		f, p := colorFlag{tt.flag}, Program{Env: tt.env}
		if got := f.painter(p, terminal); got != tt.want {
			t.Errorf("%+v: %v on a terminal", tt, got)
		}
		if got := f.painter(p, new(bytes.Buffer)); got != tt.pipe {
			t.Errorf("%+v: %v elsewhere", tt, got)
		}
	}
}

func TestAWatchOnATerminalHasColoursABacklogAndAStatusLine(t *testing.T) {
	s := startFeed(t, recovered(heads{"A": at(7)}, login("A", 8, "tiny")), recovered(heads{"A": at(9)}, login("A", 9, "huge")))
	screen, terminal := openTerminal(t)
	p := s.program("--scope", "A")
	p.Stdout, p.Stderr = terminal, terminal
	ctx, interrupt := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- p.Run(ctx) }()
	var shown strings.Builder
	lines := bufio.NewReader(screen)
	until := func(text string) {
		for !strings.Contains(shown.String(), text) {
			line, err := lines.ReadString('\n')
			if shown.WriteString(line); err != nil {
				t.Fatalf("%v, after %q", err, &shown)
			}
		}
	}
	until("tiny")
	s.drop()
	until("huge")
	interrupt()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	for _, want := range []string{
		"\x1b[32muser.login\x1b[0m         tiny", "\r\x1b[K\x1b[2m-- connection lost, attempt 1 in 0.", "\r\x1b[K\x1b[2m-- away 0.",
	} {
		if !strings.Contains(shown.String(), want) {
			t.Errorf("no %q in %q", want, &shown)
		}
	}
	if asked := s.subscribed(); asked[0].Last != lastOnTerminal || asked[1].Last != 0 {
		t.Errorf("asked for %+v", asked)
	}
}

func TestALoadTestOnATerminalIsShownInABlockThatGoesAway(t *testing.T) {
	r := start(t, admin)
	screen, terminal := openTerminal(t)
	if err := unix.IoctlSetWinsize(int(terminal.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 40, Col: 100}); err != nil {
		t.Fatal(err)
	}
	shown := make(chan string, 1)
	go func() { // until the end mark
		lines := bufio.NewReader(screen)
		var all strings.Builder
		for !strings.Contains(all.String(), "all is said") {
			line, err := lines.ReadString('\n')
			if all.WriteString(line); err != nil {
				break
			}
		}
		shown <- all.String()
	}()
	p := loadArgs(r)
	p.Stderr = terminal
	if err := p.Run(t.Context()); err != nil {
		t.Error(err)
	}
	fmt.Fprintln(terminal, "all is said")
	got := <-shown
	for _, want := range []string{"measuring [", "users.get", "\x1b[J"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in %q", want, got)
		}
	}
	if !strings.HasSuffix(got, "A\r\x1b[Jall is said\r\n") {
		t.Errorf("at the end %q", got[max(0, len(got)-200):])
	}
}
