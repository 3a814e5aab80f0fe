package store

import (
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

func FuzzDecodeUser(f *testing.F) {
	f.Add("")
	f.Add("sc|s|u|tiny|a|1|ca|1700000000000|ua|1700000000001|x:k|n1.5|p|\x00\r\n")
	f.Add("sc|s|u|Tiny|uk|tiny|e|T@x.y|ek|t@x.y|ca|1|ll|x")
	f.Add("sc|s|u|tiny|ca|17|x:a|")
	f.Add("sc|s|u|tiny|ca|17|x:a|q1|lc|99999999999999999999")
	f.Add("sc|s|u|tiny|ca|17|pv:google|id|pc:google|id|px:google|17|pv:|x")
	f.Add("sc|s|u")
	id := uuid.New()
	f.Fuzz(func(t *testing.T, fields string) {
		var flat []string
		if fields != "" {
			flat = strings.Split(fields, "|")
		}
		u, err := decodeUser(id, flat)
		if err != nil {
			return
		}
		if u.ID != id || u.Scope == "" || u.Username == "" || u.CreatedAt.IsZero() || len(u.Extra)*2 > len(flat) {
			t.Errorf("%q gives %+v", fields, u)
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
