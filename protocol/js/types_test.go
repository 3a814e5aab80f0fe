package js_test

import (
	"os/exec"
	"path/filepath"
	"testing"

	"rollcall/protocol/npmtest"
)

var typescript = npmtest.Package{
	Name: "typescript", Version: "5.9.3",
	Integrity: "sha512-jl1vZzPDinLr9eUt3J/t7V6FgNEw9QjvBPdysz9KfQDD41fQrC2Y4vKQdiaUpFT4bXlb1RHhLpp8wtm6M5TgSw==",
}

func TestTheTypesSayWhatTheAPIIs(t *testing.T) {
	compiler := filepath.Join(typescript.Folder(t, "lib/", "package.json"), "lib", "tsc.js")
	for _, module := range []string{"nodenext", "esnext"} {
		resolution := map[string]string{"nodenext": "nodenext", "esnext": "bundler"}[module]
		out, err := exec.Command(npmtest.Node(t), compiler, "--noEmit", "--strict", "--target", "es2022", "--lib", "es2022,dom",
			"--module", module, "--moduleResolution", resolution, "test/types.ts").CombinedOutput()
		if err != nil {
			t.Errorf("--module %s: %v\n%s", module, err, out)
		}
	}
}
