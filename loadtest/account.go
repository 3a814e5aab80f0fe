package loadtest

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/google/uuid"

	"rollcall/protocol"
)

// passwordAccounts bounds how many accounts have a password: each costs a
// password hash when it is made, and logging in to a few is no cheaper for the
// server than to many.
const passwordAccounts = 200

// provider is by what players log in.
const provider = "openudid"

// An account is a user of the load test. Its name and its secret follow from the
// plan's seed and its number, so that a second run finds it again. That makes
// the secrets guessable: a scope of load tests is for load tests.
type account struct {
	seed     uint64
	n        int  // its number, among players or among those with a password
	password bool // it has one

	// Owned by the player whose account it is. Once he is there others read the id.
	id      uuid.UUID
	session string // token; empty: not logged in yet

	// What admins must see.
	acked   atomic.Uint32 // logins and resumes that were acknowledged
	unknown atomic.Uint32 // sent and never answered
	ackedAt atomic.Int64  // the moment of the last acknowledgement
}

func (a *account) name() string {
	kind := ""
	if a.password {
		kind = "p"
	}
	return namePrefix(a.seed) + kind + strconv.Itoa(a.n)
}

func namePrefix(seed uint64) string { return "lt-" + strconv.FormatUint(seed, 10) + "-" }

// parseName is the reverse of name.
func parseName(prefix, name string) (n int, password, ok bool) {
	rest, ok := strings.CutPrefix(name, prefix)
	if !ok {
		return 0, false, false
	}
	rest, password = strings.CutPrefix(rest, "p")
	u, err := strconv.ParseUint(rest, 10, 31)
	return int(u), password, err == nil
}

// secret is the client_id, or the password. It is long enough for an openudid,
// which has to have 16 characters.
func (a *account) secret() string {
	sum := sha256.Sum256(fmt.Appendf(nil, "rollcall loadtest %s", a.name()))
	return hex.EncodeToString(sum[:16])
}

// create is how the account is made.
func (a *account) create(scope string) protocol.CreateParams {
	p := protocol.CreateParams{Username: a.name()}
	if a.password {
		p.PasswordHash = protocol.PasswordHash(scope, a.secret())
	} else {
		p.Proof = protocol.Proof{Provider: provider, ClientID: a.secret()}
	}
	return p
}

// login is how the account is logged in to.
func (a *account) login(scope string) protocol.LoginParams {
	if a.password {
		return protocol.LoginParams{Username: a.name(), Credentials: protocol.Credentials{PasswordHash: protocol.PasswordHash(scope, a.secret())}}
	}
	return protocol.LoginParams{Proof: protocol.Proof{Provider: provider, ClientID: a.secret()}}
}

// ack notes an acknowledged login or resume.
func (a *account) ack(now moment) {
	a.ackedAt.Store(int64(now))
	a.acked.Add(1)
}

// appendRef appends the data of a request about the user.
func (a *account) appendRef(b []byte) []byte {
	b = append(b, `{"user_id":"`...)
	b = appendUUID(b, a.id)
	return append(b, `"}`...)
}

func appendUUID(b []byte, id uuid.UUID) []byte {
	at := len(b)
	b = append(b, "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx"...)
	to := b[at:]
	hex.Encode(to[:8], id[:4])
	hex.Encode(to[9:13], id[4:6])
	hex.Encode(to[14:18], id[6:8])
	hex.Encode(to[19:23], id[8:10])
	hex.Encode(to[24:], id[10:])
	return b
}
