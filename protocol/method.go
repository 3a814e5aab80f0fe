package protocol

import (
	"errors"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"
)

// An Access says who may send a message.
type Access int

const (
	// AccessFirst: a connection's first message, and only that.
	AccessFirst Access = iota
	// AccessKey: any client, once core.init has shown the scope's key.
	AccessKey
	// AccessUser: a client that is logged in.
	AccessUser
	// AccessSubject: a client logged in as the user whom the message names, or
	// whose connection created that user. A scope may open such a method to any
	// client, or switch it off.
	AccessSubject
	// AccessAny: clients and admins alike, after the first message.
	AccessAny
	// AccessViewer, AccessOperator and AccessOwner: an admin of that role or a
	// higher one, for the scope that is meant.
	AccessViewer
	AccessOperator
	AccessOwner
)

// String returns the access in words, for the documentation.
func (a Access) String() string {
	switch a {
	case AccessFirst:
		return "first message of a connection"
	case AccessKey:
		return "any client with the key"
	case AccessUser:
		return "a logged-in client"
	case AccessSubject:
		return "the user it names, logged in or created on this connection"
	case AccessAny:
		return "any client or admin"
	case AccessViewer:
		return "admin: viewer"
	case AccessOperator:
		return "admin: operator"
	case AccessOwner:
		return "admin: owner"
	}
	return "nobody"
}

// An Order says how a message is ordered among the others of its connection.
type Order int

const (
	// OrderNone: answered whenever it is ready.
	OrderNone Order = iota
	// OrderRead: after the writes to the same user that were sent before it.
	OrderRead
	// OrderWrite: after whatever was sent before it about the same user.
	OrderWrite
	// OrderBarrier: after everything sent before it, and before everything sent
	// after it. For messages that change what the connection is.
	OrderBarrier
)

// A Message is what the tables say of one message type, without its Go types.
type Message struct {
	Type     string
	Access   Access
	Order    Order
	Doc      string   // one or more sentences for asyncapi.yaml
	Statuses []Status // what it may be answered with, besides what every message may
	Changes  bool     // an admin changes something by it, which the feed tells as admin.action

	In, Out             reflect.Type
	SampleIn, SampleOut any

	rules *structRules
}

// A Method is a Message together with the types of its parameters and result.
type Method[In, Out any] struct{ *Message }

// A Subject is a message about one user, who decides its permission and order.
type Subject interface{ Subject() uuid.UUID }

var messages = map[string]*Message{}

// define enters a message into the tables.
func define[In, Out any](m Message, in In, out Out) Method[In, Out] {
	if messages[m.Type] != nil {
		panic("protocol: " + m.Type + " is defined twice")
	}
	m.In, m.Out = reflect.TypeFor[In](), reflect.TypeFor[Out]()
	m.SampleIn, m.SampleOut = in, out
	m.rules = compileRules(m.In)
	messages[m.Type] = &m
	return Method[In, Out]{&m}
}

// Messages returns every message of the contract, by type.
func Messages() []*Message {
	return slices.SortedFunc(maps.Values(messages), func(a, b *Message) int { return strings.Compare(a.Type, b.Type) })
}

// Lookup returns the message of a type, or nil.
func Lookup(typ string) *Message { return messages[typ] }

// Decode reads a message's parameters and holds them against its rules. The
// error is an *Error: 801 for a wrong type, 802 for a value out of bounds, 804
// for one that is missing, 704 for an email address that isn't one. Unknown
// members are ignored.
func (m Method[In, Out]) Decode(data []byte) (*In, error) {
	in := new(In)
	if m.In == noneType && len(data) > 0 && data[0] == '{' { // valid JSON by then, and nothing in it is read
		return in, nil
	}
	if err := decodeParams(data, in); err != nil {
		return nil, err
	}
	if err := m.validate(in, data); err != nil {
		return nil, err
	}
	return in, nil
}

// DecodeAny is Decode where the types are not known at compile time. It returns
// a pointer to a value of type m.In.
func (m *Message) DecodeAny(data []byte) (any, error) {
	in := reflect.New(m.In)
	if err := decodeParams(data, in.Interface()); err != nil {
		return nil, err
	}
	if m.rules != nil {
		if err := m.rules.check(in.Elem(), "", data); err != nil {
			return nil, err
		}
	}
	return in.Interface(), nil
}

// Validate holds parameters that did not come from the wire against the rules.
func (m Method[In, Out]) Validate(in *In) error {
	if err := m.validate(in, nil); err != nil {
		return err
	}
	return nil
}

func (m Method[In, Out]) validate(in *In, data jsontext.Value) *Error {
	if m.rules == nil {
		return nil
	}
	return m.rules.check(reflect.ValueOf(in).Elem(), "", data)
}

// None is the parameters of a message that has none.
type None struct{}

var noneType = reflect.TypeFor[None]()

func decodeParams(data []byte, in any) error {
	if len(data) == 0 {
		return nil
	}
	if data[0] != '{' {
		return Errorf(StatusWrongType, "data: must be an object")
	}
	err := json.Unmarshal(data, in)
	if err == nil {
		return nil
	}
	var own *Error
	var semantic *json.SemanticError
	switch {
	case errors.As(err, &own):
		if errors.As(err, &semantic) && !strings.Contains(own.Message, ":") {
			return &Error{Status: own.Status, Message: fieldName(semantic.JSONPointer) + ": " + own.Message}
		}
		return own
	case errors.As(err, &semantic):
		return semanticError(semantic)
	}
	return decodeError(err)
}

// semanticError tells a client which member has which mistake.
func semanticError(e *json.SemanticError) *Error {
	field := fieldName(e.JSONPointer)
	switch {
	case e.GoType == uuidType && e.JSONKind == '"':
		return Errorf(StatusOutOfBounds, "%s: must be a UUID", field)
	case e.GoType != nil && e.JSONKind == '0' && isInteger(e.GoType.Kind()):
		return Errorf(StatusOutOfBounds, "%s: must be a whole number within its range", field)
	}
	return Errorf(StatusWrongType, "%s: must be %s", field, kindName(e.GoType))
}

func fieldName(p jsontext.Pointer) string {
	name := strings.ReplaceAll(strings.TrimPrefix(string(p), "/"), "/", ".")
	if name == "" {
		return "data"
	}
	return name
}

func isInteger(k reflect.Kind) bool { return k >= reflect.Int && k <= reflect.Uint64 }

func kindName(t reflect.Type) string {
	if t == nil {
		return "of another type"
	}
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch {
	case t == uuidType:
		return "a string"
	case t == extraType || t.Kind() == reflect.Struct || t.Kind() == reflect.Map:
		return "an object"
	case t.Kind() == reflect.Bool:
		return "a boolean"
	case t.Kind() == reflect.Slice:
		return "an array"
	case isInteger(t.Kind()) || t.Kind() == reflect.Float64:
		return "a number"
	}
	return "a string"
}
