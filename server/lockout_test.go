package server

import (
	"net/netip"
	"testing"
)

func TestAnAddressCountsWithItsNetwork(t *testing.T) {
	for a, want := range map[string]string{
		"203.0.113.7":          "203.0.113.7",
		"::ffff:203.0.113.7":   "203.0.113.7",
		"2001:db8:1:2:3:4:5:6": "2001:db8:1:2::/64",
		"2001:db8:1:2::":       "2001:db8:1:2::/64",
		"2001:db8:1:3:3:4:5:6": "2001:db8:1:3::/64",
		"fe80::1%eth0":         "fe80::/64",
	} {
		addr, err := netip.ParseAddr(a)
		if err != nil {
			t.Fatal(err)
		}
		if got := networkOf(addr); got != want {
			t.Errorf("%s counts as %s, want %s", a, got, want)
		}
	}
	if networkOf(netip.Addr{}) == "" {
		t.Error("no address has no name")
	}
}
