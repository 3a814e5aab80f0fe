package server_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/big"
	"strings"
	"testing"

	"rollcall/server"
	"rollcall/server/wiretest"
)

// passwordHash is the contract's formula, written once more so that the
// server's is not its own judge.
func passwordHash(scope, password string) string {
	sum := sha256.Sum256([]byte("rollcall:v1:" + scope + ":" + password))
	return hex.EncodeToString(sum[:])
}

func TestCreateAnswersWithAUserIDAndNoMore(t *testing.T) {
	n := start(t)
	r := ok(t, n.client().Call("users.create", obj{"username": "tiny", "password": thePassword}))
	wantMembers(t, r.Object(), "user_id")
	if id := r.Object().Text("user_id"); !uuidForm.MatchString(id) {
		t.Errorf("user_id %q is no UUID", id)
	}
}

func TestCreateKeepsEveryFieldAsItWasSent(t *testing.T) {
	n := start(t)
	c := n.client()
	u := create(t, c, "Tiny Tina", obj{
		"email": "Tina@Home.com", "group": "Blue Team",
		"extra": obj{"color": "green", "level": 7, "vip": true},
	})
	o := ok(t, c.Call("users.get", u.ref())).Object()
	for name, value := range map[string]string{
		"user_id": u.id, "username": "Tiny Tina", "email": "Tina@Home.com", "group": "Blue Team", "scope": theScope,
	} {
		if o.Text(name) != value {
			t.Errorf("%s is %s, want %q", name, o.Raw(name), value)
		}
	}
	if o.Raw("active") != "true" || o.Raw("validated") != "true" {
		t.Errorf("active %s and validated %s, want both true", o.Raw("active"), o.Raw("validated"))
	}
}

func TestExtraValuesComeBackWithTheirTypesAndValues(t *testing.T) {
	values := map[string]string{
		"text": `"green"`, "digits": `"12"`, "empty": `""`, "true_text": `"true"`, "null_text": `"null"`,
		"unicode": `"ü € 😀 \u0001 \\ \" / \n"`, "html": `"<b>&amp;</b>"`,
		"zero": `0`, "minus": `-12`, "fraction": `1.5`, "tenth": `0.1`, "exponent": `1e3`, "small": `5e-324`, "large": `1.7976931348623157e308`,
		"past_53_bits": `9007199254740993`, "past_64_bits": `12345678901234567890123`,
		"yes": `true`, "no": `false`,
		"a key with spaces, ü and \u0022quotes\u0022": `1`,
	}
	members := []string{}
	for k, v := range values {
		key, _ := json.Marshal(k)
		members = append(members, string(key)+":"+v)
	}
	n := start(t)
	c := n.client()
	u := create(t, c, "tiny", obj{"extra": json.RawMessage("{" + strings.Join(members, ",") + "}")})

	for from, o := range map[string]wiretest.Object{
		"get":   ok(t, c.Call("users.get", u.ref())).Object(),
		"login": ok(t, c.Call("users.login", u.login())).Object(),
	} {
		extra := o.Object("extra")
		if len(extra) != len(values) {
			t.Errorf("%s: %d values came back of %d: %s", from, len(extra), len(values), o.Raw("extra"))
		}
		for k, v := range values {
			if !sameValue(v, extra.Raw(k)) {
				t.Errorf("%s: %q was %s and came back as %s", from, k, v, extra.Raw(k))
			}
		}
	}
}

// sameValue compares two JSON texts of a value: strings as strings, numbers as
// the exact numbers they are.
func sameValue(a, b string) bool {
	if a == "" || b == "" {
		return false
	}
	var x, y string
	if json.Unmarshal([]byte(a), &x) == nil && json.Unmarshal([]byte(b), &y) == nil {
		return x == y
	}
	m, isNumber := new(big.Rat).SetString(a)
	k, isToo := new(big.Rat).SetString(b)
	if isNumber && isToo {
		return m.Cmp(k) == 0
	}
	return a == b
}

func TestExtraIsHeldToItsBounds(t *testing.T) {
	keys := func(n int) obj {
		o := obj{}
		for i := range n {
			o[fmt.Sprintf("k%02d", i)] = i
		}
		return o
	}
	tests := []struct {
		name   string
		extra  any
		status int
	}{
		{"64 keys", keys(64), 0},
		{"65 keys", keys(65), 802},
		{"nearly 8 KiB", obj{"k": strings.Repeat("x", 8<<10-16)}, 0},
		{"over 8 KiB in one value", obj{"k": strings.Repeat("x", 8<<10)}, 802},
		{"over 8 KiB in all", obj{"a": strings.Repeat("x", 5000), "b": strings.Repeat("x", 5000)}, 802},
		{"nested object", obj{"k": obj{}}, 801},
		{"nested array", obj{"k": []int{}}, 801},
		{"nested in nested", obj{"k": []any{obj{"a": []int{1}}}}, 801},
		{"null, which only an update may have", obj{"k": nil}, 801},
		{"no object but an array", []int{1}, 801},
		{"no object but a string", "x", 801},
		{"a number beyond float64", json.RawMessage(`{"k":1e999}`), 802},
		{"a negative number beyond float64", json.RawMessage(`{"k":-1e400}`), 802},
		{"digits beyond float64", json.RawMessage(`{"k":1` + strings.Repeat("0", 400) + `}`), 802},
		{"an empty key", obj{"": 1}, 802},
	}
	n := start(t)
	c := n.client()
	for i, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			want(t, c.Call("users.create", obj{"username": fmt.Sprint("u", i), "password": thePassword, "extra": tt.extra}), tt.status)
		})
	}
}

