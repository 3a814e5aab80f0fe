package protocol

import (
	"bytes"
	"errors"
	"strconv"
	"sync"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// A Request is one frame from a client.
type Request struct {
	// ID is the client's own choice, an integer or a string, as it was written;
	// it comes back with the reply. Empty when the client gave none.
	ID jsontext.Value
	// Type names the message.
	Type string
	// Data holds the parameters; empty when there are none.
	Data jsontext.Value
}

type decodeState struct {
	buf bytes.Buffer
	dec jsontext.Decoder
}

var decoders = sync.Pool{New: func() any { return new(decodeState) }}

// ParseRequest reads a frame. The request's ID and Data point into frame.
//
// A frame that is not one JSON object, holds a duplicate key, has no type, nests
// deeper than MaxDepth or has an id that is neither an integer nor a string of at
// most MaxIDBytes is an *Error of status 830. The request then still has the id
// if one was read before the mistake.
func ParseRequest(frame []byte) (Request, error) {
	var req Request
	s := decoders.Get().(*decodeState)
	defer decoders.Put(s)
	s.buf = *bytes.NewBuffer(frame)
	s.dec.Reset(&s.buf)
	defer func() { s.buf = bytes.Buffer{} }()

	if err := req.read(&s.dec, frame, tooDeep(frame)); err != nil {
		var e *Error
		if errors.As(err, &e) {
			return req, e
		}
		return req, decodeError(err)
	}
	if req.Type == "" {
		return req, Errorf(StatusDecodeFailed, "the frame has no type")
	}
	return req, nil
}

// read reads the members of a frame. In one that nests too deep it stops at the
// first member that nests at all: the decoder's own depth is a stack's.
func (req *Request) read(dec *jsontext.Decoder, frame []byte, deep bool) error {
	tok, err := dec.ReadToken()
	if err != nil {
		return err
	}
	if tok.Kind() != '{' {
		return Errorf(StatusDecodeFailed, "a frame is one JSON object")
	}
	for dec.PeekKind() != '}' {
		name, err := dec.ReadToken()
		if err != nil {
			return err
		}
		key := name.String()
		if k := dec.PeekKind(); deep && (k == '{' || k == '[') {
			return Errorf(StatusDecodeFailed, "JSON nests deeper than %d levels", MaxDepth)
		}
		value, err := dec.ReadValue()
		if err != nil {
			return err
		}
		end := dec.InputOffset()
		value = frame[end-int64(len(value)) : end]
		switch key {
		case "id":
			if !validID(value) {
				return Errorf(StatusDecodeFailed, "an id is an integer or a string of at most %d bytes", MaxIDBytes)
			}
			if value.Kind() != 'n' {
				req.ID = value
			}
		case "type":
			if value.Kind() != '"' {
				return Errorf(StatusDecodeFailed, "the type is not a string")
			}
			text := value[1 : len(value)-1]
			if bytes.IndexByte(text, '\\') >= 0 {
				if text, err = jsontext.AppendUnquote(nil, value); err != nil {
					return err
				}
			}
			req.Type = intern(text)
		case "data":
			if value.Kind() != 'n' {
				req.Data = value
			}
		}
	}
	if _, err := dec.ReadToken(); err != nil {
		return err
	}
	if len(bytes.TrimLeft(frame[dec.InputOffset():], " \t\r\n")) > 0 {
		return Errorf(StatusDecodeFailed, "a frame is one JSON object, and nothing after it")
	}
	return nil
}

// intern returns the table's own string for a known message type, so that the
// usual frame allocates none.
func intern(text []byte) string {
	if m, ok := messages[string(text)]; ok {
		return m.Type
	}
	return string(text)
}

func validID(v jsontext.Value) bool {
	switch v.Kind() {
	case 'n':
		return true
	case '"':
		return len(v) <= MaxIDBytes+2
	case '0':
		return len(v) <= MaxIDBytes && !bytes.ContainsAny(v, ".eE")
	}
	return false
}

// tooDeep reports whether objects and arrays nest deeper than MaxDepth. Frames
// with fewer brackets than that, nearly all, cost one count.
func tooDeep(frame []byte) bool {
	if bytes.Count(frame, []byte("{"))+bytes.Count(frame, []byte("[")) <= MaxDepth {
		return false
	}
	depth, quoted := 0, false
	for i := 0; i < len(frame); i++ {
		switch c := frame[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			if depth++; depth > MaxDepth {
				return true
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return false
}

func decodeError(err error) *Error {
	var syntax *jsontext.SyntacticError
	if errors.As(err, &syntax) {
		switch {
		case errors.Is(err, jsontext.ErrDuplicateName):
			return Errorf(StatusDecodeFailed, "JSON decode failed: duplicate key at byte %d", syntax.ByteOffset)
		default:
			return Errorf(StatusDecodeFailed, "JSON decode failed at byte %d", syntax.ByteOffset)
		}
	}
	return Errorf(StatusDecodeFailed, "JSON decode failed")
}

// AppendReply appends the reply that carries a result, best given as a pointer.
// An error means that the result has no JSON form; then nothing was appended.
func AppendReply(dst []byte, req Request, result any) ([]byte, error) {
	n := len(dst)
	dst = appendReplyHead(dst, req)
	dst = append(dst, `"result":`...)
	dst, err := appendResult(dst, result)
	if err != nil {
		return dst[:n], err
	}
	return append(dst, '}'), nil
}

// AppendError appends the reply that carries an error.
func AppendError(dst []byte, req Request, e *Error) []byte {
	dst = appendReplyHead(dst, req)
	dst = append(dst, `"error":`...)
	dst = appendString(dst, e.Text())
	dst = append(dst, `,"status":`...)
	dst = strconv.AppendInt(dst, int64(e.Status), 10)
	if e.Temporary {
		dst = append(dst, `,"temporary":true`...)
	}
	if e.RetryAfter > 0 {
		dst = append(dst, `,"retry_after_ms":`...)
		dst = strconv.AppendInt(dst, max(1, e.RetryAfter.Milliseconds()), 10)
	}
	return append(dst, '}')
}

func appendReplyHead(dst []byte, req Request) []byte {
	dst = append(dst, '{')
	if len(req.ID) > 0 {
		dst = append(dst, `"id":`...)
		dst = append(dst, req.ID...)
		dst = append(dst, ',')
	}
	if req.Type != "" {
		dst = append(dst, `"type":`...)
		dst = appendString(dst, req.Type)
		dst = append(dst, ',')
	}
	return dst
}

func appendString(dst []byte, s string) []byte {
	dst, err := jsontext.AppendQuote(dst, s)
	if err != nil { // invalid UTF-8 is mangled into the replacement character, which is what a text may have
		return dst
	}
	return dst
}

type encodeState struct {
	buf bytes.Buffer
	enc jsontext.Encoder
}

var encoders = sync.Pool{New: func() any { return new(encodeState) }}

// appendJSON appends v without the line feed that an Encoder ends values with.
func appendJSON(dst []byte, v any) ([]byte, error) {
	s := encoders.Get().(*encodeState)
	defer encoders.Put(s)
	s.buf.Reset()
	s.enc.Reset(&s.buf, jsontext.AllowInvalidUTF8(true))
	if err := json.MarshalEncode(&s.enc, v, json.Deterministic(true)); err != nil {
		return dst, err
	}
	return append(dst, bytes.TrimSuffix(s.buf.Bytes(), []byte("\n"))...), nil
}

// AppendRequest appends a client's frame.
func AppendRequest(dst []byte, id int64, typ string, data any) ([]byte, error) {
	n := len(dst)
	dst = append(dst, `{"id":`...)
	dst = strconv.AppendInt(dst, id, 10)
	dst = append(dst, `,"type":`...)
	dst = appendString(dst, typ)
	dst = append(dst, `,"data":`...)
	dst, err := appendJSON(dst, data)
	if err != nil {
		return dst[:n], err
	}
	return append(dst, '}'), nil
}

// A Reply is one frame from a server that answers a request.
type Reply struct {
	ID           jsontext.Value `json:"id,omitzero"`
	Type         string         `json:"type,omitzero"`
	Result       jsontext.Value `json:"result,omitzero"`
	Message      string         `json:"error,omitzero"`
	Status       Status         `json:"status,omitzero"`
	Temporary    bool           `json:"temporary,omitzero"`
	RetryAfterMS int64          `json:"retry_after_ms,omitzero"`
}

// Err returns the reply's error, or nil when it carries a result.
func (r *Reply) Err() error {
	if r.Message == "" && r.Status == 0 {
		return nil
	}
	return &Error{
		Status:     r.Status,
		Message:    r.Message,
		Temporary:  r.Temporary,
		RetryAfter: time.Duration(r.RetryAfterMS) * time.Millisecond,
	}
}

// A Push is what a server sends of its own accord to a subscriber.
type Push struct {
	Event   string         `json:"event"`
	Scope   string         `json:"scope,omitzero"`
	Seq     int64          `json:"seq,omitzero"`
	Epoch   string         `json:"epoch,omitzero"`
	EventID string         `json:"event_id,omitzero"`
	Time    Time           `json:"time,omitzero"`
	Data    jsontext.Value `json:"data,omitzero"`
}

// AppendPush appends a push with data, in place of the push's own. An error means
// that data has no JSON form; then nothing was appended.
func AppendPush(dst []byte, p Push, data any) ([]byte, error) {
	var err error
	if p.Data, err = appendJSON(nil, data); err != nil {
		return dst, err
	}
	return appendJSON(dst, p)
}

// AppendPosition appends a push that tells a place in a feed: EventFeedHead or
// EventFeedLost.
func AppendPosition(dst []byte, event, scope string, pos FeedPosition) ([]byte, error) {
	return appendJSON(dst, Push{Event: event, Scope: scope, Seq: pos.Seq, Epoch: pos.Epoch})
}

// A Bye is the last frame before a server closes a connection.
type Bye struct {
	Event        string    `json:"event"` // always "bye"
	Code         CloseCode `json:"code"`
	Reason       string    `json:"reason"`
	Reconnect    bool      `json:"reconnect"`
	RetryAfterMS int64     `json:"retry_after_ms,omitzero"`
}

// AppendBye appends the bye for a close code. retryAfter, if positive, tells the
// client how long to wait before it comes back.
func AppendBye(dst []byte, code CloseCode, reason string, retryAfter time.Duration) []byte {
	if reason == "" {
		reason = code.Reason()
	}
	dst, err := appendJSON(dst, Bye{"bye", code, reason, code.Reconnect(), retryAfter.Milliseconds()})
	if err != nil {
		panic("protocol: a bye always has a JSON form: " + err.Error())
	}
	return dst
}
