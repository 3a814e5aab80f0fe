package store

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"

	"rollcall/protocol"
)

// toldOf returns the names of a user's events in the feed, in order, of those
// that keep lets through; nil lets all through.
func toldOf(t testing.TB, s *Store, user uuid.UUID, keep ...string) (names []string) {
	t.Helper()
	for seq := int64(0); ; {
		events, err := s.FeedAfter(t.Context(), testScope, seq, MaxFeedPage)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range events {
			if e.User == user && (keep == nil || slices.Contains(keep, e.Name)) {
				names = append(names, e.Name)
			}
			seq = e.Seq
		}
		if len(events) == 0 {
			return names
		}
	}
}

func mustLoginAt(t testing.TB, s *Store, id uuid.UUID, lease, place string) Session {
	t.Helper()
	_, sess, err := s.Login(t.Context(), id, arrival(lease, place), nil)
	if err != nil {
		t.Fatal(err)
	}
	return sess
}

func presenceOf(id uuid.UUID, sess Session, lease, place string) Presence {
	return Presence{Lease: lease, Place: place, User: id, Session: sess.ID, Scope: testScope, Via: Via{Node: "n1"}}
}

func wantOnline(t testing.TB, s *Store, want int64) {
	t.Helper()
	if n, err := s.CountOnline(t.Context(), testScope); n != want || err != nil {
		t.Errorf("%d users are online, %v; want %d", n, err, want)
	}
}

// wantPlaces holds all that the storage has of a user's connections against the
// places where the user should be.
func wantPlaces(t testing.TB, s *Store, what string, id uuid.UUID, want []string) {
	t.Helper()
	ctx := t.Context()
	u, err := s.User(ctx, id)
	if err != nil {
		t.Errorf("%s: %v", what, err)
		return
	}
	slices.Sort(u.Places)
	if !slices.Equal(u.Places, want) || u.Online() != (len(want) > 0) {
		t.Errorf("%s: the record has %v, want %v", what, u.Places, want)
	}
	online, err := s.AreOnline(ctx, testScope, []uuid.UUID{uuid.New(), id})
	if err != nil || online[0] || online[1] != (len(want) > 0) {
		t.Errorf("%s: online is %v, %v; want %v", what, online, err, want)
	}
	all, err := s.PresencesOf(ctx, u)
	var places []string
	for _, pr := range all {
		places = append(places, pr.Lease+"."+pr.Place)
		if pr.User != id || pr.Scope != testScope {
			t.Errorf("%s: %+v", what, pr)
		}
	}
	slices.Sort(places)
	if err != nil || !slices.Equal(places, want) {
		t.Errorf("%s: the places are %v, %v; want %v", what, places, err, want)
	}
}

// What a user's connections do, and whether the user is at that place then.
var moves = []struct {
	name, place string
	there       bool
}{
	{"login", "1", true}, {"login", "2", true},
	{"resume", "1", true}, {"resume", "2", true},
	{"enter", "1", true}, {"enter", "2", true},
	{"depart", "1", false}, {"depart", "2", false},
}

func TestPlacesAndTheirEventsAreRightInEveryOrder(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		n := len(moves)
		var mu sync.Mutex
		want, online := map[uuid.UUID][]string{}, int64(0)
		allTogether(n*n*n, func(i int) {
			u := newUser(fmt.Sprint("user", i))
			u.ID = uuid.New()
			mustCreate(t, s, u)
			sess := mustLogin(t, s, u.ID) // has no place
			at, told, what := map[string]bool{}, []string(nil), ""
			for _, m := range []int{i % n, i / n % n, i / n / n} {
				move := moves[m]
				place := fmt.Sprint(i, "-", move.place) // places are of one user each
				what += " " + move.name + " " + move.place
				var err error
				switch move.name {
				case "login":
					_, _, err = s.Login(ctx, u.ID, arrival("lease1", place), nil)
				case "resume":
					_, _, _, err = s.Resume(ctx, testScope, sess.Token, arrival("lease1", place))
				case "enter":
					err = s.Enter(ctx, presenceOf(u.ID, sess, "lease1", place))
				case "depart":
					err = s.Depart(ctx, presenceOf(u.ID, sess, "lease1", place), protocol.OfflineClosed)
				}
				if err != nil {
					t.Errorf("%s: %v", what, err)
				}
				before := at["1"] || at["2"]
				at[move.place] = move.there
				if after := at["1"] || at["2"]; after != before {
					told = append(told, map[bool]string{true: protocol.EventUserOnline, false: protocol.EventUserOffline}[after])
				}
				var places []string
				for _, nth := range []string{"1", "2"} {
					if at[nth] {
						places = append(places, fmt.Sprint("lease1.", i, "-", nth))
					}
				}
				wantPlaces(t, s, what, u.ID, places)
			}
			mu.Lock()
			defer mu.Unlock()
			want[u.ID] = told
			if at["1"] || at["2"] {
				online++
			}
		})
		wantOnline(t, s, online)
		got := map[uuid.UUID][]string{}
		for seq := int64(0); ; {
			events, err := s.FeedAfter(ctx, testScope, seq, MaxFeedPage)
			if err != nil {
				t.Fatal(err)
			}
			if len(events) == 0 {
				break
			}
			for _, e := range events {
				if seq = e.Seq; e.Name == protocol.EventUserOnline || e.Name == protocol.EventUserOffline {
					got[e.User] = append(got[e.User], e.Name)
				}
			}
		}
		for id, told := range want {
			if !slices.Equal(got[id], told) {
				t.Errorf("%s told %v, want %v", id, got[id], told)
			}
		}
		if text := s.client.HGet(ctx, feedPartOf(testScope).meta(testScope), "n").Val(); text != fmt.Sprint(online) {
			t.Errorf("the feed counts %s users online, want %d", text, online)
		}
	})
}

