package main

import (
	"bytes"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"rollcall/protocol/npmtest"
)

// The official JSON Schema of AsyncAPI 3.0.0.
var specs = npmtest.Package{
	Name:    "@asyncapi/specs",
	Version: "6.11.1",
	SHA512:  "0375812ea00a1a8276fba15616da63065090d6814272ce06c45ef3b081af36aa7f9251941e3940dda01c67d5cc3292c613cccf7980f3db1f4598ee834ae2ab69",
}

func TestTheDocumentIsValidByTheOfficialSchema(t *testing.T) {
	official, err := jsonschema.UnmarshalJSON(bytes.NewReader(specs.File(t, "schemas/3.0.0.json")))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	compiler.DefaultDraft(jsonschema.Draft7)
	if err := compiler.AddResource("official.json", official); err != nil {
		t.Fatal(err)
	}
	schema, err := compiler.Compile("official.json")
	if err != nil {
		t.Fatal(err)
	}
	doc := load(t)
	if err := schema.Validate(doc); err != nil {
		t.Error(err)
	}

	at(doc, "operations", "users.get").(map[string]any)["action"] = "shout"
	if schema.Validate(doc) == nil {
		t.Error("the official schema sees no mistake in a document that has one")
	}
}
