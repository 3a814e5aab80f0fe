package oauth

import (
	"crypto/sha256"
	"encoding/base64"
	"unicode/utf8"

	"rollcall/protocol"
)

// minOpenUDID is how long an openudid must be, in characters. Nothing proves it,
// so whoever knows it is its user.
const minOpenUDID = 16

func checkOpenUDID(clientID string) *protocol.Error {
	if utf8.RuneCountInString(clientID) < minOpenUDID {
		return protocol.Errorf(protocol.StatusOutOfBounds, "client_id: must be at least %d characters", minOpenUDID)
	}
	return nil
}

// Identity returns the form of a client_id by which users are found, and the
// only one to store. For openudid it is one-way, 43 characters of base64url: the
// SHA-256 of the secret under a label of its own. It is not salted, since it is
// looked up, so it protects a secret that can't be guessed, as identifiers of
// devices are. For every other provider it is the client_id itself.
func Identity(provider, clientID string) string {
	if provider != OpenUDID {
		return clientID
	}
	sum := sha256.Sum256([]byte("rollcall:openudid:v1:" + clientID))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}
