package store

import (
	"strings"
	"testing"

	"github.com/google/uuid"
)

func TestANewEmailIsToBeConfirmedWhereThatIsAskedFor(t *testing.T) {
	onEveryTwice(t, func(t *testing.T, s *Store) {
		for name, c := range map[string]struct {
			update       UserUpdate
			active       bool
			confirmation string
		}{
			"another":   {UserUpdate{Email: new("a@home.com"), Unconfirm: true}, false, ConfirmationFailed},
			"prevails":  {UserUpdate{Email: new("b@home.com"), Unconfirm: true, Active: new(true), Confirmation: new("")}, false, ConfirmationFailed},
			"unasked":   {UserUpdate{Email: new("c@home.com")}, true, ""},
			"same":      {UserUpdate{Email: new("same@HOME.com"), Unconfirm: true}, true, ""},
			"none":      {UserUpdate{Email: new(""), Unconfirm: true}, true, ""},
			"no change": {UserUpdate{Group: new("red"), Unconfirm: true}, true, ""},
		} {
			u := mustCreate(t, s, newUserWithEmail(name, strings.ReplaceAll(name, " ", "")+"@home.com"))
			u, err := s.UpdateUser(t.Context(), u.ID, c.update)
			if err != nil || u.Active != c.active || u.Confirmation != c.confirmation {
				t.Errorf("%s: %v %q, %v", name, u.Active, u.Confirmation, err)
			}
		}
		checkConsistent(t, s, false)
	})
}

func TestAnOldLinkDoesNotActivateAUserWhoWasDeactivated(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		u := pendingUser(t, s, "tiny")
		code := mustCode(t, s, u, CodeConfirm)
		for _, active := range []bool{true, false} { // an operator's doing
			if _, err := s.UpdateUser(t.Context(), u.ID, UserUpdate{Active: &active, Confirmation: new("")}); err != nil {
				t.Fatal(err)
			}
		}
		_, err := s.Confirm(t.Context(), code)
		wantErr(t, err, ErrCodeSpent)
		if mustUser(t, s, u.ID).Active {
			t.Error("the user is active")
		}
	})
}

func TestTheOutcomeOfAMailIsNotedWhileTheUserIsUnconfirmed(t *testing.T) {
	onEveryTwice(t, func(t *testing.T, s *Store) {
		u := pendingUser(t, s, "tiny")
		code := mustCode(t, s, u, CodeConfirm)
		set := func(outcome, want string) {
			t.Helper()
			if err := s.SetConfirmation(t.Context(), u.ID, outcome); err != nil {
				t.Error(err)
			}
			got := mustUser(t, s, u.ID)
			if got.Confirmation != want || got.Active != (want == "") {
				t.Errorf("after %s: %q, active %v", outcome, got.Confirmation, got.Active)
			}
		}
		set(ConfirmationFailed, ConfirmationFailed)
		set(ConfirmationPending, ConfirmationPending)
		if _, err := s.Confirm(t.Context(), code); err != nil {
			t.Fatal(err)
		}
		set(ConfirmationFailed, "")
		wantErr(t, s.SetConfirmation(t.Context(), uuid.New(), ConfirmationFailed), ErrUserNotFound)
		if err := s.SetConfirmation(t.Context(), u.ID, ""); err == nil {
			t.Error("no outcome is accepted")
		}
	})
}
