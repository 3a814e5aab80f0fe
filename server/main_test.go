package server_test

import (
	"os"
	"testing"

	"rollcall/server/passwords"
	"rollcall/store/storetest"
)

func TestMain(m *testing.M) {
	if os.Getenv("ROLLCALL_TEST_AS_HASHING_HELPER") != "" {
		if err := passwords.ServeHelper(os.Stdin, os.Stdout); err != nil {
			os.Exit(1)
		}
		os.Exit(0)
	}
	storetest.Main(m)
}
