package server

import (
	"context"
	"errors"
	"time"

	"rollcall/protocol"
	"rollcall/server/mail"
	"rollcall/server/passwords"
	"rollcall/sessions"
	"rollcall/store"
)

// storeStatuses maps the store's errors to the wire's statuses.
var storeStatuses = []struct {
	err    error
	status protocol.Status
}{
	{store.ErrUserNotFound, protocol.StatusUserNotFound},
	{store.ErrUsernameTaken, protocol.StatusUserExists},
	{store.ErrUserGone, protocol.StatusUserExists},
	{store.ErrEmailTaken, protocol.StatusUserExists},
	{store.ErrExtraBounds, protocol.StatusOutOfBounds},
	{store.ErrProviderExists, protocol.StatusProviderExists},
	{store.ErrProviderTaken, protocol.StatusProviderExists},
	{store.ErrProviderNotFound, protocol.StatusProviderNotFound},
	{store.ErrNotPending, protocol.StatusPendingNotFound},
	{mail.ErrTemplate, protocol.StatusEmailNotConfigured},
	{mail.ErrQueueFull, protocol.StatusBusy},
	{sessions.ErrSessionInvalid, protocol.StatusSessionInvalid},
	{store.ErrScopeExists, protocol.StatusScopeExists},
	{store.ErrScopeNotFound, protocol.StatusScopeNotFound},
	{store.ErrScopeNotEmpty, protocol.StatusNotPermitted},
	{store.ErrAdminExists, protocol.StatusUserExists},
	{store.ErrAdminNotFound, protocol.StatusUserNotFound},
	{store.ErrBadCursor, protocol.StatusOutOfBounds},
}

// messages of statuses whose table text does not say which of two things it was.
var storeMessages = map[error]string{
	store.ErrUserGone:      "idempotency_key: the user that it made was deleted",
	store.ErrUsernameTaken: "user already exists: the username is taken",
	store.ErrEmailTaken:    "user already exists: the email address is taken",
	store.ErrProviderTaken: "provider identity belongs to another user",
	mail.ErrTemplate:       "the mail's template is missing or unusable",
	store.ErrExtraBounds:   "extra: at most 64 keys and 8192 bytes in all",
	store.ErrScopeNotEmpty: "the scope still has users",
	store.ErrAdminExists:   "admin already exists",
	store.ErrAdminNotFound: "admin not found",
	store.ErrBadCursor:     "cursor: not one that this server gave out",
}

// asError returns err as the wire has it, if it is such an error or has a place
// in the table; nil otherwise.
func asError(err error) *protocol.Error {
	var e *protocol.Error
	if errors.As(err, &e) {
		return e
	}
	for _, m := range storeStatuses {
		if errors.Is(err, m.err) {
			return &protocol.Error{Status: m.status, Message: storeMessages[m.err]}
		}
	}
	switch {
	case errors.Is(err, store.ErrUnavailable), errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return &protocol.Error{Status: protocol.StatusUnavailable, Temporary: true, RetryAfter: time.Second}
	case errors.Is(err, store.ErrConflict):
		return &protocol.Error{Status: protocol.StatusBusy, Temporary: true, RetryAfter: 200 * time.Millisecond}
	}
	return nil
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
