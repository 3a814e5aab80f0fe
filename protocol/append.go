package protocol

import (
	"reflect"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"
)

// A jsonAppender appends the JSON form of a value, which is addressable. One is made for each type
// that a result has, from the same struct tags that the JSON package reads, and
// writes the same text (a test holds every message of the tables against it). It
// is here because writing a user object through the JSON package took 7% of all
// that users.get costs, client and system calls included; this takes a quarter
// of that. What it does not know, such as a map, it leaves to that package.
type jsonAppender func(dst []byte, v reflect.Value) ([]byte, error)

var appenders sync.Map // of jsonAppender by reflect.Type

// appenderOf returns the appender of a type, and makes it at the first call.
func appenderOf(t reflect.Type) jsonAppender {
	if a, ok := appenders.Load(t); ok {
		return a.(jsonAppender)
	}
	a := makeAppender(t)
	appenders.Store(t, a)
	return a
}

func makeAppender(t reflect.Type) jsonAppender {
	switch {
	case t == timeType:
		return appendTime
	case t == uuidType:
		return appendUUID
	case t == extraType:
		return appendExtra
	case t.Implements(marshalerType) || reflect.PointerTo(t).Implements(marshalerType):
		return appendOther
	}
	switch t.Kind() {
	case reflect.Bool:
		return func(dst []byte, v reflect.Value) ([]byte, error) { return strconv.AppendBool(dst, v.Bool()), nil }
	case reflect.String:
		return func(dst []byte, v reflect.Value) ([]byte, error) { return appendString(dst, v.String()), nil }
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return func(dst []byte, v reflect.Value) ([]byte, error) { return strconv.AppendInt(dst, v.Int(), 10), nil }
	case reflect.Pointer:
		return appendPointer(t)
	case reflect.Slice:
		if t.Elem().Kind() != reflect.Uint8 { // bytes are written as base64
			return appendSlice(t)
		}
	case reflect.Struct:
		return appendStruct(t)
	}
	return appendOther
}

// marshalerType is what writes itself, in the JSON package's way.
var marshalerType = reflect.TypeFor[interface {
	MarshalJSONTo(*jsontext.Encoder) error
}]()

func appendOther(dst []byte, v reflect.Value) ([]byte, error) { return appendJSON(dst, v.Interface()) }

func appendTime(dst []byte, v reflect.Value) ([]byte, error) {
	return v.Addr().Interface().(*Time).append(dst), nil
}

func appendExtra(dst []byte, v reflect.Value) ([]byte, error) {
	return v.Addr().Interface().(*Extra).append(dst), nil
}

// append appends the time in quotes, as timeLayout has it: its layout is read
// anew at each formatting, which takes three times as long.
func (t Time) append(dst []byte) []byte {
	u := t.UTC()
	year, month, day := u.Date()
	if year < 0 || year > 9999 {
		dst = append(dst, '"')
		return append(u.AppendFormat(dst, timeLayout), '"')
	}
	hour, minute, second := u.Clock()
	text := []byte(`"0000-00-00T00:00:00.000Z"`)
	for _, part := range [...]struct{ end, n int }{
		{5, year}, {8, int(month)}, {11, day},
		{14, hour}, {17, minute}, {20, second}, {24, u.Nanosecond() / int(time.Millisecond)},
	} {
		for i := part.end - 1; part.n > 0; i-- {
			text[i] += byte(part.n % 10)
			part.n /= 10
		}
	}
	return append(dst, text...)
}

func appendUUID(dst []byte, v reflect.Value) ([]byte, error) {
	id := v.Addr().Interface().(*uuid.UUID)
	const hex = "0123456789abcdef"
	dst = append(dst, '"')
	for i, b := range id {
		if i == 4 || i == 6 || i == 8 || i == 10 {
			dst = append(dst, '-')
		}
		dst = append(dst, hex[b>>4], hex[b&15])
	}
	return append(dst, '"'), nil
}

func appendPointer(t reflect.Type) jsonAppender {
	elem := sync.OnceValue(func() jsonAppender { return appenderOf(t.Elem()) }) // a type may contain itself
	return func(dst []byte, v reflect.Value) ([]byte, error) {
		if v.IsNil() {
			return append(dst, "null"...), nil
		}
		return elem()(dst, v.Elem())
	}
}

func appendSlice(t reflect.Type) jsonAppender {
	elem := sync.OnceValue(func() jsonAppender { return appenderOf(t.Elem()) })
	return func(dst []byte, v reflect.Value) (_ []byte, err error) {
		write := elem()
		dst = append(dst, '[')
		for i := range v.Len() {
			if i > 0 {
				dst = append(dst, ',')
			}
			if dst, err = write(dst, v.Index(i)); err != nil {
				return dst, err
			}
		}
		return append(dst, ']'), nil
	}
}

// A jsonMember is one member of an object, from one field.
type jsonMember struct {
	key    []byte // "name":
	index  []int
	omit   func(reflect.Value) bool // nil: always written
	append jsonAppender
}

func appendStruct(t reflect.Type) jsonAppender {
	members, ok := jsonMembers(t, nil)
	if !ok {
		return appendOther
	}
	return func(dst []byte, v reflect.Value) (_ []byte, err error) {
		dst = append(dst, '{')
		empty := len(dst)
		for i := range members {
			m := &members[i]
			f := v
			for _, n := range m.index {
				f = f.Field(n)
			}
			if m.omit != nil && m.omit(f) {
				continue
			}
			if len(dst) > empty {
				dst = append(dst, ',')
			}
			dst = append(dst, m.key...)
			if dst, err = m.append(dst, f); err != nil {
				return dst, err
			}
		}
		return append(dst, '}'), nil
	}
}

// jsonMembers lists a struct's members, those of embedded structs in their
// place. It reports false where a tag says something that it does not know.
func jsonMembers(t reflect.Type, at []int) ([]jsonMember, bool) {
	var members []jsonMember
	for i := range t.NumField() {
		f := t.Field(i)
		index := append(append([]int(nil), at...), i)
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case name == "-" && options == "":
			continue
		case f.Anonymous && name == "" && options == "" && f.Type.Kind() == reflect.Struct:
			inner, ok := jsonMembers(f.Type, index)
			if !ok {
				return nil, false
			}
			members = append(members, inner...)
			continue
		case name == "" || !f.IsExported() || options != "" && options != "omitzero":
			return nil, false
		}
		m := jsonMember{key: append(appendString(nil, name), ':'), index: index, append: appenderOf(f.Type)}
		if options == "omitzero" {
			m.omit = reflect.Value.IsZero
			if f.Type.Implements(isZeroType) {
				m.omit = isZero(f.Type)
			}
		}
		members = append(members, m)
	}
	return members, true
}

var isZeroType = reflect.TypeFor[interface{ IsZero() bool }]()

// isZero is omitzero's rule for a type that has a method of that name.
func isZero(t reflect.Type) func(reflect.Value) bool {
	if t == timeType {
		return func(v reflect.Value) bool { return v.Addr().Interface().(*Time).IsZero() }
	}
	return func(v reflect.Value) bool { return v.Interface().(interface{ IsZero() bool }).IsZero() }
}

// appendResult appends a result's JSON form.
func appendResult(dst []byte, result any) ([]byte, error) {
	v := reflect.ValueOf(result)
	if v.Kind() != reflect.Pointer { // what is not addressable is written by the JSON package
		if s, ok := result.(string); ok {
			return appendString(dst, s), nil
		}
		return appendJSON(dst, result)
	}
	return appenderOf(v.Type())(dst, v)
}
