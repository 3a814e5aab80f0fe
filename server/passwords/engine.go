package passwords

import (
	"errors"

	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/bcrypt"
)

// An engine does the two things that are made to be expensive. All else about
// records is cheap and stays with the pool, wherever the engine runs.
type engine interface {
	// argon2id returns the Argon2id hash of a secret, of length bytes.
	argon2id(p Params, secret string, salt []byte, length int) ([]byte, error)
	// bcrypt reports whether a password of at most 72 bytes is the hash's.
	bcrypt(hash []byte, password string) (bool, error)
	// close gives back what the engine holds, and lets go of whoever waits for it
	// where it can.
	close()
}

// inProcess is the engine that hashes on the goroutine that asks.
type inProcess struct{}

func (inProcess) argon2id(p Params, secret string, salt []byte, length int) ([]byte, error) {
	return argon2.IDKey([]byte(secret), salt, p.Time, p.Memory, p.Threads, uint32(length)), nil
}

func (inProcess) bcrypt(hash []byte, password string) (bool, error) {
	err := bcrypt.CompareHashAndPassword(hash, []byte(password))
	if errors.Is(err, bcrypt.ErrMismatchedHashAndPassword) {
		return false, nil
	}
	return err == nil, err
}

func (inProcess) close() {}
