package mail

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"strings"
	"testing"
	"time"
)

type parsedMail struct {
	header    mail.Header
	subject   string
	text      string
	html      string
	encodings []string
}

// parseMail reads a mail as a mail program does.
func parseMail(t *testing.T, data []byte) parsedMail {
	t.Helper()
	msg, err := mail.ReadMessage(bytes.NewReader(data))
	if err != nil {
		t.Fatalf("%v in\n%s", err, data)
	}
	p := parsedMail{header: msg.Header}
	if p.subject, err = new(mime.WordDecoder).DecodeHeader(msg.Header.Get("Subject")); err != nil {
		t.Fatal(err)
	}
	part := func(contentType, encoding string, r io.Reader) {
		media, params, err := mime.ParseMediaType(contentType)
		if err != nil || !strings.EqualFold(params["charset"], "utf-8") {
			t.Fatalf("content type %q: %v", contentType, err)
		}
		p.encodings = append(p.encodings, encoding)
		switch encoding {
		case "quoted-printable":
			r = quotedprintable.NewReader(r)
		case "7bit", "8bit":
		default:
			t.Errorf("encoding %q is not allowed", encoding)
		}
		b, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		s := strings.ReplaceAll(string(b), "\r\n", "\n")
		switch media {
		case "text/plain":
			p.text = s
		case "text/html":
			p.html = s
		default:
			t.Errorf("a part of type %s", media)
		}
	}
	media, params, err := mime.ParseMediaType(msg.Header.Get("Content-Type"))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(media, "multipart/") {
		part(msg.Header.Get("Content-Type"), msg.Header.Get("Content-Transfer-Encoding"), msg.Body)
		return p
	}
	if media != "multipart/alternative" {
		t.Errorf("media type %s", media)
	}
	parts := multipart.NewReader(msg.Body, params["boundary"])
	for {
		next, err := parts.NextRawPart()
		if err == io.EOF {
			return p
		}
		if err != nil {
			t.Fatal(err)
		}
		part(next.Header.Get("Content-Type"), next.Header.Get("Content-Transfer-Encoding"), next)
	}
}

func TestAMailReadsAsItWasWritten(t *testing.T) {
	long := strings.Repeat("a long line ", 100)
	for _, tt := range []struct {
		name      string
		m         Message
		eightBit  bool
		encodings string
	}{
		{"ASCII", Message{Text: "Hello\nhttps://x.example/confirm?code=a=b\n", HTML: "<p>Hello</p>\n", Subject: "Hello"}, false, "8bit 8bit"},
		{"UTF-8", Message{Text: "Grüße an Ты\nhttps://x.example/confirm?code=a=b\n", HTML: "<p>ascii</p>\n", Subject: "Grüße, 太郎 " + strings.Repeat("ü", 60)}, false, "quoted-printable 8bit"},
		{"UTF-8 to a file", Message{Text: "Grüße\n", HTML: "<p>Grüße</p>\n", Subject: "Grüße"}, true, "8bit 8bit"},
		{"long lines", Message{Text: long + "\n", HTML: long + "\n", Subject: strings.Repeat("long ", 50)}, true, "quoted-printable quoted-printable"},
		{"text alone", Message{Text: "Hello\n.\n..\n", Subject: "Hello"}, false, "8bit"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.m.From, tt.m.To, tt.m.ID = `"Räce, Space" <no-reply@game.example>`, "tina@home.example", "id-1"
			c, err := compose(tt.m, tt.eightBit)
			if err != nil {
				t.Fatal(err)
			}
			for line := range bytes.SplitSeq(c.data, []byte("\r\n")) {
				if len(line) > maxLine || bytes.ContainsAny(line, "\r\n") {
					t.Errorf("a bad line: %q", line)
				}
			}
			p := parseMail(t, c.data)
			if p.text != tt.m.Text || p.html != tt.m.HTML || p.subject != strings.TrimSpace(tt.m.Subject) {
				t.Errorf("subject %q, text %q, html %q", p.subject, p.text, p.html)
			}
			if got := strings.Join(p.encodings, " "); got != tt.encodings {
				t.Errorf("encodings %s, want %s", got, tt.encodings)
			}
			from, err := p.header.AddressList("From")
			if err != nil || len(from) != 1 || from[0].Name != "Räce, Space" || from[0].Address != "no-reply@game.example" {
				t.Errorf("from %v, %v", from, err)
			}
			to, err := p.header.AddressList("To")
			if err != nil || len(to) != 1 || to[0].Address != tt.m.To {
				t.Errorf("to %v, %v", to, err)
			}
			if date, err := p.header.Date(); err != nil || time.Since(date) > time.Minute {
				t.Errorf("date %v, %v", date, err)
			}
			for name, want := range map[string]string{
				"Message-ID": "<id-1@game.example>", "MIME-Version": "1.0", "Auto-Submitted": "auto-generated", "X-Mailer": "", "User-Agent": "",
			} {
				if got := p.header.Get(name); got != want {
					t.Errorf("%s: %q, want %q", name, got, want)
				}
			}
		})
	}
}

