package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"rollcall/protocol"
	"rollcall/server/mail"
	"rollcall/store"
)

// How long links are good for.
const (
	confirmTTL = 48 * time.Hour
	resetTTL   = time.Hour
)

// firstAttemptWait is how long a request waits for the first attempt at its mail.
const firstAttemptWait = 10 * time.Second

// A mailer makes the mails of this server and hands them to the queue. A nil
// *mailer is a server without mail.
type mailer struct {
	store     *store.Store
	log       *slog.Logger
	queue     *mail.Queue
	templates *mail.Templates
	from      string
	anyScope  bool // clients make scopes, so their names are not to be trusted
	anyFrom   bool // the mails go to an outbox: nobody is mailed, so any sender will do
	limit     int
	publicURL func() string
}

// newMailer returns nil when mail is not configured.
func newMailer(cfg Config, st *store.Store, publicURL func() string) (*mailer, error) {
	var sender mail.Sender
	var err error
	switch {
	case cfg.SMTP != "":
		sender, err = mail.NewSMTP(cfg.SMTP)
		if err == nil && cfg.MailFrom == "" {
			err = errors.New("mail: a sender is needed with SMTP (mail-from)")
		}
	case cfg.Outbox != "":
		sender, err = mail.NewOutbox(cfg.Outbox, cfg.Logger)
	default:
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	from := cfg.MailFrom
	if from == "" {
		from = "Rollcall <rollcall@localhost>"
	}
	if err := mail.CheckSender(from); err != nil {
		return nil, fmt.Errorf("mail-from: %w", err)
	}
	templates, err := mail.Load(cfg.Templates)
	if err != nil {
		return nil, err
	}
	if err := templates.Check(); err != nil {
		cfg.Logger.Warn("a mail template is unusable", "error", err)
	}
	return &mailer{
		store: st, log: cfg.Logger, templates: templates, from: from, anyFrom: cfg.SMTP == "",
		anyScope: cfg.AutoScopes, limit: cfg.MailLimit, publicURL: publicURL,
		queue: mail.NewQueue(sender, mail.QueueOptions{}),
	}, nil
}

// close gives what waits one last attempt, for as long as ctx lasts.
func (m *mailer) close(ctx context.Context) {
	if m == nil {
		return
	}
	if err := m.queue.Close(ctx); err != nil {
		m.log.Warn("mails were left unsent", "error", err)
	}
}

// pending returns how many mails are neither sent nor given up.
func (m *mailer) pending() int {
	if m == nil {
		return 0
	}
	return m.queue.Pending()
}

// A letter is what a client may choose of a mail.
type letter struct {
	from     string
	subject  string
	template string
	keys     map[string]string
}

func letterOf(c *protocol.Confirmation) letter {
	if c == nil {
		return letter{}
	}
	return letter{from: c.FromEmail, subject: c.Subject, template: c.EmailTpl, keys: c.TplKeys}
}

// check holds a letter against what clients may ask for, before anything is
// done: the server key ships in every game, so whoever has it must not be able
// to make this server mail what he likes in whose name he likes.
func (m *mailer) check(kind mail.Kind, l letter, allowed []string) error {
	if l.from != "" && !m.anyFrom && !slices.ContainsFunc(allowed, func(a string) bool {
		return protocol.EmailKey(a) == protocol.EmailKey(l.from)
	}) {
		return protocol.Errorf(protocol.StatusEmailNotConfigured, "from_email: not on the scope's list of senders")
	}
	if err := mail.CheckKeys(l.keys, l.subject); err != nil {
		return err
	}
	_, err := m.templates.Render(kind, l.template, mail.Data{
		ConfirmLink: "https://x.invalid/confirm?code=c", ResetLink: "https://x.invalid/reset?code=c",
		Username: "x", Scope: "x", Email: "x@x.invalid", Keys: l.keys, Subject: l.subject,
	})
	return err
}

// link returns where a code is used.
func (m *mailer) link(kind store.CodeKind, code string) string {
	return linkTo(m.publicURL(), kind, code)
}

func linkTo(publicURL string, kind store.CodeKind, code string) string {
	return strings.TrimSuffix(publicURL, "/") + "/" + string(kind) + "?code=" + code
}

// errMailLimit means that a recipient had enough mail for now.
var errMailLimit = errors.New("recipient's mail limit is reached")

// post makes a code for a user, and queues the mail that carries it. outcome is
// called once, with the final result; first gets that of the first attempt.
func (m *mailer) post(ctx context.Context, u store.User, kind store.CodeKind, l letter, outcome func(error)) (first <-chan error, err error) {
	// The limit is the recipient's, over all scopes: where clients make scopes,
	// one of his own for each mail would be none.
	ok, after, err := m.store.AllowMail(ctx, protocol.AllScopes, u.Email, m.limit, time.Hour)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, &protocol.Error{Status: protocol.StatusTooManyRequests, Message: errMailLimit.Error(), Temporary: true, RetryAfter: after}
	}
	ttl, template := confirmTTL, mail.Registration
	if kind == store.CodeReset {
		ttl, template = resetTTL, mail.Password
	}
	code, err := m.store.NewCodeFor(ctx, u.ID, u.Email, kind, ttl)
	if err != nil {
		return nil, err
	}
	data := mail.Data{Username: u.Username, Scope: u.Scope, AnyScope: m.anyScope, Email: u.Email, Keys: l.keys, Subject: l.subject}
	if kind == store.CodeReset {
		data.ResetLink = m.link(kind, code)
	} else {
		data.ConfirmLink = m.link(kind, code)
	}
	rendered, err := m.templates.Render(template, l.template, data)
	if err != nil {
		return nil, err
	}
	from := m.from
	if l.from != "" {
		from = l.from
	}
	return m.queue.Submit(mail.Message{
		From: from, To: u.Email, Subject: rendered.Subject, Text: rendered.Text, HTML: rendered.HTML,
	}, outcome)
}

// awaitFirst waits for the first attempt, at most firstAttemptWait and not past
// ctx. A mail that will be tried again, or is still being tried, is under way: nil.
func awaitFirst(ctx context.Context, first <-chan error) error {
	timer := time.NewTimer(firstAttemptWait)
	defer timer.Stop()
	select {
	case err := <-first:
		if err != nil && !mail.Temporary(err) {
			return err
		}
	case <-timer.C:
	case <-ctx.Done():
	}
	return nil
}
