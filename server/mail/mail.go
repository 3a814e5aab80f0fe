// Package mail writes and sends the few mails that the server sends: the
// confirmation of a registration and the reset of a password.
//
// A mail comes from [Templates], goes through a [Queue] that retries, and leaves
// by a [Sender]: [SMTP], or [Outbox], a folder, where no mail server is set up.
// The package knows nothing of users, codes or scopes. Who may be mailed, how
// often and from which address is for the caller to decide.
//
// What stands in a mail may come from a client that holds the server key, which
// ships in every game. So nothing that a client gives reaches a header other
// than the subject, nothing becomes markup, and nothing becomes a link.
//
// Nothing here logs, or puts in an error, a password, a link or a mail's text.
package mail

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"unicode"
)

// A Message is one mail to one address.
type Message struct {
	// From is an address, or a name and an address: Space Race <no-reply@example.com>.
	From string
	// To is one bare address, user@host.
	To string
	// Subject is one line of at most 256 bytes.
	Subject string
	// Text is the plain text part, UTF-8. Lines end with \n or \r\n.
	Text string
	// HTML is the same as a page, or empty for a mail of text alone.
	HTML string
	// ID is the part of the Message-ID before the @, 1 to 64 letters, digits,
	// dots, dashes and underscores. Empty, a Queue or a Sender makes one. A mail
	// that is tried again keeps it, so that a receiver can drop a second copy.
	ID string
}

// A Sender delivers one mail, or says why not. It returns soon after ctx is
// done, and may be called concurrently. [Temporary] tells what its errors mean.
type Sender interface {
	Send(ctx context.Context, m Message) error
}

var (
	// ErrMessage means that a mail cannot be sent as it is: an address that
	// isn't one, a control character in a header. Trying again does not help.
	ErrMessage = errors.New("mail malformed")
	// ErrQueueFull means that too many mails wait. Nothing was queued.
	ErrQueueFull = errors.New("mail queue full")
	// ErrClosed means that the queue was closed before the mail was sent.
	ErrClosed = errors.New("mail queue closed")
	// ErrTemplate means that a template is missing, broken or lacks its link.
	// On the wire it is status 702.
	ErrTemplate = errors.New("mail template unusable")
)

// Temporary reports whether the same mail may go through later: the server said
// so (a reply of 400 to 499, RFC 5321, section 4.2.1; greylisting is one), the
// network failed, or time ran out. A refusal (500 to 599), a certificate that
// doesn't hold, a login that fails and ErrMessage are permanent.
func Temporary(err error) bool {
	var s *sendError
	if errors.As(err, &s) {
		return s.temporary
	}
	for _, e := range []error{
		context.DeadlineExceeded, context.Canceled, os.ErrDeadlineExceeded,
		io.EOF, io.ErrUnexpectedEOF, net.ErrClosed, ErrQueueFull, ErrClosed,
	} {
		if errors.Is(err, e) {
			return true
		}
	}
	// Not net.Error: the errors of files are of that kind too.
	var op *net.OpError
	var dns *net.DNSError
	return errors.As(err, &op) || errors.As(err, &dns)
}

// hasControl reports whether s has a character that ends a line, hides text or
// reorders it.
func hasControl(s string) bool { return strings.ContainsFunc(s, isControl) }

func isControl(r rune) bool {
	return unicode.IsControl(r) || r == '\u2028' || r == '\u2029' ||
		r >= '\u202a' && r <= '\u202e' || r >= '\u2066' && r <= '\u2069'
}
