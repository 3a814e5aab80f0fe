package main

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	"rollcall/protocol"
)

// The lines that stand around what is generated in rollcall.js.
const (
	blockBegin = "// <generated> by go generate ./protocol; do not edit.\n"
	blockEnd   = "// </generated>\n"
)

// WithConstants returns the module's text with its block of constants as the
// tables have them.
func WithConstants(text []byte) ([]byte, error) {
	before, rest, begins := bytes.Cut(text, []byte(blockBegin))
	_, after, ends := bytes.Cut(rest, []byte(blockEnd))
	if !begins || !ends {
		return nil, errors.New("there is no block of constants")
	}
	return slices.Concat(before, []byte(blockBegin), constants(), []byte(blockEnd), after), nil
}

func constants() []byte {
	var b bytes.Buffer
	b.WriteString("/** The statuses of errors. */\nexport const Status = Object.freeze({\n")
	for _, s := range protocol.Statuses {
		fmt.Fprintf(&b, "  %s: %d, // %s\n", s.Name, int(s.Status), s.Text)
	}
	b.WriteString("});\n\n/** The codes with which a server closes a connection. From 4500 on it does not want the client back. */\nexport const CloseCode = Object.freeze({\n")
	for _, code := range protocol.CloseCodes() {
		fmt.Fprintf(&b, "  %s: %d,\n", constantName(code), int(code))
	}
	b.WriteString("});\n\n")

	var methods, needLogin []string
	for _, m := range protocol.Messages() {
		if isMethod(m) {
			methods = append(methods, m.Type)
		}
		if m.Access == protocol.AccessUser || m.Access == protocol.AccessSubject {
			needLogin = append(needLogin, m.Type)
		}
	}
	b.WriteString("// The messages that are functions of client.users and client.admin.\nconst METHODS = [\n")
	list(&b, methods)
	b.WriteString("];\n\n// Those that are meant for a logged-in client.\nconst NEEDS_LOGIN = new Set([\n")
	list(&b, needLogin)
	b.WriteString("]);\n")
	return b.Bytes()
}

// constantName is a close code's name in the SDKs.
func constantName(code protocol.CloseCode) string {
	return strings.ToUpper(strings.ReplaceAll(code.Reason(), " ", "_"))
}

// isMethod reports whether a message is a function in the SDK. What a connection
// begins with and what a subscription is made of are not: the SDK sends them.
func isMethod(m *protocol.Message) bool {
	switch m {
	case protocol.AdminSubscribe.Message, protocol.AdminUnsubscribe.Message, protocol.CorePing.Message:
		return false
	}
	return m.Access != protocol.AccessFirst
}

// list writes names as string literals, several a line.
func list(b *bytes.Buffer, names []string) {
	const width = 110
	line := " "
	for _, name := range names {
		item := fmt.Sprintf(" %q,", name)
		if len(line)+len(item) > width {
			b.WriteString(line + "\n")
			line = " "
		}
		line += item
	}
	b.WriteString(line + "\n")
}
