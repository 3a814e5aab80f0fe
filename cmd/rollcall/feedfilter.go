package main

import (
	"slices"
	"strings"

	"github.com/google/uuid"

	"rollcall/protocol"
)

// feedFilterFlags choose events. The server filters by scope and name; the user
// is found here.
type feedFilterFlags struct {
	Scope  string   `cli:"only" default:"*" placeholder:"NAME" help:"Only the events of this scope; all scopes when absent."`
	Event  []string `cli:"only" placeholder:"NAME" help:"Only events of this name, such as user.login. May be repeated."`
	Failed bool     `cli:"only" help:"Only failed logins: short for --event user.login_failed."`
	User   string   `cli:"only" placeholder:"TEXT" help:"Only the events of one user: the username, or 8 characters or more from the beginning of the user id."`
}

// events returns the names of the events to subscribe to; none means all.
func (f *feedFilterFlags) events() ([]string, error) {
	events := slices.Clone(f.Event)
	if f.Failed {
		events = append(events, protocol.EventUserLoginFailed)
	}
	slices.Sort(events)
	events = slices.Compact(events)
	for _, name := range events {
		if !protocol.IsEvent(name) {
			var known []string
			for _, e := range protocol.Events {
				known = append(known, e.Name)
			}
			return nil, usagef("there is no event %q; there are %s", name, strings.Join(known, ", "))
		}
	}
	return events, nil
}

// wants reports whether an event is about the user who is looked for.
func (f *feedFilterFlags) wants(d *protocol.EventData) bool {
	if f.User == "" {
		return true
	}
	key := protocol.UsernameKey(f.User)
	switch {
	case d.Username != "" && protocol.UsernameKey(d.Username) == key:
		return true
	case d.UserID == uuid.Nil:
		return false
	case d.Target != "" && protocol.UsernameKey(d.Target) == key:
		return true
	}
	return len(f.User) >= 8 && strings.HasPrefix(d.UserID.String(), strings.ToLower(f.User))
}
