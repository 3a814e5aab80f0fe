package store

import (
	"context"
	"fmt"
	"hash/fnv"
	"maps"
	"net"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"

	"rollcall/protocol"
	"rollcall/store/storetest"
)

// exercise calls everything that writes, and most of what reads.
func exercise(t *testing.T, s *Store) {
	ctx := t.Context()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Error(err)
		}
	}
	_, err := s.CreateScope(ctx, Scope{Name: testScope, Permissions: map[string]string{"users.get": protocol.PermitAny}})
	must(err)
	n := newUserWithEmail("Tiny", "Tina@home.com")
	n.Extra = extraOf("a", "1")
	u := mustCreate(t, s, n)
	v := mustCreate(t, s, newUserWithEmail("Other", "other@home.com"))
	_, err = s.CreateUser(ctx, newUserWithEmail("third", "other@home.com"))
	wantErr(t, err, ErrEmailTaken)
	_, err = s.UpdateUser(ctx, u.ID, UserUpdate{Username: new("Tim"), Email: new("tim@home.com"), Extra: protocol.Extra{"a": protocol.Null, "b": protocol.Int(1)}})
	must(err)
	_, err = s.UpdateUser(ctx, u.ID, UserUpdate{Username: new("Tom"), Email: new("")})
	must(err)
	_, err = s.UpdateUser(ctx, u.ID, UserUpdate{Group: new("g"), Active: new(true)})
	must(err)
	_, err = s.UpdateUser(ctx, u.ID, UserUpdate{Username: new("other")})
	wantErr(t, err, ErrUsernameTaken)

	kept := mustLogin(t, s, u.ID)
	for range maxSessions {
		mustLogin(t, s, u.ID)
	}
	kept = mustLogin(t, s, u.ID)
	_, _, _, err = s.Resume(ctx, "", kept.Token, Arrival{At: ConnRef{"n2", "c9"}})
	must(err)
	_, err = s.UpdateUser(ctx, u.ID, UserUpdate{Password: []byte("new"), KeepSession: kept.ID})
	must(err)
	_, err = s.Sessions(ctx, u.ID)
	must(err)
	ended, err := s.EndSession(ctx, u.ID, kept.ID, protocol.CloseSessionEnded, "")
	if must(err); !ended {
		t.Error("the session was not there")
	}
	mustLogin(t, s, u.ID)
	if n, err := s.EndSessions(ctx, u.ID, "", protocol.CloseKicked, "kicked"); n != 1 || err != nil {
		t.Error(n, err)
	}
	_, _, err = s.Idempotent(ctx, testScope, "key", uuid.New(), "digest")
	must(err)
	_, _, err = s.ListUsers(ctx, ListQuery{Scope: testScope})
	must(err)
	must(s.Signal(ctx, Signal{Kind: SignalScope, Scope: testScope}))
	for _, id := range []uuid.UUID{u.ID, v.ID} {
		if deleted, err := s.DeleteUser(ctx, id); !deleted || err != nil {
			t.Error(deleted, err)
		}
	}
	_, err = s.UpdateScope(ctx, testScope, ScopeUpdate{Sessions: protocol.SessionsSingle})
	must(err)
	exerciseWebhook(t, s)
	_, err = s.Scopes(ctx)
	must(err)
	must(s.DeleteScope(ctx, testScope))

	exercisePresence(t, s)
	exerciseAdmins(t, s)
	if _, created, err := s.InitServerKey(ctx, []byte("hash")); !created || err != nil {
		t.Error(created, err)
	}
	must(s.Sweep(ctx))
	checkConsistent(t, s, false)
}

