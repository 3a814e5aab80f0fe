package loadtest

import (
	"net"
	"net/netip"
	"net/url"
)

// Workers returns how many worker processes the plan has: the number it names, or
// as few as hold its connections.
func (p *Plan) Workers() int {
	if p.Processes > 0 {
		return p.Processes
	}
	return max(1, (p.Connections+MaxPerProcess-1)/MaxPerProcess)
}

// Addresses returns the source addresses of the plan: those it names, or, where
// all servers are on loopback, as many of 127.0.0.1 and its followers as keep
// below MaxPerSource for one server. Nil leaves the choice to the system.
func (p *Plan) Addresses() []netip.Addr {
	if len(p.Sources) > 0 {
		return p.Sources
	}
	for _, server := range p.Servers {
		if !onLoopback(server) {
			return nil
		}
	}
	perServer := MaxPerSource * max(1, len(p.Servers))
	n := max(1, (p.Connections+perServer-1)/perServer)
	addresses := make([]netip.Addr, n)
	for i := range addresses {
		addresses[i] = netip.AddrFrom4([4]byte{127, 0, byte((i + 1) >> 8), byte(i + 1)})
	}
	return addresses
}

// onLoopback reports whether a server's address is in 127.0.0.0/8, or the name
// that stands for it. An IPv6 server has one loopback address, ::1, only.
func onLoopback(server string) bool {
	u, err := socketURL(server)
	if err != nil {
		return false
	}
	return isLoopback(u)
}

func isLoopback(u *url.URL) bool {
	if u.Hostname() == "localhost" {
		return true
	}
	ip := net.ParseIP(u.Hostname())
	return ip.To4() != nil && ip.IsLoopback()
}
