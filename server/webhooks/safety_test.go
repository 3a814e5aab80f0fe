package webhooks

import (
	"crypto/x509"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"rollcall/protocol"
	"rollcall/server/guard/guardtest"
	"rollcall/store"
)

var failedBefore = store.WebhookStep{ID: "op", Failures: 3, Retry: time.Millisecond}

func TestAURLIsCheckedBeforeItIsSet(t *testing.T) {
	for _, tt := range []struct {
		url           string
		strict, loose string // parts of the error without and with private addresses; empty: none
	}{
		{"https://hooks.example/in?token=1", "", ""},
		{"http://hooks.example", "https", ""}, // with private ones: its address decides when it is dialed
		{"http://127.0.0.1:9/x", "", ""},
		{"http://localhost:9/x", "", ""},
		{"https://192.168.1.4/x", "not public", ""},
		{"http://10.0.0.1/x", "https", ""},
		{"http://93.184.216.34/x", "https", "https"},
		{"https://169.254.169.254/latest", "not public", "not public"},
		{"https://[fd00:ec2::254]/latest", "not public", ""},
		{"https://user:pw@hooks.example", "password", "password"},
		{"file:///etc/passwd", "host", "host"},
		{"https://a.example\x00", "not a URL", "not a URL"},
	} {
		for private, want := range map[bool]string{false: tt.strict, true: tt.loose} {
			err := CheckURL(tt.url, private)
			if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
				t.Errorf("%q, private ones allowed %v: got %v, want %q", tt.url, private, err, want)
			}
		}
	}
}

// A configuration may be older than the rules, and a name may lead anywhere: what
// counts is the address that is dialed.
func TestAnAddressThatIsNotAllowedIsNotDialed(t *testing.T) {
	for url, want := range map[string]string{
		"https://10.255.255.1:1":      "the address is not allowed",
		"http://10.255.255.1:1":       "the address is not allowed",
		"https://169.254.169.254":     "the address is not allowed",
		"http://93.184.216.34":        "the address is not allowed", // plain HTTP stays inside
		"https://[::ffff:10.0.0.1]:1": "the address is not allowed",
		"http://0.0.0.0:1":            "the address is not allowed",
		"http://127.0.0.1:1":          "connection refused",
		"gopher://127.0.0.1:1":        "the connection failed",
	} {
		b := newBench(t)
		d := b.deliverer("n1", func(o *Options) { o.Backoff = func(int) time.Duration { return time.Hour } })
		w := b.set(theScope, url)
		d.Set(theScope, w)
		b.feed.add(theScope, "user.login", 1)
		eventually(t, "it is tried", func() bool { return len(b.state(theScope, w).Deliveries) == 1 })
		if a := b.state(theScope, w).Deliveries[0]; a.Error != want || a.HTTPStatus != 0 {
			t.Errorf("%s: %+v, want %q", url, a, want)
		}
		closeNow(d)
	}
}

func TestANameThatLeadsInsideIsNotDialed(t *testing.T) {
	inside := newReceiver(t, nil)
	_, port, _ := net.SplitHostPort(inside.Listener.Addr().String())
	resolver := guardtest.Names(t, map[string]string{"inside.example": "127.0.0.1", "lan.example": "10.0.0.1", "cloud.example": "169.254.169.254"})
	for url, private := range map[string]bool{
		"https://inside.example:" + port: false, "http://inside.example:" + port: true, "https://inside.example:" + port + "/": true,
		"https://lan.example": false, "http://lan.example": false, "https://cloud.example": true, "http://cloud.example": true,
	} {
		b := newBench(t)
		d := b.deliverer("n1", func(o *Options) {
			o.Resolver, o.Private = resolver, private
			o.Backoff = func(int) time.Duration { return time.Hour }
		})
		w := b.set(theScope, url)
		d.Set(theScope, w)
		b.feed.add(theScope, "user.login", 1)
		eventually(t, "it is tried", func() bool { return len(b.state(theScope, w).Deliveries) == 1 })
		if a := b.state(theScope, w).Deliveries[0]; a.Error != "the address is not allowed" {
			t.Errorf("%s, private ones allowed %v: %+v", url, private, a)
		}
		closeNow(d)
	}
	if len(inside.all()) != 0 {
		t.Error("a server on loopback was posted to by way of a name")
	}
}

func TestARedirectInsideIsNotFollowed(t *testing.T) {
	inside := newReceiver(t, nil)
	b := newBench(t)
	targets := []string{inside.URL, "http://10.0.0.1/", "https://169.254.169.254/latest", "//localhost/"}
	r := newReceiver(t, func(w http.ResponseWriter, req *http.Request, n int) {
		if n < len(targets) {
			http.Redirect(w, req, targets[n], http.StatusPermanentRedirect)
		}
	})
	d := b.deliverer("n1")
	w := b.set(theScope, r.URL)
	d.Set(theScope, w)
	b.feed.add(theScope, "user.login", 1)
	eventually(t, "it is taken in the end", func() bool { return len(r.taken()) == 1 })
	if n := len(inside.all()); n != 0 {
		t.Errorf("a redirect was followed %d times", n)
	}
	eventually(t, "that is noted", func() bool { return b.state(theScope, w).Position.Seq == 1 })
	if state := b.state(theScope, w); len(state.Deliveries) != len(targets)+1 || state.Deliveries[1].HTTPStatus != 308 {
		t.Errorf("attempts %+v", state.Deliveries)
	}
}

func TestOverTLSTheCertificateMustHold(t *testing.T) {
	b := newBench(t)
	r := &receiver{t: t}
	r.Server = httptest.NewUnstartedServer(r)
	r.Config.ErrorLog = log.New(io.Discard, "", 0)
	r.EnableHTTP2 = true
	r.StartTLS()
	t.Cleanup(r.Close)
	hourly := func(o *Options) { o.Backoff = func(int) time.Duration { return time.Hour } }

	d := b.deliverer("n1", hourly)
	w := b.set(theScope, r.URL)
	d.Set(theScope, w)
	b.feed.add(theScope, "user.login", 3)
	eventually(t, "it is tried", func() bool { return len(b.state(theScope, w).Deliveries) == 1 })
	if a := b.state(theScope, w).Deliveries[0]; a.Error != "the certificate is not valid" || len(r.all()) != 0 {
		t.Errorf("%+v", a)
	}
	closeNow(d)

	d = b.deliverer("n2", hourly, func(o *Options) {
		o.roots = x509.NewCertPool()
		o.roots.AddCert(r.Certificate())
	})
	d.Set(theScope, b.set(theScope, r.URL))
	eventually(t, "it came", func() bool { return len(r.taken()) == 3 })
}

// The log names an endpoint by its host; the end of every test looks for more.
func TestTheLogNamesTheHostAndNoMore(t *testing.T) {
	b := newBench(t)
	d := b.deliverer("n1")
	r := newReceiver(t, func(w http.ResponseWriter, _ *http.Request, n int) {
		if n == 0 {
			w.WriteHeader(http.StatusInternalServerError)
		}
	})
	d.Set(theScope, b.set(theScope, r.URL))
	b.feed.add(theScope, "user.login", 1)
	eventually(t, "it recovered", func() bool { return strings.Contains(b.logs.String(), "taken again") })
	if !strings.Contains(b.logs.String(), "host="+r.Listener.Addr().String()) {
		t.Error("the host is not named")
	}
	if !strings.Contains(r.all()[0].header.Get(protocol.HeaderSignature), "v1=") {
		t.Error("there is no signature to leak")
	}
}
