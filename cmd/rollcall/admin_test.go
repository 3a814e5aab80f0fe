package main

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"

	"rollcall/protocol"
)

// as runs a command as another admin.
func (r *running) as(name, password, stdin string, args ...string) (stdout string, err error) {
	r.t.Helper()
	stdout, _, err = run(r.t, Program{
		Args:  args,
		Env:   environ("ROLLCALL_SERVER", "ws://"+r.address, "ROLLCALL_ADMIN", name, "ROLLCALL_ADMIN_PASSWORD", password),
		Stdin: strings.NewReader(stdin),
	})
	return stdout, err
}

func TestAdminsAreManagedFromTheCommandLine(t *testing.T) {
	r := start(t, admin, "--scope", "A")
	file := writeFile(t, "pw", "n-5ecret1\n")
	wants(t, r.do("admin", "add", "ops", "--role", "operator", "--scope", "A", "--scope", "B, C", "--password-file", file),
		"NAME ROLE SCOPES CREATED", "ops operator A, B, C")
	wants(t, r.do("admin", "list"), "admin owner all", "ops operator A, B, C")
	if out := r.do("admin", "list", "--json"); strings.Count(out, "\n") != 2 || !strings.Contains(out, `"scopes":["A","B, C"]`) {
		t.Errorf("as JSON:\n%s", out)
	}
	r.fails(protocol.StatusUserExists, "admin", "add", "ops", "--role", "viewer", "--password-file", file)
	out, err := r.as("ops", "n-5ecret1", "", "scope", "list")
	if err != nil {
		t.Error(err)
	}
	wants(t, out, "A")

	// His own password, from standard input; then by an owner.
	if _, err := r.as("ops", "n-5ecret1", "m-5ecret1\n", "admin", "passwd", "--password-file", "-"); err != nil {
		t.Error(err)
	}
	if _, err := r.as("ops", "n-5ecret1", "", "scope", "list"); !isStatus(err, protocol.StatusPasswordInvalid) {
		t.Errorf("the old password: %v", err)
	}
	if _, err := r.as("ops", "m-5ecret1", "x-5ecret1", "admin", "passwd", "admin", "--password-file", "-"); !isStatus(err, protocol.StatusNotPermitted) {
		t.Errorf("another's password: %v", err)
	}
	wants(t, r.do("admin", "passwd", "ops", "--password-file", file), "ops operator")
	if _, err := r.as("ops", "n-5ecret1", "", "scope", "list"); err != nil {
		t.Errorf("the password that an owner set: %v", err)
	}

	wants(t, r.do("admin", "remove", "ops"), "removed ops")
	r.fails(protocol.StatusUserNotFound, "admin", "remove", "ops")
	r.fails(protocol.StatusUserNotFound, "admin", "passwd", "ops", "--password-file", file)
	r.fails(protocol.StatusNotPermitted, "admin", "remove", "admin")
}

func TestAGeneratedPasswordIsPrintedOnceAndWorks(t *testing.T) {
	r := start(t, admin)
	shown := regexp.MustCompile(`(?m)^password of ops: (\S{20,})  \(shown once; keep it\)$`).FindStringSubmatch(r.do("admin", "add", "ops", "--role", "owner", "--generate"))
	if len(shown) != 2 {
		t.Fatal("no password is shown")
	}
	out, err := r.as("ops", shown[1], "", "admin", "passwd", "--generate", "--json")
	var printed struct{ Name, Role, Password string }
	if err != nil || json.Unmarshal([]byte(out), &printed) != nil || printed.Name != "ops" || printed.Password == shown[1] || len(printed.Password) < 20 {
		t.Fatalf("%v, %s", err, out)
	}
	if _, err := r.as("ops", printed.Password, "", "admin", "list"); err != nil {
		t.Error(err)
	}
}

