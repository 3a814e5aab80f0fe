package main

import (
	"errors"
	"fmt"
	"reflect"
	"strings"

	"github.com/alecthomas/kong"
)

// A source is where a setting's value came from. A higher one goes before a
// lower one, for every setting.
type source int

const (
	fromDefault source = iota
	fromFile
	fromEnv
	fromFlag
)

// An origin is a source and the place in it.
type origin struct {
	source source
	place  string // such as "rollcall.yaml:3" or "ROLLCALL_KEY"
}

// String returns the origin in words.
func (o origin) String() string {
	switch o.source {
	case fromFile:
		return o.place
	case fromEnv:
		return "environment " + o.place
	case fromFlag:
		return "flag"
	}
	return "default"
}

// settings finds the values of flags that are not on the command line, and
// remembers where each setting's value came from.
//
// It is a resolver of kong, and the only one: kong itself would read the
// process's environment, and would let a file's value go before it. So no flag
// has kong's own env tag.
type settings struct {
	env   func(string) (string, bool)
	known map[string]bool // names of settings, over all commands

	loaded  bool
	file    map[string]fileValue
	fileErr error             // why the file could not be read
	from    map[string]origin // by setting
}

// isSetting reports whether a flag has an environment variable and a place in the file.
func isSetting(f *kong.Flag) bool {
	return f.Name != "help" && !f.Tag.Has("cli")
}

// envName returns a setting's environment variable.
func envName(setting string) string {
	return "ROLLCALL_" + strings.ToUpper(strings.ReplaceAll(setting, "-", "_"))
}

// enroll learns the names of all settings once the commands are known.
func (s *settings) enroll(k *kong.Kong) error {
	s.known = map[string]bool{}
	return kong.Visit(k.Model, func(n kong.Visitable, next kong.Next) error {
		if f, ok := n.(*kong.Flag); ok && isSetting(f) && f.Name != "config" {
			s.known[f.Name] = true
		}
		return next(nil)
	})
}

// Validate implements kong.Resolver.
func (s *settings) Validate(*kong.Application) error { return nil }

// Resolve implements kong.Resolver: the environment's value, else the file's.
// It is asked only for flags that are not on the command line. An empty
// variable counts as one that is not set.
func (s *settings) Resolve(ctx *kong.Context, _ *kong.Path, f *kong.Flag) (any, error) {
	if !isSetting(f) {
		return nil, nil
	}
	if v, ok := s.env(envName(f.Name)); ok && v != "" {
		return s.take(f, fileValue{text: v, list: splitList(f, v)}, origin{fromEnv, envName(f.Name)})
	}
	if f.Name == "config" {
		return nil, nil
	}
	if err := s.load(ctx); err != nil {
		return nil, err
	}
	if v, ok := s.file[f.Name]; ok {
		return s.take(f, v, origin{fromFile, v.place})
	}
	return nil, nil
}

// splitList splits a variable at commas, for a flag that may be repeated. A
// comma within an element is written \, as scopes may have one in their names.
func splitList(f *kong.Flag, v string) []string {
	if !f.IsSlice() {
		return nil
	}
	list := []string{}
	for _, e := range kong.SplitEscaped(v, ',') {
		if e = strings.TrimSpace(e); e != "" {
			list = append(list, e)
		}
	}
	return list
}

// take hands a value to kong in the form that its kind of flag wants, after
// making sure that it is good, so that a mistake is told with its place.
func (s *settings) take(f *kong.Flag, v fileValue, o origin) (any, error) {
	var value any = v.text
	switch {
	case f.IsSlice() && v.list == nil:
		value = []any{v.text}
	case f.IsSlice():
		elements := make([]any, 0, len(v.list))
		for _, e := range v.list {
			elements = append(elements, e)
		}
		value = elements
	case v.list != nil:
		return nil, fmt.Errorf("%s: takes one value, not a list", o)
	}
	if enum := f.EnumMap(); f.Enum != "" && !enum[v.text] {
		return nil, fmt.Errorf("%s: must be one of %s", o, strings.Join(f.EnumSlice(), ", "))
	}
	scratch := reflect.New(f.Target.Type()).Elem()
	if err := f.Parse(kong.Scan().PushTyped(value, kong.FlagValueToken), scratch); err != nil {
		return nil, fmt.Errorf("%s: %w", o, trimFlag(err, f))
	}
	s.from[f.Name] = o
	return value, nil
}

// trimFlag takes the flag's name off an error, which kong puts there again.
func trimFlag(err error, f *kong.Flag) error {
	if text, ok := strings.CutPrefix(err.Error(), f.ShortSummary()+": "); ok {
		return errors.New(text)
	}
	return err
}

// load reads the file that --config or its variable names, once.
func (s *settings) load(ctx *kong.Context) error {
	if s.loaded {
		return s.fileErr
	}
	s.loaded = true
	path := ""
	for _, f := range ctx.Model.Flags {
		if f.Name == "config" {
			path, _ = ctx.FlagValue(f).(string)
		}
	}
	if path == "" {
		path, _ = s.env(envName("config"))
	}
	if path == "" {
		return nil
	}
	s.file, s.fileErr = readFile(path, s.known)
	return s.fileErr
}

// noteFlags remembers which settings came from the command line.
func (s *settings) noteFlags(ctx *kong.Context) {
	for _, p := range ctx.Path {
		if p.Flag != nil && !p.Resolved {
			s.from[p.Flag.Name] = origin{source: fromFlag}
		}
	}
}

// helpWithEnv is a flag's help with its environment variable.
func helpWithEnv(v *kong.Value) string {
	if v.Flag == nil || !isSetting(v.Flag) {
		return v.Help
	}
	return v.Help + " ($" + envName(v.Name) + ")"
}
