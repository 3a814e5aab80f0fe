package server_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"html"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// A letter is a mail as its receiver's mail program reads it.
type letter struct {
	from       string   // of the envelope, as to; empty in an outbox
	to         []string //
	raw        string
	header     mail.Header
	subject    string
	text, html string
}

// readLetter reads a mail with a mail program's eyes: the header, a text part and
// an HTML part made from it, each in an encoding that the contract allows.
func readLetter(raw []byte) (letter, error) {
	l := letter{raw: string(raw)}
	if bare := regexp.MustCompile(`[^\r]\n|\r[^\n]`).Find(raw); bare != nil {
		return l, errors.New("a line does not end with CRLF")
	}
	for line := range bytes.SplitSeq(raw, []byte("\r\n")) {
		if len(line) > 998 {
			return l, errors.New("a line is longer than 998 bytes")
		}
	}
	m, err := mail.ReadMessage(bytes.NewReader(raw))
	if err != nil {
		return l, err
	}
	l.header = m.Header
	if l.subject, err = new(mime.WordDecoder).DecodeHeader(m.Header.Get("Subject")); err != nil {
		return l, fmt.Errorf("subject: %w", err)
	}
	kind, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil {
		return l, err
	}
	if kind != "multipart/alternative" {
		return l, fmt.Errorf("the mail is %s", kind)
	}
	parts := multipart.NewReader(m.Body, params["boundary"])
	for i, want := range []string{"text/plain", "text/html"} {
		part, err := parts.NextRawPart()
		if err != nil {
			return l, fmt.Errorf("part %d: %w", i+1, err)
		}
		kind, params, err := mime.ParseMediaType(part.Header.Get("Content-Type"))
		if err != nil || kind != want || !strings.EqualFold(params["charset"], "utf-8") {
			return l, fmt.Errorf("part %d is %q, want %s in UTF-8", i+1, part.Header.Get("Content-Type"), want)
		}
		body, err := decodePart(part.Header.Get("Content-Transfer-Encoding"), part)
		if err != nil {
			return l, fmt.Errorf("part %d: %w", i+1, err)
		}
		if i == 0 {
			l.text = body
		} else {
			l.html = body
		}
	}
	if _, err := parts.NextRawPart(); err != io.EOF {
		return l, errors.New("more than two parts")
	}
	return l, nil
}

func decodePart(encoding string, r io.Reader) (string, error) {
	switch strings.ToLower(encoding) {
	case "quoted-printable":
		r = quotedprintable.NewReader(r)
	case "7bit", "8bit":
	default:
		return "", fmt.Errorf("the encoding is %q, want 7bit, 8bit or quoted-printable", encoding)
	}
	b, err := io.ReadAll(r)
	if err == nil && encoding == "7bit" && strings.ContainsFunc(string(b), func(c rune) bool { return c >= utf8.RuneSelf }) {
		err = errors.New("8 bit text is called 7bit")
	}
	if err == nil && !utf8.Valid(b) {
		err = errors.New("not UTF-8")
	}
	return string(b), err
}

var (
	urlForm  = regexp.MustCompile(`(?i)\b[a-z][a-z0-9+.-]*://[^\s"'<>]+`)
	tagForm  = regexp.MustCompile(`<[^>]*>`)
	hrefForm = regexp.MustCompile(`(?i)(?:href|src|action)\s*=\s*["']?([^"'\s>]+)`)
)

// link returns the one address to which the mail leads: there is no other in
// the text, nor in the HTML.
func (l letter) link(t testing.TB) string {
	t.Helper()
	urls := urlForm.FindAllString(l.text, -1)
	if len(urls) != 1 {
		t.Fatalf("the text has the links %q, want one:\n%s", urls, l.text)
	}
	found := urlForm.FindAllString(html.UnescapeString(tagForm.ReplaceAllString(l.html, " ")), -1)
	for _, tag := range tagForm.FindAllString(l.html, -1) {
		for _, m := range hrefForm.FindAllStringSubmatch(tag, -1) {
			found = append(found, html.UnescapeString(m[1]))
		}
	}
	if len(found) == 0 {
		t.Errorf("the HTML has no link:\n%s", l.html)
	}
	for _, u := range found {
		if u != urls[0] {
			t.Errorf("the HTML leads to %q as well:\n%s", u, l.html)
		}
	}
	return urls[0]
}

// code returns the code in the link, after a look at its form: 256 bits at least.
func (l letter) code(t testing.TB) string {
	t.Helper()
	return codeIn(t, l.link(t))
}

func codeIn(t testing.TB, link string) string {
	t.Helper()
	u, err := url.Parse(link)
	if err != nil {
		t.Fatal(err)
	}
	code := u.Query().Get("code")
	if bits, err := base64.RawURLEncoding.DecodeString(code); err != nil || len(bits) < 32 {
		t.Fatalf("the code %q has not 256 bits", code)
	}
	return code
}

// wantHonest checks that nothing but the server speaks in a mail's header: each
// field once, one sender, one recipient.
func (l letter) wantHonest(t testing.TB, from, to string) {
	t.Helper()
	fields := strings.Fields("Auto-Submitted Content-Type Date From Message-Id Mime-Version Subject To")
	for name, values := range l.header {
		if !slices.Contains(fields, name) || len(values) != 1 {
			t.Errorf("the header has %s: %q", name, values)
		}
	}
	for name, want := range map[string]string{"From": from, "To": to} {
		list, err := l.header.AddressList(name)
		if err != nil || len(list) != 1 || list[0].Address != want {
			t.Errorf("%s is %q, want %s", name, l.header.Get(name), want)
		}
	}
	if l.to != nil && (len(l.to) != 1 || l.to[0] != to || l.from != from) {
		t.Errorf("the envelope is from %s to %q, want %s and %s", l.from, l.to, from, to)
	}
}
