package protocol

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strconv"
	"strings"
	"time"
)

// A webhook: the events of a scope's feed, posted to a URL that the scope names.
//
// Each delivery is one POST of a [WebhookDelivery] as JSON, one at a time and in
// the feed's order, with these headers beside Content-Type and User-Agent:
//
//	Rollcall-Delivery: 7Zp0c3d1…       the delivery's id, also in the body
//	Rollcall-Timestamp: 1793534400      UNIX seconds of this attempt
//	Rollcall-Signature: v1=5257a869…    v1= and the hexadecimal HMAC-SHA256
//
// The HMAC (RFC 2104) is keyed by the webhook's secret, as its UTF-8 bytes, over
// the timestamp as it stands in the header, a dot, and the body's bytes as they
// came. The timestamp is signed so that whoever has recorded a delivery cannot
// send it again later: a receiver refuses what is older, or newer, than a
// tolerance of some minutes. Within it the delivery's id and the events' ids
// tell a repetition.
//
// Any 2xx takes a delivery. 410 (Gone) pauses the webhook until it is set again.
// Everything else, no answer within 10 s and a redirect, which is not followed,
// is tried again later: the same batch by the same delivery id. When a node
// dies between a POST and noting that it was taken, its events come again, maybe
// in another batch: event_id tells them apart.
const (
	HeaderDelivery  = "Rollcall-Delivery"
	HeaderTimestamp = "Rollcall-Timestamp"
	HeaderSignature = "Rollcall-Signature"

	signatureVersion = "v1="
)

// MaxWebhookEvents and MaxWebhookBytes bound the events of one delivery. A
// single event that is larger than the bytes goes alone.
const (
	MaxWebhookEvents = 100
	MaxWebhookBytes  = 256 << 10
)

// DefaultWebhookTolerance is how far a timestamp may be from the receiver's
// clock, either way, where the receiver names nothing else.
const DefaultWebhookTolerance = 5 * time.Minute

// WebhookDelivery is the body of one POST of a webhook. Lost says that events
// between the last delivery and this one are gone: what depends on them has to
// be loaded anew. Then there may be no events at all.
type WebhookDelivery struct {
	Scope    string `json:"scope"`
	Delivery string `json:"delivery"`
	Lost     bool   `json:"lost"`
	Events   []Push `json:"events"`
}

// WebhookState answers admin.scopes.deliveries. Position is behind the last
// event that was taken or filtered out, and absent before the first attempt.
// Failures counts the attempts that failed since one was taken; retry_at is when
// the next one is due, where that lies ahead. Paused: the receiver answered 410,
// and nothing is posted until the webhook is set again. Deliveries are the last
// 20 attempts, newest first.
type WebhookState struct {
	Position   FeedPosition     `json:"position,omitzero"`
	Failures   int              `json:"failures"`
	RetryAt    Time             `json:"retry_at,omitzero"`
	Paused     bool             `json:"paused"`
	Deliveries []WebhookAttempt `json:"deliveries"`
}

// WebhookAttempt is one POST. HTTPStatus is what was answered; where nothing
// was, Error says why.
type WebhookAttempt struct {
	Time       Time   `json:"time"`
	HTTPStatus int    `json:"http_status,omitzero"`
	Error      string `json:"error,omitzero"`
	Events     int    `json:"events"`
	DurationMS int64  `json:"duration_ms"`
}

// Why VerifyWebhook refuses a delivery.
var (
	ErrWebhookSignature = errors.New("webhook: the signature does not hold")
	ErrWebhookTimestamp = errors.New("webhook: the timestamp is not within the tolerance")
)

// SignWebhook returns the signature header for a body and the timestamp header
// that goes with it.
func SignWebhook(secret, timestamp string, body []byte) string {
	return signatureVersion + hex.EncodeToString(webhookSum(secret, timestamp, body))
}

func webhookSum(secret, timestamp string, body []byte) []byte {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(timestamp))
	mac.Write([]byte{'.'})
	mac.Write(body)
	return mac.Sum(nil)
}

// VerifyWebhook returns nil if a delivery was signed with the secret and its
// timestamp is within the tolerance of this machine's clock, either way
// ([DefaultWebhookTolerance] if it is not positive). timestamp and signature are
// the headers as they came, body the bytes as they came, before any decoding.
// Otherwise it is ErrWebhookSignature or ErrWebhookTimestamp; answer such a
// request with 400 or 401 and do nothing else.
//
// A signature header may hold several signatures, separated by commas; one that
// holds is enough, and those of unknown versions are passed over. An empty
// secret verifies nothing.
func VerifyWebhook(secret, timestamp, signature string, body []byte, tolerance time.Duration) error {
	return verifyWebhook(secret, timestamp, signature, body, tolerance, time.Now())
}

func verifyWebhook(secret, timestamp, signature string, body []byte, tolerance time.Duration, now time.Time) error {
	if secret == "" {
		return ErrWebhookSignature
	}
	want, holds := webhookSum(secret, timestamp, body), false
	for one := range strings.SplitSeq(signature, ",") {
		digits, ok := strings.CutPrefix(strings.TrimSpace(one), signatureVersion)
		sum, err := hex.DecodeString(digits)
		if ok && err == nil && hmac.Equal(sum, want) {
			holds = true
		}
	}
	if !holds {
		return ErrWebhookSignature
	}
	if tolerance <= 0 {
		tolerance = DefaultWebhookTolerance
	}
	seconds, err := strconv.ParseInt(timestamp, 10, 64)
	if err != nil {
		return ErrWebhookTimestamp
	}
	if age := now.Sub(time.Unix(seconds, 0)); age > tolerance || age < -tolerance {
		return ErrWebhookTimestamp
	}
	return nil
}
