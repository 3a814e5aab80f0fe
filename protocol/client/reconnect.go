package client

import (
	"context"
	"errors"
	"time"

	"rollcall/protocol"
)

// run keeps the client connected until Close or a loss that is final.
func (c *Client) run(l *link) {
	defer close(c.done)
	defer c.closeIdle()
	attempt := 0
	for {
		up := time.Now()
		err := l.serve()
		c.detach(l)
		if time.Since(up) >= c.opt.Backoff.Max {
			attempt = 0 // only a connection that held starts the pauses anew
		}
		for {
			if c.ctx.Err() != nil {
				c.finish(ErrClosed)
				return
			}
			final, after := verdict(err)
			if final || c.opt.NoReconnect {
				c.finish(err)
				return
			}
			attempt++
			pause := after + c.opt.Backoff.pause(attempt)
			c.tell(State{Phase: Waiting, Err: err, RetryIn: pause, Attempt: attempt})
			if c.opt.Backoff.Sleep(c.ctx, pause) != nil {
				continue
			}
			c.tell(State{Phase: Connecting, Attempt: attempt})
			if l, err = c.connect(c.ctx); err == nil {
				c.attach(l)
				break
			}
		}
	}
}

// verdict says whether there is no sense in another attempt after err, and for
// how long the server asked us to stay away.
func verdict(err error) (final bool, after time.Duration) {
	var closed *CloseError
	var refused *protocol.Error
	var dial *dialError
	switch {
	case errors.As(err, &closed):
		return !closed.Reconnect, closed.RetryAfter
	case errors.As(err, &refused):
		switch refused.Status {
		case protocol.StatusTooManyRequests, protocol.StatusBusy, protocol.StatusUnavailable, protocol.StatusIO, protocol.StatusGeneral:
			return false, refused.RetryAfter
		}
		return !refused.Temporary, refused.RetryAfter
	case errors.As(err, &dial):
		return false, dial.retryAfter
	}
	return false, 0
}

// connect makes one attempt: the handshake and the first message. Where the
// server refuses the session or the admin token that we came with, it tries once
// more without.
func (c *Client) connect(ctx context.Context) (*link, error) {
	ctx, cancel := context.WithTimeout(ctx, c.opt.DialTimeout)
	defer cancel()
	l, err := c.open(ctx)
	if errors.Is(err, errTokenRefused) {
		l, err = c.open(ctx)
	}
	return l, err
}

// errTokenRefused says that the token we came with was refused and forgotten.
var errTokenRefused = errors.New("token refused")

func (c *Client) open(ctx context.Context) (*link, error) {
	l, err := c.dial(ctx)
	if err != nil {
		return nil, err
	}
	if c.opt.Admin != nil {
		err = c.loginAdmin(ctx, l)
	} else {
		err = c.init(ctx, l)
	}
	if err != nil {
		l.cancel()
		_ = l.conn.CloseNow()
		return nil, err
	}
	return l, nil
}

// init sends core.init and takes over what it answers. A session that was to be
// resumed and isn't is given up for good.
func (c *Client) init(ctx context.Context, l *link) error {
	in := protocol.CoreInitParams{Scope: c.opt.Scope, Key: c.opt.Key, Session: c.sessionToken()}
	if c.opt.Info != (protocol.ClientInfo{}) {
		in.Client = &c.opt.Info
	}
	var out protocol.CoreInitResult
	err := l.first(ctx, protocol.CoreInit.Message, in, &out)
	if in.Session != "" && (isStatus(err, protocol.StatusSessionInvalid) || err == nil && out.User == nil) {
		c.expire()
	}
	if in.Session != "" && isStatus(err, protocol.StatusSessionInvalid) {
		return errTokenRefused
	}
	if err != nil {
		return err
	}
	l.interval = time.Duration(out.PingIntervalMS) * time.Millisecond
	c.mu.Lock()
	defer c.mu.Unlock()
	c.info = out
	if out.User != nil {
		c.logIn(out.User)
	}
	return nil
}

// adminPingInterval is what is taken for the server's ping interval on an
// admin's connection, whose first reply names none. Where it is wrong our own
// pings keep the connection.
const adminPingInterval = 25 * time.Second

// loginAdmin sends admin.login: with the token of the last one, which costs the
// server no password hash, or else as the options say.
func (c *Client) loginAdmin(ctx context.Context, l *link) error {
	in := *c.opt.Admin
	c.mu.Lock()
	again := c.admin.Token != ""
	if again {
		in = protocol.AdminLoginParams{Token: c.admin.Token}
	}
	c.mu.Unlock()

	var out protocol.AdminSession
	err := l.first(ctx, protocol.AdminLogin.Message, in, &out)
	if again && c.opt.Admin.Password != "" && isStatus(err, protocol.StatusSessionInvalid) {
		c.mu.Lock()
		c.admin.Token = ""
		c.mu.Unlock()
		return errTokenRefused
	}
	if err != nil {
		return err
	}
	l.interval = adminPingInterval
	c.mu.Lock()
	defer c.mu.Unlock()
	c.admin = out
	return nil
}

func isStatus(err error, s protocol.Status) bool { return errors.Is(err, &protocol.Error{Status: s}) }
