package main

import (
	"os"
	"runtime"
	"strings"
	"testing"
)

func TestTheHelperGetsNothingOfTheServersEnvironment(t *testing.T) {
	t.Setenv("ROLLCALL_KEY", secretKey)
	t.Setenv("ROLLCALL_REDIS", "redis://:"+secretRedis+"@localhost")
	cmd := Program{Self: "/a/rollcall", Stderr: os.Stderr}.helperCommand(1 << 20)()
	for _, variable := range cmd.Environ() {
		if !strings.HasPrefix(variable, "GOMEMLIMIT=") && !strings.HasPrefix(variable, "SYSTEMROOT=") {
			t.Errorf("it gets %s", variable)
		}
	}
	if got := strings.Join(cmd.Args, " "); got != "rollcall hash-helper" {
		t.Errorf("its arguments are %q", got)
	}
}

func TestWithoutAProgramToStartHashesAreMadeInTheProcess(t *testing.T) {
	if (Program{}).helperCommand(1<<20) != nil {
		t.Error("there is a helper")
	}
}

func TestTheHelperIsNoCommandForPeople(t *testing.T) {
	out, _, err := run(t, Program{Args: []string{"--help"}})
	if err != nil || strings.Contains(out, hashHelper) {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestWithAHelperTheSchedulerIsLeftAlone(t *testing.T) {
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{nil, {"--no-hash-helper"}} {
		before := runtime.GOMAXPROCS(0)
		r := startAs(t, exe, admin, append([]string{"--scope", "A", "--hash-workers", "3"}, args...)...)
		want := before
		if args != nil {
			want += 3
		}
		if now := runtime.GOMAXPROCS(0); now != want {
			t.Errorf("%v: GOMAXPROCS %d, want %d", args, now, want)
		}
		r.do("user", "create", "--scope", "A", "--username", "tiny", "--password-file", writeFile(t, "password", "abcd1234"))
		r.stop()
	}
}
