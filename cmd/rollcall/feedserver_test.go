package main

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"rollcall/protocol"
)

// A feedServer speaks admin.login and admin.subscribe, by a script, so that a
// watch can be made to see everything that a feed may do.
type feedServer struct {
	t    *testing.T
	http *httptest.Server
	wg   sync.WaitGroup // of the connections

	mu      sync.Mutex // guards what follows
	conns   map[*websocket.Conn]bool
	asked   []protocol.SubscribeParams
	answers []feedAnswer // to the first admin.subscribe the first one, and so on; the last stays
}

// A feedAnswer is the result or the error of admin.subscribe, and what is pushed
// right behind it.
type feedAnswer struct {
	protocol.Subscription
	refused *protocol.Error
	silent  bool // no answer at all
	frames  []string
}

type heads = map[string]protocol.FeedPosition

func startFeed(t *testing.T, answers ...feedAnswer) *feedServer {
	t.Helper()
	s := &feedServer{t: t, conns: map[*websocket.Conn]bool{}, answers: answers}
	s.http = httptest.NewServer(s)
	t.Cleanup(func() {
		s.drop()
		s.wg.Wait()
		s.http.Close()
	})
	return s
}

func (s *feedServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ws, err := websocket.Accept(w, r, nil)
	if err != nil {
		return
	}
	s.wg.Add(1)
	defer s.wg.Done()
	s.mu.Lock()
	s.conns[ws] = true
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		delete(s.conns, ws)
		s.mu.Unlock()
		_ = ws.CloseNow()
	}()
	for {
		_, frame, err := ws.Read(context.Background())
		if err != nil {
			return
		}
		req, err := protocol.ParseRequest(frame)
		if err != nil {
			s.t.Errorf("a frame from the watch: %v", err)
			return
		}
		for _, f := range s.answer(req) {
			_ = ws.Write(context.Background(), websocket.MessageText, []byte(f))
		}
	}
}

// answer returns the frames that a request is answered with.
func (s *feedServer) answer(req protocol.Request) []string {
	reply := func(result any) []string {
		frame, err := protocol.AppendReply(nil, req, result)
		if err != nil {
			s.t.Error(err)
		}
		return []string{string(frame)}
	}
	if req.Type != "admin.subscribe" {
		return reply(protocol.AdminSession{Name: "admin", Role: protocol.RoleViewer, Token: "t"})
	}
	var p protocol.SubscribeParams
	if err := protocol.DecodeResult(req.Data, &p); err != nil {
		s.t.Error(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.answers[min(len(s.asked), len(s.answers)-1)]
	s.asked = append(s.asked, p)
	switch {
	case a.silent:
		return nil
	case a.refused != nil:
		return []string{string(protocol.AppendError(nil, req, a.refused))}
	}
	a.Subscription.Subscription = "s1"
	return append(reply(a.Subscription), a.frames...)
}

// push sends frames to every connection.
func (s *feedServer) push(frames ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for ws := range s.conns {
		for _, f := range frames {
			_ = ws.Write(context.Background(), websocket.MessageText, []byte(f))
		}
	}
}

// drop cuts every connection.
func (s *feedServer) drop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for ws := range s.conns {
		_ = ws.CloseNow()
	}
}

// waitForSubscribe waits until the server was asked once.
func (s *feedServer) waitForSubscribe() {
	for len(s.subscribed()) == 0 {
		time.Sleep(time.Millisecond)
	}
}

func (s *feedServer) subscribed() []protocol.SubscribeParams {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]protocol.SubscribeParams(nil), s.asked...)
}

// login is a push of a login.
func login(scope string, seq int64, username string) string {
	return fmt.Sprintf(`{"event":"user.login","scope":%q,"seq":%d,"epoch":"e1","event_id":"id-%d","time":"2026-11-24T10:00:00.123Z","data":{"user_id":"289bc36e-0df7-44df-99b1-a6543c6f45eb","username":%q,"method":"password","node":"n1","ip":"203.0.113.7"}}`,
		scope, seq, seq, username)
}

func at(seq int64) protocol.FeedPosition {
	return protocol.FeedPosition{Seq: seq, Epoch: "e1", EventID: fmt.Sprintf("id-%d", seq)}
}

// An output collects what a program writes and lets a test wait for it.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
	more chan struct{} // closed by the next Write
}

func newOutput() *output { return &output{more: make(chan struct{})} }

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	close(o.more)
	o.more = make(chan struct{})
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// wait waits until the output has a text.
func (o *output) wait(t *testing.T, text string) {
	t.Helper()
	late := time.After(30 * time.Second)
	for {
		o.mu.Lock()
		found, more := strings.Contains(o.text.String(), text), o.more
		o.mu.Unlock()
		if found {
			return
		}
		select {
		case <-more:
		case <-late:
			t.Fatalf("no %q in\n%s", text, o)
		}
	}
}

// A watching is a watch under test.
type watching struct {
	out, errOut *output
	interrupt   context.CancelFunc
	ended       chan error
}

// watch starts a watch of the server.
func (s *feedServer) watch(args ...string) *watching {
	s.t.Helper()
	w := &watching{out: newOutput(), errOut: newOutput(), ended: make(chan error, 1)}
	ctx, cancel := context.WithCancel(context.Background())
	w.interrupt = cancel
	p := s.program(args...)
	p.Stdout, p.Stderr = w.out, w.errOut
	go func() { w.ended <- p.Run(ctx) }()
	s.t.Cleanup(func() {
		cancel()
		<-w.ended
	})
	return w
}

func (s *feedServer) program(args ...string) Program {
	return Program{
		Args: append([]string{"watch"}, args...),
		Env:  environ("ROLLCALL_SERVER", s.http.URL, "ROLLCALL_ADMIN_PASSWORD", secretPassword),
	}
}

// stop interrupts the watch and returns how it ended.
func (w *watching) stop() error {
	w.interrupt()
	return w.end()
}

// end waits until the watch has ended by itself.
func (w *watching) end() error {
	err := <-w.ended
	w.ended <- err // for the cleanup
	return err
}
