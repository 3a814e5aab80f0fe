package server

// scopeChanges are the names of scopes whose definitions changed and are to be
// read anew, "" for all of them.
type scopeChanges chan string

func newScopeChanges() scopeChanges { return make(scopeChanges, 64) }

// note adds a name. It never blocks: when too much has changed at once, all are
// to be read.
func (c scopeChanges) note(name string) {
	select {
	case c <- name:
	default:
		select {
		case c <- "":
		default: // so much is waiting that all will be looked at anyway
		}
	}
}

// scopeChanged is told of every change of a scope, on any node, "" for any.
func (s *Server) scopeChanged(name string) {
	s.scopes.stale.note(name)
	s.webhooks.stale.note(name)
	s.newScopes.note(name)
}
