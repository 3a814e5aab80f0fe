package wiretest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
)

// A Reply is one reply, as raw JSON.
type Reply struct {
	Raw     string
	Members map[string]json.RawMessage
}

// ID is the id as it stands in the frame, "" when there is none.
func (r Reply) ID() string { return string(r.Members["id"]) }

// Type is the type.
func (r Reply) Type() string {
	var s string
	_ = json.Unmarshal(r.Members["type"], &s)
	return s
}

// OK reports whether the reply carries a result.
func (r Reply) OK() bool { _, ok := r.Members["result"]; return ok }

// Status is the error's status, 0 for a result.
func (r Reply) Status() int { return int(r.number("status")) }

// Message is the error's text.
func (r Reply) Message() string {
	var s string
	_ = json.Unmarshal(r.Members["error"], &s)
	return s
}

// Temporary says that the error may pass.
func (r Reply) Temporary() bool { return string(r.Members["temporary"]) == "true" }

// RetryAfterMS is how long to wait, in milliseconds, 0 when nothing is said.
func (r Reply) RetryAfterMS() int64 { return r.number("retry_after_ms") }

// Result is the result as it stands in the frame.
func (r Reply) Result() string { return string(r.Members["result"]) }

// Object is the result's members; nil when it is no object.
func (r Reply) Object() Object {
	var o Object
	_ = json.Unmarshal(r.Members["result"], &o)
	return o
}

func (r Reply) number(name string) int64 {
	var n int64
	_ = json.Unmarshal(r.Members[name], &n)
	return n
}

// An Object is a JSON object, its values as they stand in the frame.
type Object map[string]json.RawMessage

// Text is a member that is a string; "" when it is none.
func (o Object) Text(name string) string {
	var s string
	_ = json.Unmarshal(o[name], &s)
	return s
}

// Raw is a member as it stands, "" when it is absent.
func (o Object) Raw(name string) string { return string(o[name]) }

// Object is a member that is an object; nil when it is none.
func (o Object) Object(name string) Object {
	var m Object
	_ = json.Unmarshal(o[name], &m)
	return m
}

// Names are the members' names in no order.
func (o Object) Names() []string {
	names := make([]string, 0, len(o))
	for name := range o {
		names = append(names, name)
	}
	return names
}

var replyMembers = map[string]bool{"id": true, "type": true, "result": true, "error": true, "status": true, "temporary": true, "retry_after_ms": true}

// parseReply holds a frame against what the contract says of a reply.
func parseReply(frame []byte) (Reply, error) {
	r := Reply{Raw: string(frame)}
	if err := json.Unmarshal(frame, &r.Members); err != nil {
		return r, fmt.Errorf("frame is no JSON object: %w: %s", err, frame)
	}
	for name := range r.Members {
		if !replyMembers[name] {
			return r, fmt.Errorf("reply has a member %q: %s", name, frame)
		}
	}
	_, failed := r.Members["error"]
	_, status := r.Members["status"]
	switch {
	case r.OK() == failed:
		return r, fmt.Errorf("reply has not exactly one of result and error: %s", frame)
	case failed != status || failed && (r.Status() == 0 || r.Message() == ""):
		return r, fmt.Errorf("error and status do not come together: %s", frame)
	case r.OK() && (r.Members["temporary"] != nil || r.Members["retry_after_ms"] != nil):
		return r, fmt.Errorf("a result says when to retry: %s", frame)
	}
	return r, nil
}

// checkSecrets reports a frame that shows what no frame may.
func checkSecrets(frame []byte) error {
	for _, secret := range []string{`"password":`, `"password_hash":`, "$argon2"} {
		if bytes.Contains(frame, []byte(secret)) {
			return fmt.Errorf("a frame of the server has %s: %s", strings.Trim(secret, ":"), frame)
		}
	}
	return nil
}
