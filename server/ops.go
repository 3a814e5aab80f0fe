package server

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"rollcall/server/dashboard"
)

// mainHandler serves clients, the pages behind mailed links, the dashboard, the
// SDK, and the probes.
func (s *Server) mainHandler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /ws", s.acceptWebSocket)
	s.pages.Register(mux)
	dashboard.Register(mux)
	mux.Handle("GET "+sdkPath, sdkFiles())
	s.probes(mux)
	if s.cfg.OpsListen == "" {
		mux.Handle("GET /metrics", loopbackOnly(s.metricsHandler()))
	}
	return mux
}

// opsHandler serves the operator, on an address of its own.
func (s *Server) opsHandler() http.Handler {
	mux := http.NewServeMux()
	s.probes(mux)
	mux.Handle("GET /metrics", s.metricsHandler())
	return mux
}

func (s *Server) metricsHandler() http.Handler {
	return promhttp.HandlerFor(s.metrics.registry, promhttp.HandlerOpts{})
}

// probes enters /healthz, which says that the process lives, and /readyz, which
// says whether it should be sent clients: it is not draining and its store
// answers.
func (s *Server) probes(mux *http.ServeMux) {
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, r *http.Request) {
		writeProbe(w, http.StatusOK, "ok")
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), 2*time.Second)
		defer cancel()
		switch {
		case s.draining.Load():
			writeProbe(w, http.StatusServiceUnavailable, "draining")
		case !s.ready.Load():
			writeProbe(w, http.StatusServiceUnavailable, "starting")
		case s.store.Ready(ctx) != nil:
			writeProbe(w, http.StatusServiceUnavailable, "storage unavailable")
		default:
			writeProbe(w, http.StatusOK, "ready")
		}
	})
}

func writeProbe(w http.ResponseWriter, code int, status string) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(map[string]string{"status": status})
}

// loopbackOnly hides a handler from everybody who is not on this machine. A
// request that came through a proxy is not from this machine, whoever passed it on.
func loopbackOnly(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if isProxied(r) || !remoteAddr(r.RemoteAddr).IsLoopback() {
			http.NotFound(w, r)
			return
		}
		h.ServeHTTP(w, r)
	})
}

// isProxied reports whether a proxy passed the request on, by the headers that
// proxies add, whatever they hold.
func isProxied(r *http.Request) bool {
	for _, name := range []string{"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-Ip", "Via"} {
		if _, ok := r.Header[name]; ok {
			return true
		}
	}
	return false
}
