package mail

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-smtp"
)

var testMessage = Message{
	From:    "Space Race <no-reply@game.example>",
	To:      "tina@home.example",
	Subject: "Confirm your registration",
	Text:    "Hello,\n\nhttps://game.example/confirm?code=abc_DEF-123\n\n.\nBye.\n",
}

func newSender(t *testing.T, rawURL string, opts ...SMTPOption) *SMTP {
	t.Helper()
	s, err := NewSMTP(rawURL, opts...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func credentials() string { return url.UserPassword(testUser, testPassword).String() }

// noSecrets fails the test if an error shows what must not be seen.
func noSecrets(t *testing.T, err error) {
	t.Helper()
	for _, secret := range []string{testPassword, url.QueryEscape(testPassword), "p%40ss", "code=", "abc_DEF"} {
		if err != nil && strings.Contains(err.Error(), secret) {
			t.Errorf("the error shows %q: %v", secret, err)
		}
	}
}

func TestSMTPDeliversOverTLSWithALogin(t *testing.T) {
	ca := newCA(t)
	for _, tt := range []struct {
		name, url string
		implicit  bool
		mechanism string
	}{
		{"STARTTLS and PLAIN", "smtp://%s@localhost:%s", false, "PLAIN"},
		{"STARTTLS and LOGIN", "smtp://%s@localhost:%s", false, "LOGIN"},
		{"implicit TLS and PLAIN", "smtps://%s@localhost:%s", true, "PLAIN"},
		{"implicit TLS by option", "smtp://%s@localhost:%s?tls=implicit", true, "PLAIN"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			server := startServer(t, ca.server(t, "localhost"), tt.implicit, tt.mechanism)
			sender := newSender(t, fmt.Sprintf(tt.url, credentials(), server.port), WithRootCAs(ca.pool))
			if err := sender.Send(t.Context(), testMessage); err != nil {
				t.Fatal(err)
			}
			mails := server.mails()
			if len(mails) != 1 {
				t.Fatalf("%d mails arrived, want 1", len(mails))
			}
			got := mails[0]
			if !got.tls || got.login != tt.mechanism {
				t.Errorf("tls %v, login %q", got.tls, got.login)
			}
			if got.from != "no-reply@game.example" || got.to != testMessage.To {
				t.Errorf("envelope %q to %q", got.from, got.to)
			}
			if text := parseMail(t, got.data).text; text != testMessage.Text {
				t.Errorf("text %q, want %q", text, testMessage.Text)
			}
		})
	}
}

func TestSMTPToThisMachineNeedsNoTLSUntilAskedTo(t *testing.T) {
	server := startServer(t, nil, false)
	if err := newSender(t, "smtp://localhost:"+server.port).Send(t.Context(), testMessage); err != nil {
		t.Error(err)
	}
	err := newSender(t, "smtp://localhost:"+server.port+"?tls=starttls").Send(t.Context(), testMessage)
	if err == nil || Temporary(err) || !strings.Contains(err.Error(), "STARTTLS") {
		t.Errorf("without STARTTLS: %v, want a permanent refusal", err)
	}
	if n := len(server.mails()); n != 1 {
		t.Errorf("%d mails arrived, want 1", n)
	}
}

func TestSMTPRefusesACertificateThatDoesNotHold(t *testing.T) {
	ca, other := newCA(t), newCA(t)
	for _, tt := range []struct {
		name     string
		implicit bool
		host     string
		signer   *testCA
	}{
		{"STARTTLS, foreign CA", false, "localhost", other},
		{"STARTTLS, other host", false, "elsewhere.example", ca},
		{"implicit, foreign CA", true, "localhost", other},
		{"implicit, other host", true, "elsewhere.example", ca},
	} {
		t.Run(tt.name, func(t *testing.T) {
			server := startServer(t, tt.signer.server(t, tt.host), tt.implicit, "PLAIN")
			scheme := map[bool]string{false: "smtp", true: "smtps"}[tt.implicit]
			sender := newSender(t, fmt.Sprintf("%s://%s@localhost:%s", scheme, credentials(), server.port), WithRootCAs(ca.pool))
			err := sender.Send(t.Context(), testMessage)
			if err == nil || Temporary(err) || !strings.Contains(err.Error(), "certificate") {
				t.Errorf("got %v, want a permanent certificate error", err)
			}
			noSecrets(t, err)
			if n := len(server.mails()); n != 0 {
				t.Errorf("%d mails arrived", n)
			}
		})
	}
}

func TestSMTPKeepsThePasswordFromAServerWithoutTLS(t *testing.T) {
	server := startServer(t, nil, false, "PLAIN")
	sender := newSender(t, fmt.Sprintf("smtp://%s@localhost:%s", credentials(), server.port))
	err := sender.Send(t.Context(), testMessage)
	if err == nil || Temporary(err) {
		t.Errorf("got %v, want a permanent refusal", err)
	}
	if n := len(server.mails()); n != 0 {
		t.Errorf("%d mails arrived", n)
	}
	// And the last line of defence, had the modes let it through.
	sender.tls = tlsNone
	err = sender.Send(t.Context(), testMessage)
	if err == nil || !strings.Contains(err.Error(), errAuthNeedsTLS.Error()) {
		t.Errorf("got %v, want %v", err, errAuthNeedsTLS)
	}
}

func TestAFailedLoginIsPermanentAndShowsNoPassword(t *testing.T) {
	ca := newCA(t)
	for _, mechanism := range []string{"PLAIN", "LOGIN"} {
		server := startServer(t, ca.server(t, "localhost"), false, mechanism)
		wrong := url.UserPassword(testUser, testPassword+"x").String()
		err := newSender(t, fmt.Sprintf("smtp://%s@localhost:%s", wrong, server.port), WithRootCAs(ca.pool)).Send(t.Context(), testMessage)
		if err == nil || Temporary(err) || !strings.Contains(err.Error(), "login: 535") {
			t.Errorf("%s: %v, want a permanent 535", mechanism, err)
		}
		noSecrets(t, err)
	}
	server := startServer(t, ca.server(t, "localhost"), false, "XOAUTH2")
	err := newSender(t, fmt.Sprintf("smtp://%s@localhost:%s", credentials(), server.port), WithRootCAs(ca.pool)).Send(t.Context(), testMessage)
	if err == nil || Temporary(err) || !strings.Contains(err.Error(), "neither PLAIN nor LOGIN") {
		t.Errorf("no mechanism in common: %v", err)
	}
}

func TestRepliesOfTheServerArePermanentOrTemporary(t *testing.T) {
	for _, tt := range []struct {
		code      int
		text      string
		temporary bool
	}{
		{550, "no such user", false},
		{554, "spam: https://game.example/confirm?code=abc_DEF-123", false},
		{451, "greylisted, come back", true},
		{421, "too busy", true},
	} {
		server := startServer(t, nil, false)
		server.rcpt = func(int) error { return &smtp.SMTPError{Code: tt.code, Message: tt.text} }
		err := newSender(t, "smtp://localhost:"+server.port).Send(t.Context(), testMessage)
		if err == nil || Temporary(err) != tt.temporary {
			t.Errorf("%d: %v, temporary %v", tt.code, err, Temporary(err))
			continue
		}
		noSecrets(t, err)
		if !strings.Contains(err.Error(), fmt.Sprintf("recipient: %d", tt.code)) {
			t.Errorf("%d: %v does not name the step and the code", tt.code, err)
		}
	}
}

func TestAServerThatHangsIsBounded(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0") // takes connections and says nothing
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	sender := newSender(t, "smtp://"+l.Addr().String(), WithSendTimeout(50*time.Millisecond))
	err = sender.Send(t.Context(), testMessage)
	if !errors.Is(err, context.DeadlineExceeded) || !Temporary(err) {
		t.Errorf("got %v, want a temporary deadline", err)
	}

	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(20*time.Millisecond, cancel)
	if err := newSender(t, "smtp://"+l.Addr().String()).Send(ctx, testMessage); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want canceled", err)
	}
}

