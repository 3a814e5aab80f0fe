package loadtest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gobwas/ws"

	"rollcall/protocol"
)

// A farEnd is a server at the other end of a connection, as a test plays it.
type farEnd struct {
	t  *testing.T
	nc net.Conn
}

// connected returns a connection in memory and its other end.
func connected(t *testing.T) (*conn, *farEnd) {
	near, far := net.Pipe()
	t.Cleanup(func() { near.Close(); far.Close() })
	w := &worker{ctx: t.Context(), clock: newClock()}
	time.Sleep(time.Millisecond) // as a moment, 0 stands for none
	w.meter.to.Store(1 << 62)
	c := &conn{w: w, nc: near}
	c.frames.src = &bufferedSource{nc: near}
	w.conns.add(c)
	return c, &farEnd{t, far}
}

// next reads a frame of the client.
func (f *farEnd) next() (ws.Header, []byte) {
	f.t.Helper()
	h, err := ws.ReadHeader(f.nc)
	if err != nil {
		f.t.Fatal(err)
	}
	payload := make([]byte, h.Length)
	if _, err := io.ReadFull(f.nc, payload); err != nil {
		f.t.Fatal(err)
	}
	ws.Cipher(payload, h.Mask, 0)
	return h, payload
}

// request reads a request of the client and returns its id.
func (f *farEnd) request() string {
	f.t.Helper()
	_, payload := f.next()
	r, err := protocol.ParseRequest(payload)
	if err != nil {
		f.t.Fatal(err)
	}
	return string(r.ID)
}

func (f *farEnd) say(frame ws.Frame) { ws.MustWriteFrame(f.nc, frame) }

func (f *farEnd) text(format string, args ...any) {
	f.say(ws.NewTextFrame(fmt.Appendf(nil, format, args...)))
}

func nothing(b []byte) []byte { return append(b, "{}"...) }

func TestAnswersFindTheirRequestsInAnyOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, far := connected(t)
		got := map[string]string{}
		for _, name := range []string{"a", "b", "c"} {
			go func() {
				_ = c.send(pending{op: opGet, answered: func(r reply, err error) {
					got[name] = fmt.Sprintf("%s %d %v", r.result, r.status, err)
				}}, func(b []byte) []byte { return fmt.Appendf(b, `{"name":%q}`, name) })
			}()
			synctest.Wait()
			far.request()
		}
		go func() { _ = c.read(nil) }()
		far.text(`{"type":"users.get","result":{"x":3},"id":3}`)
		far.text(`{"id":9,"type":"users.get","result":{"not":"asked for"}}`)
		far.text(`{"id":1,"type":"users.get","result":1}`)
		far.text(`{"id":2,"type":"users.get","error":"no","status":604}`)
		synctest.Wait()
		want := map[string]string{"a": "1 0 <nil>", "b": " 604 <nil>", "c": `{"x":3} 0 <nil>`}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%v, want %v", got, want)
		}
		if n := c.w.meter.result()["users.get"]; n.Done != 2 || n.Errors["604"] != 1 || n.Latency.Count() != 2 {
			t.Errorf("counted %+v", n)
		}
	})
}

func TestALoginWithoutAnAnswerIsATimeoutAndMayBeInTheFeed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, far := connected(t)
		a := &account{}
		go func() { _ = c.read(nil) }()
		go func() { _ = c.send(pending{op: opLogin, account: a}, nothing) }()
		far.request()
		time.Sleep(answerTimeout - time.Second)
		c.expire(c.w.clock.now())
		if c.inFlight() != 1 {
			t.Error("given up before its time")
		}
		time.Sleep(2 * time.Second)
		c.expire(c.w.clock.now())
		far.text(`{"id":1,"type":"users.login","result":{}}`) // too late
		synctest.Wait()
		n := c.w.meter.result()["users.login"]
		if c.inFlight() != 0 || n.Done != 0 || n.Errors["timeout"] != 1 || a.unknown.Load() != 1 || a.acked.Load() != 0 {
			t.Errorf("%+v, %d unknown, %d acknowledged", n, a.unknown.Load(), a.acked.Load())
		}
	})
}

