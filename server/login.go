package server

import (
	"context"
	"errors"

	"github.com/google/uuid"

	"rollcall/protocol"
	"rollcall/server/oauth"
	"rollcall/server/passwords"
	"rollcall/sessions"
	"rollcall/store"
)

func (s *Server) sessionRoutes() {
	handle(s, protocol.UsersLogin, s.usersLogin)
	handle(s, protocol.UsersResume, s.usersResume)
	handle(s, protocol.UsersLogout, s.usersLogout)
}

// loginTries is how often a login starts again because the password was changed
// while it was checked.
const loginTries = 3

func (s *Server) usersLogin(ctx context.Context, c *conn, in *protocol.LoginParams) (protocol.Login, error) {
	var user store.User // as far as it is known
	login, err := s.login(ctx, c, in, &user)
	if err != nil {
		s.tellFailure(ctx, c, in, user, err)
	}
	return login, err
}

// tellFailure tells of a login that was refused for what the client showed. It
// names the user if there is one, and never what was typed.
func (s *Server) tellFailure(ctx context.Context, c *conn, in *protocol.LoginParams, user store.User, err error) {
	reason := failureReason(err)
	if reason == "" {
		return
	}
	method, account := protocol.MethodPassword, protocol.UsernameKey(in.Username)
	switch {
	case in.Provider != "":
		method, account = in.Provider, in.Provider+":"+in.ClientID
	case in.Email != "":
		account = protocol.EmailKey(in.Email)
	}
	if user.ID != uuid.Nil {
		account = user.ID.String() // whichever name was used
	}
	failed := store.FailedLogin{
		Scope: c.scope.name, User: user.ID, Username: user.Username, Reason: reason, Account: account, Via: c.via(method),
	}
	if !c.remote.IsLoopback() { // which stands for everybody behind a proxy on this machine
		failed.Address = networkOf(c.remote)
	}
	if e := s.store.TellFailedLogin(ctx, failed); e != nil {
		s.log.Warn("a failed login could not be told", "error", e)
	}
}

// failureReason is why a login was refused, "" where that says nothing of the
// one who tried.
func failureReason(err error) string {
	var e *protocol.Error
	switch {
	case errors.Is(err, store.ErrUserNotFound):
		return protocol.FailedUnknown
	case errors.Is(err, store.ErrUserBanned):
		return protocol.FailedBanned
	case !errors.As(err, &e):
		return ""
	}
	switch e.Status {
	case protocol.StatusPasswordInvalid:
		return protocol.FailedPassword
	case protocol.StatusProofRejected:
		return protocol.FailedProof
	case protocol.StatusServerLoginRequired:
		return protocol.FailedNoLogin
	}
	return ""
}

func (s *Server) login(ctx context.Context, c *conn, in *protocol.LoginParams, found *store.User) (protocol.Login, error) {
	if in.Provider != "" {
		return s.loginByProvider(ctx, c, in, found)
	}
	secret, err := s.secret(c.scope.name, in.Credentials)
	if err != nil {
		return protocol.Login{}, err
	}
	for try := 1; ; try++ {
		user, err := s.authenticate(ctx, c, in, secret)
		*found = user
		if err == nil && passwords.IsForeign(user.Password) {
			user.Password, err = s.adoptPassword(ctx, c, user, in.Password, secret)
		}
		if errors.Is(err, store.ErrConflict) && try < loginTries {
			continue
		}
		if err != nil {
			return protocol.Login{}, err
		}
		record := user.Password
		user, session, err := c.client.Login(ctx, user.ID, c.where(protocol.MethodPassword), record)
		if errors.Is(err, store.ErrConflict) && try < loginTries {
			continue
		}
		if err != nil {
			return protocol.Login{}, s.endedLogin(ctx, found.ID, err)
		}
		return loginObject(user, session), nil
	}
}

// endedLogin says why a session ended while it began, where that was a ban.
func (s *Server) endedLogin(ctx context.Context, user uuid.UUID, err error) error {
	if !errors.Is(err, sessions.ErrSessionInvalid) {
		return err
	}
	if u, e := s.store.User(ctx, user); e == nil && u.Ban != nil {
		return &store.BannedError{Ban: *u.Ban}
	}
	return err
}

// loginByProvider logs in whoever has the proved identity in this scope. An
// access token that comes with it is kept, in place of an older one.
func (s *Server) loginByProvider(ctx context.Context, c *conn, in *protocol.LoginParams, found *store.User) (protocol.Login, error) {
	proof := oauth.Proof{ClientID: in.ClientID, IDToken: in.IDToken, AccessToken: in.AccessToken}
	if err := s.prove(ctx, c, in.Provider, proof); err != nil {
		return protocol.Login{}, err
	}
	identity := oauth.Identity(in.Provider, in.ClientID)
	user, err := s.store.UserByProvider(ctx, c.scope.name, in.Provider, identity)
	if err != nil {
		return protocol.Login{}, err
	}
	*found = user
	user, session, err := c.client.LoginByProvider(ctx, user.ID, c.where(in.Provider), in.Provider, identity)
	if errors.Is(err, store.ErrConflict) { // the identity was taken from the user meanwhile
		return protocol.Login{}, store.ErrUserNotFound
	}
	if err != nil {
		return protocol.Login{}, s.endedLogin(ctx, found.ID, err)
	}
	login := loginObject(user, session)
	p, err := findProvider(user, in.Provider)
	if err != nil {
		return protocol.Login{}, err
	}
	if sealed := s.newSeal(user.ID, p, in.AccessToken); sealed != nil {
		p.SealedToken = sealed
		_, err := s.store.UpdateProvider(ctx, user.ID, in.Provider, store.ProviderUpdate{SealedToken: sealed})
		if err != nil { // the login stands; the token is a convenience
			s.log.Warn("an access token could not be kept", "user", user.ID, "error", err)
		}
	}
	object := s.providerObject(user.ID, p, true)
	login.OAuth = &object
	return login, nil
}

