package bare

import (
	"net"
	"net/http"
	"sync"
)

// A Server serves one of the references on a free port of the loopback.
type Server struct {
	http    *http.Server
	addr    string
	serving sync.WaitGroup
}

// Serve starts a server. It must be closed.
func Serve(h http.Handler) (*Server, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &Server{http: &http.Server{Handler: h}, addr: l.Addr().String()}
	s.serving.Go(func() { _ = s.http.Serve(l) })
	return s, nil
}

// URL is where clients connect.
func (s *Server) URL() string { return "ws://" + s.addr + "/" }

// Close ends the listener. Connections end when their clients close them.
func (s *Server) Close() {
	_ = s.http.Close()
	s.serving.Wait()
}
