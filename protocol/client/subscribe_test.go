package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"rollcall/protocol"
	"rollcall/protocol/client"
)

// A fakeFeed answers admin.subscribe and admin.unsubscribe in a fake server.
type fakeFeed struct {
	mu      sync.Mutex // guards what follows
	params  []protocol.SubscribeParams
	ended   []string // subscriptions that were unsubscribed
	answers []func(*fakeConn, protocol.Request)
}

// feedServer returns a fake server with a feed. To the first admin.subscribe it
// gives the first answer, and so on; to those behind the last it gives the last.
func feedServer(t *testing.T, answers ...func(*fakeConn, protocol.Request)) (*fakeServer, *fakeFeed) {
	f := &fakeFeed{answers: answers}
	s := start(t)
	s.answer = f.answer
	return s, f
}

func (f *fakeFeed) answer(c *fakeConn, req protocol.Request) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch req.Type {
	case "admin.subscribe":
		var p protocol.SubscribeParams
		if err := protocol.DecodeResult(req.Data, &p); err != nil {
			panic(err)
		}
		answer := f.answers[min(len(f.params), len(f.answers)-1)]
		f.params = append(f.params, p)
		answer(c, req)
	case "admin.unsubscribe":
		var p protocol.UnsubscribeParams
		_ = protocol.DecodeResult(req.Data, &p)
		f.ended = append(f.ended, p.Subscription)
		c.reply(req, true)
	default:
		return false
	}
	return true
}

// asked returns the parameters of every admin.subscribe so far.
func (f *fakeFeed) asked() []protocol.SubscribeParams {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.params)
}

// enrols answers with a subscription and pushes frames right behind the reply.
func enrols(answer protocol.Subscription, frames ...string) func(*fakeConn, protocol.Request) {
	return func(c *fakeConn, req protocol.Request) {
		c.reply(req, answer)
		for _, f := range frames {
			c.send([]byte(f))
		}
	}
}

func refuses(e protocol.Error) func(*fakeConn, protocol.Request) {
	return func(c *fakeConn, req protocol.Request) { c.send(protocol.AppendError(nil, req, &e)) }
}

// at returns a position in epoch e1, at the event that event makes.
func at(seq int64) protocol.FeedPosition {
	return protocol.FeedPosition{Seq: seq, Epoch: "e1", EventID: fmt.Sprintf("id-%d", seq)}
}

type heads = map[string]protocol.FeedPosition

// event is a push in epoch e1.
func event(scope string, seq int64) string {
	return fmt.Sprintf(`{"event":"user.login","scope":%q,"seq":%d,"epoch":"e1","event_id":"id-%d","time":"2026-11-24T10:00:00.000Z","data":{"username":"tiny"}}`, scope, seq, seq)
}

// A watcher collects, in one order, what a subscription hands out.
type watcher struct {
	mu  sync.Mutex
	all []string
}

func (w *watcher) add(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.all = append(w.all, fmt.Sprintf(format, args...))
}

func (w *watcher) onEvent(p protocol.Push) { w.add("%s %d", p.Scope, p.Seq) }

func (w *watcher) onResume(r client.Resumed) {
	w.add("resumed away %v recovered %v lost %q follow %d", r.Away, r.Recovered, r.Lost, r.Follow)
}

func (w *watcher) want(t *testing.T, lines ...string) {
	t.Helper()
	synctest.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	if !slices.Equal(w.all, lines) {
		t.Errorf("handed out\n\t%s\nwant\n\t%s", strings.Join(w.all, "\n\t"), strings.Join(lines, "\n\t"))
	}
	w.all = nil
}

func (w *watcher) options(scope string, events ...string) client.SubscribeOptions {
	return client.SubscribeOptions{Scope: scope, Events: events, OnEvent: w.onEvent, OnResume: w.onResume}
}

