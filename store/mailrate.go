package store

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"time"

	"rollcall/protocol"
)

var scriptMailRate = newScript("mail_rate")

// AllowMail says whether one more mail may go to an address, and counts it if
// so: within any stretch of time as long as window, at most limit are allowed.
// Otherwise retryAfter says in how long the next one will be. A limit below 1
// allows none. Addresses are compared by their key, and kept as its hash only.
//
// All callers should name the same window for an address: what is older than
// the window of the call is forgotten.
func (s *Store) AllowMail(ctx context.Context, scope, email string, limit int, window time.Duration) (ok bool, retryAfter time.Duration, err error) {
	if limit < 1 {
		return false, window, nil
	}
	sum := sha256.Sum256([]byte("mail rate:" + protocol.EmailKey(email)))
	key := mailRateKey(scope, base64.RawURLEncoding.EncodeToString(sum[:16]))
	wait, err := s.run(ctx, scriptMailRate, []string{key}, randomID(), limit, window.Milliseconds())
	if err != nil {
		return false, 0, fmt.Errorf("count mail: %w", err)
	}
	ms, _ := wait.(int64)
	return ms == 0, time.Duration(ms) * time.Millisecond, nil
}
