package store

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"

	"rollcall/protocol"
)

// createMany creates users 0 to n-1; f may change one before.
func createMany(t testing.TB, s *Store, n int, f func(i int, u *NewUser)) []User {
	t.Helper()
	users := make([]User, n)
	var done sync.WaitGroup
	for worker := range 32 {
		done.Go(func() {
			for i := worker; i < n; i += 32 {
				u := newUser(nthName(i))
				if f != nil {
					f(i, &u)
				}
				var err error
				if users[i], err = s.CreateUser(t.Context(), u); err != nil {
					t.Error(err)
				}
			}
		})
	}
	done.Wait()
	if t.Failed() {
		t.FailNow()
	}
	return users
}

// listAll walks through all pages; between may do something after each.
func listAll(t testing.TB, s *Store, q ListQuery, between func(page int)) []User {
	t.Helper()
	q.Scope = testScope
	var all []User
	for page := 0; ; page++ {
		users, cursor, err := s.ListUsers(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		if q.Limit > 0 && len(users) > q.Limit {
			t.Fatalf("%d users on a page of %d", len(users), q.Limit)
		}
		all = append(all, users...)
		if cursor == "" {
			return all
		}
		q.Cursor = cursor
		if between != nil {
			between(page)
		}
	}
}

func usernames(users []User) []string {
	names := make([]string, len(users))
	for i, u := range users {
		names[i] = u.Username
	}
	return names
}

func TestSmallPagesListEverybodyOnceAndInOrder(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		const n = 2500
		users := createMany(t, s, n, nil)
		mustCreate(t, s, NewUser{Scope: "another", Username: "Player"})
		if count, err := s.CountUsers(t.Context(), testScope); count != n || err != nil {
			t.Errorf("counted %d, %v", count, err)
		}
		if got := listAll(t, s, ListQuery{Limit: 7}, nil); !slices.Equal(usernames(got), usernames(users)) {
			t.Errorf("by username: %d users, not those in order", len(got))
		}
		byCreation := func(a, b User) int {
			return strings.Compare(memberOf(&a, cursorByCreated), memberOf(&b, cursorByCreated))
		}
		slices.SortFunc(users, byCreation)
		if got := listAll(t, s, ListQuery{Limit: 7, OrderBy: protocol.OrderByCreatedAt}, nil); !slices.Equal(usernames(got), usernames(users)) {
			t.Errorf("by created_at: %d users, not those in order", len(got))
		}
	})
}

func TestAListingIsStableWhileUsersComeAndGo(t *testing.T) {
	for _, order := range []string{protocol.OrderByUsername, protocol.OrderByCreatedAt} {
		t.Run(order, func(t *testing.T) {
			onEvery(t, func(t *testing.T, s *Store) {
				users := createMany(t, s, 300, nil)
				gone := map[uuid.UUID]bool{}
				got := listAll(t, s, ListQuery{Limit: 7, OrderBy: order}, func(page int) {
					mustCreate(t, s, newUser(fmt.Sprint("A before all ", page)))
					mustCreate(t, s, newUser(fmt.Sprint("Player 0150 between ", page)))
					victim := users[(page*61)%len(users)].ID // all over the place
					if _, err := s.DeleteUser(t.Context(), victim); err != nil {
						t.Fatal(err)
					}
					gone[victim] = true
					if page > 150 {
						t.Fatal("it does not end")
					}
				})
				seen := map[uuid.UUID]int{}
				for _, u := range got {
					seen[u.ID]++
				}
				for id, n := range seen {
					if n > 1 {
						t.Errorf("%v is listed %d times", id, n)
					}
				}
				for _, u := range users {
					if !gone[u.ID] && seen[u.ID] == 0 {
						t.Errorf("%s is missing", u.Username)
					}
				}
			})
		})
	}
}

