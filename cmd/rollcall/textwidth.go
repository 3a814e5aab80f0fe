package main

import (
	"strings"
	"unicode"

	"golang.org/x/text/width"
)

// textWidth returns how many columns a text takes in a terminal: two for a wide
// East Asian character or an emoji, none for a mark that combines with the one
// before it. The text is printable.
func textWidth(s string) int {
	n := 0
	for _, r := range s {
		switch {
		case r < 0x7f:
			n++
		case unicode.In(r, unicode.Mn, unicode.Me):
		default:
			switch width.LookupRune(r).Kind() {
			case width.EastAsianWide, width.EastAsianFullwidth:
				n += 2
			default:
				n++
			}
		}
	}
	return n
}

// pad fills a text with spaces up to a width.
func pad(s string, width int) string {
	return s + strings.Repeat(" ", max(0, width-textWidth(s)))
}

// cutToWidth returns a text of at most this width. Where something was cut off
// it ends with an ellipsis.
func cutToWidth(s string, width int) string {
	if textWidth(s) <= width {
		return s
	}
	used := 0
	for i, r := range s {
		if used += textWidth(string(r)); used > width-1 {
			return s[:i] + "…"
		}
	}
	return s
}
