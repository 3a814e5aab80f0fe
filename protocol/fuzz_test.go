package protocol_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"rollcall/protocol"
)

// nasty are texts that decoders have stumbled over.
var nasty = []string{
	``, ` `, `null`, `true`, `0`, `""`, `[]`, `{}`, `{`, `}`, `[`, `"`, `{"`, `{"a"`, `{"a":`, `{"a":1`, `{"a":1,`, `{"a":1,}`,
	`{"id":1e999,"type":"core.ping"}`, `{"id":-0,"type":"core.ping"}`, `{"id":"\ud83d\ude80","type":"core.ping"}`,
	`{"id":7,"type":"core.ping","type":"core.ping"}`, `{"id":7,"type":"\u0000"}`, "{\"type\":\"\xff\"}", "\ufeff{}",
	`{"id":7,"type":"core.ping","data":{}}x`, `{"event":"bye"}`, `{"event":"bye","code":99999999999999999999}`, `[{"event":"x"},null]`,
	`{"id":7,"result":null,"status":0}`, `{"time":"0000-00-00T00:00:00Z","event":"x"}`, strings.Repeat("[", 10_000), strings.Repeat(`{"a":`, 5_000),
	`{"user_id":"00000000-0000-0000-0000-000000000000"}`, `{"user_id":"{289bc36e-0df7-44df-99b1-a6543c6f45eb}"}`, `{"user_ids":[null]}`,
	`{"update":{"extra":null,"email":null,"active":null}}`, `{"providers":{"":null,"x":{}}}`, `{"since":{"":{"seq":-1}}}`, `{"users":[{},null]}`,
}

func FuzzParseRequest(f *testing.F) {
	for _, m := range protocol.Messages() {
		frame, err := protocol.AppendRequest(nil, 7, m.Type, m.SampleIn)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(frame)
	}
	for _, s := range nasty {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, frame []byte) {
		before := bytes.Clone(frame)
		req, err := protocol.ParseRequest(frame)
		if !bytes.Equal(frame, before) {
			t.Fatal("the frame was changed")
		}
		if err != nil {
			if statusOf(t, err) != protocol.StatusDecodeFailed {
				t.Fatalf("status %d", statusOf(t, err))
			}
		} else if req.Type == "" {
			t.Fatal("no type and no error")
		}
		// Whatever was read of it goes into a reply, which the client can read.
		reply, rerr := protocol.AppendReply(nil, req, true)
		if rerr != nil {
			t.Fatal(rerr)
		}
		back, perr := protocol.ParseFrame(reply)
		if perr != nil {
			t.Fatalf("%s: %v", reply, perr)
		}
		if back.Reply.Type != req.Type || !bytes.Equal(back.Reply.ID, req.ID) {
			t.Errorf("id %s type %q came back as %s %q", req.ID, req.Type, back.Reply.ID, back.Reply.Type)
		}
	})
}

func FuzzDecode(f *testing.F) {
	for _, m := range protocol.Messages() {
		frame, err := protocol.AppendRequest(nil, 7, m.Type, m.SampleIn)
		if err != nil {
			f.Fatal(err)
		}
		req, err := protocol.ParseRequest(frame)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(m.Type, []byte(req.Data))
		for _, s := range nasty {
			f.Add(m.Type, []byte(s))
		}
	}
	f.Fuzz(func(t *testing.T, typ string, data []byte) {
		m := protocol.Lookup(typ)
		if m == nil {
			return
		}
		in, err := m.DecodeAny(data)
		if err != nil {
			if statusOf(t, err) == 0 {
				t.Fatal("an error without a status")
			}
			return
		}
		// What was accepted is accepted again after a round trip.
		frame, err := protocol.AppendRequest(nil, 7, typ, in)
		if err != nil {
			t.Fatal(err)
		}
		req, err := protocol.ParseRequest(frame)
		if err != nil {
			t.Fatalf("%s: %v", frame, err)
		}
		if _, err := m.DecodeAny(req.Data); err != nil {
			t.Errorf("%s was accepted, and not as %s: %v", data, req.Data, err)
		}
	})
}

func FuzzReply(f *testing.F) {
	for _, m := range protocol.Messages() {
		frame, err := protocol.AppendReply(nil, protocol.Request{ID: []byte(`"a"`), Type: m.Type}, m.SampleOut)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(frame)
	}
	f.Add(protocol.AppendError(nil, protocol.Request{}, &protocol.Error{Status: protocol.StatusBusy, Temporary: true, RetryAfter: 1}))
	f.Add(protocol.AppendBye(nil, protocol.CloseDraining, "", 1))
	for _, s := range nasty {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, frame []byte) {
		got, err := protocol.ParseFrame(frame)
		var e *protocol.Error
		if err != nil {
			if !errors.As(err, &e) || e.Status != protocol.StatusDecodeFailed {
				t.Fatalf("error is %v", err)
			}
			return
		}
		kinds := 0
		if got.Reply != nil {
			kinds++
			if (got.Reply.Err() != nil) == (len(got.Reply.Result) > 0) {
				t.Errorf("%s: a result and an error, or neither", frame)
			}
		}
		if got.Bye != nil {
			kinds++
		}
		if got.Pushes != nil {
			kinds++
		}
		if kinds != 1 {
			t.Errorf("%s: is %d kinds of frame", frame, kinds)
		}
	})
}
