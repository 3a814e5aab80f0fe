package client

import (
	"fmt"
	"time"

	"rollcall/protocol"
)

// A Phase is where a client stands between Dial and its end.
type Phase int

// The phases. A client goes from Connecting to Connected, from there, when the
// connection is lost, to Waiting and Connecting in turns, and at last to Closed.
const (
	Connecting Phase = iota // an attempt is under way
	Connected               // calls are sent
	Waiting                 // a pause before the next attempt
	Closed                  // for good
)

// String returns the phase in one word.
func (p Phase) String() string {
	switch p {
	case Connecting:
		return "connecting"
	case Connected:
		return "connected"
	case Waiting:
		return "waiting"
	case Closed:
		return "closed"
	}
	return "unknown"
}

// A State is what OnState is told.
type State struct {
	Phase Phase

	// Err says why: for Waiting and Closed what ended the connection or refused
	// it; for Connected it is ErrSessionExpired when the session could not be
	// resumed, and else nil.
	Err error

	// RetryIn is the length of the pause, for Waiting.
	RetryIn time.Duration
	// Attempt counts the attempts since the connection was lost, from 1. It is 0
	// for the attempt that Dial makes.
	Attempt int
}

// ErrSessionExpired says that the server no longer holds the session which the
// client was to resume. The connection is open but nobody is logged in on it:
// every call that needs a login fails with this error until users.login or
// users.resume succeeds. It is a *protocol.Error of status 607.
var ErrSessionExpired error = &protocol.Error{Status: protocol.StatusSessionInvalid, Message: "session expired: log in again"}

// ErrClosed says that Close was called. It is a *protocol.Error of status 815.
var ErrClosed error = &protocol.Error{Status: protocol.StatusUnavailable, Message: "the client is closed"}

// A CloseError says with which code, and maybe bye, the server closed the connection.
type CloseError struct {
	Code       protocol.CloseCode
	Reason     string
	Reconnect  bool          // the server wants the client back
	RetryAfter time.Duration // at the earliest after this long
}

// Error implements error.
func (e *CloseError) Error() string {
	return fmt.Sprintf("server closed the connection: %s (%d)", e.Reason, int(e.Code))
}

// lost is what a call fails with when the connection goes away under it.
func lost() *protocol.Error {
	return &protocol.Error{Status: protocol.StatusUnavailable, Message: "connection lost", Temporary: true}
}

// tell reports a state.
func (c *Client) tell(s State) {
	if c.opt.OnState != nil {
		c.opt.OnState(s)
	}
}
