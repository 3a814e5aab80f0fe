package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"

	"rollcall/protocol"
)

func TestEveryWriteTellsItsEvents(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		tp, head := followFeed(t, s, testScope)
		if head.Seq != 0 || head.Epoch == "" {
			t.Errorf("an empty feed is at %v", head)
		}
		n := newUserWithEmail(`T"iny`, "tiny@home.com")
		n.Confirmation, n.Active, n.Via = ConfirmationPending, false, Via{Method: "password", IP: "::1"}
		u := mustCreate(t, s, n)
		wantPending(t, s, 1)
		must := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		_, _, err := s.Login(ctx, u.ID, arrival("lease1", "1"), nil) // inactive: online, but no login
		must(err)
		_, err = s.Confirm(ctx, mustCode(t, s, u, CodeConfirm))
		must(err)
		_, sess, err := s.Login(ctx, u.ID, arrival("lease1", "2"), nil)
		must(err)
		_, _, _, err = s.Resume(ctx, testScope, sess.Token, arrival("lease1", "3"))
		must(err)
		_, err = s.UpdateUser(ctx, u.ID, UserUpdate{Group: new("blue"), Extra: extraOf("a", "1")})
		must(err)
		for _, place := range []string{"1", "2", "3", "3"} {
			pr := Presence{Lease: "lease1", Place: place, User: u.ID, Scope: testScope, Via: Via{Node: "n1"}}
			must(s.Depart(ctx, pr, protocol.OfflineClosed))
		}
		_, err = s.BanUser(ctx, u.ID, Ban{Reason: `"aimbot"`})
		must(err)
		var banned *BannedError
		if _, _, err := s.Login(ctx, u.ID, arrival("lease1", "4"), nil); !errors.Is(err, ErrUserBanned) || !errors.As(err, &banned) || banned.Reason != `"aimbot"` {
			t.Errorf("login of a banned user: %v", err)
		}
		_, err = s.UnbanUser(ctx, u.ID)
		must(err)
		_, err = s.DeleteUser(ctx, u.ID)
		must(err)

		want := []string{"user.created", "user.online", "user.confirmed", "user.login", "user.resumed", "user.updated", "user.offline", "user.banned", "user.unbanned", "user.deleted"}
		eventually(t, "all events come", func() bool { return len(tp.names()) >= len(want) })
		events, lost := tp.snapshot()
		if got := tp.names(); !slices.Equal(got, want) || lost != nil {
			t.Fatalf("got  %v\nwant %v, lost %v", got, want, lost)
		}
		ids := map[string]bool{}
		for i, e := range events {
			if e.Seq != int64(i+1) || e.Epoch != events[0].Epoch || e.Epoch == "" || e.User != u.ID || ids[e.ID] || time.Since(e.Time).Abs() > time.Minute {
				t.Errorf("event %d: %+v", i, e)
			}
			ids[e.ID] = true
			if d := dataOf(t, e); d.UserID != u.ID || d.Username != `T"iny` {
				t.Errorf("%s tells %s", e.Name, e.Data)
			}
		}
		if d := dataOf(t, events[3]); d.Method != "password" || d.Node != "n1" || d.IP != "203.0.113.7" || d.Client == nil || d.Client.Name != `a "game"` {
			t.Errorf("login tells %s", events[3].Data)
		}
		if d := dataOf(t, events[5]); !slices.Equal(d.Fields, []string{"group", "extra"}) || d.Group != "blue" {
			t.Errorf("update tells %s", events[5].Data)
		}
		// What was told of a user who is gone by now is told without the name.
		again, err := s.FeedAfter(ctx, testScope, 0, 100)
		if err != nil || len(again) != len(events) {
			t.Fatal(len(again), err)
		}
		for _, e := range again {
			if string(e.Data) != `{"user_id":"`+u.ID.String()+`"}` {
				t.Errorf("%s of a deleted user tells %s", e.Name, e.Data)
			}
		}
		wantPending(t, s, 0)
		if last := today(t, s); last.Joins != 1 || last.Logins != 1 || last.Resumes != 1 || last.OnlinePeak != 1 {
			t.Errorf("counted %+v", last)
		}
		if n, err := s.ActiveUsers(ctx, testScope, 1, 7, 30); err != nil || !slices.Equal(n, []int64{1, 1, 1}) {
			t.Errorf("active users: %v %v", n, err)
		}
		eventually(t, "the outbox is empty", func() bool { return s.client.HLen(ctx, partitionOf(u.ID).outbox()).Val() == 0 })
	})
}

func wantPending(t *testing.T, s *Store, want int64) {
	t.Helper()
	if pending, err := s.CountPending(t.Context(), testScope); pending != want || err != nil {
		t.Errorf("%d pending, %v; want %d", pending, err, want)
	}
}

// today returns the scope's counts of this day.
func today(t *testing.T, s *Store) protocol.StatStep {
	t.Helper()
	now := s.Now()
	steps, err := s.StatSteps(t.Context(), testScope, now.Add(-time.Second), now.Add(time.Second), 24*time.Hour)
	if err != nil || len(steps) == 0 {
		t.Fatal(steps, err)
	}
	return steps[len(steps)-1]
}