// admin returns an admin's client whose pushes of nobody go to w.
func admin(t *testing.T, s *fakeServer, w *watcher) *client.Client {
	t.Helper()
	opt := options(s)
	opt.Scope, opt.Key = "", ""
	opt.Admin = &protocol.AdminLoginParams{Name: "admin", Password: "the-admin-password"}
	opt.OnPush = func(p protocol.Push) { w.add("nobody's %s %s %d", p.Event, p.Scope, p.Seq) }
	return dial(t, opt)
}

// subscribe subscribes in a way that must succeed, and waits for what the server
// pushes right behind its reply.
func subscribe(t *testing.T, c *client.Client, opt client.SubscribeOptions) *client.Subscription {
	t.Helper()
	sub, err := c.Subscribe(t.Context(), opt)
	if err != nil {
		t.Fatal(err)
	}
	synctest.Wait()
	return sub
}

func wantPositions(t *testing.T, sub *client.Subscription, want heads) {
	t.Helper()
	synctest.Wait()
	if got := sub.Positions(); !reflect.DeepEqual(got, want) {
		t.Errorf("positions are %v, want %v", got, want)
	}
}

// away cuts every connection and waits until the client may be back, which takes
// one pause with the largest jitter.
func away(s *fakeServer) {
	s.drop()
	time.Sleep(500 * time.Millisecond)
	synctest.Wait()
}

func TestASubscriptionHandsOutWhatFollowsItsReply(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, f := feedServer(t, enrols(protocol.Subscription{Subscription: "s1", Recovered: true, Heads: heads{"A": at(7)}},
			event("A", 8), "["+event("A", 9)+","+event("B", 1)+"]"))
		w := new(watcher)
		c := admin(t, s, w)
		opt := w.options("*", "user.login")
		opt.Batch = true
		sub := subscribe(t, c, opt)
		w.want(t, "A 8", "A 9", "B 1")
		wantPositions(t, sub, heads{"A": at(9), "B": at(1)})
		if want := []protocol.SubscribeParams{{Scope: "*", Events: []string{"user.login"}, Batch: true}}; !reflect.DeepEqual(f.asked(), want) {
			t.Errorf("asked for %+v", f.asked())
		}
		_ = c.Close()
	})
}

func TestABacklogIsHandedOutThoughItIsBehindTheHead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, f := feedServer(t, enrols(protocol.Subscription{Subscription: "s1", Recovered: true, Heads: heads{"A": at(7), "B": at(3)}},
			event("A", 6)))
		w := new(watcher)
		c := admin(t, s, w)
		opt := w.options("*")
		opt.Last = 5
		sub := subscribe(t, c, opt)
		w.want(t, "A 6")
		// Where the backlog breaks off, the subscription goes on from there.
		wantPositions(t, sub, heads{"A": at(6), "B": at(3)})
		away(s)
		asked := f.asked()
		if asked[0].Last != 5 || asked[0].Since != nil {
			t.Errorf("asked for %+v", asked[0])
		}
		if asked[1].Last != 0 || !reflect.DeepEqual(asked[1].Since, heads{"A": at(6), "B": at(3)}) {
			t.Errorf("came back with %+v", asked[1])
		}
		_ = c.Close()
	})
}

func TestAfterALossASubscriptionGoesOnBehindItsLastEvent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, f := feedServer(t,
			enrols(protocol.Subscription{Subscription: "s1", Recovered: true, Heads: heads{"A": at(7), "B": at(3)}}, event("A", 8)),
			enrols(protocol.Subscription{Subscription: "s2", Recovered: true, Heads: heads{"A": at(10), "B": at(3), "C": at(1)}},
				event("A", 9), event("A", 10), event("C", 1), event("C", 2)))
		w := new(watcher)
		c := admin(t, s, w)
		sub := subscribe(t, c, w.options("*"))
		w.want(t, "A 8")
		away(s)
		w.want(t, `resumed away 500ms recovered true lost [] follow 2`, "A 9", "A 10", "C 1", "C 2")
		if got, want := f.asked()[1].Since, (heads{"A": at(8), "B": at(3)}); !reflect.DeepEqual(got, want) {
			t.Errorf("came back with %v, want %v", got, want)
		}
		wantPositions(t, sub, heads{"A": at(10), "B": at(3), "C": at(2)})
		_ = c.Close()
	})
}