// exercisePresence calls everything about connections, bans, feeds, leases and
// the census.
func exercisePresence(t *testing.T, s *Store) {
	ctx := t.Context()
	_, err := s.CreateScope(ctx, Scope{Name: testScope})
	must(t, err)
	u := mustCreate(t, s, newUser("present"))
	node, gone := NewLease(), NewLease()
	for _, lease := range []string{node, gone} {
		_, err = s.RenewLease(ctx, lease, true, protocol.NodeObject{Node: "n1"})
		must(t, err)
	}
	one, two := arrival(node, "1"), arrival(node, "2")
	two.Single = true
	_, _, err = s.Login(ctx, u.ID, one, nil)
	must(t, err)
	_, sess, err := s.Login(ctx, u.ID, two, nil)
	must(t, err)
	_, _, _, err = s.Resume(ctx, testScope, sess.Token, arrival(gone, "3"))
	must(t, err)
	entered := Presence{Lease: gone, Place: "4", User: u.ID, Session: sess.ID, Scope: testScope, Via: Via{Node: "n1"}}
	must(t, s.Enter(ctx, entered))
	must(t, s.Enter(ctx, entered))
	_, err = s.PresencesOf(ctx, mustUser(t, s, u.ID))
	must(t, err)
	_, err = s.AreOnline(ctx, testScope, []uuid.UUID{u.ID})
	must(t, err)
	_, err = s.OnlineUsers(ctx, testScope, 5)
	must(t, err)
	_, err = s.CountPending(ctx, testScope)
	must(t, err)
	_, err = s.TakeCensus(ctx)
	must(t, err)
	for _, place := range []string{"1", "2", "2"} {
		must(t, s.Depart(ctx, Presence{Lease: node, Place: place, User: u.ID, Scope: testScope}, protocol.OfflineClosed))
	}
	must(t, s.Depart(ctx, Presence{Lease: gone, Place: "3", User: u.ID, Scope: testScope}, protocol.OfflineClosed))
	must(t, s.EndLease(ctx, gone, 0))
	if n, err := s.Reap(ctx, gone); n != 1 || err != nil {
		t.Error(n, err)
	}
	must(t, s.EndLease(ctx, node, time.Minute))
	_, err = s.Nodes(ctx)
	must(t, err)

	_, err = s.BanUser(ctx, u.ID, Ban{Reason: "aimbot", Until: time.Now().Add(time.Hour)})
	must(t, err)
	_, err = s.UnbanUser(ctx, u.ID)
	must(t, err)
	must(t, s.TellFailedLogin(ctx, FailedLogin{Scope: testScope, Account: "present", Address: "::1", Reason: protocol.FailedUnknown}))
	must(t, s.TellAdminAction(ctx, testScope, protocol.EventData{Admin: "ops", Action: "kick"}))
	must(t, s.MarkActive(ctx, testScope, []uuid.UUID{u.ID}))
	_, err = s.ActiveUsers(ctx, testScope, 1, 7)
	must(t, err)
	_, err = s.StatSteps(ctx, testScope, s.Now().Add(-time.Hour), s.Now(), time.Minute)
	must(t, err)
	head, err := s.FeedHead(ctx, testScope)
	must(t, err)
	if ok, err := s.FeedReaches(ctx, testScope, head); !ok || err != nil {
		t.Error(ok, err)
	}
	_, err = s.FeedLast(ctx, testScope, head.Seq, 5, 100, func(*FeedEvent) bool { return true })
	must(t, err)
	if _, lost, err := s.resetFeed(ctx, testScope, head, entryOf(head.Seq, head.EventID)); lost || err != nil {
		t.Error(lost, err)
	}
	ahead := head
	ahead.Seq += 5
	if pos, lost, err := s.resetFeed(ctx, testScope, ahead, ""); !lost || pos.Seq != ahead.Seq || err != nil {
		t.Error(pos, lost, err)
	}
	if deleted, err := s.DeleteUser(ctx, u.ID); !deleted || err != nil {
		t.Error(deleted, err)
	}
	must(t, s.DeleteScope(ctx, testScope))
}

// exerciseAdmins calls everything about admins and guards.
func exerciseAdmins(t *testing.T, s *Store) {
	ctx := t.Context()
	root, err := s.CreateAdmin(ctx, Admin{Name: "{root}", Role: protocol.RoleOwner, Password: []byte("r")})
	must(t, err)
	ops, err := s.CreateAdminBy(ctx, root.Ref(), Admin{Name: "ops", Role: protocol.RoleViewer, Password: []byte("r")})
	must(t, err)
	token, _, err := s.StartAdminSession(ctx, root, time.Hour)
	must(t, err)
	_, _, err = s.AdminSession(ctx, AdminSessionID(token))
	must(t, err)
	root, err = s.SetAdminPassword(ctx, root.Ref(), root, []byte("s"))
	must(t, err)
	must(t, s.KeepAdminSession(ctx, token, root, time.Hour))
	must(t, s.EndAdminSession(ctx, root.Name, AdminSessionID(token)))
	wantErr(t, s.KeepAdminSession(ctx, token, root, time.Hour), ErrSessionInvalid)
	_, err = s.Admins(ctx)
	must(t, err)
	must(t, s.DeleteAdmin(ctx, root.Ref(), ops.Ref()))
	wantErr(t, s.DeleteAdmin(ctx, root.Ref(), root.Ref()), ErrLastOwner)
	_, err = s.CreateAdmin(ctx, Admin{Name: "last", Role: protocol.RoleOwner})
	must(t, err)
	must(t, s.DeleteAdmin(ctx, AdminRef{}, root.Ref()))

	try, _, err := s.Try(ctx, theGuard)
	must(t, err)
	must(t, s.Undo(ctx, try))
	for range theGuard.Limit + 1 {
		_, _, err = s.Try(ctx, theGuard)
		must(t, err)
	}
	must(t, s.Clear(ctx, try))
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Error(err)
	}
}

