package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

const (
	sourceDir = "../.."
	sdk       = "../../js"
)

func TestThePublishedFilesAreCurrent(t *testing.T) {
	types, err := Declarations(sourceDir)
	if err != nil {
		t.Fatal(err)
	}
	if got := read(t, declarations); !bytes.Equal(got, types) {
		t.Error("protocol/js/messages.d.ts is not what the tables say: run go generate ./protocol")
	}
	text := read(t, module)
	if want, err := WithConstants(text); err != nil || !bytes.Equal(text, want) {
		t.Errorf("the constants of protocol/js/rollcall.js are not what the tables say: run go generate ./protocol (%v)", err)
	}
	for _, name := range []string{declarations, module, "rollcall.d.ts"} {
		if text := read(t, name); bytes.Contains(text, []byte("\r")) || bytes.Contains(text, []byte(" \n")) {
			t.Errorf("%s has carriage returns or trailing spaces", name)
		}
	}
}

func TestTheDeclarationsAreTheSameEachTime(t *testing.T) {
	first, err := Declarations(sourceDir)
	if err != nil {
		t.Fatal(err)
	}
	for range 5 {
		if again, err := Declarations(sourceDir); err != nil || !bytes.Equal(first, again) {
			t.Fatalf("two runs differ (%v)", err)
		}
	}
}

func TestAModuleWithoutABlockIsRefused(t *testing.T) {
	for _, text := range []string{"", blockBegin, blockEnd, blockEnd + blockBegin} {
		if _, err := WithConstants([]byte(text)); err == nil {
			t.Errorf("%q is taken for a module", text)
		}
	}
}

func read(t *testing.T, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(sdk, name))
	if err != nil {
		t.Fatal(err)
	}
	return text
}
