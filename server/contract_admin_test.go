package server_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"rollcall/server/wiretest"
)

func TestAnAdminLogsInByPasswordAndByToken(t *testing.T) {
	n := start(t)
	o := ok(t, n.dial().Call("admin.login", obj{"name": "admin", "password": theAdmin})).Object()
	wantMembers(t, o, "name role token expires_at")
	if o.Text("name") != "admin" || o.Text("role") != "owner" || !timeForm.MatchString(o.Text("expires_at")) {
		t.Errorf("got name %s, role %s, expires_at %s", o.Raw("name"), o.Raw("role"), o.Raw("expires_at"))
	}
	if expires, _ := time.Parse(time.RFC3339, o.Text("expires_at")); time.Until(expires) <= 0 {
		t.Errorf("expires_at %s is over", o.Raw("expires_at"))
	}
	c := n.dial()
	again := ok(t, c.Call("admin.login", obj{"token": o.Text("token")})).Object()
	wantMembers(t, again, "name role token expires_at")
	if again.Text("name") != "admin" || again.Text("role") != "owner" {
		t.Errorf("the token opened name %s, role %s", again.Raw("name"), again.Raw("role"))
	}
	ok(t, c.Call("admin.scopes.list", nil))
}

func TestAnAdminLoginIsRefused(t *testing.T) {
	n := start(t)
	u := n.elsewhere("tiny")
	userToken := login(t, n.client(), u)
	tests := []struct {
		name   string
		params obj
		status int
	}{
		{"a wrong password", obj{"name": "admin", "password": "wrong-secret"}, 603},
		{"an unknown admin", obj{"name": "nobody", "password": "wrong-secret"}, 603},
		{"the name of a player", obj{"name": "tiny", "password": thePassword}, 603},
		{"an unknown token", obj{"token": "nonsense"}, 607},
		{"a player's token", obj{"token": userToken}, 607},
		{"no password", obj{"name": "admin"}, 804},
		{"no name", obj{"password": theAdmin}, 804},
		{"nothing", nil, 804},
		{"an empty password", obj{"name": "admin", "password": ""}, 802},
		{"a name of another type", obj{"name": 1, "password": theAdmin}, 801},
	}
	texts := map[int]string{}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := n.dial()
			r := want(t, c.Call("admin.login", tt.params), tt.status)
			if first, seen := texts[tt.status]; seen && (tt.status == 603 || tt.status == 607) && r.Message() != first {
				t.Errorf("the text tells more than the status: %q and %q", first, r.Message())
			}
			texts[tt.status] = r.Message()
			want(t, c.Call("admin.scopes.list", nil), 806)
		})
	}
	want(t, n.client().Call("users.resume", obj{"session": ok(t, n.dial().Call("admin.login", obj{"name": "admin", "password": theAdmin})).Object().Text("token")}), 607)
}

func TestAnAdminCreatesUsers(t *testing.T) {
	n := start(t)
	a := n.admin()
	made := func(params obj) string {
		t.Helper()
		params["scope"] = theScope
		o := ok(t, a.Call("admin.users.create", params)).Object()
		wantMembers(t, o, "user_id")
		return o.Text("user_id")
	}
	id := made(obj{"username": "Tiny", "password": thePassword, "email": "tiny@home.com", "group": "blue", "extra": obj{"a": 1}})
	o := ok(t, n.client().Call("users.login", obj{"username": "tiny", "password": thePassword})).Object()
	wantMembers(t, o, loginMembers+" email group extra")
	if o.Text("user_id") != id || o.Text("username") != "Tiny" {
		t.Errorf("logged in as %v", o)
	}
	made(obj{"username": "hashed", "password_hash": passwordHash(theScope, thePassword)})
	ok(t, n.client().Call("users.login", obj{"username": "hashed", "password": thePassword}))

	first, second := made(obj{"password": thePassword}), made(obj{})
	names := map[string]bool{}
	for _, id := range []string{first, second} {
		name := ok(t, a.Call("admin.users.get", obj{"user_id": id})).Object().Text("username")
		if name == "" || names[name] {
			t.Errorf("the generated username is %q", name)
		}
		names[name] = true
	}

	for name, tt := range map[string]struct {
		params obj
		status int
	}{
		"taken username":   {obj{"scope": theScope, "username": "TINY"}, 600},
		"taken email":      {obj{"scope": theScope, "email": "TINY@home.com"}, 600},
		"unknown scope":    {obj{"scope": "nowhere", "username": "x"}, 1004},
		"no scope":         {obj{"username": "x"}, 804},
		"bad email":        {obj{"scope": theScope, "email": "x"}, 704},
		"empty username":   {obj{"scope": theScope, "username": ""}, 802},
		"nested extra":     {obj{"scope": theScope, "extra": obj{"a": obj{}}}, 801},
		"number as a name": {obj{"scope": theScope, "username": 1}, 801},
	} {
		t.Run(name, func(t *testing.T) { want(t, a.Call("admin.users.create", tt.params), tt.status) })
	}
}

