package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"rollcall/protocol"
	"rollcall/protocol/client"
)

// A running is a server under test, started as a whole program.
type running struct {
	t       *testing.T
	address string // host:port
	stop    func() (stderr string)
	mu      sync.Mutex
	stderr  bytes.Buffer
	found   chan string
}

// Write keeps what the server writes and looks for its address in the log.
func (r *running) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for line := range bytes.Lines(p) {
		var entry struct{ Msg, Address string }
		if json.Unmarshal(line, &entry) == nil && entry.Msg == "listening" {
			r.found <- entry.Address
		}
	}
	return r.stderr.Write(p)
}

// start runs a server with cheap hashes on a free port until stop is called or
// the test ends.
func start(t *testing.T, env func(string) (string, bool), args ...string) *running {
	t.Helper()
	return startAs(t, "", env, args...)
}

// startAs is start with the path of the program, by which it starts a hashing helper.
func startAs(t *testing.T, self string, env func(string) (string, bool), args ...string) *running {
	t.Helper()
	r := &running{t: t, found: make(chan string, 1)}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	args = append([]string{"serve", "--listen", "127.0.0.1:0", "--log-format", "json",
		"--outbox", t.TempDir(),
		"--hash-memory", "64", "--hash-time", "1", "--drain-timeout", "2s"}, args...)
	go func() { ended <- Program{Args: args, Env: env, Stderr: r, Self: self}.Run(ctx) }()
	r.stop = sync.OnceValue(func() string {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("serve: %v", err)
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		return r.stderr.String()
	})
	t.Cleanup(func() { r.stop() })
	select {
	case r.address = <-r.found:
	case err := <-ended:
		ended <- nil
		t.Fatalf("serve ended: %v\n%s", err, r.stderr.String())
	case <-time.After(30 * time.Second):
		t.Fatal("serve does not listen")
	}
	return r
}

// do runs a command against the server and returns its output; it must succeed.
func (r *running) do(args ...string) string {
	r.t.Helper()
	out, errOut, err := r.try("", args...)
	if err != nil {
		r.t.Fatalf("%q: %v\n%s", args, err, errOut)
	}
	return out
}

func (r *running) try(stdin string, args ...string) (stdout, stderr string, err error) {
	return run(r.t, Program{
		Args:  args,
		Env:   environ("ROLLCALL_SERVER", "ws://"+r.address, "ROLLCALL_ADMIN_PASSWORD", secretPassword),
		Stdin: strings.NewReader(stdin),
	})
}

// fails runs a command that must fail with a status and exit code 1.
func (r *running) fails(status protocol.Status, args ...string) {
	r.t.Helper()
	out, _, err := r.try("", args...)
	if !isStatus(err, status) || ExitCode(err) != 1 || out != "" {
		r.t.Errorf("%q: %v, exit code %d, output %q, want status %d", args, err, ExitCode(err), out, status)
	}
}

// wants checks that lines with these words, in their order, are in the output.
func wants(t *testing.T, out string, lines ...string) {
	t.Helper()
	var squeezed strings.Builder
	for line := range strings.Lines(out) {
		squeezed.WriteString(strings.Join(strings.Fields(line), " ") + "\n")
	}
	for _, line := range lines {
		if !strings.Contains(squeezed.String(), line+"\n") && !strings.Contains(squeezed.String(), line+" ") {
			t.Errorf("no %q in\n%s", line, out)
		}
	}
}

var admin = environ("ROLLCALL_ADMIN_PASSWORD", secretPassword, "ROLLCALL_KEY", secretKey)

