package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
)

var scriptIdempotent = newScript("idempotent")

// idempotencyTTL is how long an idempotency key holds (protocol.md: 24 h).
const idempotencyTTL = 24 * time.Hour

// Idempotent binds an idempotency key of a scope to the id of the user to be
// created and to a digest of what was asked for. The first caller's values are
// kept for 24 hours and returned to every caller: who finds another digest than
// his own has used the key for something else. The digest has no spaces.
func (s *Store) Idempotent(ctx context.Context, scope, key string, id uuid.UUID, digest string) (keptID uuid.UUID, keptDigest string, err error) {
	v, err := s.run(ctx, scriptIdempotent, []string{idemKey(scope, key)}, id.String()+" "+digest, idempotencyTTL.Milliseconds())
	if err != nil {
		return uuid.Nil, "", fmt.Errorf("keep idempotency key: %w", err)
	}
	kept, _ := v.(string)
	first, keptDigest, ok := strings.Cut(kept, " ")
	keptID, err = uuid.Parse(first)
	if err != nil || !ok {
		return uuid.Nil, "", errors.New("stored idempotency record is malformed")
	}
	return keptID, keptDigest, nil
}
