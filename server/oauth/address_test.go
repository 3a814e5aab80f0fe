package oauth

import (
	"errors"
	"strings"
	"testing"
	"time"

	"rollcall/server/guard"
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

func TestTheDialerRefusesAnAddressBeforeItConnects(t *testing.T) {
	transport := guardedTransport(false, 5*time.Second)
	for _, address := range []string{"10.255.255.1:443", "[fd00::1]:443", "169.254.169.254:80", "[::ffff:10.0.0.1]:443", "0.0.0.0:80"} {
		conn, err := transport.DialContext(t.Context(), "tcp", address)
		if err == nil {
			conn.Close()
		}
		if !errors.Is(err, guard.ErrAddress) {
			t.Errorf("%s: got %v, want it refused", address, err)
		}
	}
}
