package store

import (
	"strconv"
	"strings"

	"github.com/google/uuid"
)

// Every key is built here, and nowhere else.
//
// Users are spread over partitions by their id. A partition is a hash tag, so
// all keys of one user lie in one slot, and a script may touch them together:
//
//	rc:{uN}:user:<uuid>          hash: the user, see encode.go
//	rc:{uN}:sess:<uuid>          hash: session id → session, see sessions.go
//	rc:{uN}:codes:<uuid>         hash: code id → code, see codes.go; with TTL
//	rc:{uN}:fence:<uuid>         hash: index entry → the stamp up to which a reservation of it may no longer commit; TTL fenceTTL
//	rc:{uN}:op:<op id>           string: the outcome of one write, so that its repetition is answered and not done; TTL opTTL
//	rc:{uN}:names:<scope>        zset, all scores 0: "<username key>\x00<uuid>"
//	rc:{uN}:created:<scope>      zset, all scores 0: "<created_at in ms, 13 digits><uuid>"
//	rc:{uN}:outbox               hash: effect id → effect that is still to be carried out, see outbox.go
//	rc:{uN}:at:<lease>           hash: place → the connection there, see presence.go
//	rc:{uN}:online:<scope>       set: ids (16 bytes) of the users who are connected
//	rc:{uN}:pending              zset, all scores 0: "<scope>\x00<uuid>" of the users who have yet to confirm
//
// The zsets are read by member, so that a page can start anywhere, also
// between users of the same millisecond.
//
// The entries of an index stand alone, each in the slot that its name gives:
//
//	rc:name:<scope>:<username key>   string "<uuid> <stamp>", see reserve.go
//	rc:mail:<scope>:<email key>      the same
//	rc:prov:<scope>:<provider>:<id>  the same
//	rc:mailrate:<scope>:<hash>       zset: the mails that an address got, see mailrate.go; with TTL
//	rc:guard:<kind>:<hash>           hash: the tries of something that is guessed, see lockout.go; with TTL
//	rc:idem:<scope>:<key>            string "<uuid> <digest>"; TTL idempotencyTTL
//
// Scopes are few and read from the nodes' memory. They share a slot, and so do
// the admins:
//
//	rc:{scopes}:scope:<scope>    hash: the scope
//	rc:{scopes}:names            set: names of all scopes
//	rc:{scopes}:op:<op id>, rc:{scopes}:outbox
//	rc:{admins}:admin:<name>     hash: the admin
//	rc:{admins}:names            set: names of all admins
//	rc:{admins}:session:<id>     string: an admin's session; with TTL
//	rc:{admins}:op:<op id>, rc:{admins}:outbox
//	rc:{nodes}:leases            hash: lease → "<expires ms> <what the node says of itself>", see leases.go
//	rc:{nodes}:clock             hash: r when a lease was last renewed, q until when nobody reaps; ms
//	rc:{nodes}:census:<minute>   string: the node that counts in that minute; with TTL
//	rc:meta                      hash: what holds for all of the server
//	rc:{fN}:…                    feeds and webhooks, see feedkeys.go
//	rc:ctl                       stream: signals to all nodes
//
// The keys of the feeds are in feedkeys.go.
//
// Text that a user chose goes into a key escaped, so that nobody picks the slot
// or forges another key.
const keyPrefix = "rc:"

// Partitions is the number of parts over which users are spread. It is part of
// the data's layout and never changes.
const Partitions = 128

const (
	ctlKey        = keyPrefix + "ctl"
	metaKey       = keyPrefix + "meta"
	scopesTag     = keyPrefix + "{scopes}:"
	scopeNamesKey = scopesTag + "names"
	adminsTag     = keyPrefix + "{admins}:"
	adminNamesKey = adminsTag + "names"
	nodesTag      = keyPrefix + "{nodes}:"
	leasesKey     = nodesTag + "leases"
	clockKey      = nodesTag + "clock"
)

// A partition is the common beginning of its keys, "rc:{uN}:".
type partition string

var partitions = func() (all [Partitions]partition) {
	for i := range all {
		all[i] = partition(keyPrefix + "{u" + strconv.Itoa(i) + "}:")
	}
	return all
}()

// PartitionOf numbers the partition in which a user's keys are, from 0 to
// Partitions-1. The hash is FNV-1a, 32 bits, of the id's bytes; like Partitions
// it never changes.
func PartitionOf(id uuid.UUID) int {
	h := uint32(2166136261)
	for _, b := range id {
		h = (h ^ uint32(b)) * 16777619
	}
	return int(h % Partitions)
}

// partitionOf returns where a user's keys are.
func partitionOf(id uuid.UUID) partition { return partitions[PartitionOf(id)] }

func (p partition) user(id uuid.UUID) string     { return string(p) + "user:" + id.String() }
func (p partition) sessions(id uuid.UUID) string { return string(p) + "sess:" + id.String() }
func (p partition) codes(id uuid.UUID) string    { return string(p) + "codes:" + id.String() }
func (p partition) fence(id uuid.UUID) string    { return string(p) + "fence:" + id.String() }
func (p partition) op(op string) string          { return string(p) + "op:" + op }
func (p partition) names(scope string) string    { return string(p) + "names:" + escapeKey(scope) }
func (p partition) created(scope string) string  { return string(p) + "created:" + escapeKey(scope) }
func (p partition) outbox() string               { return string(p) + "outbox" }
func (p partition) at(lease string) string       { return string(p) + "at:" + lease }
func (p partition) online(scope string) string   { return string(p) + "online:" + escapeKey(scope) }
func (p partition) pending() string              { return string(p) + "pending" }

func nameKey(scope, key string) string {
	return keyPrefix + "name:" + escapeKey(scope) + ":" + escapeKey(key)
}
func mailKey(scope, key string) string {
	return keyPrefix + "mail:" + escapeKey(scope) + ":" + escapeKey(key)
}
func providerKey(scope, provider, identity string) string {
	return keyPrefix + "prov:" + escapeKey(scope) + ":" + escapeKey(provider) + ":" + escapeKey(identity)
}
func mailRateKey(scope, hash string) string {
	return keyPrefix + "mailrate:" + escapeKey(scope) + ":" + hash
}
func guardKey(kind, hash string) string {
	return keyPrefix + "guard:" + escapeKey(kind) + ":" + hash
}
func idemKey(scope, key string) string {
	return keyPrefix + "idem:" + escapeKey(scope) + ":" + escapeKey(key)
}

func scopeKey(name string) string      { return scopesTag + "scope:" + escapeKey(name) }
func adminKey(name string) string      { return adminsTag + "admin:" + escapeKey(name) }
func adminSessionKey(id string) string { return adminsTag + "session:" + id }
func censusKey(minute int64) string    { return nodesTag + "census:" + strconv.FormatInt(minute, 10) }
func opKey(tag, op string) string      { return tag + "op:" + op }
func outboxKey(tag string) string      { return tag + "outbox" }

// outboxes returns the keys of all outboxes.
func outboxes() []string {
	keys := make([]string, 0, Partitions+2)
	for _, p := range partitions {
		keys = append(keys, p.outbox())
	}
	return append(keys, outboxKey(scopesTag), outboxKey(adminsTag))
}

// escapeKey makes chosen text safe within a key: no braces, which would pick
// the slot, and no colon, which parts a key.
func escapeKey(s string) string {
	if !strings.ContainsAny(s, "%:{}") {
		return s
	}
	return keyEscapes.Replace(s)
}

var keyEscapes = strings.NewReplacer("%", "%25", ":", "%3A", "{", "%7B", "}", "%7D")
