package oauth

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"github.com/google/uuid"
)

const (
	sealVersion    = "v1"
	sealKeyBytes   = 32 // AES-256
	sealIDBytes    = 4
	minPassphrase  = 16 // bytes
	labelSealKey   = "rollcall:oauth:seal:v1"
	labelSealKeyID = "rollcall:oauth:seal-id:v1"
)

// What Open may find.
var (
	// ErrSealKey says that a token was sealed under a key that is not configured.
	ErrSealKey = errors.New("oauth: sealed under a key that is not configured")
	// ErrSealed says that a sealed token is damaged, or is another user's or
	// provider's.
	ErrSealed = errors.New("oauth: sealed token does not open")
)

// A Sealer encrypts access tokens for the store: AES-256-GCM with a random nonce
// (NIST SP 800-38D), so at most 2^32 tokens a key. The user and the provider are
// authenticated with it, so that a sealed token opens nowhere but where it was
// put. It is safe for concurrent use.
type Sealer struct {
	keys []sealKey // the first seals, all open
}

type sealKey struct {
	id   string
	aead cipher.AEAD
}

// NewSealer returns a Sealer. The first key seals and all open, so a key is
// replaced by putting the new one before it, and dropped when nothing is
// [Sealer.Stale] any more.
//
// A key is 32 bytes as 64 hexadecimal digits or as base64 (standard or URL, with
// or without padding), or any other text of at least 16 bytes. From all of them
// the key in use is derived by HKDF-SHA256 (RFC 5869), which is fast: a text
// must be random, and not a password that a person made up.
func NewSealer(keys ...string) (*Sealer, error) {
	if len(keys) == 0 {
		return nil, errors.New("oauth: no key to seal with")
	}
	s := &Sealer{}
	seen := make(map[string]bool)
	for n, text := range keys {
		key, err := newSealKey(text)
		if err != nil {
			return nil, fmt.Errorf("oauth: sealing key %d: %w", n+1, err)
		}
		if seen[key.id] {
			return nil, fmt.Errorf("oauth: sealing key %d is given twice", n+1)
		}
		seen[key.id] = true
		s.keys = append(s.keys, key)
	}
	return s, nil
}

func newSealKey(text string) (sealKey, error) {
	secret, ok := decodeKey(text)
	if !ok {
		if len(text) < minPassphrase {
			return sealKey{}, fmt.Errorf("shorter than %d bytes", minPassphrase)
		}
		secret = []byte(text)
	}
	id, err := hkdf.Key(sha256.New, secret, nil, labelSealKeyID, sealIDBytes)
	if err != nil {
		return sealKey{}, err
	}
	key, err := hkdf.Key(sha256.New, secret, nil, labelSealKey, sealKeyBytes)
	if err != nil {
		return sealKey{}, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return sealKey{}, err
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return sealKey{}, err
	}
	return sealKey{id: hex.EncodeToString(id), aead: aead}, nil
}

// decodeKey reads 32 bytes from their text.
func decodeKey(text string) ([]byte, bool) {
	if b, err := hex.DecodeString(text); err == nil && len(b) == sealKeyBytes {
		return b, true
	}
	unpadded := strings.TrimRight(text, "=")
	for _, encoding := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
		if b, err := encoding.DecodeString(unpadded); err == nil && len(b) == sealKeyBytes {
			return b, true
		}
	}
	return nil, false
}

// Seal encrypts a user's access token of a provider. The result is text,
// "v1.", the key's id, a dot, and base64url; a third longer than the token, and
// 50 bytes.
func (s *Sealer) Seal(user uuid.UUID, provider, token string) string {
	key := s.keys[0]
	sealed := key.aead.Seal(nil, nil, []byte(token), sealData(key.id, user, provider))
	return sealVersion + "." + key.id + "." + base64.RawURLEncoding.EncodeToString(sealed)
}

// Open decrypts what Seal made for the same user and provider. Its errors are
// ErrSealKey and ErrSealed.
func (s *Sealer) Open(user uuid.UUID, provider, sealed string) (string, error) {
	id, rest, err := splitSealed(sealed)
	if err != nil {
		return "", err
	}
	for _, key := range s.keys {
		if key.id != id {
			continue
		}
		token, err := key.aead.Open(nil, nil, rest, sealData(id, user, provider))
		if err != nil {
			return "", ErrSealed
		}
		return string(token), nil
	}
	return "", ErrSealKey
}

// Stale reports whether a sealed token is not under the first key, and so should
// be opened and sealed again.
func (s *Sealer) Stale(sealed string) bool {
	id, _, err := splitSealed(sealed)
	return err != nil || id != s.keys[0].id
}

func splitSealed(sealed string) (id string, rest []byte, err error) {
	version, keyed, _ := strings.Cut(sealed, ".")
	id, text, found := strings.Cut(keyed, ".")
	// The decoder skips line breaks; a seal has one form only.
	if version != sealVersion || !found || strings.ContainsAny(text, "\r\n") {
		return "", nil, ErrSealed
	}
	rest, err = base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil {
		return "", nil, ErrSealed
	}
	return id, rest, nil
}

// sealData is what is authenticated with a token. All but the provider is of
// fixed length, so no two places share it.
func sealData(keyID string, user uuid.UUID, provider string) []byte {
	data := make([]byte, 0, 64)
	data = append(data, sealVersion...)
	data = append(data, keyID...)
	data = append(data, user[:]...)
	return append(data, provider...)
}
