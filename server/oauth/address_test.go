package oauth

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"
)

func TestAnIssuersURLIsHTTPSAndPublicOrLoopback(t *testing.T) {
	tests := []struct {
		url  string
		want string // part of the error; empty: none
	}{
		{"https://accounts.google.com", ""},
		{"https://login.example/realms/game", ""},
		{"https://login.example:8443/", ""},
		{"https://93.184.216.34", ""},
		{"http://127.0.0.1:8080", ""},
		{"http://localhost:8080/realm", ""},
		{"http://[::1]:8080", ""},
		{"https://localhost", ""},
		{"http://login.example", "https"},
		{"ftp://localhost", "https"},
		{"file:///etc/passwd", "host"},
		{"gopher://login.example", "https"},
		{"login.example", "host"},
		{"https:login.example", "host"},
		{"", "host"},
		{"https://", "host"},
		{"https://user:secret@login.example", "password"},
		{"https://login.example/?x=1", "query"},
		{"https://login.example/?", "query"},
		{"https://login.example/#x", "fragment"},
		{"https://login.example\x00", "not a URL"},
		{"https://10.1.2.3", "not public"},
		{"https://192.168.1.1", "not public"},
		{"https://169.254.169.254", "not public"},
		{"https://0.0.0.0", "not public"},
		{"https://[fd00::1]", "not public"},
		{"https://[::ffff:10.0.0.1]", "not public"},
		{"https://[fe80::1%25eth0]", "not public"},
	}
	for _, tt := range tests {
		err := checkIssuerURL(tt.url, false)
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%q: got %v, want %q", tt.url, err, tt.want)
		}
	}
	if err := checkIssuerURL("https://10.1.2.3", true); err != nil {
		t.Errorf("a private issuer that is allowed: %v", err)
	}
	if err := checkIssuerURL("http://10.1.2.3", true); err == nil {
		t.Error("a private issuer by plain HTTP is let through")
	}
}

func TestOnlyPublicAddressesAreDialed(t *testing.T) {
	tests := []struct {
		address         string
		public, private bool // what may be dialed, without and with AllowPrivateIssuers
	}{
		{"8.8.8.8", true, true},
		{"2606:4700::1111", true, true},
		{"::ffff:8.8.8.8", true, true},
		{"10.0.0.1", false, true},
		{"172.16.0.1", false, true},
		{"172.32.0.1", true, true},
		{"192.168.0.1", false, true},
		{"100.64.0.1", false, true},
		{"fd12::1", false, true},
		{"::ffff:192.168.0.1", false, true},
		{"127.0.0.1", false, false},
		{"::1", false, false},
		{"0.0.0.0", false, false},
		{"::", false, false},
		{"0.1.2.3", false, false},
		{"169.254.169.254", false, false},
		{"fe80::1", false, false},
		{"fe80::1%lo", false, false},
		{"224.0.0.1", false, false},
		{"ff02::1", false, false},
		{"240.0.0.1", false, false},
		{"255.255.255.255", false, false},
		{"192.0.0.8", false, false},
		{"198.18.0.1", false, false},
		{"64:ff9b::a00:1", false, false},
		{"2002:a00:1::", false, false},
		{"::ffff:127.0.0.1", false, false},
	}
	for _, tt := range tests {
		addr := netip.MustParseAddr(tt.address)
		if got := dialable(addr, false); got != tt.public {
			t.Errorf("%s: dialable %v, want %v", tt.address, got, tt.public)
		}
		if got := dialable(addr, true); got != tt.private {
			t.Errorf("%s, private ones allowed: dialable %v, want %v", tt.address, got, tt.private)
		}
	}
}

func TestTheDialerRefusesAnAddressBeforeItConnects(t *testing.T) {
	transport := guardedTransport(false, 5*time.Second)
	for _, address := range []string{"10.255.255.1:443", "[fd00::1]:443", "169.254.169.254:80", "[::ffff:10.0.0.1]:443", "0.0.0.0:80"} {
		conn, err := transport.DialContext(t.Context(), "tcp", address)
		if err == nil {
			conn.Close()
		}
		if !errors.Is(err, errAddress) {
			t.Errorf("%s: got %v, want it refused", address, err)
		}
	}
}