func TestMistakesAboutAdminsAndScopesAreFoundBeforeTheServerIsAsked(t *testing.T) {
	for _, args := range [][]string{
		{"admin", "add", "ops"},
		{"admin", "add", "ops", "--role", "king", "--generate"},
		{"admin", "add", " ", "--role", "viewer", "--generate"},
		{"admin", "add", "ops", "--role", "viewer", "--scope", "*", "--generate"},
		{"admin", "add", "ops", "--role", "viewer"}, // no terminal to ask on
		{"admin", "add", "ops", "--role", "viewer", "--password-file", "-"},
		{"admin", "add", "ops", "--role", "viewer", "--password-file", "x", "--generate"},
		{"admin", "passwd"},
		{"admin", "remove"},
		{"scope", "remove", "A"}, // no terminal to confirm on
		{"scope", "set", "A"},
		{"scope", "set", "A", "--sessions", "few"},
		{"scope", "set", "A", "--key", "k", "--clear-key"},
		{"scope", "set", "A", "--from-email", "nobody"},
		{"scope", "set", "A", "--from-email", "a@b.c", "--clear-from-emails"},
		{"scope", "set", "A", "--webhook-event", "user.login"},
		{"scope", "set", "A", "--webhook-secret", "sixteen-characters"},
		{"scope", "set", "A", "--webhook", "https://example.com", "--webhook-event", "user.sneezed"},
		{"scope", "set", "A", "--webhook", "https://example.com", "--webhook-secret", "short"},
		{"scope", "set", "A", "--webhook", "https://example.com", "--clear-webhook"},
		{"scope", "provider", "A", "google"},
		{"scope", "provider", "A", "google", "--mode", "guess"},
		{"scope", "provider", "A", "google", "--remove", "--client-id", "x"},
	} {
		out, _, err := run(t, Program{
			Args:  args,
			Env:   environ("ROLLCALL_SERVER", "ws://127.0.0.1:1", "ROLLCALL_ADMIN_PASSWORD", secretPassword),
			Stdin: strings.NewReader("short\n"),
		})
		if ExitCode(err) != 2 || out != "" {
			t.Errorf("%q: exit code %d, %v, output %q", args, ExitCode(err), err, out)
		}
	}
}

func TestAScopesSettingsAreChangedAndShown(t *testing.T) {
	r := start(t, admin, "--scope", "A")
	wants(t, r.do("scope", "show", "A"), "scope A", "key the server's", "sessions many", "hide_unknown no", "reauth no", "confirm_email no", "from_emails -", "permissions default")
	out, _, err := r.try("the-scopes-key\n", "scope", "set", "A", "--sessions", "single", "--key-file", "-", "--hide-unknown", "--reauth", "--confirm-email",
		"--from-email", "a@home.com", "--from-email", "b@home.com")
	if err != nil {
		t.Fatal(err)
	}
	wants(t, out, "key its own", "sessions single", "hide_unknown yes", "reauth yes", "confirm_email yes", "from_emails a@home.com, b@home.com")
	wants(t, r.do("scope", "set", "A", "--clear-key", "--no-reauth", "--clear-from-emails"), "key the server's", "sessions single", "hide_unknown yes", "reauth no", "from_emails -")
	r.fails(protocol.StatusScopeNotFound, "scope", "set", "nowhere", "--reauth")
	r.fails(protocol.StatusScopeNotFound, "scope", "show", "nowhere")

	r.do("scope", "permissions", "A", "users.get=any")
	wants(t, r.do("scope", "provider", "A", "google", "--client-id", "one", "--client-id", "two"), "provider google verify; client ids one, two")
	wants(t, r.do("scope", "provider", "A", "studio", "--issuer", "https://login.example.com", "--client-id", "x", "--mode", "trust"),
		"provider studio trust; issuer https://login.example.com; client ids x")
	out, _, err = r.try("the-app-5ecret\n", "scope", "provider", "A", "facebook", "--client-id", "998", "--app-secret-file", "-")
	if err != nil || strings.Contains(out, "5ecret") {
		t.Errorf("%v\n%s", err, out)
	}
	r.do("scope", "provider", "A", "openudid")
	wants(t, r.do("scope", "provider", "A", "google", "--remove"), "provider facebook verify; client ids 998", "provider openudid verify")
	out = r.do("scope", "show", "A")
	wants(t, out, "permissions users.get=any", "provider studio trust; issuer https://login.example.com; client ids x")
	if strings.Contains(out, "google") {
		t.Errorf("google is still there:\n%s", out)
	}
	var scope protocol.Scope
	if err := json.Unmarshal([]byte(r.do("scope", "show", "A", "--json")), &scope); err != nil || scope.Sessions != protocol.SessionsSingle || len(scope.Providers) != 3 {
		t.Errorf("as JSON: %+v, %v", scope, err)
	}

	r.do("user", "create", "--scope", "A", "--username", "tiny")
	r.fails(protocol.StatusNotPermitted, "scope", "remove", "A", "--yes")
	r.do("user", "delete", "--scope", "A", "tiny")
	wants(t, r.do("scope", "remove", "A", "--yes"), "removed A")
	r.fails(protocol.StatusScopeNotFound, "scope", "remove", "A", "--yes")
}

