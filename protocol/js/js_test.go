package js_test

import (
	"encoding/json"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"rollcall/protocol/npmtest"
	"rollcall/protocol/js"
)

// The specs in test/ are the SDK's own tests, for Node's test runner. They touch
// no network and no clock. What no spec reaches is a failure too.
func TestSpecs(t *testing.T) {
	specs, err := filepath.Glob("test/*.test.js")
	if err != nil || len(specs) < 7 {
		t.Fatalf("found the specs %q (%v)", specs, err)
	}
	out, err := exec.Command(npmtest.Node(t), append([]string{"--test", "--test-reporter=spec",
		"--experimental-test-coverage", "--test-coverage-include=rollcall.js",
		"--test-coverage-lines=99", "--test-coverage-branches=97", "--test-coverage-functions=99"}, specs...)...).CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestTheFilesAreEmbedded(t *testing.T) {
	for name, file := range map[string][]byte{"rollcall.js": js.Module, "rollcall.d.ts": js.Types, "messages.d.ts": js.Messages} {
		if !strings.Contains(string(file), "export ") {
			t.Errorf("%s exports nothing", name)
		}
	}
}

// A page under a strict policy runs neither of these.
func TestTheModuleMakesNoCodeOfText(t *testing.T) {
	for _, word := range []string{"eval(", "new Function", "innerHTML", "import(", "document.write"} {
		if strings.Contains(string(js.Module), word) {
			t.Errorf("rollcall.js has %s", word)
		}
	}
}

func TestThePackageHasTheSDKAndNothingElse(t *testing.T) {
	out, err := exec.Command("npm", "pack", "--dry-run", "--json", "--ignore-scripts").Output()
	if err != nil {
		t.Fatalf("npm pack: %v\n%s", err, out)
	}
	var packs []struct {
		Name  string
		Files []struct{ Path string }
	}
	if err := json.Unmarshal(out, &packs); err != nil {
		var byName map[string]struct { // from npm 12 on
			Name  string
			Files []struct{ Path string }
		}
		if err := json.Unmarshal(out, &byName); err != nil {
			t.Fatalf("npm pack: %v\n%s", err, out)
		}
		packs = append(packs, byName["rollcall"])
	}
	var files []string
	for _, f := range packs[0].Files {
		files = append(files, f.Path)
	}
	slices.Sort(files)
	if want := []string{"README.md", "messages.d.ts", "package.json", "rollcall.d.ts", "rollcall.js"}; !slices.Equal(files, want) {
		t.Errorf("%s has %q, want %q", packs[0].Name, files, want)
	}
}