func TestUsernamesAreUniqueInAScopeHoweverTheyAreWritten(t *testing.T) {
	tests := []struct{ name, first, second string }{
		{"the same", "tiny", "tiny"},
		{"another case", "Tiny", "tINY"},
		{"full case folding", "straße", "STRASSE"},
		{"another normal form", "z\u00fcri", "zu\u0308ri"},
		{"both", "\u00c5sa", "a\u030asa"},
		{"Greek final sigma", "ΟΔΟΣ", "οδος"},
	}
	n := start(t)
	for i, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := n.client(fmt.Sprint("scope ", i))
			create(t, c, tt.first)
			want(t, c.Call("users.create", obj{"username": tt.second, "password": thePassword}), 600)
			ok(t, c.Call("users.login", obj{"username": tt.second, "password": thePassword}))
		})
	}
}

func TestEmailsAreUniqueInAScopeWhateverTheirCase(t *testing.T) {
	n := start(t)
	c := n.client()
	create(t, c, "tiny", obj{"email": "Tina@home.com"})
	want(t, c.Call("users.create", obj{"username": "other", "password": thePassword, "email": "tina@HOME.com"}), 600)
	create(t, c, "other") // the refused create left nothing behind
}

func TestAUsernameIsHeldToItsBounds(t *testing.T) {
	tests := []struct {
		name     string
		username any
		status   int
	}{
		{"one character", "x", 0},
		{"64 characters", strings.Repeat("ü", 64), 0},
		{"65 characters", strings.Repeat("u", 65), 802},
		{"a huge string", strings.Repeat("x", 30000), 802},
		{"empty", "", 802},
		{"leading space", " x", 802},
		{"trailing space", "x ", 802},
		{"inner space", "a b", 0},
		{"line feed", "a\nb", 802},
		{"NUL", "a\x00b", 802},
		{"C1 control", "a\u0085b", 802},
		{"an emoji", "😀", 0},
		{"braces and colons", "{a}:b*?[c]", 0},
		{"a number", 5, 801},
		{"an object", obj{}, 801},
		{"an array", []string{"x"}, 801},
		{"a boolean", true, 801},
	}
	n := start(t)
	c := n.client()
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			want(t, c.Call("users.create", obj{"username": tt.username, "password": thePassword}), tt.status)
		})
	}
	t.Run("missing", func(t *testing.T) {
		want(t, c.Call("users.create", obj{"password": thePassword}), 804)
		want(t, c.Call("users.create", obj{}), 804)
		want(t, c.Call("users.create", nil), 804)
	})
}

func TestAnEmailIsHeldToItsForm(t *testing.T) {
	long := strings.Repeat("a", 60) + "@" + strings.Repeat(strings.Repeat("b", 50)+".", 3) + "example"
	tests := []struct {
		name   string
		email  any
		status int
	}{
		{"plain", "tina@home.com", 0},
		{"plus and dots", "t.i.n.a+game@mail.home.com", 0},
		{"254 bytes", long + strings.Repeat("c", 254-len(long)-4) + ".com", 0},
		{"over 254 bytes", long + strings.Repeat("c", 255-len(long)-4) + ".com", 704},
		{"no at", "tina", 704},
		{"no user", "@home.com", 704},
		{"no host", "tina@", 704},
		{"two addresses", "a@b.com,c@d.com", 704},
		{"a display name", "Tina <tina@home.com>", 704},
		{"a header", "a@b.com\r\nBcc: c@d.com", 704},
		{"a space", "ti na@home.com", 704},
		{"empty", "", 704},
		{"a number", 5, 801},
		{"an array", []string{"a@b.com"}, 801},
	}
	n := start(t)
	c := n.client()
	for i, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			want(t, c.Call("users.create", obj{"username": fmt.Sprint("u", i), "password": thePassword, "email": tt.email}), tt.status)
		})
	}
}