func TestAWebhookIsSetShownAndCleared(t *testing.T) {
	r := start(t, admin, "--scope", "A")
	shown := regexp.MustCompile(`(?m)^secret of the webhook: (\S{16,})  \(shown once; keep it\)$`)
	out := r.do("scope", "set", "A", "--webhook", "http://127.0.0.1:9/hook", "--webhook-event", "user.banned", "--webhook-event", "user.deleted")
	wants(t, out, "webhook http://127.0.0.1:9/hook", "webhook events user.banned, user.deleted")
	if !shown.MatchString(out) {
		t.Errorf("no secret is shown:\n%s", out)
	}
	if out := r.do("scope", "show", "A"); shown.MatchString(out) {
		t.Errorf("the secret is shown again:\n%s", out)
	}
	if out := r.do("scope", "set", "A", "--clear-webhook"); strings.Contains(out, "webhook") {
		t.Errorf("it is still there:\n%s", out)
	}
}

// What is asked of the server about a webhook, which keeps and posts it.
func TestAWebhooksFlagsAreTakenAsTheyAre(t *testing.T) {
	params := func(change func(*scopeSet)) protocol.ScopeParams {
		t.Helper()
		ss := &scopeSet{}
		ss.Name = "A"
		change(ss)
		if !ss.changes() {
			t.Error("counts as no change")
		}
		p, err := ss.params(Program{Stdin: strings.NewReader("sixteen-characters\n")})
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	hook := params(func(ss *scopeSet) {
		ss.Webhook, ss.WebhookEvent, ss.WebhookSecretFile = "https://example.com/hook", []string{"user.login"}, "-"
	}).Webhook
	if hook == nil || hook.URL != "https://example.com/hook" || hook.Secret != "sixteen-characters" || len(hook.Events) != 1 {
		t.Errorf("got %+v", hook)
	}
	if hook := params(func(ss *scopeSet) { ss.ClearWebhook = true }).Webhook; hook == nil || hook.URL != "" {
		t.Errorf("to clear it, %+v", hook)
	}
	if hook := params(func(ss *scopeSet) { ss.Reauth = new(true) }).Webhook; hook != nil {
		t.Errorf("got %+v unasked", hook)
	}
	var out strings.Builder
	scope := protocol.Scope{Name: "A", Webhook: &protocol.WebhookConfig{URL: "https://example.com/hook", Secret: "made-by-the-server"}}
	if err := printScope(&out, scope, false); err != nil {
		t.Fatal(err)
	}
	wants(t, out.String(), "webhook https://example.com/hook", "webhook events all", "secret of the webhook: made-by-the-server (shown once; keep it)")
}
