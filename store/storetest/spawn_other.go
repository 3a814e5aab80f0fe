//go:build !linux

package storetest

import "os/exec"

// start starts cmd. Only [Main] and the end of a test stop it here.
func start(cmd *exec.Cmd) error { return cmd.Start() }
