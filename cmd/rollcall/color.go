package main

import (
	"io"
	"os"

	"golang.org/x/term"
)

// colorFlag says when to use colours.
type colorFlag struct {
	Color string `cli:"only" default:"auto" enum:"auto,always,never" help:"Colours: auto (on a terminal, unless NO_COLOR is set), always or never."`
}

// painter decides about the colours of what goes to out. What was said on the
// command line goes before the variable, as https://no-color.org has it.
func (f *colorFlag) painter(p Program, out io.Writer) painter {
	switch f.Color {
	case "always":
		return true
	case "never":
		return false
	}
	noColor, _ := p.Env("NO_COLOR")
	kind, _ := p.Env("TERM")
	return painter(noColor == "" && kind != "dumb" && isTerminal(out))
}

func isTerminal(w io.Writer) bool {
	file, ok := w.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}

// A color is the number in the escape sequence that sets it, which is ECMA-48's
// Select Graphic Rendition.
type color string

const (
	plain   color = ""
	dim     color = "2"
	red     color = "31"
	green   color = "32"
	yellow  color = "33"
	magenta color = "35"
	cyan    color = "36"
)

// A painter colours text, if it is true.
type painter bool

func (p painter) paint(c color, s string) string {
	if !p || c == plain || s == "" {
		return s
	}
	return "\x1b[" + string(c) + "m" + s + "\x1b[0m"
}
