package server_test

import (
	"fmt"
	"strings"
	"testing"

	"rollcall/server/wiretest"
)

func TestAnIDComesBackAsItWasWritten(t *testing.T) {
	n := start(t)
	c := n.client()
	for _, id := range []string{
		`1`, `0`, `-5`, `-0`, `"a"`, `"ü"`, `"\u00fc"`, `"\"\\\/\b\n\t"`, `"1"`, `""`, `" a "`, `"\u0000"`, `"<&>"`, `"😀"`, `"\ud83d\ude00"`,
		`9007199254740993`, `-9223372036854775809`, `123456789012345678901234567890`,
		`"` + strings.Repeat("a", 64) + `"`, `"` + strings.Repeat("ü", 32) + `"`, strings.Repeat("9", 64),
	} {
		for typ, status := range map[string]int{"core.ping": 0, "users.get": 804, "no.such.type": 805} {
			c.SendText(`{"id":` + id + `,"type":"` + typ + `"}`)
			if r := want(t, c.Next(), status); r.ID() != id || r.Type() != typ {
				t.Errorf("%s of id %s got %s", typ, id, r.Raw)
			}
		}
	}
}

func TestARequestWithoutAnIDIsAnsweredWithoutOne(t *testing.T) {
	n := start(t)
	c := n.client()
	c.SendText(`{"type":"core.ping"}`)
	if r := c.Next(); r.ID() != "" || r.Result() != `"pong"` {
		t.Errorf("got %s", r.Raw)
	}
}

func TestAnIDThatIsNoneFailsToDecode(t *testing.T) {
	n := start(t)
	for _, id := range []string{
		`1.5`, `1e3`, `true`, `false`, `{}`, `[]`, `[1]`, `{"a":1}`, `"` + strings.Repeat("a", 65) + `"`, `"` + strings.Repeat("ü", 33) + `"`, `"` + strings.Repeat("a", 20000) + `"`,
	} {
		wantUndecodable(t, n, `{"id":`+id+`,"type":"core.ping"}`, "")
	}
}

// wantUndecodable sends one frame on a new connection: it must get 830 with that
// id, and the connection must stay.
func wantUndecodable(t *testing.T, n *node, frame, id string) {
	t.Helper()
	c := n.client()
	c.SendText(frame)
	if r := want(t, c.Next(), 830); r.ID() != id {
		t.Errorf("%.80s got %s, want the id %q", frame, r.Raw, id)
	}
	c.SendText(`{"id":"after","type":"core.ping"}`)
	if r := c.Next(); r.Result() != `"pong"` {
		t.Errorf("after %.80s a ping got %s", frame, r.Raw)
	}
	c.Close()
}

func TestAFrameThatIsNoRequestFailsToDecodeAndTheConnectionStays(t *testing.T) {
	n := start(t)
	for _, tt := range []struct{ name, frame, id string }{
		{"empty", ``, ""},
		{"space", ` `, ""},
		{"no JSON", `hello`, ""},
		{"an open brace", `{`, ""},
		{"cut after the id", `{"id":7,"type":"core`, "7"},
		{"an array", `[{"id":7,"type":"core.ping"}]`, ""},
		{"a string", `"core.ping"`, ""},
		{"a number", `7`, ""},
		{"null", `null`, ""},
		{"no type", `{"id":7}`, "7"},
		{"an empty type", `{"id":7,"type":""}`, "7"},
		{"a type that is a number", `{"id":7,"type":5}`, "7"},
		{"a type that is null", `{"id":7,"type":null}`, "7"},
		{"two requests", `{"id":7,"type":"core.ping"}{"id":8,"type":"core.ping"}`, "7"},
		{"something after it", `{"id":7,"type":"core.ping"} x`, "7"},
		{"a trailing comma", `{"id":7,"type":"core.ping",}`, "7"},
		{"single quotes", `{'id':7}`, ""},
		{"NaN", `{"id":7,"type":"core.ping","data":{"a":NaN}}`, "7"},
		{"a number with a leading zero", `{"id":7,"type":"core.ping","data":{"a":01}}`, "7"},
		{"a control character in a string", "{\"id\":7,\"type\":\"core\n.ping\"}", "7"},
		{"a lone surrogate", `{"id":7,"type":"core.ping","data":{"a":"\ud800"}}`, "7"},
		{"a comment", `{"id":7,/* hi */"type":"core.ping"}`, "7"},
		{"a duplicate id", `{"id":7,"id":8,"type":"core.ping"}`, "7"},
		{"a duplicate type", `{"id":7,"type":"core.ping","type":"users.get"}`, "7"},
		{"a duplicate type in another spelling", `{"id":7,"type":"core.ping","t\u0079pe":"users.get"}`, "7"},
		{"a duplicate key in data", `{"id":7,"type":"core.ping","data":{"a":1,"a":2}}`, "7"},
		{"a duplicate key in extra", `{"id":7,"type":"users.create","data":{"username":"x","password":"x-secret","extra":{"a":1,"a":2}}}`, "7"},
		{"a duplicate unknown member", `{"id":7,"type":"core.ping","x":1,"x":2}`, "7"},
		{"deep arrays", `{"id":7,"type":"core.ping","x":` + strings.Repeat("[", 10000) + strings.Repeat("]", 10000) + `}`, "7"},
		{"deep objects", `{"id":7,"type":"core.ping","data":` + strings.Repeat(`{"a":`, 4000) + "1" + strings.Repeat("}", 4000) + `}`, "7"},
		{"deep and open", `{"id":7,"type":"core.ping","x":` + strings.Repeat("[", 32000) + `}`, "7"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			wantUndecodable(t, n, tt.frame, tt.id)
		})
	}
}

