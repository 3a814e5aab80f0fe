// Tables writes server/dashboard/page/tables.js: what the dashboard's pages need
// of the protocol's tables. Run it by
//
//	go generate ./server/dashboard/...
//
// A test holds the file against what would be written.
package main

//go:generate go run . -o ../../page/tables.js

import (
	"bytes"
	"flag"
	"fmt"
	"os"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"rollcall/protocol"
)

func main() {
	out := flag.String("o", "tables.js", "`file` to write")
	flag.Parse()
	text, err := generate()
	if err == nil {
		err = os.WriteFile(*out, text, 0o644)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "tables:", err)
		os.Exit(1)
	}
}

// A scopeMethod is a method that a scope decides about.
type scopeMethod struct {
	Type    string   `json:"type"`
	Choices []string `json:"choices"`
	Self    string   `json:"self"` // who may by the contract's rule
	Doc     string   `json:"doc"`
}

type feedEvent struct {
	Name string `json:"name"`
	Doc  string `json:"doc"`
}

func generate() ([]byte, error) {
	var methods []scopeMethod
	var actions []string
	for _, m := range protocol.Messages() {
		if choices := choices(m.Type); len(choices) > 0 {
			methods = append(methods, scopeMethod{m.Type, choices, m.Access.String(), m.Doc})
		}
		if m.Changes {
			actions = append(actions, m.Type)
		}
	}
	var events []feedEvent
	for _, e := range protocol.Events {
		events = append(events, feedEvent{e.Name, e.Doc})
	}
	var b bytes.Buffer
	b.WriteString("// Code generated from the protocol's tables by go generate ./server/dashboard/...; DO NOT EDIT.\n")
	for _, part := range []struct {
		doc, name string
		rows      any
	}{
		{"The methods that a scope decides about: what a permission may be, who may by the contract's rule (self), and what the method does.", "SCOPE_METHODS", methods},
		{"The feed's events.", "FEED_EVENTS", events},
		{"The messages by which an admin changes something, which admin.action names.", "ADMIN_ACTIONS", actions},
	} {
		rows, err := json.Marshal(part.rows, jsontext.WithIndent("  "))
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(&b, "\n/** %s */\nexport const %s = %s;\n", part.doc, part.name, rows)
	}
	return b.Bytes(), nil
}

// choices returns what a scope's permission for a method may be, by the very
// check that an update of a scope goes through.
func choices(method string) []string {
	var list []string
	for _, permit := range []string{protocol.PermitSelf, protocol.PermitAny, protocol.PermitOff} {
		params := protocol.ScopeParams{Name: "x", Permissions: map[string]string{method: permit}}
		if protocol.AdminScopesUpdate.Validate(&params) == nil {
			list = append(list, permit)
		}
	}
	return list
}