func TestAnAdminSeesAUserWithSessions(t *testing.T) {
	n := start(t)
	u := n.elsewhere("tiny", obj{"email": "tiny@home.com"})
	a := n.admin()
	o := ok(t, a.Call("admin.users.get", u.ref())).Object()
	if o.Raw("sessions") != "[]" || o.Raw("providers") != "[]" {
		t.Errorf("sessions %s and providers %s, want none", o.Raw("sessions"), o.Raw("providers"))
	}
	c := n.client()
	token := login(t, c, u)
	r := ok(t, a.Call("admin.users.get", u.ref()))
	wantMembers(t, r.Object(), userMembers+" email last_login_at sessions events", "provider_objects")
	if !strings.HasPrefix(r.Object().Raw("sessions"), `[{"session_id":`) || strings.Contains(r.Raw, token) {
		t.Errorf("sessions is %s, want one without its token", r.Object().Raw("sessions"))
	}
	want(t, a.Call("admin.users.get", obj{"user_id": "00000000-1111-4222-8333-444444444444"}), 604)
	want(t, a.Call("admin.users.get", obj{"user_id": "x"}), 802)
	want(t, a.Call("admin.users.get", nil), 804)
}

func TestAnAdminUpdatesAndDeletesUsers(t *testing.T) {
	n := start(t)
	u := n.elsewhere("tiny", obj{"email": "tiny@home.com", "extra": obj{"a": 1, "b": 2}})
	n.elsewhere("other")
	a := n.admin()
	update := func(change obj) wiretest.Reply {
		return a.Call("admin.users.update", obj{"user_id": u.id, "update": change})
	}
	o := ok(t, update(obj{"username": "Tina", "email": nil, "group": "red", "extra": obj{"a": nil}, "active": false})).Object()
	wantMembers(t, o, userMembers+" group extra")
	if o.Text("username") != "Tina" || o.Text("group") != "red" || o.Raw("extra") != `{"b":2}` || o.Raw("active") != "false" {
		t.Errorf("got %v", o)
	}
	if o := ok(t, update(obj{"active": true})).Object(); o.Raw("active") != "true" || o.Raw("validated") != "true" {
		t.Errorf("got %v, want an active user", o)
	}
	ok(t, update(obj{"password": "new-secret"}))
	ok(t, n.client().Call("users.login", obj{"username": "tina", "password": "new-secret"}))
	want(t, update(obj{"username": "OTHER"}), 600)
	want(t, update(obj{"email": "x"}), 704)
	want(t, update(obj{"active": "yes"}), 801)

	wantResult(t, a.Call("admin.users.delete", u.ref()), "1")
	wantResult(t, a.Call("admin.users.delete", u.ref()), "0")
	want(t, update(obj{"group": "blue"}), 604)
	want(t, a.Call("admin.users.get", u.ref()), 604)
	n.elsewhere("TINA")
}

func TestAListingPagesThroughAllUsersInOrder(t *testing.T) {
	n := start(t)
	c, a := n.client(), n.admin()
	var names []string
	for i := range 23 {
		name := fmt.Sprintf("%s-%02d", []string{"Al", "bo", "Cy"}[i%3], i)
		create(t, c, name)
		names = append(names, name)
	}
	create(t, n.client("other scope"), "bo-of-another-scope")
	byName := slices.Clone(names)
	slices.SortFunc(byName, func(x, y string) int { return strings.Compare(strings.ToLower(x), strings.ToLower(y)) })
	var onlyBo []string
	for _, name := range byName {
		if strings.HasPrefix(name, "bo") {
			onlyBo = append(onlyBo, name)
		}
	}
	for _, tt := range []struct {
		name   string
		params obj
		want   []string // nil: all, in any order
	}{
		{"by username", obj{"orderby": "username"}, byName},
		{"by username unless said otherwise", obj{}, byName},
		{"by creation", obj{"orderby": "created_at"}, nil},
		{"a prefix in another case", obj{"filter": obj{"username": "BO"}}, onlyBo},
		{"a prefix that nobody has", obj{"filter": obj{"username": "zz"}}, []string{}},
	} {
		for _, limit := range []int{1, 5, 23, 200} {
			t.Run(fmt.Sprint(tt.name, ", pages of ", limit), func(t *testing.T) {
				tt.params["scope"], tt.params["limit"] = theScope, limit
				got, created := pages(t, a, tt.params, limit)
				wanted := tt.want
				if wanted == nil {
					if !slices.IsSorted(created) {
						t.Errorf("created_at is out of order: %v", created)
					}
					wanted = slices.Sorted(slices.Values(names))
					slices.Sort(got)
				}
				if !slices.Equal(got, wanted) {
					t.Errorf("got %v, want %v", got, wanted)
				}
			})
		}
	}
}