func TestNoHeaderCanBeInjected(t *testing.T) {
	good := Message{From: "no-reply@game.example", To: "tina@home.example", Subject: "Hello", Text: "Hello\n"}
	if _, err := compose(good, false); err != nil {
		t.Fatal(err)
	}
	breaks := []string{
		"\r\nBcc: eve@evil.example", "\nBcc: eve@evil.example", "\rBcc: eve@evil.example", "\x00", "\x0b", "\x0c", "\x1b[2J", "\x7f",
		"\u0085Bcc: x", "\u2028Bcc: x", "\u202egnp.exe", "\r\n\r\n<html>", "\xff",
	}
	for _, s := range breaks {
		for field, m := range map[string]Message{
			"from":    {From: good.From + s, To: good.To, Subject: good.Subject, Text: good.Text},
			"name":    {From: "Game" + s + " <no-reply@game.example>", To: good.To, Subject: good.Subject, Text: good.Text},
			"to":      {From: good.From, To: good.To + s, Subject: good.Subject, Text: good.Text},
			"subject": {From: good.From, To: good.To, Subject: good.Subject + s, Text: good.Text},
			"id":      {From: good.From, To: good.To, Subject: good.Subject, Text: good.Text, ID: "x" + s},
		} {
			if c, err := compose(m, false); !errors.Is(err, ErrMessage) {
				t.Errorf("%s with %q: %v\n%s", field, s, err, c.data)
			}
		}
	}
	for _, from := range []string{
		"", "nobody", "@game.example", "a@", "a@b@c", "a@x.example, b@y.example", "Group: a@x.example;", "a@x.example (comment)",
		"<a@x.example> b", `"a b"@x.example`, "=?utf-8?q?Game=0D=0ABcc:_x?= <a@x.example>", "a@[127.0.0.1]", " a@x.example",
		strings.Repeat("a", 65) + "@x.example",
	} {
		m := good
		m.From = from
		if _, err := compose(m, false); !errors.Is(err, ErrMessage) {
			t.Errorf("from %q: %v", from, err)
		}
		if CheckSender(from) == nil {
			t.Errorf("from %q is taken", from)
		}
		m = good
		m.To = from
		if _, err := compose(m, false); !errors.Is(err, ErrMessage) {
			t.Errorf("to %q: %v", from, err)
		}
	}
	for _, m := range []Message{
		{From: good.From, To: "Tina <tina@home.example>", Subject: "x", Text: "x"},
		{From: good.From, To: good.To, Subject: "", Text: "x"},
		{From: good.From, To: good.To, Subject: strings.Repeat("x", 257), Text: "x"},
		{From: good.From, To: good.To, Subject: "x", Text: ""},
		{From: good.From, To: good.To, Subject: "x", Text: "a\x00b"},
		{From: good.From, To: good.To, Subject: "x", Text: "\xff"},
		{From: good.From, To: good.To, Subject: "x", Text: "x", HTML: "\x1b"},
	} {
		if _, err := compose(m, false); !errors.Is(err, ErrMessage) || Temporary(err) {
			t.Errorf("%+v: %v", m, err)
		}
	}
}

func TestAnEncodedWordInASubjectStaysText(t *testing.T) {
	c, err := compose(Message{From: "a@x.example", To: "b@y.example", Subject: "=?utf-8?q?=0D=0ABcc:_eve?=", Text: "x"}, false)
	if err != nil {
		t.Fatal(err)
	}
	if p := parseMail(t, c.data); strings.Contains(p.subject, "\n") || p.header.Get("Bcc") != "" || !strings.Contains(p.subject, "=0D") {
		t.Errorf("subject %q", p.subject)
	}
}

func TestASenderMayHaveAName(t *testing.T) {
	for _, from := range []string{"a@x.example", "Space Race <a@x.example>", "<a@x.example>", `"A, B" <a@x.example>`} {
		c, err := compose(Message{From: from, To: "tina@home.example", Subject: "Hello", Text: "Hello\n"}, false)
		if err != nil || c.from != "a@x.example" || CheckSender(from) != nil {
			t.Errorf("%q: %v, %v", from, c, err)
		}
	}
}
