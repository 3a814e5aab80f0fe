package passwords

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/crypto/bcrypt"
)

// A foreign record is a hash that another program made, of the password itself
// and not of what stands for it on the wire. It can be held only against the
// password, which is asked for once; then a record of ours takes its place.
//
//	1 byte   kind: 'b', bcrypt
//	60 bytes the hash as bcrypt writes it
const kindBcrypt = 'b'

// maxBcryptCost bounds how long one foreign hash may keep a worker: each step
// doubles it, and 14 takes about a second.
const maxBcryptCost = 14

// NewForeign makes the record of a hash that another program made. kind is
// "bcrypt"; its cost may be 4 to 14.
func NewForeign(kind, hash string) ([]byte, error) {
	if kind != "bcrypt" {
		return nil, errors.New("only bcrypt hashes can be taken over")
	}
	cost, err := bcrypt.Cost([]byte(hash))
	if err != nil || len(hash) != 60 {
		return nil, errors.New("not a bcrypt hash")
	}
	if cost > maxBcryptCost {
		return nil, fmt.Errorf("a bcrypt cost of at most %d is taken", maxBcryptCost)
	}
	return append([]byte{kindBcrypt}, hash...), nil
}

// IsForeign reports whether a record can be held only against the password itself.
func IsForeign(record []byte) bool { return len(record) > 0 && record[0] == kindBcrypt }

// VerifyForeign holds a password against a foreign record.
func (p *Pool) VerifyForeign(ctx context.Context, prio Priority, record []byte, password string) (bool, error) {
	j := &job{ctx: ctx, record: record, secret: password, done: make(chan struct{})}
	if err := p.submit(prio, j); err != nil {
		return false, err
	}
	return j.ok, j.err
}

// verifyBcrypt reports whether the password is the hash's. bcrypt looks at the
// first 72 bytes only.
func verifyBcrypt(hash []byte, password string) (bool, error) {
	secret := []byte(password)
	if len(secret) > 72 {
		secret = secret[:72]
	}
	err := bcrypt.CompareHashAndPassword(hash, secret)
	if errors.Is(err, bcrypt.ErrMismatchedHashAndPassword) {
		return false, nil
	}
	return err == nil, err
}
