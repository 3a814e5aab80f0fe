package protocol_test

import (
	"crypto/sha256"
	"fmt"
	"testing"
	"unicode"

	"rollcall/protocol"
)

func TestPasswordHashIsTheDefinition(t *testing.T) {
	for _, tt := range []struct{ scope, password string }{
		{"Space Race", "abcd1234"}, {"s", "p"}, {"a:b", "c"}, {"a", "b:c"}, {"Ünïcødé 🚀", "pässwörd"}, {"s", " \x00\n"},
	} {
		want := fmt.Sprintf("%x", sha256.Sum256([]byte("rollcall:v1:"+tt.scope+":"+tt.password)))
		if got := protocol.PasswordHash(tt.scope, tt.password); got != want {
			t.Errorf("%q %q: %s", tt.scope, tt.password, got)
		}
	}
	// A golden value, for SDKs in other languages: printf 'rollcall:v1:Space Race:abcd1234' | sha256sum
	const golden = "032221936dd705cb55acc02b80a5b844bcfa765965707c3009639db7750031ad"
	if got := protocol.PasswordHash("Space Race", "abcd1234"); got != golden {
		t.Errorf("got %s", got)
	}
}

func TestUsernamesAreComparedByNFCAndCaseFolding(t *testing.T) {
	for name, same := range map[string][]string{
		"ASCII":                  {"tiny", "Tiny", "TINY"},
		"sharp s":                {"straße", "STRASSE", "strasse", "STRAẞE"},
		"composed, decomposed":   {"Zoé", "zoé", "ZOE\u0301", "zoe\u0301"},
		"sigma":                  {"ΣΑΣ", "σασ", "σας"},
		"Turkish capital":        {"İ", "i\u0307", "I\u0307"},
		"Kelvin sign":            {"\u212aelvin", "kelvin", "KELVIN"},
		"Ångström":               {"\u212bngström", "Ångström", "A\u030angstro\u0308m", "ångström"},
		"ligature":               {"ﬁsh", "fish", "FISH"},
		"Hangul":                 {"각", "\u1100\u1161\u11a8"},
		"Cherokee":               {"Ꭰ", "ꭰ"},
		"two marks in any order": {"a\u0323\u0307", "a\u0307\u0323", "A\u0307\u0323"},
	} {
		for _, s := range same {
			if got, want := protocol.UsernameKey(s), protocol.UsernameKey(same[0]); got != want {
				t.Errorf("%s: %q has the key %q, %q has %q", name, s, got, same[0], want)
			}
		}
	}
	for _, pair := range [][2]string{
		{"ı", "i"}, // dotless i is a letter of its own
		{"tiny", "tiny "},
		{"é", "e"},
		{"а", "a"}, // Cyrillic
		{"①", "1"}, // NFC, not NFKC
	} {
		if protocol.UsernameKey(pair[0]) == protocol.UsernameKey(pair[1]) {
			t.Errorf("%q and %q are the same", pair[0], pair[1])
		}
	}
}

// Letters that differ in nothing but case, by Unicode's own simple folding, have
// one key: for all of Unicode, since golang.org/x/text is not right about all.
func TestNoTwoCasesOfALetterHaveTwoKeys(t *testing.T) {
	for r := rune(1); r <= unicode.MaxRune; r++ {
		other := unicode.SimpleFold(r)
		if other == r {
			continue
		}
		if protocol.UsernameKey(string(r)) != protocol.UsernameKey(string(other)) {
			t.Errorf("%q (%U) has the key %q, %q (%U) has %q", r, r, protocol.UsernameKey(string(r)), other, other, protocol.UsernameKey(string(other)))
		}
	}
}

func TestEmailsAreComparedCaseFolded(t *testing.T) {
	if got := protocol.EmailKey("Tina@Home.COM"); got != "tina@home.com" {
		t.Errorf("got %s", got)
	}
	if protocol.EmailKey("tina@home.com") == protocol.EmailKey("tina+x@home.com") {
		t.Error("two addresses are the same")
	}
}

func FuzzUsernameKey(f *testing.F) {
	for _, s := range []string{"tiny", "Straße", "İ", "ΣΑΣ", "zoe\u0301", "\u0345\u03b1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		key := protocol.UsernameKey(s)
		if again := protocol.UsernameKey(s); again != key {
			t.Errorf("%q has the keys %q and %q", s, key, again)
		}
	})
}
