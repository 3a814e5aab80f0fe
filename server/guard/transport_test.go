package guard

import (
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"rollcall/server/guard/guardtest"
)

const patience = 10 * time.Second

func TestANameIsRefusedByTheAddressThatItResolvesTo(t *testing.T) {
	var asked atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1) }))
	defer server.Close()
	_, port, _ := net.SplitHostPort(server.Listener.Addr().String())
	resolver := guardtest.Names(t, map[string]string{
		"inside.example": "127.0.0.1", "lan.example": "10.255.255.1", "cloud.example": "169.254.169.254", "public.example": "8.8.8.8",
	})
	for _, o := range []Options{
		{Rules: Rules{Loopback: true}},
		{Rules: Rules{Loopback: true}, Plain: true},
		{Rules: Rules{Loopback: true, Private: true, PlainPrivate: true}},
		{Rules: Rules{Loopback: true, Private: true, PlainPrivate: true}, Plain: true},
	} {
		o.Timeout, o.Resolver = patience, resolver
		transport := Transport(o)
		hosts := []string{"inside.example", "cloud.example"}
		if !o.Rules.Private {
			hosts = append(hosts, "lan.example")
		}
		if o.Plain { // a name outside is for https
			hosts = append(hosts, "public.example")
		}
		for _, host := range hosts {
			conn, err := transport.DialContext(t.Context(), "tcp", net.JoinHostPort(host, port))
			if err == nil {
				conn.Close()
			}
			if !errors.Is(err, ErrAddress) {
				t.Errorf("%s by %+v: got %v, want it refused", host, o.Rules, err)
			}
		}
	}
	if asked.Load() != 0 {
		t.Error("a server on loopback was asked by way of a name")
	}
}

func TestLoopbackIsDialedWhereTheURLNamesIt(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	for _, loopback := range []bool{true, false} {
		transport := Transport(Options{Rules: Rules{Loopback: loopback}, Timeout: patience})
		conn, err := transport.DialContext(t.Context(), "tcp", server.Listener.Addr().String())
		if err == nil {
			conn.Close()
		}
		if (err == nil) != loopback || !loopback && !errors.Is(err, ErrAddress) {
			t.Errorf("loopback %v: %v", loopback, err)
		}
	}
}

func TestNoProxyIsUsed(t *testing.T) {
	if Transport(Options{}).Proxy != nil {
		t.Error("there is a proxy, whose address would be the one that is checked")
	}
}
