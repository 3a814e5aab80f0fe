package protocol_test

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"rollcall/protocol"
)

var update = flag.Bool("update", false, "write the golden files of testdata anew")

// What stands on the wire for every message: its sample request on the first
// line, the reply to it on the second. A change of a golden file is a change of
// the contract.
func TestTheWireIsAsRecorded(t *testing.T) {
	recorded := map[string]bool{}
	for _, m := range protocol.Messages() {
		request, err := protocol.AppendRequest(nil, 7, m.Type, m.SampleIn)
		if err != nil {
			t.Fatal(err)
		}
		req, err := protocol.ParseRequest(request)
		if err != nil {
			t.Fatalf("%s: %v", m.Type, err)
		}
		reply, err := protocol.AppendReply(nil, req, m.SampleOut)
		if err != nil {
			t.Fatal(err)
		}
		got := bytes.Join([][]byte{request, reply, nil}, []byte("\n"))

		file := filepath.Join("testdata", m.Type+".json")
		recorded[file] = true
		if *update {
			if err := os.WriteFile(file, got, 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatalf("%v; write it with go test ./protocol -run Recorded -update", err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s\ngot\n%swant\n%s", file, got, want)
		}
	}
	files, err := filepath.Glob("testdata/*.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if !recorded[f] {
			t.Errorf("%s belongs to no message", f)
		}
	}
}
