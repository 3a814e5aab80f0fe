package main

import (
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"net/netip"
	"time"
)

// checkDebugListen allows addresses of this machine only: profiles and stacks
// tell too much for anybody else.
func checkDebugListen(address string) error {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return usagef("debug-listen: %w", err)
	}
	if !isLoopbackHost(host) {
		return usagef("debug-listen is for this machine alone: give a loopback address, such as 127.0.0.1:6060")
	}
	return nil
}

func isLoopbackHost(host string) bool {
	if host == "localhost" {
		return true
	}
	a, err := netip.ParseAddr(host)
	return err == nil && a.Unmap().IsLoopback()
}

// listenForDebug serves Go's profiles at /debug/pprof/ until stop is called.
func listenForDebug(address string, log *slog.Logger) (stop func(), err error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listen for debugging: %w", err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/cmdline", http.NotFound) // arguments may hold secrets
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	srv := &http.Server{Handler: onlyForThisMachine(mux), ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = srv.Serve(l) }()
	log.Info("listening for debugging", "address", l.Addr().String())
	return func() { _ = srv.Close() }, nil
}

// onlyForThisMachine refuses requests that mean another host: a web page could
// make its own name lead here.
func onlyForThisMachine(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, _, err := net.SplitHostPort(r.Host)
		if err != nil {
			host = r.Host
		}
		if !isLoopbackHost(host) {
			http.NotFound(w, r)
			return
		}
		h.ServeHTTP(w, r)
	})
}
