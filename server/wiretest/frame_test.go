package wiretest

import (
	"bufio"
	"bytes"
	"strings"
	"testing"
)

// The samples of RFC 6455, sections 1.3 and 5.7.
func TestFramesAndKeysAgreeWithTheSamplesOfTheRFC(t *testing.T) {
	if got := acceptKey("dGhlIHNhbXBsZSBub25jZQ=="); got != "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" {
		t.Errorf("accept key %s", got)
	}
	for name, tt := range map[string]struct {
		wire []byte
		want Frame
	}{
		"text":           {[]byte("\x81\x05Hello"), Frame{Op: OpText, Payload: []byte("Hello")}},
		"first fragment": {[]byte("\x01\x03Hel"), Frame{Op: OpText, More: true, Payload: []byte("Hel")}},
		"last fragment":  {[]byte("\x80\x02lo"), Frame{Op: OpContinuation, Payload: []byte("lo")}},
		"ping":           {[]byte("\x89\x05Hello"), Frame{Op: OpPing, Payload: []byte("Hello")}},
		"256 bytes":      {append([]byte{0x82, 0x7e, 0x01, 0x00}, make([]byte, 256)...), Frame{Op: OpBinary, Payload: make([]byte, 256)}},
		"64 KiB":         {append([]byte{0x82, 0x7f, 0, 0, 0, 0, 0, 1, 0, 0}, make([]byte, 65536)...), Frame{Op: OpBinary, Payload: make([]byte, 65536)}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := readFrame(bufio.NewReader(bytes.NewReader(tt.wire)))
			if err != nil || got.Op != tt.want.Op || got.More != tt.want.More || !bytes.Equal(got.Payload, tt.want.Payload) {
				t.Errorf("read %+v, %v", got, err)
			}
			tt.want.Unmasked = true
			if wire := AppendFrame(nil, tt.want); !bytes.Equal(wire, tt.wire) {
				t.Errorf("wrote % x", wire[:min(len(wire), 16)])
			}
		})
	}
	wire := AppendFrame(nil, Frame{Op: OpText, Payload: []byte("Hello")})
	for i, key := range wire[2:6] {
		wire[6+i] ^= key
	}
	wire[10] ^= wire[2]
	if wire[0] != 0x81 || wire[1] != 0x85 || string(wire[6:]) != "Hello" {
		t.Errorf("masked text is % x", wire)
	}
}

func TestFramesThatNoServerMaySendAreReported(t *testing.T) {
	for name, wire := range map[string]string{
		"masked":                "\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58",
		"a reserved bit":        "\xc1\x05Hello",
		"a fragmented ping":     "\x09\x05Hello",
		"a long ping":           "\x89\x7e\x00\x7e" + strings.Repeat("x", 126),
		"a wasteful length":     "\x81\x7e\x00\x05Hello",
		"a very wasteful one":   "\x81\x7f\x00\x00\x00\x00\x00\x00\x00\x05Hello",
		"over the contract":     "\x81\x7f\x00\x00\x00\x00\x00\x10\x00\x01",
		"cut short":             "\x81\x05Hel",
		"cut short in the head": "\x81",
	} {
		if f, err := readFrame(bufio.NewReader(strings.NewReader(wire))); err == nil {
			t.Errorf("%s: read %+v", name, f)
		}
	}
}

func TestRepliesThatBreakTheContractAreReported(t *testing.T) {
	for _, good := range []string{
		`{"id":1,"type":"t","result":null}`, `{"id":1,"type":"t","error":"e","status":600}`,
		`{"error":"e","status":830}`, `{"id":1,"type":"t","error":"e","status":809,"temporary":true,"retry_after_ms":5}`,
	} {
		if _, err := parseReply([]byte(good)); err != nil {
			t.Errorf("%s: %v", good, err)
		}
	}
	for _, bad := range []string{
		`[]`, `{}`, `{"id":1,"type":"t"}`, `{"id":1,"result":1,"error":"e","status":600}`, `{"id":1,"error":"e"}`,
		`{"id":1,"status":600}`, `{"id":1,"error":"","status":600}`, `{"id":1,"error":"e","status":0}`,
		`{"id":1,"result":1,"temporary":true}`, `{"id":1,"result":1,"extra":1}`,
	} {
		if r, err := parseReply([]byte(bad)); err == nil {
			t.Errorf("%s passed as %+v", bad, r)
		}
	}
	for _, leak := range []string{`{"result":{"password":"x"}}`, `{"result":{"password_hash":"x"}}`, `{"result":"$argon2id$"}`} {
		if checkSecrets([]byte(leak)) == nil {
			t.Errorf("%s passed", leak)
		}
	}
}

func TestPushesThatBreakTheContractAreReported(t *testing.T) {
	const event = `{"event":"user.login","scope":"s","seq":1,"epoch":"e","event_id":"i","time":"2026-11-01T12:00:00.000Z","data":{}}`
	const head = `{"event":"feed.head","scope":"s","seq":1,"epoch":"e"}`
	for frame, count := range map[string]int{
		event: 1, head: 1, "[" + event + "]": 1, "[" + event + "," + head + "]": 2,
		`{"id":1,"type":"t","result":{"event":"user.login"}}`: 0, `{`: 0,
	} {
		if got, err := parsePushes([]byte(frame), true); err != nil || len(got) != count {
			t.Errorf("%s: %d pushes, %v", frame, len(got), err)
		}
	}
	if p, _ := parsePush([]byte(event)); p.Event != "user.login" || p.Scope != "s" || p.Seq != 1 || p.Epoch != "e" || p.EventID != "i" || p.OfFeed() {
		t.Errorf("read %+v", p)
	}
	for _, bad := range []string{
		`[]`, `[1]`, `[` + event + `,{"id":1,"type":"t","result":1}]`, strings.Replace(event, `"seq":1`, `"seq":"1"`, 1),
		strings.Replace(event, `"seq":1,`, ``, 1), strings.Replace(event, `,"data":{}`, ``, 1), strings.Replace(event, `.000Z`, `Z`, 1),
		strings.Replace(event, `"event_id":"i",`, ``, 1), strings.Replace(event, `"scope":"s",`, ``, 1),
		strings.Replace(event, `"data":{}`, `"data":{},"extra":1`, 1), strings.Replace(head, `"seq":1`, `"seq":1,"event_id":"i"`, 1),
	} {
		if got, err := parsePushes([]byte(bad), true); err == nil {
			t.Errorf("%s passed as %+v", bad, got)
		}
	}
	if got, err := parsePushes([]byte("["+event+"]"), false); err == nil {
		t.Errorf("an array that nobody asked for passed as %+v", got)
	}
}
