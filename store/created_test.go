package store

import (
	"testing"
	"time"

	"rollcall/protocol"
)

// A user of elsewhere keeps the time of his creation, and his place by it.
func TestAUserMayHaveBeenCreatedBefore(t *testing.T) {
	onEveryTwice(t, func(t *testing.T, s *Store) {
		at := time.Date(2001, 2, 3, 4, 5, 6, 789_000_000, time.UTC)
		young := mustCreate(t, s, newUser("young"))
		n := newUser("old")
		n.CreatedAt = at.Add(time.Microsecond)
		old := mustCreate(t, s, n)
		if !old.CreatedAt.Equal(at) || !mustUser(t, s, old.ID).CreatedAt.Equal(at) {
			t.Errorf("created %v, read %v; want %v", old.CreatedAt, mustUser(t, s, old.ID).CreatedAt, at)
		}
		if updated := mustUser(t, s, old.ID).UpdatedAt; updated.Before(young.CreatedAt) {
			t.Errorf("updated %v", updated)
		}
		users, _, err := s.ListUsers(t.Context(), ListQuery{Scope: testScope, OrderBy: protocol.OrderByCreatedAt})
		if err != nil || len(users) != 2 || users[0].ID != old.ID || users[1].ID != young.ID {
			t.Errorf("listed %v, %v", users, err)
		}
		checkConsistent(t, s, false)
		if deleted, err := s.DeleteUser(t.Context(), old.ID); !deleted || err != nil {
			t.Error(deleted, err)
		}
		checkConsistent(t, s, false)
	})
}
