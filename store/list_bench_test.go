package store

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"

	"rollcall/protocol"
	"rollcall/store/storetest"
)

// What CreateUser leaves behind, written by pipelines: a million users are there
// within a minute.

// A loaded user is what a load writes, and what would differ from one create to
// the next.
type loaded struct {
	NewUser
	at                   int64 // ms of the creation
	nameStamp, mailStamp int64 // of the reservations
	effect               string
}

// record writes the user's own hash.
func (u *loaded) record(ctx context.Context, pipe redis.Pipeliner) {
	fields := append([]any{fieldCreatedAt, u.at, fieldUpdatedAt, u.at}, u.fields()...)
	pipe.HSet(ctx, partitionOf(u.ID).user(u.ID), append(fields, "pe", u.effect)...)
}

// indexes writes what finds the user.
func (u *loaded) indexes(ctx context.Context, pipe redis.Pipeliner) {
	as := User{ID: u.ID, Username: u.Username, CreatedAt: millis(u.at)}
	p := partitionOf(u.ID)
	pipe.ZAdd(ctx, p.names(u.Scope), redis.Z{Member: memberOf(&as, cursorByName)})
	pipe.ZAdd(ctx, p.created(u.Scope), redis.Z{Member: memberOf(&as, cursorByCreated)})
	pipe.Set(ctx, usernameEntry(u.Scope, u.Username).key, fmt.Sprint(u.ID, " ", u.nameStamp), 0)
	pipe.Set(ctx, emailEntry(u.Scope, u.Email).key, fmt.Sprint(u.ID, " ", u.mailStamp), 0)
}

