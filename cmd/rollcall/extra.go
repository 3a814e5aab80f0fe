package main

import (
	"errors"
	"strings"

	"github.com/go-json-experiment/json"

	"rollcall/protocol"
)

// parseExtra reads --extra. There is one rule and no guessing: after = comes a
// string as it is, after := comes JSON.
//
//	--extra color=red   the string red
//	--extra level=3     the string 3
//	--extra level:=3    the number 3
//	--extra pro:=true   a boolean
//	--extra color:=null removes the key, in an update
func parseExtra(list []string) (protocol.Extra, error) {
	if len(list) == 0 {
		return nil, nil
	}
	extra := protocol.Extra{}
	for _, e := range list {
		key, text, ok := strings.Cut(e, "=")
		if !ok {
			return nil, usagef("extra %q: want KEY=TEXT or KEY:=JSON", e)
		}
		value := protocol.String(text)
		if name, isJSON := strings.CutSuffix(key, ":"); isJSON {
			key = name
			if err := json.Unmarshal([]byte(text), &value); err != nil {
				return nil, usagef("extra %s: %w", key, plainJSON(err))
			}
		}
		if key == "" {
			return nil, usagef("extra %q: the key is missing", e)
		}
		if _, twice := extra[key]; twice {
			return nil, usagef("extra %s: given twice", key)
		}
		extra[key] = value
	}
	return extra, nil
}

// plainJSON says what is wrong with a value in words for a command line.
func plainJSON(err error) error {
	var own *protocol.Error
	if errors.As(err, &own) {
		return errors.New(own.Text())
	}
	return errors.New("what follows := is not JSON; a string is given as KEY=TEXT")
}
