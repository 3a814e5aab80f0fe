package protocol_test

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"rollcall/protocol"
)

func TestFramesAreReadAsRequests(t *testing.T) {
	nest := func(open, closing string, n int) string { return strings.Repeat(open, n) + strings.Repeat(closing, n) }
	id64 := strings.Repeat("i", 64)
	for name, tt := range map[string]struct {
		frame         string
		ok            bool
		id, typ, data string
	}{
		"all members":             {`{"id":7,"type":"users.get","data":{"a":1}}`, true, `7`, "users.get", `{"a":1}`},
		"any order":               {`{"data":{"a":1},"type":"users.get","id":7}`, true, `7`, "users.get", `{"a":1}`},
		"spaces":                  {" {\t\"id\" : 7 ,\n\"type\" : \"users.get\" , \"data\" : { } }\r\n", true, `7`, "users.get", `{ }`},
		"unknown members":         {`{"v":2,"type":"users.get","trace":{"x":[1]},"id":7}`, true, `7`, "users.get", ``},
		"unknown type":            {`{"id":7,"type":"users.fly"}`, true, `7`, "users.fly", ``},
		"escaped type":            {`{"type":"users\u002eget"}`, true, ``, "users.get", ``},
		"no id":                   {`{"type":"core.ping"}`, true, ``, "core.ping", ``},
		"null id and data":        {`{"id":null,"type":"core.ping","data":null}`, true, ``, "core.ping", ``},
		"string id":               {`{"id":"a\u00e9b","type":"core.ping"}`, true, `"a\u00e9b"`, "core.ping", ``},
		"empty id":                {`{"id":"","type":"core.ping"}`, true, `""`, "core.ping", ``},
		"negative id":             {`{"id":-1,"type":"core.ping"}`, true, `-1`, "core.ping", ``},
		"huge id":                 {`{"id":123456789012345678901234567890,"type":"core.ping"}`, true, `123456789012345678901234567890`, "core.ping", ``},
		"longest id":              {`{"id":"` + id64 + `","type":"core.ping"}`, true, `"` + id64 + `"`, "core.ping", ``},
		"id too long":             {`{"id":"` + id64 + `i","type":"core.ping"}`, false, ``, "", ``},
		"fraction as id":          {`{"id":1.5,"type":"core.ping"}`, false, ``, "", ``},
		"exponent as id":          {`{"id":1e3,"type":"core.ping"}`, false, ``, "", ``},
		"object as id":            {`{"id":{},"type":"core.ping"}`, false, ``, "", ``},
		"boolean as id":           {`{"id":true,"type":"core.ping"}`, false, ``, "", ``},
		"no type":                 {`{"id":7}`, false, `7`, "", ``},
		"empty type":              {`{"id":7,"type":""}`, false, `7`, "", ``},
		"number as type":          {`{"id":7,"type":5}`, false, `7`, "", ``},
		"duplicate key":           {`{"id":7,"type":"core.ping","type":"core.ping"}`, false, `7`, "", ``},
		"duplicate key, unknown":  {`{"id":7,"x":1,"x":2,"type":"core.ping"}`, false, `7`, "", ``},
		"duplicate key in data":   {`{"id":7,"type":"core.ping","data":{"a":1,"a":1}}`, false, `7`, "", ``},
		"duplicate key, escaped":  {`{"id":7,"type":"core.ping","data":{"a":1,"\u0061":1}}`, false, `7`, "", ``},
		"empty":                   {``, false, ``, "", ``},
		"spaces only":             {`  `, false, ``, "", ``},
		"not JSON":                {`hello`, false, ``, "", ``},
		"array":                   {`[{"id":7,"type":"core.ping"}]`, false, ``, "", ``},
		"string":                  {`"core.ping"`, false, ``, "", ``},
		"null":                    {`null`, false, ``, "", ``},
		"cut short":               {`{"id":7,"type":"core.ping"`, false, `7`, "", ``},
		"cut in data":             {`{"id":7,"type":"core.ping","data":{`, false, `7`, "", ``},
		"something after it":      {`{"id":7,"type":"core.ping"}{}`, false, `7`, "", ``},
		"trailing comma":          {`{"id":7,"type":"core.ping",}`, false, `7`, "", ``},
		"comment":                 {`{"id":7,/* */"type":"core.ping"}`, false, `7`, "", ``},
		"byte order mark":         {"\ufeff" + `{"id":7,"type":"core.ping"}`, false, ``, "", ``},
		"invalid UTF-8":           {`{"id":7,"type":"core.ping","data":"` + "\xff" + `"}`, false, `7`, "", ``},
		"lone surrogate":          {`{"id":7,"type":"core.ping","data":"\ud800"}`, false, `7`, "", ``},
		"deepest":                 {`{"type":"core.ping","data":` + nest("[", "]", protocol.MaxDepth-1) + `}`, true, ``, "core.ping", nest("[", "]", protocol.MaxDepth-1)},
		"too deep, arrays":        {`{"id":7,"type":"core.ping","data":` + nest("[", "]", protocol.MaxDepth) + `}`, false, `7`, "", ``},
		"too deep, objects":       {`{"type":"core.ping","data":` + nest(`{"a":`, "", protocol.MaxDepth) + `1` + nest("", "}", protocol.MaxDepth) + `}`, false, ``, "", ``},
		"far too deep":            {nest("[", "]", 10_000), false, ``, "", ``},
		"brackets within strings": {`{"type":"core.ping","data":"` + nest(`[\"{`, "", 100) + `"}`, true, ``, "core.ping", `"` + nest(`[\"{`, "", 100) + `"`},
		"many beside each other":  {`{"type":"core.ping","data":[` + strings.Repeat("[],", 100) + `[]]}`, true, ``, "core.ping", `[` + strings.Repeat("[],", 100) + `[]]`},
	} {
		t.Run(name, func(t *testing.T) {
			req, err := protocol.ParseRequest([]byte(tt.frame))
			if tt.ok != (err == nil) {
				t.Fatalf("error is %v", err)
			}
			if err != nil && statusOf(t, err) != protocol.StatusDecodeFailed {
				t.Errorf("status is %d", statusOf(t, err))
			}
			if string(req.ID) != tt.id {
				t.Errorf("id is %s, want %s", req.ID, tt.id)
			}
			if tt.ok && (req.Type != tt.typ || string(req.Data) != tt.data) {
				t.Errorf("read as %q %s", req.Type, req.Data)
			}
		})
	}
}

