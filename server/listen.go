package server

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"golang.org/x/crypto/acme/autocert"
)

// listen opens the listeners; ops is nil where none is configured.
func (s *Server) listen() (main, ops net.Listener, err error) {
	config, err := s.tlsConfig()
	if err != nil {
		return nil, nil, err
	}
	main, err = net.Listen("tcp", s.cfg.Listen)
	if err != nil {
		return nil, nil, fmt.Errorf("listen: %w", err)
	}
	s.addr = main.Addr()
	if config != nil {
		main = tls.NewListener(main, config)
	}
	if s.cfg.OpsListen != "" {
		ops, err = net.Listen("tcp", s.cfg.OpsListen)
		if err != nil {
			main.Close()
			s.addr = nil
			return nil, nil, fmt.Errorf("listen for operators: %w", err)
		}
		s.opsAddr = ops.Addr()
	}
	return main, ops, nil
}

// tlsConfig returns how the main listener speaks TLS, nil if it doesn't.
func (s *Server) tlsConfig() (*tls.Config, error) {
	files := s.cfg.TLSCert != "" || s.cfg.TLSKey != ""
	switch {
	case files && len(s.cfg.AutocertDomains) > 0:
		return nil, errors.New("TLS: give certificate files or autocert domains, not both")
	case files && (s.cfg.TLSCert == "" || s.cfg.TLSKey == ""):
		return nil, errors.New("TLS: a certificate and its key belong together, give both files")
	case files:
		cert, err := tls.LoadX509KeyPair(s.cfg.TLSCert, s.cfg.TLSKey)
		if err != nil {
			return nil, fmt.Errorf("TLS: %w", err)
		}
		return &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{cert}, NextProtos: []string{"http/1.1"}}, nil
	case len(s.cfg.AutocertDomains) > 0:
		manager := &autocert.Manager{
			Prompt:     autocert.AcceptTOS,
			HostPolicy: autocert.HostWhitelist(s.cfg.AutocertDomains...),
			Cache:      autocert.DirCache(s.cfg.AutocertDir),
		}
		config := manager.TLSConfig()
		config.MinVersion = tls.VersionTLS12
		config.NextProtos = []string{"http/1.1", "acme-tls/1"} // no HTTP/2: a WebSocket takes over its connection
		return config, nil
	}
	return nil, nil
}

// httpServer bounds how long a handshake or a probe may take; a WebSocket leaves
// it at once.
func (s *Server) httpServer(h http.Handler) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       30 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       60 * time.Second,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
}
