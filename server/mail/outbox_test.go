package mail

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestTheOutboxKeepsMailsAsFilesThatSortByTime(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "outbox")
	var log bytes.Buffer
	o, err := NewOutbox(dir, slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	m := testMessage
	m.Subject, m.Text = "Grüße", "Grüße\n\nhttps://game.example/confirm?code=abc_DEF-123\n"
	for i := range 20 {
		m.ID = "id-" + strings.Repeat("i", i+1)
		if err := o.Send(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	entries, err := os.ReadDir(dir) // sorted by name
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != 20 {
		t.Fatalf("%d files, want 20", len(entries))
	}
	for i, e := range entries {
		stamp, _, _ := strings.Cut(e.Name(), "-")
		when, err := time.Parse("20060102T150405.000000000Z", stamp)
		if err != nil || time.Since(when).Abs() > time.Minute || !strings.HasSuffix(e.Name(), ".eml") {
			t.Errorf("name %s: %v", e.Name(), err)
		}
		if info, _ := e.Info(); info.Mode() != 0o600 {
			t.Errorf("%s has mode %v", e.Name(), info.Mode())
		}
		data, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		p := parseMail(t, data)
		if want := "<id-" + strings.Repeat("i", i+1) + "@game.example>"; p.header.Get("Message-ID") != want {
			t.Errorf("file %d is mail %s, want %s", i, p.header.Get("Message-ID"), want)
		}
		if p.text != m.Text || p.subject != m.Subject || !bytes.Contains(data, []byte("https://game.example/confirm?code=abc_DEF-123\r\n")) {
			t.Errorf("the file reads %q", data)
		}
		if !strings.Contains(log.String(), e.Name()) {
			t.Errorf("%s is not in the log", e.Name())
		}
	}
	if info, _ := os.Stat(dir); info.Mode().Perm() != 0o700 {
		t.Errorf("the folder has mode %v", info.Mode())
	}
	if shown := log.String(); strings.Contains(shown, "code=") || strings.Contains(shown, "tina") || strings.Contains(shown, "Grü") {
		t.Errorf("the log shows the mail: %s", shown)
	}
}

func TestOutboxNamesRiseUnderConcurrencyAndWhenTheClockStepsBack(t *testing.T) {
	o := &Outbox{last: time.Now().Add(time.Hour)}
	first := o.name()
	if second := o.name(); second <= first {
		t.Errorf("%s after %s", second, first)
	}
	var mu sync.Mutex
	var names []string
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 50 {
				n := o.name()
				mu.Lock()
				names = append(names, n[:len("20060102T150405.000000000Z")])
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	slices.Sort(names)
	if len(slices.Compact(names)) != 400 {
		t.Error("two mails have one time")
	}
}

func TestTheOutboxLeavesNothingHalfWritten(t *testing.T) {
	dir := t.TempDir()
	o, err := NewOutbox(dir, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	bad := testMessage
	bad.To = "nobody"
	if err := o.Send(t.Context(), bad); !errors.Is(err, ErrMessage) {
		t.Error(err)
	}
	// The rename fails: a folder is in the way.
	taken := filepath.Join(dir, "taken.eml")
	if err := os.MkdirAll(filepath.Join(taken, "x"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := writeFile(dir, taken, []byte("x")); err == nil || Temporary(err) {
		t.Errorf("got %v, want a permanent error", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := o.Send(ctx, testMessage); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 1 {
		t.Errorf("left behind: %v", entries)
	}
	if _, err := NewOutbox("", slog.New(slog.DiscardHandler)); err == nil {
		t.Error("no folder is taken")
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := NewOutbox(file, slog.New(slog.DiscardHandler)); err == nil {
		t.Error("a file is taken for a folder")
	}
}
