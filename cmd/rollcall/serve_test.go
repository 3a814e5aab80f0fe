package main

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

// run runs the program to its end and returns what it wrote.
func run(t *testing.T, p Program) (stdout, stderr string, err error) {
	t.Helper()
	var out, errOut bytes.Buffer
	p.Stdout, p.Stderr = &out, &errOut
	err = p.Run(t.Context())
	return out.String(), errOut.String(), err
}

const (
	secretKey      = "k-5ecret"
	secretPassword = "a-5ecret"
	secretRedis    = "r-5ecret"
)

func TestPrintConfigShowsWhereValuesComeFromAndNoSecret(t *testing.T) {
	file := writeFile(t, "rollcall.yaml", strings.Join([]string{
		"key: " + secretKey,
		"scope: [Space Race, \"A, B\"]",
		"drain-timeout: 5s",
	}, "\n"))
	passwordFile := writeFile(t, "password", secretPassword+"\n")
	out, errOut, err := run(t, Program{
		Args: []string{"serve", "--print-config", "--config", file, "--listen", ":7700", "--admin-password-file", passwordFile},
		Env: environ("ROLLCALL_REDIS", "redis+sentinel://app:"+secretRedis+"@h1:1,h2:2/m/3?sentinel_user=s&sentinel_password="+secretRedis,
			"ROLLCALL_MAX_CONNECTIONS", "100"),
	})
	if err != nil || errOut != "" {
		t.Fatalf("%v, stderr %q", err, errOut)
	}
	if strings.Contains(out, "5ecret") {
		t.Errorf("shows a secret:\n%s", out)
	}
	for _, want := range []string{
		`listen: ":7700" # flag`,
		`key: "***" # ` + file + ":1",
		`admin-password: "***" # ` + passwordFile,
		`redis: "redis+sentinel://app:***@h1:1,h2:2/m/3?sentinel_user=s&sentinel_password=***" # environment ROLLCALL_REDIS`,
		`scope: ["Space Race", "A, B"] # ` + file + ":2",
		`auto-scopes: false # default`,
		`drain-timeout: "5s" # ` + file + ":3",
		`max-connections: 100 # environment ROLLCALL_MAX_CONNECTIONS`,
		`node: "" # default: random`,
	} {
		if !strings.Contains(out, want+"\n") {
			t.Errorf("no line %q in\n%s", want, out)
		}
	}
}

func TestWhatPrintConfigPrintsIsAConfigurationFile(t *testing.T) {
	args := []string{"serve", "--print-config", "--scope", "it's: \"odd\" # no", "--node", "null", "--origin", "*.example.com"}
	first, _, err := run(t, Program{Args: args})
	if err != nil {
		t.Fatal(err)
	}
	again, _, err := run(t, Program{Args: []string{"serve", "--print-config", "--config", writeFile(t, "c.yaml", first)}})
	if err != nil {
		t.Fatal(err)
	}
	values := func(text string) (lines []string) {
		for line := range strings.Lines(text) {
			value, _, _ := strings.Cut(line, " # ")
			lines = append(lines, value)
		}
		return lines
	}
	a, b := values(first), values(again)
	if fmt.Sprint(a) != fmt.Sprint(b) {
		t.Errorf("read back it says\n%s\nwant\n%s", again, first)
	}
}

func TestAutoScopesFollowTheStore(t *testing.T) {
	for _, c := range []struct {
		args []string
		want string
	}{
		{nil, "auto-scopes: true # default"},
		{[]string{"--redis", "redis://localhost"}, "auto-scopes: false # default"},
		{[]string{"--redis", "redis://localhost", "--auto-scopes"}, "auto-scopes: true # flag"},
		{[]string{"--no-auto-scopes"}, "auto-scopes: false # flag"},
	} {
		out, _, err := run(t, Program{Args: append([]string{"serve", "--print-config"}, c.args...)})
		if err != nil || !strings.Contains(out, c.want+"\n") {
			t.Errorf("%v: %v, no %q in\n%s", c.args, err, c.want, out)
		}
	}
}

