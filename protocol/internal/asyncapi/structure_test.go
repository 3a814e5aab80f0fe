package main

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"rollcall/protocol"
)

// The rules of AsyncAPI 3.0.0 (www.asyncapi.com/docs/reference/specification/v3.0.0)
// that this document can break and that the official JSON Schema does not see:
// what references lead to, and that operations and messages fit together.

func TestEveryReferenceLeadsSomewhere(t *testing.T) {
	doc := load(t)
	count := 0
	walk(doc, "#", func(where string, node map[string]any) {
		ref, ok := node["$ref"].(string)
		if !ok {
			return
		}
		count++
		if len(node) != 1 {
			t.Errorf("%s: a reference has other members beside it, which nobody reads", where)
		}
		if resolve(doc, ref) == nil {
			t.Errorf("%s: %s leads nowhere", where, ref)
		}
	})
	if count < 100 {
		t.Errorf("only %d references were found", count)
	}
}

func walk(v any, where string, f func(where string, node map[string]any)) {
	switch v := v.(type) {
	case map[string]any:
		f(where, v)
		for k, child := range v {
			walk(child, where+"/"+k, f)
		}
	case []any:
		for _, child := range v {
			walk(child, where+"/*", f)
		}
	}
}

func resolve(doc map[string]any, ref string) any {
	path, ok := strings.CutPrefix(ref, "#/")
	if !ok {
		return nil
	}
	return at(doc, strings.Split(path, "/")...)
}

func TestOperationsFitTheirChannelAndMessages(t *testing.T) {
	doc := load(t)
	const inChannel = "#/channels/ws/messages/"
	check := func(name string, v any, want ...string) {
		var got []string
		for _, m := range v.([]any) {
			ref := m.(map[string]any)["$ref"].(string)
			short, ok := strings.CutPrefix(ref, inChannel)
			if !ok {
				t.Errorf("%s: an operation's messages are those of its channel, not %s", name, ref)
			}
			got = append(got, short)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: messages are %v, want %v", name, got, want)
		}
	}
	operations := at(doc, "operations").(map[string]any)
	for name, op := range operations {
		if at(op, "channel", "$ref") != "#/channels/ws" {
			t.Errorf("%s: has no channel", name)
		}
		if m := protocol.Lookup(name); m != nil {
			if at(op, "action") != "receive" {
				t.Errorf("%s: a request is received", name)
			}
			check(name, at(op, "messages"), name)
			if at(op, "reply", "channel", "$ref") != "#/channels/ws" {
				t.Errorf("%s: its reply has no channel", name)
			}
			check(name, at(op, "reply", "messages"), name+".reply", "error")
			continue
		}
		if at(op, "action") != "send" || at(op, "reply") != nil {
			t.Errorf("%s: is sent, and not answered", name)
		}
		check(name, at(op, "messages"), name)
	}
	if want := len(protocol.Messages()) + 3; len(operations) != want {
		t.Errorf("%d operations, want %d", len(operations), want)
	}
}

func TestEveryMessageIsInTheChannel(t *testing.T) {
	doc := load(t)
	listed := at(doc, "channels", "ws", "messages").(map[string]any)
	messages := at(doc, "components", "messages").(map[string]any)
	if len(listed) != len(messages) {
		t.Errorf("%d messages are in the channel, %d exist", len(listed), len(messages))
	}
	key := regexp.MustCompile(`^[A-Za-z0-9._-]+$`)
	for name, m := range messages {
		if !key.MatchString(name) {
			t.Errorf("%q can't be a key of the components", name)
		}
		if at(listed, name, "$ref") != "#/components/messages/"+name {
			t.Errorf("%s is not in the channel", name)
		}
		if at(m, "name") != name {
			t.Errorf("%s is named %v", name, at(m, "name"))
		}
		if id := at(m, "correlationId", "location"); id != nil && id != "$message.payload#/id" {
			t.Errorf("%s: correlation is by %v", name, id)
		}
	}
}

func TestEverySchemaIsReferredTo(t *testing.T) {
	doc := load(t)
	used := map[string]bool{}
	walk(doc, "#", func(_ string, node map[string]any) {
		if ref, ok := node["$ref"].(string); ok {
			used[ref] = true
		}
	})
	for name, schema := range at(doc, "components", "schemas").(map[string]any) {
		if !used["#/components/schemas/"+name] {
			t.Errorf("%s is not used", name)
		}
		if at(schema, "description") == nil {
			t.Errorf("%s has no description", name)
		}
	}
}
