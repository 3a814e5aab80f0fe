package oauth

import (
	"errors"
	"net/http"
	"net/url"
	"time"

	"rollcall/server/guard"
)

// A scope's configuration names URLs that this server then fetches, and an
// issuer's documents name more. Package guard says which of them may be.

const (
	maxRedirects     = 3
	maxResponseBytes = 512 << 10 // discovery documents and key sets are a few KiB
	maxHeaderBytes   = 64 << 10
)

// errConfig marks a failure that is the configuration's or the issuer's own, not
// the network's. Its text is fit for a client.
type errConfig = guard.Error

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
	return guard.CheckURL(u, guard.Rules{Loopback: true, Private: private})
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
			return guard.CheckURL(req.URL, guard.Rules{Loopback: guard.Loopback(via[0].URL.Hostname()), Private: private})
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

// guardedTransport dials what may be dialed.
func guardedTransport(private bool, timeout time.Duration) *http.Transport {
	t := guard.Transport(guard.Options{Rules: guard.Rules{Loopback: true, Private: private}, Timeout: timeout})
	t.MaxIdleConns = 64
	t.MaxIdleConnsPerHost = 8
	t.MaxResponseHeaderBytes = maxHeaderBytes
	return t
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
