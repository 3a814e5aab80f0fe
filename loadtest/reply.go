package loadtest

import (
	"bytes"
	"errors"
	"io"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"rollcall/protocol"
)

// A reply is what a client needs to know of one.
type reply struct {
	id     uint32
	status protocol.Status // 0: done
	result []byte          // where done; good as long as the frame is
	text   string          // of an error
}

var errNoReply = errors.New("the frame is no reply to a request of ours")

// scanReply reads a reply. One whose members stand in the usual order, id, type,
// result, is told by its head: what is inside the result is never looked at, so
// nothing in it can be taken for something else. All else goes through a JSON
// decoder.
func scanReply(frame []byte) (reply, error) {
	if r, ok := scanUsual(frame); ok {
		return r, nil
	}
	return decodeReply(frame)
}

// scanUsual reads {"id":N,"type":"…","result":…}.
func scanUsual(frame []byte) (r reply, ok bool) {
	rest, ok := bytes.CutPrefix(frame, []byte(`{"id":`))
	if !ok {
		return r, false
	}
	digits := 0
	for digits < len(rest) && rest[digits] >= '0' && rest[digits] <= '9' {
		r.id = r.id*10 + uint32(rest[digits]-'0')
		digits++
	}
	if digits == 0 || digits > 9 || digits > 1 && rest[0] == '0' { // more might not fit an id
		return r, false
	}
	if rest, ok = bytes.CutPrefix(rest[digits:], []byte(`,"type":"`)); !ok {
		return r, false
	}
	end := bytes.IndexByte(rest, '"')
	if end < 0 || bytes.IndexByte(rest[:end], '\\') >= 0 {
		return r, false
	}
	rest, ok = bytes.CutPrefix(rest[end:], []byte(`","result":`))
	if !ok || len(rest) < 2 || rest[len(rest)-1] != '}' {
		return r, false
	}
	r.result = rest[:len(rest)-1]
	return r, true
}

// decodeReply reads a reply in any order of its members.
func decodeReply(frame []byte) (r reply, err error) {
	dec := jsontext.NewDecoder(bytes.NewBuffer(frame), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	if tok, err := dec.ReadToken(); err != nil || tok.Kind() != '{' {
		return r, errNoReply
	}
	hasID, hasError := false, false
	for dec.PeekKind() != '}' {
		tok, err := dec.ReadToken()
		if err != nil {
			return r, errNoReply
		}
		name := tok.String()
		value, err := dec.ReadValue()
		if err != nil {
			return r, errNoReply
		}
		switch name {
		case "id":
			hasID = json.Unmarshal(value, &r.id) == nil
		case "error":
			hasError = json.Unmarshal(value, &r.text) == nil
		case "status":
			_ = json.Unmarshal(value, &r.status)
		case "result":
			r.result = bytes.Clone(value)
		}
	}
	if _, err := dec.ReadToken(); err != nil {
		return r, errNoReply
	}
	if _, err := dec.ReadToken(); err != io.EOF {
		return r, errNoReply
	}
	switch {
	case !hasID || hasError == (r.result != nil):
		return r, errNoReply
	case hasError && r.status == 0:
		r.status = protocol.StatusUnknown
	case !hasError:
		r.status = 0
	}
	return r, nil
}
