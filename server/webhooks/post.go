package webhooks

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"syscall"
	"time"

	"rollcall/protocol"
	"rollcall/server/guard"
	"rollcall/store"
)

const (
	maxAnswerBytes = 4 << 10     // of a body that is read, so that the connection can be used again
	answerTime     = time.Second // for that
	maxHeaderBytes = 16 << 10
	maxIdle        = 64 // connections that are kept for the next batch

	// maxRetryAfter bounds how long an endpoint may ask to be left alone.
	maxRetryAfter = time.Hour
)

// CheckURL reports, in words for a client, why a URL can't be a webhook's. It is
// https at a public address, or this machine by either scheme; where private
// addresses are allowed, also http there.
func CheckURL(raw string, private bool) error {
	u, err := url.Parse(raw)
	if err != nil {
		return guard.Error("is not a URL")
	}
	return guard.CheckURL(u, rules(private))
}

func rules(private bool) guard.Rules {
	return guard.Rules{Loopback: true, Private: private, PlainPrivate: private}
}

// byScheme sends plain HTTP by a transport that stays inside.
type byScheme struct{ plain, secure *http.Transport }

func (t byScheme) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.URL.Scheme == "https" {
		return t.secure.RoundTrip(req)
	}
	return t.plain.RoundTrip(req)
}

func (t byScheme) CloseIdleConnections() {
	t.plain.CloseIdleConnections()
	t.secure.CloseIdleConnections()
}

func newClient(o Options) *http.Client {
	transport := func(plain bool) *http.Transport {
		t := guard.Transport(guard.Options{Rules: rules(o.Private), Plain: plain, Timeout: o.Timeout / 2, Resolver: o.Resolver})
		t.MaxIdleConns, t.MaxIdleConnsPerHost = maxIdle, 2
		t.MaxResponseHeaderBytes = maxHeaderBytes
		t.DisableCompression = true
		t.TLSClientConfig.RootCAs = o.roots
		return t
	}
	return &http.Client{
		Transport:     byScheme{transport(true), transport(false)},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// An answer is what came of one POST: an HTTP status, or a reason why there is none.
type answer struct {
	status     int
	reason     string
	retryAfter time.Duration
	took       time.Duration
}

func (a answer) taken() bool { return a.status >= 200 && a.status < 300 }

// post sends a body once.
func (d *Deliverer) post(ctx context.Context, w *store.Webhook, id string, body []byte) answer {
	ctx, cancel := context.WithTimeout(ctx, d.opts.Timeout)
	defer cancel()
	begun := time.Now()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.URL, bytes.NewReader(body))
	if err != nil {
		return answer{reason: "the URL is not usable"}
	}
	timestamp := strconv.FormatInt(begun.Unix(), 10)
	req.Header = http.Header{
		"Content-Type":           {"application/json"},
		"User-Agent":             {d.opts.UserAgent},
		protocol.HeaderDelivery:  {id},
		protocol.HeaderTimestamp: {timestamp},
		protocol.HeaderSignature: {protocol.SignWebhook(w.Secret, timestamp, body)},
		// Not sent: it lets net/http use another connection where an idle one
		// turns out to be closed. A delivery's id makes it safe to repeat.
		"Idempotency-Key": {},
	}
	resp, err := d.client.Do(req)
	if err != nil {
		return answer{reason: reason(err), took: time.Since(begun)}
	}
	a := answer{status: resp.StatusCode, took: time.Since(begun)}
	if !a.taken() {
		a.retryAfter = retryAfter(resp.Header.Get("Retry-After"), time.Now())
	}
	if a.status >= 300 && a.status < 400 {
		a.reason = "redirects are not followed"
	}
	hurry := time.AfterFunc(answerTime, cancel)
	_, _ = io.CopyN(io.Discard, resp.Body, maxAnswerBytes) // what counts is the status
	hurry.Stop()
	_ = resp.Body.Close()
	return a
}

// reason returns why there was no answer, in words that hold nothing of the URL.
func reason(err error) string {
	var timeout net.Error
	if dns, ok := errors.AsType[*net.DNSError](err); ok && !dns.IsTimeout {
		return "the host's name does not resolve"
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return "the certificate is not valid"
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		return "no TLS is spoken there"
	}
	switch {
	case errors.Is(err, guard.ErrAddress):
		return "the address is not allowed"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "connection refused"
	case errors.As(err, &timeout) && timeout.Timeout():
		return "no answer in time"
	}
	return "the connection failed"
}

// retryAfter reads the header of that name (RFC 9110, section 10.2.3): seconds or
// a date. What can't be read is no wait.
func retryAfter(header string, now time.Time) time.Duration {
	wait := time.Duration(0)
	if seconds, err := strconv.ParseUint(header, 10, 31); err == nil {
		wait = time.Duration(seconds) * time.Second
	} else if date, err := http.ParseTime(header); err == nil {
		wait = date.Sub(now)
	}
	return min(max(wait, 0), maxRetryAfter)
}

// host is how an endpoint is named in the log.
func host(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return ""
	}
	return u.Host
}
