package protocol

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
)

// byPackage is what the JSON package makes of a value.
func byPackage(t testing.TB, v any) string {
	t.Helper()
	text, err := appendJSON(nil, v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestEveryResultIsWrittenAsTheJSONPackageWritesIt(t *testing.T) {
	for _, m := range Messages() {
		full, zero := reflect.New(m.Out), reflect.New(m.Out)
		full.Elem().Set(reflect.ValueOf(m.SampleOut))
		fill(full.Elem(), 0)
		for _, v := range []reflect.Value{full, zero} {
			got, err := appendResult(nil, v.Interface())
			if err != nil {
				t.Fatalf("%s: %v", m.Type, err)
			}
			if want := byPackage(t, v.Interface()); string(got) != want {
				t.Errorf("%s:\n got %s\nwant %s", m.Type, got, want)
			}
		}
		got, err := appendResult(nil, m.SampleOut)
		if want := byPackage(t, m.SampleOut); err != nil || string(got) != want {
			t.Errorf("%s, not by a pointer: %v\n got %s\nwant %s", m.Type, err, got, want)
		}
	}
}

// fill sets what is zero in v to something that is not, so that no member is
// left out. What v shares with others, such as a sample, stays as it is.
func fill(v reflect.Value, depth int) {
	if depth > 6 {
		return
	}
	switch {
	case v.Type() == timeType:
		if v.IsZero() {
			v.Set(reflect.ValueOf(sampleTime))
		}
		return
	case v.Type() == extraType:
		v.Set(reflect.ValueOf(Extra{"b": Bool(true), "a\"": String("<ü\x00\xff>"), "n": Number(1.5), "z": Null}))
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Field(i).CanSet() {
				fill(v.Field(i), depth+1)
			}
		}
	case reflect.Pointer:
		own := reflect.New(v.Type().Elem())
		if !v.IsNil() {
			own.Elem().Set(v.Elem())
		}
		v.Set(own)
		fill(v.Elem(), depth+1)
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			return
		}
		own := reflect.MakeSlice(v.Type(), max(2, v.Len()), max(2, v.Len()))
		reflect.Copy(own, v)
		v.Set(own)
		for i := range v.Len() {
			fill(v.Index(i), depth+1)
		}
	case reflect.String:
		if v.Len() == 0 {
			v.SetString("é\"\\\n<>&\u2028")
		}
	case reflect.Int, reflect.Int32, reflect.Int64:
		if v.IsZero() {
			v.SetInt(-12)
		}
	case reflect.Bool:
		v.SetBool(true)
	}
}

func TestTimesAreWrittenInTheLayout(t *testing.T) {
	for _, s := range []string{
		"2026-11-24T16:13:28.007Z", "1970-01-01T00:00:00Z", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999999Z", "2024-02-29T12:00:00+05:45",
	} {
		at, err := time.Parse(time.RFC3339, s)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := string(Time{at}.append(nil)), at.UTC().Format(`"`+timeLayout+`"`); got != want {
			t.Errorf("%s is written %s, not %s", s, got, want)
		}
	}
}

func FuzzWrittenUser(f *testing.F) {
	f.Add("tiny", "blue", int64(3), int64(1795536652), true)
	f.Add("\xff\u2028", "\x00", int64(-1), int64(-1), false)
	f.Fuzz(func(t *testing.T, name, value string, n, seconds int64, yes bool) {
		name, value = strings.ToValidUTF8(name, "?"), strings.ToValidUTF8(value, "!") // as all that comes in by a frame
		u := User{
			Username: name, Group: value, Logins: n, Active: yes, CreatedAt: Time{time.Unix(seconds%250_000_000_000, n%1000*1000).UTC()},
			Extra: Extra{name: String(value), value: Int(n)}, Providers: []string{value},
		}
		got, err := appendResult(nil, &u)
		if err != nil {
			t.Fatal(err)
		}
		if want := byPackage(t, &u); string(got) != want {
			t.Errorf("\n got %s\nwant %s", got, want)
		}
		var back User
		if err := json.Unmarshal(got, &back); err != nil {
			t.Errorf("%s can't be read: %v", got, err)
		}
	})
}
