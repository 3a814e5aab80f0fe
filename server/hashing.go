package server

import (
	"context"
	"sync"

	"rollcall/protocol"
	"rollcall/server/passwords"
)

// maxHashes is how many password hashes one connection may have waiting or
// running. A player needs one; without a bound, five connections could fill the
// queue for everybody.
const maxHashes = 8

// hashing is a connection's part in the hash queue.
type hashing struct {
	mu    sync.Mutex
	under int                // hashes waiting or running
	gone  context.Context    // ends with the connection; nil before the first hash
	leave context.CancelFunc // ends gone
	left  bool
}

// enter counts one hash, and returns a context that ends with the connection
// too: a hash that nobody waits for is not worth making.
func (h *hashing) enter(ctx context.Context) (context.Context, func(), error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.left {
		return nil, nil, context.Canceled
	}
	if h.under >= maxHashes {
		return nil, nil, errManyHashes
	}
	if h.gone == nil {
		h.gone, h.leave = context.WithCancel(context.Background())
	}
	h.under++
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(h.gone, cancel)
	return ctx, func() {
		stop()
		cancel()
		h.mu.Lock()
		h.under--
		h.mu.Unlock()
	}, nil
}

var errManyHashes = protocol.Errorf(protocol.StatusBusy, "busy: too many passwords under way on this connection")

func (h *hashing) end() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.left = true
	if h.leave != nil {
		h.leave()
	}
}

// hash makes the record of a password that a client set.
func (s *Server) hash(ctx context.Context, c *conn, secret string) ([]byte, error) {
	ctx, done, err := c.hashing.enter(ctx)
	if err != nil {
		return nil, s.withRetryAfter(err)
	}
	defer done()
	return s.hashes.Hash(ctx, passwords.Players, secret)
}

// verify holds a client's password against a record, see passwords.Pool.Verify.
func (s *Server) verify(ctx context.Context, c *conn, record []byte, secret string) (ok, stale bool, err error) {
	ctx, done, err := c.hashing.enter(ctx)
	if err != nil {
		return false, false, s.withRetryAfter(err)
	}
	defer done()
	return s.hashes.Verify(ctx, passwords.Players, record, secret)
}

// verifyForeign is verify for a record that another program made.
func (s *Server) verifyForeign(ctx context.Context, c *conn, record []byte, password string) (bool, error) {
	ctx, done, err := c.hashing.enter(ctx)
	if err != nil {
		return false, s.withRetryAfter(err)
	}
	defer done()
	return s.hashes.VerifyForeign(ctx, passwords.Players, record, password)
}

func (s *Server) withRetryAfter(err error) error {
	if err != errManyHashes {
		return err
	}
	e := *errManyHashes
	e.Temporary, e.RetryAfter = true, s.hashes.RetryAfter()
	return &e
}
