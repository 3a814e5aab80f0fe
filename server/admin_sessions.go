package server

import (
	"context"
	"encoding/base64"

	"github.com/google/uuid"

	"rollcall/protocol"
	"rollcall/store"
)

func (s *Server) adminSessionRoutes() {
	handle(s, protocol.AdminSessionsList, s.adminSessionsList)
	handle(s, protocol.AdminSessionsKick, s.adminSessionsKick)
	handle(s, protocol.AdminUsersBan, s.adminUsersBan)
	handle(s, protocol.AdminUsersUnban, s.adminUsersUnban)
	handle(s, protocol.AdminUsersExport, s.adminUsersExport)
}

// wireSession names a session to admins: the user's id, by which it is found, and
// the session's own, as base64url. It does not open the session.
func wireSession(user uuid.UUID, id string) string {
	return base64.RawURLEncoding.EncodeToString(user[:]) + "." + id
}

const wireUserLen = 22 // base64url of 16 bytes

func parseWireSession(name string) (user uuid.UUID, id string, ok bool) {
	if len(name) < wireUserLen+2 || name[wireUserLen] != '.' {
		return uuid.Nil, "", false
	}
	raw, err := base64.RawURLEncoding.DecodeString(name[:wireUserLen])
	if err != nil {
		return uuid.Nil, "", false
	}
	user, err = uuid.FromBytes(raw)
	return user, name[wireUserLen+1:], err == nil
}

// sessionObjects returns a user's sessions as admins see them, with where they
// are connected.
func (s *Server) sessionObjects(ctx context.Context, u store.User) ([]protocol.SessionObject, error) {
	all, err := s.store.Sessions(ctx, u.ID)
	if err != nil {
		return nil, err
	}
	present, err := s.store.PresencesOf(ctx, u)
	if err != nil {
		return nil, err
	}
	bySession := make(map[string]store.Presence, len(present))
	for _, pr := range present {
		bySession[pr.Session] = pr
	}
	objects := make([]protocol.SessionObject, 0, len(all))
	for _, session := range all {
		o := protocol.SessionObject{
			SessionID: wireSession(u.ID, session.ID), UserID: u.ID,
			CreatedAt: wireTime(session.CreatedAt), ExpiresAt: wireTime(session.ExpiresAt),
		}
		if pr, ok := bySession[session.ID]; ok {
			o.Node, o.Client, o.IP = pr.Via.Node, pr.Via.Client, pr.Via.IP
			o.ConnectedAt = wireTime(timeOf(pr.Since))
		}
		objects = append(objects, o)
	}
	return objects, nil
}

func (s *Server) adminSessionsList(ctx context.Context, c *conn, in *protocol.SessionsParams) ([]protocol.SessionObject, error) {
	if _, err := s.scopeForAdmin(ctx, c, in.Scope); err != nil {
		return nil, err
	}
	if in.UserID != uuid.Nil {
		u, err := s.userForAdmin(ctx, c, in.UserID)
		if err == nil && u.Scope != in.Scope {
			err = store.ErrUserNotFound
		}
		if err != nil {
			return nil, err
		}
		return s.sessionObjects(ctx, u)
	}
	users, err := s.store.OnlineUsers(ctx, in.Scope, protocol.MaxSessionsListed)
	if err != nil {
		return nil, err
	}
	list, size := []protocol.SessionObject{}, 0
	for _, u := range users {
		objects, err := s.sessionObjects(ctx, u)
		if err != nil {
			return nil, err
		}
		for _, o := range objects {
			if o.Node == "" {
				continue
			}
			if size += sessionBytes(&o); len(list) == protocol.MaxSessionsListed || size > maxListBytes {
				return list, nil
			}
			list = append(list, o)
		}
	}
	return list, nil
}

// sessionBytes is what a session takes of a frame at most. Clients name
// themselves at length, and must not make the list too large to be sent: JSON
// writes a byte of what they say in at most two, for it has no control
// characters, and the other members stay below 512 bytes.
func sessionBytes(o *protocol.SessionObject) int {
	size := 512 + 2*len(o.Node)
	if o.Client != nil {
		size += 2 * (len(o.Client.Name) + len(o.Client.Version) + len(o.Client.Platform))
	}
	return size
}

