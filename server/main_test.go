package server_test

import (
	"os"
	"os/exec"
	"testing"

	"rollcall/server/passwords"
	"rollcall/store/storetest"
)

// asHashingHelper makes the test binary behave as a hashing helper.
const asHashingHelper = "ROLLCALL_TEST_AS_HASHING_HELPER"

func TestMain(m *testing.M) {
	if what := os.Getenv(benchServes); what != "" {
		benchServe(what)
		return
	}
	if os.Getenv(asHashingHelper) != "" {
		if err := passwords.ServeHelper(os.Stdin, os.Stdout); err != nil {
			os.Exit(1)
		}
		os.Exit(0)
	}
	storetest.Main(m)
}

// hashingHelper starts one.
func hashingHelper() *exec.Cmd {
	exe, err := os.Executable()
	if err != nil {
		panic(err)
	}
	cmd := exec.Command(exe)
	cmd.Env = []string{asHashingHelper + "=1"}
	return cmd
}
