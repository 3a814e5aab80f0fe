package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"rollcall/protocol/client"
)

func TestAnOutageIsToldInOneLineOfATerminal(t *testing.T) {
	outage := []client.State{
		{Phase: client.Connecting}, {Phase: client.Connected},
		{Phase: client.Waiting, Attempt: 1, RetryIn: 400 * time.Millisecond, Err: errors.New("connection lost: reset\x1b[2J")},
		{Phase: client.Connecting, Attempt: 1},
		{Phase: client.Waiting, Attempt: 2, RetryIn: 12 * time.Second, Err: errors.New("refused")},
		{Phase: client.Connecting, Attempt: 2}, {Phase: client.Connected},
	}
	for terminal, want := range map[bool]string{
		true: "\r\x1b[K\"-- connection lost, attempt 1 in 0.4 s: reset\\x1b[2J\"" +
			"\r\x1b[K-- connection lost, attempt 1" +
			"\r\x1b[K-- connection lost, attempt 2 in 12 s: refused" +
			"\r\x1b[K-- connection lost, attempt 2" +
			"\r\x1b[K-- connected again, the feed is yet to come" +
			"\r\x1b[K",
		false: "-- connection lost, trying again: \"reset\\x1b[2J\"\n",
	} {
		var b bytes.Buffer
		s := statusLine{w: &b, terminal: terminal}
		for _, st := range outage {
			s.state(st)
		}
		s.resumed()
		s.wipe()
		if b.String() != want {
			t.Errorf("terminal %v: %q\nwant %q", terminal, b.String(), want)
		}
	}
}

func TestTheStatusLineFitsIntoTheTerminal(t *testing.T) {
	var b bytes.Buffer
	s := statusLine{w: &b, terminal: true}
	s.show(fmt.Sprintf("%200s", "x"))
	if got := textWidth(b.String()[len("\r\x1b[K"):]); got != 79 {
		t.Errorf("it is %d wide", got)
	}
}

func TestTheMarkerSaysWhetherAnythingWasMissed(t *testing.T) {
	for want, tt := range map[string]struct {
		away time.Duration
		r    client.Resumed
	}{
		"-- away 40 s, nothing missed":  {40*time.Second + 999*time.Millisecond, client.Resumed{Recovered: true}},
		"-- away 0.3 s, nothing missed": {300 * time.Millisecond, client.Resumed{Recovered: true}},
		"-- away 1 min 30 s, history no longer reaches back: 1 scope lost: Space Race":                {90 * time.Second, client.Resumed{Lost: []string{"Space Race"}}},
		"-- away 3 h 2 min, history no longer reaches back: 7 scopes lost: A, B, C, D, E, and 2 more": {182 * time.Minute, client.Resumed{Lost: []string{"A", "B", "C", "D", "E", "F", "G"}}},
		"-- away 2 days 1 h, history no longer reaches back":                                          {49 * time.Hour, client.Resumed{}},
		`-- the server lost events of 2 scopes: A, "\x1b[2J"`:                                         {0, client.Resumed{Lost: []string{"A", "\x1b[2J"}}},
	} {
		if got := awayText(tt.r, tt.away); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestAWatchColoursWhenToldTo(t *testing.T) {
	s := startFeed(t, recovered(nil, login("A", 1, "tiny")))
	w := s.watch("--color", "always", "--scope", "A")
	w.out.wait(t, "\x1b[32muser.login\x1b[0m         tiny")
}

func TestPositionsAreSavedWhileTheyMove(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "positions.json")
		b, err := openBookmark(path)
		if err != nil || b.At != nil {
			t.Fatalf("without a file: %v, %v", b.At, err)
		}
		save := func(at heads) time.Time {
			t.Helper()
			if err := b.save(at); err != nil {
				t.Fatal(err)
			}
			read, err := openBookmark(path)
			if err != nil {
				t.Fatal(err)
			}
			return read.SavedAt.Time
		}
		first := save(heads{"A": at(1)})
		time.Sleep(time.Second)
		if again := save(heads{"A": at(1)}); !again.Equal(first) {
			t.Error("written though nothing moved")
		}
		if moved := save(heads{"A": at(2)}); !moved.Equal(first.Add(time.Second)) {
			t.Errorf("saved at %v", moved)
		}
		info, err := os.Stat(path)
		if err != nil || info.Mode() != 0o600 {
			t.Errorf("mode %v, %v", info.Mode(), err)
		}
		text, _ := os.ReadFile(path)
		want := `{
  "saved_at": "2000-01-01T00:00:01.000Z",
  "positions": {
    "A": {
      "seq": 2,
      "epoch": "e1",
      "event_id": "id-2"
    }
  }
}
`
		if string(text) != want {
			t.Errorf("the file is\n%s", text)
		}
	})
}
