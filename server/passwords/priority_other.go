//go:build !linux

package passwords

import "os/exec"

// lowerPriority does nothing where a thread has no priority of its own.
func lowerPriority() {}

// startLow starts a process, at this one's priority.
func startLow(cmd *exec.Cmd) error { return cmd.Start() }

// volunteer does nothing where the kernel chooses by itself.
func volunteer() {}