func TestAPeerThatKeepsSendingRubbishIsClosed(t *testing.T) {
	n := start(t)
	for name, rubbish := range map[string]string{"no JSON": "rubbish", "no type": `{"id":1}`} {
		t.Run(name, func(t *testing.T) {
			c := n.client()
			var burst []byte
			for range 10000 {
				burst = wiretest.AppendFrame(burst, wiretest.Frame{Op: wiretest.OpText, Payload: []byte(rubbish)})
			}
			c.SendText(rubbish)
			want(t, c.Next(), 830)
			go c.WriteRaw(burst) // fails when the server closes, as it must
			wantEnd(t, c, 4505)
		})
	}
}

func TestUnknownMembersAreIgnoredAndUnknownTypesAreNot(t *testing.T) {
	n := start(t)
	c := n.client()
	c.SendText(`{"x":[1,{"y":null}],"id":1,"TYPE":"users.get","type":"users.create","data":{"username":"tiny","password":"hunter2-secret","Username":"other","unknown":{"a":[1]}},"Data":5}`)
	id := ok(t, c.Next()).Object().Text("user_id")
	if o := ok(t, c.Call("users.get", obj{"user_id": id, "more": 1})).Object(); o.Text("username") != "tiny" {
		t.Errorf("got %v", o)
	}
	for _, typ := range []string{"users.fly", "users", "Users.get", "users.get ", "users.get\x00", "core.shutdown", "bye", "..", strings.Repeat("x", 30000)} {
		want(t, c.Call(typ, nil), 805)
	}
}

func TestDataOfAnotherTypeIsRefused(t *testing.T) {
	n := start(t)
	c := n.client()
	for _, data := range []string{`[]`, `[{"user_id":"x"}]`, `"x"`, `""`, `5`, `0`, `true`, `false`} {
		c.SendText(`{"id":1,"type":"users.get","data":` + data + `}`)
		want(t, c.Next(), 801)
	}
	for _, data := range []string{`null`, `{}`} {
		c.SendText(`{"id":1,"type":"users.get","data":` + data + `}`)
		want(t, c.Next(), 804)
	}
}

func TestAUserIDIsHeldToItsForm(t *testing.T) {
	n := start(t)
	c := n.client()
	for id, status := range map[any]int{
		"x": 802, "": 802, strings.Repeat("0", 36): 802, strings.Repeat("x", 30000): 802, "12345678-1234-1234-1234-12345678901": 802,
		"12345678-1234-1234-1234-123456789012' OR 1": 802, 5: 801, true: 801, 1.5: 801,
		"12345678-1234-4234-8234-123456789012": 606,
	} {
		for typ := range subjectMethods {
			want(t, c.Call(typ, obj{"user_id": id, "update": obj{"group": "x"}}), status)
		}
	}
	want(t, c.Call("users.get", obj{"user_id": []string{"x"}}), 801)
	want(t, c.Call("users.get", obj{"user_id": obj{}}), 801)
}

func TestNumbersBeyondFloat64AreOutOfBoundsAndHarmNothing(t *testing.T) {
	n := start(t)
	c := n.client()
	for i, number := range []string{"1e309", "-1e309", "1e99999999999", strings.Repeat("9", 400), strings.Repeat("9", 30000) + ".5"} {
		r := c.Call("users.create", obj{"username": fmt.Sprint("u", i), "password": thePassword, "extra": obj{"n": jsonNumber(number)}})
		want(t, r, 802)
	}
	// In a member that nobody knows it is nobody's business.
	ok(t, c.Call("users.create", obj{"username": "tiny", "password": thePassword, "unknown": jsonNumber("1e309")}))
}
