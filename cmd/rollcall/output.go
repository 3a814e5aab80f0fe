package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// outputFlags choose between a form for people and one for programs.
type outputFlags struct {
	JSON bool `name:"json" cli:"only" help:"Print JSON, one object a line."`
}

// printJSON writes v as JSON on one line, maps in the order of their keys. What
// must not go to a terminal as it is, see printable, is escaped.
func printJSON(w io.Writer, v any) error {
	text, err := json.Marshal(v, json.Deterministic(true), jsontext.EscapeForHTML(false))
	if err != nil {
		return fmt.Errorf("print result: %w", err)
	}
	_, err = w.Write(append(escapeUnprintable(text), '\n'))
	return err
}

// escapeUnprintable returns JSON that means the same and has no character that
// printable would not let through. JSON itself escapes those below U+0020 alone.
func escapeUnprintable(text []byte) []byte {
	out := make([]byte, 0, len(text)+1)
	for i := 0; i < len(text); {
		r, n := utf8.DecodeRune(text[i:])
		switch {
		case unicode.IsPrint(r):
			out = append(out, text[i:i+n]...)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			out = fmt.Appendf(out, `\u%04x\u%04x`, high, low)
		default:
			out = fmt.Appendf(out, `\u%04x`, r)
		}
		i += n
	}
	return out
}

// printTable writes rows in aligned columns.
func printTable(w io.Writer, rows [][]string) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, row := range rows {
		cells := make([]string, len(row))
		for i, cell := range row {
			cells[i] = printable(cell)
		}
		fmt.Fprintln(t, strings.TrimRight(strings.Join(cells, "\t"), "\t"))
	}
	return t.Flush()
}

// printable returns s as it may go to a terminal: what a user chose must not
// move the cursor or hide other text.
func printable(s string) string {
	for _, r := range s {
		if !unicode.IsPrint(r) {
			return strconv.Quote(s)
		}
	}
	return s
}
