package server

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"

	"github.com/go-json-experiment/json"
	"github.com/google/uuid"

	"rollcall/protocol"
	"rollcall/server/oauth"
	"rollcall/store"
)

func (s *Server) userRoutes() {
	handle(s, protocol.UsersCreate, s.usersCreate)
	handle(s, protocol.UsersGet, s.usersGet)
	handle(s, protocol.UsersUpdate, s.usersUpdate)
	handle(s, protocol.UsersDelete, s.usersDelete)
	handle(s, protocol.UsersPresence, s.usersPresence)
	handle(s, protocol.UsersResendConfirmation, s.usersResendConfirmation)
	handle(s, protocol.UsersSendPasswordReset, s.usersSendPasswordReset)
}

func (s *Server) usersCreate(ctx context.Context, c *conn, in *protocol.CreateParams) (protocol.CreateResult, error) {
	if err := s.checkConfirmation(c, in.Confirmation); err != nil {
		return protocol.CreateResult{}, err
	}
	nu := store.NewUser{
		ID: uuid.New(), Scope: c.scope.name, Username: in.Username, Email: in.Email, Group: in.Group, Extra: in.Extra, Active: true,
		Via: c.via(protocol.MethodPassword),
	}
	if in.Provider != "" {
		nu.Via.Method = in.Provider
	}
	if in.Confirmation != nil { // failed until a mail is under way
		nu.Active, nu.Confirmation = false, store.ConfirmationFailed
	}
	user, made, err := s.createUser(ctx, c, nu, in)
	if err != nil {
		return protocol.CreateResult{}, err
	}
	if err := s.own(ctx, c, user); err != nil {
		return protocol.CreateResult{}, err
	}
	result := protocol.CreateResult{UserID: user.ID, Confirmation: user.Confirmation}
	if made && in.Confirmation != nil {
		// The user exists whatever becomes of the mail: the outcome tells, and it can be sent again.
		result.Confirmation, err = s.confirm(ctx, user, letterOf(in.Confirmation))
		if err != nil {
			s.log.Info("confirmation mail was not sent", "user", user.ID, "error", err)
		}
	}
	return result, nil
}

// own lets the connection act for the user whom it created. What took him from
// it before that was signalled to nobody, so he is read once more.
func (s *Server) own(ctx context.Context, c *conn, user store.User) error {
	c.client.Created(user.ID)
	now, err := s.store.User(ctx, user.ID)
	if err == nil {
		err = banned(now)
	}
	if err == nil && !bytes.Equal(now.Password, user.Password) {
		err = errOtherData
	}
	if err != nil {
		c.client.Lose(user.ID)
	}
	return err
}

// createUser creates by password or by provider, once for each idempotency key.
// made is false when an earlier request with the same key had made the user.
func (s *Server) createUser(ctx context.Context, c *conn, nu store.NewUser, in *protocol.CreateParams) (u store.User, made bool, err error) {
	create := creation{user: nu}
	if in.Provider == "" {
		create.secret, err = s.secret(nu.Scope, in.Credentials)
	} else {
		create.proof = &oauth.Proof{ClientID: in.ClientID, IDToken: in.IDToken, AccessToken: in.AccessToken}
		create.provider = in.Provider
		err = s.prove(ctx, c, in.Provider, *create.proof)
	}
	if err != nil {
		return store.User{}, false, err
	}
	if in.IdempotencyKey == "" {
		u, err = s.create(ctx, c, create)
		return u, true, err
	}
	return s.createOnce(ctx, c, create, in)
}

// A creation is a user to be made, with what he will log in by: the secret of a
// password, or a provider's proof, which has been held good.
type creation struct {
	user     store.NewUser
	secret   string
	provider string
	proof    *oauth.Proof
}

// create hashes the password and writes the user. A name that is taken is told
// before the hash is made, so that trying names costs the pool nothing.
func (s *Server) create(ctx context.Context, c *conn, cr creation) (store.User, error) {
	nu := cr.user
	_, err := s.store.UserByUsername(ctx, nu.Scope, nu.Username)
	if err == nil {
		return store.User{}, store.ErrUsernameTaken
	}
	if !errors.Is(err, store.ErrUserNotFound) {
		return store.User{}, err
	}
	if cr.proof == nil {
		if nu.Password, err = s.hash(ctx, c, cr.secret); err != nil {
			return store.User{}, err
		}
		u, err := s.store.CreateUser(ctx, nu)
		if err == nil && !bytes.Equal(u.Password, nu.Password) {
			err = store.ErrUsernameTaken // by another request with the same idempotency key
		}
		return u, err
	}
	p := s.keptProvider(nu.ID, cr.provider, *cr.proof, 0)
	nu.Provider = &p
	u, err := s.store.CreateUser(ctx, nu)
	if err == nil {
		if made, e := findProvider(u, p.Name); e != nil || made.Identity != p.Identity {
			err = store.ErrUsernameTaken
		}
	}
	return u, err
}

