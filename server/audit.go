package server

import (
	"context"

	"github.com/google/uuid"

	"rollcall/protocol"
)

// What admins change is told in the feed, as admin.action. The handlers note to
// whom or what it was done as they find it; the event is appended before the
// reply, so that whatever was acknowledged stands there.

// An auditNote is what a handler notes of an admin's action.
type auditNote struct {
	scope  string // in whose feed it is told; none: that of all scopes
	user   uuid.UUID
	target string
}

type auditKey struct{}

// note changes the note of the action that ctx is about, if it is about one.
func note(ctx context.Context, change func(*auditNote)) {
	if n, ok := ctx.Value(auditKey{}).(*auditNote); ok {
		change(n)
	}
}

// audited runs the handler of a message that changes something, within the
// admin's rights, and tells what it did, also when these have ended meanwhile. An
// answer of 0 or false says that nothing was changed.
func (s *Server) audited(ctx, within context.Context, w *request) (any, func(), error) {
	n := auditNote{scope: protocol.AllScopes}
	result, then, err := w.route.handle(context.WithValue(within, auditKey{}, &n), w.conn, w.in)
	if err != nil || changedNothing(result) {
		return result, then, err
	}
	c := w.conn
	err = s.store.TellAdminAction(ctx, n.scope, protocol.EventData{
		Admin: c.admin.name, Action: w.reply.Type, UserID: n.user, Target: n.target, Node: s.cfg.Node, IP: c.via("").IP,
	})
	return result, then, err
}

func changedNothing(result any) bool {
	switch r := result.(type) {
	case *int:
		return *r == 0
	case *bool:
		return !*r
	}
	return false
}
