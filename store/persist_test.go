package store

import (
	"path/filepath"
	"reflect"
	"testing"
)

func TestASnapshotKeepsUsersNamesAndSessions(t *testing.T) {
	cfg := Config{DataFile: filepath.Join(t.TempDir(), "data"), Logger: quietLog}
	s, err := Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	users := createMany(t, s, 50, func(i int, u *NewUser) { u.Extra = extraOf("k", nthName(i)) })
	sess := mustLogin(t, s, users[0].ID)
	if _, err := s.CreateScope(t.Context(), Scope{Name: testScope}); err != nil {
		t.Fatal(err)
	}
	before := mustUser(t, s, users[0].ID)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}

	s = openTest(t, cfg)
	if got := mustUser(t, s, users[0].ID); !reflect.DeepEqual(got, before) {
		t.Errorf("got %+v, want %+v", got, before)
	}
	if _, again, former, err := s.Resume(t.Context(), "", sess.Token, Arrival{At: ConnRef{"n2", "c2"}}); err != nil || again.ID != sess.ID || former != sess.At {
		t.Errorf("resume: %+v, former %v, %v", again, former, err)
	}
	for _, u := range users {
		wantName(t, s, u.Username, u.ID)
	}
	_, err = s.CreateUser(t.Context(), newUser(users[7].Username))
	wantErr(t, err, ErrUsernameTaken)
	if got := listAll(t, s, ListQuery{Limit: 9}, nil); len(got) != len(users) {
		t.Errorf("%d users listed", len(got))
	}
	if _, err := s.Scope(t.Context(), testScope); err != nil {
		t.Error(err)
	}
	checkConsistent(t, s, false)
}
