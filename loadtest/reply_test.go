package loadtest

import (
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"rollcall/protocol"
)

func TestRepliesAreReadInAnyForm(t *testing.T) {
	for _, c := range []struct {
		name, frame string
		id          uint32
		status      protocol.Status
		result      string
		scanned     bool
	}{
		{"the usual", `{"id":7,"type":"users.get","result":{"a":1}}`, 7, 0, `{"a":1}`, true},
		{"error in the text of a result", `{"id":7,"type":"users.get","result":{"error":"x","status":603}}`, 7, 0, `{"error":"x","status":603}`, true},
		{"a head in the text of a result", `{"id":7,"type":"t","result":"{\"id\":9,\"type\":\"t\",\"error\":\"e\"}"}`, 7, 0, `"{\"id\":9,\"type\":\"t\",\"error\":\"e\"}"`, true},
		{"an error", `{"id":7,"type":"users.get","error":"user not found","status":604}`, 7, 604, "", false},
		{"an error with more", `{"id":7,"type":"t","error":"result","status":809,"temporary":true,"retry_after_ms":5}`, 7, 809, "", false},
		{"an error that quotes a result", `{"id":7,"type":"t","error":"\",\"result\":1","status":-1}`, 7, -1, "", false},
		{"an error without a status", `{"id":7,"type":"t","error":"x"}`, 7, -1, "", false},
		{"another order", `{"type":"t","result":{"id":9},"id":7}`, 7, 0, `{"id":9}`, false},
		{"white space", " {\n\"id\" : 7 , \"type\":\"t\",\"result\" : 1 } ", 7, 0, `1`, false},
		{"no type", `{"id":7,"result":true}`, 7, 0, `true`, false},
		{"an odd type", `{"id":7,"type":"a\",\"error\":","result":1}`, 7, 0, `1`, false},
		{"more members", `{"id":7,"type":"t","new":{"result":2},"result":1}`, 7, 0, `1`, false},
		{"null", `{"id":7,"type":"t","result":null}`, 7, 0, `null`, true},
	} {
		r, err := decodeReply([]byte(c.frame))
		if err != nil || r.id != c.id || r.status != c.status || string(r.result) != c.result {
			t.Errorf("%s: %v, id %d status %d result %s", c.name, err, r.id, r.status, r.result)
		}
		id, ok := scanResult([]byte(c.frame))
		if ok != c.scanned || ok && id != c.id {
			t.Errorf("%s: scanned %v, id %d", c.name, ok, id)
		}
	}
}

func TestWhatIsNoReplyIsNone(t *testing.T) {
	for _, frame := range []string{
		``, `{`, `[]`, `7`, `{"id":7}`, `{"id":"7","type":"t","result":1}`, `{"type":"t","result":1}`, `{"id":-1,"type":"t","result":1}`,
		`{"id":7,"type":"t","error":"x","result":1}`, `{"id":7,"type":"t",`, `{"event":"user.login","seq":1}`,
		`[{"event":"user.login"}]`, `{"event":"bye","code":4001}`, `{"id":99999999999,"type":"t","result":1}`,
	} {
		if r, err := decodeReply([]byte(frame)); err == nil {
			t.Errorf("%s: %+v", frame, r)
		}
	}
}

// FuzzReply holds the scan of a reply's head against the JSON decoder: what the
// scan takes for a result, of a frame that is JSON with each member once, has one.
func FuzzReply(f *testing.F) {
	for _, frame := range []string{
		`{"id":7,"type":"users.get","result":{"a":1}}`, `{"id":7,"type":"t","error":"e","status":603}`,
		`{"id":07,"type":"t","result":1}`, `{"id":7,"type":"t","result":"}"}`, `{"id":7,"type":"","result":[{}]}`,
		`{"id":7,"type":"t","result":1,"x":2}`, `{"id":4294967296,"type":"t","result":1}`,
	} {
		f.Add([]byte(frame))
	}
	f.Fuzz(func(t *testing.T, frame []byte) {
		id, ok := scanResult(frame)
		r, err := decodeReply(frame)
		if !ok || !jsontext.Value(frame).IsValid() {
			return
		}
		var members map[string]jsontext.Value
		if json.Unmarshal(frame, &members) != nil {
			t.Fatalf("%q is no object", frame)
		}
		if members["error"] != nil {
			return // with a result beside it, against the contract
		}
		if err != nil || id != r.id || r.status != 0 || r.result == nil {
			t.Fatalf("%q: scanned id %d, decoded %+v, %v", frame, id, r, err)
		}
	})
}
