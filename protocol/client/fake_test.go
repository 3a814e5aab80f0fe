package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/google/uuid"

	"rollcall/protocol"
)

// A fakeServer speaks the contract well enough to test a client: one scope,
// users in a map, sessions that can be taken away. It listens in memory, so it
// works in a synctest bubble.
type fakeServer struct {
	http   *http.Server
	listen *memListener
	wg     sync.WaitGroup // of the connections

	// Set before use.
	pingInterval time.Duration

	mu       sync.Mutex // guards what follows
	users    map[string]*fakeUser
	sessions map[string]*fakeUser
	conns    map[*fakeConn]bool
	seen     []protocol.Request // every request
	answer   func(*fakeConn, protocol.Request) (handled bool)
	dials    int
	refuse   int // HTTP status for handshakes; 0 lets them in
	nextID   int
}

type fakeUser struct {
	protocol.User
	hash string
}

type fakeConn struct {
	ws     *websocket.Conn
	server *fakeServer
	user   *fakeUser // as which it is logged in
}

func newFakeServer() *fakeServer {
	s := &fakeServer{
		listen:       newMemListener(),
		pingInterval: 10 * time.Second,
		users:        map[string]*fakeUser{},
		sessions:     map[string]*fakeUser{},
		conns:        map[*fakeConn]bool{},
	}
	s.http = &http.Server{Handler: s}
	go func() { _ = s.http.Serve(s.listen) }()
	return s
}

// start returns a fake server that ends with the test.
func start(t *testing.T) *fakeServer {
	s := newFakeServer()
	t.Cleanup(s.close)
	return s
}

func (s *fakeServer) close() {
	_ = s.http.Close()
	s.drop()
	s.wg.Wait()
}

// drop cuts every connection without a word.
func (s *fakeServer) drop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		go func() { _ = c.ws.CloseNow() }()
	}
}

// bye ends every connection as a server does on purpose.
func (s *fakeServer) bye(code protocol.CloseCode, retryAfter time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		c.send(protocol.AppendBye(nil, code, "", retryAfter))
		go func() { _ = c.ws.Close(websocket.StatusCode(code), code.Reason()) }()
	}
}

// push sends frames to every connection.
func (s *fakeServer) push(frames ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		for _, f := range frames {
			c.send([]byte(f))
		}
	}
}

// expireSessions takes all sessions away.
func (s *fakeServer) expireSessions() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.sessions)
}

func (s *fakeServer) set(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
}

// requests returns the requests of a type so far.
func (s *fakeServer) requests(typ string) []protocol.Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	var of []protocol.Request
	for _, r := range s.seen {
		if r.Type == typ {
			of = append(of, r)
		}
	}
	return of
}

func (s *fakeServer) dialCount() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.dials
}

func (s *fakeServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.dials++
	refuse := s.refuse
	s.mu.Unlock()
	if refuse != 0 {
		w.Header().Set("Retry-After", "7")
		w.WriteHeader(refuse)
		return
	}
	if r.URL.Path != "/ws" {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	ws, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: []string{protocol.Subprotocol}})
	if err != nil {
		return
	}
	c := &fakeConn{ws: ws, server: s}
	s.mu.Lock()
	s.conns[c] = true
	s.wg.Add(1)
	s.mu.Unlock()
	defer s.wg.Done()
	defer func() {
		s.mu.Lock()
		delete(s.conns, c)
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
			c.fail(req, protocol.StatusDecodeFailed)
			continue
		}
		s.mu.Lock()
		s.seen = append(s.seen, req)
		answer := s.answer
		s.mu.Unlock()
		if answer == nil || !answer(c, req) {
			c.serve(req)
		}
	}
}

func (c *fakeConn) send(frame []byte) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = c.ws.Write(ctx, websocket.MessageText, frame)
}

func (c *fakeConn) reply(req protocol.Request, result any) {
	frame, err := protocol.AppendReply(nil, req, result)
	if err != nil {
		panic(err)
	}
	c.send(frame)
}

func (c *fakeConn) fail(req protocol.Request, s protocol.Status) {
	c.send(protocol.AppendError(nil, req, &protocol.Error{Status: s}))
}

