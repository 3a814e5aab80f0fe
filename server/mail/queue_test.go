package mail

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emersion/go-smtp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// senderFunc is a Sender of one function.
type senderFunc func(ctx context.Context, m Message) error

func (f senderFunc) Send(ctx context.Context, m Message) error { return f(ctx, m) }

var (
	errGreylisted = &sendError{server: "test", op: "recipient", code: 451, temporary: true}
	errRefused    = &sendError{server: "test", op: "recipient", code: 550}
)

// outcomes counts the calls of an outcome and keeps the last.
type outcomes struct {
	calls atomic.Int32
	err   atomic.Pointer[error]
}

func (o *outcomes) report(err error) {
	o.calls.Add(1)
	o.err.Store(&err)
}

func (o *outcomes) check(t *testing.T, want error) {
	t.Helper()
	if n := o.calls.Load(); n != 1 {
		t.Fatalf("outcome was called %d times, want once", n)
	}
	if got := *o.err.Load(); !errors.Is(got, want) || (want == nil) != (got == nil) {
		t.Errorf("outcome %v, want %v", got, want)
	}
}

func submit(t *testing.T, q *Queue, o *outcomes) <-chan error {
	t.Helper()
	first, err := q.Submit(testMessage, o.report)
	if err != nil {
		t.Fatal(err)
	}
	return first
}

