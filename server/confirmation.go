package server

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"rollcall/protocol"
	"rollcall/server/mail"
	"rollcall/store"
)

// errNoMail answers what would send mail on a server that has none configured.
var errNoMail = &protocol.Error{Status: protocol.StatusEmailNotConfigured}

// outcomeTimeout bounds writing a mail's outcome to the user, after the request
// that asked for the mail has long been answered.
const outcomeTimeout = 10 * time.Second

// checkConfirmation refuses a confirmation that a client may not ask for, before
// the user is created.
func (s *Server) checkConfirmation(c *conn, in *protocol.Confirmation) error {
	if in == nil || s.mail == nil {
		return nil
	}
	return s.mail.check(mail.Registration, letterOf(in), s.fromEmails(c))
}

func (s *Server) fromEmails(c *conn) []string {
	if scope := c.scope.load(); scope != nil {
		return scope.Options.FromEmails
	}
	return nil
}

// confirm mails a confirmation link to a user who waits for one and returns the
// outcome so far: pending or failed. The final one is written to the user by the
// queue.
func (s *Server) confirm(ctx context.Context, u store.User, l letter) (outcome string, err error) {
	if s.mail == nil {
		return store.ConfirmationFailed, errNoMail
	}
	first, err := s.mail.post(ctx, u, store.CodeConfirm, l, func(err error) { s.confirmationOutcome(u.ID, err) })
	if err == nil {
		if err = awaitFirst(ctx, first); err == nil {
			// A mail that is tried again later counts as under way. The wait
			// may have used up the request's time.
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), outcomeTimeout)
			defer cancel()
			return store.ConfirmationPending, s.store.SetConfirmation(ctx, u.ID, store.ConfirmationPending)
		}
		err = &protocol.Error{Status: protocol.StatusEmailNotSent}
	}
	return store.ConfirmationFailed, err
}

// confirmationOutcome writes how a mail fared in the end.
func (s *Server) confirmationOutcome(user uuid.UUID, err error) {
	outcome := store.ConfirmationPending
	if err != nil {
		outcome = store.ConfirmationFailed
		s.log.Warn("confirmation mail could not be sent", "user", user, "error", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), outcomeTimeout)
	defer cancel()
	if err := s.store.SetConfirmation(ctx, user, outcome); err != nil && !errors.Is(err, store.ErrUserNotFound) {
		s.log.Warn("outcome of a confirmation mail could not be written", "user", user, "error", err)
	}
}

func (s *Server) usersResendConfirmation(ctx context.Context, c *conn, in *protocol.UserRef) (uuid.UUID, error) {
	u, err := s.userOf(ctx, c, in.UserID)
	if err != nil {
		return uuid.Nil, err
	}
	return s.resendConfirmation(ctx, u)
}

func (s *Server) adminUsersResendConfirmation(ctx context.Context, c *conn, in *protocol.UserRef) (uuid.UUID, error) {
	u, err := s.userForAdmin(ctx, c, in.UserID)
	if err != nil {
		return uuid.Nil, err
	}
	return s.resendConfirmation(ctx, u)
}

// resendConfirmation sends the mail again with the scope's usual template.
func (s *Server) resendConfirmation(ctx context.Context, u store.User) (uuid.UUID, error) {
	switch {
	case s.mail == nil:
		return uuid.Nil, errNoMail
	case u.Confirmation == "":
		return uuid.Nil, store.ErrNotPending
	case u.Email == "":
		return uuid.Nil, &protocol.Error{Status: protocol.StatusEmailInvalid}
	}
	if _, err := s.confirm(ctx, u, letter{}); err != nil {
		return uuid.Nil, err
	}
	return u.ID, nil
}

func (s *Server) adminUsersConfirmLink(ctx context.Context, c *conn, in *protocol.UserRef) (protocol.Link, error) {
	return s.handedLink(ctx, c, in.UserID, store.CodeConfirm, confirmTTL)
}

// handedLink makes a link that an owner hands over himself.
func (s *Server) handedLink(ctx context.Context, c *conn, user uuid.UUID, kind store.CodeKind, ttl time.Duration) (protocol.Link, error) {
	if _, err := s.userForAdmin(ctx, c, user); err != nil {
		return protocol.Link{}, err
	}
	code, err := s.store.NewCode(ctx, user, kind, ttl)
	if err != nil {
		return protocol.Link{}, err
	}
	expires := wireTime(time.Now().Add(ttl))
	return protocol.Link{Link: linkTo(s.publicURL(), kind, code), ExpiresAt: expires}, nil
}
