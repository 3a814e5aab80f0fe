// Package guard keeps requests that others have configured out of the network
// around the server. A scope's owner names URLs that this server then asks, and
// what it is told there names more; so URLs are checked before they are used,
// and addresses when they are dialed, after the name was resolved.
//
// It decides about addresses alone, and sends nothing itself.
package guard

import (
	"net/netip"
	"net/url"
)

// Rules say what may be reached besides https at public addresses.
type Rules struct {
	// Loopback lets a URL name this machine, by either scheme.
	Loopback bool
	// Private allows private addresses (RFC 1918, RFC 4193, RFC 6598). Link-local
	// ones, where clouds keep their metadata, stay refused.
	Private bool
	// PlainPrivate accepts http where Private is set. A [Transport] for plain HTTP
	// then connects to private addresses alone.
	PlainPrivate bool
}

// An Error is why a URL or an address was refused. Its text is fit for a client
// and goes behind the name of what was checked: "must be https".
type Error string

func (e Error) Error() string { return string(e) }

// ErrAddress refuses an address that is not public, or not allowed.
const ErrAddress = Error("has an address that is not public")

// CheckURL accepts https, and what the rules add. A host that is written as an
// address must be one that may be dialed.
func CheckURL(u *url.URL, r Rules) error {
	host := u.Hostname()
	switch {
	case host == "" || u.Opaque != "":
		return Error("is not a URL with a host")
	case u.User != nil:
		return Error("must not hold a user or a password")
	case u.Fragment != "":
		return Error("must not have a fragment")
	case Loopback(host):
		if !r.Loopback {
			return ErrAddress
		}
		if u.Scheme != "http" && u.Scheme != "https" {
			return Error("must be https")
		}
		return nil
	}
	plain := u.Scheme == "http" && r.Private && r.PlainPrivate
	if u.Scheme != "https" && !plain {
		return Error("must be https")
	}
	if addr, err := netip.ParseAddr(host); err == nil {
		if !Dialable(addr, r.Private) {
			return ErrAddress
		}
		if plain && !private(addr) {
			return Error("must be https")
		}
	}
	return nil
}

// Loopback reports whether a URL's host names this machine by itself, not by
// what a resolver says.
func Loopback(host string) bool {
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

// Dialable reports whether an address that is not meant to be loopback may be
// dialed, private ones where they are allowed.
func Dialable(addr netip.Addr, allowPrivate bool) bool {
	addr = addr.Unmap().WithZone("")
	if private(addr) {
		return allowPrivate
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

func private(addr netip.Addr) bool {
	addr = addr.Unmap().WithZone("")
	return addr.IsPrivate() || shared.Contains(addr)
}
