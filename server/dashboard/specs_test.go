package dashboard_test

import (
	"os/exec"
	"path/filepath"
	"testing"

	"rollcall/protocol/npmtest"
)

// The specs in test/ are of those modules of the page that need no browser, for
// Node's test runner. They touch no network and no clock.
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
