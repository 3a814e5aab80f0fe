package dashboard

import (
	"os/exec"
	"path/filepath"
	"testing"

	"rollcall/internal/npmtest"
)

// The specs in test/ are of the modules that need no page, for Node's test
// runner. What needs one is tested in a browser, by cmd/rollcall.
func TestSpecs(t *testing.T) {
	specs, err := filepath.Glob("test/*.test.js")
	if err != nil || len(specs) == 0 {
		t.Fatalf("found the specs %q (%v)", specs, err)
	}
	out, err := exec.Command(npmtest.Node(t), append([]string{"--test", "--test-reporter=spec"}, specs...)...).CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