// serve answers the messages that the tests and examples need.
func (c *fakeConn) serve(req protocol.Request) {
	s := c.server
	s.mu.Lock()
	defer s.mu.Unlock()
	decoded, err := protocol.Lookup(req.Type).DecodeAny(req.Data)
	if e := (*protocol.Error)(nil); errors.As(err, &e) {
		c.send(protocol.AppendError(nil, req, e))
		return
	}
	switch in := decoded.(type) {
	case *protocol.CoreInitParams:
		if in.Key != "the-server-key" {
			c.fail(req, protocol.StatusWrongKey)
			return
		}
		out := protocol.CoreInitResult{SessionID: "n1-1", Scope: in.Scope, PingIntervalMS: s.pingInterval.Milliseconds()}
		if u := s.sessions[in.Session]; u != nil {
			c.user, out.User = u, u.login(in.Session)
		}
		c.reply(req, out)
	case *protocol.AdminLoginParams:
		if in.Password != "the-admin-password" && in.Token != "the-admin-token" {
			c.fail(req, protocol.StatusSessionInvalid)
			return
		}
		c.reply(req, protocol.AdminSession{Name: "admin", Role: protocol.RoleOwner, Token: "the-admin-token"})
	case *protocol.CreateParams:
		if s.users[in.Username] != nil {
			c.fail(req, protocol.StatusUserExists)
			return
		}
		s.nextID++
		u := &fakeUser{hash: in.PasswordHash}
		u.UserID = uuid.NewSHA1(uuid.NameSpaceOID, []byte{byte(s.nextID)})
		u.Username, u.Email, u.Extra, u.Active = in.Username, in.Email, in.Extra, true
		s.users[in.Username] = u
		c.reply(req, protocol.CreateResult{UserID: u.UserID})
	case *protocol.LoginParams:
		u := s.users[in.Username]
		switch {
		case u == nil:
			c.fail(req, protocol.StatusUserNotFound)
		case u.hash == "foreign" && in.Password == "":
			c.fail(req, protocol.StatusPasswordNeeded)
		case u.hash != "foreign" && u.hash != in.PasswordHash:
			c.fail(req, protocol.StatusPasswordInvalid)
		default:
			s.nextID++
			token := uuid.NewSHA1(uuid.NameSpaceURL, []byte{byte(s.nextID)}).String()
			s.sessions[token], c.user = u, u
			c.reply(req, u.login(token))
		}
	case *protocol.ResumeParams:
		u := s.sessions[in.Session]
		if u == nil {
			c.fail(req, protocol.StatusSessionInvalid)
			return
		}
		c.user = u
		c.reply(req, u.login(in.Session))
	case *protocol.LogoutParams:
		c.user = nil
		c.reply(req, true)
	case *protocol.UpdateParams:
		u := c.user
		if u == nil || u.UserID != in.UserID {
			c.fail(req, protocol.StatusNotPermitted)
			return
		}
		if email, ok := in.Update.Email.Value(); ok {
			u.Email = email
		}
		for k, v := range in.Update.Extra {
			if v.IsNull() {
				delete(u.Extra, k)
				continue
			}
			u.Extra[k] = v
		}
		c.reply(req, u.User)
	case *protocol.UserRef:
		if c.user == nil || c.user.UserID != in.UserID {
			c.fail(req, protocol.StatusNotPermitted)
			return
		}
		if req.Type == "users.delete" {
			delete(s.users, c.user.Username)
			c.user = nil
			c.reply(req, 1)
			return
		}
		c.reply(req, c.user.User)
	case *protocol.PresenceParams:
		online := map[string]string{}
		for _, id := range in.UserIDs {
			online[id.String()] = protocol.Offline
			if c.user != nil && c.user.UserID == id {
				online[id.String()] = protocol.Online
			}
		}
		c.reply(req, online)
	case *protocol.None:
		if req.Type == "admin.scopes.list" {
			c.reply(req, []protocol.Scope{{Name: "Space Race", Sessions: protocol.SessionsMany}})
			return
		}
		c.reply(req, "pong")
	default:
		c.fail(req, protocol.StatusGeneral)
	}
}

func (u *fakeUser) login(token string) *protocol.Login {
	return &protocol.Login{Active: true, Validated: true, Scope: "Space Race", Email: u.Email, Extra: u.Extra,
		UserID: u.UserID, Username: u.Username, Session: protocol.Session{Token: token}}
}

// data returns the members of a request's parameters.
func data(t *testing.T, req protocol.Request) map[string]any {
	t.Helper()
	m := map[string]any{}
	if err := json.Unmarshal(req.Data, &m); err != nil {
		t.Fatal(err)
	}
	return m
}

// A memListener is a net.Listener whose connections are pipes. Pipes have no
// buffer: a peer that does not read makes the other one wait at once.
type memListener struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func newMemListener() *memListener {
	return &memListener{conns: make(chan net.Conn), closed: make(chan struct{})}
}

func (l *memListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *memListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

func (l *memListener) Addr() net.Addr { return &net.UnixAddr{Name: "memory", Net: "memory"} }

func (l *memListener) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	ours, theirs := net.Pipe()
	select {
	case l.conns <- theirs:
		return ours, nil
	case <-l.closed:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// client returns an HTTP client that reaches the server.
func (s *fakeServer) client() *http.Client {
	return &http.Client{Transport: &http.Transport{DialContext: s.listen.dial, DialTLSContext: s.listen.dial, DisableKeepAlives: true}}
}
