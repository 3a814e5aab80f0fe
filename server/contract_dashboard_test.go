package server_test

import (
	"net"
	"strings"
	"testing"

	"rollcall/server"
)

func TestTheDashboardIsOnTheMainAddressOnly(t *testing.T) {
	n := start(t, func(c *server.Config) { c.OpsListen = "127.0.0.1:0" })
	for path, want := range map[string]int{"/admin": 200, "/admin/": 200, "/admin/index.html": 200, "/admin/none": 404} {
		if status, _ := n.get(path, nil); status != want {
			t.Errorf("%s: %d, want %d", path, status, want)
		}
	}
	ops := *n
	ops.addr = n.srv.OpsAddr().String()
	if status, _ := ops.get("/admin/", nil); status != 404 {
		t.Errorf("on the operators' address: %d", status)
	}
}

func TestTheLogSaysWhereTheDashboardIs(t *testing.T) {
	for name, tt := range map[string]struct{ listen, public, want string }{
		"on this machine":     {"127.0.0.1:0", "", "http://127.0.0.1:PORT/admin/"},
		"on every address":    {":0", "", "http://localhost:PORT/admin/"},
		"on every IPv4 one":   {"0.0.0.0:0", "", "http://localhost:PORT/admin/"},
		"behind a public URL": {"127.0.0.1:0", "https://accounts.example.com", "https://accounts.example.com/admin/"},
		"of one with a slash": {"127.0.0.1:0", "https://accounts.example.com/", "https://accounts.example.com/admin/"},
	} {
		t.Run(name, func(t *testing.T) {
			n := start(t, func(c *server.Config) { c.Listen, c.PublicURL = tt.listen, tt.public })
			_, port, _ := net.SplitHostPort(n.addr)
			want := "level=INFO msg=dashboard url=" + strings.Replace(tt.want, "PORT", port, 1) + "\n"
			await(t, "the log has "+want, func() bool { return n.logged(want) })
		})
	}
}