func TestAnErrorReplyHasWhatIsKnown(t *testing.T) {
	for _, tt := range []struct {
		req  protocol.Request
		err  protocol.Error
		want string
	}{
		{protocol.Request{}, protocol.Error{Status: protocol.StatusDecodeFailed}, `{"error":"JSON decode failed","status":830}`},
		{protocol.Request{ID: []byte("7")}, protocol.Error{Status: protocol.StatusDecodeFailed, Message: "x"}, `{"id":7,"error":"x","status":830}`},
		{protocol.Request{ID: []byte(`"é"`), Type: "a\"b"}, protocol.Error{Status: 805}, `{"id":"é","type":"a\"b","error":"unknown type","status":805}`},
		{protocol.Request{Type: "core.ping"}, protocol.Error{Status: 815, Temporary: true}, `{"type":"core.ping","error":"network or storage unavailable","status":815,"temporary":true}`},
		{protocol.Request{Type: "core.ping"}, protocol.Error{Status: 809, RetryAfter: 1500 * time.Millisecond}, `{"type":"core.ping","error":"busy","status":809,"retry_after_ms":1500}`},
		{protocol.Request{Type: "core.ping"}, protocol.Error{Status: 809, RetryAfter: time.Microsecond}, `{"type":"core.ping","error":"busy","status":809,"retry_after_ms":1}`},
		{protocol.Request{Type: "core.ping"}, protocol.Error{Status: -1, Message: "bad \xff"}, "{\"type\":\"core.ping\",\"error\":\"bad \ufffd\",\"status\":-1}"},
		{protocol.Request{Type: "core.ping"}, protocol.Error{Status: 9999}, `{"type":"core.ping","error":"status 9999","status":9999}`},
	} {
		if got := protocol.AppendError(nil, tt.req, &tt.err); string(got) != tt.want {
			t.Errorf("got  %s\nwant %s", got, tt.want)
		}
	}
}

