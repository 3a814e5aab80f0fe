package server

import (
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"time"

	"github.com/coder/websocket"

	"rollcall/protocol"
)

// acceptWebSocket is GET /ws. It returns as soon as the connection is taken
// over, so that nothing of net/http's stays in memory for it.
func (s *Server) acceptWebSocket(w http.ResponseWriter, r *http.Request) {
	if !s.ready.Load() {
		refuseConnection(w, "the server is not ready", 1+rand.IntN(4))
		return
	}
	if !s.conns.reserve(s.cfg.MaxConnections) {
		s.metrics.refused.Inc()
		refuseConnection(w, "too many connections", 5+rand.IntN(10))
		return
	}
	hijacker := &leanHijacker{ResponseWriter: w, writeTimeout: s.cfg.WriteTimeout}
	ws, err := websocket.Accept(hijacker, r, &websocket.AcceptOptions{
		Subprotocols:    []string{protocol.Subprotocol},
		OriginPatterns:  s.cfg.Origins,
		CompressionMode: websocket.CompressionDisabled,
	})
	if err != nil { // Accept has answered
		s.conns.release()
		s.log.Debug("handshake refused", "remote", r.RemoteAddr, "error", err)
		return
	}
	ws.SetReadLimit(protocol.MaxRequestBytes)
	hijacker.peer.in.Reset(hijacker.peer) // of a reader that Accept put between, for what it found buffered: nothing
	c := &conn{srv: s, ws: ws, peer: hijacker.peer, remote: remoteAddr(r.RemoteAddr)}
	c.private = r.TLS != nil || c.remote.IsLoopback()
	c.order.workers = &s.workers
	c.client = s.node.Connect(c)
	c.initTimer.Store(time.AfterFunc(s.cfg.InitTimeout, func() { c.Close(protocol.CloseNoInit, "") }))
	s.conns.add(c)
	s.metrics.accepted.Inc()
	if s.draining.Load() { // since this handshake began; drain may have missed it
		c.drain(jitter(0))
	}
	go c.await()
}

func refuseConnection(w http.ResponseWriter, why string, retryAfter int) {
	w.Header().Set("Retry-After", strconv.Itoa(retryAfter))
	http.Error(w, why, http.StatusServiceUnavailable)
}

// remoteAddr reads host:port as net/http has it. An address that is none, as of
// a Unix socket, is the zero Addr.
func remoteAddr(hostport string) netip.Addr {
	ap, err := netip.ParseAddrPort(hostport)
	if err != nil {
		host, _, _ := net.SplitHostPort(hostport)
		a, _ := netip.ParseAddr(host)
		return a.Unmap()
	}
	return ap.Addr().Unmap()
}

// jitter returns a random time up to d, at least some milliseconds.
func jitter(d time.Duration) time.Duration {
	return 50*time.Millisecond + rand.N(d+450*time.Millisecond)
}
