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
	if !c.gone {
		c.node.creators.Store(c, true)
	}
}

// disown takes a user from the connections that created him: he was banned, or
// has shown by a reset, or to an admin, that the account is his.
func (n *Node) disown(user uuid.UUID) {
	n.creators.Range(func(c, _ any) bool {
		c.(*Client).Lose(user)
		return true
	})
}

// Lose forgets that this connection created a user.
func (c *Client) Lose(user uuid.UUID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.created = slices.DeleteFunc(c.created, func(id uuid.UUID) bool { return id == user })
}

// Disconnect takes the connection out of the registry. Its session lives on; the
// user is offline, if this was the last connection, for that reason. Calling it
// again does nothing.
func (c *Client) Disconnect(reason string) {
	c.mu.Lock()
	b, again := c.current, c.gone
	c.current, c.gone = nil, true
	c.mu.Unlock()
	if again {
		return
	}
	c.node.creators.Delete(c)
	if b != nil {
		c.node.registry.drop(b)
		c.node.depart(b, reason)
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
		c.node.depart(b, protocol.OfflineEnded)
		return false
	}
	former := c.current
	c.current = b
	c.mu.Unlock()
	if former != nil {
		c.node.registry.drop(former)
		c.node.depart(former, protocol.OfflineLogout)
	}
	if c.node.registry.wasReplaced(b) && c.revoke(b, protocol.OfflineReplaced) {
		c.peer.Close(protocol.CloseReplaced, "")
	}
	return true
}

// revoke makes the connection anonymous if it still is what b says; the user may
// be offline by that, for the reason.
func (c *Client) revoke(b *binding, reason string) bool {
	c.mu.Lock()
	held := c.current == b
	if held {
		c.current = nil
	}
	c.mu.Unlock()
	c.node.registry.drop(b)
	if held {
		c.node.depart(b, reason)
	}
	return held
}

// detach makes the connection anonymous and returns what it was. The caller takes
// its place away, or reattaches it.
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

// reattach undoes a detach. The place is the same, and still noted.
func (c *Client) reattach(b *binding) {
	again := &binding{client: c, user: b.user, where: b.where, place: b.place, lease: c.node.presence.current()}
	c.node.registry.enter(again)
	c.hold(again, b.session)
}