// createOnce creates under an idempotency key: the key fixes the user's id and
// the data, so a repeat either finds that user or makes it.
func (s *Server) createOnce(ctx context.Context, c *conn, cr creation, in *protocol.CreateParams) (u store.User, made bool, err error) {
	digest, err := createDigest(in)
	if err != nil {
		return store.User{}, false, err
	}
	id, kept, err := s.store.Idempotent(ctx, cr.user.Scope, in.IdempotencyKey, cr.user.ID, digest)
	if err != nil {
		return store.User{}, false, err
	}
	if kept != digest {
		return store.User{}, false, errOtherData
	}
	u, err = s.createdBefore(ctx, c, id, cr)
	if !errors.Is(err, store.ErrUserNotFound) {
		return u, false, err
	}
	cr.user.ID = id
	u, err = s.create(ctx, c, cr)
	if errors.Is(err, store.ErrUsernameTaken) || errors.Is(err, store.ErrEmailTaken) || errors.Is(err, store.ErrProviderTaken) {
		// Perhaps by a repeat of this very request, on another connection.
		if same, e := s.createdBefore(ctx, c, id, cr); !errors.Is(e, store.ErrUserNotFound) {
			return same, false, e
		}
	}
	return u, true, err
}

var errOtherData = protocol.Errorf(protocol.StatusUserExists, "idempotency_key: used before with other data")

// createdBefore returns the user that an earlier request with the same
// idempotency key made, to those who can log in as him.
func (s *Server) createdBefore(ctx context.Context, c *conn, id uuid.UUID, cr creation) (store.User, error) {
	user, err := s.store.User(ctx, id)
	if err != nil {
		return store.User{}, err
	}
	if cr.proof != nil {
		p, err := findProvider(user, cr.provider)
		if err != nil || p.Identity != oauth.Identity(cr.provider, cr.proof.ClientID) {
			return store.User{}, errOtherData
		}
		return user, banned(user)
	}
	ok, _, err := s.verify(ctx, c, user.Password, cr.secret)
	if err != nil {
		return store.User{}, err
	}
	if !ok {
		return store.User{}, errOtherData
	}
	return user, banned(user)
}

// banned keeps those from a user who could log in as him, were he not banned:
// whom a connection created it may change.
func banned(u store.User) error {
	if u.Ban != nil {
		return &store.BannedError{Ban: *u.Ban}
	}
	return nil
}

// createDigest is what two creates with one idempotency key must share. The
// password is not in it: a fast digest of it must not be stored.
func createDigest(in *protocol.CreateParams) (string, error) {
	data := *in
	data.Credentials, data.IdempotencyKey = protocol.Credentials{}, ""
	data.IDToken, data.AccessToken = "", "" // a repeat may bring newer ones
	b, err := json.Marshal(data, json.Deterministic(true))
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(b)
	return base64.RawURLEncoding.EncodeToString(sum[:]), nil
}

// userOf reads a user for a client: one of another scope is not found.
func (s *Server) userOf(ctx context.Context, c *conn, id uuid.UUID) (store.User, error) {
	u, err := s.store.User(ctx, id)
	if err != nil {
		return u, err
	}
	if u.Scope != c.scope.name {
		return store.User{}, store.ErrUserNotFound
	}
	return u, nil
}

func (s *Server) usersGet(ctx context.Context, c *conn, in *protocol.UserRef) (protocol.User, error) {
	u, err := s.userOf(ctx, c, in.UserID)
	if err != nil {
		return protocol.User{}, err
	}
	return userObject(u), nil
}

func (s *Server) usersUpdate(ctx context.Context, c *conn, in *protocol.UpdateParams) (protocol.User, error) {
	if in.Update.Active != nil && *in.Update.Active {
		return protocol.User{}, protocol.Errorf(protocol.StatusNotPermitted, "active: a user may set it to false only")
	}
	u, err := s.userOf(ctx, c, in.UserID)
	if err != nil {
		return protocol.User{}, err
	}
	if err := s.reauthenticate(ctx, c, u, in); err != nil {
		return protocol.User{}, err
	}
	session := ""
	if self, own := c.client.Identity(); self == in.UserID {
		session = own
	}
	return s.updateUser(ctx, c, u, &in.Update, session, s.confirmsEmail(c))
}