func TestNoEventIsHandedOutTwiceOrOutOfOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := feedServer(t,
			enrols(protocol.Subscription{Subscription: "s1", Recovered: true, Heads: heads{"A": at(7)}}, event("A", 8), event("A", 8), event("A", 9)),
			// A server that sends again what it sent before, and lets an old event slip in.
			enrols(protocol.Subscription{Subscription: "s2", Recovered: true, Heads: heads{"A": at(10)}}, event("A", 8), event("A", 9), event("A", 10), event("A", 4), event("A", 11)))
		w := new(watcher)
		c := admin(t, s, w)
		subscribe(t, c, w.options("A"))
		w.want(t, "A 8", "A 9")
		away(s)
		w.want(t, "resumed away 500ms recovered true lost [] follow 1", "A 10", "A 11")
		_ = c.Close()
	})
}

func TestAFeedWithoutEventsHasAPositionToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, f := feedServer(t,
			enrols(protocol.Subscription{Subscription: "s1", Recovered: true, Heads: heads{"A": {}, "B": {}}}, event("B", 1)),
			enrols(protocol.Subscription{Subscription: "s2", Recovered: true, Heads: heads{"A": at(2), "B": at(1)}}, event("A", 1), event("A", 2)))
		w := new(watcher)
		c := admin(t, s, w)
		subscribe(t, c, w.options("*"))
		w.want(t, "B 1")
		away(s)
		w.want(t, "resumed away 500ms recovered true lost [] follow 2", "A 1", "A 2")
		if got, want := f.asked()[1].Since, (heads{"A": {}, "B": at(1)}); !reflect.DeepEqual(got, want) {
			t.Errorf("came back with %v, want %v", got, want)
		}
		_ = c.Close()
	})
}

func TestWithAFilterHowManyFollowIsUnknown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := feedServer(t, enrols(protocol.Subscription{Subscription: "s1", Recovered: true, Heads: heads{"A": at(7)}}))
		w := new(watcher)
		c := admin(t, s, w)
		subscribe(t, c, w.options("A", "user.login"))
		away(s)
		w.want(t, "resumed away 500ms recovered true lost [] follow -1")
		_ = c.Close()
	})
}

func TestAHistoryThatNoLongerReachesBackIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := feedServer(t,
			enrols(protocol.Subscription{Subscription: "s1", Recovered: true, Heads: heads{"A": at(7), "B": at(3), "C": at(5)}}),
			enrols(protocol.Subscription{Subscription: "s2", Recovered: false, Lost: []string{"C", "A"},
				Heads: heads{"A": {Seq: 900, Epoch: "e2", EventID: "x"}, "B": at(4)}}, event("B", 4)))
		w := new(watcher)
		c := admin(t, s, w)
		sub := subscribe(t, c, w.options("*"))
		away(s)
		w.want(t, `resumed away 500ms recovered false lost ["A" "C"] follow 1`, "B 4")
		wantPositions(t, sub, heads{"A": {Seq: 900, Epoch: "e2", EventID: "x"}, "B": at(4)})
		_ = c.Close()
	})
}

func TestEventsThatALiveFeedLosesAreTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := feedServer(t, enrols(protocol.Subscription{Subscription: "s1", Recovered: true, Heads: heads{"A": at(7), "B": at(3)}}))
		w := new(watcher)
		c := admin(t, s, w)
		sub := subscribe(t, c, w.options("*"))
		s.push(`{"event":"feed.lost","scope":"A","seq":20,"epoch":"e1"}`, event("A", 20), event("A", 21))
		w.want(t, `resumed away 0s recovered false lost ["A"] follow 0`, "A 21")
		// Lost up to where the subscription is anyway: nothing.
		s.push(`{"event":"feed.lost","scope":"A","seq":21,"epoch":"e1"}`)
		w.want(t)
		// An event of a new epoch says the same without being asked.
		s.push(`{"event":"user.login","scope":"B","seq":5,"epoch":"e2","event_id":"y"}`, `{"event":"feed.lost","scope":"B","seq":5,"epoch":"e2"}`)
		w.want(t, `resumed away 0s recovered false lost ["B"] follow 0`, "B 5")
		wantPositions(t, sub, heads{"A": at(21), "B": {Seq: 5, Epoch: "e2", EventID: "y"}})
		_ = c.Close()
	})
}

func TestAHeadAdvancesThePositionOfAFilteredSubscription(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, f := feedServer(t, enrols(protocol.Subscription{Subscription: "s1", Recovered: true, Heads: heads{"A": at(7)}}, event("A", 9)))
		w := new(watcher)
		c := admin(t, s, w)
		sub := subscribe(t, c, w.options("A", "user.login"))
		w.want(t, "A 9")
		s.push(`{"event":"feed.head","scope":"A","seq":9,"epoch":"e1"}`)
		wantPositions(t, sub, heads{"A": at(9)}) // the event's id is kept
		s.push(`{"event":"feed.head","scope":"A","seq":30,"epoch":"e1"}`)
		wantPositions(t, sub, heads{"A": {Seq: 30, Epoch: "e1"}})
		w.want(t)
		away(s)
		if got := f.asked()[1].Since["A"]; got != (protocol.FeedPosition{Seq: 30, Epoch: "e1"}) {
			t.Errorf("came back with %v", got)
		}
		_ = c.Close()
	})
}

func TestASubscriptionContinuesFromGivenPositions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, f := feedServer(t, enrols(protocol.Subscription{Subscription: "s1", Recovered: true, Heads: heads{"A": at(7)}}, event("A", 6), event("A", 7)))
		w := new(watcher)
		c := admin(t, s, w)
		opt := w.options("A")
		opt.Since = heads{"A": at(5), "another": at(1)}
		subscribe(t, c, opt)
		w.want(t, "resumed away 0s recovered true lost [] follow 2", "A 6", "A 7")
		if got, want := f.asked()[0].Since, (heads{"A": at(5)}); !reflect.DeepEqual(got, want) {
			t.Errorf("asked since %v, want %v", got, want)
		}
		_ = c.Close()
	})
}

func TestPositionsTooManyForAMessageCountAsLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		many, since := heads{}, heads{}
		for i := range 2000 {
			many[fmt.Sprintf("scope-%04d", i)] = at(7)
			since[fmt.Sprintf("scope-%04d", i)] = at(5)
		}
		s, f := feedServer(t, enrols(protocol.Subscription{Subscription: "s1", Recovered: true, Heads: many}))
		w := new(watcher)
		c := admin(t, s, w)
		var r client.Resumed
		opt := w.options("*")
		opt.Since, opt.OnResume = since, func(got client.Resumed) { r = got }
		subscribe(t, c, opt)
		told := len(f.asked()[0].Since)
		if told < 500 || f.asked()[0].Since["scope-0000"] != (protocol.FeedPosition{Seq: 5, Epoch: "e1"}) {
			t.Errorf("told %d positions", told)
		}
		if r.Recovered || len(r.Lost) != 2000-told || r.Lost[0] != fmt.Sprintf("scope-%04d", told) || r.Follow != int64(2*told) {
			t.Errorf("recovered %v, %d lost, %d follow", r.Recovered, len(r.Lost), r.Follow)
		}
		_ = c.Close()
	})
}

