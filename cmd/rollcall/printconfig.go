package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/alecthomas/kong"
	"github.com/goccy/go-yaml"
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

// printConfig writes the effective settings of a command as a configuration
// file, in the order of its help, secrets masked, and for each in a comment
// where it came from.
func printConfig(w io.Writer, command *kong.Node, s *settings) error {
	for _, f := range command.Flags {
		if !isSetting(f) {
			continue
		}
		value, err := settingYAML(f)
		if err != nil {
			return fmt.Errorf("print %s: %w", f.Name, err)
		}
		comment := s.from[f.Name].String()
		if meaning := unset[f.Name]; meaning != "" && (value == `""` || value == "0") {
			comment += ": " + meaning
		}
		if _, err := fmt.Fprintf(w, "%s: %s # %s\n", f.Name, value, comment); err != nil {
			return err
		}
	}
	return nil
}

// settingYAML returns a setting's value as YAML on one line.
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