// pages reads a listing to its end and returns the usernames and times.
func pages(t *testing.T, a *wiretest.Client, params obj, limit int) (names, created []string) {
	t.Helper()
	names = []string{}
	delete(params, "cursor")
	for range 1000 {
		o := ok(t, a.Call("admin.users.list", params)).Object()
		wantMembers(t, o, "users", "cursor")
		users := list(o.Raw("users"))
		if len(users) > limit {
			t.Errorf("a page of %d users is over the limit of %d", len(users), limit)
		}
		for _, u := range users {
			wantMembers(t, u, userMembers, "email", "group", "extra", "last_login_at", "confirmation", "ban")
			names, created = append(names, u.Text("username")), append(created, u.Text("created_at"))
		}
		if o.Raw("cursor") == "" {
			return names, created
		}
		params["cursor"] = o.Text("cursor")
	}
	t.Fatal("the listing has no end")
	return nil, nil
}

func TestAListingIsNarrowedByItsFilter(t *testing.T) {
	n := start(t)
	c, a := n.client(), n.admin()
	create(t, c, "one", obj{"email": "One@home.com", "group": "blue"})
	create(t, c, "two", obj{"group": "red"})
	three := create(t, c, "three", obj{"group": "blue"})
	ok(t, c.Call("users.update", obj{"user_id": three.id, "update": obj{"active": false}}))
	ok(t, c.Call("users.create", obj{"username": "four", "password": thePassword, "email": "four@home.com", "confirmation": obj{}}))
	for _, tt := range []struct {
		filter obj
		want   string
	}{
		{obj{}, "four one three two"},
		{obj{"email": "one@HOME.com"}, "one"},
		{obj{"group": "blue"}, "one three"},
		{obj{"group": "blue", "username": "t"}, "three"},
		{obj{"active": false}, "four three"},
		{obj{"active": true}, "one two"},
		{obj{"pending": true}, "four"},
		{obj{"pending": false}, "one three two"},
		{obj{"banned": true}, ""},
		{obj{"banned": false}, "four one three two"},
		{obj{"online": true}, ""},
		{obj{"online": false}, "four one three two"},
	} {
		t.Run(fmt.Sprint(tt.filter), func(t *testing.T) {
			names, _ := pages(t, a, obj{"scope": theScope, "filter": tt.filter}, 200)
			if got := strings.Join(names, " "); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestAListingIsHeldToItsBounds(t *testing.T) {
	n := start(t)
	a := n.admin()
	for name, tt := range map[string]struct {
		params obj
		status int
	}{
		"no scope":           {obj{}, 804},
		"unknown scope":      {obj{"scope": "nowhere"}, 1004},
		"limit of 201":       {obj{"scope": theScope, "limit": 201}, 802},
		"negative limit":     {obj{"scope": theScope, "limit": -1}, 802},
		"huge limit":         {obj{"scope": theScope, "limit": jsonNumber("1e30")}, 802},
		"limit as a string":  {obj{"scope": theScope, "limit": "5"}, 801},
		"unknown order":      {obj{"scope": theScope, "orderby": "password"}, 802},
		"cursor of nonsense": {obj{"scope": theScope, "cursor": "%%%"}, 802},
		"cursor as a number": {obj{"scope": theScope, "cursor": 5}, 801},
		"filter as a list":   {obj{"scope": theScope, "filter": []int{}}, 801},
	} {
		t.Run(name, func(t *testing.T) { want(t, a.Call("admin.users.list", tt.params), tt.status) })
	}
}
