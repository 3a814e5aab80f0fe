package guard

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"syscall"
	"time"
)

// Options say how a transport connects.
type Options struct {
	Rules   Rules
	Timeout time.Duration // of a connection and of a TLS handshake, each
	// Plain makes a transport for http URLs alone: it connects to loopback, where
	// the URL names it, and to private addresses, where the rules allow http there.
	Plain bool
	// Resolver, if not nil, finds the addresses of names.
	Resolver *net.Resolver
}

// Transport returns a transport that connects where it may and nowhere else. It
// uses no proxy: behind one, the address that is checked would be the proxy's.
// The caller may set its bounds, but not its dialing.
func Transport(o Options) *http.Transport {
	guard := func(allowed func(netip.Addr) bool) *net.Dialer {
		return &net.Dialer{
			Timeout:  o.Timeout,
			Resolver: o.Resolver,
			// Called with each address before it is connected to, so a name that
			// resolves to something else the second time gains nothing.
			Control: func(_, address string, _ syscall.RawConn) error {
				ap, err := netip.ParseAddrPort(address)
				if err != nil {
					return fmt.Errorf("read dialed address: %w", err)
				}
				if !allowed(ap.Addr()) {
					return ErrAddress
				}
				return nil
			},
		}
	}
	inside := guard(func(a netip.Addr) bool { return o.Rules.Loopback && a.Unmap().IsLoopback() })
	outside := guard(func(a netip.Addr) bool {
		return Dialable(a, o.Rules.Private) && (!o.Plain || o.Rules.PlainPrivate && private(a))
	})
	return &http.Transport{
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			host, _, err := net.SplitHostPort(address)
			if err != nil {
				return nil, err
			}
			if Loopback(host) {
				return inside.DialContext(ctx, network, address)
			}
			return outside.DialContext(ctx, network, address)
		},
		TLSClientConfig:     &tls.Config{MinVersion: tls.VersionTLS12},
		ForceAttemptHTTP2:   true,
		TLSHandshakeTimeout: o.Timeout,
		IdleConnTimeout:     30 * time.Second,
	}
}
