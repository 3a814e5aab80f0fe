// Package server is the edge of Rollcall: it accepts WebSocket connections,
// decodes what clients send, holds it against the caller's rights, runs its
// handler and writes the answer, and serves the operator's endpoints.
//
// The way of one message: the connection's reader (conn.go) reads a frame;
// protocol decodes the envelope; the router (router.go) finds the typed handler
// and decodes its parameters; the connection's order (order.go) decides when it
// runs; the permission is checked in one place (Server.permit); the handler
// calls sessions and store; errors become statuses in one place (errors.go); the
// reply goes on the connection's bounded queue (outbound.go).
//
// Package server never speaks to Redis and never blocks a reader on slow work.
package server

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"rollcall/server/dashboard"
	"rollcall/server/oauth"
	"rollcall/server/pages"
	"rollcall/server/passwords"
	"rollcall/server/webhooks"
	"rollcall/sessions"
	"rollcall/store"
)

// A Server serves one node. Make it with New, prepare the store with Bootstrap
// and run it with Serve, once.
type Server struct {
	cfg     Config
	log     *slog.Logger
	store   *store.Store
	hashes  *passwords.Pool
	mail    *mailer // nil: no mail
	pages   *pages.Pages
	oauth   *oauth.Verifier
	sealer  *oauth.Sealer // nil: access tokens are not kept
	node    *sessions.Node
	feed    *sessions.Feed
	scopes  *scopeCache
	metrics *metrics
	routes  map[string]*route

	webhooks *scopeWebhooks
	hookFeed *webhooks.StoreFeed // what they post

	keyHash []byte // SHA-256 of the server key
	started time.Time

	ctx       context.Context // of the requests: ends when the server has drained
	cancel    context.CancelFunc
	deadlines deadlines

	ready    atomic.Bool // accepting, and not draining
	draining atomic.Bool
	conns    connTable
	workers  workers

	newScopes *scopeWatch // those that may be new, for the feed

	closed     sync.Once
	resets     chan struct{} // a place for each password reset under way
	background background

	listening sync.WaitGroup // released when addr is set, or never will be
	addr      net.Addr
	opsAddr   net.Addr
}

// New returns a server on an open store, which it does not close. It must be
// served or closed.
func New(cfg Config, st *store.Store) (*Server, error) {
	cfg = cfg.withDefaults()
	if cfg.Node == "" {
		cfg.Node = randomName()
	}
	if err := CheckNode(cfg.Node); err != nil {
		return nil, err
	}
	s := &Server{
		cfg: cfg, log: cfg.Logger, store: st,
		routes: make(map[string]*route),
		resets: make(chan struct{}, maxResets),
	}
	s.newScopes = newScopeWatch("the feed", s.log, s.appeared)
	var err error
	if len(cfg.TokenKeys) > 0 {
		if s.sealer, err = oauth.NewSealer(cfg.TokenKeys...); err != nil {
			return nil, fmt.Errorf("token key: %w", err)
		}
	}
	if s.pages, err = pages.New(accounts{s}, cfg.Templates, s.log); err != nil {
		return nil, err
	}
	if s.hashes, err = passwords.NewPool(cfg.hashing()); err != nil {
		return nil, fmt.Errorf("password hashing: %w", err)
	}
	if s.mail, err = newMailer(cfg, st, s.publicURL); err != nil {
		s.hashes.Close()
		return nil, err
	}
	s.oauth = oauth.New(oauth.Options{Logger: s.log, AllowPrivateIssuers: cfg.PrivateIssuers})
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.deadlines = deadlines{parent: s.ctx, timeout: cfg.RequestTimeout}
	s.listening.Add(1)
	s.conns.init()
	s.scopes = newScopeCache(st, s.log)
	s.node = sessions.New(cfg.Node, st, sessions.Options{
		Grace: cfg.OfflineGrace, About: s.about, OnScope: s.scopeChanged, Logger: s.log,
	})
	s.feed = sessions.NewFeed(st, s.log)
	s.started = time.Now()
	s.metrics = newMetrics(s)
	s.hookFeed = webhooks.NewStoreFeed(st)
	s.webhooks = s.deliverWebhooks(s.hookFeed)
	if cfg.Key != "" {
		s.keyHash = hashKey(cfg.Key)
	}
	s.enterRoutes()
	return s, nil
}

// enterRoutes lists every message that this server answers.
func (s *Server) enterRoutes() {
	s.coreRoutes()
	s.userRoutes()
	s.sessionRoutes()
	s.providerRoutes()
	s.adminRoutes()
	s.adminUserRoutes()
	s.adminScopeRoutes()
	s.adminAdminRoutes()
	s.adminImportRoutes()
	s.adminSessionRoutes()
	s.adminStatRoutes()
	s.adminServerRoutes()
	s.feedRoutes()
}

