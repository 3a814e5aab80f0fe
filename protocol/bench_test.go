package protocol_test

import (
	"testing"

	"rollcall/protocol"
)

// The costs that every message has. Allocations are given beside the times.

var benchFrame = []byte(`{"id":123456,"type":"users.get","data":{"user_id":"289bc36e-0df7-44df-99b1-a6543c6f45eb","unknown":"unknown unknown u"}}`)

func BenchmarkParseRequest(b *testing.B) {
	if len(benchFrame) != 120 {
		b.Fatalf("the frame has %d bytes", len(benchFrame))
	}
	b.ReportAllocs()
	b.SetBytes(int64(len(benchFrame)))
	for b.Loop() {
		if _, err := protocol.ParseRequest(benchFrame); err != nil {
			b.Fatal(err)
		}
	}
}

func benchDecode[In, Out any](b *testing.B, m protocol.Method[In, Out]) {
	frame, err := protocol.AppendRequest(nil, 7, m.Type, m.SampleIn)
	if err != nil {
		b.Fatal(err)
	}
	req, err := protocol.ParseRequest(frame)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.SetBytes(int64(len(req.Data)))
	for b.Loop() {
		if _, err := m.Decode(req.Data); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecodeGet(b *testing.B)    { benchDecode(b, protocol.UsersGet) }
func BenchmarkDecodeCreate(b *testing.B) { benchDecode(b, protocol.UsersCreate) }
func BenchmarkDecodeLogin(b *testing.B)  { benchDecode(b, protocol.UsersLogin) }
func BenchmarkDecodePing(b *testing.B)   { benchDecode(b, protocol.CorePing) }

func BenchmarkAppendReply(b *testing.B) {
	req := protocol.Request{ID: []byte("123456"), Type: "users.get"}
	user := protocol.UsersGet.SampleOut.(protocol.User)
	buf, err := protocol.AppendReply(nil, req, &user)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.SetBytes(int64(len(buf)))
	for b.Loop() {
		if buf, err = protocol.AppendReply(buf[:0], req, &user); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppendError(b *testing.B) {
	req := protocol.Request{ID: []byte("123456"), Type: "users.login"}
	e := &protocol.Error{Status: protocol.StatusPasswordInvalid}
	buf := protocol.AppendError(nil, req, e)
	b.ReportAllocs()
	b.SetBytes(int64(len(buf)))
	for b.Loop() {
		buf = protocol.AppendError(buf[:0], req, e)
	}
}

func BenchmarkParseFrame(b *testing.B) {
	frame, err := protocol.AppendReply(nil, protocol.Request{ID: []byte("123456"), Type: "users.get"}, protocol.UsersGet.SampleOut)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.SetBytes(int64(len(frame)))
	for b.Loop() {
		if _, err := protocol.ParseFrame(frame); err != nil {
			b.Fatal(err)
		}
	}
}
