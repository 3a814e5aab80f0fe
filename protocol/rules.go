package protocol

import (
	"bytes"
	"net/mail"
	"reflect"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"
)

// A rule is what the struct tag `rule` names: a test of a string, and the same
// bounds in the words of JSON Schema, for asyncapi.yaml.
type rule struct {
	check  func(field, s string) *Error
	schema map[string]any
}

// Bounds of strings. Characters are Unicode code points.
const (
	MaxNameChars     = 64   // username, group, client name, admin name, in characters
	MaxScopeBytes    = 64   // a scope's name
	MaxEmailBytes    = 254  // RFC 5321, section 4.5.3.1.3, less the angle brackets
	MaxPasswordBytes = 1024 // a password
	MinAdminPassword = 8    // a new password of an admin, in characters
	MaxTokenBytes    = 8192 // tokens and keys, ours and the providers'
	MaxTextBytes     = 256  // reasons, subjects and other short texts
	MaxTemplateKeys  = 20   // tpl_keys
	MaxTemplateBytes = 200  // one value of tpl_keys
	MaxListLimit     = 200  // users a page
	MaxPresenceIDs   = 100  // user_ids of one users.presence
)

// rules is the table of what a tag may name.
var rules = map[string]rule{
	"username":    {checkName, map[string]any{"minLength": 1, "maxLength": MaxNameChars}},
	"name":        {checkName, map[string]any{"minLength": 1, "maxLength": MaxNameChars}},
	"group":       {checkName, map[string]any{"minLength": 1, "maxLength": MaxNameChars}},
	"scope":       {checkScope, map[string]any{"minLength": 1, "maxLength": MaxScopeBytes}},
	"email":       {checkEmail, map[string]any{"format": "email", "maxLength": MaxEmailBytes}},
	"password":    {byteBound(MaxPasswordBytes), map[string]any{"minLength": 1, "maxLength": MaxPasswordBytes}},
	"newpassword": {checkNewPassword, map[string]any{"minLength": MinAdminPassword, "maxLength": MaxPasswordBytes}},
	"hash":        {checkHash, map[string]any{"pattern": "^[0-9a-f]{64}$"}},
	"token":       {byteBound(MaxTokenBytes), map[string]any{"minLength": 1, "maxLength": MaxTokenBytes}},
	"text":        {byteBound(MaxTextBytes), map[string]any{"minLength": 1, "maxLength": MaxTextBytes}},
	"line":        {checkLine, map[string]any{"minLength": 1, "maxLength": MaxTextBytes}},
	"template":    {checkTemplate, map[string]any{"pattern": "^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"}},
	"idempotency": {byteBound(64), map[string]any{"minLength": 1, "maxLength": 64}},
}

func byteBound(most int) func(field, s string) *Error {
	return func(field, s string) *Error {
		if len(s) == 0 || len(s) > most {
			return Errorf(StatusOutOfBounds, "%s: must be 1 to %d bytes", field, most)
		}
		return nil
	}
}

func checkNewPassword(field, s string) *Error {
	if utf8.RuneCountInString(s) < MinAdminPassword || len(s) > MaxPasswordBytes {
		return Errorf(StatusOutOfBounds, "%s: must be at least %d characters and at most %d bytes", field, MinAdminPassword, MaxPasswordBytes)
	}
	return nil
}

func checkName(field, s string) *Error {
	n := utf8.RuneCountInString(s)
	if n == 0 || n > MaxNameChars {
		return Errorf(StatusOutOfBounds, "%s: must be 1 to %d characters", field, MaxNameChars)
	}
	if hasControl(s) || hasInvisible(s) || !utf8.ValidString(s) {
		return Errorf(StatusOutOfBounds, "%s: must not have control or invisible characters", field)
	}
	if strings.TrimSpace(s) != s {
		return Errorf(StatusOutOfBounds, "%s: must not start or end with a space", field)
	}
	return nil
}

func checkScope(field, s string) *Error {
	if len(s) == 0 || len(s) > MaxScopeBytes || hasControl(s) || !utf8.ValidString(s) {
		return Errorf(StatusOutOfBounds, "%s: must be 1 to %d bytes without control characters", field, MaxScopeBytes)
	}
	return nil
}

func checkLine(field, s string) *Error {
	if len(s) == 0 || len(s) > MaxTextBytes || hasControl(s) {
		return Errorf(StatusOutOfBounds, "%s: must be 1 to %d bytes on one line", field, MaxTextBytes)
	}
	return nil
}

func checkHash(field, s string) *Error {
	ok := len(s) == 64
	for i := 0; ok && i < len(s); i++ {
		ok = s[i] >= '0' && s[i] <= '9' || s[i] >= 'a' && s[i] <= 'f'
	}
	if !ok {
		return Errorf(StatusOutOfBounds, "%s: must be 64 lowercase hexadecimal digits", field)
	}
	return nil
}