func TestFailedLoginsAreCountedAndSomeAreTold(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		fail := func(account, ip string) {
			t.Helper()
			f := FailedLogin{Scope: testScope, Account: account, Address: ip, Reason: protocol.FailedUnknown}
			if err := s.TellFailedLogin(t.Context(), f); err != nil {
				t.Fatal(err)
			}
		}
		for i := range 8 {
			fail("tiny", fmt.Sprint("203.0.113.", i))
			fail(fmt.Sprint("other", i), "203.0.113.99")
		}
		events, err := s.FeedAfter(t.Context(), testScope, 0, 100)
		if err != nil || len(events) != 10 {
			t.Fatalf("%d events, %v", len(events), err)
		}
		if last := today(t, s); last.Failures != 16 {
			t.Errorf("counted %+v", last)
		}
	})
}

func tellMany(t testing.TB, s *Store, from, n int) {
	t.Helper()
	for i := range n {
		err := s.TellAdminAction(t.Context(), testScope, protocol.EventData{Admin: "ops", Action: fmt.Sprint("action ", from+i)})
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestAPositionReachesAsFarAsTheHistory(t *testing.T) {
	onEveryWith(t, Config{FeedBytes: 20_000}, func(t *testing.T, s *Store) {
		ctx := t.Context()
		reaches := func(pos protocol.FeedPosition, want bool) {
			t.Helper()
			if got, err := s.FeedReaches(ctx, testScope, pos); got != want || err != nil {
				t.Errorf("%+v reaches: %v, %v; want %v", pos, got, err, want)
			}
		}
		head := func() protocol.FeedPosition {
			t.Helper()
			pos, err := s.FeedHead(ctx, testScope)
			if err != nil {
				t.Fatal(err)
			}
			return pos
		}
		reaches(protocol.FeedPosition{}, true)
		tellMany(t, s, 0, 10)
		events, err := s.FeedAfter(ctx, testScope, 0, 100)
		if err != nil || len(events) != 10 {
			t.Fatal(len(events), err)
		}
		third := events[2].Position()
		reaches(protocol.FeedPosition{}, true)
		reaches(third, true)
		reaches(events[9].Position(), true)
		reaches(protocol.FeedPosition{Seq: 3, Epoch: third.Epoch}, true)
		reaches(protocol.FeedPosition{Seq: 3, Epoch: "another"}, false)

		tellMany(t, s, 10, 400)
		reaches(third, false)
		reaches(protocol.FeedPosition{}, false)
		first := head()
		if first.Seq != 410 || first.Epoch != third.Epoch {
			t.Fatal(first)
		}
		reaches(first, true)
		kept, err := s.FeedAfter(ctx, testScope, 0, MaxFeedPage)
		if err != nil || len(kept) < 30 || len(kept) > 200 || kept[len(kept)-1].Seq != 410 {
			t.Errorf("%d events are kept, %v", len(kept), err)
		}
		for i := range kept {
			if i > 0 && kept[i].Seq != kept[i-1].Seq+1 {
				t.Errorf("%d follows %d", kept[i].Seq, kept[i-1].Seq)
			}
		}
		last, err := s.FeedLast(ctx, testScope, 409, 5, 1000, func(*FeedEvent) bool { return true })
		if err != nil || len(last) != 5 || last[4].Seq != 409 || last[0].Seq != 405 {
			t.Errorf("last: %v %v", last, err)
		}

		// A place that holds another event, and one that the feed has not come to.
		reaches(protocol.FeedPosition{Seq: 409, Epoch: third.Epoch, EventID: "never"}, false)
		reaches(protocol.FeedPosition{Seq: 999, Epoch: third.Epoch}, false)
		if at := head(); at != first {
			t.Errorf("what was asked moved the feed from %v to %v", first, at)
		}
	})
}

func TestAFeedThatExpiredTakesNoRoomAnyMore(t *testing.T) {
	onEveryWith(t, Config{FeedBytes: 20_000}, func(t *testing.T, s *Store) {
		ctx := t.Context()
		tellMany(t, s, 0, 400) // as much as there is room for
		gone := redis.NewIntCmd(ctx, "pexpire", feedPartOf(testScope).feed(testScope), 0)
		if err := s.do(ctx, gone); err != nil || gone.Val() != 1 {
			t.Fatal(gone.Val(), err)
		}
		tellMany(t, s, 400, 20)
		kept, err := s.FeedAfter(ctx, testScope, 0, MaxFeedPage)
		if err != nil || len(kept) != 20 {
			t.Fatalf("%d of 20 events are kept, %v", len(kept), err)
		}
		if ok, err := s.FeedReaches(ctx, testScope, protocol.FeedPosition{Seq: 400, Epoch: kept[0].Epoch}); !ok || err != nil {
			t.Errorf("the end of what expired reaches: %v, %v", ok, err)
		}
	})
}

func TestALostFeedIsToldToThoseWhoFollow(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		tp, _ := followFeed(t, s, testScope)
		tellMany(t, s, 0, 5)
		eventually(t, "five events come", func() bool { return len(tp.names()) == 5 })
		for _, key := range allKeys(t, s) {
			s.client.Del(t.Context(), key)
		}
		eventually(t, "the loss is told", func() bool { return tp.losses() == 1 })
		tellMany(t, s, 5, 2)
		eventually(t, "two more come", func() bool { return len(tp.names()) == 7 })
		events, lost := tp.snapshot()
		if lost[0].Seq != 5 || lost[0].Epoch == events[0].Epoch || events[5].Seq != 6 || events[5].Epoch != lost[0].Epoch {
			t.Errorf("lost %+v, then %+v", lost, events[5:])
		}
	})
}