func TestMaskedURLsShowNoPassword(t *testing.T) {
	for raw, want := range map[secret]string{
		"":                                   "",
		"redis://localhost:6379/0":           "redis://localhost:6379/0",
		"redis://:5ecret@localhost:6379/0":   "redis://:***@localhost:6379/0",
		"redis://app:5ecret@localhost":       "redis://app:***@localhost",
		"rediss://app:5e@cret@localhost":     "rediss://app:***@localhost",
		"redis+cluster://app:5ecret@a:1,b:2": "redis+cluster://app:***@a:1,b:2",
		"redis+sentinel://a:5ecret@b/main?sentinel_password=5ecret": "redis+sentinel://a:***@b/main?sentinel_password=***",
		"redis://app:5ec/ret@localhost":                             masked, // not escaped: nobody knows what is what
		"redis://app:5ecret@localhost?x=5ecret":                     masked,
		"5ecret":                                                    masked,
	} {
		if got := maskURL(raw); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

func TestASecretIsMaskedHoweverItIsPrinted(t *testing.T) {
	s := secret("5ecret")
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "key", s)
	for _, text := range []string{fmt.Sprint(s), fmt.Sprintf("%v %+v %#v %q", s, s, s, s), fmt.Sprintf("%+v", connectFlags{adminFlags: adminFlags{AdminPassword: s}}), log.String()} {
		if strings.Contains(text, "5ecret") {
			t.Error(text)
		}
	}
}

func TestASecretMayComeFromAFile(t *testing.T) {
	read := writeFile(t, "key", "from the file\r\n")
	empty := writeFile(t, "empty", "\n")
	for _, c := range []struct {
		name string
		args []string
		env  func(string) (string, bool)
		file string
		want string // empty: refused
	}{
		{"flag", []string{"--key-file", read}, environ(), "", "from the file"},
		{"environment", nil, environ("ROLLCALL_KEY_FILE", read), "", "from the file"},
		{"configuration", nil, environ(), "key-file: " + read, "from the file"},
		{"file from a higher source", []string{"--key-file", read}, environ("ROLLCALL_KEY", "k"), "key: c", "from the file"},
		{"value from a higher source", []string{"--key", "k"}, environ("ROLLCALL_KEY_FILE", read), "", "k"},
		{"both from one source", []string{"--key", "k", "--key-file", read}, environ(), "", ""},
		{"both in the configuration", nil, environ(), "key: k\nkey-file: " + read, ""},
		{"no such file", []string{"--key-file", read + ".no"}, environ(), "", ""},
		{"empty file", []string{"--key-file", empty}, environ(), "", ""},
	} {
		args := c.args
		if c.file != "" {
			args = append(args, "--config", writeFile(t, "c.yaml", c.file))
		}
		cmd, s, err := parseServe(t, c.env, args...)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		got, err := s.secret("key", cmd.Key, cmd.KeyFile)
		if (err != nil) != (c.want == "") || string(got) != c.want {
			t.Errorf("%s: %q, %v", c.name, string(got), err)
		}
		if err != nil && ExitCode(err) != 2 {
			t.Errorf("%s: exit code %d", c.name, ExitCode(err))
		}
	}
}

func TestUsageErrorsExitWith2(t *testing.T) {
	const id = "289bc36e-0df7-44df-99b1-a6543c6f45eb"
	for _, c := range []struct{ line, want string }{
		{"", "expected one of"},
		{"serv", "unexpected argument serv"},
		{"serve --lisen a:1", "unknown flag --lisen"},
		{"serve extra", "unexpected argument"},
		{"serve --hash-time two", "hash-time"},
		{"serve --hash-time 0", "argon2id passes"},
		{"serve --log-level loud", "log-level"},
		{"serve --redis http://localhost", "redis"},
		{"serve --redis redis://localhost --data x", "leave one out"},
		{"serve --tls-cert x", "belong together"},
		{"serve --node my/node", "node: must be"},
		{"serve --autocert example.com", "autocert-dir"},
		{"serve --autocert example.com --autocert-dir x --tls-cert x --tls-key x", "leave one out"},
		{"serve --scope *", "scope"},
		{"serve --key k --key-file x", "both set"},
		{"user", "expected"},
		{"user get", "<user>"},
		{"user get tiny", "--scope"},
		{"user list", "--scope"},
		{"user list --scope A --order-by email", "order-by"},
		{"user list --scope A --limit -1", "limit"},
		{"user create --scope A --email nobody", "email"},
		{"user create --scope A --extra color", "KEY=TEXT"},
		{"user create --scope A --password a --password-file b", "password"},
		{"user create --scope A --password-file none", "read password"},
		{"user update " + id, "nothing to change"},
		{"user update " + id + " --extra a:=[1]", "nested"},
		{"user delete " + id, "no password"},
		{"scope add", "<name>"},
		{"scope add A --permission users.get", "METHOD=self"},
		{"scope add A --permission core.ping=any", "core.ping"},
		{"scope permissions A users.get=all", "self, any or off"},
		{"version extra", "unexpected argument"},
	} {
		out, _, err := run(t, Program{Args: strings.Fields(c.line)})
		if ExitCode(err) != 2 || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: exit code %d, %v, want %q", c.line, ExitCode(err), err, c.want)
		}
		if out != "" {
			t.Errorf("%q: writes to stdout: %q", c.line, out)
		}
	}
}

func TestHelpIsNoError(t *testing.T) {
	for _, line := range []string{"--help", "serve --help", "user --help", "user update --help", "scope permissions -h", "version --help"} {
		out, _, err := run(t, Program{Args: strings.Fields(line)})
		if err != nil || !strings.HasPrefix(out, "Usage: rollcall") {
			t.Errorf("%s: %v, %q", line, err, out)
		}
	}
}

func TestVersionSaysWhatRuns(t *testing.T) {
	out, _, err := run(t, Program{Args: []string{"version"}, Env: environ("ROLLCALL_CONFIG", "no such file")})
	if err != nil || !strings.HasPrefix(out, "rollcall ") {
		t.Errorf("%q, %v", out, err)
	}
}

func TestAServerThatIsNotThereIsAnErrorOfStatus1(t *testing.T) {
	_, _, err := run(t, Program{
		Args: []string{"scope", "list", "--server", "ws://127.0.0.1:1/ws"},
		Env:  environ("ROLLCALL_ADMIN_PASSWORD", secretPassword),
	})
	if ExitCode(err) != 1 || strings.Contains(err.Error(), secretPassword) {
		t.Errorf("%v", err)
	}
}

func TestAStorageThatIsNotThereIsAnErrorWithoutItsPassword(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var out, errOut bytes.Buffer
	err := Program{
		Args:   []string{"serve", "--listen", "127.0.0.1:0", "--redis", "redis://:" + secretRedis + "@127.0.0.1:1"},
		Stdout: &out, Stderr: &errOut,
	}.Run(ctx)
	if ExitCode(err) != 1 || strings.Contains(err.Error()+out.String()+errOut.String(), secretRedis) {
		t.Errorf("%v\n%s", err, errOut.String())
	}
}
