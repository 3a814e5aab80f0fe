package server_test

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/bcrypt"

	"rollcall/server"
	"rollcall/server/wiretest"
	"rollcall/store/storetest"
)

// phcOf makes an Argon2id hash as another program would.
func phcOf(secret string, salt string) string {
	b64 := base64.RawStdEncoding
	key := argon2.IDKey([]byte(secret), []byte(salt), 2, 128, 1, 32)
	return fmt.Sprintf("$argon2id$v=19$m=128,t=2,p=1$%s$%s", b64.EncodeToString([]byte(salt)), b64.EncodeToString(key))
}

func bcryptOf(t *testing.T, password string) string {
	t.Helper()
	hash, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	return string(hash)
}

// imported brings users in and returns the results.
func imported(t *testing.T, a *wiretest.Client, users ...any) []wiretest.Object {
	t.Helper()
	results := list(ok(t, a.Call("admin.users.import", obj{"scope": theScope, "users": users})).Result())
	if len(results) != len(users) {
		t.Fatalf("%d results of %d users", len(results), len(users))
	}
	return results
}

func TestAnImportedUserLogsInByThePasswordOfElsewhere(t *testing.T) {
	n := start(t)
	a := n.admin()
	hash := passwordHash(theScope, thePassword)
	results := imported(t, a,
		obj{"username": "argon", "kind": "argon2id", "hash": phcOf(thePassword, "sixteen bytes...")},
		obj{"username": "argon8", "kind": "argon2id", "hash": phcOf(thePassword, "somesalt")},
		obj{"username": "crypt", "kind": "bcrypt", "hash": bcryptOf(t, thePassword)},
		obj{"username": "ours", "kind": "rollcall", "hash": phcOf(hash, "sixteen bytes...")},
	)
	for i, o := range results {
		wantMembers(t, o, "user_id")
		name := []string{"argon", "argon8", "crypt", "ours"}[i]
		c := n.client()
		if name != "ours" {
			for range 2 { // a wrong password in between changes nothing
				r := want(t, c.Call("users.login", obj{"username": name, "password_hash": hash}), 610)
				if !strings.HasPrefix(r.Message(), "password needed once, over TLS") {
					t.Errorf("%s: the text is %q", name, r.Message())
				}
				want(t, c.Call("users.login", obj{"username": name, "password": "wrong-secret"}), 603)
			}
			if got := ok(t, c.Call("users.login", obj{"username": name, "password": thePassword})).Object().Text("user_id"); got != o.Text("user_id") {
				t.Errorf("%s logged in as %s, was imported as %s", name, got, o.Text("user_id"))
			}
		}
		ok(t, n.client().Call("users.login", obj{"username": name, "password_hash": hash})) // from now on
		want(t, n.client().Call("users.login", obj{"username": name, "password": "wrong-secret"}), 603)
	}
}

func TestAnImportedUserWithoutAHashSetsAPasswordFirst(t *testing.T) {
	po := startPostOffice(t)
	n := start(t, po.configure)
	a := n.admin()
	results := imported(t, a, obj{"username": "unknown", "kind": "unknown"}, obj{"username": "none", "email": "none@home.com"})
	for _, name := range []string{"unknown", "none"} {
		want(t, n.client().Call("users.login", obj{"username": name, "password": thePassword}), 605)
	}
	ok(t, n.client().Call("users.sendPasswordReset", obj{"email": "none@home.com"}))
	po.wait(1)
	link := ok(t, a.Call("admin.users.resetLink", obj{"user_id": results[1].Text("user_id")})).Object().Text("link")
	if link == "" {
		t.Error("no link to set a password")
	}
}