func TestAPlaceTellsWhoIsThere(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		u := mustCreate(t, s, newUser("tiny"))
		sess := mustLoginAt(t, s, u.ID, "lease1", "a1")
		mustLoginAt(t, s, u.ID, "lease2", "a1")
		for part := range Partitions {
			all, err := s.Present(t.Context(), "lease1", part)
			if part != PartitionOf(u.ID) {
				if len(all) != 0 || err != nil {
					t.Errorf("partition %d has %v, %v", part, all, err)
				}
				continue
			}
			if err != nil || len(all) != 1 {
				t.Fatal(all, err)
			}
			pr := all[0]
			if pr.Lease != "lease1" || pr.Place != "a1" || pr.User != u.ID || pr.Session != sess.ID || pr.Scope != testScope || pr.Since != sess.CreatedAt.UnixMilli() {
				t.Errorf("got %+v", pr)
			}
			if v := pr.Via; v.Node != "n1" || v.IP != "203.0.113.7" || v.Client == nil || v.Client.Name != `a "game"` {
				t.Errorf("got %+v", v)
			}
		}
		// A place that is gone since the record was read is left out.
		u = mustUser(t, s, u.ID)
		must(t, s.Depart(t.Context(), presenceOf(u.ID, sess, "lease2", "a1"), protocol.OfflineClosed))
		if all, err := s.PresencesOf(t.Context(), u); len(u.Places) != 2 || len(all) != 1 || all[0].Lease != "lease1" || err != nil {
			t.Errorf("places %v give %v, %v", u.Places, all, err)
		}
	})
}

func TestOnlyOnlineUsersOfTheScopeAreOnline(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		tiny, away := mustCreate(t, s, newUser("tiny")), mustCreate(t, s, newUser("away"))
		n := newUser("tiny")
		n.Scope = "other"
		other := mustCreate(t, s, n)
		mustLoginAt(t, s, tiny.ID, "lease1", "1")
		a := arrival("lease1", "2")
		a.Scope = "other"
		if _, _, err := s.Login(ctx, other.ID, a, nil); err != nil {
			t.Fatal(err)
		}
		ids := []uuid.UUID{tiny.ID, away.ID, other.ID, uuid.New(), tiny.ID}
		for scope, want := range map[string][]bool{
			testScope: {true, false, false, false, true},
			"other":   {false, false, true, false, false},
			"none":    {false, false, false, false, false},
		} {
			if got, err := s.AreOnline(ctx, scope, ids); !slices.Equal(got, want) || err != nil {
				t.Errorf("in %s: %v, %v; want %v", scope, got, err, want)
			}
		}
		if got, err := s.AreOnline(ctx, testScope, nil); len(got) != 0 || err != nil {
			t.Errorf("of nobody: %v, %v", got, err)
		}
		users, err := s.OnlineUsers(ctx, testScope, 10)
		if err != nil || len(users) != 1 || users[0].ID != tiny.ID {
			t.Errorf("online: %v, %v", users, err)
		}
		if users, err := s.OnlineUsers(ctx, testScope, 0); len(users) != 0 || err != nil {
			t.Errorf("of no more than none: %v, %v", users, err)
		}
		wantOnline(t, s, 1)
	})
}

