package passwords

import (
	"context"
	"strings"
	"testing"

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

func TestHashesThatCannotBeTakenOverAreRefused(t *testing.T) {
	dear := "$2a$15$" + strings.Repeat("a", 53)
	for kind, hash := range map[string]string{"bcrypt": dear, "md5": "x", "bcrypt ": dear} {
		if _, err := NewForeign(kind, hash); err == nil {
			t.Errorf("%s %s was taken", kind, hash)
		}
	}
	if _, err := NewForeign("bcrypt", "$2a$04$short"); err == nil {
		t.Error("a cut hash was taken")
	}
	own, _ := newPool(t, cheap, 1, 1).Hash(context.Background(), Players, "s")
	if IsForeign(own) || IsForeign(nil) {
		t.Error("our own record, or none, counts as foreign")
	}
}