func TestEverythingWorksOnEveryStorage(t *testing.T) {
	onEvery(t, exercise)
}

// A hook sees every command before it is sent, and may do something after.
type hook struct {
	before func(cmd redis.Cmder)
	after  func(ctx context.Context, cmd redis.Cmder, again func(ctx context.Context, cmd redis.Cmder) error)
}

func (h hook) DialHook(next redis.DialHook) redis.DialHook {
	return func(ctx context.Context, network, addr string) (net.Conn, error) { return next(ctx, network, addr) }
}

func (h hook) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if h.before != nil {
			h.before(cmd)
		}
		err := next(ctx, cmd)
		if h.after != nil {
			h.after(ctx, cmd, next)
		}
		return err
	}
}

func (h hook) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		for _, cmd := range cmds {
			if h.before != nil {
				h.before(cmd)
			}
		}
		err := next(ctx, cmds)
		for _, cmd := range cmds {
			if h.after != nil {
				h.after(ctx, cmd, func(ctx context.Context, cmd redis.Cmder) error { return next(ctx, []redis.Cmder{cmd}) })
			}
		}
		return err
	}
}

// crc16 is the checksum by which keys are spread over slots (Redis Cluster
// specification: CRC16-CCITT, XMODEM).
func crc16(s string) (crc uint16) {
	for i := range len(s) {
		crc ^= uint16(s[i]) << 8
		for range 8 {
			if crc&0x8000 != 0 {
				crc = crc<<1 ^ 0x1021
			} else {
				crc <<= 1
			}
		}
	}
	return crc
}

func slotOf(key string) uint16 {
	if _, rest, ok := strings.Cut(key, "{"); ok {
		if tag, _, ok := strings.Cut(rest, "}"); ok && tag != "" {
			key = tag
		}
	}
	return crc16(key) % 16384
}

// keysOf returns the keys that a command touches, as far as this package sends it.
func keysOf(t testing.TB, cmd redis.Cmder) []string {
	args := make([]string, len(cmd.Args()))
	for i, arg := range cmd.Args() {
		args[i] = fmt.Sprint(arg)
	}
	switch strings.ToLower(args[0]) {
	case "evalsha", "eval":
		n := 0
		fmt.Sscan(args[2], &n)
		return args[3 : 3+n]
	case "get", "hgetall", "hmget", "hdel", "zrangebylex", "zcard", "smembers", "xadd", "xrange", "xrevrange", "sismember", "srandmember", "scard", "zlexcount", "exists", "hget", "hsetnx", "pexpire", "pfadd", "sadd", "set", "ttl", "pttl":
		return args[1:2]
	case "pfcount":
		return args[1:]
	case "xread":
		streams := args[slices.Index(args, "streams")+1:]
		return streams[:len(streams)/2]
	case "time", "ping", "hello", "info", "client", "select", "auth":
		return nil
	}
	// Those of the tests: all keys come first.
	switch strings.ToLower(args[0]) {
	case "scan":
		return nil
	case "zrange":
		return args[1:2]
	}
	t.Errorf("a command that this test does not know: %s", args[0])
	return nil
}

func TestSlotsAreThoseOfTheSpecification(t *testing.T) {
	if crc16("123456789") != 0x31c3 {
		t.Errorf("crc16 is %x", crc16("123456789"))
	}
	for key, same := range map[string]string{"rc:{u5}:a": "rc:{u5}:b", "{u5}": "u5", "a{}b": "a{}b"} {
		if slotOf(key) != slotOf(same) {
			t.Errorf("%s and %s", key, same)
		}
	}
}