func TestADeletedUsersPlacesComeToNothing(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		u := mustCreate(t, s, newUser("tiny"))
		first, second := mustLoginAt(t, s, u.ID, "lease1", "1"), mustLoginAt(t, s, u.ID, "lease1", "2")
		if _, err := s.DeleteUser(ctx, u.ID); err != nil {
			t.Fatal(err)
		}
		wantOnline(t, s, 0)
		must(t, s.Depart(ctx, presenceOf(u.ID, first, "lease1", "1"), protocol.OfflineEnded))
		wantErr(t, s.Enter(ctx, presenceOf(u.ID, first, "lease1", "1")), ErrSessionInvalid)
		must(t, s.Depart(ctx, presenceOf(u.ID, second, "lease1", "2"), protocol.OfflineEnded))
		wantOnline(t, s, 0)
		if told := toldOf(t, s, u.ID); !slices.Equal(told, []string{"user.created", "user.login", "user.online", "user.login", "user.offline", "user.deleted"}) {
			t.Errorf("told %v", told)
		}
		for _, key := range allKeys(t, s) {
			if strings.HasSuffix(key, "user:"+u.ID.String()) || strings.HasSuffix(key, ":at:lease1") {
				t.Errorf("%s is left", key)
			}
		}
	})
}

// A connection that logs in anew gets another place before it leaves the former.
func TestAConnectionThatLogsInAgainReplacesOthersAndNotItself(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		u := mustCreate(t, s, newUser("tiny"))
		signals := follow(t, s)
		mustLoginAt(t, s, u.ID, "lease1", "1")
		mustLoginAt(t, s, u.ID, "lease2", "7")
		again := arrival("lease1", "2")
		again.Single, again.Instead = true, "lease1.1"
		_, sess, err := s.Login(t.Context(), u.ID, again, nil)
		if err != nil {
			t.Fatal(err)
		}
		again.Place, again.Instead = "3", "lease1.2"
		if _, _, _, err := s.Resume(t.Context(), testScope, sess.Token, again); err != nil {
			t.Fatal(err)
		}
		single := func(places ...string) func(Signal) bool {
			return func(sig Signal) bool {
				return sig.Kind == SignalSingle && sig.User == u.ID && slices.Equal(slices.Sorted(slices.Values(sig.Places)), places)
			}
		}
		eventually(t, "the login closes the other connection", func() bool { return signals.has(single("lease2.7")) })
		eventually(t, "so does the resume", func() bool { return signals.has(single("lease1.1", "lease2.7")) })
	})
}

// The client sends a login again whose reply it has not seen. By then another
// node may have told its events, and taken them from the outbox.
func TestARepeatedLoginOrResumeTellsNothingThatWasToldMeanwhile(t *testing.T) {
	onEveryWith(t, Config{noSweeps: true}, func(t *testing.T, s *Store) {
		u := mustCreate(t, s, newUser("tiny"))
		repeat := false
		s.client.AddHook(hook{after: func(ctx context.Context, cmd redis.Cmder, again func(context.Context, redis.Cmder) error) {
			args := cmd.Args()
			if !repeat || cmd.Err() != nil || len(args) < 2 || args[1] != scriptLogin.sha && args[1] != scriptResume.sha {
				return
			}
			repeat = false
			r := cmd.(*redis.Cmd).Val().([]any)
			for _, part := range r {
				pairs, _ := part.([]any)
				if len(pairs) != 2 {
					continue // not {effect id, effect}
				}
				told, err := parseTelling(pairs[0].(string), pairs[1].(string))
				if err != nil {
					continue
				}
				must(t, s.appendFeed(ctx, told))
				must(t, again(ctx, redis.NewIntCmd(ctx, "hdel", partitionOf(u.ID).outbox(), told.id)))
				eventually(t, "another second begins", func() bool { return time.Now().Unix() > told.at.Unix() })
			}
			if err := again(ctx, cmd); err != nil {
				t.Error(err)
			}
		}})
		sess := mustLoginAt(t, s, u.ID, "lease1", "1") // the script's text is known from now on
		if _, _, _, err := s.Resume(t.Context(), "", sess.Token, arrival("lease1", "1")); err != nil {
			t.Fatal(err)
		}
		repeat = true
		mustLoginAt(t, s, u.ID, "lease1", "2")
		if repeat {
			t.Fatal("no login was repeated")
		}
		repeat = true
		if _, _, _, err := s.Resume(t.Context(), "", sess.Token, arrival("lease1", "3")); err != nil || repeat {
			t.Fatal(err, repeat)
		}
		want := []string{"user.created", "user.login", "user.online", "user.resumed", "user.login", "user.resumed"}
		if told := toldOf(t, s, u.ID); !slices.Equal(told, want) {
			t.Errorf("told %v, want %v", told, want)
		}
		if !outboxesEmpty(t, s) {
			t.Error("something is left to be told")
		}
		if u := mustUser(t, s, u.ID); u.Logins != 2 {
			t.Errorf("%d logins", u.Logins)
		}
	})
}
