package main

import (
	"flag"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
	"github.com/coder/websocket"
)

//go:generate go test -run TestTheREADMEListsEverySetting -update

var update = flag.Bool("update", false, "write the README's tables instead of comparing them")

const readme = "../../README.md"

func readREADME(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(readme)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// between returns what stands between two markers, and its place.
func between(t *testing.T, text, begin, end string) (part string, from, to int) {
	t.Helper()
	from = strings.Index(text, begin)
	if from < 0 {
		t.Fatalf("README has no %s", begin)
	}
	from += len(begin)
	to = strings.Index(text[from:], end)
	if to < 0 {
		t.Fatalf("README has no %s after %s", end, begin)
	}
	return text[from : from+to], from, from + to
}

// settingsTable returns the settings of commands as the README has them.
func settingsTable(nodes ...*kong.Node) string {
	var b strings.Builder
	b.WriteString("\n\n| Flag | Environment | Default | Meaning |\n|---|---|---|---|\n")
	seen := map[string]bool{}
	for _, node := range nodes {
		for _, f := range node.Flags {
			if !isSetting(f) || seen[f.Name] {
				continue
			}
			seen[f.Name] = true
			name, value := "--"+f.Name, ""
			if f.Tag.Negatable != "" {
				name = "--[no-]" + f.Name
			}
			if f.HasDefault {
				value = "`" + f.Default + "`"
			}
			help := strings.NewReplacer("|", `\|`, "*", `\*`).Replace(f.Help)
			fmt.Fprintf(&b, "| `%s` | `%s` | %s | %s |\n", name, envName(f.Name), value, help)
		}
	}
	b.WriteString("\n")
	return b.String()
}

func TestTheREADMEListsEverySetting(t *testing.T) {
	var cli commands
	p := Program{}.withDefaults()
	parser, err := newParser(&cli, p, &settings{env: p.Env, from: map[string]origin{}}, func(int) {})
	if err != nil {
		t.Fatal(err)
	}
	var serve, tools []*kong.Node
	for _, node := range parser.Model.Children {
		switch node.Name {
		case "serve":
			serve = append(serve, node)
		default:
			tools = append(append(tools, node.Children...), node)
		}
	}
	text := readREADME(t)
	for _, table := range []struct {
		begin string
		nodes []*kong.Node
	}{
		{"<!-- settings of serve: written by make generate -->", serve},
		{"<!-- settings of user, scope and watch: written by make generate -->", tools},
	} {
		got, from, to := between(t, text, table.begin, "<!-- end of settings -->")
		want := settingsTable(table.nodes...)
		if *update {
			text = text[:from] + want + text[to:]
		} else if got != want {
			t.Errorf("%s: the README is not current: run make generate", table.begin)
		}
	}
	if *update {
		if err := os.WriteFile(readme, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// varying is what differs from one conversation to the next.
var varying = regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}` + // user ids
	`|\d{4}-\d\d-\d\dT[0-9:.]+Z` + // times
	`|"token":"[^"]*"|"session_id":"[^"]*"`)

func TestTheREADMEsConversationIsWhatTheServerSays(t *testing.T) {
	text, _, _ := between(t, readREADME(t), "<!-- conversation: checked by a test -->\n```\n", "```\n<!-- end of conversation -->")
	key, _, _ := between(t, text, `"key": "`, `"`)
	created, _, _ := between(t, text, `"users.create","result":{"user_id":"`, `"`)

	r := start(t, admin)
	ws, _, err := websocket.Dial(t.Context(), "ws://"+r.address+"/ws", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer ws.CloseNow()
	id, said, answers := "", "", 0
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		want, isAnswer := strings.CutPrefix(line, "< ")
		switch {
		case line == "":
		case isAnswer:
			_, answer, err := ws.Read(t.Context())
			if err != nil {
				t.Fatalf("after %s: %v", said, err)
			}
			if got := varying.ReplaceAllString(string(answer), "…"); got != varying.ReplaceAllString(want, "…") {
				t.Errorf("to %s\nthe server says %s\nand the README   %s", said, answer, want)
			}
			if id == "" && strings.Contains(want, created) {
				id = varying.FindString(string(answer))
			}
			answers++
		default:
			said = strings.NewReplacer(key, secretKey, created, id).Replace(line)
			if err := ws.Write(t.Context(), websocket.MessageText, []byte(said)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if answers < 7 {
		t.Errorf("%d answers", answers)
	}
}
