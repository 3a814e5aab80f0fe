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
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"rollcall/protocol"
	"rollcall/server/passwords"
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
	node    *sessions.Node
	scopes  *scopeCache
	metrics *metrics
	routes  map[string]*route
	started time.Time

	keyHash []byte // SHA-256 of the server key

	ctx       context.Context // of the requests: ends when the server has drained
	cancel    context.CancelFunc
	deadlines deadlines

	ready    atomic.Bool // accepting, and not draining
	draining atomic.Bool
	conns    connTable

	listening sync.WaitGroup // released when addr is set, or never will be
	addr      net.Addr
	opsAddr   net.Addr
}

// New returns a server on an open store, which it does not close.
func New(cfg Config, st *store.Store) (*Server, error) {
	cfg = cfg.withDefaults()
	if cfg.Node == "" {
		cfg.Node = randomName()
	}
	hashes, err := passwords.NewPool(cfg.Hash, cfg.HashWorkers, cfg.HashQueue)
	if err != nil {
		return nil, fmt.Errorf("password hashing: %w", err)
	}
	s := &Server{
		cfg: cfg, log: cfg.Logger, store: st, hashes: hashes,
		routes:  make(map[string]*route),
		started: time.Now(),
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.deadlines = deadlines{parent: s.ctx, timeout: cfg.RequestTimeout}
	s.listening.Add(1)
	s.conns.init()
	s.scopes = newScopeCache(st, s.log)
	s.node = sessions.New(cfg.Node, st, s.log, s.scopes.changed)
	s.metrics = newMetrics(s)
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
}

// BootstrapOptions are what must exist in the store before the first client comes.
type BootstrapOptions struct {
	// AdminPassword is for the account "admin", where that does not exist yet;
	// generated when empty.
	AdminPassword string
	// Scopes are created where they don't exist.
	Scopes []string
}

// Generated holds the secrets that had to be made at a store's first start. They
// can't be read again. A field is empty where there was a value already.
type Generated struct {
	Key           string
	AdminPassword string
}

// firstAdmin is the account that every store begins with.
const firstAdmin = "admin"

// Bootstrap makes sure that the store has a server key, the account "admin" and
// the wanted scopes. It is safe to run on several nodes at once.
func (s *Server) Bootstrap(ctx context.Context, opts BootstrapOptions) (Generated, error) {
	var made Generated
	if s.keyHash == nil {
		key := randomSecret()
		kept, created, err := s.store.InitServerKey(ctx, hashKey(key))
		if err != nil {
			return made, fmt.Errorf("server key: %w", err)
		}
		if created {
			made.Key = key
		}
		s.keyHash = kept
	}
	password, err := s.ensureAdmin(ctx, opts.AdminPassword)
	if err != nil {
		return made, fmt.Errorf("account %s: %w", firstAdmin, err)
	}
	made.AdminPassword = password
	for _, name := range opts.Scopes {
		if err := protocol.Check("scope", "scope", name); err != nil || name == protocol.AllScopes {
			return made, fmt.Errorf("scope %q: %w", name, errors.Join(err, errBadScope))
		}
		if _, err := s.store.CreateScope(ctx, newScope(name)); err != nil && !errors.Is(err, store.ErrScopeExists) {
			return made, fmt.Errorf("scope %q: %w", name, err)
		}
	}
	return made, nil
}

var errBadScope = errors.New("not a scope's name")

// ensureAdmin creates the first admin where it is missing, and returns the
// password if that had to be generated.
func (s *Server) ensureAdmin(ctx context.Context, password string) (generated string, err error) {
	if _, err := s.store.Admin(ctx, firstAdmin); !errors.Is(err, store.ErrAdminNotFound) {
		return "", err
	}
	if password == "" {
		password = randomSecret()
		generated = password
	}
	record, err := s.hashes.Hash(ctx, passwords.Admins, password)
	if err != nil {
		return "", err
	}
	_, err = s.store.CreateAdmin(ctx, store.Admin{Name: firstAdmin, Role: protocol.RoleOwner, Password: record})
	if errors.Is(err, store.ErrAdminExists) { // another node was quicker
		return "", nil
	}
	if err != nil {
		return "", err
	}
	return generated, nil
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
	defer s.cancel()
	defer s.hashes.Close()
	main, ops, err := s.listen()
	s.listening.Done()
	if err != nil {
		return err
	}

	background, stop := context.WithCancel(context.WithoutCancel(ctx))
	var running sync.WaitGroup
	running.Go(func() { s.node.Run(background) })
	running.Go(func() { s.scopes.run(background) })
	running.Go(func() { s.conns.watch(background, s) })
	defer running.Wait()
	defer stop()

	failed := make(chan error, 2)
	httpServers := []*http.Server{s.httpServer(s.mainHandler())}
	go func() { failed <- httpServers[0].Serve(main) }()
	if ops != nil {
		httpServers = append(httpServers, s.httpServer(s.opsHandler()))
		go func() { failed <- httpServers[1].Serve(ops) }()
	}
	s.ready.Store(true)
	s.log.Info("listening", "address", s.addr.String(), "node", s.cfg.Node, "version", s.cfg.Version)

	select {
	case err = <-failed:
		err = fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
		s.log.Info("draining", "connections", s.conns.count(), "within", s.cfg.DrainTimeout)
		s.drain()
		s.log.Info("drained")
	}
	for _, h := range httpServers {
		_ = h.Close()
	}
	s.conns.closeAll()
	return err
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

func hashKey(key string) []byte {
	sum := sha256.Sum256([]byte(key))
	return sum[:]
}

var readable = base32.NewEncoding("abcdefghijkmnpqrstuvwxyz23456789").WithPadding(base32.NoPadding)

// randomSecret returns 160 random bits in 32 characters that are easy to read out.
func randomSecret() string {
	b := make([]byte, 20)
	_, _ = rand.Read(b) // never fails, by its documentation
	return readable.EncodeToString(b)
}

func randomName() string { return strings.ToLower(randomSecret()[:8]) }
