package server_test

import (
	"os"
	"testing"

	"rollcall/store/storetest"
)

func TestMain(m *testing.M) {
	if what := os.Getenv(benchServes); what != "" {
		benchServe(what)
		return
	}
	storetest.Main(m)
}