func TestEveryCommandAndScriptTouchesOneSlot(t *testing.T) {
	s := openTest(t, Config{URL: storetest.SharedRedis(t).URL()})
	var mu sync.Mutex
	scripts := map[string]bool{}
	s.client.AddHook(hook{before: func(cmd redis.Cmder) {
		mu.Lock()
		defer mu.Unlock()
		if sha, ok := cmd.Args()[0].(string); ok && sha == "evalsha" {
			scripts[cmd.Args()[1].(string)] = true
		}
		keys := keysOf(t, cmd)
		for _, key := range keys {
			if !strings.HasPrefix(key, keyPrefix) {
				t.Errorf("%v: %s is not one of ours", cmd.Name(), key)
			}
			if slotOf(key) != slotOf(keys[0]) {
				t.Errorf("%v touches %s and %s", cmd.Name(), keys[0], key)
			}
		}
	}})
	follow(t, s)
	exercise(t, s)
	for _, sc := range []*script{
		scriptLogin, scriptResume, scriptEnter, scriptDepart, scriptBan, scriptFeedAppend, scriptFeedReset, scriptLease, scriptLeaseEnd, scriptCensus,
	} {
		if !scripts[sc.sha] {
			t.Errorf("%s did not run", sc.name)
		}
	}
	if len(scripts) < 25 {
		t.Errorf("only %d scripts ran", len(scripts))
	}
}

// Chosen text must not move a key to another slot, or onto another key.
func TestChosenTextCannotSteerKeys(t *testing.T) {
	seen := map[string][2]string{}
	for _, scope := range []string{"a", "a:b", "a%3Ab", "{u1}", "a}", "{", ""} {
		for _, text := range []string{"b", "b:c", "c", ":", "%", "%25", "{u1}", "}{"} {
			key := nameKey(scope, text)
			if strings.ContainsAny(strings.TrimPrefix(key, "rc:name:"), "{}") {
				t.Errorf("%s has a hash tag", key)
			}
			if former, ok := seen[key]; ok {
				t.Errorf("%q %q and %q share %s", scope, text, former, key)
			}
			seen[key] = [2]string{scope, text}
		}
	}
	for i, p := range partitions {
		if want := fmt.Sprintf("rc:{u%d}:names:%%7Bu1%%7D", i); p.names("{u1}") != want {
			t.Errorf("got %s, want %s", p.names("{u1}"), want)
		}
	}
}

// The partition of an id is part of the data: these must never change.
func TestPartitionsStayWhereTheyAre(t *testing.T) {
	for id, want := range map[string]string{
		"00000000-0000-0000-0000-000000000000": "rc:{u5}:",
		"289bc36e-0df7-44df-99b1-a6543c6f45eb": "rc:{u41}:",
		"ffffffff-ffff-ffff-ffff-ffffffffffff": "rc:{u117}:",
	} {
		if got := partitionOf(uuid.MustParse(id)); string(got) != want {
			t.Errorf("%s is in %s, not in %s", id, got, want)
		}
	}
	id, sum := uuid.New(), fnv.New32a()
	sum.Write(id[:])
	if partitionOf(id) != partitions[sum.Sum32()%Partitions] {
		t.Error("the hash is not FNV-1a")
	}
	counts := map[partition]int{}
	for range 128 * 200 {
		counts[partitionOf(uuid.New())]++
	}
	for p, n := range counts {
		if n < 100 || n > 300 {
			t.Errorf("%s has %d of 25,600", p, n)
		}
	}
}

// dump returns everything in the storage, with no TTLs.
func dump(t testing.TB, c *redis.Client) map[string]string {
	ctx := context.Background()
	state := map[string]string{}
	for _, key := range c.Keys(ctx, "*").Val() {
		switch kind := c.Type(ctx, key).Val(); kind {
		case "string":
			state[key] = c.Get(ctx, key).Val()
		case "hash":
			h := c.HGetAll(ctx, key).Val()
			for _, field := range slices.Sorted(maps.Keys(h)) {
				state[key] += fmt.Sprintf("%q=%q ", field, h[field])
			}
		case "set":
			members := c.SMembers(ctx, key).Val()
			slices.Sort(members)
			state[key] = fmt.Sprintf("%q", members)
		case "zset":
			state[key] = fmt.Sprintf("%q", c.ZRange(ctx, key, 0, -1).Val())
		case "stream":
			state[key] = fmt.Sprint(c.XRange(ctx, key, "-", "+").Val())
		default:
			t.Errorf("%s is a %s", key, kind)
		}
	}
	return state
}

