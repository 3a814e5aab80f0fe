package main

import (
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

func TestProfilesAreServedToThisMachineAlone(t *testing.T) {
	var said strings.Builder
	stop, err := listenForDebug("127.0.0.1:0", slog.New(slog.NewTextHandler(&said, nil)))
	if err != nil {
		t.Fatal(err)
	}
	address := regexp.MustCompile(`address=(\S+)`).FindStringSubmatch(said.String())
	if address == nil {
		t.Fatalf("the log does not say where: %s", said.String())
	}
	get := func(path, host string) (int, string) {
		req, err := http.NewRequestWithContext(t.Context(), "GET", "http://"+address[1]+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		if host != "" {
			req.Host = host
		}
		resp, err := http.DefaultTransport.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, string(body)
	}
	if code, body := get("/debug/pprof/goroutine?debug=1", ""); code != http.StatusOK || !strings.Contains(body, "goroutine profile") {
		t.Errorf("%d %.100s", code, body)
	}
	for _, host := range []string{"localhost:6060", "[::1]:6060", "127.0.0.1"} {
		if code, _ := get("/debug/pprof/", host); code != http.StatusOK {
			t.Errorf("as %s: %d", host, code)
		}
	}
	if code, _ := get("/debug/pprof/", "evil.example:6060"); code != http.StatusNotFound {
		t.Errorf("under another name: %d", code)
	}
	if code, _ := get("/debug/pprof/cmdline", ""); code != http.StatusNotFound {
		t.Errorf("the arguments are shown: %d", code)
	}
	stop()
	http.DefaultTransport.(*http.Transport).CloseIdleConnections()
	if _, err := http.Get("http://" + address[1] + "/debug/pprof/"); err == nil {
		t.Error("it answers after its end")
	}
}

func TestADebugListenerElsewhereIsRefused(t *testing.T) {
	for _, address := range []string{":6060", "0.0.0.0:6060", "10.0.0.1:6060", "example.com:6060", "127.0.0.1"} {
		_, _, err := run(t, Program{Args: []string{"serve", "--debug-listen", address}})
		if ExitCode(err) != 2 || !strings.Contains(err.Error(), "debug-listen") {
			t.Errorf("%s: %v", address, err)
		}
	}
}

func TestAServerServesProfilesAndWritesItsOwn(t *testing.T) {
	profile := filepath.Join(t.TempDir(), "cpu")
	r := start(t, admin, "--debug-listen", "127.0.0.1:0", "--cpuprofile", profile)
	log := r.stop()
	if !strings.Contains(log, "listening for debugging") {
		t.Errorf("no debug listener in\n%s", log)
	}
	// A profile is compressed by gzip (RFC 1952).
	if text, err := os.ReadFile(profile); err != nil || !strings.HasPrefix(string(text), "\x1f\x8b") {
		t.Errorf("no profile: %v", err)
	}
	_, _, err := run(t, Program{Args: []string{"serve", "--cpuprofile", filepath.Join(profile, "x")}})
	if ExitCode(err) != 2 {
		t.Errorf("a file that can't be made: %v", err)
	}
}
