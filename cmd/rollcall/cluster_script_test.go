package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// runCluster runs .ci/cluster --check with a program of its own, and reports
// what it leaves behind.
func runCluster(t *testing.T, program string) (output string, err error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	// Below the ports of store/storetest, which are below those that the kernel
	// gives to outgoing connections.
	port := 10000 + rand.IntN(4000)
	dir := t.TempDir()
	cmd := exec.CommandContext(ctx, filepath.Join("..", "..", ".ci", "cluster"), "--check")
	cmd.Env = append(os.Environ(), "ROLLCALL="+program, "TMPDIR="+dir, "CLUSTER_PORT="+strconv.Itoa(port))
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) } // it clears up then
	cmd.WaitDelay = 30 * time.Second
	out, err := cmd.CombinedOutput()

	if left, readErr := os.ReadDir(dir); readErr != nil || len(left) > 0 {
		t.Errorf("left in its folder: %v %v", left, readErr)
	}
	for p := port; p < port+30; p++ {
		if c, dialErr := net.Dial("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(p))); dialErr == nil {
			c.Close()
			t.Errorf("something still listens on port %d", p)
		}
	}
	return string(out), err
}

// script writes a program for the shell.
func script(t *testing.T, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(name, []byte("#!/bin/sh\n"+text+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestTheClusterOfTheREADMEStartsAndItsNodesShareUsers(t *testing.T) {
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	output, err := runCluster(t, script(t, fmt.Sprintf("%s=1 exec '%s' \"$@\"", asProgram, exe)))
	if err != nil || !strings.Contains(output, "all three nodes were reached") {
		t.Errorf("%v\n%s", err, output)
	}
}

func TestTheClusterLeavesNothingBehindWhenANodeFails(t *testing.T) {
	output, err := runCluster(t, script(t, "echo no such luck >&2; exit 1"))
	if err == nil || !strings.Contains(output, "n1 has ended\nno such luck\n") {
		t.Errorf("%v, want it to fail with the node's log\n%s", err, output)
	}
}
