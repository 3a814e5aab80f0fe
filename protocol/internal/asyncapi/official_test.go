package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// The official JSON Schema of AsyncAPI 3.0.0 is in the npm package
// @asyncapi/specs. It is fetched once, pinned and checked, into the user's cache
// folder, since it is not ours to publish.
const (
	specsPackage = "@asyncapi/specs@6.11.1"
	specsArchive = "asyncapi-specs-6.11.1.tgz"
	specsSHA512  = "0375812ea00a1a8276fba15616da63065090d6814272ce06c45ef3b081af36aa7f9251941e3940dda01c67d5cc3292c613cccf7980f3db1f4598ee834ae2ab69"
	specsFile    = "package/schemas/3.0.0.json"
)

func TestTheDocumentIsValidByTheOfficialSchema(t *testing.T) {
	official, err := jsonschema.UnmarshalJSON(bytes.NewReader(unpack(t, fetchSpecs(t))))
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

// fetchSpecs returns the package's archive.
func fetchSpecs(t *testing.T) []byte {
	t.Helper()
	dir := t.TempDir()
	if cache, err := os.UserCacheDir(); err == nil {
		cached := filepath.Join(cache, "rollcall-tests")
		if os.MkdirAll(cached, 0o755) == nil {
			dir = cached
		}
	}
	file := filepath.Join(dir, specsArchive)
	if text, err := os.ReadFile(file); err == nil && isSpecs(text) {
		return text
	}
	fresh := t.TempDir()
	npm := exec.Command("npm", "pack", "--silent", "--pack-destination", fresh, specsPackage)
	npm.Dir = fresh
	out, err := npm.CombinedOutput()
	if errors.Is(err, exec.ErrNotFound) {
		t.Fatal("npm is not found; install it: apt-get install npm")
	}
	if err != nil {
		t.Fatalf("npm pack %s: %v\n%s", specsPackage, err, out)
	}
	text, err := os.ReadFile(filepath.Join(fresh, specsArchive))
	if err != nil {
		t.Fatal(err)
	}
	if !isSpecs(text) {
		t.Fatalf("%s is not the archive that this test knows", specsPackage)
	}
	// By rename, so that a test that runs at the same time sees all of it or nothing.
	if tmp, err := os.CreateTemp(dir, "fetch-*"); err == nil {
		_, werr := tmp.Write(text)
		if errors.Join(werr, tmp.Close()) == nil {
			_ = os.Rename(tmp.Name(), file)
		}
	}
	return text
}

func isSpecs(text []byte) bool {
	sum := sha512.Sum512(text)
	return hex.EncodeToString(sum[:]) == specsSHA512
}

// unpack returns the schema's file of the archive.
func unpack(t *testing.T, archive []byte) []byte {
	t.Helper()
	unzipped, err := gzip.NewReader(bytes.NewReader(archive))
	if err != nil {
		t.Fatal(err)
	}
	for files := tar.NewReader(unzipped); ; {
		header, err := files.Next()
		if err != nil {
			t.Fatalf("%s: %v", specsFile, err)
		}
		if header.Name == specsFile {
			text, err := io.ReadAll(files)
			if err != nil {
				t.Fatal(err)
			}
			return text
		}
	}
}
