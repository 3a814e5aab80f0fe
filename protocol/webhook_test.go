package protocol

import (
	"errors"
	"strings"
	"testing"
	"time"
)

// Vectors for whoever verifies in another language. Each sum can be had by
//
//	printf %s 'TIMESTAMP.BODY' | openssl dgst -sha256 -hmac 'SECRET'
var webhookVectors = []struct{ secret, timestamp, body, signature string }{
	{"whsec-0123456789abcdef", "1793534400", `{"scope":"Space Race","delivery":"d1","lost":false,"events":[]}`,
		"v1=aa27fde06fcfeaf753be754aa1294fdbf31358e30edd1d0e63f8315f715ef3b4"},
	{"whsec-0123456789abcdef", "1793534401", `{"scope":"Space Race","delivery":"d1","lost":false,"events":[]}`,
		"v1=4b87512186a15122c156caa359cfb72906430f9a33d7ec1f5b9e329d79e72042"},
	{"geheim · sécret · 秘密", "0", "", "v1=d8d6635d7807eafbc8f4cbc4bc87f52d05ddea980eb60030d62a4dcb133f1954"},
}

func TestWebhookSignaturesAreThoseOfTheVectors(t *testing.T) {
	for i, v := range webhookVectors {
		if got := SignWebhook(v.secret, v.timestamp, []byte(v.body)); got != v.signature {
			t.Errorf("%d: got %s, want %s", i, got, v.signature)
		}
	}
}

func TestAWebhookIsTakenWithinToleranceAndByOneGoodSignature(t *testing.T) {
	v := webhookVectors[0]
	at := time.Unix(1793534400, 0)
	upper := "v1=" + strings.ToUpper(v.signature[3:])
	tests := []struct {
		name                       string
		secret, timestamp, sig, in string
		now                        time.Time
		want                       error
	}{
		{"as sent", v.secret, v.timestamp, v.signature, v.body, at, nil},
		{"at the end of the tolerance", v.secret, v.timestamp, v.signature, v.body, at.Add(time.Minute), nil},
		{"a clock that is behind", v.secret, v.timestamp, v.signature, v.body, at.Add(-time.Minute), nil},
		{"among others", v.secret, v.timestamp, "v2=aa, v1=00, " + v.signature, v.body, at, nil},
		{"uppercase digits", v.secret, v.timestamp, upper, v.body, at, nil},
		{"too old", v.secret, v.timestamp, v.signature, v.body, at.Add(61 * time.Second), ErrWebhookTimestamp},
		{"from the future", v.secret, v.timestamp, v.signature, v.body, at.Add(-61 * time.Second), ErrWebhookTimestamp},
		{"another secret", v.secret + "x", v.timestamp, v.signature, v.body, at, ErrWebhookSignature},
		{"no secret", "", v.timestamp, SignWebhook("", v.timestamp, []byte(v.body)), v.body, at, ErrWebhookSignature},
		{"another body", v.secret, v.timestamp, v.signature, v.body + " ", at, ErrWebhookSignature},
		{"another timestamp", v.secret, "1793534401", v.signature, v.body, at, ErrWebhookSignature},
		{"a dot moved into the body", v.secret, "17935344", SignWebhook(v.secret, v.timestamp, []byte(v.body)), "00." + v.body, at, ErrWebhookSignature},
		{"no version", v.secret, v.timestamp, v.signature[3:], v.body, at, ErrWebhookSignature},
		{"half a signature", v.secret, v.timestamp, v.signature[:35], v.body, at, ErrWebhookSignature},
		{"no signature", v.secret, v.timestamp, "", v.body, at, ErrWebhookSignature},
		{"an empty one", v.secret, v.timestamp, "v1=", v.body, at, ErrWebhookSignature},
		{"a signed timestamp that is no number", v.secret, "soon", SignWebhook(v.secret, "soon", []byte(v.body)), v.body, at, ErrWebhookTimestamp},
	}
	for _, tt := range tests {
		if err := verifyWebhook(tt.secret, tt.timestamp, tt.sig, []byte(tt.in), time.Minute, tt.now); !errors.Is(err, tt.want) {
			t.Errorf("%s: got %v, want %v", tt.name, err, tt.want)
		}
	}
	if err := VerifyWebhook(v.secret, v.timestamp, v.signature, []byte(v.body), 100*365*24*time.Hour); err != nil {
		t.Errorf("by this machine's clock: %v", err)
	}
}

func TestAWebhookIsHeldToItsBounds(t *testing.T) {
	tests := []struct {
		in     string
		status Status
	}{
		{`{"url":"https://a.example","secret":"0123456789abcdef","events":["user.login"]}`, 0},
		{`{"url":"https://a.example"}`, 0},
		{`{"url":""}`, 0},
		{`{"secret":"0123456789abcdef"}`, StatusMissing}, // else it would remove the webhook
		{`{"events":["user.login"]}`, StatusMissing},
		{`{"url":"https://a.example","secret":"short"}`, StatusOutOfBounds},
		{`{"url":"https://a.example","secret":""}`, StatusOutOfBounds},
		{`{"url":"https://a.example","events":["user.logon"]}`, StatusOutOfBounds},
		{`{"url":"https://a.example","events":[]}`, 0},
		{`{"url":"https://a.example/` + strings.Repeat("x", 2048) + `"}`, StatusOutOfBounds},
		{`{"url":7}`, StatusWrongType},
	}
	for _, tt := range tests {
		_, err := AdminScopesUpdate.Decode([]byte(`{"name":"s","webhook":` + tt.in + `}`))
		var e *Error
		if tt.status == 0 && err != nil || tt.status != 0 && (!errors.As(err, &e) || e.Status != tt.status) {
			t.Errorf("%s: got %v, want %d", tt.in, err, tt.status)
		}
	}
}
