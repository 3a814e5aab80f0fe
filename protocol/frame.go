package protocol

import (
	"bytes"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// A Frame is one frame from a server: exactly one of a reply, a bye and one or
// more pushes.
type Frame struct {
	Reply  *Reply
	Bye    *Bye
	Pushes []Push
}

// serverFrame has the members of every kind of frame, so that one pass over the
// text reads it whatever it is.
type serverFrame struct {
	Reply
	Event     string         `json:"event"`
	Scope     string         `json:"scope"`
	Seq       int64          `json:"seq"`
	Epoch     string         `json:"epoch"`
	EventID   string         `json:"event_id"`
	Time      Time           `json:"time"`
	Data      jsontext.Value `json:"data"`
	Code      CloseCode      `json:"code"`
	Reason    string         `json:"reason"`
	Reconnect bool           `json:"reconnect"`
}

// ParseFrame reads a frame from a server. What it returns shares no memory with
// the frame. A frame that is none of the three is an *Error of status 830.
func ParseFrame(frame []byte) (Frame, error) {
	if text := bytes.TrimLeft(frame, " \t\r\n"); len(text) > 0 && text[0] == '[' {
		var pushes []Push
		if err := json.Unmarshal(frame, &pushes); err != nil {
			return Frame{}, decodeError(err)
		}
		for _, p := range pushes {
			if p.Event == "" {
				return Frame{}, Errorf(StatusDecodeFailed, "a push has no event")
			}
		}
		return Frame{Pushes: pushes}, nil
	}
	var f serverFrame
	if err := json.Unmarshal(frame, &f); err != nil {
		return Frame{}, decodeError(err)
	}
	switch {
	case f.Event == "bye":
		return Frame{Bye: &Bye{f.Event, f.Code, f.Reason, f.Reconnect, f.RetryAfterMS}}, nil
	case f.Event != "":
		return Frame{Pushes: []Push{{f.Event, f.Scope, f.Seq, f.Epoch, f.EventID, f.Time, f.Data}}}, nil
	case len(f.Result) > 0 && f.Err() != nil:
		return Frame{}, Errorf(StatusDecodeFailed, "a reply has a result or an error, not both")
	case len(f.Result) == 0 && f.Err() == nil:
		return Frame{}, Errorf(StatusDecodeFailed, "the frame has neither an event, a result nor an error")
	}
	return Frame{Reply: &f.Reply}, nil
}

// DecodeResult reads a reply's result into out, a pointer. Unknown members are
// ignored. A result of another form is an *Error of status 800.
func DecodeResult(result jsontext.Value, out any) error {
	if err := json.Unmarshal(result, out); err != nil {
		return Errorf(StatusResultInvalid, "the result is not of the documented form")
	}
	return nil
}
