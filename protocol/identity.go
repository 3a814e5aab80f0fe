package protocol

import (
	"strings"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// UsernameKey returns what usernames are compared by: Unicode NFC, full case
// folding, NFC again (Unicode 15, chapter 3.13, D145). Two usernames are the
// same when their keys are.
func UsernameKey(username string) string {
	if isLowerASCII(username) {
		return username
	}
	return norm.NFC.String(fold(norm.NFC.String(username)))
}

// EmailKey returns what email addresses are compared by: the address case-folded.
func EmailKey(email string) string {
	if isLowerASCII(email) {
		return email
	}
	return fold(email)
}

// fold is Unicode's full case folding. golang.org/x/text swaps the cases of
// Cherokee where CaseFolding.txt folds both to the capital, so those letters are
// folded here.
func fold(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 0xab70 && r <= 0xabbf:
			return r - 0xab70 + 0x13a0
		case r >= 0x13f8 && r <= 0x13fd:
			return r - 8
		}
		return r
	}, cases.Fold().String(s))
}

func isLowerASCII(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] >= utf8.RuneSelf || s[i] >= 'A' && s[i] <= 'Z' {
			return false
		}
	}
	return true
}