func TestAnImportKeepsWhatItIsGiven(t *testing.T) {
	n := start(t)
	a := n.admin()
	id := uuid.NewString()
	results := imported(t, a, obj{
		"user_id": id, "username": "Tiny", "email": "Tina@home.com", "group": "red", "extra": obj{"level": 3, "color": "blue"},
		"active": false, "created_at": "2019-05-04T03:02:01.234Z",
	})
	if results[0].Text("user_id") != id {
		t.Errorf("imported as %s, want %s", results[0].Text("user_id"), id)
	}
	o := ok(t, a.Call("admin.users.get", obj{"user_id": id})).Object()
	if o.Text("username") != "Tiny" || o.Text("email") != "Tina@home.com" || o.Text("group") != "red" || o.Raw("active") != "false" ||
		o.Object("extra").Raw("level") != "3" || o.Object("extra").Text("color") != "blue" || o.Text("created_at") != "2019-05-04T03:02:01.234Z" || o.Raw("logins") != "0" {
		t.Errorf("got %v", o)
	}
	if updated, _ := time.Parse(time.RFC3339, o.Text("updated_at")); time.Since(updated) > time.Hour {
		t.Errorf("updated_at is %v", updated)
	}
	// Who was a user before stands before in the order of creation.
	create(t, n.client(), "younger")
	imported(t, a, obj{"username": "oldest", "created_at": "2001-01-01T00:00:00Z"}, obj{"username": "last"})
	names, _ := pages(t, a, obj{"scope": theScope, "orderby": "created_at", "limit": 2}, 2)
	if got := strings.Join(names, " "); got != "oldest Tiny younger last" {
		t.Errorf("by creation: %s", got)
	}
}

func TestARepeatedImportIsAnsweredAsTheFirstTime(t *testing.T) {
	n := start(t)
	a := n.admin()
	one, two := uuid.NewString(), uuid.NewString()
	users := []any{
		obj{"user_id": one, "username": "one", "email": "one@home.com", "kind": "bcrypt", "hash": bcryptOf(t, thePassword)},
		obj{"user_id": two, "username": "two", "email": "two@home.com"},
	}
	for range 2 {
		for i, o := range imported(t, a, users...) {
			if o.Text("user_id") != []string{one, two}[i] {
				t.Errorf("got %v", o)
			}
		}
	}
	// Also after one was renamed and another has his name.
	ok(t, a.Call("admin.users.update", obj{"user_id": one, "update": obj{"username": "other", "email": "other@home.com"}}))
	create(t, n.client(), "one", obj{"email": "one@home.com"})
	if o := imported(t, a, users...)[0]; o.Text("user_id") != one {
		t.Errorf("got %v", o)
	}
	if o := ok(t, a.Call("admin.users.get", obj{"user_id": one})).Object(); o.Text("username") != "other" {
		t.Errorf("the import changed him to %v", o)
	}
	wantResult(t, a.Call("admin.users.delete", obj{"user_id": two}), "1")
	wantImportError(t, imported(t, a, users...)[1], 600, "user_id: the user was deleted")
}

func wantImportError(t *testing.T, o wiretest.Object, status int, text string) {
	t.Helper()
	wantMembers(t, o, "error status")
	if o.Raw("status") != fmt.Sprint(status) || !strings.HasPrefix(o.Text("error"), text) {
		t.Errorf("got %v, want %d %q", o, status, text)
	}
}

