package server

import (
	"context"
	"errors"
	"fmt"
	"time"

	"rollcall/protocol"
	"rollcall/server/mail"
	"rollcall/server/passwords"
	"rollcall/sessions"
	"rollcall/store"
)

// statuses are those of the errors that the packages below return. A message
// stands where the status's own text does not say which of two things it was.
var statuses = []struct {
	err     error
	status  protocol.Status
	message string
}{
	{store.ErrUserNotFound, protocol.StatusUserNotFound, ""},
	{store.ErrUsernameTaken, protocol.StatusUserExists, "user already exists: the username is taken"},
	{store.ErrUserGone, protocol.StatusUserExists, "idempotency_key: the user that it made was deleted"},
	{store.ErrEmailTaken, protocol.StatusUserExists, "user already exists: the email address is taken"},
	{store.ErrExtraBounds, protocol.StatusOutOfBounds, fmt.Sprintf("extra: at most %d keys and %d bytes in all", protocol.MaxExtraKeys, protocol.MaxExtraBytes)},
	{store.ErrProviderExists, protocol.StatusProviderExists, ""},
	{store.ErrProviderTaken, protocol.StatusProviderExists, "provider identity belongs to another user"},
	{store.ErrProviderNotFound, protocol.StatusProviderNotFound, ""},
	{store.ErrNotPending, protocol.StatusPendingNotFound, ""},
	{mail.ErrTemplate, protocol.StatusEmailNotConfigured, "the mail's template is missing or unusable"},
	{sessions.ErrSessionInvalid, protocol.StatusSessionInvalid, ""},
	{store.ErrScopeExists, protocol.StatusScopeExists, ""},
	{store.ErrScopeNotFound, protocol.StatusScopeNotFound, ""},
	{store.ErrScopeNotEmpty, protocol.StatusNotPermitted, "the scope still has users"},
	{store.ErrAdminExists, protocol.StatusUserExists, "admin already exists"},
	{store.ErrAdminNotFound, protocol.StatusUserNotFound, "admin not found"},
	{store.ErrLastOwner, protocol.StatusNotPermitted, "the last owner of all scopes can't be deleted"},
	{store.ErrBadCursor, protocol.StatusOutOfBounds, "cursor: not one that this server gave out"},
}

// asError returns err as the wire has it, if it is such an error or has a place
// in the table; nil otherwise.
func asError(err error) *protocol.Error {
	var e *protocol.Error
	if errors.As(err, &e) {
		return e
	}
	for _, m := range statuses {
		if errors.Is(err, m.err) {
			return &protocol.Error{Status: m.status, Message: m.message}
		}
	}
	var banned *store.BannedError
	switch {
	case errors.As(err, &banned):
		return bannedError(banned.Ban)
	case errors.Is(err, store.ErrUnavailable), errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return &protocol.Error{Status: protocol.StatusUnavailable, Temporary: true, RetryAfter: time.Second}
	case errors.Is(err, mail.ErrQueueFull):
		return &protocol.Error{Status: protocol.StatusBusy, Temporary: true, RetryAfter: time.Second}
	case errors.Is(err, store.ErrConflict):
		return &protocol.Error{Status: protocol.StatusBusy, Temporary: true, RetryAfter: 200 * time.Millisecond}
	}
	return nil
}

func isNotFound(err error) bool { return errors.Is(err, store.ErrUserNotFound) }

// bannedError tells a user why he can't log in, and until when.
func bannedError(b store.Ban) *protocol.Error {
	text := protocol.StatusUserBanned.Text()
	if !b.Until.IsZero() {
		text += " until " + b.Until.UTC().Format(time.RFC3339)
	}
	if b.Reason != "" {
		text += ": " + b.Reason
	}
	return &protocol.Error{Status: protocol.StatusUserBanned, Message: text}
}

// wireError is the one place where errors become replies. What has no status is
// logged and shown as a general error: its text never reaches a client.
func (s *Server) wireError(typ string, err error) *protocol.Error {
	if errors.Is(err, passwords.ErrBusy) {
		return &protocol.Error{Status: protocol.StatusBusy, Temporary: true, RetryAfter: s.hashes.RetryAfter()}
	}
	if e := asError(err); e != nil {
		return e
	}
	s.log.Error("request failed", "type", typ, "error", err)
	return &protocol.Error{Status: protocol.StatusGeneral}
}