func TestUsersAreManagedFromTheCommandLine(t *testing.T) {
	r := start(t, admin, "--scope", "Space Race")
	scope := []string{"--scope", "Space Race"}
	with := func(args ...string) []string { return append(args, scope...) }

	id := strings.TrimSpace(r.do(with("user", "create", "--username", "tiny", "--email", "tina@home.com", "--group", "red",
		"--password", "abcd1234", "--extra", "color=blue", "--extra", "level:=3", "--extra", "pro:=true")...))
	if !regexp.MustCompile(`^[0-9a-f-]{36}$`).MatchString(id) {
		t.Fatalf("create prints %q, want a user id", id)
	}
	wants(t, r.do("user", "get", id), "user_id "+id, "scope Space Race", "username tiny", "email tina@home.com", "group red",
		"active yes", `extra.color "blue"`, "extra.level 3", "extra.pro true", "logins 0", "sessions 0")
	if byID, byName := r.do("user", "get", id), r.do(with("user", "get", "TINY")...); byID != byName {
		t.Errorf("by id\n%s\nby username\n%s", byID, byName)
	}
	r.fails(protocol.StatusUserExists, with("user", "create", "--username", "Tiny")...)
	r.fails(protocol.StatusUserNotFound, with("user", "get", "tin")...)

	wants(t, r.do("user", "update", id, "--username", "huge", "--email", "", "--group", "green", "--no-active",
		"--extra", "color:=null", "--extra", "level:=4"), "username huge", "email -", "group green", "active no", "extra.level 4")
	if out := r.do("user", "get", id); strings.Contains(out, "extra.color") {
		t.Errorf("color is still there:\n%s", out)
	}
	wants(t, r.do(with("user", "update", "huge", "--active")...), "active yes", "username huge")

	for _, name := range []string{"hugo", "anna"} {
		r.do(with("user", "create", "--username", name)...)
	}
	out := r.do(with("user", "list")...)
	wants(t, out, "USER ID USERNAME EMAIL GROUP ACTIVE LOGINS CREATED", id+" huge - green yes 0")
	if anna, huge := strings.Index(out, "anna"), strings.Index(out, "huge"); anna < 0 || huge < anna {
		t.Errorf("not in the order of usernames:\n%s", out)
	}
	if out := r.do(with("user", "list", "--prefix", "hug", "--json")...); strings.Count(out, "\n") != 2 {
		t.Errorf("not two lines:\n%s", out)
	}
	if out := r.do(with("user", "list", "--limit", "1", "--json")...); strings.Count(out, "\n") != 1 {
		t.Errorf("not one line:\n%s", out)
	}

	wants(t, r.do(with("user", "delete", "huge")...), "deleted "+id)
	r.fails(protocol.StatusUserNotFound, "user", "delete", id)
	r.fails(protocol.StatusUserNotFound, "user", "get", id)
	r.fails(protocol.StatusScopeNotFound, "user", "list", "--scope", "nowhere")
}

func TestAPasswordSetFromTheCommandLineLogsIn(t *testing.T) {
	r := start(t, admin)
	login := func(username, password string) error {
		c, err := client.Dial(t.Context(), "ws://"+r.address, client.Options{Scope: "A", Key: secretKey})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		_, err = client.Call(t.Context(), c, protocol.UsersLogin,
			protocol.LoginParams{Username: username, Credentials: protocol.Credentials{Password: password}})
		return err
	}
	r.do("scope", "add", "A")
	r.do("user", "create", "--scope", "A", "--username", "tiny", "--password-file", writeFile(t, "pw", "first\n"))
	if err := login("tiny", "first"); err != nil {
		t.Errorf("the first password: %v", err)
	}
	if _, _, err := r.try("second\n", "user", "update", "tiny", "--scope", "A", "--password-file", "-"); err != nil {
		t.Error(err)
	}
	if err := login("tiny", "first"); !isStatus(err, protocol.StatusPasswordInvalid) {
		t.Errorf("the first password again: %v", err)
	}
	if err := login("tiny", "second"); err != nil {
		t.Errorf("the second password: %v", err)
	}
	wants(t, r.do("user", "get", "tiny", "--scope", "A"), "logins 2")
}

