package protocol

import (
	"errors"
	"maps"
	"math"
	"slices"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
)

// A ValueKind is the type of a [Value].
type ValueKind byte

// The kinds of values. Each is also the letter that starts the value's text
// form in storage.
const (
	KindNull   ValueKind = 'z'
	KindString ValueKind = 's'
	KindNumber ValueKind = 'n'
	KindTrue   ValueKind = 't'
	KindFalse  ValueKind = 'f'
)

// A Value is one value of a user's extra data: a string, a number or a boolean,
// or, in an update only, null, which removes its key. The zero Value is null.
//
// A number is kept as the text that was sent, so 1.50 and 12345678901234567890
// come back as they went in. Its magnitude must fit a float64.
type Value struct {
	kind ValueKind // 0 means null
	text string    // the string, or the number as written
}

// Null is the value that removes a key in an update.
var Null = Value{}

// String, Number, Int and Bool make values.
func String(s string) Value { return Value{KindString, s} }

// Number returns a number value. NaN and infinities have no JSON form; they
// become null.
func Number(f float64) Value {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return Null
	}
	return Value{KindNumber, strconv.FormatFloat(f, 'g', -1, 64)}
}

// Int returns a number value.
func Int(n int64) Value { return Value{KindNumber, strconv.FormatInt(n, 10)} }

// Bool returns a boolean value.
func Bool(b bool) Value {
	if b {
		return Value{KindTrue, ""}
	}
	return Value{KindFalse, ""}
}

// Kind returns the value's kind.
func (v Value) Kind() ValueKind {
	if v.kind == 0 {
		return KindNull
	}
	return v.kind
}

// IsNull reports whether the value is null.
func (v Value) IsNull() bool { return v.Kind() == KindNull }

// Text returns a string's text, a number as it was written, "true", "false" or "null".
func (v Value) Text() string {
	switch v.Kind() {
	case KindTrue:
		return "true"
	case KindFalse:
		return "false"
	case KindNull:
		return "null"
	}
	return v.text
}

// Float returns a number's value, and whether the value is a number.
func (v Value) Float() (float64, bool) {
	if v.kind != KindNumber {
		return 0, false
	}
	f, err := strconv.ParseFloat(v.text, 64)
	return f, err == nil
}

// Bool returns a boolean's value, and whether the value is a boolean.
func (v Value) Bool() (b, ok bool) {
	return v.kind == KindTrue, v.kind == KindTrue || v.kind == KindFalse
}

// AppendStored appends the value's form in storage: the kind's letter, then the text.
func (v Value) AppendStored(dst []byte) []byte {
	return append(append(dst, byte(v.Kind())), v.text...)
}

var errStoredValue = errors.New("stored value has no known kind")

// ParseStored reads what AppendStored wrote.
func ParseStored(s string) (Value, error) {
	if s == "" {
		return Value{}, errStoredValue
	}
	switch k := ValueKind(s[0]); k {
	case KindNull:
		return Null, nil
	case KindString, KindNumber, KindTrue, KindFalse:
		return Value{k, s[1:]}, nil
	}
	return Value{}, errStoredValue
}

// MarshalJSONTo writes the value.
func (v Value) MarshalJSONTo(enc *jsontext.Encoder) error {
	return enc.WriteValue(v.append(enc.AvailableBuffer()))
}

// append appends the value's JSON form.
func (v Value) append(dst []byte) []byte {
	if v.Kind() == KindString {
		return appendString(dst, v.text)
	}
	return append(dst, v.Text()...)
}

var (
	errNested   = Errorf(StatusWrongType, "extra values must be strings, numbers or booleans, not nested")
	errTooLarge = Errorf(StatusOutOfBounds, "number is beyond a 64-bit float")
)

// UnmarshalJSONFrom reads a value. Something nested is an *Error of status 801,
// a number beyond float64 one of 802.
func (v *Value) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	switch dec.PeekKind() {
	case '{', '[':
		return errNested
	}
	raw, err := dec.ReadValue()
	if err != nil {
		return err
	}
	switch raw.Kind() {
	case '"':
		s, err := jsontext.AppendUnquote(nil, raw)
		if err != nil {
			return err
		}
		*v = Value{KindString, string(s)}
	case '0':
		text := string(raw)
		if _, err := strconv.ParseFloat(text, 64); err != nil {
			return errTooLarge
		}
		*v = Value{KindNumber, text}
	case 't':
		*v = Bool(true)
	case 'f':
		*v = Bool(false)
	default:
		*v = Null
	}
	return nil
}

// Bounds of extra data.
const (
	MaxExtraKeys     = 64      // keys
	MaxExtraBytes    = 8 << 10 // bytes of all keys and values together, as text
	MaxExtraKeyBytes = 64      // bytes of one key
)

// Extra is a user's custom data: keys of 1 to 64 bytes without control
// characters, with strings, numbers and booleans. At most 64 keys and 8 KiB in
// all, keys and values counted as text.
type Extra map[string]Value

// Size returns the bytes that count towards MaxExtraBytes. Null values count nothing.
func (e Extra) Size() int {
	n := 0
	for k, v := range e {
		if !v.IsNull() {
			n += len(k) + len(v.Text())
		}
	}
	return n
}

// check holds e against the bounds.
func (e Extra) check(field string, nullable bool) *Error {
	if len(e) > MaxExtraKeys {
		return Errorf(StatusOutOfBounds, "%s: at most %d keys", field, MaxExtraKeys)
	}
	for k, v := range e {
		if len(k) == 0 || len(k) > MaxExtraKeyBytes || hasControl(k) {
			return Errorf(StatusOutOfBounds, "%s: a key is 1 to %d bytes without control characters", field, MaxExtraKeyBytes)
		}
		if v.IsNull() && !nullable {
			return Errorf(StatusWrongType, "%s.%s: null only removes a key, in an update", field, k)
		}
	}
	if e.Size() > MaxExtraBytes {
		return Errorf(StatusOutOfBounds, "%s: at most %d bytes in all", field, MaxExtraBytes)
	}
	return nil
}

// MarshalJSONTo writes the data with its keys in order.
func (e Extra) MarshalJSONTo(enc *jsontext.Encoder) error {
	return enc.WriteValue(e.append(enc.AvailableBuffer()))
}

// append appends the JSON form.
func (e Extra) append(dst []byte) []byte {
	var few [8]string // most users have few keys
	keys := slices.AppendSeq(few[:0], maps.Keys(e))
	slices.Sort(keys)
	dst = append(dst, '{')
	for i, k := range keys {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(appendString(dst, k), ':')
		dst = e[k].append(dst)
	}
	return append(dst, '}')
}
