package main

import (
	"bytes"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"rollcall/protocol/npmtest"
)

// The official JSON Schema of AsyncAPI 3.0.0 is in an npm package.
var specs = npmtest.Package{
	Name: "@asyncapi/specs", Version: "6.11.1",
	Integrity: "sha512-A3WBLqAKGoJ2+6FWFtpjBlCQ1oFCcs4GxF7zsIGvNqp/klGUHjlA3aAcZ9XMMpLGE8zPeYDz2x9FmO6DSuKraQ==",
}

const specsFile = "schemas/3.0.0.json"

func TestTheDocumentIsValidByTheOfficialSchema(t *testing.T) {
	official, err := jsonschema.UnmarshalJSON(bytes.NewReader(specs.File(t, specsFile)))
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