func TestTheQueueRetriesWhatIsTemporary(t *testing.T) {
	for _, tt := range []struct {
		name     string
		fails    int // attempts that fail
		err      error
		attempts int // that are made
		first    error
		outcome  error
	}{
		{"accepted", 0, nil, 1, nil, nil},
		{"refused", 9, errRefused, 1, errRefused, errRefused},
		{"malformed", 9, ErrMessage, 1, ErrMessage, ErrMessage},
		{"greylisted twice", 2, errGreylisted, 3, errGreylisted, nil},
		{"greylisted for good", 9, errGreylisted, 5, errGreylisted, errGreylisted},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				attempts, ids := 0, map[string]bool{}
				q := NewQueue(senderFunc(func(_ context.Context, m Message) error {
					attempts++
					ids[m.ID] = true
					if attempts <= tt.fails {
						return tt.err
					}
					return nil
				}), QueueOptions{Workers: 1})
				var o outcomes
				first := submit(t, q, &o)
				if err := <-first; !errors.Is(err, tt.first) {
					t.Errorf("first attempt: %v, want %v", err, tt.first)
				}
				time.Sleep(time.Hour)
				synctest.Wait()
				o.check(t, tt.outcome)
				if attempts != tt.attempts || len(ids) != 1 {
					t.Errorf("%d attempts with %d ids, want %d with one", attempts, len(ids), tt.attempts)
				}
				if q.Pending() != 0 {
					t.Errorf("%d pending", q.Pending())
				}
				if err := q.Close(t.Context()); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

func TestBackoffTakesAboutHalfAnHour(t *testing.T) {
	for range 100 {
		var all time.Duration
		for attempt := 1; attempt < 5; attempt++ {
			base := []time.Duration{45 * time.Second, 135 * time.Second, 405 * time.Second, 1215 * time.Second}[attempt-1]
			pause := Backoff(attempt)
			if pause < base*3/4 || pause > base*5/4 {
				t.Fatalf("after attempt %d: %v, want %v give or take a quarter", attempt, pause, base)
			}
			all += pause
		}
		if all < 22*time.Minute || all > 38*time.Minute {
			t.Errorf("in all %v", all)
		}
	}
	if d := Backoff(1000); d > 12*time.Hour {
		t.Errorf("a late pause is %v", d)
	}
}

func TestAHangingSenderNeverBlocksSubmitAndIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := NewQueue(senderFunc(func(ctx context.Context, _ Message) error {
			<-ctx.Done()
			return ctx.Err()
		}), QueueOptions{Size: 3, Workers: 1, Attempts: 1})
		start := time.Now()
		var all [3]outcomes
		var firsts [3]<-chan error
		for i := range all {
			firsts[i] = submit(t, q, &all[i])
		}
		if _, err := q.Submit(testMessage, nil); err != ErrQueueFull || !Temporary(err) {
			t.Errorf("got %v, want ErrQueueFull", err)
		}
		if took := time.Since(start); took != 0 {
			t.Errorf("Submit took %v", took)
		}
		for i := range all {
			if err := <-firsts[i]; !errors.Is(err, context.DeadlineExceeded) {
				t.Error(err)
			}
			if want, got := time.Duration(i+1)*SendTimeout, time.Since(start); got != want {
				t.Errorf("mail %d ended after %v, want %v", i, got, want)
			}
			all[i].check(t, context.DeadlineExceeded)
		}
		if err := q.Close(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func TestMailsThatWaitForARetryCountAndHoldNoWorker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var grey atomic.Bool
		grey.Store(true)
		q := NewQueue(senderFunc(func(context.Context, Message) error {
			if grey.Load() {
				return errGreylisted
			}
			return nil
		}), QueueOptions{Size: 2, Workers: 1, Backoff: func(int) time.Duration { return time.Minute }})
		var waiting, other, third outcomes
		<-submit(t, q, &waiting)
		synctest.Wait()
		grey.Store(false)
		if err := <-submit(t, q, &other); err != nil {
			t.Error(err)
		}
		other.check(t, nil)
		synctest.Wait()
		if q.Pending() != 1 {
			t.Errorf("%d pending, want the one that waits", q.Pending())
		}
		grey.Store(true)
		<-submit(t, q, &third)
		if _, err := q.Submit(testMessage, nil); err != ErrQueueFull {
			t.Errorf("got %v, want ErrQueueFull", err)
		}
		grey.Store(false)
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		waiting.check(t, nil)
		third.check(t, nil)
		if err := q.Close(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func TestTheOutcomeIsWrittenBeforeTheWaiterIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := NewQueue(senderFunc(func(context.Context, Message) error { return errRefused }), QueueOptions{})
		var written atomic.Bool
		first, err := q.Submit(testMessage, func(error) {
			time.Sleep(time.Second)
			written.Store(true)
		})
		if err != nil {
			t.Fatal(err)
		}
		<-first
		if !written.Load() {
			t.Error("the waiter was told first")
		}
		if err := q.Close(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func TestCloseDrainsAndTriesOnceMoreWhatWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		attempts := 0
		q := NewQueue(senderFunc(func(context.Context, Message) error {
			if attempts++; attempts == 1 {
				return errGreylisted
			}
			time.Sleep(time.Second)
			return nil
		}), QueueOptions{Workers: 1})
		var a, b outcomes
		<-submit(t, q, &a)
		synctest.Wait()
		submit(t, q, &b)
		start := time.Now()
		if err := q.Close(t.Context()); err != nil {
			t.Error(err)
		}
		if took := time.Since(start); took != 2*time.Second {
			t.Errorf("took %v, want two sends", took)
		}
		a.check(t, nil)
		b.check(t, nil)
		if _, err := q.Submit(testMessage, a.report); err != ErrClosed {
			t.Errorf("got %v, want ErrClosed", err)
		}
		if err := q.Close(t.Context()); err != nil {
			t.Errorf("a second Close: %v", err)
		}
		a.check(t, nil)
	})
}

func TestCloseBreaksOffWhenItsContextEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		attempts := 0
		q := NewQueue(senderFunc(func(ctx context.Context, _ Message) error {
			if attempts++; attempts == 1 {
				return errGreylisted
			}
			<-ctx.Done()
			return ctx.Err()
		}), QueueOptions{Workers: 1})
		var waiting, running, queued outcomes
		<-submit(t, q, &waiting)
		synctest.Wait()
		firstRunning := submit(t, q, &running)
		synctest.Wait()
		firstQueued := submit(t, q, &queued)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		if err := q.Close(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		if took := time.Since(start); took != time.Second {
			t.Errorf("took %v, want 1s", took)
		}
		for _, o := range []*outcomes{&waiting, &running, &queued} {
			o.check(t, ErrClosed)
		}
		for _, first := range []<-chan error{firstRunning, firstQueued} {
			if err := <-first; !errors.Is(err, ErrClosed) {
				t.Errorf("first: %v, want ErrClosed", err)
			}
		}
	})
}