func checkTemplate(field, s string) *Error {
	ok := len(s) > 0 && len(s) <= 64 && s[0] != '.' && s[0] != '_' && s[0] != '-'
	for i := 0; ok && i < len(s); i++ {
		c := s[i]
		ok = c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '.' || c == '_' || c == '-'
	}
	if !ok {
		return Errorf(StatusOutOfBounds, "%s: must be a bare template name of 1 to 64 letters, digits, dots, dashes and underscores", field)
	}
	return nil
}

// checkEmail accepts one bare address, user@host, of at most 254 bytes.
func checkEmail(field, s string) *Error {
	if !isEmail(s) {
		return Errorf(StatusEmailInvalid, "%s: must be one email address of at most %d bytes", field, MaxEmailBytes)
	}
	return nil
}

func isEmail(s string) bool {
	at := strings.LastIndexByte(s, '@')
	if len(s) > MaxEmailBytes || at < 1 || at > 64 || at == len(s)-1 || hasControl(s) || strings.ContainsAny(s, " <>()[],;:\\\"") {
		return false
	}
	addr, err := mail.ParseAddress(s)
	return err == nil && addr.Address == s && addr.Name == ""
}

// hasControl reports whether s has a control character, or one that hides or
// reorders text (Unicode categories Cc, Cf's bidirectional controls, Zl, Zp).
func hasControl(s string) bool {
	for _, r := range s {
		switch {
		case unicode.IsControl(r), r == '\u2028', r == '\u2029',
			r >= '\u202a' && r <= '\u202e', r >= '\u2066' && r <= '\u2069':
			return true
		}
	}
	return false
}

// hasInvisible reports whether s has a character that shows nothing, so that two
// different names could look the same: Unicode's category Cf, and the
// default-ignorable letters outside it. Joiners and emoji's variation selector
// are needed within some scripts and emoji, and are allowed there: after a
// character that is neither Latin nor common ASCII.
func hasInvisible(s string) bool {
	var last rune
	for _, r := range s {
		switch {
		case r == '\u200c' || r == '\u200d' || r == '\ufe0f':
			if last < 0x0300 || unicode.Is(unicode.Latin, last) {
				return true
			}
			continue
		case unicode.Is(unicode.Cf, r),
			r == '\u034f', r == '\u115f', r == '\u1160', r == '\u17b4', r == '\u17b5',
			r >= '\u180b' && r <= '\u180f', r >= '\ufe00' && r <= '\ufe0e',
			r == '\u3164', r == '\uffa0', r >= 0xe0000 && r <= 0xe0fff:
			return true
		}
		last = r
	}
	return false
}

// Check holds a string against a named rule, for what does not come in a
// message: "username", "scope", "email" and so on. The field's name goes into
// the error.
func Check(ruleName, field, s string) error {
	if err := rules[ruleName].check(field, s); err != nil {
		return err
	}
	return nil
}

// A checker is a message with conditions between its fields.
type checker interface{ check() *Error }

// A structRules is what the tags of one struct type ask for.
type structRules struct {
	fields []fieldRule
}

type fieldRule struct {
	index    []int
	name     string
	required bool
	nullable bool // Extra only: null removes a key
	min, max int  // integers and lists; max 0 means unbounded
	rule     *rule
	nested   *structRules // of a struct, or of the elements of a slice or a map
}

// compileRules reads the tags of t once, when the tables are made.
func compileRules(t reflect.Type) *structRules {
	if t.Kind() != reflect.Struct {
		return nil
	}
	sr := &structRules{}
	for i := range t.NumField() {
		f := t.Field(i)
		if !f.IsExported() {
			continue
		}
		if f.Anonymous { // its members stand beside ours on the wire
			for _, fr := range compileRules(f.Type).fields {
				fr.index = append([]int{i}, fr.index...)
				sr.fields = append(sr.fields, fr)
			}
			continue
		}
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		fr := fieldRule{index: []int{i}, name: name}
		for word := range strings.SplitSeq(f.Tag.Get("rule"), ",") {
			key, arg, _ := strings.Cut(word, "=")
			switch key {
			case "":
			case "required":
				fr.required = true
			case "nullable":
				fr.nullable = true
			case "min":
				fr.min = atoi(arg)
			case "max":
				fr.max = atoi(arg)
			default:
				r, ok := rules[key]
				if !ok {
					panic("protocol: " + t.Name() + "." + f.Name + ": no rule " + key)
				}
				fr.rule = &r
			}
		}
		elem := f.Type
		if elem.Kind() == reflect.Map && elem.Elem().Kind() == reflect.Pointer { // values that have an address
			elem = elem.Elem()
		}
		for elem.Kind() == reflect.Pointer || elem.Kind() == reflect.Slice {
			elem = elem.Elem()
		}
		if elem.Kind() == reflect.Struct && elem != timeType && elem != clearableType && elem != valueType && elem != importUserType {
			fr.nested = compileRules(elem)
		}
		sr.fields = append(sr.fields, fr)
	}
	return sr
}

