package server_test

import (
	"fmt"
	"strings"
	"testing"

	"rollcall/server/wiretest"
)

func TestAnUpdateChangesItsFieldsAndAnswersWithTheUser(t *testing.T) {
	tests := []struct {
		name   string
		update obj
		want   map[string]string // members after it; "" for absent
	}{
		{"username", obj{"username": "Tina"}, map[string]string{"username": `"Tina"`}},
		{"username in another case", obj{"username": "TINY"}, map[string]string{"username": `"TINY"`}},
		{"email", obj{"email": "New@home.com"}, map[string]string{"email": `"New@home.com"`}},
		{"email removed", obj{"email": nil}, map[string]string{"email": ""}},
		{"group", obj{"group": "red"}, map[string]string{"group": `"red"`}},
		{"group removed", obj{"group": nil}, map[string]string{"group": ""}},
		{"an extra key added", obj{"extra": obj{"c": true}}, map[string]string{"extra": `{"a":1,"b":"two","c":true}`}},
		{"an extra key replaced by another type", obj{"extra": obj{"a": "one"}}, map[string]string{"extra": `{"a":"one","b":"two"}`}},
		{"an extra key removed", obj{"extra": obj{"a": nil}}, map[string]string{"extra": `{"b":"two"}`}},
		{"a key removed that is not there", obj{"extra": obj{"z": nil}}, map[string]string{"extra": `{"a":1,"b":"two"}`}},
		{"all extra keys removed", obj{"extra": obj{"a": nil, "b": nil}}, map[string]string{"extra": ""}},
		{"no extra keys", obj{"extra": obj{}}, map[string]string{"extra": `{"a":1,"b":"two"}`}},
		{"active to false", obj{"active": false}, map[string]string{"active": "false", "validated": "false"}},
		{"several", obj{"username": "Tina", "group": "red", "extra": obj{"a": nil, "c": 3}},
			map[string]string{"username": `"Tina"`, "group": `"red"`, "extra": `{"b":"two","c":3}`, "email": `"tiny@home.com"`}},
		{"nothing", obj{}, map[string]string{"username": `"tiny"`, "group": `"blue"`, "email": `"tiny@home.com"`}},
		{"an unknown member", obj{"shoe_size": 43}, map[string]string{"shoe_size": "", "username": `"tiny"`}},
	}
	n := start(t)
	for i, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := n.client(fmt.Sprint("scope ", i))
			u := create(t, c, "tiny", obj{"email": "tiny@home.com", "group": "blue", "extra": obj{"a": 1, "b": "two"}})
			before := ok(t, c.Call("users.get", u.ref())).Object()
			r := ok(t, c.Call("users.update", obj{"user_id": u.id, "update": tt.update}))
			after := ok(t, c.Call("users.get", u.ref()))
			wantResult(t, r, after.Result())
			for name, value := range tt.want {
				if got := r.Object().Raw(name); got != value && !(name == "extra" && value == "" && got == "{}") {
					t.Errorf("%s is %q, want %q", name, got, value)
				}
			}
			for name := range before {
				_, changed := tt.want[name]
				if !changed && name != "updated_at" && after.Object().Raw(name) != before.Raw(name) {
					t.Errorf("%s went from %s to %s", name, before.Raw(name), after.Object().Raw(name))
				}
			}
			if after.Object().Text("updated_at") < before.Text("updated_at") {
				t.Errorf("updated_at went back from %s to %s", before.Raw("updated_at"), after.Object().Raw("updated_at"))
			}
		})
	}
}

func TestAnUpdateThatIsNotAllowedChangesNothing(t *testing.T) {
	tests := []struct {
		name   string
		update any
		status int
	}{
		{"a username that another has", obj{"username": "OTHER", "group": "red"}, 600},
		{"an email that another has", obj{"email": "other@HOME.com", "group": "red"}, 600},
		{"an empty username", obj{"username": "", "group": "red"}, 802},
		{"a username of another type", obj{"username": 5, "group": "red"}, 801},
		{"no email that is one", obj{"email": "x", "group": "red"}, 704},
		{"an empty email", obj{"email": "", "group": "red"}, 704},
		{"an email of another type", obj{"email": true, "group": "red"}, 801},
		{"an empty password", obj{"password": "", "group": "red"}, 802},
		{"a password of another type", obj{"password": 5, "group": "red"}, 801},
		{"a password_hash that is none", obj{"password_hash": "abc", "group": "red"}, 802},
		{"a group of another type", obj{"group": []int{}}, 801},
		{"active of another type", obj{"active": "false", "group": "red"}, 801},
		{"active to true by the user", obj{"active": true, "group": "red"}, 606},
		{"nested extra", obj{"extra": obj{"a": obj{"b": 1}}, "group": "red"}, 801},
		{"extra of another type", obj{"extra": "x", "group": "red"}, 801},
		{"a number beyond float64", obj{"extra": obj{"a": bigNumber}, "group": "red"}, 802},
		{"over 64 keys after the merge", obj{"extra": manyKeys(63), "group": "red"}, 802},
		{"over 8 KiB after the merge", obj{"extra": obj{"c": strings.Repeat("x", 8180)}, "group": "red"}, 802},
		{"an update of another type", []int{1}, 801},
		{"no update", nil, 804},
	}
	n := start(t)
	c := n.client()
	create(t, c, "other", obj{"email": "other@home.com"})
	u := create(t, c, "tiny", obj{"email": "tiny@home.com", "group": "blue", "extra": obj{"a": 1, "b": strings.Repeat("y", 20)}})
	before := ok(t, c.Call("users.get", u.ref())).Result()
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			want(t, c.Call("users.update", obj{"user_id": u.id, "update": tt.update}), tt.status)
			wantResult(t, c.Call("users.get", u.ref()), before)
		})
	}
	login(t, c, u)
}

