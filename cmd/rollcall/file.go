package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// A fileValue is one setting as a configuration file has it: a text, kept as it
// was written, or a list of them.
type fileValue struct {
	text  string
	list  []string // not nil for a list
	place string   // file:line
}

// readFile reads a configuration file: one YAML mapping from names of settings
// to a value or a list of values. A name that is not known, or is there twice,
// is an error with its line. A name without a value counts as not there.
//
// No error shows a value: it may be a secret.
func readFile(path string, known map[string]bool) (map[string]fileValue, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read configuration: %w", err)
	}
	file, err := parser.ParseBytes(data, 0)
	if err != nil {
		return nil, syntaxError(path, err)
	}
	values := map[string]fileValue{}
	for i, doc := range file.Docs {
		if doc.Body == nil || doc.Body.Type() == ast.NullType {
			continue
		}
		place := placeOf(path, doc.Body)
		mapping, ok := doc.Body.(*ast.MappingNode)
		if !ok {
			return nil, fmt.Errorf("%s: want settings, each as name: value", place)
		}
		if i > 0 {
			return nil, fmt.Errorf("%s: one document only", place)
		}
		for _, entry := range mapping.Values {
			if err := readEntry(values, path, entry, known); err != nil {
				return nil, err
			}
		}
	}
	return values, nil
}

func readEntry(values map[string]fileValue, path string, entry *ast.MappingValueNode, known map[string]bool) error {
	place := placeOf(path, entry.Key)
	name, ok := scalar(entry.Key)
	if !ok || !known[name] {
		return fmt.Errorf("%s: unknown setting %q", place, entry.Key.GetToken().Value)
	}
	if entry.Value.Type() == ast.NullType {
		return nil
	}
	value := fileValue{place: place}
	if seq, ok := entry.Value.(*ast.SequenceNode); ok {
		value.list = []string{}
		for _, node := range seq.Values {
			text, ok := scalar(node)
			if !ok {
				return fmt.Errorf("%s: %s: an element of a list is a plain value", placeOf(path, node), name)
			}
			value.list = append(value.list, text)
		}
	} else if value.text, ok = scalar(entry.Value); !ok {
		return fmt.Errorf("%s: %s: want a plain value or a list", place, name)
	}
	values[name] = value
	return nil
}

// scalar returns a plain value's text as it was written, so that a key of 0123
// stays one.
func scalar(n ast.Node) (string, bool) {
	switch n := n.(type) {
	case *ast.StringNode:
		return n.Value, true
	case *ast.LiteralNode:
		return n.Value.Value, true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		return n.GetToken().Value, true
	}
	return "", false
}

func placeOf(path string, n ast.Node) string {
	return fmt.Sprintf("%s:%d", path, n.GetToken().Position.Line)
}

// syntaxError tells what is wrong and where, without the lines around it that
// the parser would show.
func syntaxError(path string, err error) error {
	var at yaml.Error
	if errors.As(err, &at) && at.GetToken() != nil && at.GetToken().Position != nil {
		return fmt.Errorf("%s:%d: %s", path, at.GetToken().Position.Line, at.GetMessage())
	}
	return fmt.Errorf("%s: not a YAML file", path)
}
