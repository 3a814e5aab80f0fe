package passwords

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/bcrypt"
)

func TestAForeignRecordFitsItsPasswordAlone(t *testing.T) {
	pool, ctx := newPool(t, cheap, 1, 1), context.Background()
	long := strings.Repeat("x", 100)
	for _, password := range []string{"abcd1234", "pässwörd", long} {
		hash, err := bcrypt.GenerateFromPassword([]byte(password)[:min(72, len(password))], bcrypt.MinCost)
		if err != nil {
			t.Fatal(err)
		}
		record, err := NewForeign("bcrypt", string(hash))
		if err != nil {
			t.Fatal(err)
		}
		if !IsForeign(record) || len(record) > 64 {
			t.Errorf("record of %d bytes, foreign: %v", len(record), IsForeign(record))
		}
		for secret, want := range map[string]bool{password: true, password + "x": password == long, "wrong": false, "": false} {
			if ok, err := pool.VerifyForeign(ctx, Players, record, secret); ok != want || err != nil {
				t.Errorf("%q against %q: %v, %v", secret, password, ok, err)
			}
		}
	}
}

// phc makes the PHC string of a password, as other programs do.
func phc(p Params, password string, saltLen, keyLen int) string {
	salt := []byte(strings.Repeat("s", saltLen))
	return formatPHC(p, salt, argon2.IDKey([]byte(password), salt, p.Time, p.Memory, p.Threads, uint32(keyLen)))
}

func TestAnArgon2idHashMadeElsewhereFitsItsPasswordAlone(t *testing.T) {
	pool, ctx := newPool(t, cheap, 1, 1), context.Background()
	for name, tt := range map[string]struct {
		hash, password string
		most           int // bytes
	}{
		"the usual lengths": {phc(Params{Memory: 64, Time: 3, Threads: 4}, "pässwörd", 16, 32), "pässwörd", 64},
		"a short salt":      {phc(Params{Memory: 64, Time: 1, Threads: 1}, "abcd1234", 8, 16), "abcd1234", 64},
		"long ones":         {phc(Params{Memory: 64, Time: 2, Threads: 1}, "abcd1234", 64, 64), "abcd1234", 136},
		// The reference implementation's own test vector (test.c: t=2, m=2^8, p=1).
		"the reference's": {"$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4", "password", 64},
	} {
		t.Run(name, func(t *testing.T) {
			record, err := NewForeign(Argon2id, tt.hash)
			if err != nil {
				t.Fatal(err)
			}
			if !IsForeign(record) || len(record) > tt.most {
				t.Errorf("record of %d bytes, foreign: %v", len(record), IsForeign(record))
			}
			for secret, want := range map[string]bool{tt.password: true, tt.password + "x": false, "": false} {
				if ok, err := pool.VerifyForeign(ctx, Players, record, secret); ok != want || err != nil {
					t.Errorf("%q: %v, %v", secret, ok, err)
				}
			}
			if ok, _, err := pool.Verify(ctx, Players, record, strings.Repeat("0", 64)); ok || err != nil {
				t.Errorf("held against a password_hash: %v, %v", ok, err)
			}
		})
	}
}

func TestARecordIsTheSameAfterItWasText(t *testing.T) {
	pool := newPool(t, cheap, 1, 1)
	own, err := pool.Hash(context.Background(), Players, "s")
	if err != nil {
		t.Fatal(err)
	}
	bcrypted, _ := bcrypt.GenerateFromPassword([]byte("s"), bcrypt.MinCost)
	brought, _ := NewForeign(Bcrypt, string(bcrypted))
	argon, _ := NewForeign(Argon2id, phc(cheap, "s", 16, 32))
	for want, record := range map[string][]byte{Rollcall: own, Bcrypt: brought, Argon2id: argon} {
		kind, text, ok := Text(record)
		back, err := NewForeign(kind, text)
		if !ok || kind != want || err != nil || !bytes.Equal(back, record) {
			t.Errorf("%s came back as %s, %v, %v", want, kind, ok, err)
		}
	}
	for _, bad := range [][]byte{nil, {'A'}, {'a'}, []byte("x"), argon[:20]} {
		if _, _, ok := Text(bad); ok {
			t.Errorf("%q has a text", bad)
		}
	}
}