func TestWhatWasUnderWayOnALostConnectionIsLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, far := connected(t)
		a := &account{}
		ended := make(chan error, 1)
		go func() { ended <- c.read(nil) }()
		go func() { _ = c.send(pending{op: opLogin, account: a}, nothing) }()
		far.request()
		far.nc.Close()
		if err := <-ended; closeName(err) != "lost" {
			t.Errorf("ends with %v", err)
		}
		if n := c.w.meter.result()["users.login"]; n.Errors["lost"] != 1 || a.unknown.Load() != 1 || c.w.conns.count() != 0 {
			t.Errorf("%+v, %d unknown", n, a.unknown.Load())
		}
		if err := c.send(pending{op: opGet}, nothing); !errors.Is(err, errLost) {
			t.Errorf("a request afterwards: %v", err)
		}
	})
}

func TestAnErrorThatLeavesTheOutcomeOpenMayBeInTheFeed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, far := connected(t)
		go func() { _ = c.read(nil) }()
		for id, status := range []protocol.Status{protocol.StatusPasswordInvalid, protocol.StatusBusy, protocol.StatusUnavailable, protocol.StatusUnknown} {
			a := &account{}
			go func() { _ = c.send(pending{op: opLogin, account: a}, nothing) }()
			far.request()
			far.text(`{"id":%d,"type":"users.login","error":"x","status":%d}`, id+1, status)
			synctest.Wait()
			if open := a.unknown.Load() == 1; open != (status == protocol.StatusUnavailable || status == protocol.StatusUnknown) {
				t.Errorf("%d: open %v", status, open)
			}
		}
	})
}

func TestAResumeWithoutAUserIsAnErrorOfItsSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, far := connected(t)
		go func() { _ = c.read(nil) }()
		a := &account{}
		for id, result := range []string{`{"session_id":"n1"}`, `{"session_id":"n1","user":{"user_id":"x"}}`} {
			go func() { _ = c.send(pending{op: opResume, account: a}, nothing) }()
			far.request()
			far.text(`{"id":%d,"type":"core.init","result":%s}`, id+1, result)
			synctest.Wait()
		}
		n := c.w.meter.result()["resume"]
		if n.Done != 1 || n.Errors["607"] != 1 || a.acked.Load() != 1 || a.unknown.Load() != 0 {
			t.Errorf("%+v, %d acknowledged", n, a.acked.Load())
		}
	})
}

func TestPingsAreAnsweredAndACloseIsReturned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, far := connected(t)
		ended := make(chan error, 1)
		var pushed []byte
		go func() { ended <- c.read(func(text []byte) { pushed = bytes.Clone(text) }) }()
		far.say(ws.NewPingFrame([]byte("still there?")))
		if h, payload := far.next(); h.OpCode != ws.OpPong || string(payload) != "still there?" {
			t.Errorf("%v %q", h.OpCode, payload)
		}
		far.text("") // is nothing, and does no harm
		far.text(`{"event":"user.login","seq":1}`)
		far.text(`{"event":"bye","code":4001,"reason":"draining","reconnect":true,"retry_after_ms":800}`)
		far.say(ws.NewCloseFrame(ws.NewCloseFrameBody(4001, "draining")))
		if h, _ := far.next(); h.OpCode != ws.OpClose {
			t.Errorf("%v", h.OpCode)
		}
		if err := <-ended; closeName(err) != "4001" {
			t.Errorf("ends with %v", err)
		}
		if string(pushed) != `{"event":"user.login","seq":1}` || c.retryAfter() != 800*time.Millisecond {
			t.Errorf("pushed %q, stay away for %v", pushed, c.retryAfter())
		}
	})
}

func TestAServerThatDoesNotReadIsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _ := connected(t)
		sent := make(chan error)
		go func() { sent <- c.send(pending{op: opGet}, nothing) }() // the other end takes nothing
		time.Sleep(answerTimeout + time.Second)
		c.expire(c.w.clock.now())
		if err := <-sent; err != nil {
			t.Errorf("%v, want it told by the reader", err)
		}
		if err := c.read(nil); err == nil {
			t.Error("the connection goes on")
		}
		if n := c.w.meter.result()["users.get"]; n.Errors["lost"] != 1 {
			t.Errorf("%+v", n)
		}
	})
}
