package store

import (
	"hash/fnv"
	"strconv"
	"time"
)

// The keys of the feeds. A scope's feed, its statistics and its webhook lie in
// one slot, so that one script appends and counts. Scopes are spread over feed
// partitions by name:
//
//	rc:{fN}:meta:<scope>            hash: where the feed is, see feed_append.lua
//	rc:{fN}:feed:<scope>            stream: the events; ids "<seq>-<number of the event_id>"
//	rc:{fN}:seen:<scope>:<s>:<k>    set of numbers: effects that left their slot in that second and were appended; TTL seenTTL
//	rc:{fN}:fails:<scope>:<hash>    counter: failed logins of an account or address in the last minute
//	rc:{fN}:minutes:<scope>:<hour>  hash: counts of each minute of an hour, see statistics.go; with TTL
//	rc:{fN}:hours:<scope>:<day>     hash: counts of each hour of a day; with TTL
//	rc:{fN}:days:<scope>:<month>    hash: counts of each day of 31; with TTL
//	rc:{fN}:seenby:<scope>:<day>:<i>  HyperLogLog: users who were there that day; with TTL
//	rc:{fN}:hook:<scope>            hash: the webhook's cursor
//	rc:{fN}:wake                    stream of one entry: ends blocking reads of the partition
//	rc:{fN}:mark                    string: written to wait for replicas; TTL a minute
type feedPart string

// FeedPartitions is the number of parts over which the scopes' feeds are
// spread. It is part of the data's layout and never changes.
const FeedPartitions = 16

var feedParts = func() (all [FeedPartitions]feedPart) {
	for i := range all {
		all[i] = feedPart(keyPrefix + "{f" + strconv.Itoa(i) + "}:")
	}
	return all
}()

// feedPartOf returns where a scope's feed is. The hash is FNV-1a, 32 bits, of
// the name's bytes; like FeedPartitions it never changes.
func feedPartOf(scope string) feedPart {
	h := fnv.New32a()
	h.Write([]byte(scope))
	return feedParts[h.Sum32()%FeedPartitions]
}

func (p feedPart) meta(scope string) string { return string(p) + "meta:" + escapeKey(scope) }
func (p feedPart) feed(scope string) string { return string(p) + "feed:" + escapeKey(scope) }
func (p feedPart) hook(scope string) string { return string(p) + "hook:" + escapeKey(scope) }
func (p feedPart) wake() string             { return string(p) + "wake" }

// seen takes the time of the effect and its number. Few enough numbers share a
// key for Redis to keep them in eight bytes each (set-max-intset-entries, 512):
// up to some 2,000 events a second.
func (p feedPart) seen(scope string, at time.Time, number uint64) string {
	return string(p) + "seen:" + escapeKey(scope) + ":" + strconv.FormatInt(at.Unix(), 10) + ":" + strconv.FormatUint(number%4, 10)
}

func (p feedPart) fails(scope, hash string) string {
	return string(p) + "fails:" + escapeKey(scope) + ":" + hash
}

func (p feedPart) minutes(scope string, at time.Time) string {
	return string(p) + "minutes:" + escapeKey(scope) + ":" + strconv.FormatInt(at.Unix()/3600, 10)
}

func (p feedPart) hours(scope string, at time.Time) string {
	return string(p) + "hours:" + escapeKey(scope) + ":" + strconv.FormatInt(dayOf(at), 10)
}

func (p feedPart) days(scope string, at time.Time) string {
	return string(p) + "days:" + escapeKey(scope) + ":" + strconv.FormatInt(dayOf(at)/31, 10)
}

// seenBy has two counters a day, which see the users under different names, so
// that their errors are independent.
func (p feedPart) seenBy(scope string, day int64, i int) string {
	return string(p) + "seenby:" + escapeKey(scope) + ":" + strconv.FormatInt(day, 10) + ":" + strconv.Itoa(i)
}

// dayOf numbers the days of UTC from 1970 on.
func dayOf(at time.Time) int64 { return at.Unix() / 86400 }