const bigNumber = jsonNumber("1e309")

// jsonNumber is a number as it is to stand in the frame.
type jsonNumber string

func (n jsonNumber) MarshalJSON() ([]byte, error) { return []byte(n), nil }

func manyKeys(n int) obj {
	o := obj{}
	for i := range n {
		o[fmt.Sprint("key", i)] = i
	}
	return o
}

func TestRemovingExtraKeysMakesRoomForOthers(t *testing.T) {
	n := start(t)
	c := n.client()
	u := create(t, c, "tiny", obj{"extra": manyKeys(64)})
	want(t, c.Call("users.update", obj{"user_id": u.id, "update": obj{"extra": obj{"new": 1}}}), 802)
	ok(t, c.Call("users.update", obj{"user_id": u.id, "update": obj{"extra": obj{"new": 1, "key0": nil}}}))
	want(t, c.Call("users.update", obj{"user_id": u.id, "update": obj{"extra": obj{"newer": 1}}}), 802)
}

func TestARenameFreesTheOldNamesAndTakesTheNewOnes(t *testing.T) {
	n := start(t)
	c := n.client()
	u := create(t, c, "tiny", obj{"email": "tiny@home.com"})
	ok(t, c.Call("users.update", obj{"user_id": u.id, "update": obj{"username": "tina", "email": "tina@home.com"}}))

	ok(t, c.Call("users.login", obj{"username": "tina", "password": thePassword}))
	ok(t, c.Call("users.login", obj{"email": "tina@home.com", "password": thePassword}))
	want(t, c.Call("users.login", obj{"username": "tiny", "password": thePassword}), 604)
	want(t, c.Call("users.login", obj{"email": "tiny@home.com", "password": thePassword}), 604)
	want(t, c.Call("users.create", obj{"username": "TINA", "password": thePassword}), 600)
	create(t, c, "tiny", obj{"email": "tiny@home.com"})

	ok(t, c.Call("users.update", obj{"user_id": u.id, "update": obj{"email": nil}}))
	want(t, c.Call("users.login", obj{"email": "tina@home.com", "password": thePassword}), 604)
	create(t, c, "third", obj{"email": "tina@home.com"})
}

func TestANewPasswordReplacesTheOldOne(t *testing.T) {
	for form, update := range map[string]obj{
		"bare":   {"password": "new-secret"},
		"hashed": {"password_hash": passwordHash(theScope, "new-secret")},
	} {
		t.Run(form, func(t *testing.T) {
			n := start(t)
			c := n.client()
			u := create(t, c, "tiny")
			ok(t, c.Call("users.update", obj{"user_id": u.id, "update": update}))
			want(t, c.Call("users.login", u.login()), 603)
			ok(t, c.Call("users.login", obj{"username": "tiny", "password": "new-secret"}))
		})
	}
}

func TestAScopeMayAskForTheCurrentPassword(t *testing.T) {
	n := start(t)
	u := n.elsewhere("tiny")
	ok(t, n.admin().Call("admin.scopes.update", obj{"name": theScope, "options": obj{"reauth": true}}))
	c := n.client()
	login(t, c, u)
	update := func(change obj, more ...string) wiretest.Reply {
		params := obj{"user_id": u.id, "update": change}
		for i := 0; i < len(more); i += 2 {
			params[more[i]] = more[i+1]
		}
		return c.Call("users.update", params)
	}
	for _, change := range []obj{{"password": "new-secret"}, {"email": "tiny@home.com"}} {
		want(t, update(change), 804)
		want(t, update(change, "current_password", "wrong-secret"), 603)
		want(t, update(change, "current_password_hash", passwordHash(theScope, "wrong-secret")), 603)
	}
	ok(t, update(obj{"group": "red"}))
	ok(t, update(obj{"email": "tiny@home.com"}, "current_password", thePassword))
	ok(t, update(obj{"password": "new-secret"}, "current_password_hash", passwordHash(theScope, thePassword)))
	ok(t, n.client().Call("users.login", obj{"email": "tiny@home.com", "password": "new-secret"}))
}

func TestDeleteAnswersOneAndThenNothingIsLeft(t *testing.T) {
	n := start(t)
	c := n.client()
	u := create(t, c, "tiny", obj{"email": "tiny@home.com"})
	wantResult(t, c.Call("users.delete", u.ref()), "1")

	// This connection created the user, so it may still ask.
	wantResult(t, c.Call("users.delete", u.ref()), "0")
	want(t, c.Call("users.get", u.ref()), 604)
	want(t, c.Call("users.update", obj{"user_id": u.id, "update": obj{"group": "red"}}), 604)
	want(t, c.Call("users.login", u.login()), 604)
	want(t, c.Call("users.login", obj{"email": "tiny@home.com", "password": thePassword}), 604)

	again := create(t, n.client(), "TINY", obj{"email": "Tiny@home.com"})
	if again.id == u.id {
		t.Error("the new user has the old one's id")
	}
	want(t, c.Call("users.get", again.ref()), 606)
}

func TestAUserMayDeleteHimself(t *testing.T) {
	n := start(t)
	u := n.elsewhere("tiny")
	c := n.client()
	token := login(t, c, u)
	wantResult(t, c.Call("users.delete", u.ref()), "1")
	want(t, n.client().Call("users.resume", obj{"session": token}), 607)
	// Whether the connection still counts as the deleted user, the contract
	// leaves open; that nothing is there to delete, it does not.
	if r := c.Call("users.delete", u.ref()); r.Result() != "0" && r.Status() != 606 {
		t.Errorf("a second delete got %s", r.Raw)
	}
	create(t, c, "tiny")
}