func TestARecordOfUnusableFormIsAnErrorAndNoPanic(t *testing.T) {
	pool := newPool(t, cheap, 1, 1)
	for _, record := range []string{"A", "A\x00\x00\x00\x40\x01\x01\x08", "A\x00\x00\x00\x40\x01\x01\xff" + strings.Repeat("x", 40), "A\xff\xff\xff\xff\xff\xff\x08" + strings.Repeat("x", 40), "b"} {
		if ok, err := pool.VerifyForeign(context.Background(), Players, []byte(record), "s"); ok || err == nil {
			t.Errorf("%q: %v, %v", record, ok, err)
		}
	}
}

func TestHashesThatCannotBeTakenOverAreRefused(t *testing.T) {
	const salt, key = "c29tZXNhbHQ", "nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4"
	for _, hash := range []string{
		"", "$", "argon2id", "$argon2id$v=19$m=256,t=2,p=1$" + salt, "x$argon2id$v=19$m=256,t=2,p=1$" + salt + "$" + key,
		"$argon2i$v=19$m=256,t=2,p=1$" + salt + "$" + key, "$argon2id$v=16$m=256,t=2,p=1$" + salt + "$" + key,
		"$argon2id$v=19$t=2,m=256,p=1$" + salt + "$" + key, "$argon2id$v=19$m=256,t=2,p=1,keyid=x$" + salt + "$" + key,
		"$argon2id$v=19$m=262145,t=1,p=1$" + salt + "$" + key, "$argon2id$v=19$m=262144,t=5,p=1$" + salt + "$" + key,
		"$argon2id$v=19$m=8,t=65,p=1$" + salt + "$" + key, "$argon2id$v=19$m=8,t=1,p=2$" + salt + "$" + key,
		"$argon2id$v=19$m=256,t=0,p=1$" + salt + "$" + key, "$argon2id$v=19$m=256,t=2,p=257$" + salt + "$" + key,
		"$argon2id$v=19$m=-1,t=2,p=1$" + salt + "$" + key, "$argon2id$v=19$m=99999999999,t=2,p=1$" + salt + "$" + key,
		"$argon2id$v=19$m=256,t=2,p=1$" + salt + "=$" + key, "$argon2id$v=19$m=256,t=2,p=1$c2FsdA$" + key,
		"$argon2id$v=19$m=256,t=2,p=1$" + salt + "$" + "c2FsdA", "$argon2id$v=19$m=256,t=2,p=1$" + salt + "$" + key + "$x",
		phc(Params{Memory: 64, Time: 1, Threads: 1}, "x", 65, 32), phc(Params{Memory: 64, Time: 1, Threads: 1}, "x", 16, 65),
	} {
		for _, kind := range []string{Argon2id, Rollcall} {
			_, err := NewForeign(kind, hash)
			if err == nil {
				t.Errorf("%s %q was taken", kind, hash)
			} else if len(hash) > 20 && strings.Contains(err.Error(), hash) {
				t.Errorf("the error shows the hash: %v", err)
			}
		}
	}
	if _, err := NewForeign(Rollcall, "$argon2id$v=19$m=256,t=2,p=1$"+salt+"$"+key); err == nil {
		t.Error("a salt of 8 bytes was taken for our own")
	}
	dear := "$2a$15$" + strings.Repeat("a", 53)
	for kind, hash := range map[string]string{"bcrypt": dear, "md5": "x", "bcrypt ": dear} {
		if _, err := NewForeign(kind, hash); err == nil {
			t.Errorf("%s %s was taken", kind, hash)
		}
	}
	for _, hash := range []string{"$2a$04$short", "$2a$04$" + strings.Repeat("!", 53)} {
		if _, err := NewForeign("bcrypt", hash); err == nil {
			t.Errorf("%q was taken", hash)
		}
	}
	own, _ := newPool(t, cheap, 1, 1).Hash(context.Background(), Players, "s")
	if IsForeign(own) || IsForeign(nil) {
		t.Error("our own record, or none, counts as foreign")
	}
}

func FuzzNewForeign(f *testing.F) {
	f.Add(Argon2id, "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4")
	f.Add(Rollcall, phc(cheap, "x", 16, 32))
	f.Add(Bcrypt, "$2a$04$"+strings.Repeat("a", 53))
	f.Fuzz(func(t *testing.T, kind, hash string) {
		record, err := NewForeign(kind, hash)
		if err != nil {
			return
		}
		again, text, ok := Text(record)
		back, err := NewForeign(again, text)
		if !ok || again != kind || err != nil || !bytes.Equal(back, record) {
			t.Errorf("%s %q is %q, and then %s %q", kind, hash, record, again, text)
		}
	})
}
