package store

import (
	"errors"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"

	"rollcall/protocol"
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

func FuzzParseTelling(f *testing.F) {
	f.Add("id", "1700000000000 feed 1700000000000000\nspace\nuser.login\n289bc36e-0df7-44df-99b1-a6543c6f45eb\n{\"user_id\":\"x\"}\n")
	f.Add("id", "1700000000000 feed 1700000000000000\nspace\na\nb\n{}\nc\n\n{}\n")
	f.Add("id", "1700000000000 signal {}")
	f.Add("id", "1 feed 1\n\n")
	f.Add("id", "1 feed 1\ns\na\nb")
	f.Add("id", "1 feed -9223372036854775808\ns\na\n\n\n")
	f.Add("", "")
	f.Fuzz(func(t *testing.T, id, text string) {
		told, err := parseTelling(id, text)
		if err != nil {
			return
		}
		if told.id != id || len(told.events) == 0 || strings.Contains(told.scope, "\n") {
			t.Fatalf("%q gives %+v", text, told)
		}
		// Written as the scripts write it, it reads the same.
		payload := strconv.FormatInt(told.at.UnixMicro(), 10) + "\n" + told.scope + "\n"
		ids := map[string]bool{}
		for i, e := range told.events {
			payload += e.name + "\n" + e.user + "\n" + e.data + "\n"
			ids[told.eventID(i)] = true
		}
		if len(ids) != len(told.events) {
			t.Errorf("%d ids for %d events", len(ids), len(told.events))
		}
		if again, err := parsePayload(id, payload); err != nil || !reflect.DeepEqual(again, told) {
			t.Errorf("%q gives %+v, and then %+v, %v", text, told, again, err)
		}
	})
}

func FuzzParsePresence(f *testing.F) {
	user := uuid.NewString()
	f.Add(user + ` session 1700000000000 {"scope":"space","node":"n1","client":{"name":"a game"},"ip":"::1"}`)
	f.Add(user + ` session 1700000000000 {"scope":"space"}`)
	f.Add(user + ` session -1 {"scope":"s","client":null}`)
	f.Add(user + ` session 1 {`)
	f.Add(user + `  1 {} {}`)
	f.Add("")
	f.Fuzz(func(t *testing.T, text string) {
		pr, err := parsePresence("lease", "1", text)
		if err != nil {
			if pr.User != uuid.Nil {
				t.Errorf("%q gives %+v and %v", text, pr, err)
			}
			return
		}
		if pr.Lease != "lease" || pr.Place != "1" || strings.Contains(pr.Session, " ") {
			t.Errorf("%q gives %+v", text, pr)
		}
		// What is told of it is in events: it has to be JSON, in one line.
		data := `{"user_id":""` + pr.Via.place() + `}`
		if !jsontext.Value(data).IsValid() || strings.Contains(data, "\n") {
			t.Errorf("%q tells %s", text, data)
		}
	})
}

func FuzzParseEvent(f *testing.F) {
	user := uuid.NewString()
	f.Add("7-123", "user.login", user, "1700000000000", "epoch", "id", `{"user_id":"`+user+`","username":"tiny"}`)
	f.Add("7-123", "admin.action", "", "1700000000000", "epoch", "id", `{"admin":"ops","action":"kick","ip":"::1"}`)
	f.Add("7", "user.login", user, "1", "", "", `{`)
	f.Add("-", "", "x", "", "", "", "")
	f.Add("9223372036854775808-1", "", "", "1", "", "", "{}")
	f.Fuzz(func(t *testing.T, entry, name, user, ms, epoch, id, data string) {
		values := map[string]any{"n": name, "u": user, "t": ms, "p": epoch, "i": id, "d": data}
		e, err := parseEvent("space", redis.XMessage{ID: entry, Values: values})
		if err != nil {
			return
		}
		if e.Scope != "space" || e.Name != name || e.Epoch != epoch || e.ID != id || string(e.Data) != data {
			t.Errorf("%v gives %+v", values, e)
		}
		if (e.User == uuid.Nil) != (user == "") && !strings.Contains(user, uuid.Nil.String()) && !strings.Contains(user, strings.Repeat("0", 32)) {
			t.Errorf("%q gives user %s", user, e.User)
		}
		if e.forget() != nil {
			return
		}
		var kept protocol.EventData
		if err := json.Unmarshal(e.Data, &kept); err != nil || kept.UserID != e.User || kept.Username != "" || kept.Group != "" || kept.Node != "" {
			t.Errorf("%q of a user who is gone tells %s, %v", data, e.Data, err)
		}
	})
}

func TestEventsOfAnyOtherFormAreRefused(t *testing.T) {
	for _, m := range []redis.XMessage{
		{}, {ID: "x-1"}, {ID: "1-1"}, {ID: "1-1", Values: map[string]any{"t": "x"}},
		{ID: "1-1", Values: map[string]any{"t": "1", "u": "nobody"}}, {ID: "1-1", Values: map[string]any{"t": 1}},
	} {
		if e, err := parseEvent("s", m); !errors.Is(err, errBadEvent) {
			t.Errorf("%v gives %+v, %v", m, e, err)
		}
		if all := (&Store{log: quietLog}).parseEvents("s", []redis.XMessage{m}); len(all) != 0 {
			t.Errorf("%v gives %+v", m, all)
		}
	}
}
