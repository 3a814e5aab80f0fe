package main

import (
	"bytes"
	"encoding/json"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"rollcall/protocol"
)

const (
	sourceDir = "../.."
	published = "../../asyncapi.yaml"
)

// load returns the published document as plain JSON values.
func load(t *testing.T) map[string]any {
	t.Helper()
	text, err := os.ReadFile(published)
	if err != nil {
		t.Fatal(err)
	}
	asJSON, err := yaml.YAMLToJSON(text)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(asJSON))
	if err != nil {
		t.Fatal(err)
	}
	return doc.(map[string]any)
}

func TestThePublishedDocumentIsCurrent(t *testing.T) {
	want, err := Generate(sourceDir)
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(published)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Fatal("protocol/asyncapi.yaml is not what the tables say: run go generate ./protocol")
	}
	if bytes.Contains(got, []byte("\r")) || bytes.Contains(got, []byte(" \n")) {
		t.Error("the file has carriage returns or trailing spaces")
	}
}

func TestTheDocumentIsTheSameEachTime(t *testing.T) {
	first, err := Generate(sourceDir)
	if err != nil {
		t.Fatal(err)
	}
	for range 5 {
		again, err := Generate(sourceDir)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(first, again) {
			t.Fatal("two runs differ")
		}
	}
}

// examples calls f for every example of every message.
func examples(t *testing.T, doc map[string]any, f func(t *testing.T, name string, payload any)) {
	messages := at(doc, "components", "messages").(map[string]any)
	for name, message := range messages {
		list, _ := message.(map[string]any)["examples"].([]any)
		if len(list) == 0 {
			t.Errorf("%s has no example", name)
		}
		for _, e := range list {
			t.Run(name, func(t *testing.T) { f(t, name, e.(map[string]any)["payload"]) })
		}
	}
}

func at(v any, path ...string) any {
	for _, p := range path {
		m, ok := v.(map[string]any)
		if !ok {
			return nil
		}
		v = m[p]
	}
	return v
}

func TestEverySampleIsValidByItsOwnSchema(t *testing.T) {
	doc := load(t)
	compiler := jsonschema.NewCompiler()
	compiler.DefaultDraft(jsonschema.Draft7)
	compiler.AssertFormat()
	if err := compiler.AddResource("asyncapi.json", doc); err != nil {
		t.Fatal(err)
	}
	examples(t, doc, func(t *testing.T, name string, payload any) {
		schema, err := compiler.Compile("asyncapi.json#/components/messages/" + name + "/payload")
		if err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(payload); err != nil {
			t.Error(err)
		}
		if m, ok := payload.(map[string]any); ok {
			for _, member := range []string{"type", "event", "result", "error"} {
				if _, has := m[member]; !has || name == "error" && member == "type" {
					continue
				}
				broken := map[string]any{}
				for k, v := range m {
					broken[k] = v
				}
				broken[member] = []any{map[string]any{}}
				if schema.Validate(broken) == nil && resultIsList(name, member) {
					t.Errorf("the schema does not mind a wrong %s", member)
				}
			}
		}
	})
}

// resultIsList tells the replies whose result may be a list of objects apart.
func resultIsList(name, member string) bool {
	m := protocol.Lookup(strings.TrimSuffix(name, ".reply"))
	return member != "result" || m == nil || m.Out.Kind() != reflect.Slice
}

func TestEverySampleDecodes(t *testing.T) {
	examples(t, load(t), func(t *testing.T, name string, payload any) {
		text, err := json.Marshal(payload)
		if err != nil {
			t.Fatal(err)
		}
		if m := protocol.Lookup(name); m != nil {
			req, err := protocol.ParseRequest(text)
			if err != nil {
				t.Fatal(err)
			}
			if req.Type != name || string(req.ID) != "7" {
				t.Errorf("read as %s %s", req.Type, req.ID)
			}
			in, err := m.DecodeAny(req.Data)
			if err != nil {
				t.Fatal(err)
			}
			if got := reflect.ValueOf(in).Elem().Interface(); !reflect.DeepEqual(got, m.SampleIn) {
				t.Errorf("decoded to\n%+v\nwant\n%+v", got, m.SampleIn)
			}
			return
		}
		frame, err := protocol.ParseFrame(text)
		if err != nil {
			t.Fatal(err)
		}
		switch m := protocol.Lookup(strings.TrimSuffix(name, ".reply")); {
		case m != nil:
			out := reflect.New(m.Out)
			if err := protocol.DecodeResult(frame.Reply.Result, out.Interface()); err != nil {
				t.Fatal(err)
			}
			if got := out.Elem().Interface(); !reflect.DeepEqual(got, m.SampleOut) {
				t.Errorf("decoded to\n%+v\nwant\n%+v", got, m.SampleOut)
			}
		case name == "error":
			if frame.Reply == nil || frame.Reply.Err() == nil {
				t.Error("is no error")
			}
		case name == "bye":
			if frame.Bye == nil || frame.Bye.Code != protocol.CloseDraining || !frame.Bye.Reconnect {
				t.Errorf("decoded to %+v", frame.Bye)
			}
		default:
			if len(frame.Pushes) == 0 {
				t.Error("has no push")
			}
		}
	})
}

func TestEveryStatusAndCloseCodeIsListed(t *testing.T) {
	doc := load(t)
	if n := len(doc["x-statuses"].([]any)); n != len(protocol.Statuses) {
		t.Errorf("%d statuses, want %d", n, len(protocol.Statuses))
	}
	codes := map[string]bool{}
	for _, row := range doc["x-close-codes"].([]any) {
		codes[string(at(row, "code").(json.Number))] = true
	}
	for _, code := range []string{"4001", "4002", "4003", "4004", "4501", "4502", "4503", "4504", "4505", "4506"} {
		if !codes[code] {
			t.Errorf("close code %s is missing", code)
		}
	}
}
