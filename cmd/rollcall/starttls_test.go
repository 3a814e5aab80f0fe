package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net"
	"net/mail"
	"regexp"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"

	"rollcall/protocol"
)

// The whole program against a mail server as operators have it: STARTTLS with a
// certificate, a login, and the link in the mail that it received. The program
// runs in a process of its own, because a process reads its authorities once.

const smtpPassword = "p@ss:5ecret"

func TestMailGoesOverSTARTTLSWithALogin(t *testing.T) {
	ca := newAuthority(t)
	inbox := startSTARTTLS(t, ca.certificate(t, "localhost"))
	t.Setenv("SSL_CERT_FILE", ca.file)
	t.Setenv("SSL_CERT_DIR", t.TempDir())
	t.Setenv("ROLLCALL_SMTP", "smtp://mailer:p%40ss%3A5ecret@"+inbox.addr)
	_, address := startProcess(t, "--mail-from", "no-reply@rollcall.example", "--scope", "A")
	r := &running{t: t, address: address}
	made, err := asClient(t, r, protocol.UsersCreate, protocol.CreateParams{
		Username: "tina", Credentials: protocol.Credentials{Password: "first"}, Email: "tina@home.example", Confirmation: &protocol.Confirmation{},
	})
	if err != nil || made.Confirmation != "pending" {
		t.Fatalf("create: %v, confirmation %q", err, made.Confirmation)
	}
	got := <-inbox.mails
	if !got.tls || got.user != "mailer" || got.from != "no-reply@rollcall.example" || got.to != "tina@home.example" {
		t.Errorf("received with TLS %v, login %q, from %s to %s", got.tls, got.user, got.from, got.to)
	}
	link := regexp.MustCompile(`http://\S+/confirm\?code=[A-Za-z0-9_-]+`).FindString(got.body)
	if status := useLink(t, link, nil); status != 200 {
		t.Errorf("the link %q answers %d", link, status)
	}
	wants(t, r.do("user", "get", made.UserID.String()), "active yes")
}

func TestAMailServerThatNobodyVouchesForGetsNoMail(t *testing.T) {
	ca, stranger := newAuthority(t), newAuthority(t)
	for name, cert := range map[string]tls.Certificate{
		"another authority": stranger.certificate(t, "localhost"),
		"another name":      ca.certificate(t, "mail.example.com"),
	} {
		t.Run(name, func(t *testing.T) {
			inbox := startSTARTTLS(t, cert)
			t.Setenv("SSL_CERT_FILE", ca.file)
			t.Setenv("SSL_CERT_DIR", t.TempDir())
			t.Setenv("ROLLCALL_SMTP", "smtp://mailer:p%40ss%3A5ecret@"+inbox.addr)
			_, address := startProcess(t, "--mail-from", "no-reply@rollcall.example", "--scope", "A")
			made, err := asClient(t, &running{t: t, address: address}, protocol.UsersCreate, protocol.CreateParams{
				Username: "tina", Credentials: protocol.Credentials{Password: "first"}, Email: "tina@home.example", Confirmation: &protocol.Confirmation{},
			})
			if err != nil || made.Confirmation != "failed" {
				t.Errorf("create: %v, confirmation %q, want failed", err, made.Confirmation)
			}
			if len(inbox.mails) != 0 || len(inbox.logins) != 0 {
				t.Error("the mail server got a mail or a login")
			}
		})
	}
}

// An authority makes certificates that only those who know its file trust.
type authority struct {
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
	file string
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test authority"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	a := &authority{key: newKey(t)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &a.key.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	if a.cert, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	a.file = writeFile(t, "authority.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
	return a
}

func (a *authority) certificate(t *testing.T, host string) tls.Certificate {
	t.Helper()
	key := newKey(t)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: host}, DNSNames: []string{host},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, &key.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// A tlsInbox is a mail server that takes nothing without STARTTLS and a login.
type tlsInbox struct {
	addr   string
	mails  chan tlsMail
	logins chan string
}

type tlsMail struct {
	from, to, user, body string
	tls                  bool
}

func startSTARTTLS(t *testing.T, cert tls.Certificate) *tlsInbox {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(l.Addr().String())
	inbox := &tlsInbox{addr: "localhost:" + port, mails: make(chan tlsMail, 9), logins: make(chan string, 9)}
	srv := smtp.NewServer(smtp.BackendFunc(func(c *smtp.Conn) (smtp.Session, error) { return &tlsSession{inbox: inbox, conn: c}, nil }))
	srv.Domain, srv.TLSConfig, srv.ErrorLog = "localhost", &tls.Config{Certificates: []tls.Certificate{cert}}, noLog{}
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = srv.Serve(l)
	}()
	t.Cleanup(func() {
		srv.Close()
		<-served
	})
	return inbox
}

type noLog struct{}

func (noLog) Printf(string, ...any) {}
func (noLog) Println(...any)        {}

type tlsSession struct {
	inbox *tlsInbox
	conn  *smtp.Conn
	mail  tlsMail
}

func (s *tlsSession) Reset()                   {}
func (s *tlsSession) Logout() error            { return nil }
func (s *tlsSession) AuthMechanisms() []string { return []string{sasl.Plain} }

func (s *tlsSession) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, password string) error {
		s.inbox.logins <- user
		if password != smtpPassword {
			return smtp.ErrAuthFailed
		}
		s.mail.user = user
		return nil
	}), nil
}

func (s *tlsSession) Mail(from string, _ *smtp.MailOptions) error {
	if s.mail.user == "" {
		return smtp.ErrAuthRequired
	}
	s.mail.from = from
	return nil
}

func (s *tlsSession) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.mail.to = to
	return nil
}

func (s *tlsSession) Data(r io.Reader) error {
	m, err := mail.ReadMessage(r)
	if err != nil {
		return err
	}
	body, err := io.ReadAll(m.Body)
	if err != nil {
		return err
	}
	_, s.mail.tls = s.conn.TLSConnectionState()
	s.mail.body = string(body)
	select {
	case s.inbox.mails <- s.mail:
		return nil
	default:
		return errors.New("too many mails")
	}
}
