// Package passwords turns what stands for a password on the wire
// (protocol.PasswordHash) into the record that is stored, and holds a password
// against a record.
//
// All hashing goes through a [Pool], which bounds how much of the machine it may
// take: a hash is made to be expensive, and thousands of players log in at once.
// A pool can have a helper, a process that does nothing but hash ([ServeHelper]).
// Nothing here logs, keeps or returns a password.
package passwords

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/binary"
	"errors"
)

// Params are the costs of Argon2id (RFC 9106).
type Params struct {
	Memory  uint32 // KiB
	Time    uint32 // passes
	Threads uint8  // lanes
}

// OWASP is the setting of the OWASP Password Storage Cheat Sheet: 19 MiB of
// memory, two passes, one lane.
var OWASP = Params{Memory: 19 * 1024, Time: 2, Threads: 1}

// Check reports whether the costs are usable: 8 KiB to 1 GiB of memory for each
// lane, 1 to 64 passes, 1 to 16 lanes.
func (p Params) Check() error {
	switch {
	case p.Threads < 1 || p.Threads > 16:
		return errors.New("argon2id lanes must be 1 to 16")
	case p.Time < 1 || p.Time > 64:
		return errors.New("argon2id passes must be 1 to 64")
	case p.Memory < 8*uint32(p.Threads) || p.Memory > 1<<20:
		return errors.New("argon2id memory must be 8 KiB a lane to 1 GiB")
	}
	return nil
}

// A record is what is stored: 58 bytes, so that a user's hash in Redis keeps its
// compact form, which ends at values of 64 bytes.
//
//	1 byte   kind: 'a', Argon2id version 0x13
//	4 bytes  memory in KiB, big endian
//	4 bytes  passes
//	1 byte   lanes
//	16 bytes salt
//	32 bytes hash
const (
	kindArgon2id = 'a'
	saltLen      = 16
	keyLen       = 32
	recordLen    = 1 + 4 + 4 + 1 + saltLen + keyLen
)

var errRecord = errors.New("password record has an unknown form")

func newRecord(e engine, p Params, secret string) ([]byte, error) {
	salt := newSalt()
	key, err := e.argon2id(p, secret, salt, keyLen)
	if err != nil {
		return nil, err
	}
	return makeRecord(p, salt, key), nil
}

// newDecoy makes a record that costs as much as any other and that nobody's
// secret fits.
func newDecoy(p Params) []byte {
	key := make([]byte, keyLen)
	rand.Read(key)
	return makeRecord(p, newSalt(), key)
}

func newSalt() []byte {
	salt := make([]byte, saltLen)
	rand.Read(salt) // never fails
	return salt
}

func makeRecord(p Params, salt, key []byte) []byte {
	rec := make([]byte, recordLen)
	rec[0] = kindArgon2id
	binary.BigEndian.PutUint32(rec[1:], p.Memory)
	binary.BigEndian.PutUint32(rec[5:], p.Time)
	rec[9] = p.Threads
	copy(rec[10:], salt)
	copy(rec[10+saltLen:], key)
	return rec
}

// parseRecord reads a record's costs, salt and hash.
func parseRecord(rec []byte) (p Params, salt, key []byte, err error) {
	if len(rec) != recordLen || rec[0] != kindArgon2id {
		return p, nil, nil, errRecord
	}
	p = Params{
		Memory:  binary.BigEndian.Uint32(rec[1:]),
		Time:    binary.BigEndian.Uint32(rec[5:]),
		Threads: rec[9],
	}
	if err := p.Check(); err != nil {
		return p, nil, nil, errRecord
	}
	return p, rec[10 : 10+saltLen], rec[10+saltLen:], nil
}

// verify holds secret against rec, in time that depends on the record's costs alone.
func verify(e engine, rec []byte, secret string) (ok bool, p Params, err error) {
	p, salt, key, err := parseRecord(rec)
	if err != nil {
		return false, p, err
	}
	made, err := e.argon2id(p, secret, salt, keyLen)
	return err == nil && subtle.ConstantTimeCompare(made, key) == 1, p, err
}