func TestASenderThatIgnoresItsContextDoesNotHoldUpClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		q := NewQueue(senderFunc(func(context.Context, Message) error {
			<-release
			return nil
		}), QueueOptions{Workers: 1})
		var o outcomes
		submit(t, q, &o)
		synctest.Wait()
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		start := time.Now()
		if err := q.Close(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("took %v", took)
		}
		close(release)
		synctest.Wait()
		o.check(t, nil)
	})
}

// TestAMailGoesThroughAGreylistingServer runs the whole way: template, queue,
// SMTP, and the mail as it arrived.
func TestAMailGoesThroughAGreylistingServer(t *testing.T) {
	ca := newCA(t)
	server := startServer(t, ca.server(t, "localhost"), false, "PLAIN")
	server.rcpt = func(attempt int) error {
		if attempt < 3 {
			return &smtp.SMTPError{Code: 451, EnhancedCode: smtp.EnhancedCode{4, 7, 1}, Message: "greylisted"}
		}
		return nil
	}
	sender := newSender(t, fmt.Sprintf("smtp://%s@localhost:%s", credentials(), server.port), WithRootCAs(ca.pool))
	q := NewQueue(sender, QueueOptions{Backoff: func(int) time.Duration { return time.Millisecond }})
	templates, err := Load("")
	if err != nil {
		t.Fatal(err)
	}
	const link = "https://game.example/confirm?code=q-_0123456789abcdefghijklmnopqrstuvwxyzABCDE="
	r, err := templates.Render(Registration, "", Data{ConfirmLink: link, Username: "Zoë <b>太郎</b>", Scope: "Space Race"})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	first, err := q.Submit(Message{From: "no-reply@game.example", To: "tina@home.example", Subject: r.Subject, Text: r.Text, HTML: r.HTML},
		func(err error) { done <- err })
	if err != nil {
		t.Fatal(err)
	}
	if err := <-first; err == nil || !Temporary(err) {
		t.Errorf("first attempt: %v, want temporary", err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if err := q.Close(t.Context()); err != nil {
		t.Error(err)
	}
	mails := server.mails()
	if len(mails) != 1 {
		t.Fatalf("%d mails arrived, want 1", len(mails))
	}
	p := parseMail(t, mails[0].data)
	if p.subject != "Confirm your registration for Space Race" {
		t.Errorf("subject %q", p.subject)
	}
	if !strings.Contains(p.text, "\n"+link+"\n") || !strings.Contains(p.text, "Zoë <b>太郎</b>") {
		t.Errorf("text %q", p.text)
	}
	if !strings.Contains(p.html, `<a href="`+link+`">`+link+`</a>`) || !strings.Contains(p.html, "Zoë &lt;b&gt;太郎&lt;/b&gt;") {
		t.Errorf("html %q", p.html)
	}
}

func TestTemporary(t *testing.T) {
	for _, tt := range []struct {
		err  error
		want bool
	}{
		{nil, false}, {errors.New("x"), false}, {ErrMessage, false}, {ErrTemplate, false}, {errRefused, false},
		{errGreylisted, true}, {ErrQueueFull, true}, {ErrClosed, true},
		{&os.PathError{Op: "open", Err: syscall.ENOSPC}, false}, {&net.DNSError{}, true}, {&net.OpError{Err: syscall.ECONNREFUSED}, true},
		{context.DeadlineExceeded, true}, {fmt.Errorf("send: %w", errGreylisted), true},
		{fmt.Errorf("send: %w", errRefused), false},
	} {
		if got := Temporary(tt.err); got != tt.want {
			t.Errorf("%v: %v, want %v", tt.err, got, tt.want)
		}
	}
}
