// Package client speaks the language of package protocol to a Rollcall server.
//
// [Dial] opens the connection and [Call] sends any message of the contract; the
// methods of [Client] do so for the messages that a player needs. A client may
// be used from many goroutines at once: all of them share one connection, and
// each waits for its own reply.
//
// A lost connection is opened again, after pauses that follow [Backoff], and
// the session of the last login is resumed. Meanwhile the calls that were under
// way have failed with status 815 (whether the server did them is unknown), and
// new calls wait for the connection. A session that can't be resumed is never
// replaced by an anonymous connection in silence: see [ErrSessionExpired]. An
// admin's subscription to the feed goes on where it was: see [Client.Subscribe].
//
// The package depends on package protocol and on no other package of this
// module: whatever it can do, any WebSocket client can.
package client

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"rollcall/protocol"
)

// MaxWaiting is how many calls may wait for a connection. One more fails with
// status 809.
const MaxWaiting = 256

// Options say what a client is. Scope and Key are required, unless Admin is given.
type Options struct {
	Scope   string              // the scope whose users this client means
	Key     string              // the server key, or the scope's own
	Info    protocol.ClientInfo // shown to admins
	Session string              // token of an earlier login, to resume; may be empty

	// Admin opens an admin's connection instead of a scope's: by name and
	// password, or by token.
	Admin *protocol.AdminLoginParams

	// SendPlainPasswords sends passwords as they are and not as
	// protocol.PasswordHash. For tests of servers; they then travel in the open
	// where the connection has no TLS.
	SendPlainPasswords bool

	// OnPush gets every push that belongs to no [Subscription], in the order
	// sent, one at a time. It runs on the connection's reader, which reads no
	// reply until it returns: it must not wait for a call.
	OnPush func(protocol.Push)

	// OnState is told of every change of state, in order, one at a time. The
	// first two calls come before Dial returns. It must not wait for a call, nor
	// call Close.
	OnState func(State)

	// NoReconnect makes the first loss of the connection final.
	NoReconnect bool
	// Backoff sets the pauses between attempts to reconnect. The zero Backoff is
	// the contract's.
	Backoff Backoff

	DialTimeout  time.Duration // for one attempt, up to and with the first reply; 0 means 10 s
	WriteTimeout time.Duration // for one frame; 0 means 10 s

	// HTTPClient does the handshake. When nil, one is made, with TLS as its TLS
	// configuration and the proxy that the environment names.
	HTTPClient *http.Client
	TLS        *tls.Config

	// Logger gets what nobody could be told otherwise, such as a frame that
	// can't be read. When nil, nothing is logged. Never has secrets.
	Logger *slog.Logger
}

// A Client is a connection to a server, kept up over losses. Its methods may be
// called from any goroutine.
type Client struct {
	// Static after Dial.
	url     string
	secure  bool // the connection has TLS
	opt     Options
	http    *http.Client
	ownHTTP bool
	ctx     context.Context // ends with Close
	stop    context.CancelFunc
	done    chan struct{} // closed when run has ended

	nextID atomic.Int64
	keeper sync.WaitGroup // of the subscription

	mu         sync.Mutex // guards what follows
	link       *link      // nil while there is no connection
	changed    chan struct{}
	waiting    int   // calls that wait for a connection
	final      error // why there will be no connection again
	info       protocol.CoreInitResult
	admin      protocol.AdminSession
	token      string          // of the session to resume; empty when anonymous
	user       *protocol.Login // as which this connection is logged in
	sessionErr error           // ErrSessionExpired, until a login
	sub        *Subscription   // until it has ended
}

