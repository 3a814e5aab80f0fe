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
	result []byte          // where done; nil where it was only scanned
	text   string          // of an error
}

var errNoReply = errors.New("the frame is no reply to a request of ours")

// scanResult reads the id of a reply that carries a result and whose members stand
// in the usual order: {"id":N,"type":"…","result":…}. It looks at the head alone
// and never into the result, so nothing in there can be taken for something else;
// a reply has a result or an error and never both. It reports false for all that
// it can't tell by the head, which is for decodeReply then.
func scanResult(frame []byte) (id uint32, ok bool) {
	rest, ok := bytes.CutPrefix(frame, []byte(`{"id":`))
	if !ok {
		return 0, false
	}
	digits := 0
	for digits < len(rest) && digits < 10 && rest[digits] >= '0' && rest[digits] <= '9' {
		id = id*10 + uint32(rest[digits]-'0')
		digits++
	}
	if digits == 0 || digits > 9 || digits > 1 && rest[0] == '0' { // ten digits might not fit an id
		return 0, false
	}
	if rest, ok = bytes.CutPrefix(rest[digits:], []byte(`,"type":"`)); !ok {
		return 0, false
	}
	end := bytes.IndexByte(rest, '"')
	if end < 0 || bytes.IndexByte(rest[:end], '\\') >= 0 {
		return 0, false
	}
	rest = rest[end:]
	return id, bytes.HasPrefix(rest, []byte(`","result":`)) && rest[len(rest)-1] == '}'
}

// decodeReply reads any reply.
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
