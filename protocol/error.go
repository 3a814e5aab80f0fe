package protocol

import (
	"fmt"
	"time"
)

// An Error is what a request is answered with when it cannot be done. It is
// both what handlers return and what clients receive.
type Error struct {
	Status  Status
	Message string // for a person; Status.Text when empty. Never holds a secret or an internal error's text.

	// Temporary says that the same request may succeed later.
	Temporary bool
	// RetryAfter, if positive, is how long to wait before trying again. On the
	// wire it is a whole number of milliseconds.
	RetryAfter time.Duration
}

// Errorf returns an Error with a message of its own.
func Errorf(s Status, format string, args ...any) *Error {
	return &Error{Status: s, Message: fmt.Sprintf(format, args...)}
}

// Text is the error's message, or its status's text.
func (e *Error) Text() string {
	if e.Message != "" {
		return e.Message
	}
	return e.Status.Text()
}

// Error implements error: the text and the status.
func (e *Error) Error() string {
	return fmt.Sprintf("%s (status %d)", e.Text(), int(e.Status))
}

// Is reports whether target is an *Error of the same status, so that
// errors.Is(err, &protocol.Error{Status: protocol.StatusBusy}) tests a status.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Status == e.Status && t.Message == ""
}
