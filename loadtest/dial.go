package loadtest

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/gobwas/ws"

	"rollcall/protocol"
)

// dialTimeout bounds one attempt to connect, handshake included.
const dialTimeout = 10 * time.Second

// A dialer opens connections to the servers in turn, from the source addresses
// in turn.
type dialer struct {
	urls    []string // with scheme ws or wss, and a path
	sources []netip.Addr
	tls     *tls.Config
}

// dial opens the k-th connection. What the server has sent behind its handshake
// comes back as early.
func (d *dialer) dial(ctx context.Context, k int) (nc net.Conn, early []byte, err error) {
	target := d.urls[k%len(d.urls)]
	var local net.Addr
	if len(d.sources) > 0 {
		// Servers first, so that each server sees every source.
		local = &net.TCPAddr{IP: d.sources[k/len(d.urls)%len(d.sources)].AsSlice()}
	}
	tcp := net.Dialer{LocalAddr: local, Control: bindLate, KeepAlive: -1}
	var raw *net.TCPConn
	up := ws.Dialer{
		Timeout:        dialTimeout,
		ReadBufferSize: 1024, WriteBufferSize: 1024,
		Protocols: []string{protocol.Subprotocol},
		TLSConfig: d.tls,
		NetDial: func(ctx context.Context, network, addr string) (net.Conn, error) {
			c, err := tcp.DialContext(ctx, network, addr)
			if err == nil {
				raw = c.(*net.TCPConn)
			}
			return c, err
		},
	}
	nc, buffered, _, err := up.Dial(ctx, target)
	if err != nil {
		return nil, nil, fmt.Errorf("connect to %s: %w", target, err)
	}
	// A port that this side closes first would stay taken for a minute
	// (TIME_WAIT), and one source has 28,232 of them.
	_ = raw.SetLinger(0)
	if buffered != nil {
		early = make([]byte, buffered.Buffered())
		_, _ = buffered.Read(early)
		ws.PutReader(buffered)
	}
	return nc, early, nil
}

// socketURL returns a server's address as that of its socket: http becomes ws,
// and where there is no path it is /ws.
func socketURL(raw string) (*url.URL, error) {
	if !strings.Contains(raw, "://") {
		raw = "ws://" + raw
	}
	u, err := url.Parse(raw)
	if err != nil {
		return nil, fmt.Errorf("server %q: not a URL", raw)
	}
	switch u.Scheme {
	case "http":
		u.Scheme = "ws"
	case "https":
		u.Scheme = "wss"
	case "ws", "wss":
	default:
		return nil, fmt.Errorf("server %q: the scheme must be ws, wss, http or https", raw)
	}
	if u.Hostname() == "" {
		return nil, fmt.Errorf("server %q: there is no host", raw)
	}
	if u.Path == "" || u.Path == "/" {
		u.Path = "/ws"
	}
	return u, nil
}

// dialErrorName is how a failed attempt to connect is counted: by the HTTP status
// where there was one.
func dialErrorName(err error) string {
	var status ws.StatusError
	var timeout net.Error
	switch {
	case errors.As(err, &status):
		return "http " + strconv.Itoa(int(status))
	case errors.As(err, &timeout) && timeout.Timeout(), errors.Is(err, context.DeadlineExceeded):
		return "timeout"
	}
	return "lost"
}
