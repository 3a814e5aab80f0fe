package mail

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"net/mail"
	"strings"
	"unicode/utf8"

	gomail "github.com/wneessen/go-mail"

	"rollcall/protocol"
)

// maxLine is how many octets a line of a mail may have, less its CRLF (RFC
// 5322, section 2.1.1).
const maxLine = 998

// A composed mail is ready for the wire.
type composed struct {
	from, to string // bare addresses, for the envelope
	data     []byte // header and body, lines end with CRLF
}

// international reports whether an address needs SMTPUTF8 (RFC 6531).
func (c *composed) international() bool { return !isASCII(c.from) || !isASCII(c.to) }

// compose checks m and writes it as RFC 5322 and MIME have it. A part of plain
// ASCII, or of any text where eightBit says that nothing in between minds, goes
// as it is; any other as quoted-printable. Never base64: filters distrust it,
// and people read these mails in a terminal.
func compose(m Message, eightBit bool) (*composed, error) {
	from, err := parseFrom(m.From)
	if err != nil {
		return nil, err
	}
	if err := CheckAddress(m.To); err != nil {
		return nil, fmt.Errorf("%w: to: not one bare address", ErrMessage)
	}
	if hasControl(m.Subject) || !utf8.ValidString(m.Subject) || protocol.Check("line", "subject", m.Subject) != nil {
		return nil, fmt.Errorf("%w: subject: must be one line of 1 to %d bytes", ErrMessage, protocol.MaxTextBytes)
	}
	id := m.ID
	if id == "" {
		id = newID()
	}
	if protocol.Check("template", "id", id) != nil { // the same characters as a template's name
		return nil, fmt.Errorf("%w: id: must be 1 to 64 letters, digits, dots, dashes and underscores", ErrMessage)
	}
	text, err := body("text", m.Text)
	if err != nil {
		return nil, err
	}
	html, err := body("html", m.HTML)
	if err != nil {
		return nil, err
	}
	if text == "" {
		return nil, fmt.Errorf("%w: text: must not be empty", ErrMessage)
	}

	msg := gomail.NewMsg(gomail.WithNoDefaultUserAgent(), gomail.WithEncoding(gomail.EncodingQP))
	msg.FromMailAddress(from)
	msg.ToMailAddress(&mail.Address{Address: m.To})
	// An encoded word is opened by the reader's program, after every check here.
	msg.Subject(strings.ReplaceAll(m.Subject, "=?", "= ?"))
	msg.SetDate()
	msg.SetMessageIDWithValue(id + from.Address[strings.LastIndexByte(from.Address, '@'):])
	msg.SetGenHeader("Auto-Submitted", "auto-generated") // RFC 3834: no out-of-office replies
	msg.SetBodyString(gomail.TypeTextPlain, text, gomail.WithPartEncoding(encoding(text, eightBit)))
	if html != "" {
		msg.AddAlternativeString(gomail.TypeTextHTML, html, gomail.WithPartEncoding(encoding(html, eightBit)))
	}
	var data bytes.Buffer
	if _, err := msg.WriteTo(&data); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMessage, err)
	}
	return &composed{from: from.Address, to: m.To, data: data.Bytes()}, nil
}

// CheckAddress reports whether s is one bare address, user@host, that a mail can
// go to or come from.
func CheckAddress(s string) error {
	if hasControl(s) || !utf8.ValidString(s) {
		return fmt.Errorf("%w: an address must not have control characters", ErrMessage)
	}
	if err := protocol.Check("email", "address", s); err != nil {
		return fmt.Errorf("%w: %w", ErrMessage, err)
	}
	return nil
}

// CheckSender reports whether s can stand in Message.From: a bare address, or a
// name and an address.
func CheckSender(s string) error {
	_, err := parseFrom(s)
	return err
}

func parseFrom(s string) (*mail.Address, error) {
	bad := fmt.Errorf("%w: from: must be one address, or a name and an address", ErrMessage)
	if hasControl(s) || !utf8.ValidString(s) || len(s) > protocol.MaxTextBytes+protocol.MaxEmailBytes {
		return nil, bad
	}
	addr, err := mail.ParseAddress(s)
	if err != nil || CheckAddress(addr.Address) != nil {
		return nil, bad
	}
	// The parser also takes comments and encoded words; the first are refused
	// here, the second are looked at as they will be read.
	if s != addr.Address && !strings.HasSuffix(s, "<"+addr.Address+">") || hasControl(addr.Name) {
		return nil, bad
	}
	return addr, nil
}

// body returns s with CRLF at the end of each line.
func body(part, s string) (string, error) {
	if !utf8.ValidString(s) {
		return "", fmt.Errorf("%w: %s: not UTF-8", ErrMessage, part)
	}
	s = strings.ReplaceAll(strings.ReplaceAll(s, "\r\n", "\n"), "\r", "\n")
	for i := 0; i < len(s); i++ {
		if s[i] < ' ' && s[i] != '\n' && s[i] != '\t' || s[i] == 0x7f {
			return "", fmt.Errorf("%w: %s: has a control character", ErrMessage, part)
		}
	}
	if s != "" && !strings.HasSuffix(s, "\n") {
		s += "\n"
	}
	return strings.ReplaceAll(s, "\n", "\r\n"), nil
}

func encoding(s string, eightBit bool) gomail.Encoding {
	for line := range strings.SplitSeq(s, "\r\n") {
		if len(line) > maxLine {
			return gomail.EncodingQP
		}
	}
	if eightBit || isASCII(s) {
		return gomail.NoEncoding // labelled 8bit, of which ASCII is a part
	}
	return gomail.EncodingQP
}

func isASCII(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// newID returns 128 random bits: a Message-ID must never come twice (RFC 5322,
// section 3.6.4).
func newID() string {
	var b [16]byte
	rand.Read(b[:])
	return hex.EncodeToString(b[:])
}
