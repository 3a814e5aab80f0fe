package client

import (
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"

	"rollcall/protocol"
)

// What the client remembers of its connection and of who is logged in on it.

// attach makes a link the client's connection and lets waiting calls go. The
// state is told first: whoever sees a call answered has seen Connected.
func (c *Client) attach(l *link) {
	c.mu.Lock()
	err := c.sessionErr
	c.mu.Unlock()
	c.tell(State{Phase: Connected, Err: err})
	c.mu.Lock()
	defer c.mu.Unlock()
	c.link = l
	c.wake()
}

// detach takes a lost link away; calls wait from here on.
func (c *Client) detach(l *link) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.link == l {
		c.link = nil
	}
}

// finish makes err the reason why there will be no connection again.
func (c *Client) finish(err error) {
	c.mu.Lock()
	c.final = err
	c.wake()
	c.mu.Unlock()
	c.stop()
	c.tell(State{Phase: Closed, Err: err})
}

// wake tells waiting calls to look again. c.mu is held.
func (c *Client) wake() {
	close(c.changed)
	c.changed = make(chan struct{})
}

func (c *Client) sessionToken() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.token
}

// logIn remembers a session. c.mu is held.
func (c *Client) logIn(u *protocol.Login) {
	c.user, c.token, c.sessionErr = u, u.Session.Token, nil
}

// logOut forgets the session, which was ended on purpose. c.mu is held.
func (c *Client) logOut() {
	c.user, c.token, c.sessionErr = nil, "", nil
}

// expire forgets the session, which the server no longer holds, and says so.
func (c *Client) expire() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.user, c.token, c.sessionErr = nil, "", ErrSessionExpired
}

// note takes over what a reply says of the connection. It runs on the reader, so
// that of two logins the one that the server did last is the one remembered.
func (c *Client) note(call *call, result jsontext.Value) {
	switch call.message {
	case protocol.UsersLogin.Message, protocol.UsersResume.Message:
		u := new(protocol.Login)
		if protocol.DecodeResult(result, u) != nil {
			return // the caller is told
		}
		c.mu.Lock()
		c.logIn(u)
		c.mu.Unlock()
	case protocol.UsersLogout.Message:
		c.mu.Lock()
		c.logOut()
		c.mu.Unlock()
	case protocol.UsersDelete.Message:
		ref, _ := call.in.(protocol.Subject)
		c.mu.Lock()
		if c.user != nil && ref != nil && ref.Subject() == c.user.UserID && c.user.UserID != uuid.Nil {
			c.logOut()
		}
		c.mu.Unlock()
	}
}