func TestABadLineOfAnImportStopsNoOther(t *testing.T) {
	n := start(t)
	a := n.admin()
	create(t, n.client(), "taken", obj{"email": "taken@home.com"})
	elsewhere := create(t, n.client("Moon"), "tiny")
	twice := uuid.NewString()
	tomorrow := time.Now().Add(24 * time.Hour).UTC().Format(time.RFC3339)
	lines := []struct {
		user   any
		status int
		text   string
	}{
		{obj{"username": "first"}, 0, ""},
		{obj{"username": "TAKEN"}, 600, "user already exists: the username is taken"},
		{obj{"username": "a", "email": "Taken@home.com"}, 600, "user already exists: the email address is taken"},
		{obj{"username": "a", "user_id": elsewhere.id}, 600, "user already exists: the user_id is taken"},
		{obj{"username": "twice", "user_id": twice}, 0, ""},
		{obj{"username": "twice more", "user_id": twice}, 802, "user_id: given twice"},
		{obj{"username": "First"}, 600, "user already exists: the username is taken"},
		{obj{}, 804, "username: required"},
		{obj{"username": " x"}, 802, "username: must not start"},
		{obj{"username": 5}, 801, "username: must be a string"},
		{"tiny", 801, "users: must be objects"},
		{obj{"username": "a", "email": "x"}, 704, "email: must be one email address"},
		{obj{"username": "a", "user_id": "x"}, 802, "user_id: must be a UUID"},
		{obj{"username": "a", "created_at": tomorrow}, 802, "created_at: must be after 1970 and not in the future"},
		{obj{"username": "a", "created_at": "1969-12-31T23:59:59Z"}, 802, "created_at: must be after 1970"},
		{obj{"username": "a", "created_at": "yesterday"}, 802, "created_at: a time is written as in RFC 3339"},
		{obj{"username": "a", "extra": obj{"a": obj{}}}, 801, "extra"},
		{obj{"username": "a", "hash": "x"}, 804, "kind: required"},
		{obj{"username": "a", "kind": "bcrypt"}, 804, "hash: required"},
		{obj{"username": "a", "kind": "unknown", "hash": "x"}, 802, "hash: of an unknown kind there is none"},
		{obj{"username": "a", "kind": "md5", "hash": "x"}, 802, "kind: must be argon2id, bcrypt, rollcall or unknown"},
		{obj{"username": "a", "kind": "bcrypt", "hash": "x"}, 802, "hash: not a bcrypt hash"},
		{obj{"username": "a", "kind": "bcrypt", "hash": "$2a$15$" + strings.Repeat("a", 53)}, 802, "hash: a bcrypt cost of at most 14"},
		{obj{"username": "a", "kind": "argon2id", "hash": "x"}, 802, "hash: not an argon2id hash"},
		{obj{"username": "a", "kind": "argon2id", "hash": strings.Replace(phcOf("x", "somesalt"), "m=128", "m=4194304", 1)}, 802, "hash: argon2id with at most"},
		{obj{"username": "a", "kind": "rollcall", "hash": phcOf("x", "somesalt")}, 802, "hash: a hash of rollcall has a salt of 16"},
		{obj{"username": "last"}, 0, ""},
	}
	users := make([]any, len(lines))
	for i, l := range lines {
		users[i] = l.user
	}
	for i, o := range imported(t, a, users...) {
		if l := lines[i]; l.status == 0 {
			wantMembers(t, o, "user_id")
		} else {
			t.Run(l.text, func(t *testing.T) { wantImportError(t, o, l.status, l.text) })
		}
	}
	names, _ := pages(t, a, obj{"scope": theScope}, 200)
	if got := strings.Join(names, ","); got != "first,last,taken,twice" {
		t.Errorf("the users are %s", got)
	}
}

func TestAnImportIsHeldToItsBoundsAndRights(t *testing.T) {
	n := start(t)
	a := n.admin()
	many := make([]obj, 201)
	for i := range many {
		many[i] = obj{"username": fmt.Sprint("u", i)}
	}
	for name, tt := range map[string]struct {
		params obj
		status int
	}{
		"no scope":         {obj{"users": []obj{{"username": "a"}}}, 804},
		"no users":         {obj{"scope": theScope}, 804},
		"201 users":        {obj{"scope": theScope, "users": many}, 802},
		"an unknown scope": {obj{"scope": "nowhere", "users": []obj{{"username": "a"}}}, 1004},
		"users as a text":  {obj{"scope": theScope, "users": "tiny"}, 801},
	} {
		t.Run(name, func(t *testing.T) { want(t, a.Call("admin.users.import", tt.params), tt.status) })
	}
	wantResult(t, a.Call("admin.users.import", obj{"scope": theScope, "users": []obj{}}), "[]")
	all := make([]any, 200)
	for i := range all {
		all[i] = many[i]
	}
	for _, o := range imported(t, a, all...) {
		wantMembers(t, o, "user_id")
	}

	one := obj{"scope": theScope, "users": []obj{{"username": "a"}}}
	want(t, n.makeAdmin(a, "operator", "operator").Call("admin.users.import", one), 606)
	want(t, n.makeAdmin(a, "of another scope", "owner", "Moon").Call("admin.users.import", one), 1004)
	want(t, n.client().Call("admin.users.import", one), 606)
	ok(t, n.makeAdmin(a, "of this scope", "owner", theScope).Call("admin.users.import", one))
}

func TestAForeignHashIsNotHeldAgainstAPasswordInTheOpen(t *testing.T) {
	n := startOn(t, storetest.Redis(t).URL(), func(c *server.Config) { c.RequirePasswordHash = true })
	imported(t, n.admin(), obj{"username": "tiny", "kind": "argon2id", "hash": phcOf(thePassword, "somesalt")})
	want(t, n.client().Call("users.login", obj{"username": "tiny", "password": thePassword}), 801)
	want(t, n.client().Call("users.login", obj{"username": "tiny", "password_hash": passwordHash(theScope, thePassword)}), 610)
}
