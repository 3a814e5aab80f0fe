package loadtest

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/gobwas/ws"
)

// hasty upgrades a connection, says something at once, echoes one frame as the
// result of request 1, and then closes.
func hasty(t *testing.T, from chan<- string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/ws" {
			http.Error(w, "full", http.StatusServiceUnavailable)
			return
		}
		from <- r.RemoteAddr
		nc, rw, _, err := ws.UpgradeHTTP(r, w)
		if err != nil {
			t.Error(err)
			return
		}
		defer nc.Close()
		ws.MustWriteFrame(nc, ws.NewTextFrame([]byte(`{"event":"early"}`)))
		h, err := ws.ReadHeader(rw)
		if err != nil {
			t.Error(err)
			return
		}
		payload := make([]byte, h.Length)
		_, _ = io.ReadFull(rw, payload)
		ws.Cipher(payload, h.Mask, 0)
		ws.MustWriteFrame(nc, ws.NewTextFrame([]byte(`{"id":1,"type":"t","result":`+string(payload)+`}`)))
	})
}

func TestAConnectionIsMadeFromItsSourceWithAndWithoutTLS(t *testing.T) {
	from := make(chan string, 1)
	plain := httptest.NewServer(hasty(t, from))
	defer plain.Close()
	secure := httptest.NewTLSServer(hasty(t, from))
	defer secure.Close()
	roots := x509.NewCertPool()
	roots.AddCert(secure.Certificate())
	for _, server := range []string{plain.URL, secure.URL} {
		u, err := socketURL(server)
		if err != nil {
			t.Fatal(err)
		}
		w := &worker{ctx: t.Context(), clock: newClock(), dialer: dialer{
			urls: []string{u.String()}, sources: []netip.Addr{netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("127.0.0.9")},
			tls: &tls.Config{RootCAs: roots},
		}}
		for k, source := range []string{"127.0.0.1", "127.0.0.9"} {
			c, err := w.dial(t.Context(), k)
			if err != nil {
				t.Fatal(err)
			}
			pushed := ""
			r, err := c.call(pending{op: opGet}, func(b []byte) []byte { return append(b, `{}`...) }, func(text []byte) { pushed += string(text) })
			if err != nil || string(r.result) != `{"id":1,"type":"users.get","data":{}}` || pushed != `{"event":"early"}` {
				t.Errorf("%s: %v, %s, pushed %s", server, err, r.result, pushed)
			}
			if host, _, _ := net.SplitHostPort(<-from); host != source {
				t.Errorf("%s: from %s, want %s", server, host, source)
			}
			if err := c.read(nil); err == nil || closeName(err) != "lost" {
				t.Errorf("%s: ends with %v", server, err)
			}
		}
	}
}

func TestARefusedConnectionIsCountedByItsCause(t *testing.T) {
	server := httptest.NewServer(hasty(t, make(chan string, 1)))
	url := "ws" + strings.TrimPrefix(server.URL, "http")
	for target, want := range map[string]string{url + "/full": "http 503", "ws://127.0.0.1:1/ws": "lost"} {
		d := dialer{urls: []string{target}}
		_, _, err := d.dial(t.Context(), 0)
		if err == nil || dialErrorName(err) != want {
			t.Errorf("%s: %v, counted as %q", target, err, dialErrorName(err))
		}
	}
	server.Close()
}
