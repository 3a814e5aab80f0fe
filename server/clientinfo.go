package server

import (
	"unique"

	"rollcall/protocol"
	"rollcall/sessions"
	"rollcall/store"
)

// clientInfo is a client's name, version and platform, kept once for all
// connections that say the same.
type clientInfo = unique.Handle[protocol.ClientInfo]

func internClientInfo(info *protocol.ClientInfo) clientInfo {
	if info == nil {
		return clientInfo{}
	}
	return unique.Make(*info)
}

// via says how something is done on this connection, and where from.
func (c *conn) via(method string) store.Via { return c.viaAs(c.info, method) }

func (c *conn) viaAs(info clientInfo, method string) store.Via {
	v := store.Via{Method: method, Node: c.srv.cfg.Node}
	if c.remote.IsValid() {
		v.IP = c.remote.String()
	}
	if info != (clientInfo{}) {
		known := info.Value()
		v.Client = &known
	}
	return v
}

// where is what the sessions are told of a login on this connection.
func (c *conn) where(method string) sessions.Where { return c.whereIn(c.scope, c.info, method) }

func (c *conn) whereIn(entry *scopeEntry, info clientInfo, method string) sessions.Where {
	scope := entry.load()
	return sessions.Where{
		Scope:  entry.name,
		Single: scope != nil && scope.Sessions == protocol.SessionsSingle,
		Via:    c.viaAs(info, method),
	}
}
