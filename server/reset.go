package server

import (
	"context"
	"errors"
	"time"

	"rollcall/protocol"
	"rollcall/server/mail"
	"rollcall/store"
)

// maxResets bounds how many reset mails are being looked up and written at once,
// and waiting for it.
const maxResets = 256

// usersSendPasswordReset answers alike whether or not the address is known, and
// does the same work until then: the address is looked up only after the answer.
func (s *Server) usersSendPasswordReset(ctx context.Context, c *conn, in *protocol.PasswordResetParams) (bool, error) {
	if s.mail == nil {
		return false, errNoMail
	}
	l := letter{template: in.EmailTpl}
	if err := s.mail.check(mail.Password, l, nil); err != nil {
		return false, err
	}
	select {
	case s.resets <- struct{}{}:
	default:
		return false, &protocol.Error{Status: protocol.StatusBusy, Temporary: true, RetryAfter: time.Second}
	}
	scope, email := c.scope.name, in.Email
	started := s.background.start(func() {
		defer func() { <-s.resets }()
		ctx, cancel := context.WithTimeout(s.ctx, s.cfg.RequestTimeout)
		defer cancel()
		s.postReset(ctx, scope, email, l)
	})
	if !started {
		<-s.resets
		return false, errStopping
	}
	return true, nil
}

// postReset mails a reset link if somebody has the address. What goes wrong is
// for the log alone.
func (s *Server) postReset(ctx context.Context, scope, email string, l letter) {
	u, err := s.store.UserByEmail(ctx, scope, email)
	if err == nil {
		_, err = s.mail.post(ctx, u, store.CodeReset, l, func(err error) {
			if err != nil {
				s.log.Warn("reset mail could not be sent", "user", u.ID, "error", err)
			}
		})
	}
	if err != nil && !errors.Is(err, store.ErrUserNotFound) {
		s.log.Warn("reset mail could not be made", "error", err)
	}
}

// adminUsersSendPasswordReset tells an admin how it went.
func (s *Server) adminUsersSendPasswordReset(ctx context.Context, c *conn, in *protocol.UserRef) (bool, error) {
	u, err := s.userForAdmin(ctx, c, in.UserID)
	switch {
	case err != nil:
		return false, err
	case s.mail == nil:
		return false, errNoMail
	case u.Email == "":
		return false, &protocol.Error{Status: protocol.StatusEmailInvalid, Message: "the user has no email address"}
	}
	first, err := s.mail.post(ctx, u, store.CodeReset, letter{}, func(error) {})
	if err != nil {
		return false, err
	}
	if err := awaitFirst(ctx, first); err != nil {
		return false, &protocol.Error{Status: protocol.StatusEmailNotSent}
	}
	return true, nil
}

func (s *Server) adminUsersResetLink(ctx context.Context, c *conn, in *protocol.UserRef) (protocol.Link, error) {
	return s.handedLink(ctx, c, in.UserID, store.CodeReset, resetTTL)
}