func TestFilters(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		users := createMany(t, s, 240, func(i int, u *NewUser) {
			if i%10 == 3 {
				u.Username = fmt.Sprintf("ÄRGER %03d", i)
			}
			u.Email = fmt.Sprintf("Mail%d@home.com", i)
			u.Active = i%3 == 0
			u.Group = []string{"", "red", "blue"}[i%3]
			u.Confirmation = []string{"", "", "pending", "failed"}[i%4]
		})
		for name, c := range map[string]struct {
			filter protocol.UserFilter
			want   func(i int, u User) bool
		}{
			"prefix":             {protocol.UserFilter{Username: "pLaYeR 00"}, func(i int, u User) bool { return strings.HasPrefix(u.Username, "Player 00") }},
			"prefix, folded":     {protocol.UserFilter{Username: "ärger"}, func(i int, u User) bool { return i%10 == 3 }},
			"prefix, decomposed": {protocol.UserFilter{Username: "a\u0308rg"}, func(i int, u User) bool { return i%10 == 3 }},
			"prefix of nobody":   {protocol.UserFilter{Username: "zz"}, func(i int, u User) bool { return false }},
			"whole name":         {protocol.UserFilter{Username: "player 0000"}, func(i int, u User) bool { return i == 0 }},
			"email":              {protocol.UserFilter{Email: "mail7@HOME.com"}, func(i int, u User) bool { return i == 7 }},
			"email, not active":  {protocol.UserFilter{Email: "mail7@home.com", Active: new(true)}, func(i int, u User) bool { return false }},
			"unknown email":      {protocol.UserFilter{Email: "x@home.com"}, func(i int, u User) bool { return false }},
			"group":              {protocol.UserFilter{Group: "red"}, func(i int, u User) bool { return u.Group == "red" }},
			"active":             {protocol.UserFilter{Active: new(true)}, func(i int, u User) bool { return u.Active }},
			"not active":         {protocol.UserFilter{Active: new(false)}, func(i int, u User) bool { return !u.Active }},
			"pending":            {protocol.UserFilter{Pending: new(true)}, func(i int, u User) bool { return u.Confirmation != "" }},
			"not pending":        {protocol.UserFilter{Pending: new(false)}, func(i int, u User) bool { return u.Confirmation == "" }},
			"all of it": {protocol.UserFilter{Username: "player 01", Group: "blue", Active: new(false), Pending: new(true)},
				func(i int, u User) bool {
					return strings.HasPrefix(u.Username, "Player 01") && u.Group == "blue" && u.Confirmation != ""
				}},
		} {
			var want []string
			for i, u := range users {
				if c.want(i, u) {
					want = append(want, u.Username)
				}
			}
			slices.Sort(want)
			for _, order := range []string{protocol.OrderByUsername, protocol.OrderByCreatedAt} {
				for _, limit := range []int{0, 5} {
					got := usernames(listAll(t, s, ListQuery{Filter: c.filter, OrderBy: order, Limit: limit}, nil))
					if order == protocol.OrderByCreatedAt {
						slices.Sort(got)
					}
					if !slices.Equal(got, want) {
						t.Errorf("%s by %s, pages of %d: got %q, want %q", name, order, limit, got, want)
					}
				}
			}
		}
	})
}

func TestASparseFilterLeavesThePageShortAndGoesOn(t *testing.T) {
	s := openTest(t, Config{})
	createMany(t, s, maxListReads+100, func(i int, u *NewUser) {
		if i == maxListReads+50 {
			u.Group = "rare"
		}
	})
	q := ListQuery{Scope: testScope, Filter: protocol.UserFilter{Group: "rare"}, Limit: 10}
	users, cursor, err := s.ListUsers(t.Context(), q)
	if len(users) != 0 || cursor == "" || err != nil {
		t.Fatalf("first page: %d users, cursor %q, %v", len(users), cursor, err)
	}
	q.Cursor = cursor
	users, cursor, err = s.ListUsers(t.Context(), q)
	if len(users) != 1 || cursor != "" || err != nil {
		t.Fatalf("second page: %d users, cursor %q, %v", len(users), cursor, err)
	}
}

func TestARenamedUserIsListedUnderTheNewName(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		users := createMany(t, s, 20, nil)
		if _, err := s.UpdateUser(t.Context(), users[3].ID, UserUpdate{Username: new("Zoe")}); err != nil {
			t.Fatal(err)
		}
		if _, err := s.UpdateUser(t.Context(), users[5].ID, UserUpdate{Username: new("PLAYER 0005")}); err != nil {
			t.Fatal(err)
		}
		want := usernames(users)
		want[5] = "PLAYER 0005"
		want = append(slices.Delete(want, 3, 4), "Zoe")
		if got := usernames(listAll(t, s, ListQuery{Limit: 6}, nil)); !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}

func TestForeignCursorsAreRefused(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		createMany(t, s, 20, nil)
		_, byName, err := s.ListUsers(t.Context(), ListQuery{Scope: testScope, Limit: 5})
		if err != nil || byName == "" {
			t.Fatal(byName, err)
		}
		for name, q := range map[string]ListQuery{
			"not base64":  {Cursor: "!!"},
			"empty":       {Cursor: base64.RawURLEncoding.EncodeToString([]byte("u"))},
			"no uuid":     {Cursor: base64.RawURLEncoding.EncodeToString([]byte("utiny"))},
			"other order": {Cursor: byName, OrderBy: protocol.OrderByCreatedAt},
			"other kind":  {Cursor: base64.RawURLEncoding.EncodeToString([]byte("x" + strings.Repeat("0", 60)))},
		} {
			q.Scope = testScope
			if _, _, err := s.ListUsers(t.Context(), q); err == nil || !strings.Contains(err.Error(), ErrBadCursor.Error()) {
				t.Errorf("%s: %v", name, err)
			}
		}
		// One that was forged well reads from there, and nothing else.
		forged := encodeCursor(cursorByName, "player 0017\x00"+uuid.Max.String())
		users, cursor, err := s.ListUsers(t.Context(), ListQuery{Scope: testScope, Cursor: forged})
		if err != nil || cursor != "" || !slices.Equal(usernames(users), []string{nthName(18), nthName(19)}) {
			t.Errorf("got %q %q, %v", usernames(users), cursor, err)
		}
	})
}

func TestAnEmptyScopeHasAnEmptyPage(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		users, cursor, err := s.ListUsers(t.Context(), ListQuery{Scope: "nothing here"})
		if len(users) != 0 || cursor != "" || err != nil {
			t.Errorf("%v %q %v", users, cursor, err)
		}
		if n, err := s.CountUsers(t.Context(), "nothing here"); n != 0 || err != nil {
			t.Error(n, err)
		}
	})
}
