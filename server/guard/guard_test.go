package guard

import (
	"errors"
	"net/netip"
	"net/url"
	"strings"
	"testing"
)

func TestOnlyPublicAddressesAreDialed(t *testing.T) {
	tests := []struct {
		address         string
		public, private bool // what may be dialed, without private ones and with them
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
		if got := Dialable(addr, false); got != tt.public {
			t.Errorf("%s: dialable %v, want %v", tt.address, got, tt.public)
		}
		if got := Dialable(addr, true); got != tt.private {
			t.Errorf("%s, private ones allowed: dialable %v, want %v", tt.address, got, tt.private)
		}
	}
}

func TestAURLIsHTTPSUnlessTheRulesSayMore(t *testing.T) {
	strict, loop := Rules{}, Rules{Loopback: true}
	private, plain := Rules{Private: true}, Rules{Loopback: true, Private: true, PlainPrivate: true}
	tests := []struct {
		url   string
		rules Rules
		want  string // part of the error; empty: none
	}{
		{"https://hooks.example/in?token=1", strict, ""},
		{"https://93.184.216.34", strict, ""},
		{"http://hooks.example", strict, "https"},
		{"http://hooks.example", loop, "https"},
		{"http://127.0.0.1:1", strict, "not public"},
		{"http://127.0.0.1:1", loop, ""},
		{"http://localhost", loop, ""},
		{"ftp://localhost", loop, "https"},
		{"https://10.0.0.1", strict, "not public"},
		{"https://10.0.0.1", private, ""},
		{"http://10.0.0.1", private, "https"},
		{"http://10.0.0.1", plain, ""},
		{"http://hooks.internal", plain, ""}, // its address is looked at when it is dialed
		{"http://93.184.216.34", plain, "https"},
		{"https://169.254.169.254", plain, "not public"},
		{"http://[fe80::1]", plain, "not public"},
		{"gopher://hooks.internal", plain, "https"},
		{"https://user:pw@hooks.example", plain, "password"},
		{"https://hooks.example/#x", plain, "fragment"},
		{"https:hooks.example", plain, "host"},
		{"/hooks", plain, "host"},
	}
	for _, tt := range tests {
		u, err := url.Parse(tt.url)
		if err != nil {
			t.Fatal(err)
		}
		err = CheckURL(u, tt.rules)
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%q by %+v: got %v, want %q", tt.url, tt.rules, err, tt.want)
		}
		if _, ours := errors.AsType[Error](err); err != nil && !ours {
			t.Errorf("%q: %T is no Error", tt.url, err)
		}
	}
}
