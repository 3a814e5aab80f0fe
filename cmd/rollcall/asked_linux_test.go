package main

import (
	"os"
	"strings"
	"testing"
)

// typed runs a command with somebody at a terminal, who types the lines as they
// are asked for, and returns the output and what the terminal has shown.
func (r *running) typed(env func(string) (string, bool), lines []string, args ...string) (stdout, stderr string, err error) {
	r.t.Helper()
	screen, program := openTerminal(r.t)
	asked := &prompts{lines: lines, screen: screen}
	var out strings.Builder
	err = Program{Args: args, Env: env, Stdin: program, Stdout: &out, Stderr: asked}.Run(r.t.Context())
	if len(asked.lines) > 0 && err == nil {
		r.t.Errorf("%q: nobody asked for %q", args, asked.lines)
	}
	return out.String(), asked.text.String(), err
}

// prompts answers what is asked.
type prompts struct {
	lines  []string
	screen *os.File
	text   strings.Builder
}

func (p *prompts) Write(b []byte) (int, error) {
	p.text.Write(b)
	if strings.HasSuffix(string(b), ": ") && len(p.lines) > 0 {
		line := p.lines[0]
		p.lines = p.lines[1:]
		if _, err := p.screen.WriteString(line + "\n"); err != nil {
			return 0, err
		}
	}
	return len(b), nil
}

func (r *running) env(pairs ...string) func(string) (string, bool) {
	return environ(append([]string{"ROLLCALL_SERVER", "ws://" + r.address}, pairs...)...)
}

func TestANewPasswordIsAskedForTwice(t *testing.T) {
	r := start(t, admin)
	mine := r.env("ROLLCALL_ADMIN_PASSWORD", secretPassword)
	if _, _, err := r.typed(mine, []string{"n-5ecret1", "n-5ecret1"}, "admin", "add", "ops", "--role", "viewer"); err != nil {
		t.Fatal(err)
	}
	out, shown, err := r.typed(r.env(), []string{"n-5ecret1", "m-5ecret1", "m-5ecret1"}, "admin", "passwd", "--admin", "ops")
	if err != nil {
		t.Fatal(err)
	}
	wants(t, out, "ops viewer all")
	if strings.Contains(shown, "5ecret") || strings.Contains(out, "5ecret") || shown != "Password of ops: \nNew password of ops: \nThe same again: \n" {
		t.Errorf("shown is %q", shown)
	}
	if _, _, err := r.typed(r.env(), []string{"m-5ecret1", "n-5ecret1", "o-5ecret1"}, "admin", "passwd", "--admin", "ops"); ExitCode(err) != 1 || !strings.Contains(err.Error(), "not the same") {
		t.Errorf("two that differ: %v", err)
	}
	if _, _, err := r.typed(r.env(), []string{"m-5ecret1"}, "scope", "list", "--admin", "ops"); err != nil {
		t.Errorf("the password is another one: %v", err)
	}
}

func TestAScopeIsRemovedWhenItsNameIsTyped(t *testing.T) {
	r := start(t, admin, "--scope", "Space Race", "--scope", "Moon")
	mine := r.env("ROLLCALL_ADMIN_PASSWORD", secretPassword)
	if _, _, err := r.typed(mine, []string{"yes"}, "scope", "remove", "Space Race"); ExitCode(err) != 1 || !strings.Contains(err.Error(), "the scope stays") {
		t.Errorf("another text: %v", err)
	}
	wants(t, r.do("scope", "list"), "Space Race")
	out, shown, err := r.typed(mine, []string{"Space Race"}, "scope", "remove", "Space Race")
	if err != nil || !strings.Contains(shown, "Type the name of the scope") {
		t.Errorf("%v, shown %q", err, shown)
	}
	wants(t, out, "removed Space Race")
	wants(t, r.do("scope", "remove", "Moon", "--yes"), "removed Moon")
	if out := r.do("scope", "list", "--json"); out != "" {
		t.Errorf("left are %s", out)
	}
}
