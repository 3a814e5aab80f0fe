package store

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"rollcall/store/storetest"
)

// tlsPassword is the servers' in these tests.
const tlsPassword = "s3cr3t"

// tlsVariable tells the test binary to be a process that trusts other
// authorities than this one: Go reads SSL_CERT_FILE once in a process.
const tlsVariable = "ROLLCALL_STORE_TLS"

// A tlsCase is a URL and what opening it must lead to: an error with this text,
// or with none a store that works.
type tlsCase struct{ URL, Refused string }

// TestTLSProcess opens the stores that its parent names, when it is started as
// such a process; otherwise it does nothing.
func TestTLSProcess(t *testing.T) {
	text := os.Getenv(tlsVariable)
	if text == "" {
		return
	}
	var cases []tlsCase
	if err := json.Unmarshal([]byte(text), &cases); err != nil {
		t.Fatal(err)
	}
	for _, c := range cases {
		t.Run(safeURL(c.URL), func(t *testing.T) { c.check(t) })
	}
}

func (c tlsCase) check(t *testing.T) {
	if c.Refused == "" {
		s := openTest(t, Config{URL: c.URL})
		u := mustCreate(t, s, newUser("Tiny"))
		wantName(t, s, "tiny", u.ID)
		return
	}
	began := time.Now()
	s, err := Open(t.Context(), Config{URL: c.URL, Logger: quietLog})
	took := time.Since(began)
	if err == nil {
		s.Close()
		t.Fatal("opened")
	}
	if !errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), c.Refused) || took > 10*time.Second {
		t.Errorf("after %v: %v; want %q", took, err, c.Refused)
	}
	if strings.Contains(err.Error(), tlsPassword) {
		t.Errorf("the error shows the password: %v", err)
	}
}

// checkTrusting checks cases in a process that trusts ca instead of the
// authorities of the system.
func checkTrusting(t *testing.T, ca *storetest.CA, cases ...tlsCase) {
	t.Helper()
	text, err := json.Marshal(cases)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestTLSProcess$", "-test.timeout=60s", "-test.v")
	cmd.Env = append(os.Environ(), tlsVariable+"="+string(text), "SSL_CERT_FILE="+ca.File(), "SSL_CERT_DIR="+t.TempDir())
	out, err := cmd.CombinedOutput()
	if n := strings.Count(string(out), "--- PASS: TestTLSProcess/"); err != nil || n != len(cases) {
		t.Errorf("%d of %d passed: %v\n%s", n, len(cases), err, out)
	}
}

func TestAServersCertificateMustBeOfATrustedAuthorityAndForItsHost(t *testing.T) {
	t.Parallel()
	ours, other := storetest.NewCA(t), storetest.NewCA(t)
	good := storetest.RedisTLS(t, ours, "127.0.0.1", "requirepass", tlsPassword).URL()
	checkTrusting(t, ours,
		tlsCase{URL: good},
		tlsCase{URL: storetest.RedisTLS(t, ours, "redis.example", "requirepass", tlsPassword).URL(), Refused: "x509: "},
		tlsCase{URL: storetest.RedisTLS(t, other, "127.0.0.1", "requirepass", tlsPassword).URL(), Refused: "unknown authority"},
	)
	// And in this process, which trusts what the system trusts.
	tlsCase{URL: good, Refused: "unknown authority"}.check(t)
}

func TestSentinelsAndTheirServersMaySpeakTLS(t *testing.T) {
	t.Parallel()
	ca := storetest.NewCA(t)
	servers := storetest.SentinelTLS(t, ca, "requirepass", tlsPassword)
	checkTrusting(t, ca,
		tlsCase{URL: servers.URL()},
		tlsCase{URL: strings.Replace(servers.URL(), "rediss+", "redis+", 1), Refused: "unreachable"},
	)
	tlsCase{URL: servers.URL(), Refused: "unknown authority"}.check(t)
}

func TestAURLThatIsWrongAboutTLSFailsSoonAndClearly(t *testing.T) {
	t.Parallel()
	secure := storetest.RedisTLS(t, storetest.NewCA(t), "127.0.0.1", "requirepass", tlsPassword).URL()
	plain := storetest.Redis(t, "requirepass", tlsPassword).URL()
	for name, c := range map[string]tlsCase{
		"redis:// to a port that speaks TLS":     {strings.Replace(secure, "rediss:", "redis:", 1), "wants rediss"},
		"rediss:// to a port that speaks no TLS": {strings.Replace(plain, "redis:", "rediss:", 1), "wants redis "},
	} {
		t.Run(name, func(t *testing.T) { c.check(t) })
	}
}
