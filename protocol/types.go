package protocol

import (
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// A Time is a moment as the wire has it: RFC 3339, UTC, with milliseconds.
type Time struct{ time.Time }

const timeLayout = "2006-01-02T15:04:05.000Z"

// MarshalJSONTo writes the time.
func (t Time) MarshalJSONTo(enc *jsontext.Encoder) error {
	return enc.WriteValue(t.append(enc.AvailableBuffer()))
}

// UnmarshalJSONFrom reads any RFC 3339 time.
func (t *Time) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	tok, err := dec.ReadToken()
	if err != nil {
		return err
	}
	switch tok.Kind() {
	case 'n':
		*t = Time{}
		return nil
	case '"':
	default:
		return Errorf(StatusWrongType, "a time is a string")
	}
	parsed, err := time.Parse(time.RFC3339, tok.String())
	if err != nil {
		return Errorf(StatusOutOfBounds, "a time is written as in RFC 3339")
	}
	t.Time = parsed.UTC()
	return nil
}

// A Clearable is a string that an update may set, clear (JSON null) or leave
// alone (absent, the zero Clearable).
type Clearable struct {
	set   bool
	clear bool
	value string
}

// Set returns a Clearable that sets s.
func Set(s string) Clearable { return Clearable{set: true, value: s} }

// Clear returns a Clearable that removes the value.
func Clear() Clearable { return Clearable{clear: true} }

// Value returns the string to set, and whether there is one.
func (c Clearable) Value() (string, bool) { return c.value, c.set }

// IsClear reports whether the value is to be removed.
func (c Clearable) IsClear() bool { return c.clear }

// IsZero reports whether the value is to be left alone.
func (c Clearable) IsZero() bool { return !c.set && !c.clear }

// MarshalJSONTo writes the string or null.
func (c Clearable) MarshalJSONTo(enc *jsontext.Encoder) error {
	if c.set {
		return enc.WriteToken(jsontext.String(c.value))
	}
	return enc.WriteToken(jsontext.Null)
}

// UnmarshalJSONFrom reads a string or null.
func (c *Clearable) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	tok, err := dec.ReadToken()
	if err != nil {
		return err
	}
	switch tok.Kind() {
	case '"':
		*c = Set(tok.String())
	case 'n':
		*c = Clear()
	default:
		return Errorf(StatusWrongType, "must be a string or null")
	}
	return nil
}
