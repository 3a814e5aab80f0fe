package mail

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/textproto"
	"regexp"
	"strings"
)

var (
	errNoStartTLS   = errors.New("the server does not offer it")
	errNoAuth       = errors.New("the server offers neither PLAIN nor LOGIN")
	errAuthNeedsTLS = errors.New("a password is sent over TLS only")
	errNoSMTPUTF8   = errors.New("the server takes no addresses beyond ASCII")
)

// opAuth is the one step whose reply is not shown: a server may repeat what it
// was told.
const opAuth = "login"

// A sendError says at which step a mail failed, and whether it may go through
// later. It wraps no error of the library, whose texts may hold anything.
type sendError struct {
	server    string
	op        string
	code      int // the server's reply, 0 if it was something else
	text      string
	cause     error // of those that callers may ask for, or nil
	temporary bool
}

func (e *sendError) Error() string {
	if e.code != 0 {
		return strings.TrimSpace(fmt.Sprintf("mail server %s: %s: %d %s", e.server, e.op, e.code, e.text))
	}
	return fmt.Sprintf("mail server %s: %s: %s", e.server, e.op, e.text)
}

func (e *sendError) Unwrap() error { return e.cause }

// failed makes the error of a conversation that ended with err.
func (s *SMTP) failed(ctx context.Context, op string, err error) error {
	e := &sendError{server: s.addr, op: op}
	var reply *textproto.Error
	var network net.Error
	var certificate *tls.CertificateVerificationError
	var authority x509.UnknownAuthorityError
	switch {
	case errors.As(err, &reply):
		e.code = reply.Code
		e.temporary = reply.Code >= 400 && reply.Code <= 499
		if op != opAuth {
			e.text = s.clean(reply.Msg)
		}
	case ctx.Err() != nil: // the connection was closed under the conversation
		e.cause, e.text, e.temporary = ctx.Err(), ctx.Err().Error(), true
	case errors.As(err, &certificate), errors.As(err, &authority):
		e.text = s.clean(err.Error())
	case errors.As(err, &network):
		e.text, e.temporary = s.clean(err.Error()), true
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed):
		e.text, e.temporary = "the server closed the connection", true
	case op == opAuth && !errors.Is(err, errNoAuth) && !errors.Is(err, errAuthNeedsTLS):
		e.text = "failed"
	default:
		e.text = s.clean(err.Error())
	}
	return e
}

// maxReply is how much of a server's reply an error shows, in bytes.
const maxReply = 200

var linkPattern = regexp.MustCompile(`(?i)[a-z][a-z0-9+.-]*://\S*|\S*code=\S*`)

// clean makes a server's words fit for a log: on one line, short, without the
// password, and without links, which content filters like to quote.
func (s *SMTP) clean(text string) string {
	text = text[:min(len(text), 4<<10)]
	text = strings.Map(func(r rune) rune {
		if isControl(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, "?"))
	text = linkPattern.ReplaceAllString(text, "[link]")
	if s.password != "" {
		text = strings.ReplaceAll(text, s.password, "xxxxx")
	}
	if len(text) > maxReply {
		text = strings.ToValidUTF8(text[:maxReply], "") + "…"
	}
	return strings.Join(strings.Fields(text), " ")
}