// Addr returns the address of the main listener, and OpsAddr that of the
// operator's, once Serve listens; nil if it could not.
func (s *Server) Addr() net.Addr {
	s.listening.Wait()
	return s.addr
}

// OpsAddr is nil unless Config.OpsListen was given.
func (s *Server) OpsAddr() net.Addr {
	s.listening.Wait()
	return s.opsAddr
}

// Serve listens and serves until ctx ends, and then drains: readiness goes
// first, then requests in flight are answered and connections closed with 4001,
// spread over the drain time. It returns nil after a drain.
func (s *Server) Serve(ctx context.Context) error {
	defer s.Close()
	main, ops, err := s.listen()
	s.listening.Done()
	if err != nil {
		return err
	}

	background, stop := context.WithCancel(context.WithoutCancel(ctx))
	var running sync.WaitGroup
	if err := s.node.KeepLease(ctx); err != nil { // it is tried again, and connections are noted then
		s.log.Warn("this node is not known to the others yet", "error", err)
	}
	running.Go(func() { s.node.Run(background) })
	running.Go(func() { s.feed.Run(background) })
	running.Go(func() { s.newScopes.run(background) })
	running.Go(func() { s.scopes.run(background) })
	running.Go(func() { s.webhooks.run(background) })
	running.Go(func() { s.conns.watch(background, s) })
	defer running.Wait()
	defer stop()

	failed := make(chan error, 2)
	var httpServers []*http.Server
	serve := func(l net.Listener, h http.Handler) {
		one := s.httpServer(h)
		httpServers = append(httpServers, one)
		go func() { failed <- one.Serve(l) }()
	}
	serve(main, s.mainHandler())
	if ops != nil {
		serve(ops, s.opsHandler())
	}
	s.ready.Store(true)
	if s.opsAddr != nil {
		s.log.Info("listening for operators", "address", s.opsAddr.String())
	}
	s.log.Info("listening", "address", s.addr.String(), "node", s.cfg.Node, "version", s.cfg.Version)
	s.log.Info("dashboard", "url", strings.TrimSuffix(s.publicURL(), "/")+dashboard.Path)

	select {
	case err = <-failed:
		err = fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
		s.log.Info("draining", "connections", s.conns.count(), "within", s.cfg.DrainTimeout)
		s.drain()
		s.log.Info("drained")
	}
	s.ready.Store(false)
	for _, h := range httpServers {
		_ = h.Close()
	}
	s.conns.closeAll()
	return err
}

// Close gives back what New took: it ends all work, gives mails that wait one
// last attempt, and lets webhooks' POSTs that are under way end. Serve does it by itself; calling it again does nothing.
func (s *Server) Close() {
	s.closed.Do(func() {
		s.cancel()
		s.feed.Close()
		s.background.close()
		s.workers.close()
		s.hashes.Close()
		s.oauth.Close()
		ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
		defer cancel()
		var closing sync.WaitGroup
		closing.Go(func() { s.webhooks.close(ctx); s.hookFeed.Close() })
		s.mail.close(ctx)
		closing.Wait()
	})
}

// closeTimeout bounds the last attempts at mails and webhooks.
const closeTimeout = 5 * time.Second

// publicURL is what links begin with.
func (s *Server) publicURL() string {
	if s.cfg.PublicURL != "" {
		return s.cfg.PublicURL
	}
	scheme := "http"
	if s.cfg.TLSCert != "" || len(s.cfg.AutocertDomains) > 0 {
		scheme = "https"
	}
	address := s.cfg.Listen
	if a := s.Addr(); a != nil {
		address = a.String()
	}
	if host, port, err := net.SplitHostPort(address); err == nil && isUnspecified(host) {
		address = net.JoinHostPort("localhost", port)
	}
	return scheme + "://" + address
}

// isUnspecified reports whether a host to listen on stands for every address of
// the machine.
func isUnspecified(host string) bool {
	ip := net.ParseIP(host)
	return host == "" || ip != nil && ip.IsUnspecified()
}

// drain closes every connection, spread over most of the drain time, and waits
// for them, at most for all of it.
func (s *Server) drain() {
	s.draining.Store(true)
	s.ready.Store(false)
	deadline := time.Now().Add(s.cfg.DrainTimeout)
	all := s.conns.all()
	// A handful of clients need no spreading: at most 200 a second come back.
	spread := min(s.cfg.DrainTimeout*3/4, time.Duration(len(all))*5*time.Millisecond)
	for i, c := range all {
		if i > 0 {
			time.Sleep(spread / time.Duration(len(all)))
		}
		c.drain(jitter(spread))
	}
	for s.conns.count() > 0 && time.Now().Before(deadline) {
		time.Sleep(10 * time.Millisecond)
	}
}