// unordered is a script's reply with its fields and values in one order: a large
// hash tells them in any.
func unordered(reply any) any {
	r, ok := reply.([]any)
	if !ok {
		return reply
	}
	r = slices.Clone(r)
	for i := range r {
		if list, ok := r[i].([]any); ok {
			list = slices.Clone(list)
			slices.SortFunc(list, func(a, b any) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
			r[i] = list
		}
	}
	return r
}

// The client sends a command again when it has not seen the reply. Here every
// script is sent twice: the second run must say the same, and change nothing.
func TestARepeatedScriptChangesNothingAndAnswersTheSame(t *testing.T) {
	server := storetest.SharedRedis(t)
	s := openTest(t, Config{URL: server.URL(), noSweeps: true})
	names := map[string]string{}
	for _, sc := range []*script{
		scriptReserve, scriptFence, scriptRelease, scriptCreate, scriptUpdate, scriptDelete, scriptLogin, scriptResume,
		scriptEndSession, scriptEndSessions, scriptSessions, scriptIdempotent, scriptCreateListed, scriptChangeListed,
		scriptDeleteListed, scriptAdminCreate, scriptAdminDelete, scriptAdminPassword, scriptAdminToken, scriptAdminLogout, scriptInitKey,
		scriptGuard, scriptChangeWebhook, scriptHookClaim, scriptHookAdvance, scriptHookRelease,
		scriptEnter, scriptDepart, scriptBan, scriptFeedAppend, scriptFeedReset, scriptLease, scriptLeaseEnd, scriptCensus,
	} {
		names[sc.sha] = sc.name
	}
	var mu sync.Mutex
	ran := map[string]bool{}
	s.client.AddHook(hook{after: func(ctx context.Context, cmd redis.Cmder, again func(context.Context, redis.Cmder) error) {
		c, ok := cmd.(*redis.Cmd)
		if !ok || c.Err() != nil || c.Name() != "evalsha" && c.Name() != "eval" {
			return
		}
		mu.Lock()
		defer mu.Unlock()
		name := names[fmt.Sprint(c.Args()[1])]
		if name == "" {
			return // the first run, by its text
		}
		ran[name] = true
		before := dump(t, server.Client())
		second := redis.NewCmd(ctx, c.Args()...)
		if err := again(ctx, second); err != nil {
			t.Errorf("%s again: %v", name, err)
		}
		switch name {
		case "reserve": // a higher stamp, which is the caller's from now on
			c.SetVal(second.Val())
			return
		case "resume", "admin_token", "hook_claim": // good for a millisecond longer
			return
		case "guard": // one has to wait a millisecond less
			c.Val().([]any)[0], second.Val().([]any)[0] = c.Val().([]any)[0] != int64(0), second.Val().([]any)[0] != int64(0)
			c.Val().([]any)[1], second.Val().([]any)[1] = c.Val().([]any)[1] != int64(0), second.Val().([]any)[1] != int64(0)
		case "login": // what the first run ended is told by a sweep
			c.Val().([]any)[4], second.Val().([]any)[4] = nil, nil
			for _, r := range [][]any{c.Val().([]any), second.Val().([]any)} { // the signal to others is made a millisecond later
				_, r[6], _ = strings.Cut(fmt.Sprint(r[6]), " ")
			}
		case "feed_append": // it is there
			if !reflect.DeepEqual(second.Val(), []any{int64(0)}) {
				t.Errorf("an effect is appended again: %v", second.Val())
			}
			second.SetVal(c.Val())
		case "lease": // good for a millisecond longer
			c.Val().([]any)[1], second.Val().([]any)[1] = nil, nil
			delete(before, leasesKey)
			delete(before, clockKey)
		case "lease_end": // ends a millisecond later, or is there no more
			switch fmt.Sprint(c.Args()[5]) {
			case "soon":
				delete(before, leasesKey)
			case "gone":
				second.SetVal(c.Val())
			}
		case "release": // there is nothing left to release
			if c.Val() == int64(1) && second.Val() == int64(0) {
				second.SetVal(int64(1))
			}
		}
		if !reflect.DeepEqual(unordered(c.Val()), unordered(second.Val())) && name != "sessions" {
			t.Errorf("%s says %v, and then %v", name, c.Val(), second.Val())
		}
		after := dump(t, server.Client())
		for _, key := range []string{leasesKey, clockKey} {
			if _, compared := before[key]; !compared {
				delete(after, key)
			}
		}
		for key := range after {
			if (name == "change_listed" || name == "change_webhook") && strings.HasSuffix(key, ":outbox") {
				continue // the effect is left a millisecond later
			}
			if before[key] != after[key] {
				t.Errorf("%s again changes %s from %s to %s", name, key, before[key], after[key])
			}
		}
		if len(before) != len(after) {
			t.Errorf("%s again makes %d keys of %d", name, len(after), len(before))
		}
	}})
	exercise(t, s)
	// The first run of each was by its text, so everything runs a second time.
	server.Client().Del(t.Context(), metaKey, idemKey(testScope, "key"), adminKey("last"), adminNamesKey, censusKey(s.Now().Unix()/60))
	exercise(t, s)
	for _, name := range names {
		if !ran[name] {
			t.Errorf("%s was never sent twice", name)
		}
	}
}