func TestAServerThatIsNotThereOrHangsUpIsTemporary(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			conn.Close()
		}
	}()
	sender := newSender(t, "smtp://"+l.Addr().String())
	if err := sender.Send(t.Context(), testMessage); err == nil || !Temporary(err) {
		t.Errorf("hung up: %v, want temporary", err)
	}
	l.Close()
	if err := sender.Send(t.Context(), testMessage); err == nil || !Temporary(err) {
		t.Errorf("not there: %v, want temporary", err)
	}
}

func TestAnAddressBeyondASCIINeedsSMTPUTF8(t *testing.T) {
	m := testMessage
	m.To = "jörg@home.example"
	server := startServer(t, nil, false)
	err := newSender(t, "smtp://localhost:"+server.port).Send(t.Context(), m)
	if err == nil || Temporary(err) || !strings.Contains(err.Error(), "SMTPUTF8") && !strings.Contains(err.Error(), "addresses") {
		t.Errorf("got %v, want a permanent refusal", err)
	}
}

func TestSMTPURLs(t *testing.T) {
	for _, tt := range []struct {
		url  string
		want string // String, or what the error has after "! "
	}{
		{"smtp://mail.example", "smtp://mail.example:587?tls=starttls"},
		{"smtps://mail.example", "smtps://mail.example:465"},
		{"smtp://u:secret@mail.example:2525", "smtp://u:xxxxx@mail.example:2525?tls=starttls"},
		{"smtp://mail.example:25?tls=none", "smtp://mail.example:25?tls=none"},
		{"smtp://localhost:25", "smtp://localhost:25?tls=none"},
		{"smtp://[::1]:25", "smtp://[::1]:25?tls=none"},
		{"smtp://u:secret@127.0.0.1:25", "smtp://u:xxxxx@127.0.0.1:25?tls=starttls"},
		{"smtp://localhost:25?tls=starttls&helo=game.example", "smtp://localhost:25?tls=starttls"},
		{"", "! smtp://"},
		{"http://mail.example", "! smtp://"},
		{"smtp://", "! no host"},
		{"smtp://:587", "! no host"},
		{"smtp://mail.example:0", "! port"},
		{"smtp://mail.example:99999", "! port"},
		{"smtp://mail.example/inbox", "! must end"},
		{"smtp://u@mail.example", "! go together"},
		{"smtp://:secret@mail.example", "! go together"},
		{"smtp://u:secret%0d%0a@mail.example", "! control"},
		{"smtp://u:secret@mail.example?tls=none", "! clear"},
		{"smtp://u:secret@mail.example?tls=maybe", "! tls must be"},
		{"smtps://mail.example?tls=none", "! implicit"},
		{"smtp://mail.example?helo=a%0d%0ab", "! helo"},
		{"smtp://mail.example?verify=no", "! unknown option"},
		{"smtp://u:sec ret%zz@mail.example", "! cannot be parsed"},
		{"smtp://u:secret@mail.example:port", "! cannot be parsed"},
	} {
		s, err := NewSMTP(tt.url)
		if part, bad := strings.CutPrefix(tt.want, "! "); bad {
			if err == nil || !strings.Contains(err.Error(), part) || strings.Contains(err.Error(), "sec") {
				t.Errorf("%q: %v, want an error with %q and no password", tt.url, err, part)
			}
			continue
		}
		if err != nil {
			t.Errorf("%q: %v", tt.url, err)
			continue
		}
		if s.String() != tt.want {
			t.Errorf("%q: %s, want %s", tt.url, s, tt.want)
		}
		if shown := fmt.Sprintf("%v %+v %#v %s %s", s, s, s, s, s.LogValue()); strings.Contains(shown, "secret") {
			t.Errorf("%q shows its password: %s", tt.url, shown)
		}
	}
}
