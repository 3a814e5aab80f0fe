package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/alecthomas/kong"
	"github.com/goccy/go-yaml"

	"rollcall/protocol"
)

// unset says what a setting means that has no value of its own.
var unset = map[string]string{
	"ops-listen":      "metrics on the main address, for loopback peers",
	"redis":           "the embedded store",
	"data":            "nothing outlives the process",
	"key":             "generated at the first start",
	"admin-password":  "generated at the first start",
	"smtp":            "mail is kept in the outbox",
	"templates":       "the built-in ones",
	"public-url":      "links lead to this machine",
	"token-key":       "access tokens are not kept",
	"max-connections": "the limit of open files less 200",
	"node":            "random",
}

// effective returns the effective settings of a command, in the order of its
// help, secrets masked, each with where it came from. It is what --print-config
// prints and what admins are shown.
func (s *settings) effective(command *kong.Node) ([]protocol.Setting, error) {
	var all []protocol.Setting
	for _, f := range command.Flags {
		if !isSetting(f) {
			continue
		}
		value, err := settingYAML(f)
		if err != nil {
			return nil, fmt.Errorf("show %s: %w", f.Name, err)
		}
		one := protocol.Setting{Name: f.Name, Value: value, Source: s.from[f.Name].String()}
		if value == `""` || value == "0" {
			one.Note = unset[f.Name]
		}
		all = append(all, one)
	}
	return all, nil
}

// printConfig writes settings as a configuration file, with the rest of each in
// a comment.
func printConfig(w io.Writer, settings []protocol.Setting) error {
	for _, one := range settings {
		comment := one.Source
		if one.Note != "" {
			comment += ": " + one.Note
		}
		if _, err := fmt.Fprintf(w, "%s: %s # %s\n", one.Name, one.Value, comment); err != nil {
			return err
		}
	}
	return nil
}

// settingYAML returns a setting's value as YAML on one line, masked where it is
// a secret.
func settingYAML(f *kong.Flag) (string, error) {
	value := f.Target.Interface()
	switch v := value.(type) {
	case secret:
		value = v.String()
		if f.Name == "redis" {
			value = maskURL(v)
		}
	case time.Duration:
		value = v.String()
	case *bool:
		value = v != nil && *v
	case []string:
		if len(v) == 0 {
			return "[]", nil
		}
	}
	text, err := yaml.MarshalWithOptions(value, yaml.Flow(true), yaml.JSON())
	return strings.TrimSpace(string(text)), err
}