// Dial connects to the server at rawURL and sends the first message. The URL's
// scheme is ws, wss, http or https; the path /ws is added where there is none.
//
// Dial makes one attempt: a server that refuses the scope, the key or the
// admin's login is an error that is a *protocol.Error, an unreachable one is an
// error of another kind. The context bounds Dial only, not the client.
//
// When opt.Session no longer holds, Dial succeeds and [Client.User] says
// ErrSessionExpired.
func Dial(ctx context.Context, rawURL string, opt Options) (*Client, error) {
	u, err := normalise(rawURL)
	if err != nil {
		return nil, err
	}
	if opt.DialTimeout <= 0 {
		opt.DialTimeout = 10 * time.Second
	}
	if opt.WriteTimeout <= 0 {
		opt.WriteTimeout = 10 * time.Second
	}
	if opt.Logger == nil {
		opt.Logger = slog.New(slog.DiscardHandler)
	}
	opt.Backoff = opt.Backoff.withDefaults()
	c := &Client{
		url:     u.String(),
		secure:  u.Scheme == "wss",
		opt:     opt,
		http:    opt.HTTPClient,
		done:    make(chan struct{}),
		changed: make(chan struct{}),
		token:   opt.Session,
	}
	if c.http == nil {
		c.ownHTTP = true
		c.http = &http.Client{Transport: &http.Transport{
			Proxy:               http.ProxyFromEnvironment,
			TLSClientConfig:     opt.TLS,
			TLSHandshakeTimeout: opt.DialTimeout,
		}}
	}
	c.ctx, c.stop = context.WithCancel(context.Background())

	c.tell(State{Phase: Connecting})
	l, err := c.connect(ctx)
	if err != nil {
		c.stop()
		c.closeIdle()
		c.tell(State{Phase: Closed, Err: err})
		return nil, err
	}
	c.attach(l)
	go c.run(l)
	return c, nil
}

// normalise returns the URL to dial, with a scheme of ws or wss and a path.
func normalise(rawURL string) (*url.URL, error) {
	u, err := url.Parse(rawURL)
	if err != nil {
		return nil, fmt.Errorf("read server URL: %w", err)
	}
	switch u.Scheme {
	case "ws", "http":
		u.Scheme = "ws"
	case "wss", "https":
		u.Scheme = "wss"
	default:
		return nil, fmt.Errorf("read server URL: scheme %q is not ws, wss, http or https", u.Scheme)
	}
	if u.Host == "" {
		return nil, fmt.Errorf("read server URL: no host in %q", u.Redacted())
	}
	if u.Path == "" || u.Path == "/" {
		u.Path = "/ws"
	}
	return u, nil
}

// Close ends the connection and waits until the client's goroutines have ended.
// Calls that are under way or waiting fail. It ends no session: a session lives
// on until users.logout or its expiry. Close must not be called from OnPush,
// OnState or a subscription's functions.
func (c *Client) Close() error {
	c.stop()
	<-c.done
	c.keeper.Wait()
	return nil
}

// Done is closed when the client is closed, by Close or for good by the server.
func (c *Client) Done() <-chan struct{} { return c.done }

// Err returns why the client is closed: [ErrClosed] after Close, a [*CloseError]
// after a close that the server meant for good, a *protocol.Error when a
// reconnect was refused. It is nil while the client is not closed.
func (c *Client) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.final
}

// Scope returns the scope, empty for an admin.
func (c *Client) Scope() string { return c.opt.Scope }

// Info returns the answer to the latest core.init. It is zero for an admin.
func (c *Client) Info() protocol.CoreInitResult {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.info
}

// Admin returns the answer to the latest admin.login. It is zero for anybody else.
func (c *Client) Admin() protocol.AdminSession {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.admin
}

// User returns the login object as of the last login or resume on this client.
// It is nil when nobody is logged in; the error is then ErrSessionExpired if
// that is because a session could not be resumed.
func (c *Client) User() (*protocol.Login, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.user == nil {
		return nil, c.sessionErr
	}
	u := *c.user
	return &u, nil
}

func (c *Client) closeIdle() {
	if c.ownHTTP {
		c.http.CloseIdleConnections()
	}
}
