package store

import (
	"strconv"
)

// Feeds are spread over partitions by their scope. A partition is a hash tag, so
// all keys of one feed lie in one slot, and a script may touch them together:
//
//	rc:{fN}:hook:<scope>   hash: how far the scope's webhook has come, see webhooks.go

// feedPartitions is part of the data's layout and never changes.
const feedPartitions = 16

// A feedPart is the common beginning of a feed partition's keys, "rc:{fN}:".
type feedPart string

// feedPartOf returns where a scope's feed is. The hash is FNV-1a, 32 bits, of the
// scope's name; it never changes.
func feedPartOf(scope string) feedPart {
	h := uint32(2166136261)
	for i := range len(scope) {
		h = (h ^ uint32(scope[i])) * 16777619
	}
	return feedPart(keyPrefix + "{f" + strconv.Itoa(int(h%feedPartitions)) + "}:")
}

func (p feedPart) hook(scope string) string { return string(p) + "hook:" + escapeKey(scope) }
