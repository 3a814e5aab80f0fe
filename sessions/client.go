package sessions

import (
	"slices"
	"sync"

	"github.com/google/uuid"

	"rollcall/protocol"
)

// maxCreated is how many created users a connection remembers as its own; the
// oldest are forgotten.
const maxCreated = 1024

// A Client is the login state of one live connection. Its methods may be called
// concurrently, except that those which change what it is logged in as (Login,
// Resume, Logout) are called one at a time: the connection's order of messages
// sees to that.
type Client struct {
	// static
	node   *Node
	peer   Peer
	number uint64 // of the connection, unique on this node

	mu      sync.Mutex
	current *binding    // nil: anonymous
	created []uuid.UUID // oldest first
	gone    bool        // Disconnect was called
}

// ID names the connection across nodes. It is no secret.
func (c *Client) ID() string { return c.node.name + "-" + c.conn() }

// Identity returns the user and the session that the connection is logged in
// as, or zeros.
func (c *Client) Identity() (user uuid.UUID, session string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.current == nil {
		return uuid.Nil, ""
	}
	return c.current.user, c.current.session
}

// Owns reports whether the connection is logged in as the user or created it.
func (c *Client) Owns(user uuid.UUID) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.current != nil && c.current.user == user || slices.Contains(c.created, user)
}

// Created remembers that this connection created a user.
func (c *Client) Created(user uuid.UUID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if slices.Contains(c.created, user) {
		return
	}
	if len(c.created) == maxCreated {
		c.created = slices.Delete(c.created, 0, 1)
	}
	c.created = append(c.created, user)
}

// Disconnect takes the connection out of the registry. Its session lives on.
// Calling it again does nothing.
func (c *Client) Disconnect() {
	c.mu.Lock()
	b, again := c.current, c.gone
	c.current, c.gone = nil, true
	c.mu.Unlock()
	if again {
		return
	}
	if b != nil {
		c.node.registry.drop(b)
	}
	c.node.conns.Add(-1)
}

// hold makes a begun binding the connection's own, unless its session was ended
// meanwhile.
func (c *Client) hold(b *binding, session string) bool {
	c.mu.Lock()
	if c.gone || !c.node.registry.hold(b, session) {
		c.mu.Unlock()
		c.node.registry.drop(b)
		return false
	}
	former := c.current
	c.current = b
	c.mu.Unlock()
	if former != nil {
		c.node.registry.drop(former)
	}
	if c.node.registry.wasReplaced(b) && c.revoke(b) {
		c.peer.Close(protocol.CloseReplaced, "")
	}
	return true
}

// revoke makes the connection anonymous if it still is what b says.
func (c *Client) revoke(b *binding) bool {
	c.mu.Lock()
	held := c.current == b
	if held {
		c.current = nil
	}
	c.mu.Unlock()
	c.node.registry.drop(b)
	return held
}

// detach makes the connection anonymous and returns what it was.
func (c *Client) detach() *binding {
	c.mu.Lock()
	b := c.current
	c.current = nil
	c.mu.Unlock()
	if b != nil {
		c.node.registry.drop(b)
	}
	return b
}

// reattach undoes a detach.
func (c *Client) reattach(b *binding) {
	again := c.node.registry.begin(c, b.user)
	c.hold(again, b.session)
}
