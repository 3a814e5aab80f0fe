package main

import (
	"bytes"
	"os"
	"testing"
)

func TestThePagesTablesAreCurrent(t *testing.T) {
	want, err := generate()
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile("../../page/tables.js")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Fatal("page/tables.js is not what the protocol's tables say: run go generate ./server/dashboard/...")
	}
}
