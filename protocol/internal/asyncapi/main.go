// Asyncapi writes protocol/asyncapi.yaml, the contract as an AsyncAPI 3 document,
// from the tables and types of package protocol. Run it by
//
//	go generate ./protocol
//
// A test holds the file against what would be written, so that neither can
// change alone.
package main

import (
	"flag"
	"fmt"
	"os"
)

func main() {
	out := flag.String("o", "asyncapi.yaml", "`file` to write")
	source := flag.String("source", ".", "`folder` of package protocol's source, for its comments")
	flag.Parse()
	text, err := Generate(*source)
	if err == nil {
		err = os.WriteFile(*out, text, 0o644)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "asyncapi:", err)
		os.Exit(1)
	}
}
