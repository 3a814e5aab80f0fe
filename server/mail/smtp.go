package mail

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/wneessen/go-mail/smtp"
)

// SendTimeout is how long one attempt at a mail may take, from dialling to the
// server's last word.
const SendTimeout = 30 * time.Second

// SMTP sends mail through a mail server. It makes one connection a mail: the
// mails are few, and servers close idle connections. All methods may be called
// concurrently.
type SMTP struct {
	// static after NewSMTP
	host, addr     string
	user, password string // both empty: no login
	tls            tlsMode
	helo           string
	roots          *x509.CertPool // nil: the system's
	timeout        time.Duration
}

// An SMTPOption changes how mail is sent.
type SMTPOption func(*SMTP)

// WithRootCAs sets the certificate authorities that the mail server's
// certificate is held against, instead of the system's.
func WithRootCAs(pool *x509.CertPool) SMTPOption { return func(s *SMTP) { s.roots = pool } }

// WithSendTimeout sets how long one attempt may take; SendTimeout if not set.
func WithSendTimeout(d time.Duration) SMTPOption { return func(s *SMTP) { s.timeout = d } }

// NewSMTP returns a sender for the mail server that the URL names:
//
//	smtp://user:password@host:587    STARTTLS, and nothing is sent without it
//	smtps://user:password@host:465   TLS from the start
//	smtp://localhost:25              a mail server on this machine, without TLS
//
// The ports shown are taken where none is given. User and password go together
// or are left out; special characters are percent-encoded. A password is sent
// over TLS only, by AUTH PLAIN or LOGIN. Certificates are checked, always.
//
// Options stand in the query: tls=none allows plain text to another machine
// (never with a password), tls=starttls asks for it of this machine, helo=NAME
// is the name that the client goes by, the machine's own if not set.
//
// NewSMTP does not connect. Its errors, like all errors of SMTP, never hold the
// password.
func NewSMTP(rawURL string, opts ...SMTPOption) (*SMTP, error) {
	s := &SMTP{helo: heloName(), timeout: SendTimeout}
	if err := s.parseURL(rawURL); err != nil {
		return nil, fmt.Errorf("smtp URL: %w", err)
	}
	for _, opt := range opts {
		opt(s)
	}
	return s, nil
}

// String returns the URL with the password masked.
func (s *SMTP) String() string {
	u := url.URL{Scheme: "smtp", Host: s.addr}
	if s.tls == tlsImplicit {
		u.Scheme = "smtps"
	} else {
		u.RawQuery = "tls=" + string(s.tls)
	}
	if s.user != "" {
		u.User = url.UserPassword(s.user, "xxxxx")
	}
	return u.String()
}

// GoString is String, so that %#v masks the password too.
func (s *SMTP) GoString() string { return s.String() }

// LogValue is String, for slog.
func (s *SMTP) LogValue() slog.Value { return slog.StringValue(s.String()) }

// Send delivers m to the mail server. It returns nil once the server has taken
// the mail, whatever becomes of the connection after that: a retry would be a
// second mail. It ends when ctx does, or after the timeout.
func (s *SMTP) Send(ctx context.Context, m Message) error {
	mail, err := compose(m, false)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	if op, err := s.deliver(ctx, mail); err != nil {
		return s.failed(ctx, op, err)
	}
	return nil
}

// deliver runs the conversation and returns what was being done when it failed.
func (s *SMTP) deliver(ctx context.Context, m *composed) (op string, err error) {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", s.addr)
	if err != nil {
		return "connect", err
	}
	defer conn.Close()
	// The library's reads know nothing of ctx; closing under them ends them.
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()

	config := &tls.Config{ServerName: s.host, RootCAs: s.roots, MinVersion: tls.VersionTLS12}
	wire := conn
	if s.tls == tlsImplicit {
		secured := tls.Client(conn, config)
		if err := secured.HandshakeContext(ctx); err != nil {
			return "TLS handshake", err
		}
		wire = secured
	}
	client, err := smtp.NewClient(wire, s.host)
	if err != nil {
		return "greeting", err
	}
	if err := client.Hello(s.helo); err != nil {
		return "hello", err
	}
	if s.tls == tlsStart {
		if ok, _ := client.Extension("STARTTLS"); !ok {
			return "STARTTLS", errNoStartTLS
		}
		if err := client.StartTLS(config); err != nil {
			return "STARTTLS", err
		}
	}
	if s.user != "" {
		if err := s.authenticate(client); err != nil {
			return opAuth, err
		}
	}
	if m.international() {
		if ok, _ := client.Extension("SMTPUTF8"); !ok {
			return "addresses", errNoSMTPUTF8
		}
	}
	client.SkipSMTPUTF8(!m.international()) // asked for without need, it makes relays bounce
	if err := client.Mail("<" + m.from + ">"); err != nil {
		return "sender", err
	}
	if err := client.Rcpt("<" + m.to + ">"); err != nil {
		return "recipient", err
	}
	w, err := client.Data()
	if err != nil {
		return "data", err
	}
	if _, err := w.Write(m.data); err != nil {
		return "data", err
	}
	if err := w.Close(); err != nil {
		return "data", err
	}
	_ = client.Quit() // a courtesy: the mail is the server's now
	return "", nil
}

// authenticate logs in, by PLAIN (RFC 4616) or else LOGIN.
func (s *SMTP) authenticate(client *smtp.Client) error {
	// The modes see to this; the password is worth a second look.
	if _, err := client.GetTLSConnectionState(); err != nil {
		return errAuthNeedsTLS
	}
	_, offered := client.Extension("AUTH")
	mechanisms := strings.Fields(strings.ToUpper(offered))
	switch {
	case slices.Contains(mechanisms, "PLAIN"):
		return client.Auth(smtp.PlainAuth("", s.user, s.password, s.host, false))
	case slices.Contains(mechanisms, "LOGIN"):
		return client.Auth(smtp.LoginAuth(s.user, s.password, s.host, false))
	}
	return errNoAuth
}
