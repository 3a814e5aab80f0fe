package main

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

// environ makes an environment of names and values.
func environ(pairs ...string) func(string) (string, bool) {
	m := map[string]string{}
	for i := 0; i < len(pairs); i += 2 {
		m[pairs[i]] = pairs[i+1]
	}
	return func(name string) (string, bool) { v, ok := m[name]; return v, ok }
}

// writeFile writes a file for one test and returns its name.
func writeFile(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// parseServe returns the settings of serve as they come out.
func parseServe(t *testing.T, env func(string) (string, bool), args ...string) (*serveCommand, *settings, error) {
	t.Helper()
	var cli commands
	_, s, err := Program{Args: append([]string{"serve"}, args...), Env: env}.withDefaults().parse(&cli)
	return &cli.Serve, s, err
}

func TestAFlagGoesBeforeTheEnvironmentBeforeTheFileBeforeTheDefault(t *testing.T) {
	no, yes := false, true
	for _, kind := range []struct {
		setting          string
		flag             []string
		env, file        string
		get              func(*serveCommand) any
		fromFlag         any
		fromEnv          any
		fromFile, absent any
	}{
		{"listen", []string{"--listen", "a:1"}, "b:2", `"c:3"`,
			func(c *serveCommand) any { return c.Listen }, "a:1", "b:2", "c:3", "127.0.0.1:7600"},
		{"node", []string{"--node=a"}, "b", "0123",
			func(c *serveCommand) any { return c.Node }, "a", "b", "0123", ""},
		{"key", []string{"--key", "a"}, "b", "007",
			func(c *serveCommand) any { return string(c.Key) }, "a", "b", "007", ""},
		{"ping-interval", []string{"--ping-interval", "1s"}, "2m", "3h",
			func(c *serveCommand) any { return c.PingInterval }, time.Second, 2 * time.Minute, 3 * time.Hour, 25 * time.Second},
		{"hash-queue", []string{"--hash-queue", "1"}, "2", "3",
			func(c *serveCommand) any { return c.HashQueue }, 1, 2, 3, 256},
		{"hash-memory", []string{"--hash-memory", "100"}, "200", "300",
			func(c *serveCommand) any { return c.HashMemory }, uint32(100), uint32(200), uint32(300), uint32(19456)},
		{"hash-threads", []string{"--hash-threads", "2"}, "3", "4",
			func(c *serveCommand) any { return c.HashThreads }, uint8(2), uint8(3), uint8(4), uint8(1)},
		{"require-password-hash", []string{"--require-password-hash"}, "false", "true",
			func(c *serveCommand) any { return c.RequirePasswordHash }, true, false, true, false},
		{"auto-scopes", []string{"--no-auto-scopes"}, "true", "false",
			func(c *serveCommand) any { return c.AutoScopes }, &no, &yes, &no, (*bool)(nil)},
		{"log-level", []string{"--log-level", "debug"}, "warn", "error",
			func(c *serveCommand) any { return c.LogLevel }, "debug", "warn", "error", "info"},
		{"scope", []string{"--scope", "A, B", "--scope", "C"}, `D, E\, F`, `["G, H", I]`,
			func(c *serveCommand) any { return c.Scope }, []string{"A, B", "C"}, []string{"D", "E, F"}, []string{"G, H", "I"}, []string(nil)},
		{"origin", []string{"--origin", "a"}, "b", "c, d", // one value is a list of one
			func(c *serveCommand) any { return c.Origin }, []string{"a"}, []string{"b"}, []string{"c, d"}, []string(nil)},
	} {
		t.Run(kind.setting, func(t *testing.T) {
			file := []string{"--config", writeFile(t, "c.yaml", kind.setting+": "+kind.file+"\n")}
			env := environ(envName(kind.setting), kind.env)
			for _, c := range []struct {
				name string
				env  func(string) (string, bool)
				args []string
				want any
				from source
			}{
				{"all three", env, append(file, kind.flag...), kind.fromFlag, fromFlag},
				{"flag and environment", env, kind.flag, kind.fromFlag, fromFlag},
				{"flag and file", environ(), append(file, kind.flag...), kind.fromFlag, fromFlag},
				{"environment and file", env, file, kind.fromEnv, fromEnv},
				{"environment", env, nil, kind.fromEnv, fromEnv},
				{"empty environment and file", environ(envName(kind.setting), ""), file, kind.fromFile, fromFile},
				{"file", environ(), file, kind.fromFile, fromFile},
				{"file named by the environment", environ("ROLLCALL_CONFIG", file[1]), nil, kind.fromFile, fromFile},
				{"none", environ(), nil, kind.absent, fromDefault},
			} {
				got, s, err := parseServe(t, c.env, c.args...)
				if err != nil {
					t.Errorf("%s: %v", c.name, err)
					continue
				}
				if v := kind.get(got); !reflect.DeepEqual(v, c.want) {
					t.Errorf("%s: %v, want %v", c.name, v, c.want)
				}
				if o := s.from[kind.setting]; o.source != c.from {
					t.Errorf("%s: said to come from %v", c.name, o)
				}
			}
		})
	}
}

func TestTheProcessEnvironmentIsNotReadBehindTheProgramsBack(t *testing.T) {
	t.Setenv("ROLLCALL_LISTEN", "elsewhere:1")
	got, _, err := parseServe(t, environ())
	if err != nil || got.Listen != "127.0.0.1:7600" {
		t.Errorf("listen %q, %v", got.Listen, err)
	}
}

func TestAMistakeInFileOrEnvironmentIsToldWithItsPlace(t *testing.T) {
	for _, c := range []struct{ name, file, want string }{
		{"unknown setting", "listen: a:1\n\nlisten-on: b:1\n", `c.yaml:3: unknown setting "listen-on"`},
		{"what belongs to the command line", "print-config: true\n", `c.yaml:1: unknown setting "print-config"`},
		{"config within config", "config: x\n", `c.yaml:1: unknown setting "config"`},
		{"twice", "listen: a:1\nlisten: b:1\n", "c.yaml:2: "},
		{"nested", "hash:\n  time: 2\n", `c.yaml:1: unknown setting "hash"`},
		{"mapping as value", "listen:\n  host: a\n", "c.yaml:1: listen: want a plain value or a list"},
		{"mapping in list", "scope:\n  - A\n  - b: c\n", "c.yaml:3: scope: an element of a list is a plain value"},
		{"list for one value", "node: a\nlisten: [a, b]\n", "c.yaml:2: takes one value, not a list"},
		{"wrong type", "\nping-interval: soon\n", "c.yaml:2: expected duration"},
		{"not one of", "log-format: xml\n", "c.yaml:1: must be one of text, json"},
		{"negative", "hash-memory: -1\n", "c.yaml:1: "},
		{"list at the top", "- listen\n", "c.yaml:1: want settings"},
		{"two documents", "listen: a:1\n---\nnode: b\n", "one document only"},
		{"not YAML", "listen: [a\n", "c.yaml:1: "},
	} {
		_, _, err := parseServe(t, environ(), "--config", writeFile(t, "c.yaml", c.file))
		if err == nil || !strings.Contains(err.Error(), c.want) || ExitCode(err) != 2 {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
	_, _, err := parseServe(t, environ("ROLLCALL_HASH_TIME", "two"))
	if err == nil || !strings.Contains(err.Error(), "ROLLCALL_HASH_TIME") || ExitCode(err) != 2 {
		t.Errorf("environment: %v", err)
	}
	_, _, err = parseServe(t, environ(), "--config", filepath.Join(t.TempDir(), "none.yaml"))
	if err == nil || ExitCode(err) != 2 {
		t.Errorf("missing file: %v", err)
	}
}

func TestAMistakeInTheFileShowsNoValueFromIt(t *testing.T) {
	for _, file := range []string{
		"key: hunter2\n key: [\n",
		"key: hunter2\nkey: hunter2\n",
		"key: {a: hunter2}\n",
		"key: \"hunter2\n",
		"key: [hunter2]\n",
		"hash-time: 1\nkey: hunter2\nlisten: [",
	} {
		_, _, err := parseServe(t, environ(), "--config", writeFile(t, "c.yaml", file))
		if err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: %v", file, err)
		}
	}
}

func TestAnEmptyFileOrSettingSetsNothing(t *testing.T) {
	for _, file := range []string{"", "# nothing\n", "---\n", "listen:\n", "listen: ~\n"} {
		got, _, err := parseServe(t, environ(), "--config", writeFile(t, "c.yaml", file))
		if err != nil || got.Listen != "127.0.0.1:7600" {
			t.Errorf("%q: listen %q, %v", file, got.Listen, err)
		}
	}
}

func TestOneFileServesServerAndTools(t *testing.T) {
	file := writeFile(t, "c.yaml", "listen: a:1\nserver: wss://example.com/ws\nadmin: ops\n")
	var cli commands
	_, _, err := Program{Args: []string{"user", "list", "--scope", "A", "--config", file}}.withDefaults().parse(&cli)
	if err != nil || cli.User.List.Server != "wss://example.com/ws" || cli.User.List.Admin != "ops" {
		t.Errorf("%+v, %v", cli.User.List, err)
	}
}
