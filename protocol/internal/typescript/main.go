// Typescript writes what the JavaScript SDK has of package protocol's tables:
// js/messages.d.ts, the types of the messages, and the block of constants in
// js/rollcall.js. Run it by
//
//	go generate ./protocol
//
// A test holds the files against what would be written, so that neither can
// change alone.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
)

const (
	declarations = "messages.d.ts"
	module       = "rollcall.js"
)

func main() {
	out := flag.String("o", "js", "`folder` of the SDK")
	source := flag.String("source", ".", "`folder` of package protocol's source, for its comments")
	flag.Parse()
	if err := write(*source, *out); err != nil {
		fmt.Fprintln(os.Stderr, "typescript:", err)
		os.Exit(1)
	}
}

func write(source, folder string) error {
	types, err := Declarations(source)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(folder, declarations), types, 0o644); err != nil {
		return err
	}
	name := filepath.Join(folder, module)
	text, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	if text, err = WithConstants(text); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return os.WriteFile(name, text, 0o644)
}
