package main

import (
	"bytes"
	"fmt"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
)

// ordered reads a JSON text into values that keep the order of its members.
func ordered(text []byte) (any, error) {
	v, err := orderedValue(jsontext.NewDecoder(bytes.NewReader(text)))
	if err != nil {
		return nil, fmt.Errorf("read sample: %w", err)
	}
	return v, nil
}

func orderedValue(dec *jsontext.Decoder) (any, error) {
	tok, err := dec.ReadToken()
	if err != nil {
		return nil, err
	}
	switch tok.Kind() {
	case '{':
		members := object{}
		for dec.PeekKind() != '}' {
			name, err := dec.ReadToken()
			if err != nil {
				return nil, err
			}
			key := name.String()
			value, err := orderedValue(dec)
			if err != nil {
				return nil, err
			}
			members = append(members, pair(key, value))
		}
		_, err := dec.ReadToken()
		return members, err
	case '[':
		entries := []any{}
		for dec.PeekKind() != ']' {
			value, err := orderedValue(dec)
			if err != nil {
				return nil, err
			}
			entries = append(entries, value)
		}
		_, err := dec.ReadToken()
		return entries, err
	case '"':
		return tok.String(), nil
	case '0':
		if n, err := strconv.ParseInt(tok.String(), 10, 64); err == nil {
			return n, nil
		}
		return strconv.ParseFloat(tok.String(), 64)
	case 't', 'f':
		return tok.Bool(), nil
	}
	return nil, nil
}
