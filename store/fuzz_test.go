package store

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/uuid"
)

func FuzzSessionToken(f *testing.F) {
	token, _ := newToken(uuid.New())
	f.Add(token)
	f.Add("")
	f.Add(strings.Repeat("A", 64))
	f.Add(token[:63] + "=")
	f.Add(token[:62] + "\r\n")
	f.Fuzz(func(t *testing.T, token string) {
		user, id, ok := SessionID(token)
		if !ok {
			return
		}
		if len(token) != 64 || len(id) != 22 || strings.ContainsAny(id, " :{}") {
			t.Errorf("%q gives session %q", token, id)
		}
		if again, _ := parseToken(token); again.user != user || again.id != id || len(again.rest) != 22 {
			t.Errorf("%q gives %v", token, again)
		}
	})
}

// rawReply is how Redis sends an array of strings.
func rawReply(texts ...string) []byte {
	b := fmt.Appendf(nil, "*%d\r\n", len(texts))
	for _, s := range texts {
		b = fmt.Appendf(b, "$%d\r\n%s\r\n", len(s), s)
	}
	return b
}

func FuzzDecodeUser(f *testing.F) {
	f.Add(rawReply())
	f.Add(rawReply("sc", "s", "u", "tiny", "a", "1", "ca", "1700000000000", "ua", "1700000000001", "x:k", "n1.5", "p", "\x00\r\n"))
	f.Add(rawReply("sc", "s", "u", "Tiny", "uk", "tiny", "e", "T@x.y", "ek", "t@x.y", "ca", "1", "ll", "x"))
	f.Add(rawReply("sc", "s", "u"))
	f.Add([]byte("*2\r\n$1\r\n"))
	f.Add([]byte("*2\r\n$-1\r\n$1\r\na\r\n"))
	f.Add([]byte("*999999999\r\n"))
	f.Add([]byte("$1\r\na\r\n"))
	f.Add([]byte("-ERR no\r\n"))
	id := uuid.New()
	f.Fuzz(func(t *testing.T, raw []byte) {
		u, err := decodeRawUser(id, raw)
		if err != nil {
			return
		}
		if u.ID != id || u.Scope == "" || u.Username == "" || u.CreatedAt.IsZero() {
			t.Errorf("%q gives %+v", raw, u)
		}
	})
}

// The two decoders of a user understand the same.
func FuzzDecodersAgree(f *testing.F) {
	f.Add("sc", "s", "u", "tiny", "ca", "17", "x:a", "sb")
	f.Add("sc", "s", "u", "tiny", "ca", "17", "x:a", "")
	f.Add("sc", "s", "u", "", "ca", "zz", "zz", "sb")
	f.Fuzz(func(t *testing.T, a, b, c, d, e, g, h, i string) {
		texts := []string{a, b, c, d, e, g, h, i}
		list := make([]any, len(texts))
		for i, s := range texts {
			list[i] = s
		}
		u, err1 := decodeUser(uuid.Nil, list)
		v, err2 := decodeRawUser(uuid.Nil, rawReply(texts...))
		if fmt.Sprint(u, err1) != fmt.Sprint(v, err2) {
			t.Errorf("%q: %+v, %v and %+v, %v", texts, u, err1, v, err2)
		}
	})
}

func FuzzParseSession(f *testing.F) {
	f.Add("rest 1 2 n1 c1")
	f.Add("rest 1 2 - - n1 c1")
	f.Add("rest x 2 - -")
	f.Add("")
	f.Fuzz(func(t *testing.T, record string) {
		sess, err := parseSession(record)
		if err == nil && sess.At.Conn == noConn {
			t.Errorf("%q gives %+v", record, sess)
		}
	})
}

func FuzzCursor(f *testing.F) {
	f.Add(encodeCursor(cursorByName, "tiny\x00289bc36e-0df7-44df-99b1-a6543c6f45eb"))
	f.Add("")
	f.Fuzz(func(t *testing.T, cursor string) {
		if member, err := decodeCursor(cursor, cursorByName); err == nil && member != "" && len(member) < uuidText {
			t.Errorf("%q gives %q", cursor, member)
		}
	})
}