func TestATemporaryRefusalIsRepeated(t *testing.T) {
	for _, status := range []protocol.Status{protocol.StatusUnavailable, protocol.StatusBusy, protocol.StatusTooManyRequests} {
		synctest.Test(t, func(t *testing.T) {
			s, f := feedServer(t,
				enrols(protocol.Subscription{Subscription: "s1", Recovered: true, Heads: heads{"A": at(7)}}),
				refuses(protocol.Error{Status: status, Temporary: true, RetryAfter: 3 * time.Second}),
				refuses(protocol.Error{Status: status, Temporary: true}),
				enrols(protocol.Subscription{Subscription: "s2", Recovered: true, Heads: heads{"A": at(8)}}, event("A", 8)))
			w := new(watcher)
			c := admin(t, s, w)
			sub := subscribe(t, c, w.options("A"))
			s.drop()
			time.Sleep(time.Minute)
			// A pause of 0.5 s to reconnect, 3.5 s and 1 s to subscribe.
			w.want(t, "resumed away 5s recovered true lost [] follow 1", "A 8")
			if n := len(f.asked()); n != 4 || sub.Err() != nil {
				t.Errorf("asked %d times, %v", n, sub.Err())
			}
			_ = c.Close()
		})
	}
}

func TestARefusalForGoodEndsTheSubscription(t *testing.T) {
	for _, status := range []protocol.Status{protocol.StatusNotPermitted, protocol.StatusSessionInvalid, protocol.StatusScopeNotFound} {
		synctest.Test(t, func(t *testing.T) {
			s, f := feedServer(t,
				enrols(protocol.Subscription{Subscription: "s1", Recovered: true, Heads: heads{"A": at(7)}}),
				refuses(protocol.Error{Status: status}))
			w := new(watcher)
			c := admin(t, s, w)
			sub := subscribe(t, c, w.options("A"))
			s.drop()
			<-sub.Done()
			wantStatus(t, sub.Err(), status)
			// From here on pushes are nobody's, and another subscription may come.
			s.push(event("A", 8))
			w.want(t, "nobody's user.login A 8")
			_, err := c.Subscribe(t.Context(), w.options("A"))
			wantStatus(t, err, status)
			if n := len(f.asked()); n != 3 {
				t.Errorf("asked %d times", n)
			}
			_ = c.Close()
		})
	}
}

func TestTheFirstRefusalIsReturned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := feedServer(t,
			refuses(protocol.Error{Status: protocol.StatusUnavailable, Temporary: true}),
			func(c *fakeConn, req protocol.Request) { c.reply(req, []int{1}) },
			enrols(protocol.Subscription{Subscription: "s1", Recovered: true}))
		w := new(watcher)
		c := admin(t, s, w)
		for _, status := range []protocol.Status{protocol.StatusUnavailable, protocol.StatusResultInvalid} {
			sub, err := c.Subscribe(t.Context(), w.options("A"))
			if wantStatus(t, err, status); sub != nil {
				t.Error("a subscription came with the error")
			}
		}
		subscribe(t, c, w.options("A"))
		_ = c.Close()
	})
}

func TestCloseUnsubscribesAndHandsOutNothingMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, f := feedServer(t, enrols(protocol.Subscription{Subscription: "s1", Recovered: true, Heads: heads{"A": at(7)}}))
		w := new(watcher)
		c := admin(t, s, w)
		sub := subscribe(t, c, w.options("A"))
		if _, err := c.Subscribe(t.Context(), w.options("B")); !errors.Is(err, client.ErrSubscribed) {
			t.Errorf("a second subscription: %v", err)
		}
		_ = sub.Close()
		if <-sub.Done(); sub.Err() != nil || !slices.Equal(f.ended, []string{"s1"}) {
			t.Errorf("Err %v, unsubscribed %q", sub.Err(), f.ended)
		}
		s.push(event("A", 8))
		w.want(t, "nobody's user.login A 8")
		away(s)
		if n := len(f.asked()); n != 1 {
			t.Errorf("asked %d times", n)
		}
		subscribe(t, c, w.options("B"))
		if n := s.dialCount(); n != 2 {
			t.Errorf("%d connections", n)
		}
		_ = c.Close()
	})
}

func TestCloseDuringAnOutageEndsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, f := feedServer(t, enrols(protocol.Subscription{Subscription: "s1", Recovered: true}))
		w := new(watcher)
		c := admin(t, s, w)
		sub := subscribe(t, c, w.options("A"))
		s.set(func() { s.refuse = http.StatusServiceUnavailable })
		away(s)
		begin := time.Now()
		_ = sub.Close()
		if took := time.Since(begin); took != 0 || sub.Err() != nil || len(f.ended) != 0 {
			t.Errorf("took %v, Err %v, unsubscribed %q", took, sub.Err(), f.ended)
		}
		_ = c.Close()
	})
}

func TestTheEndOfTheClientEndsItsSubscription(t *testing.T) {
	for name, tt := range map[string]struct {
		end  func(*fakeServer, *client.Client)
		want func(error) bool
	}{
		"closed": {func(_ *fakeServer, c *client.Client) { _ = c.Close() }, func(err error) bool { return errors.Is(err, client.ErrClosed) }},
		"kicked": {func(s *fakeServer, _ *client.Client) { s.bye(protocol.CloseKicked, 0) }, func(err error) bool {
			var ce *client.CloseError
			return errors.As(err, &ce) && ce.Code == protocol.CloseKicked
		}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, _ := feedServer(t, enrols(protocol.Subscription{Subscription: "s1", Recovered: true}))
				w := new(watcher)
				c := admin(t, s, w)
				sub := subscribe(t, c, w.options("A"))
				tt.end(s, c)
				if <-sub.Done(); !tt.want(sub.Err()) {
					t.Errorf("Err is %v", sub.Err())
				}
				if _, err := c.Subscribe(t.Context(), w.options("A")); err == nil {
					t.Error("a closed client subscribes")
				}
				_ = c.Close()
			})
		})
	}
}

func TestASubscribeThatIsGivenUpLeavesNoSubscription(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		late := make(chan struct{})
		s, f := feedServer(t,
			func(c *fakeConn, req protocol.Request) {
				<-late
				enrols(protocol.Subscription{Subscription: "s1", Recovered: true, Heads: heads{"A": at(7)}}, event("A", 8))(c, req)
			},
			enrols(protocol.Subscription{Subscription: "s2", Recovered: true, Heads: heads{"A": at(8)}}, event("A", 9)))
		w := new(watcher)
		c := admin(t, s, w)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := c.Subscribe(ctx, w.options("A")); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Subscribe: %v", err)
		}
		time.AfterFunc(time.Second, func() { close(late) })
		subscribe(t, c, w.options("A")) // waits for the end of the first
		w.want(t, "A 9")
		if !slices.Equal(f.ended, []string{"s1"}) || s.dialCount() != 1 {
			t.Errorf("unsubscribed %q, %d connections", f.ended, s.dialCount())
		}
		_ = c.Close()
	})
}

func TestAConnectionThatMayStillBeSubscribedIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, f := feedServer(t, func(*fakeConn, protocol.Request) {}) // never answers
		w := new(watcher)
		c := admin(t, s, w)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := c.Subscribe(ctx, w.options("A")); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Subscribe: %v", err)
		}
		time.Sleep(10 * time.Second)
		if n := s.dialCount(); n != 2 || len(f.asked()) != 1 {
			t.Errorf("%d connections, asked %d times", n, len(f.asked()))
		}
		_ = c.Close()
	})
}

