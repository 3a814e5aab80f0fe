package mail

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strconv"
	"strings"
)

// tlsMode says how the way to the mail server is encrypted.
type tlsMode string

const (
	tlsNone     tlsMode = "none"
	tlsStart    tlsMode = "starttls" // STARTTLS (RFC 3207), required
	tlsImplicit tlsMode = "implicit" // from the first byte (RFC 8314)
)

// parseURL fills in what the URL says. Its errors never hold the URL: a
// password may stand in it.
func (s *SMTP) parseURL(raw string) error {
	u, err := url.Parse(raw)
	if err != nil {
		return errors.New("cannot be parsed; a password's special characters must be percent-encoded")
	}
	s.tls = tlsStart
	port := "587" // submission, RFC 6409
	switch u.Scheme {
	case "smtp":
	case "smtps":
		s.tls = tlsImplicit
		port = "465" // RFC 8314, section 3.3
	default:
		return errors.New("must start with smtp:// or smtps://")
	}
	s.host = u.Hostname()
	if s.host == "" || strings.ContainsFunc(s.host, func(r rune) bool { return r <= ' ' || isControl(r) }) {
		return errors.New("has no host")
	}
	if p := u.Port(); p != "" {
		port = p
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return errors.New("port must be 1 to 65535")
	}
	s.addr = net.JoinHostPort(s.host, port)
	if u.Path != "" && u.Path != "/" || u.Fragment != "" || u.Opaque != "" {
		return errors.New("must end after the port, but for ?tls= and ?helo=")
	}
	if u.User != nil {
		s.user = u.User.Username()
		s.password, _ = u.User.Password()
		if s.user == "" || s.password == "" {
			return errors.New("user and password go together")
		}
		if hasControl(s.user) || hasControl(s.password) {
			return errors.New("user and password must not have control characters")
		}
	}
	if s.tls == tlsStart && s.user == "" && isLoopback(s.host) {
		s.tls = tlsNone
	}
	return s.parseQuery(u.RawQuery)
}

func (s *SMTP) parseQuery(raw string) error {
	query, err := url.ParseQuery(raw)
	if err != nil {
		return errors.New("query cannot be parsed")
	}
	for key, values := range query {
		v := values[len(values)-1]
		switch key {
		case "tls":
			switch mode := tlsMode(v); {
			case s.tls == tlsImplicit && mode != tlsImplicit:
				return errors.New("smtps:// is implicit TLS; leave tls= out")
			case mode == tlsNone && s.user != "":
				return errors.New("tls=none with a password would send it in the clear")
			case mode == tlsNone, mode == tlsStart, mode == tlsImplicit:
				s.tls = mode
			default:
				return errors.New("tls must be none, starttls or implicit")
			}
		case "helo":
			if v == "" || strings.ContainsFunc(v, func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
				return errors.New("helo must be a host name")
			}
			s.helo = v
		default:
			return fmt.Errorf("has an unknown option %q; there are tls and helo", key)
		}
	}
	return nil
}

// heloName is what the client calls itself where the URL does not say.
func heloName() string {
	name, err := os.Hostname()
	if err != nil || name == "" || strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
		return "localhost"
	}
	return name
}

func isLoopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}
