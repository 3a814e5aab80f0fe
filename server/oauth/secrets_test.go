package oauth

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"github.com/google/uuid"
)

var (
	ada = uuid.MustParse("289bc36e-0df7-44df-99b1-a6543c6f45eb")
	bob = uuid.MustParse("289bc36e-0df7-44df-99b1-a6543c6f45ec")
)

func newSealer(t testing.TB, keys ...string) *Sealer {
	t.Helper()
	s, err := NewSealer(keys...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

const (
	oldKey = "correct horse battery staple"
	newKey = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
)

func TestASealedTokenOpensForItsUserAndProviderAlone(t *testing.T) {
	s := newSealer(t, newKey)
	const token = "ya29.the-access-token"
	sealed := s.Seal(ada, Google, token)
	if strings.Contains(sealed, token) || s.Seal(ada, Google, token) == sealed {
		t.Error("the seal shows the token, or is the same twice")
	}
	tests := []struct {
		name     string
		user     uuid.UUID
		provider string
		sealed   string
		want     error
	}{
		{"where it belongs", ada, Google, sealed, nil},
		{"another user", bob, Google, sealed, ErrSealed},
		{"another provider", ada, Facebook, sealed, ErrSealed},
		{"a longer provider", ada, Google + "x", sealed, ErrSealed},
		{"cut off", ada, Google, sealed[:len(sealed)-4], ErrSealed},
		{"lengthened", ada, Google, sealed + "AAAA", ErrSealed},
		{"with a line break", ada, Google, sealed + "\n", ErrSealed},
		{"empty", ada, Google, "", ErrSealed},
		{"the token itself", ada, Google, token, ErrSealed},
		{"another version", ada, Google, "v2" + sealed[2:], ErrSealed},
		{"another key's id", ada, Google, "v1.00000000" + sealed[11:], ErrSealKey},
		{"nothing sealed", ada, Google, sealed[:12], ErrSealed},
		{"no base64", ada, Google, sealed[:12] + "!", ErrSealed},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := s.Open(tt.user, tt.provider, tt.sealed)
			if !errors.Is(err, tt.want) || (err == nil) != (got == token) || err != nil && got != "" {
				t.Errorf("got %q, %v, want %v", got, err, tt.want)
			}
		})
	}
	for n := range len(sealed) {
		changed := []byte(sealed)
		if changed[n] ^= 1; changed[n] == sealed[n] {
			continue
		}
		if _, err := s.Open(ada, Google, string(changed)); err == nil {
			t.Errorf("opens with its byte %d changed", n)
		}
	}
}

func TestAKeyIsReplacedWithoutLosingWhatItSealed(t *testing.T) {
	before, between, after := newSealer(t, oldKey), newSealer(t, newKey, oldKey), newSealer(t, newKey)
	old := before.Seal(ada, Google, "token")
	if before.Stale(old) || !between.Stale(old) {
		t.Error("stale is what is not under the first key")
	}
	if got, err := between.Open(ada, Google, old); err != nil || got != "token" {
		t.Errorf("got %q, %v, want the token", got, err)
	}
	renewed := between.Seal(ada, Google, "token")
	if between.Stale(renewed) {
		t.Error("stale after it was sealed again")
	}
	if got, err := after.Open(ada, Google, renewed); err != nil || got != "token" {
		t.Errorf("got %q, %v, want the token", got, err)
	}
	if _, err := after.Open(ada, Google, old); !errors.Is(err, ErrSealKey) {
		t.Errorf("got %v, want %v", err, ErrSealKey)
	}
	if !after.Stale("nonsense") {
		t.Error("nonsense is not stale")
	}
}

func TestTheSameKeyInEveryFormOpensTheSame(t *testing.T) {
	raw, err := hex.DecodeString(newKey)
	if err != nil {
		t.Fatal(err)
	}
	sealed := newSealer(t, newKey).Seal(ada, Google, "token")
	for _, form := range []string{
		strings.ToUpper(newKey),
		base64.StdEncoding.EncodeToString(raw), base64.RawStdEncoding.EncodeToString(raw),
		base64.URLEncoding.EncodeToString(raw), base64.RawURLEncoding.EncodeToString(raw),
	} {
		if got, err := newSealer(t, form).Open(ada, Google, sealed); err != nil || got != "token" {
			t.Errorf("%s: got %q, %v", form, got, err)
		}
	}
}

func TestKeysThatProtectNothingAreRefusedWithoutBeingShown(t *testing.T) {
	for _, keys := range [][]string{nil, {""}, {"fifteen bytes.."}, {oldKey, "tiny key"}, {oldKey, newKey, oldKey}} {
		_, err := NewSealer(keys...)
		if err == nil {
			t.Errorf("%q are taken", keys)
			continue
		}
		for _, key := range keys {
			if key != "" && strings.Contains(err.Error(), key) {
				t.Errorf("%q shows a key", err)
			}
		}
	}
}

// firstSeal was made by the first version, of the token below, for ada at Google
// under oldKey.
const firstSeal = "v1.68160b66.tNbxsFYv_80wMhJR651Z9UfjIHAo3s0vmOc0vl6OcKW0eRZvu_oRId4pN0UHHxPCPg"

// What is stored must open in later versions.
func TestASealOfTheFirstVersionOpens(t *testing.T) {
	got, err := newSealer(t, oldKey).Open(ada, Google, firstSeal)
	if err != nil || got != "ya29.the-access-token" {
		t.Errorf("got %q, %v, want the token", got, err)
	}
}

func FuzzASealOpensOnlyAsItWasMade(f *testing.F) {
	s := newSealer(f, oldKey)
	f.Add(firstSeal)
	f.Add("v1..")
	f.Add("v1.00000000.AAAA")
	f.Fuzz(func(t *testing.T, sealed string) {
		if got, err := s.Open(ada, Google, sealed); err == nil && sealed != firstSeal {
			t.Errorf("%q opens as %q", sealed, got)
		}
	})
}