func TestScopesAreManagedFromTheCommandLine(t *testing.T) {
	r := start(t, admin, "--scope", "A")
	wants(t, r.do("scope", "add", "Space Race", "--permission", "users.get=any", "--sessions", "single"),
		"SCOPE CREATED KEY SESSIONS PERMISSIONS", "server's single users.get=any")
	wants(t, r.do("scope", "list"), "A", "Space Race")
	r.fails(protocol.StatusScopeExists, "scope", "add", "A")

	wants(t, r.do("scope", "permissions", "Space Race"), "METHOD WHO MEANING",
		"users.get any any client of the scope", "users.update self the user it names, logged")
	wants(t, r.do("scope", "permissions", "Space Race", "users.get=self", "users.create=off"),
		"users.get self", "users.create off nobody")
	var permissions map[string]string
	if out := r.do("scope", "permissions", "Space Race", "--json"); json.Unmarshal([]byte(out), &permissions) != nil ||
		permissions["users.create"] != protocol.PermitOff || permissions["users.get"] == protocol.PermitAny {
		t.Errorf("permissions %s", out)
	}
	r.fails(protocol.StatusScopeNotFound, "scope", "permissions", "nowhere")
	r.fails(protocol.StatusScopeNotFound, "scope", "permissions", "nowhere", "users.get=any")
}

func TestTheAdminPasswordMayComeFromStandardInput(t *testing.T) {
	r := start(t, admin)
	for password, want := range map[string]int{secretPassword: 0, "wrong": 1, "": 2} {
		_, errOut, err := run(t, Program{
			Args:  []string{"scope", "list"},
			Env:   environ("ROLLCALL_SERVER", "http://"+r.address),
			Stdin: strings.NewReader(password + "\n"),
		})
		if ExitCode(err) != want {
			t.Errorf("%d bytes: exit code %d, %v %s", len(password), ExitCode(err), err, errOut)
		}
	}
}

func TestWhatIsGeneratedAtTheFirstStartIsShownOnceAndWorks(t *testing.T) {
	data := filepath.Join(t.TempDir(), "users.db")
	first := start(t, environ(), "--data", data)
	address := first.address
	shown := regexp.MustCompile(`(?m)^(server key|password of admin): (\S+)  \(shown once; keep it\)$`).FindAllStringSubmatch(first.stderrNow(), -1)
	if len(shown) != 2 {
		t.Fatalf("want the key and the password:\n%s", first.stderrNow())
	}
	key, password := shown[0][2], shown[1][2]
	_, _, err := run(t, Program{Args: []string{"scope", "add", "A"}, Env: environ("ROLLCALL_SERVER", "ws://"+address, "ROLLCALL_ADMIN_PASSWORD", password)})
	if err != nil {
		t.Errorf("with the generated password: %v", err)
	}
	log := first.stop()
	if strings.Count(log, key) != 1 || strings.Count(log, password) != 1 {
		t.Errorf("a secret is in the log:\n%s", log)
	}

	second := start(t, environ(), "--data", data)
	c, err := client.Dial(t.Context(), "ws://"+second.address, client.Options{Scope: "A", Key: key, NoReconnect: true})
	if err != nil {
		t.Errorf("with the generated key after a restart: %v", err)
	} else {
		c.Close()
	}
	if log := second.stop(); strings.Contains(log, "shown once") {
		t.Errorf("shown twice:\n%s", log)
	}
}

func (r *running) stderrNow() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.stderr.String()
}

func TestTheLogHasNoSecret(t *testing.T) {
	r := start(t, admin, "--log-level", "debug", "--scope", "A")
	r.do("user", "create", "--scope", "A", "--username", "tiny", "--password", "p-5ecret")
	r.do("user", "update", "tiny", "--scope", "A", "--password", "q-5ecret")
	log := r.stop()
	for _, s := range []string{"5ecret", protocol.PasswordHash("A", "p-5ecret"), protocol.PasswordHash("A", "q-5ecret")} {
		if strings.Contains(log, s) {
			t.Errorf("%q is in the log:\n%s", s, log)
		}
	}
	if !strings.Contains(log, "embedded store") {
		t.Errorf("does not say what the embedded store is for:\n%s", log)
	}
}

// isStatus reports whether err is an answer of that status.
func isStatus(err error, status protocol.Status) bool {
	return errors.Is(err, &protocol.Error{Status: status})
}