// authenticate finds the user and holds the password against the record. A user
// who does not exist, or has no password, costs the same one hash.
func (s *Server) authenticate(ctx context.Context, c *conn, in *protocol.LoginParams, secret string) (store.User, error) {
	var user store.User
	var err error
	if in.Username != "" {
		user, err = s.store.UserByUsername(ctx, c.scope.name, in.Username)
	} else {
		user, err = s.store.UserByEmail(ctx, c.scope.name, in.Email)
	}
	known := err == nil
	if !known {
		if !errors.Is(err, store.ErrUserNotFound) {
			return user, err
		}
		// A name that nobody has costs the reading of a record too.
		if _, err := s.store.User(ctx, uuid.New()); !errors.Is(err, store.ErrUserNotFound) {
			return user, err
		}
	}
	if passwords.IsForeign(user.Password) { // held against the password itself, by adoptPassword
		return user, nil
	}
	ok, stale, err := s.verify(ctx, c, user.Password, secret)
	switch {
	case err != nil:
		return user, err
	case ok:
		if stale {
			s.rehash(user, secret)
		}
		return user, nil
	case s.hidesUnknown(c):
		return user, &protocol.Error{Status: protocol.StatusPasswordInvalid}
	case !known:
		return user, store.ErrUserNotFound
	case user.Password == nil:
		return user, &protocol.Error{Status: protocol.StatusServerLoginRequired}
	}
	return user, &protocol.Error{Status: protocol.StatusPasswordInvalid}
}

// adoptPassword holds a password against a record that another program made,
// and puts a record of ours in its place. The password itself is needed for it,
// once: a client that sent its hash is asked for it (610).
func (s *Server) adoptPassword(ctx context.Context, c *conn, user store.User, password, secret string) ([]byte, error) {
	if password == "" || !c.private {
		return nil, &protocol.Error{Status: protocol.StatusPasswordNeeded, Message: "password needed once, over TLS: the account was brought in with a hash made elsewhere"}
	}
	ok, err := s.verifyForeign(ctx, c, user.Password, password)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, &protocol.Error{Status: protocol.StatusPasswordInvalid}
	}
	record, err := s.hash(ctx, c, secret)
	if err != nil {
		return nil, err
	}
	_, err = s.store.UpdateUser(ctx, user.ID, store.UserUpdate{Password: record, Rehash: true, IfPassword: user.Password})
	return record, err
}

func (s *Server) hidesUnknown(c *conn) bool {
	scope := c.scope.load()
	return scope != nil && scope.Options.HideUnknown != nil && *scope.Options.HideUnknown
}

// rehash stores a password anew with the present costs, off the login's path.
// If it fails, the next login does it.
func (s *Server) rehash(user store.User, secret string) {
	s.background.start(func() {
		ctx, cancel := context.WithTimeout(s.ctx, s.cfg.RequestTimeout)
		defer cancel()
		record, err := s.hashes.Hash(ctx, passwords.Players, secret)
		if err != nil {
			return
		}
		_, err = s.store.UpdateUser(ctx, user.ID, store.UserUpdate{Password: record, Rehash: true, IfPassword: user.Password})
		if err != nil && !errors.Is(err, store.ErrConflict) {
			s.log.Warn("password could not be stored anew", "user", user.ID, "error", err)
		}
	})
}

// secret returns what is hashed for a password: protocol.PasswordHash, whichever
// form the client sent.
func (s *Server) secret(scope string, cr protocol.Credentials) (string, error) {
	return s.secretOf(scope, cr.Password, cr.PasswordHash, "password")
}

func (s *Server) secretOf(scope, password, hash, field string) (string, error) {
	switch {
	case hash != "":
		return hash, nil
	case s.cfg.RequirePasswordHash:
		return "", protocol.Errorf(protocol.StatusWrongType, "%s: this server takes only %s_hash", field, field)
	}
	return protocol.PasswordHash(scope, password), nil
}

func (s *Server) usersResume(ctx context.Context, c *conn, in *protocol.ResumeParams) (protocol.Login, error) {
	return s.resume(ctx, c, c.where(""), in.Session)
}

func (s *Server) resume(ctx context.Context, c *conn, w sessions.Where, token string) (protocol.Login, error) {
	user, session, err := c.client.Resume(ctx, w, token)
	if err != nil {
		return protocol.Login{}, err
	}
	session.Token = token
	return loginObject(user, session), nil
}

func (s *Server) usersLogout(ctx context.Context, c *conn, in *protocol.LogoutParams) (bool, error) {
	if err := c.client.Logout(ctx, in.All); err != nil {
		return false, err
	}
	return true, nil
}
