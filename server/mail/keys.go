package mail

import (
	"net/url"
	"regexp"
	"strings"
	"unicode/utf8"

	"rollcall/protocol"
)

// CheckKeys holds what a client gives for a mail against the bounds: tpl_keys of
// at most 20 keys, each a word of at most 64 bytes, with values of at most 200
// bytes; a subject of at most 256 bytes, or none. Neither may have control
// characters or carry a link. Its errors are of type *protocol.Error, status 802.
func CheckKeys(keys map[string]string, subject string) error {
	bad := func(format string, args ...any) error {
		return protocol.Errorf(protocol.StatusOutOfBounds, format, args...)
	}
	if len(keys) > protocol.MaxTemplateKeys {
		return bad("tpl_keys: at most %d keys", protocol.MaxTemplateKeys)
	}
	for k, v := range keys {
		switch {
		case len(k) > 64 || !keyPattern.MatchString(k):
			return bad("tpl_keys: a key is 1 to 64 letters, digits and underscores")
		case len(v) > protocol.MaxTemplateBytes || hasControl(v) || !utf8.ValidString(v):
			return bad("tpl_keys: a value is at most %d bytes without control characters", protocol.MaxTemplateBytes)
		case isLink(v):
			return bad("tpl_keys: a value must not carry a link")
		}
	}
	switch {
	case len(subject) > protocol.MaxTextBytes || hasControl(subject) || !utf8.ValidString(subject):
		return bad("subject: must be at most %d bytes on one line", protocol.MaxTextBytes)
	case isLink(subject):
		return bad("subject: must not carry a link")
	}
	return nil
}

var keyPattern = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

var (
	// schemes and hosts with something after them are links, whatever was meant.
	linkLike = regexp.MustCompile(`(?i)//|\\\\|www[.。．｡]|\b(?:mailto|tel|sms|javascript|vbscript|data):\S` +
		`|[\pL\pN-][.。．｡](?:\pL{2,}|xn--[a-z0-9-]+)[/?#]|[\pL\pN-][.。．｡](?:\pL{2,}|xn--[a-z0-9-]+):\d|\d+\.\d+\.\d+\.\d+[/:?#]`)
	// a bare host or address may be a game's name (Slither.io), but mail programs
	// make links of it.
	hostLike = regexp.MustCompile(`(?i)[\pL\pN-][.。．｡](?:\pL{2,}|xn--)|\S@\S`)
)

// isLink reports whether s carries a link.
func isLink(s string) bool { return linkLike.MatchString(s) }

// unlink returns s such that no mail program makes a link of it: where it looks
// like one, the characters that make it so become spaces.
func unlink(s string) string {
	if !linkLike.MatchString(s) && !hostLike.MatchString(s) {
		return s
	}
	s = strings.Map(func(r rune) rune {
		if strings.ContainsRune(`.。．｡/\:@?#`, r) {
			return ' '
		}
		return r
	}, s)
	return strings.Join(strings.Fields(s), " ")
}

// isWebLink reports whether s, a link made by the server, can stand in a text
// and in an href as it is.
func isWebLink(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != "" &&
		!strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r >= 0x7f || strings.ContainsRune("\"'<>`", r) })
}