// As after a failover to a replica that had not got the newest events: others
// took their numbers before anybody looked.
func TestNumbersThatWentToOtherEventsAreNoticed(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		tellMany(t, s, 0, 5)
		p, ctx := feedPartOf(testScope), t.Context()
		before, meta := s.client.XRange(ctx, p.feed(testScope), "-", "+").Val(), s.client.HGetAll(ctx, p.meta(testScope)).Val()
		tp, _ := followFeed(t, s, testScope)
		tellMany(t, s, 5, 3)
		eventually(t, "three events come", func() bool { return len(tp.names()) == 3 })

		pipe := s.client.TxPipeline()
		pipe.Del(ctx, p.feed(testScope))
		for _, m := range before {
			pipe.XAdd(ctx, xadd(p.feed(testScope), m))
		}
		pipe.HSet(ctx, p.meta(testScope), meta)
		if _, err := pipe.Exec(ctx); err != nil {
			t.Fatal(err)
		}
		other := openSame(t, s)
		tellMany(t, other, 100, 6)
		eventually(t, "the loss is told", func() bool { return tp.losses() == 1 })
		tellMany(t, other, 200, 1)
		eventually(t, "what comes after is told", func() bool {
			events, _ := tp.snapshot()
			return dataOf(t, events[len(events)-1]).Action == "action 200"
		})
		events, lost := tp.snapshot()
		last := events[len(events)-1]
		if last.Epoch != lost[0].Epoch || last.Epoch == events[2].Epoch {
			t.Errorf("lost %+v, then %+v", lost, last)
		}
	})
}

func TestManyAppendsFromManyPlacesComeOnceAndInOrder(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		tp, _ := followFeed(t, s, testScope)
		const writers, each = 20, 50
		allTogether(writers, func(i int) {
			for j := range each {
				if err := s.TellAdminAction(context.Background(), testScope, protocol.EventData{Admin: "ops", Action: fmt.Sprint(i, " ", j)}); err != nil {
					t.Error(err)
				}
			}
		})
		eventually(t, "all come", func() bool { return len(tp.names()) >= writers*each })
		events, lost := tp.snapshot()
		ids := map[string]bool{}
		for i, e := range events {
			if e.Seq != int64(i+1) || ids[e.ID] {
				t.Fatalf("event %d has seq %d", i, e.Seq)
			}
			ids[e.ID] = true
		}
		if lost != nil {
			t.Errorf("lost: %v", lost)
		}
	})
}

func TestActiveUsersAreCountedWithinTwoPercent(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		const n = 20_000
		ids := make([]uuid.UUID, n)
		for i := range ids {
			ids[i] = uuid.NewSHA1(uuid.NameSpaceOID, fmt.Append(nil, i)) // the same at every run
		}
		for chunk := range slices.Chunk(ids, 1000) {
			if err := s.MarkActive(t.Context(), testScope, chunk); err != nil {
				t.Fatal(err)
			}
		}
		counts, err := s.ActiveUsers(t.Context(), testScope, 1, 30)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range counts {
			if c < n*98/100 || c > n*102/100 {
				t.Errorf("counted %d of %d", c, n)
			}
		}
	})
}

func TestAnEventThatCannotBeReadIsToldAsLostAndStopsNothing(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		tp, _ := followFeed(t, s, testScope)
		tellMany(t, s, 0, 2)
		eventually(t, "two events come", func() bool { return len(tp.names()) == 2 })
		ctx, p := t.Context(), feedPartOf(testScope)
		bad := &redis.XAddArgs{Stream: p.feed(testScope), ID: "3-1", Values: []string{"n", "x"}}
		if err := s.client.XAdd(ctx, bad).Err(); err != nil {
			t.Fatal(err)
		}
		s.client.HSet(ctx, p.meta(testScope), "s", 3, "l", "3-1")
		tellMany(t, s, 2, 2)
		eventually(t, "two more come", func() bool { return len(tp.names()) == 4 })
		events, lost := tp.snapshot()
		if len(lost) == 0 || lost[len(lost)-1].Seq != 3 || events[2].Seq != 4 || events[3].Seq != 5 {
			t.Errorf("lost %v, then %+v", lost, events[2:])
		}
	})
}