func TestAResultWithoutJSONLeavesNothingBehind(t *testing.T) {
	got, err := protocol.AppendReply([]byte("before"), protocol.Request{Type: "core.ping"}, func() {})
	if err == nil || string(got) != "before" {
		t.Errorf("got %q, %v", got, err)
	}
	got, err = protocol.AppendRequest([]byte("before"), 1, "core.ping", make(chan int))
	if err == nil || string(got) != "before" {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestServerFramesAreToldApart(t *testing.T) {
	for frame, want := range map[string]string{
		`{"id":7,"type":"core.ping","result":"pong"}`:                       "reply",
		`{"id":7,"type":"core.ping","result":null}`:                         "reply",
		`{"id":7,"type":"users.get","error":"user not found","status":604}`: "error",
		`{"error":"JSON decode failed","status":830}`:                       "error",
		`{"event":"user.login","seq":1,"data":{}}`:                          "1 pushes",
		`[{"event":"user.login"},{"event":"user.online"}]`:                  "2 pushes",
		` [ ]`: "0 pushes",
		`{"event":"bye","code":4001,"reason":"draining","reconnect":true,"retry_after_ms":800,"new":[1]}`: "bye",
		``:                               "830",
		`nonsense`:                       "830",
		`{}`:                             "830",
		`[{}]`:                           "830",
		`[[]]`:                           "830",
		`{"id":7}`:                       "830",
		`{"id":7,"result":1,"status":1}`: "830",
		`{"event":7}`:                    "830",
		`{"event":"x"}{}`:                "830",
	} {
		f, err := protocol.ParseFrame([]byte(frame))
		got := ""
		switch {
		case err != nil:
			got = strconv.Itoa(int(statusOf(t, err)))
		case f.Reply != nil && f.Reply.Err() != nil:
			got = "error"
		case f.Reply != nil:
			got = "reply"
		case f.Bye != nil:
			got = "bye"
		default:
			got = strconv.Itoa(len(f.Pushes)) + " pushes"
		}
		if got != want {
			t.Errorf("%s: %s, want %s", frame, got, want)
		}
	}
}

func TestAByeSaysWhetherToComeBack(t *testing.T) {
	for code, want := range map[protocol.CloseCode]string{
		protocol.CloseDraining: `{"event":"bye","code":4001,"reason":"draining","reconnect":true,"retry_after_ms":800}`,
		protocol.CloseKicked:   `{"event":"bye","code":4502,"reason":"kicked","reconnect":false,"retry_after_ms":800}`,
	} {
		if got := protocol.AppendBye(nil, code, "", 800*time.Millisecond); string(got) != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
	if got := protocol.AppendBye(nil, protocol.CloseBanned, "cheating", 0); string(got) != `{"event":"bye","code":4503,"reason":"cheating","reconnect":false}` {
		t.Errorf("got %s", got)
	}
}

func TestCloseCodesTellByTheirRange(t *testing.T) {
	for code, want := range map[protocol.CloseCode]bool{
		1000: true, 1001: true, 1002: false, 1003: false, 1006: true, 1007: false, 1008: false, 1009: false, 1011: true, 1012: true,
		4000: true, 4001: true, 4499: true, 4500: false, 4501: false, 4999: false, 5000: false,
	} {
		if got := code.Reconnect(); got != want {
			t.Errorf("%d: reconnect is %v", code, got)
		}
	}
}

func TestStatusesAreOneTable(t *testing.T) {
	numbers, names := map[protocol.Status]bool{}, map[string]bool{}
	for _, s := range protocol.Statuses {
		if numbers[s.Status] || names[s.Name] || s.Text == "" || s.Status == 0 {
			t.Errorf("row %+v", s)
		}
		numbers[s.Status], names[s.Name] = true, true
		if s.Status.Text() != s.Text {
			t.Errorf("%d is %q", s.Status, s.Status.Text())
		}
	}
	for _, m := range protocol.Messages() {
		for _, s := range m.Statuses {
			if !numbers[s] {
				t.Errorf("%s may answer %d, which is not in the table", m.Type, s)
			}
		}
	}
}
