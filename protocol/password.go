package protocol

import (
	"crypto/sha256"
	"encoding/hex"
)

// PasswordHash returns what stands for a password on the wire, so that the
// password itself never leaves the device:
//
//	lowercase hex of SHA-256("rollcall:v1:" + scope + ":" + password), UTF-8
//
// It is not what a server stores: that is a slow hash of this value. The scope
// is in it so that the same password has another value in another scope.
func PasswordHash(scope, password string) string {
	sum := sha256.Sum256([]byte("rollcall:v1:" + scope + ":" + password))
	return hex.EncodeToString(sum[:])
}
