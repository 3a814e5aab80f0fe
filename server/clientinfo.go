package server

import (
	"unique"

	"rollcall/protocol"
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