func TestAPasswordIsHeldToItsBoundsAndTakenAsItIs(t *testing.T) {
	tests := []struct {
		name     string
		password any
		status   int
	}{
		{"one byte", "x", 0},
		{"1,024 bytes", strings.Repeat("x", 1024), 0},
		{"1,025 bytes", strings.Repeat("x", 1025), 802},
		{"empty", "", 802},
		{"spaces around", "  x  ", 0},
		{"not normalised", "u\u0308", 0},
		{"NUL", "a\x00b", 0},
		{"a number", 5, 801},
		{"null", nil, 804},
	}
	n := start(t)
	c := n.client()
	for i, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			name := fmt.Sprint("u", i)
			want(t, c.Call("users.create", obj{"username": name, "password": tt.password}), tt.status)
			if tt.status == 0 {
				ok(t, c.Call("users.login", obj{"username": name, "password": tt.password}))
				want(t, c.Call("users.login", obj{"username": name, "password": tt.password.(string) + " "}), ifElse(len(tt.password.(string)) < 1024, 603, 802))
			}
		})
	}
	want(t, c.Call("users.login", obj{"username": "u5", "password": "\u00fc"}), 603)
	t.Run("missing", func(t *testing.T) {
		want(t, c.Call("users.create", obj{"username": "nobody"}), 804)
	})
}

func ifElse[T any](cond bool, yes, no T) T {
	if cond {
		return yes
	}
	return no
}

func TestBothFormsOfAPasswordOpenTheSameAccount(t *testing.T) {
	n := start(t)
	c := n.client()
	hash := passwordHash(theScope, thePassword)
	create(t, c, "bare")
	ok(t, c.Call("users.create", obj{"username": "hashed", "password_hash": hash}))
	for _, name := range []string{"bare", "hashed"} {
		ok(t, c.Call("users.login", obj{"username": name, "password": thePassword}))
		ok(t, c.Call("users.login", obj{"username": name, "password_hash": hash}))
		want(t, c.Call("users.login", obj{"username": name, "password_hash": passwordHash("other scope", thePassword)}), 603)
		want(t, c.Call("users.login", obj{"username": name, "password": hash}), 603)
	}
	for _, bad := range []any{strings.ToUpper(hash), hash[1:], hash + "0", "", strings.Repeat("g", 64)} {
		want(t, c.Call("users.create", obj{"username": "bad", "password_hash": bad}), 802)
	}
	want(t, c.Call("users.create", obj{"username": "bad", "password_hash": 5}), 801)
}

func TestAServerThatRequiresPasswordHashesRefusesTheBareForm(t *testing.T) {
	n := start(t, func(c *server.Config) { c.RequirePasswordHash = true })
	c := n.client()
	hash := passwordHash(theScope, thePassword)
	want(t, c.Call("users.create", obj{"username": "tiny", "password": thePassword}), 801)
	u := create(t, c, "tiny", obj{"password": nil, "password_hash": hash})
	want(t, c.Call("users.login", u.login()), 801)
	want(t, c.Call("users.update", obj{"user_id": u.id, "update": obj{"password": thePassword}}), 801)
	ok(t, c.Call("users.login", obj{"username": "tiny", "password_hash": hash}))
}

func TestCreateWithAConfirmationThatCannotBeSentLeavesTheUserPendingAndInactive(t *testing.T) {
	n := start(t)
	c := n.client()
	r := ok(t, c.Call("users.create", obj{
		"username": "tiny", "password": thePassword, "email": "tina@home.com",
		"confirmation": obj{"from_email": "game@home.com", "subject": "Welcome", "email_tpl": "welcome", "tpl_keys": obj{"name": "Tina"}},
	}))
	wantMembers(t, r.Object(), "user_id confirmation")
	wantResult(t, r, fmt.Sprintf(`{"user_id":"%s","confirmation":"failed"}`, r.Object().Text("user_id")))

	for from, o := range map[string]wiretest.Object{
		"get":   ok(t, c.Call("users.get", obj{"user_id": r.Object().Text("user_id")})).Object(),
		"login": ok(t, c.Call("users.login", obj{"username": "tiny", "password": thePassword})).Object(),
	} {
		if o.Raw("active") != "false" || o.Raw("validated") != "false" || o.Text("confirmation") != "failed" {
			t.Errorf("%s: got %v, want an inactive user whose confirmation failed", from, o)
		}
	}
	pending := ok(t, n.admin().Call("admin.users.list", obj{"scope": theScope, "filter": obj{"pending": true}})).Object()
	if !strings.Contains(pending.Raw("users"), r.Object().Text("user_id")) {
		t.Errorf("the user is not among the pending ones: %v", pending)
	}
	want(t, c.Call("users.resendConfirmation", obj{"user_id": r.Object().Text("user_id")}), 702)
}

func TestAConfirmationNeedsAnEmailAndIsHeldToItsForm(t *testing.T) {
	n := start(t)
	c := n.client()
	want(t, c.Call("users.create", obj{"username": "a", "password": thePassword, "confirmation": obj{}}), 804)
	for _, bad := range []any{"yes", true, []int{}, obj{"tpl_keys": []int{}}, obj{"tpl_keys": obj{"a": 1}}, obj{"subject": 5}} {
		want(t, c.Call("users.create", obj{"username": "b", "password": thePassword, "email": "b@home.com", "confirmation": bad}), 801)
	}
	want(t, c.Call("users.create", obj{"username": "c", "password": thePassword, "email": "c@home.com", "confirmation": obj{"from_email": "nobody"}}), 704)
}