func TestPushesOfNoSubscriptionGoToOnPush(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		answer := func(c *fakeConn, req protocol.Request) {
			c.send([]byte(event("A", 7))) // before the answer: not this subscription's
			enrols(protocol.Subscription{Subscription: "s1", Recovered: true, Heads: heads{"A": at(8)}}, event("A", 8))(c, req)
		}
		s, _ := feedServer(t, answer)
		w := new(watcher)
		c := admin(t, s, w)
		s.push(event("A", 1))
		subscribe(t, c, w.options("A"))
		s.push(event("B", 1), `{"event":"something.else"}`)
		w.want(t, "nobody's user.login A 1", "nobody's user.login A 7", "A 8", "nobody's user.login B 1", "nobody's something.else  0")
		away(s)
		w.want(t, "nobody's user.login A 7", "resumed away 500ms recovered true lost [] follow 0")
		_ = c.Close()
	})
}

func TestAPositionCountsOnceItsEventWasHandled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := feedServer(t, enrols(protocol.Subscription{Subscription: "s1", Recovered: true, Heads: heads{"A": at(7)}}))
		w := new(watcher)
		c := admin(t, s, w)
		release := make(chan struct{})
		sub := subscribe(t, c, client.SubscribeOptions{Scope: "A", OnEvent: func(protocol.Push) { <-release }})
		s.push(event("A", 8))
		wantPositions(t, sub, heads{"A": at(7)})
		close(release)
		wantPositions(t, sub, heads{"A": at(8)})
		// What is stored comes back the same.
		text, err := json.Marshal(sub.Positions())
		if err != nil {
			t.Fatal(err)
		}
		if want := `{"A":{"seq":8,"epoch":"e1","event_id":"id-8"}}`; string(text) != want {
			t.Errorf("stored as %s, want %s", text, want)
		}
		_ = c.Close()
	})
}

// A liveFeed is a feed of one scope that grows and has all of its history.
type liveFeed struct {
	mu    sync.Mutex // guards what follows
	head  int64
	conns map[*fakeConn]bool // that are subscribed
}

func (f *liveFeed) answer(c *fakeConn, req protocol.Request) bool {
	if req.Type != "admin.subscribe" {
		return false
	}
	var p protocol.SubscribeParams
	if err := protocol.DecodeResult(req.Data, &p); err != nil {
		panic(err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	from := f.head
	if p.Since != nil {
		from = p.Since["A"].Seq
	}
	c.reply(req, protocol.Subscription{Subscription: "s", Recovered: true, Heads: heads{"A": at(f.head)}})
	for seq := from + 1; seq <= f.head; seq++ {
		c.send([]byte(event("A", seq)))
	}
	f.conns[c] = true
	return true
}

func (f *liveFeed) grow() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.head++
	for c := range f.conns {
		c.send([]byte(event("A", f.head)))
	}
}

func TestOverManyLossesEveryEventComesOnceAndInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t)
		f := &liveFeed{conns: map[*fakeConn]bool{}}
		s.answer = f.answer
		c := admin(t, s, new(watcher))
		var got []int64
		resumed, follow := 0, int64(0)
		sub := subscribe(t, c, client.SubscribeOptions{Scope: "A",
			OnEvent:  func(p protocol.Push) { got = append(got, p.Seq) },
			OnResume: func(r client.Resumed) { resumed++; follow += r.Follow },
		})
		const events, losses = 5000, 40
		for i := range int64(events) {
			f.grow()
			if i%7 == 0 { // 100 s in all, so that pauses, of 20 s at most, end
				time.Sleep(140 * time.Millisecond)
			}
			switch {
			case i%(2*events/losses) == 50:
				s.drop()
			case i%(2*events/losses) == 180:
				s.bye(protocol.CloseTooSlow, 0)
			}
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if len(got) != events || !slices.IsSorted(got) || got[0] != 1 || got[events-1] != events {
			t.Errorf("%d events of %d came", len(got), events)
		}
		if resumed < 4 || follow == 0 || sub.Positions()["A"] != at(events) {
			t.Errorf("resumed %d times with %d events, and is at %v", resumed, follow, sub.Positions())
		}
		_ = c.Close()
	})
}
