package main

import (
	"strings"
	"testing"

	"github.com/go-json-experiment/json"

	"rollcall/protocol"
)

func TestAUserIsBannedKickedAndExportedFromTheCommandLine(t *testing.T) {
	r := start(t, admin, "--scope", "A")
	password := protocol.Credentials{Password: "first"}
	made, err := asClient(t, r, protocol.UsersCreate, protocol.CreateParams{Username: "tina", Credentials: password})
	if err != nil {
		t.Fatal(err)
	}
	login := func() error {
		_, err := asClient(t, r, protocol.UsersLogin, protocol.LoginParams{Username: "tina", Credentials: password})
		return err
	}
	if err := login(); err != nil {
		t.Fatal(err)
	}
	id := made.UserID.String()

	var session protocol.SessionObject
	if err := json.Unmarshal([]byte(r.do("user", "sessions", id, "--json")), &session); err != nil || session.SessionID == "" {
		t.Fatal(session, err)
	}
	wants(t, r.do("user", "sessions", "tina", "--scope", "A"), "SESSION CREATED", session.SessionID)
	wants(t, r.do("user", "kick", id, "--session", session.SessionID, "--reason", "afk"), "ended 1")
	wants(t, r.do("user", "kick", id), "ended 0")

	wants(t, r.do("user", "ban", id, "--reason", "aimbot", "--for", "72h"), "banned until")
	if err := login(); err == nil || !strings.Contains(err.Error(), "aimbot") {
		t.Errorf("a banned user's login: %v", err)
	}
	wants(t, r.do("user", "ban", id), "banned for good")
	if out := r.do("user", "unban", id); strings.Contains(out, "banned") {
		t.Errorf("unban prints %s", out)
	}
	if err := login(); err != nil {
		t.Errorf("after unban: %v", err)
	}

	var export protocol.Export
	text := r.do("user", "export", id)
	if err := json.Unmarshal([]byte(text), &export); err != nil || export.User.Username != "tina" || len(export.Events) == 0 {
		t.Errorf("%v: export prints %s", err, text)
	}
}

func TestABanWithATimeThatIsNoneIsAMistakeOfTheCommandLine(t *testing.T) {
	r := start(t, admin, "--scope", "A")
	for _, args := range [][]string{
		{"--until", "tomorrow"}, {"--for", "-1h"}, {"--for", "1h", "--until", "2030-01-01T00:00:00Z"}, {"--reason", strings.Repeat("x", 300)},
	} {
		if _, err := r.as("admin", secretPassword, "", append([]string{"user", "ban", "289bc36e-0df7-44df-99b1-a6543c6f45eb"}, args...)...); ExitCode(err) != 2 {
			t.Errorf("%v: %v", args, err)
		}
	}
}
