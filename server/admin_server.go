package server

import (
	"context"
	"runtime"

	"rollcall/protocol"
)

func (s *Server) adminServerRoutes() {
	handle(s, protocol.AdminServer, s.adminServer)
}

var errServersAdmins = protocol.Errorf(protocol.StatusNotPermitted, "not permitted: your account is for some scopes only, and the server serves all")

// adminServer is for accounts of all scopes: settings and warnings tell of every
// scope.
func (s *Server) adminServer(ctx context.Context, c *conn, _ *protocol.None) (protocol.ServerInfo, error) {
	if !c.admin.coversAll() {
		return protocol.ServerInfo{}, errServersAdmins
	}
	scopes, err := s.store.Scopes(ctx)
	if err != nil {
		return protocol.ServerInfo{}, err
	}
	info := protocol.ServerInfo{
		Node: s.cfg.Node, Version: s.cfg.Version, Go: runtime.Version(), Store: protocol.StoreRedis,
		Settings: s.cfg.Settings,
		Warnings: posture{s.cfg, s.store.Embedded(), scopes}.warnings(),
	}
	if s.store.Embedded() {
		info.Store = protocol.StoreEmbedded
	}
	return info, nil
}
