package main

import (
	"fmt"
	"strings"
	"testing"

	"rollcall/protocol"
	"rollcall/protocol/client"
)

func TestAdminsAreShownTheSettingsThatPrintConfigPrints(t *testing.T) {
	file := writeFile(t, "rollcall.yaml", "session-ttl: 24h\n")
	env := environ("ROLLCALL_KEY", secretKey, "ROLLCALL_ADMIN_PASSWORD", secretPassword, "ROLLCALL_TOKEN_KEY", "a-5ecret-that-is-long-enough",
		"ROLLCALL_SMTP", "smtp://app:5ecret@127.0.0.1:1", "ROLLCALL_MAIL_FROM", "a@example.com")
	args := []string{"--config", file, "--scope", "A, \"B\""}
	r := start(t, env, args...)
	c, err := client.Dial(t.Context(), "ws://"+r.address, client.Options{Admin: &protocol.AdminLoginParams{Name: "admin", Password: secretPassword}, NoReconnect: true})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	info, err := client.Call(t.Context(), c, protocol.AdminServer, protocol.None{})
	if err != nil {
		t.Fatal(err)
	}
	if text := fmt.Sprint(info); strings.Contains(text, "5ecret") {
		t.Errorf("shows a secret: %s", text)
	}
	var shown strings.Builder
	if err := printConfig(&shown, info.Settings); err != nil {
		t.Fatal(err)
	}
	out, _, err := run(t, Program{Args: append([]string{"serve", "--print-config", "--listen", "127.0.0.1:0", "--log-format", "json",
		"--hash-memory", "64", "--hash-time", "1", "--drain-timeout", "2s"}, args...), Env: env})
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(out) {
		if !strings.HasPrefix(line, "outbox: ") && !strings.Contains(shown.String(), line) { // that folder is the test's own
			t.Errorf("admins are not shown %s", line)
		}
	}
	if got, want := strings.Count(shown.String(), "\n"), strings.Count(out, "\n"); got != want || want < 40 {
		t.Errorf("admins are shown %d settings, want %d", got, want)
	}
}
