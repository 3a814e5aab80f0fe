package main

import (
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"rollcall/protocol"
)

var tiny = uuid.MustParse("289bc36e-0df7-44df-99b1-a6543c6f45eb")

// table returns what a feedTable makes of events that come a second apart.
func table(p painter, scopes bool, events ...protocol.Push) string {
	zone := time.FixedZone("", 2*3600)
	begin := time.Date(2026, 11, 23, 23, 59, 58, 7e6, zone)
	t := newFeedTable(p, begin, scopes)
	var b strings.Builder
	for i, e := range events {
		e.Time = protocol.Time{Time: begin.Add(time.Duration(i) * time.Second).UTC()}
		var data protocol.EventData
		_ = protocol.DecodeResult(e.Data, &data)
		b.WriteString(t.lines(&e, &data))
	}
	return b.String()
}

func push(scope, event string, data protocol.EventData) protocol.Push {
	frame, err := protocol.AppendPush(nil, protocol.Push{Event: event, Scope: scope}, data)
	if err != nil {
		panic(err)
	}
	f, err := protocol.ParseFrame(frame)
	if err != nil {
		panic(err)
	}
	return f.Pushes[0]
}

func TestEveryEventHasALine(t *testing.T) {
	info := &protocol.ClientInfo{Name: "Space Race", Version: "1.2.0", Platform: "ios"}
	got := table(false, true,
		push("Space Race", "user.created", protocol.EventData{UserID: tiny, Username: "tiny", Method: "password", Node: "n1", IP: "203.0.113.7", Client: info}),
		push("Space Race", "user.login", protocol.EventData{UserID: tiny, Username: "tiny", Method: "google", Node: "n1", IP: "2001:db8::17"}),
		push("Space Race", "user.login_failed", protocol.EventData{UserID: tiny, Username: "tiny", Reason: "password", Method: "password", Node: "n1", IP: "203.0.113.7"}),
		push("Space Race", "user.login_failed", protocol.EventData{Reason: "proof", Method: "google", Node: "n1", IP: "203.0.113.7"}),
		push("Space Race", "user.resumed", protocol.EventData{UserID: tiny, Node: "n1", IP: "203.0.113.7", Client: &protocol.ClientInfo{Name: "bot"}}),
		push("Space Race", "user.updated", protocol.EventData{UserID: tiny, Username: "宇宙レース", Fields: []string{"email", "extra"}}),
		push("Space Race", "user.banned", protocol.EventData{UserID: tiny, Username: "tiny-", Reason: "aimbot", Until: protocol.Time{Time: time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)}}),
		push("Space Race", "user.deleted", protocol.EventData{UserID: tiny, Username: "-"}),
		push("Space Race", "user.offline", protocol.EventData{UserID: tiny, Username: "tiny", Reason: "lost", Node: "n1"}),
		push("A game whose name is longer than its column", "admin.action", protocol.EventData{Admin: "ops", Action: "admin.users.ban", UserID: tiny, IP: "203.0.113.9"}),
		push("*", "admin.action", protocol.EventData{Admin: "ops", Action: "admin.scopes.create", Target: "Space Race"}),
		push("*", "something.new", protocol.EventData{}),
	)
	want := `
23:59:58.007  Space Race  user.created       tiny          password  n1    203.0.113.7      Space Race/1.2.0
23:59:59.007  Space Race  user.login         tiny          google    n1    2001:db8::17
-- 2026-11-24
00:00:00.007  Space Race  user.login_failed  tiny          password  n1    203.0.113.7
00:00:01.007  Space Race  user.login_failed  -             proof google  n1    203.0.113.7
00:00:02.007  Space Race  user.resumed       289bc36e      -             n1    203.0.113.7      bot
00:00:03.007  Space Race  user.updated       宇宙レース    email,extra
00:00:04.007  Space Race  user.banned        tiny-         aimbot until 2026-12-01T00:00:00Z
00:00:05.007  Space Race  user.deleted       -
00:00:06.007  Space Race  user.offline       tiny          lost          n1
00:00:07.007  A game whose name is longer than its column  admin.action       ops           admin.users.ban 289bc36e  -     203.0.113.9
00:00:08.007  *                         admin.action       ops           admin.scopes.create Space Race
00:00:09.007  *                         something.new
`
	if "\n"+got != want {
		t.Errorf("printed\n%s\nwant\n%s", got, want)
	}
}

func TestTheOutcomeIsColoured(t *testing.T) {
	data := protocol.EventData{Username: "tiny"}
	for event, want := range map[string]string{
		"user.login":        "\x1b[32muser.login\x1b[0m       ",
		"user.login_failed": "\x1b[31muser.login_failed\x1b[0m",
		"user.banned":       "\x1b[35muser.banned\x1b[0m      ",
		"user.online":       "\x1b[36muser.online\x1b[0m      ",
		"user.offline":      "\x1b[2muser.offline\x1b[0m     ",
		"admin.action":      "\x1b[33madmin.action\x1b[0m     ",
		"user.updated":      "user.updated     ",
	} {
		got, want := table(true, false, push("A", event, data)), "\x1b[2m23:59:58.007\x1b[0m  "+want+"  tiny\n"
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// Every text of an event comes from somebody who may mean no good.
func TestNoTextOfAnEventCanTouchTheTerminal(t *testing.T) {
	for _, evil := range []string{
		"\x1b[2J\x1b[H", "tiny\r", "tiny\nnobody", "\u009b31m", "a\tb", "\u202egnp.exe", "\u200b", "\x07", "\x7f", "\ue000",
	} {
		evilPush := push(evil, "user.login", protocol.EventData{
			Username: evil, Method: evil, Reason: evil, Fields: []string{evil}, Node: evil, IP: evil,
			Client: &protocol.ClientInfo{Name: evil, Version: evil}, Admin: evil, Action: evil, Target: evil,
		})
		evilPush.Event = evil
		line := table(false, true, evilPush)
		if line = strings.TrimSuffix(line, "\n"); printable(line) != line {
			t.Errorf("%q becomes %q", evil, line)
		}
		var json strings.Builder
		if err := printJSON(&json, evilPush); err != nil {
			t.Fatal(err)
		}
		text := strings.TrimSuffix(json.String(), "\n")
		if printable(text) != text {
			t.Errorf("%q becomes %q", evil, text)
		}
		f, err := protocol.ParseFrame([]byte(text))
		if err != nil || f.Pushes[0].Scope != evil {
			t.Errorf("%q is read from JSON as %q, %v", evil, f.Pushes[0].Scope, err)
		}
	}
}

func TestJSONEscapesWhatATerminalMustNotGet(t *testing.T) {
	in := `{"a":"é宇😀","b":"` + "\u009b\u202e\U000e0041" + `"}`
	if got, want := string(escapeUnprintable([]byte(in))), `{"a":"é宇😀","b":"\u009b\u202e\udb40\udc41"}`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestWidthsAreThoseOfATerminal(t *testing.T) {
	for text, want := range map[string]int{
		"": 0, "tiny": 4, "Größe": 5, "Gro\u0308ße": 5, "宇宙": 4, "ﾚｰｽ": 3, "😀": 2, "Ж": 1,
	} {
		if got := textWidth(text); got != want {
			t.Errorf("%q is %d wide, want %d", text, got, want)
		}
	}
	for text, want := range map[string]string{"tiny": "tiny", "tinytiny": "tiny…", "宇宙宇": "宇宙…"} {
		if got := cutToWidth(text, 5); got != want {
			t.Errorf("%q is cut to %q, want %q", text, got, want)
		}
	}
}
