package oauth

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"syscall"
	"time"
)

// A scope's configuration names URLs that this server then fetches, and an
// issuer's documents name more. So that none of them leads into the network
// around the server, URLs are checked before they are fetched and addresses
// when they are dialed, after the name was resolved.

const (
	maxRedirects     = 3
	maxResponseBytes = 512 << 10 // discovery documents and key sets are a few KiB
	maxHeaderBytes   = 64 << 10
)

// errConfig marks a failure that is the configuration's or the issuer's own, not
// the network's. Its text is fit for a client.
type errConfig string

func (e errConfig) Error() string { return string(e) }

const errAddress = errConfig("has an address that is not public")

// checkIssuerURL accepts what OpenID Connect Discovery 1.0 (section 3) does:
// https, without query and fragment; and http on loopback, for tests and
// development.
func checkIssuerURL(raw string, private bool) error {
	u, err := url.Parse(raw)
	if err != nil {
		return errConfig("is not a URL")
	}
	if u.RawQuery != "" || u.ForceQuery {
		return errConfig("must not have a query")
	}
	return checkURL(u, true, private)
}

// checkURL accepts https, and loopback by either scheme where loopbackOK. A
// host that is written as an address must be one that may be dialed.
func checkURL(u *url.URL, loopbackOK, private bool) error {
	host := u.Hostname()
	switch {
	case host == "" || u.Opaque != "":
		return errConfig("is not a URL with a host")
	case u.User != nil:
		return errConfig("must not hold a user or a password")
	case u.Fragment != "":
		return errConfig("must not have a fragment")
	case loopback(host):
		if !loopbackOK {
			return errAddress
		}
		if u.Scheme != "http" && u.Scheme != "https" {
			return errConfig("must be https")
		}
		return nil
	case u.Scheme != "https":
		return errConfig("must be https")
	}
	if addr, err := netip.ParseAddr(host); err == nil && !dialable(addr, private) {
		return errAddress
	}
	return nil
}

// loopback reports whether a URL's host names this machine by itself, not by
// what a resolver says.
func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Unmap().IsLoopback()
}

// Ranges that are not public, beside those that net/netip knows. From the IANA
// registries of special-purpose addresses (RFC 6890).
var (
	shared  = netip.MustParsePrefix("100.64.0.0/10") // RFC 6598, carriers' and clouds' inner networks
	special = []netip.Prefix{
		netip.MustParsePrefix("0.0.0.0/8"),
		netip.MustParsePrefix("192.0.0.0/24"),
		netip.MustParsePrefix("192.0.2.0/24"),
		netip.MustParsePrefix("198.18.0.0/15"),
		netip.MustParsePrefix("198.51.100.0/24"),
		netip.MustParsePrefix("203.0.113.0/24"),
		netip.MustParsePrefix("240.0.0.0/4"),
		netip.MustParsePrefix("64:ff9b::/96"), // these four lead to IPv4 addresses inside them
		netip.MustParsePrefix("64:ff9b:1::/48"),
		netip.MustParsePrefix("2001::/32"),
		netip.MustParsePrefix("2002::/16"),
		netip.MustParsePrefix("100::/64"),
		netip.MustParsePrefix("2001:db8::/32"),
		netip.MustParsePrefix("fec0::/10"),
	}
)

// dialable reports whether an address that is not meant to be loopback may be dialed.
func dialable(addr netip.Addr, private bool) bool {
	addr = addr.Unmap().WithZone("")
	if addr.IsPrivate() || shared.Contains(addr) {
		return private
	}
	if !addr.IsGlobalUnicast() {
		return false // unspecified, loopback, multicast, link-local
	}
	for _, p := range special {
		if p.Contains(addr) {
			return false
		}
	}
	return true
}

// clients returns the one for issuers and the one for Facebook, which share a
// transport.
func clients(given *http.Client, private bool, timeout time.Duration) (issuers, graph *http.Client) {
	var transport http.RoundTripper = guardedTransport(private, timeout)
	if given != nil {
		transport = given.Transport
		if transport == nil {
			transport = http.DefaultTransport
		}
	}
	transport = boundedTransport{transport}
	issuers = &http.Client{
		Transport: transport,
		Timeout:   timeout,
		CheckRedirect: func(req *http.Request, via []*http.Request) error {
			if len(via) > maxRedirects {
				return errConfig("redirects too often")
			}
			return checkURL(req.URL, loopback(via[0].URL.Hostname()), private)
		},
	}
	// A redirect would carry the URL, and the token in it, along as the Referer.
	graph = &http.Client{
		Transport:     transport,
		Timeout:       timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return issuers, graph
}

// guardedTransport dials what may be dialed. It uses no proxy: behind one, the
// address that is checked would be the proxy's.
func guardedTransport(private bool, timeout time.Duration) *http.Transport {
	guard := func(allowed func(netip.Addr) bool) *net.Dialer {
		return &net.Dialer{
			Timeout: timeout,
			// Called with each address before it is connected to, so a name that
			// resolves to something else the second time gains nothing.
			Control: func(_, address string, _ syscall.RawConn) error {
				ap, err := netip.ParseAddrPort(address)
				if err != nil {
					return fmt.Errorf("read dialed address: %w", err)
				}
				if !allowed(ap.Addr()) {
					return errAddress
				}
				return nil
			},
		}
	}
	inside := guard(func(a netip.Addr) bool { return a.Unmap().IsLoopback() })
	outside := guard(func(a netip.Addr) bool { return dialable(a, private) })
	return &http.Transport{
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			host, _, err := net.SplitHostPort(address)
			if err != nil {
				return nil, err
			}
			if loopback(host) {
				return inside.DialContext(ctx, network, address)
			}
			return outside.DialContext(ctx, network, address)
		},
		ForceAttemptHTTP2:      true,
		MaxIdleConns:           64,
		MaxIdleConnsPerHost:    8,
		IdleConnTimeout:        30 * time.Second,
		TLSHandshakeTimeout:    timeout,
		MaxResponseHeaderBytes: maxHeaderBytes,
	}
}

// A boundedTransport cuts bodies that are longer than maxResponseBytes, as
// counted after decompression: reading on is an error.
type boundedTransport struct{ next http.RoundTripper }

func (t boundedTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := t.next.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	resp.Body = http.MaxBytesReader(nil, resp.Body, maxResponseBytes)
	return resp, nil
}

func (t boundedTransport) CloseIdleConnections() {
	if c, ok := t.next.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}

// quiet returns an error's text for the log: without the URL that net/http puts
// around it, and short, since issuers' answers may be in it.
func quiet(err error) string {
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		err = wrapped.Err
	}
	const most = 200
	text := err.Error()
	if len(text) > most {
		text = text[:most] + "…"
	}
	return text
}