func atoi(s string) int {
	n := 0
	for _, c := range s {
		n = n*10 + int(c-'0')
	}
	return n
}

var (
	timeType      = reflect.TypeFor[Time]()
	clearableType = reflect.TypeFor[Clearable]()
	valueType     = reflect.TypeFor[Value]()
	uuidType      = reflect.TypeFor[uuid.UUID]()
	extraType     = reflect.TypeFor[Extra]()

	importUserType = reflect.TypeFor[ImportUser]() // checks itself, see there
)

// A source is the text that a struct was decoded from. It tells an empty string
// from an absent one, which the struct cannot, and is looked at only when it
// holds an empty string at all.
type source struct {
	raw     jsontext.Value
	members map[string]jsontext.Value
}

// holdsString reports whether the object has a member of this name that is a string.
func (s *source) holdsString(name string) bool {
	return hasEmptyString(s.raw) && s.member(name).Kind() == '"'
}

// member returns the text of a member, nil if there is none.
func (s *source) member(name string) jsontext.Value {
	if s.members == nil {
		s.members = map[string]jsontext.Value{}
		_ = json.Unmarshal(s.raw, &s.members) // it was decoded before; it cannot fail
	}
	return s.members[name]
}

// check holds v, which was decoded from raw, against its rules.
func (sr *structRules) check(v reflect.Value, path string, raw jsontext.Value) *Error {
	src := source{raw: raw}
	for i := range sr.fields {
		f := &sr.fields[i]
		if err := f.check(v.FieldByIndex(f.index), path, &src); err != nil {
			return err
		}
	}
	if c, ok := v.Addr().Interface().(checker); ok {
		return c.check()
	}
	return nil
}

// check holds one field against its rule. It works on the field's address, which
// costs no copy of the value.
func (f *fieldRule) check(v reflect.Value, path string, src *source) *Error {
	switch x := v.Addr().Interface().(type) {
	case *string:
		if *x == "" && !src.holdsString(f.name) {
			if f.required {
				return missing(path + f.name)
			}
			return nil
		}
		if f.rule != nil {
			return f.rule.check(path+f.name, *x)
		}
		return nil
	case *Clearable:
		if s, ok := x.Value(); ok && f.rule != nil {
			return f.rule.check(path+f.name, s)
		}
		return nil
	case *uuid.UUID:
		if f.required && *x == uuid.Nil {
			return missing(path + f.name)
		}
		return nil
	case *Extra:
		return x.check(path+f.name, f.nullable)
	case *int:
		if *x == 0 {
			if f.required && src.member(f.name).Kind() != '0' {
				return missing(path + f.name)
			}
			return nil
		}
		if *x < f.min || f.max > 0 && *x > f.max {
			return Errorf(StatusOutOfBounds, "%s: must be %d to %d", path+f.name, f.min, f.max)
		}
		return nil
	}
	field := path + f.name
	inner := src.inner(f.name) // may hold an empty string in an otherwise empty struct
	if f.required && v.IsZero() && src.member(f.name).Kind() != '{' {
		return missing(field)
	}
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() && f.nested != nil {
			return f.nested.check(v.Elem(), field+".", inner)
		}
	case reflect.Struct:
		if f.nested != nil && (!v.IsZero() || inner != nil) {
			return f.nested.check(v, field+".", inner)
		}
	case reflect.Slice:
		if f.max > 0 && v.Len() > f.max || v.Len() < f.min && v.Len() > 0 {
			return Errorf(StatusOutOfBounds, "%s: must have %d to %d entries", field, f.min, f.max)
		}
		for i := range v.Len() {
			e := v.Index(i)
			if f.rule != nil && e.Kind() == reflect.String {
				if err := f.rule.check(field, e.String()); err != nil {
					return err
				}
			}
			if f.nested != nil && e.Kind() == reflect.Struct {
				if err := f.nested.check(e, field+".", nil); err != nil {
					return err
				}
			}
		}
	case reflect.Map:
		if f.max > 0 && v.Len() > f.max {
			return Errorf(StatusOutOfBounds, "%s: must have at most %d entries", field, f.max)
		}
		for it := v.MapRange(); f.nested != nil && it.Next(); {
			if e := it.Value(); e.Kind() == reflect.Pointer && !e.IsNil() {
				if err := f.nested.check(e.Elem(), field+"."+it.Key().String()+".", nil); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// inner returns the text of a member if there is an empty string in it: only
// then does the text matter.
func (s *source) inner(name string) jsontext.Value {
	if !hasEmptyString(s.raw) {
		return nil
	}
	if v := s.member(name); hasEmptyString(v) {
		return v
	}
	return nil
}

func hasEmptyString(raw jsontext.Value) bool { return bytes.Contains(raw, []byte(`""`)) }

func missing(field string) *Error {
	return Errorf(StatusMissing, "%s: required parameter missing", field)
}
