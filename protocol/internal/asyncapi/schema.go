package main

import (
	"reflect"
	"slices"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/goccy/go-yaml"
	"github.com/google/uuid"

	"rollcall/protocol"
	"rollcall/protocol/internal/comments"
)

// object is a mapping that keeps its order.
type object = yaml.MapSlice

func pair(key string, value any) yaml.MapItem { return yaml.MapItem{Key: key, Value: value} }

// ref points to a schema of the components.
func ref(name string) object { return object{pair("$ref", "#/components/schemas/"+name)} }

// schemas turns Go types into JSON Schemas (draft 7, which AsyncAPI 3 builds on).
// A struct type is defined once, by its name, and referred to.
type schemas struct {
	comments comments.Comments
	defined  map[string]object
}

// of returns the schema of a type.
func (s *schemas) of(t reflect.Type) object {
	switch t {
	case reflect.TypeFor[protocol.Time]():
		return object{pair("type", "string"), pair("format", "date-time")}
	case reflect.TypeFor[uuid.UUID]():
		return object{pair("type", "string"), pair("format", "uuid")}
	case reflect.TypeFor[protocol.Clearable]():
		return object{pair("type", "string")}
	case reflect.TypeFor[protocol.Extra]():
		return extra(false)
	case reflect.TypeFor[jsontext.Value]():
		return object{}
	}
	switch t.Kind() {
	case reflect.Pointer:
		return s.of(t.Elem())
	case reflect.Struct:
		s.define(t)
		return ref(t.Name())
	case reflect.Slice:
		return object{pair("type", "array"), pair("items", s.of(t.Elem()))}
	case reflect.Map:
		value := s.of(t.Elem())
		if t.Elem().Kind() == reflect.Pointer {
			value = orNull(value)
		}
		return object{pair("type", "object"), pair("additionalProperties", value)}
	case reflect.String:
		return object{pair("type", "string")}
	case reflect.Bool:
		return object{pair("type", "boolean")}
	case reflect.Int, reflect.Int64:
		return object{pair("type", "integer")}
	}
	panic("asyncapi: no JSON Schema for " + t.String())
}

func orNull(schema object) object {
	return object{pair("oneOf", []any{schema, object{pair("type", "null")}})}
}

// extra is the schema of a user's custom data.
func extra(nullable bool) object {
	kinds := []any{"string", "number", "boolean"}
	if nullable {
		kinds = append(kinds, "null")
	}
	return object{
		pair("type", "object"),
		pair("maxProperties", protocol.MaxExtraKeys),
		pair("propertyNames", object{pair("minLength", 1), pair("maxLength", protocol.MaxExtraKeyBytes)}),
		pair("additionalProperties", object{pair("type", kinds)}),
	}
}

// define enters a struct type into the components.
func (s *schemas) define(t reflect.Type) {
	if s.defined[t.Name()] != nil {
		return
	}
	s.defined[t.Name()] = object{} // stops a type that contains itself
	schema := object{pair("type", "object")}
	if doc := s.comments.Type(t); doc != "" {
		schema = append(schema, pair("description", doc))
	}
	var required []any
	properties := object{}
	for _, f := range protocol.Fields(t) {
		if f.Required {
			required = append(required, f.Name)
		}
		properties = append(properties, pair(f.Name, s.field(t, f)))
	}
	if required != nil {
		schema = append(schema, pair("required", required))
	}
	if len(properties) > 0 {
		schema = append(schema, pair("properties", properties))
	}
	s.defined[t.Name()] = schema
}

// field is the schema of one member, with its bounds.
func (s *schemas) field(t reflect.Type, f protocol.Field) object {
	schema := s.of(f.Type)
	if f.Type == reflect.TypeFor[protocol.Extra]() {
		schema = extra(f.Nullable)
	}
	switch f.Type.Kind() {
	case reflect.Slice:
		if len(f.Bounds) > 0 {
			schema = set(schema, "items", bounded(s.of(f.Type.Elem()), f.Bounds))
		}
		schema = limited(schema, "minItems", "maxItems", f)
	case reflect.Map:
		if f.Type != reflect.TypeFor[protocol.Extra]() {
			schema = limited(schema, "minProperties", "maxProperties", f)
		}
	case reflect.Int, reflect.Int64:
		schema = limited(schema, "minimum", "maximum", f)
	default:
		schema = bounded(schema, f.Bounds)
	}
	if f.Type == reflect.TypeFor[protocol.Clearable]() {
		schema = set(schema, "type", []any{"string", "null"})
	}
	if doc := s.comments.Field(t, f.Name); doc != "" && schema[0].Key != "$ref" {
		schema = append(schema, pair("description", doc))
	}
	return schema
}

// bounded adds the bounds of a rule, in order of their names.
func bounded(schema object, bounds map[string]any) object {
	var keys []string
	for k := range bounds {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	for _, k := range keys {
		schema = append(schema, pair(k, bounds[k]))
	}
	return schema
}

func limited(schema object, lower, upper string, f protocol.Field) object {
	if f.Min > 0 {
		schema = append(schema, pair(lower, f.Min))
	}
	if f.Max > 0 {
		schema = append(schema, pair(upper, f.Max))
	}
	return schema
}

func set(schema object, key string, value any) object {
	for i := range schema {
		if schema[i].Key == key {
			schema[i].Value = value
		}
	}
	return schema
}

// narrow gives a member of a defined struct the schema of a type, in place of
// its own.
func (s *schemas) narrow(name, member string, t reflect.Type) {
	schema := s.of(t)
	for _, item := range s.defined[name] {
		if item.Key == "properties" {
			set(item.Value.(object), member, schema)
		}
	}
}
