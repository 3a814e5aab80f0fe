package protocol

import (
	"maps"
	"reflect"
	"strings"
)

// A Field is one member of a struct type as it stands on the wire. The
// documentation's JSON Schemas are made from fields.
type Field struct {
	Name     string
	Type     reflect.Type
	Required bool // always there: its json tag has no omitzero
	Nullable bool // null has a meaning of its own: it clears a value or removes a key
	// Bounds is what the field's rule says, in the keywords of JSON Schema
	// (2020-12, validation vocabulary). For a list of strings it is about each of
	// them. JSON Schema counts characters where some rules count bytes; the bound
	// is then looser than the rule.
	Bounds map[string]any
	// Min and Max bound an integer, or the number of entries of a list or an
	// object. A Max of 0 means unbounded.
	Min, Max int
}

// Fields returns the members of a struct type of the tables, in the order of the
// type, with those of embedded structs in their place.
func Fields(t reflect.Type) []Field {
	var fields []Field
	for _, fr := range compileRules(t).fields {
		sf := t.FieldByIndex(fr.index)
		_, options, _ := strings.Cut(sf.Tag.Get("json"), ",")
		f := Field{
			Name:     fr.name,
			Type:     sf.Type,
			Required: !strings.Contains(options, "omitzero"),
			Nullable: fr.nullable || sf.Type == clearableType,
			Min:      fr.min,
			Max:      fr.max,
		}
		if fr.rule != nil {
			f.Bounds = maps.Clone(fr.rule.schema)
		}
		fields = append(fields, f)
	}
	return fields
}
