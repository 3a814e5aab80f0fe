//go:build !linux

package main

import (
	"os/exec"
	"testing"
)

// A spawner starts processes. Only the end of a test stops them here.
type spawner struct{}

func newSpawner(*testing.T) *spawner { return &spawner{} }

func (*spawner) start(cmd *exec.Cmd) error { return cmd.Start() }
