package server_test

import (
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/emersion/go-smtp"

	"rollcall/server"
)

const theSender = "Rollcall <no-reply@rollcall.example>"

// A postOffice is a real SMTP server on loopback, whose answers a test may choose.
type postOffice struct {
	t   *testing.T
	url string

	mu       sync.Mutex
	answer   func(rcpt string, attempt int) error // to RCPT, nil takes all; guarded by mu
	attempts int                                  // guarded by mu
	received []letter                             // guarded by mu
	broken   []error                              // of mails that could not be read; guarded by mu
}

// startPostOffice runs one until the test ends.
func startPostOffice(t *testing.T) *postOffice {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	po := &postOffice{t: t, url: "smtp://" + l.Addr().String()}
	srv := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) { return &postSession{po: po}, nil }))
	srv.Domain = "localhost"
	srv.ErrorLog = noLog{}
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = srv.Serve(l)
	}()
	t.Cleanup(func() {
		srv.Close()
		<-served
		po.mu.Lock()
		defer po.mu.Unlock()
		for _, err := range po.broken {
			t.Errorf("a mail that a mail program could not read: %v", err)
		}
	})
	return po
}

type noLog struct{}

func (noLog) Printf(string, ...any) {}
func (noLog) Println(...any)        {}

// configure makes a server send its mail here.
func (po *postOffice) configure(c *server.Config) { c.SMTP, c.MailFrom = po.url, theSender }

// answers says how recipients are answered from now on.
func (po *postOffice) answers(f func(rcpt string, attempt int) error) {
	po.mu.Lock()
	defer po.mu.Unlock()
	po.answer = f
}

// refuse is a recipient that the mail server does not know.
func refuse(string, int) error {
	return &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "no such mailbox"}
}

// greylist refuses the first attempt for now.
func greylist(_ string, attempt int) error {
	if attempt > 1 {
		return nil
	}
	return &smtp.SMTPError{Code: 451, EnhancedCode: smtp.EnhancedCode{4, 7, 1}, Message: "greylisted, come again"}
}

// hang makes recipients wait for an answer until the returned function is called.
func (po *postOffice) hang() (release func()) {
	gate := make(chan struct{})
	release = sync.OnceFunc(func() { close(gate) })
	po.t.Cleanup(release)
	po.answers(func(string, int) error { <-gate; return nil })
	return release
}

func (po *postOffice) letters() []letter {
	po.mu.Lock()
	defer po.mu.Unlock()
	return append([]letter(nil), po.received...)
}

func (po *postOffice) tried() int {
	po.mu.Lock()
	defer po.mu.Unlock()
	return po.attempts
}

// wait returns the mails once there are n of them.
func (po *postOffice) wait(n int) []letter {
	po.t.Helper()
	await(po.t, fmt.Sprintf("%d mails have arrived", n), func() bool { return len(po.letters()) >= n })
	all := po.letters()
	if len(all) > n {
		po.t.Fatalf("%d mails have arrived, want %d", len(all), n)
	}
	return all
}

// last waits for the n-th mail and returns it.
func (po *postOffice) last(n int) letter {
	po.t.Helper()
	return po.wait(n)[n-1]
}

type postSession struct {
	po   *postOffice
	from string
	to   []string
}

func (s *postSession) Reset()        { s.from, s.to = "", nil }
func (s *postSession) Logout() error { return nil }

func (s *postSession) Mail(from string, _ *smtp.MailOptions) error {
	s.from = from
	return nil
}

func (s *postSession) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.po.mu.Lock()
	s.po.attempts++
	attempt, answer := s.po.attempts, s.po.answer
	s.po.mu.Unlock()
	s.to = append(s.to, to)
	if answer != nil {
		return answer(to, attempt)
	}
	return nil
}

func (s *postSession) Data(r io.Reader) error {
	raw, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	l, err := readLetter(raw)
	l.from, l.to = s.from, s.to
	s.po.mu.Lock()
	defer s.po.mu.Unlock()
	if err != nil {
		s.po.broken = append(s.po.broken, fmt.Errorf("%w:\n%s", err, raw))
	}
	s.po.received = append(s.po.received, l)
	return nil
}

// outbox makes a server keep its mail in a folder, and returns the folder.
func outbox(t *testing.T) (dir string, configure func(*server.Config)) {
	dir = filepath.Join(t.TempDir(), "mail")
	return dir, func(c *server.Config) { c.Outbox = dir }
}

// outboxLetters reads the mails of an outbox, in the order of their names, and
// the names with them.
func outboxLetters(t *testing.T, dir string) (letters []letter, names []string) {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*.eml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		raw, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		l, err := readLetter(raw)
		if err != nil {
			t.Fatalf("%s: %v:\n%s", name, err, raw)
		}
		letters = append(letters, l)
	}
	return letters, names
}