// confirmsEmail reports whether a changed email has to be confirmed in the
// client's scope.
func (s *Server) confirmsEmail(c *conn) bool {
	scope := c.scope.load()
	return scope != nil && scope.Options.ConfirmEmail != nil && *scope.Options.ConfirmEmail
}

// reauthenticate asks for the current password where the scope wants it, and
// holds it against the record wherever one is given.
func (s *Server) reauthenticate(ctx context.Context, c *conn, u store.User, in *protocol.UpdateParams) error {
	given := in.CurrentPassword != "" || in.CurrentPasswordHash != ""
	if !given {
		scope := c.scope.load()
		asked := scope != nil && scope.Options.Reauth != nil && *scope.Options.Reauth
		if asked && (in.Update.Credentials.Given() || !in.Update.Email.IsZero()) {
			return protocol.Errorf(protocol.StatusMissing, "current_password: this scope asks for it in changes of password and email")
		}
		return nil
	}
	secret, err := s.secretOf(u.Scope, in.CurrentPassword, in.CurrentPasswordHash, "current_password")
	if err != nil {
		return err
	}
	ok, _, err := s.verify(ctx, c, u.Password, secret)
	if err != nil {
		return err
	}
	if !ok {
		return &protocol.Error{Status: protocol.StatusPasswordInvalid}
	}
	return nil
}

// updateUser writes an update, a client's or an admin's. session is the one of
// the user that asks for it, "" for none of them: it must still be good when the
// update is written, so that what a session began before it was ended does not
// come after, and a new password leaves it alone. With confirmEmail a new
// address makes the user inactive until he has confirmed it.
func (s *Server) updateUser(ctx context.Context, c *conn, u store.User, in *protocol.UserUpdate, session string, confirmEmail bool) (protocol.User, error) {
	up := store.UserUpdate{IfSession: session}
	if in.Username != "" {
		up.Username = &in.Username
	}
	up.Email, up.Group = clearable(in.Email), clearable(in.Group)
	up.Extra, up.Active = in.Extra, in.Active
	if in.Active != nil && *in.Active && u.Confirmation != "" {
		confirmed := "" // an admin who activates a pending user vouches for the address
		up.Confirmation = &confirmed
	}
	if in.Credentials.Given() {
		secret, err := s.secret(u.Scope, in.Credentials)
		if err != nil {
			return protocol.User{}, err
		}
		if up.Password, err = s.hash(ctx, c, secret); err != nil {
			return protocol.User{}, err
		}
		up.KeepSession, up.IfPassword = session, append([]byte{}, u.Password...)
		up.Disown = c.phase == phaseAdmin // who takes an account from somebody takes all of it
	}
	_, newEmail := in.Email.Value()
	up.Unconfirm = confirmEmail && newEmail
	updated, err := s.store.UpdateUser(ctx, u.ID, up)
	if err != nil {
		return protocol.User{}, err
	}
	if up.Unconfirm && updated.Confirmation != "" && protocol.EmailKey(updated.Email) != protocol.EmailKey(u.Email) {
		if updated.Confirmation, err = s.confirm(ctx, updated, letter{}); err != nil {
			s.log.Info("confirmation mail was not sent", "user", u.ID, "error", err)
		}
	}
	return userObject(updated), nil
}

// clearable turns the wire's three states into the store's: nil leaves alone, ""
// clears.
func clearable(c protocol.Clearable) *string {
	if c.IsZero() {
		return nil
	}
	v, _ := c.Value()
	return &v
}

func (s *Server) usersDelete(ctx context.Context, c *conn, in *protocol.UserRef) (int, error) {
	if _, err := s.userOf(ctx, c, in.UserID); err != nil {
		if errors.Is(err, store.ErrUserNotFound) {
			return 0, nil
		}
		return 0, err
	}
	removed := 0
	err := c.client.While(in.UserID, func() error {
		ok, err := s.store.DeleteUser(ctx, in.UserID)
		if ok {
			removed = 1
		}
		return err
	})
	return removed, err
}

// usersPresence tells who of some users is online. Users of other scopes are as
// unknown ones: offline.
func (s *Server) usersPresence(ctx context.Context, c *conn, in *protocol.PresenceParams) (map[string]string, error) {
	online, err := s.store.AreOnline(ctx, c.scope.name, in.UserIDs)
	if err != nil {
		return nil, err
	}
	presence := make(map[string]string, len(in.UserIDs))
	for i, id := range in.UserIDs {
		presence[id.String()] = protocol.Offline
		if online[i] {
			presence[id.String()] = protocol.Online
		}
	}
	return presence, nil
}
