package server

import (
	"strings"
	"testing"
)

func TestANameThatBreaksRecordsIsNoNodes(t *testing.T) {
	for name, good := range map[string]bool{
		"n1": true, "rollcall-7d4b9c-x2x9z": true, "host.example.com": true,
		"": false, "my node": false, "a\nb": false, "é": false, strings.Repeat("n", 65): false,
	} {
		if err := CheckNode(name); (err == nil) != good {
			t.Errorf("%q: %v", name, err)
		}
	}
}