func (s *Server) adminSessionsKick(ctx context.Context, c *conn, in *protocol.KickParams) (int, error) {
	user, session := in.UserID, ""
	if in.SessionID != "" {
		var ok bool
		if user, session, ok = parseWireSession(in.SessionID); !ok {
			return 0, nil // no session has such a name
		}
	}
	u, err := s.userForAdmin(ctx, c, user)
	if err != nil {
		if session != "" && isNotFound(err) {
			return 0, nil
		}
		return 0, err
	}
	if session == "" {
		return s.store.EndSessions(ctx, u.ID, "", protocol.CloseKicked, in.Reason)
	}
	ended, err := s.store.EndSession(ctx, u.ID, session, protocol.CloseKicked, in.Reason)
	if err != nil || !ended {
		return 0, err
	}
	return 1, nil
}

func (s *Server) adminUsersBan(ctx context.Context, c *conn, in *protocol.BanParams) (protocol.User, error) {
	u, err := s.userForAdmin(ctx, c, in.UserID)
	if err != nil {
		return protocol.User{}, err
	}
	if !in.Until.IsZero() && !in.Until.After(s.store.Now()) {
		return protocol.User{}, protocol.Errorf(protocol.StatusOutOfBounds, "until: must be in the future")
	}
	u, err = s.store.BanUser(ctx, u.ID, store.Ban{Reason: in.Reason, Until: in.Until.Time})
	if err != nil {
		return protocol.User{}, err
	}
	return userObject(u), nil
}

func (s *Server) adminUsersUnban(ctx context.Context, c *conn, in *protocol.UserRef) (protocol.User, error) {
	u, err := s.userForAdmin(ctx, c, in.UserID)
	if err != nil {
		return protocol.User{}, err
	}
	if u, err = s.store.UnbanUser(ctx, u.ID); err != nil {
		return protocol.User{}, err
	}
	return userObject(u), nil
}

// adminUsersExport gives everything that is stored about a user, less secrets.
func (s *Server) adminUsersExport(ctx context.Context, c *conn, in *protocol.UserRef) (protocol.Export, error) {
	d, err := s.userDetail(ctx, c, in.UserID, exportEvents)
	if err != nil {
		return protocol.Export{}, err
	}
	events := d.Events
	size := 0
	for i := len(events) - 1; i >= 0; i-- {
		if size += len(events[i].Data) + pushOverhead; size > maxEventBytes {
			events = events[i+1:] // the newest, as far as they fit into the reply
			break
		}
	}
	return protocol.Export{User: d.User, Sessions: d.Sessions, Providers: d.ProviderObjects, Events: events}, nil
}

const (
	// userEvents is how many events of a user admins are shown, and exportEvents
	// how many an export has; eventsReach is how many of the scope's newest are
	// looked at for them.
	userEvents   = 50
	exportEvents = 5000
	eventsReach  = 100_000

	// maxEventBytes is how much of a reply an export's events may take, and
	// pushOverhead more than what an event has besides its data.
	maxEventBytes = protocol.MaxReplyBytes * 3 / 4
	pushOverhead  = 512
)

// eventsOf returns the newest events of a user, at most n, the newest last.
func (s *Server) eventsOf(ctx context.Context, u store.User, n int) ([]protocol.Push, error) {
	head, err := s.store.FeedHead(ctx, u.Scope)
	if err != nil {
		return nil, err
	}
	events, err := s.store.FeedLast(ctx, u.Scope, head.Seq, n, eventsReach,
		func(e *store.FeedEvent) bool { return e.User == u.ID })
	if err != nil {
		return nil, err
	}
	pushes := make([]protocol.Push, len(events))
	for i, e := range events {
		pushes[i] = protocol.Push{
			Event: e.Name, Scope: e.Scope, Seq: e.Seq, Epoch: e.Epoch, EventID: e.ID, Time: wireTime(e.Time), Data: e.Data,
		}
	}
	return pushes, nil
}
