package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
)

// release is set at build time, see the Makefile.
var release = ""

// version returns the release, or what the Go tool knows of the source.
func version() string {
	if release != "" {
		return release
	}
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" {
		return "(devel)"
	}
	return info.Main.Version
}

type versionCommand struct{}

// Run prints the version.
func (versionCommand) Run(p Program) error {
	_, err := fmt.Fprintf(p.Stdout, "rollcall %s %s %s/%s\n", version(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return err
}
