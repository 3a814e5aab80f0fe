package passwords

import (
	"context"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/bcrypt"
)

// A foreign record is a hash that another program made, of the password itself
// and not of what stands for it on the wire. It can be held only against the
// password, which is asked for once; then a record of ours takes its place.
//
//	1 byte   kind: 'b', bcrypt
//	60 bytes the hash as bcrypt writes it
//
//	1 byte   kind: 'A', Argon2id version 0x13
//	4 bytes  memory in KiB, big endian
//	1 byte   passes
//	1 byte   lanes
//	1 byte   length of the salt
//	salt and hash, which have 48 bytes as most programs make them, 55 in all
const (
	kindBcrypt          = 'b'
	kindForeignArgon2id = 'A'
)

// Kinds of hashes that can be taken over, by which an import names them.
const (
	Argon2id = "argon2id" // of the password itself, as PHC string
	Bcrypt   = "bcrypt"   // of the password itself, as bcrypt writes it
	Rollcall = "rollcall" // a record of ours, as PHC string: Argon2id of protocol.PasswordHash, so good in a scope of the same name
)

// maxBcryptCost bounds how long one foreign hash may keep a worker: each step
// doubles it, and 14 takes about a second.
const maxBcryptCost = 14

// maxBcryptPassword is how many bytes of a password bcrypt looks at.
const maxBcryptPassword = 72

const bcryptAlphabet = "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

// Bounds of an Argon2id hash that was made elsewhere, so that none takes much
// more than a second or the machine's memory.
const (
	maxForeignMemory = 256 << 10 // KiB
	maxForeignWork   = 1 << 20   // KiB times passes
	minForeignSalt   = 8         // bytes, as in RFC 9106
	maxForeignSalt   = 64
	minForeignKey    = 16
	maxForeignKey    = 64
)

var errForeignCosts = fmt.Errorf("argon2id with at most %d KiB, 64 passes, 16 lanes and %d KiB times passes is taken", maxForeignMemory, maxForeignWork)

// NewForeign makes the record of a hash that was made elsewhere. kind is
// Argon2id, Bcrypt (its cost may be 4 to 14) or Rollcall, whose record is one of
// our own. The error's text is for whoever imports, and does not show the hash.
func NewForeign(kind, hash string) ([]byte, error) {
	switch kind {
	case Bcrypt:
		return newBcrypt(hash)
	case Argon2id, Rollcall:
		p, salt, key, err := parsePHC(hash)
		if err != nil {
			return nil, err
		}
		if p.Memory > maxForeignMemory || uint64(p.Memory)*uint64(p.Time) > maxForeignWork || p.Check() != nil {
			return nil, errForeignCosts
		}
		if kind == Rollcall {
			return ownRecord(p, salt, key)
		}
		return newArgon2id(p, salt, key)
	}
	return nil, fmt.Errorf("only %s, %s and %s hashes can be taken over", Argon2id, Bcrypt, Rollcall)
}

// Text returns a record as text, with its kind, so that NewForeign makes the
// record of it again. It is false for what is no record.
func Text(record []byte) (kind, hash string, ok bool) {
	switch {
	case len(record) == 0:
		return "", "", false
	case record[0] == kindBcrypt:
		return Bcrypt, string(record[1:]), true
	case record[0] == kindForeignArgon2id:
		p, salt, key, err := parseForeign(record)
		return Argon2id, formatPHC(p, salt, key), err == nil
	}
	p, salt, key, err := parseRecord(record)
	return Rollcall, formatPHC(p, salt, key), err == nil
}

func newBcrypt(hash string) ([]byte, error) {
	cost, err := bcrypt.Cost([]byte(hash))
	if err != nil || len(hash) != 60 || strings.Trim(hash[7:], bcryptAlphabet) != "" {
		return nil, errors.New("not a bcrypt hash")
	}
	if cost > maxBcryptCost {
		return nil, fmt.Errorf("a bcrypt cost of at most %d is taken", maxBcryptCost)
	}
	return append([]byte{kindBcrypt}, hash...), nil
}

func newArgon2id(p Params, salt, key []byte) ([]byte, error) {
	if len(salt) < minForeignSalt || len(salt) > maxForeignSalt || len(key) < minForeignKey || len(key) > maxForeignKey {
		return nil, fmt.Errorf("argon2id with a salt of %d to %d bytes and a hash of %d to %d is taken", minForeignSalt, maxForeignSalt, minForeignKey, maxForeignKey)
	}
	rec := binary.BigEndian.AppendUint32([]byte{kindForeignArgon2id}, p.Memory)
	rec = append(rec, byte(p.Time), p.Threads, byte(len(salt)))
	return append(append(rec, salt...), key...), nil
}

func ownRecord(p Params, salt, key []byte) ([]byte, error) {
	if len(salt) != saltLen || len(key) != keyLen {
		return nil, fmt.Errorf("a hash of rollcall has a salt of %d bytes and a hash of %d", saltLen, keyLen)
	}
	return makeRecord(p, salt, key), nil
}

// parseForeign reads an Argon2id record's costs, salt and hash.
func parseForeign(rec []byte) (p Params, salt, key []byte, err error) {
	const head = 8
	if len(rec) < head || len(rec) < head+int(rec[7])+minForeignKey {
		return p, nil, nil, errRecord
	}
	p = Params{Memory: binary.BigEndian.Uint32(rec[1:]), Time: uint32(rec[5]), Threads: rec[6]}
	if p.Check() != nil {
		return p, nil, nil, errRecord
	}
	end := head + int(rec[7])
	return p, rec[head:end], rec[end:], nil
}

// IsForeign reports whether a record can be held only against the password itself.
func IsForeign(record []byte) bool {
	return len(record) > 0 && (record[0] == kindBcrypt || record[0] == kindForeignArgon2id)
}

// VerifyForeign holds a password against a foreign record.
func (p *Pool) VerifyForeign(ctx context.Context, prio Priority, record []byte, password string) (bool, error) {
	j := &job{ctx: ctx, record: record, secret: password, done: make(chan struct{})}
	if err := p.submit(prio, j); err != nil {
		return false, err
	}
	return j.ok, j.err
}

func verifyForeign(e engine, record []byte, password string) (bool, error) {
	if record[0] == kindBcrypt {
		return e.bcrypt(record[1:], password[:min(len(password), maxBcryptPassword)])
	}
	p, salt, key, err := parseForeign(record)
	if err != nil {
		return false, err
	}
	made, err := e.argon2id(p, password, salt, len(key))
	return err == nil && subtle.ConstantTimeCompare(made, key) == 1, err
}
