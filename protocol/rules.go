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
	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
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

func checkName(field, s string) *Error {
	n := utf8.RuneCountInString(s)
	if n == 0 || n > MaxNameChars {
		return Errorf(StatusOutOfBounds, "%s: must be 1 to %d characters", field, MaxNameChars)
	}
	if hasControl(s) || !utf8.ValidString(s) {
		return Errorf(StatusOutOfBounds, "%s: must not have control characters", field)
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
	bad := Errorf(StatusEmailInvalid, "%s: must be one email address of at most %d bytes", field, MaxEmailBytes)
	if len(s) > MaxEmailBytes || hasControl(s) || strings.ContainsAny(s, " <>()[],;:\\\"") {
		return bad
	}
	at := strings.LastIndexByte(s, '@')
	if at < 1 || at > 64 || at == len(s)-1 {
		return bad
	}
	addr, err := mail.ParseAddress(s)
	if err != nil || addr.Address != s || addr.Name != "" {
		return bad
	}
	return nil
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

// UsernameKey returns what usernames are compared by: Unicode NFC, full case
// folding, NFC again (Unicode 15, chapter 3.13, D145). Two usernames are the
// same when their keys are.
func UsernameKey(username string) string {
	if isLowerASCII(username) {
		return username
	}
	return norm.NFC.String(cases.Fold().String(norm.NFC.String(username)))
}

// EmailKey returns what email addresses are compared by: the address case-folded.
func EmailKey(email string) string {
	if isLowerASCII(email) {
		return email
	}
	return cases.Fold().String(email)
}

func isLowerASCII(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] >= utf8.RuneSelf || s[i] >= 'A' && s[i] <= 'Z' {
			return false
		}
	}
	return true
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
	nested   *structRules // of a struct, or of a slice's elements
}

// compileRules reads the tags of t once, when the tables are made.
func compileRules(t reflect.Type) *structRules {
	if t.Kind() != reflect.Struct {
		return nil
	}
	sr := &structRules{}
	for i := range t.NumField() {
		f := t.Field(i)
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
		for elem.Kind() == reflect.Pointer || elem.Kind() == reflect.Slice {
			elem = elem.Elem()
		}
		if elem.Kind() == reflect.Struct && elem != timeType && elem != clearableType && elem != valueType {
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
)

// check holds v, which was decoded from raw, against its rules. raw tells an
// empty string from an absent one, which v cannot: it is looked at only when it
// holds an empty string at all.
func (sr *structRules) check(v reflect.Value, path string, raw jsontext.Value) *Error {
	var present map[string]jsontext.Value
	isPresent := func(name string) bool {
		if !bytes.Contains(raw, []byte(`""`)) {
			return false
		}
		if present == nil {
			present = map[string]jsontext.Value{}
			_ = json.Unmarshal(raw, &present) // raw was decoded before; it cannot fail
		}
		p, ok := present[name]
		return ok && p.Kind() == '"'
	}
	for _, f := range sr.fields {
		if err := f.check(v.FieldByIndex(f.index), path+f.name, raw, isPresent); err != nil {
			return err
		}
	}
	if c, ok := v.Addr().Interface().(checker); ok {
		return c.check()
	}
	return nil
}

func (f *fieldRule) check(v reflect.Value, field string, raw jsontext.Value, isPresent func(string) bool) *Error {
	switch x := v.Interface().(type) {
	case string:
		if x == "" && !isPresent(f.name) {
			if f.required {
				return missing(field)
			}
			return nil
		}
		if f.rule != nil {
			return f.rule.check(field, x)
		}
		return nil
	case Clearable:
		if s, ok := x.Value(); ok && f.rule != nil {
			return f.rule.check(field, s)
		}
		return nil
	case uuid.UUID:
		if f.required && x == uuid.Nil {
			return missing(field)
		}
		return nil
	case Extra:
		return x.check(field, f.nullable)
	case int:
		if x == 0 {
			return nil
		}
		if x < f.min || f.max > 0 && x > f.max {
			return Errorf(StatusOutOfBounds, "%s: must be %d to %d", field, f.min, f.max)
		}
		return nil
	}
	if f.required && v.IsZero() {
		return missing(field)
	}
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() && f.nested != nil {
			return f.nested.check(v.Elem(), field+".", member(raw, f.name))
		}
	case reflect.Struct:
		if f.nested != nil && !v.IsZero() {
			return f.nested.check(v, field+".", member(raw, f.name))
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
	}
	return nil
}

// member returns the raw value of one member of an object, only where it could
// matter: where an empty string is in it.
func member(raw jsontext.Value, name string) jsontext.Value {
	if !bytes.Contains(raw, []byte(`""`)) {
		return nil
	}
	var members map[string]jsontext.Value
	_ = json.Unmarshal(raw, &members)
	return members[name]
}

func missing(field string) *Error {
	return Errorf(StatusMissing, "%s: required parameter missing", field)
}