// load writes something of each of n users.
func load(t testing.TB, c *redis.Client, n int, nth func(i int) *loaded, write func(*loaded, context.Context, redis.Pipeliner)) {
	t.Helper()
	const atOnce = 2000
	for from := 0; from < n; from += atOnce {
		pipe := c.Pipeline()
		for i := from; i < min(n, from+atOnce); i++ {
			write(nth(i), context.Background(), pipe)
		}
		if _, err := pipe.Exec(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
}

// A record of 64 bytes keeps a user's hash compact.
var benchRecord = []byte(strings.Repeat("0123456789abcdef", 4))

// rareGroup is the group of one user in ten thousand.
const rareGroup = "testers"

// nthLoaded is the i-th of n users with names in order, created in another one.
// Its id is always the same.
func nthLoaded(i, n int) *loaded {
	u := &loaded{NewUser: benchUser(i), at: 1_790_000_000_000 + int64(i*7919%n)*1000, effect: "AAAAAAAAAAA"}
	u.nameStamp, u.mailStamp = u.at, u.at
	u.ID = uuid.NewSHA1(uuid.NameSpaceOID, []byte(strconv.Itoa(i)))
	u.Username, u.Password = fmt.Sprintf("player%07d", i), benchRecord
	if i%10_000 == 0 {
		u.Group = rareGroup
	}
	return u
}

// kept is what is in Redis, but for what goes by itself or is the feed's.
func kept(t *testing.T, c *redis.Client) map[string]string {
	t.Helper()
	all := dump(t, c)
	maps.DeleteFunc(all, func(key, _ string) bool {
		return strings.Contains(key, "}:op:") || strings.HasPrefix(key, keyPrefix+"{f")
	})
	return all
}

func TestALoadedUserIsWhatCreateUserWrites(t *testing.T) {
	const n = 50
	redis := storetest.SharedRedis(t)
	c := redis.Client()
	s := openTest(t, Config{URL: redis.URL(), noSweeps: true})
	users := make([]*loaded, n)
	for i := range users {
		u := nthLoaded(i, n)
		if i%2 == 0 {
			u.Username, u.Email = strings.ToUpper(u.Username), "P"+u.Email // whose keys differ
		}
		made := mustCreate(t, s, u.NewUser)
		// What a create has from the clock and from chance.
		u.at = made.CreatedAt.UnixMilli()
		u.effect = c.HGet(t.Context(), partitionOf(u.ID).user(u.ID), "pe").Val()
		for key, stamp := range map[string]*int64{
			usernameEntry(u.Scope, u.Username).key: &u.nameStamp, emailEntry(u.Scope, u.Email).key: &u.mailStamp,
		} {
			r, err := parseReservation(c.Get(t.Context(), key).Val())
			if err != nil {
				t.Fatal(err)
			}
			*stamp = r.stamp
		}
		users[i] = u
	}
	want := kept(t, c)
	if err := c.FlushAll(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	load(t, c, n, func(i int) *loaded { return users[i] }, (*loaded).record)
	load(t, c, n, func(i int) *loaded { return users[i] }, (*loaded).indexes)
	got := kept(t, c)
	if len(got) < 4*n || !maps.Equal(got, want) {
		t.Errorf("%d keys are not the %d of CreateUser", len(got), len(want))
		for _, key := range slices.Sorted(maps.Keys(want)) {
			if got[key] != want[key] {
				t.Logf("%s is %q, want %q", key, got[key], want[key])
			}
		}
	}
	for _, u := range users {
		if enc := c.ObjectEncoding(t.Context(), partitionOf(u.ID).user(u.ID)).Val(); enc != "listpack" {
			t.Errorf("a user of the load is kept as a %s", enc)
		}
	}
}

// info is a number of Redis' INFO.
func info(t testing.TB, c *redis.Client, section, name string) int64 {
	t.Helper()
	text, err := c.InfoMap(context.Background(), section).Result()
	if err != nil {
		t.Fatal(err)
	}
	for _, values := range text {
		if v, ok := values[name]; ok {
			number, err := strconv.ParseInt(v, 10, 64)
			if err != nil {
				t.Fatalf("INFO %s: %s is %s", section, name, v)
			}
			return number
		}
	}
	t.Fatalf("INFO %s has no %s", section, name)
	return 0
}

// BenchmarkListing reads pages of 50 of a scope of a thousand users and of a
// million, on a redis-server of its own that writes nothing to disk. A page of
// the rare group is what 2,000 users have of it, so it is nearly always short;
// the pages follow one another. B/user is what a user costs Redis.
//
//	go test ./store -run '^$' -bench Listing -benchtime 300x -count 3 -timeout 30m
func BenchmarkListing(b *testing.B) {
	const page = 50
	for _, n := range []int{1000, 1_000_000} {
		b.Run(fmt.Sprintf("users=%d", n), func(b *testing.B) {
			redis := storetest.Redis(b, "appendonly", "no")
			c := redis.Client()
			s := openTest(b, Config{URL: redis.URL(), noSweeps: true})
			nth := func(i int) *loaded { return nthLoaded(i, n) }
			empty := info(b, c, "memory", "used_memory")
			load(b, c, n, nth, (*loaded).record)
			records := info(b, c, "memory", "used_memory")
			load(b, c, n, nth, (*loaded).indexes)
			all := info(b, c, "memory", "used_memory")

			b.Run("memory", func(b *testing.B) {
				for b.Loop() {
				}
				b.ReportMetric(0, "ns/op")
				b.ReportMetric(float64(records-empty)/float64(n), "B/user-bare")
				b.ReportMetric(float64(all-empty)/float64(n), "B/user")
			})

			middle := nth(n / 2)
			as := User{ID: middle.ID, Username: middle.Username, CreatedAt: millis(middle.at)}
			for _, q := range []struct {
				name string
				ListQuery
				walks bool
			}{
				{name: "first", ListQuery: ListQuery{}},
				{name: "deep", ListQuery: ListQuery{Cursor: encodeCursor(cursorByName, memberOf(&as, cursorByName))}},
				{name: "prefix", ListQuery: ListQuery{Filter: protocol.UserFilter{Username: middle.Username[:11]}}}, // of 100 users
				{name: "rare-group", ListQuery: ListQuery{Filter: protocol.UserFilter{Group: rareGroup}}, walks: true},
				{name: "created-first", ListQuery: ListQuery{OrderBy: protocol.OrderByCreatedAt}},
				{name: "created-deep", ListQuery: ListQuery{OrderBy: protocol.OrderByCreatedAt, Cursor: encodeCursor(cursorByCreated, memberOf(&as, cursorByCreated))}},
			} {
				b.Run(q.name, func(b *testing.B) {
					q.Scope, q.Limit = middle.Scope, page
					users := 0
					var before int64
					for i := range b.N {
						if i == 0 {
							before = info(b, c, "stats", "total_commands_processed")
							b.ResetTimer()
						}
						got, cursor, err := s.ListUsers(context.Background(), q.ListQuery)
						if err != nil {
							b.Fatal(err)
						}
						users += len(got)
						if q.walks {
							q.Cursor = cursor
						}
					}
					b.StopTimer()
					commands := info(b, c, "stats", "total_commands_processed") - before - 1 // the INFO itself
					if !q.walks && users != page*b.N {
						b.Fatalf("%d users on %d pages, want %d on each", users, b.N, page)
					}
					b.ReportMetric(float64(commands)/float64(b.N), "commands/page")
					b.ReportMetric(float64(users)/float64(b.N), "users/page")
				})
			}
		})
	}
}
