package passwords

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/crypto/argon2"
)

// The text form of an Argon2id hash is the PHC string, as its reference
// implementation writes it: $argon2id$v=19$m=65536,t=3,p=4$<salt>$<hash>, the
// last two in base64 without padding.

var phcBase64 = base64.RawStdEncoding.Strict()

var errPHC = errors.New("not an argon2id hash of version 19 as a PHC string")

// parsePHC reads such a string. It bounds nothing but what a Params can hold.
func parsePHC(text string) (p Params, salt, key []byte, err error) {
	parts := strings.Split(text, "$")
	if len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" || parts[2] != "v="+strconv.Itoa(argon2.Version) {
		return p, nil, nil, errPHC
	}
	costs := strings.Split(parts[3], ",")
	if len(costs) != 3 {
		return p, nil, nil, errPHC
	}
	var numbers [3]uint64
	for i, name := range []string{"m=", "t=", "p="} {
		digits, ok := strings.CutPrefix(costs[i], name)
		bits := []int{32, 32, 8}[i]
		if numbers[i], err = strconv.ParseUint(digits, 10, bits); err != nil || !ok {
			return p, nil, nil, errPHC
		}
	}
	p = Params{Memory: uint32(numbers[0]), Time: uint32(numbers[1]), Threads: uint8(numbers[2])}
	if salt, err = phcBase64.DecodeString(parts[4]); err != nil {
		return p, nil, nil, errPHC
	}
	if key, err = phcBase64.DecodeString(parts[5]); err != nil {
		return p, nil, nil, errPHC
	}
	return p, salt, key, nil
}

func formatPHC(p Params, salt, key []byte) string {
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, p.Memory, p.Time, p.Threads,
		phcBase64.EncodeToString(salt), phcBase64.EncodeToString(key))
}
