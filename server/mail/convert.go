package mail

import (
	"fmt"
	"strings"
)

// A template may be written in Go's syntax, in Coronium Core's, or in both:
//
//	{{ name }}      a bare word is Coronium Core's: a key of tpl_keys, or
//	{* name *}      username, scope, email, confirm_link, reset_link
//	{{ .Name }}     anything else between double braces is Go's
//
// The two are told apart by the word alone: a name that Go's template language
// has for itself (goWords) stays Go's between double braces. A key of such a
// name is written {* name *} or {{ .Keys.name }}.
//
// In the original, {{ }} escapes for HTML and {* *} does not. Here both put in
// plain text, and the HTML part, which is made from the text, escapes all of it.
// Lua code, includes and raw blocks of the original are refused: they would
// reach the reader as they stand.

// goWords are the keywords, constants and functions of text/template.
var goWords = map[string]bool{
	"block": true, "break": true, "continue": true, "define": true, "else": true, "end": true,
	"if": true, "range": true, "template": true, "with": true,
	"false": true, "nil": true, "true": true,
	"and": true, "call": true, "eq": true, "ge": true, "gt": true, "html": true, "index": true, "js": true,
	"le": true, "len": true, "lt": true, "ne": true, "not": true, "or": true, "print": true, "printf": true,
	"println": true, "slice": true, "urlquery": true,
}

// luaOnly is what the original has and this does not: code, includes and raw
// blocks, by their opening and closing marks.
var luaOnly = []struct{ open, close string }{{"{%", "%}"}, {"{(", ")}"}, {"{-raw-}", "{-raw-}"}, {"{-verbatim-}", "{-verbatim-}"}}

// convert rewrites Coronium Core's syntax to Go's. What is Go's already stays as
// it is, byte for byte; so a converted template converts to itself.
func convert(src string) (string, error) {
	closed := make([]int, len(luaOnly)) // how much of src is left at the last closing mark
	for i, lua := range luaOnly {
		closed[i] = len(src) - strings.LastIndex(src, lua.close)
	}
	var out strings.Builder
	for {
		i := strings.IndexByte(src, '{')
		if i < 0 {
			out.WriteString(src)
			return out.String(), nil
		}
		out.WriteString(src[:i])
		src = src[i:]
		if strings.HasPrefix(src, "{{") {
			n := actionLen(src)
			action := src[:n]
			if left, word, right := bareWord(action); word != "" && !goWords[word] {
				action = "{{" + left + "$.Names." + word + right + "}}"
			}
			out.WriteString(action)
			src = src[n:]
			continue
		}
		if word, n := starWord(src); n > 0 {
			out.WriteString("{{$.Names." + word + "}}")
			src = src[n:]
			continue
		}
		for i, lua := range luaOnly {
			if strings.HasPrefix(src, lua.open) && closed[i] < len(src) {
				return "", fmt.Errorf("code in Lua, includes and raw blocks (%s) are not supported", lua.open)
			}
		}
		out.WriteByte('{')
		src = src[1:]
	}
}

const spaces = " \t\r\n"

// bareWord returns the word in {{ word }}, or "", and Go's trim markers beside
// it, each with its space.
func bareWord(action string) (left, word, right string) {
	in, ok := strings.CutSuffix(strings.TrimPrefix(action, "{{"), "}}")
	if !ok {
		return "", "", ""
	}
	if n := len(in); n > 2 && in[0] == '-' && strings.IndexByte(spaces, in[1]) >= 0 {
		left, in = in[:2], in[2:]
	}
	if n := len(in); n > 2 && in[n-1] == '-' && strings.IndexByte(spaces, in[n-2]) >= 0 {
		in, right = in[:n-2], in[n-2:]
	}
	in = strings.Trim(in, spaces)
	if wordLen(in) != len(in) {
		return "", "", ""
	}
	return left, in, right
}

// starWord returns the word in {* word *} at the start of src, and how long all
// of it is; 0 if src starts otherwise.
func starWord(src string) (word string, n int) {
	in, ok := strings.CutPrefix(src, "{*")
	if !ok {
		return "", 0
	}
	in = strings.TrimLeft(in, spaces)
	word = in[:wordLen(in)]
	rest, ok := strings.CutPrefix(strings.TrimLeft(in[len(word):], spaces), "*}")
	if !ok || word == "" {
		return "", 0
	}
	return word, len(src) - len(rest)
}

// wordLen returns how long the word is that s starts with: letters, digits and
// underscores, no digit first.
func wordLen(s string) int {
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || i > 0 && c >= '0' && c <= '9' {
			continue
		}
		return i
	}
	return len(s)
}

// actionLen returns the length of the Go action that src begins with, its braces
// included, or all of src if it isn't closed. Braces in strings and comments
// close nothing.
func actionLen(src string) int {
	i := len("{{")
	if rest := strings.TrimPrefix(src[i:], "- "); strings.HasPrefix(rest, "/*") {
		end := strings.Index(src, "*/")
		if end < 0 {
			return len(src)
		}
		i = end
	}
	for i < len(src) {
		switch c := src[i]; c {
		case '"', '\'', '`':
			for i++; i < len(src) && src[i] != c; i++ {
				if src[i] == '\\' && c != '`' {
					i++
				}
			}
		case '}':
			if strings.HasPrefix(src[i:], "}}") {
				return i + len("}}")
			}
		}
		i++
	}
	return len(src)
}
