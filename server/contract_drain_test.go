package server_test

import (
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"rollcall/server"
	"rollcall/server/wiretest"
)

// wasRead waits until the server has read what was sent before, by a ping behind it.
func wasRead(t *testing.T, c *wiretest.Client) {
	t.Helper()
	if err := c.WriteFrame(wiretest.Frame{Op: wiretest.OpPing, Payload: []byte("read?")}); err != nil {
		t.Fatal(err)
	}
	wantPong(t, c, []byte("read?"))
}

func TestADrainAnswersWhatIsInFlightAndThenSaysGoodbye(t *testing.T) {
	n := start(t, slowHashes, func(c *server.Config) { c.DrainTimeout, c.InitTimeout = wiretest.Guard, wiretest.Guard })
	u := n.elsewhere("tiny")
	idle, fresh := n.client(), n.dial()
	logsIn, creates := n.client(), n.client()
	in := logsIn.Send("users.login", u.login())
	behind := logsIn.Send("users.get", u.ref())
	wasRead(t, logsIn)
	made := creates.Send("users.create", obj{"username": "new", "password": thePassword})
	wasRead(t, creates)
	n.stop()

	await(t, "/readyz says no", func() bool { status, _ := n.get("/readyz", nil); return status == http.StatusServiceUnavailable })
	if status, _ := n.get("/healthz", nil); status != http.StatusOK {
		t.Errorf("/healthz answers %d while draining, want 200", status)
	}
	if conn, err := wiretest.Open(n.addr, nil); err == nil {
		conn.Close()
		t.Error("a new handshake succeeded while draining")
	} else if r := (*wiretest.RefusedError)(nil); errors.As(err, &r) && r.Status != http.StatusServiceUnavailable {
		t.Errorf("a new handshake got %d, want 503", r.Status)
	}

	var wg sync.WaitGroup
	for name, c := range map[string]*wiretest.Client{"idle": idle, "before its first message": fresh, "login": logsIn, "create": creates} {
		wg.Go(func() {
			e := wantEnd(t, c, 4001)
			if e.Bye == nil || e.Bye.RetryAfterMS == nil || *e.Bye.RetryAfterMS < 0 || e.Bye.Reason != "draining" {
				t.Errorf("%s: the bye is %+v, want the reason and when to come back", name, e.Bye)
			}
		})
	}
	wg.Wait()
	ok(t, logsIn.Wait(in))
	ok(t, logsIn.Wait(behind))
	ok(t, creates.Wait(made))
	if err := <-n.done; err != nil {
		t.Errorf("Serve returned %v", err)
	}
}

func TestADrainAnswersEveryRequestThatWasRead(t *testing.T) {
	n := start(t, func(c *server.Config) { c.DrainTimeout = wiretest.Guard; c.MaxInFlight = 1000 })
	c := n.client()
	u := create(t, c, "tiny")
	b := burst{c: c}
	for i := range 500 { // one after the other, so that most still wait when all are read
		b.add("users.update", obj{"user_id": u.id, "update": obj{"extra": obj{"n": i}}})
	}
	b.frames = wiretest.AppendFrame(b.frames, wiretest.Frame{Op: wiretest.OpPing})
	b.send(t)
	replies, last := 0, ""
	for stopped := false; ; {
		f, err := c.ReadFrame()
		if err != nil {
			t.Fatalf("after %d replies: %v", replies, err)
		}
		if f.Op == wiretest.OpPong {
			n.stop()
			stopped = true
		}
		if f.Op == wiretest.OpText {
			last = string(f.Payload)
			replies++
		}
		if f.Op == wiretest.OpClose {
			if !stopped || !strings.Contains(last, `"code":4001`) {
				t.Errorf("closed with %q after %s", f.Payload, last)
			}
			if err := c.WriteFrame(f); err != nil {
				t.Fatal(err)
			}
			break
		}
	}
	if replies != len(b.ids)+1 { // and the bye
		t.Errorf("%d of %d requests that were read were answered", replies-1, len(b.ids))
	}
	if err := <-n.done; err != nil {
		t.Errorf("Serve returned %v", err)
	}
}

func TestPeersThatDoNotAnswerTheCloseKeepNobodyFromHisGoodbye(t *testing.T) {
	n := start(t, func(c *server.Config) { c.DrainTimeout = 3 * time.Second })
	var rude, polite []*wiretest.Client
	for range 20 {
		rude, polite = append(rude, n.client()), append(polite, n.client())
	}
	n.stop()
	for _, c := range polite {
		wantEnd(t, c, 4001)
	}
	for _, c := range rude {
		_, err := c.ReadText()
		for bye := []byte(nil); err == nil; bye, err = c.ReadText() {
			if bye != nil && !strings.Contains(string(bye), `"code":4001`) {
				t.Errorf("got %s", bye)
			}
		}
		if closed := (*wiretest.CloseError)(nil); !errors.As(err, &closed) || closed.Code != 4001 {
			t.Errorf("ended with %v, want a close with 4001", err)
		}
	}
	if err := <-n.done; err != nil {
		t.Errorf("Serve returned %v", err)
	}
}

func TestAPeerThatDoesNotReadHoldsADrainUpForItsTimeAtMost(t *testing.T) {
	n := start(t, func(c *server.Config) {
		c.DrainTimeout = 300 * time.Millisecond
		c.WriteTimeout = 300 * time.Millisecond
	})
	c := n.client()
	u := create(t, c, "tiny")
	b := burst{c: c}
	for range 3000 {
		b.add("users.get", u.ref())
	}
	b.send(t)
	n.stop()
	if err := <-n.done; err != nil { // the harness's guard ends a wait in vain
		t.Errorf("Serve returned %v", err)
	}
}

func TestAStoppedServerCanBeFollowedByAnother(t *testing.T) {
	n := start(t)
	n.client()
	n.stop()
	if err := <-n.done; err != nil {
		t.Errorf("Serve returned %v", err)
	}
	if status, _ := n.get("/readyz", nil); status != 0 {
		t.Errorf("after the end /readyz answers %d", status)
	}
	again := start(t, func(c *server.Config) { c.Listen = n.addr })
	wantResult(t, again.client().Call("core.ping", nil), `"pong"`)
}
