package protocol_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"rollcall/protocol"
)

const someID = `"289bc36e-0df7-44df-99b1-a6543c6f45eb"`

// statusOf returns the status of a decoding error, 0 for none.
func statusOf(t *testing.T, err error) protocol.Status {
	t.Helper()
	if err == nil {
		return 0
	}
	var e *protocol.Error
	if !errors.As(err, &e) {
		t.Fatalf("error is %T, not *protocol.Error: %v", err, err)
	}
	return e.Status
}

func TestEveryMistakeHasItsStatus(t *testing.T) {
	hash := protocol.PasswordHash("Space Race", "abcd1234")
	long := strings.Repeat("x", 65)
	member := func(format string, args ...any) string {
		return `{"username":"tiny","password":"p",` + fmt.Sprintf(format, args...) + `}`
	}
	update := func(format string, args ...any) string {
		return `{"user_id":` + someID + `,"update":{` + fmt.Sprintf(format, args...) + `}}`
	}
	keys := func(n int, value string) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, `"k%d":%s,`, i, value)
		}
		return `{` + strings.TrimSuffix(b.String(), ",") + `}`
	}
	for _, tt := range []struct {
		typ, data string
		status    protocol.Status // 0: it is fine
		text      string          // in the error's text: the member, mostly
	}{
		// A good one of each kind.
		{"users.create", `{"username":"tiny","password":"abcd1234"}`, 0, ""},
		{"users.create", `{"username":"tiny","password_hash":"` + hash + `"}`, 0, ""},
		{"users.create", `{"username":"tiny","provider":"google","client_id":"1","id_token":"t"}`, 0, ""},
		{"users.login", `{"email":"tina@home.com","password":"p"}`, 0, ""},
		{"core.ping", ``, 0, ""},
		{"core.ping", `{}`, 0, ""},
		{"core.ping", `{"unknown":[1,2]}`, 0, ""},
		{"users.get", `{"user_id":` + someID + `,"unknown":{"a":[]}}`, 0, ""},
		{"users.logout", ``, 0, ""},

		// 804: missing.
		{"users.create", ``, 804, "username"},
		{"users.create", `{}`, 804, "username"},
		{"users.create", `{"username":null,"password":"p"}`, 804, "username"},
		{"users.create", `{"username":"tiny"}`, 804, "password"},
		{"users.create", `{"username":"tiny","password":null}`, 804, "password"},
		{"users.create", `{"username":"tiny","provider":"google"}`, 804, "client_id"},
		{"users.create", member(`"confirmation":{}`), 804, "email"},
		{"users.login", `{"password":"p"}`, 804, "username"},
		{"users.login", `{"username":"tiny"}`, 804, "password"},
		{"users.get", `{}`, 804, "user_id"},
		{"users.get", `{"user_id":null}`, 804, "user_id"},
		{"users.update", `{"user_id":` + someID + `}`, 804, "update"},
		{"users.update", `{"user_id":` + someID + `,"update":null}`, 804, "update"},
		{"users.update", update(``), 0, ""},
		{"users.resume", `{}`, 804, "session"},
		{"users.presence", `{}`, 804, "user_ids"},
		{"users.updateTokenExpiry", `{"user_id":` + someID + `,"provider":"google"}`, 804, "expiry"},
		{"users.addAuthProvider", `{"user_id":` + someID + `,"provider":"google","auth":{"id_token":"t"}}`, 804, "auth.client_id"},
		{"core.init", `{"scope":"s"}`, 804, "key"},
		{"admin.login", `{}`, 804, "name"},
		{"admin.login", `{"name":"admin"}`, 804, "password"},
		{"admin.admins.create", `{"name":"ops","password":"eight888"}`, 804, "role"},
		{"admin.admins.setPassword", `{"name":"ops"}`, 804, "password"},

		// 801: wrong type, or nested extra.
		{"users.create", `[]`, 801, "data"},
		{"users.create", `"tiny"`, 801, "data"},
		{"users.create", `{"username":7,"password":"p"}`, 801, "username"},
		{"users.create", `{"username":["tiny"],"password":"p"}`, 801, "username"},
		{"users.create", member(`"extra":[]`), 801, "extra"},
		{"users.create", member(`"extra":"x"`), 801, "extra"},
		{"users.create", member(`"extra":{"a":{}}`), 801, "extra.a"},
		{"users.create", member(`"extra":{"a":[1]}`), 801, "extra.a"},
		{"users.create", member(`"extra":{"a":null}`), 801, "extra.a"},
		{"users.create", member(`"confirmation":true`), 801, "confirmation"},
		{"users.create", member(`"email":"a@b.c","confirmation":{"tpl_keys":{"a":1}}`), 801, "confirmation.tpl_keys.a"},
		{"users.logout", `{"all":"yes"}`, 801, "all"},
		{"users.get", `{"user_id":7}`, 801, "user_id"},
		{"users.update", update(`"email":7`), 801, "update.email"},
		{"users.update", update(`"active":"no"`), 801, "update.active"},
		{"users.update", update(`"extra":{"a":[]}`), 801, "update.extra.a"},
		{"users.presence", `{"user_ids":` + someID + `}`, 801, "user_ids"},
		{"users.updateTokenExpiry", `{"user_id":` + someID + `,"provider":"google","expiry":"soon"}`, 801, "expiry"},
		{"admin.users.ban", `{"user_id":` + someID + `,"until":7}`, 801, "until"},

		// 802: out of bounds. An empty string is not an absent one.
		{"users.create", `{"username":"","password":"p"}`, 802, "username"},
		{"users.create", `{"username":"tiny","password":""}`, 802, "password"},
		{"users.create", `{"username":"` + long + `","password":"p"}`, 802, "username"},
		{"users.create", `{"username":"` + strings.Repeat("é", 64) + `","password":"p"}`, 0, ""},
		{"users.create", `{"username":" tiny","password":"p"}`, 802, "username"},
		{"users.create", `{"username":"tiny\u00a0","password":"p"}`, 802, "username"},
		{"users.create", `{"username":"ti\u0000ny","password":"p"}`, 802, "username"},
		{"users.create", `{"username":"ti\nny","password":"p"}`, 802, "username"},
		{"users.create", `{"username":"ti\u202eny","password":"p"}`, 802, "username"},
		{"users.create", `{"username":"ti ny","password":"p"}`, 0, ""},
		{"users.create", `{"username":"tiny","password":"` + strings.Repeat("p", 1024) + `"}`, 0, ""},
		{"users.create", `{"username":"tiny","password":"` + strings.Repeat("p", 1025) + `"}`, 802, "password"},
		{"users.create", `{"username":"tiny","password":"` + strings.Repeat("é", 513) + `"}`, 802, "password"},
		{"users.create", `{"username":"tiny","password":" \u0000\n"}`, 0, ""},
		{"users.create", `{"username":"tiny","password":"p","password_hash":"` + hash + `"}`, 802, "password_hash"},
		{"users.create", `{"username":"tiny","password_hash":"` + hash[1:] + `"}`, 802, "password_hash"},
		{"users.create", `{"username":"tiny","password_hash":"` + strings.ToUpper(hash) + `"}`, 802, "password_hash"},
		{"users.create", `{"username":"tiny","password_hash":""}`, 802, "password_hash"},
		{"users.create", member(`"provider":"google","client_id":"1"`), 802, "provider"},
		{"users.create", member(`"group":""`), 802, "group"},
		{"users.create", member(`"group":"%s"`, long), 802, "group"},
		{"users.create", member(`"idempotency_key":"%s"`, long), 802, "idempotency_key"},
		{"users.create", member(`"extra":{"":1}`), 802, "extra"},
		{"users.create", member(`"extra":{"%s":1}`, long), 802, "extra"},
		{"users.create", member(`"extra":{"a\u0001":1}`), 802, "extra"},
		{"users.create", member(`"extra":{"a":1e999}`), 802, "extra.a"},
		{"users.create", member(`"extra":{"a":-1e999}`), 802, "extra.a"},
		{"users.create", member(`"extra":{"a":1e-999}`), 0, ""},
		{"users.create", member(`"extra":%s`, keys(64, `1`)), 0, ""},
		{"users.create", member(`"extra":%s`, keys(65, `1`)), 802, "extra"},
		{"users.create", member(`"extra":{"a":"%s"}`, strings.Repeat("x", 8191)), 0, ""},
		{"users.create", member(`"extra":{"a":"%s"}`, strings.Repeat("x", 8192)), 802, "extra"},
		{"users.create", member(`"email":"a@b.c","confirmation":{"email_tpl":"../../etc/passwd"}`), 802, "confirmation.email_tpl"},
		{"users.create", member(`"email":"a@b.c","confirmation":{"email_tpl":".hidden"}`), 802, "confirmation.email_tpl"},
		{"users.create", member(`"email":"a@b.c","confirmation":{"email_tpl":"welcome.tpl"}`), 0, ""},
		{"users.create", member(`"email":"a@b.c","confirmation":{"subject":"a\r\nBcc: b@c.d"}`), 802, "confirmation.subject"},
		{"users.create", member(`"email":"a@b.c","confirmation":{"subject":""}`), 802, "confirmation.subject"},
		{"users.create", member(`"email":"a@b.c","confirmation":{"tpl_keys":%s}`, keys(21, `"v"`)), 802, "tpl_keys"},
		{"users.create", member(`"email":"a@b.c","confirmation":{"tpl_keys":%s}`, keys(20, `"v"`)), 0, ""},
		{"users.create", member(`"email":"a@b.c","confirmation":{"tpl_keys":{"a":"see https://evil.test"}}`), 802, "tpl_keys"},
		{"users.create", member(`"email":"a@b.c","confirmation":{"tpl_keys":{"a b":"v"}}`), 802, "tpl_keys"},
		{"users.create", member(`"email":"a@b.c","confirmation":{"tpl_keys":{"a":"%s"}}`, strings.Repeat("x", 201)), 802, "tpl_keys"},
		{"users.login", `{"username":"tiny","email":"a@b.c","password":"p"}`, 802, "email"},
		{"users.login", `{"username":"tiny","provider":"google","client_id":"1"}`, 802, "provider"},
		{"users.get", `{"user_id":"not a UUID"}`, 802, "user_id"},
		{"users.get", `{"user_id":""}`, 802, "user_id"},
		{"users.resume", `{"session":""}`, 802, "session"},
		{"users.resume", `{"session":"` + strings.Repeat("x", 8193) + `"}`, 802, "session"},
		{"users.update", update(`"username":""`), 802, "update.username"},
		{"users.update", update(`"group":""`), 802, "update.group"},
		{"users.update", update(`"extra":{"a":1e400}`), 802, "update.extra.a"},
		{"users.update", `{"user_id":` + someID + `,"update":{"group":"a"},"current_password":"p","current_password_hash":"` + hash + `"}`, 802, "current_password_hash"},
		{"users.presence", `{"user_ids":[` + strings.TrimSuffix(strings.Repeat(someID+",", 100), ",") + `]}`, 0, ""},
		{"users.presence", `{"user_ids":[` + strings.TrimSuffix(strings.Repeat(someID+",", 101), ",") + `]}`, 802, "user_ids"},
		{"users.updateTokenExpiry", `{"user_id":` + someID + `,"provider":"google","expiry":1.5}`, 802, "expiry"},
		{"users.updateTokenExpiry", `{"user_id":` + someID + `,"provider":"google","expiry":1e30}`, 802, "expiry"},
		{"users.updateTokenExpiry", `{"user_id":` + someID + `,"provider":"google","expiry":0}`, 0, ""},
		{"core.init", `{"scope":"","key":"k"}`, 802, "scope"},
		{"core.init", `{"scope":"a\u0007","key":"k"}`, 802, "scope"},
		{"core.init", `{"scope":"` + long + `","key":"k"}`, 802, "scope"},
		{"core.init", `{"scope":"s","key":"k","client":{"name":""}}`, 802, "client.name"},
		{"admin.login", `{"name":"admin","password":"p","token":"t"}`, 802, "token"},
		{"admin.users.list", `{"scope":"s","limit":201}`, 802, "limit"},
		{"admin.users.list", `{"scope":"s","limit":-1}`, 802, "limit"},
		{"admin.users.list", `{"scope":"s","limit":200,"orderby":"created_at"}`, 0, ""},
		{"admin.users.list", `{"scope":"s","orderby":"age"}`, 802, "orderby"},
		{"admin.users.list", `{"scope":"s","filter":{"group":""}}`, 802, "filter.group"},
		{"admin.users.ban", `{"user_id":` + someID + `,"until":"tomorrow"}`, 802, "until"},
		{"admin.subscribe", `{"scope":"*","last":1001}`, 802, "last"},
		{"admin.subscribe", `{"scope":"*","events":[""]}`, 802, "events"},
		{"admin.stats", `{"scope":"*","step":59}`, 802, "step"},
		{"admin.scopes.create", `{"name":"*"}`, 802, "name"},
		{"admin.scopes.create", `{"name":"s","permissions":{"users.fly":"any"}}`, 802, "permissions"},
		{"admin.scopes.create", `{"name":"s","permissions":{"users.get":"all"}}`, 802, "permissions"},
		{"admin.scopes.create", `{"name":"s","permissions":{"users.create":"any"}}`, 802, "permissions"},
		{"admin.scopes.create", `{"name":"s","permissions":{"users.create":"off"}}`, 0, ""},
		{"admin.scopes.create", `{"name":"s","sessions":"few"}`, 802, "sessions"},
		{"admin.scopes.create", `{"name":"s","providers":{"x":{"mode":"maybe"}}}`, 802, "mode"},
		{"admin.scopes.create", `{"name":"s","providers":{"x":{"issuer":"` + strings.Repeat("x", 257) + `"}}}`, 802, "providers.x.issuer"},
		{"admin.scopes.update", `{"name":"s","providers":{"x":null}}`, 0, ""},
		{"admin.users.import", `{"scope":"s","users":[{"username":" x"}]}`, 0, ""}, // of that user alone
		{"admin.users.import", `{"scope":"s","users":[` + strings.Repeat(`{},`, 200) + `{}]}`, 802, "users"},
		{"admin.users.import", `{"scope":"s","users":[{"username":"a","username":"b"}]}`, 830, "duplicate"},
		{"admin.admins.create", `{"name":"ops","role":"viewer","password":"seven77"}`, 802, "password"},
		{"admin.admins.create", `{"name":"ops","role":"viewer","password":"` + strings.Repeat("p", 1025) + `"}`, 802, "password"},
		{"admin.admins.create", `{"name":"ops","role":"king","password":"eight888"}`, 802, "role"},
		{"admin.admins.create", `{"name":"ops","role":"viewer","password":"eight888","scopes":["*"]}`, 802, "scopes"},
		{"admin.admins.create", `{"name":"ops","role":"viewer","password":"éééééééé"}`, 0, ""},
		{"admin.admins.setPassword", `{"name":"ops","password":"seven77"}`, 802, "password"},

		// 704: no email address.
		{"users.create", member(`"email":"tina"`), 704, "email"},
		{"users.create", member(`"email":""`), 704, "email"},
		{"users.create", member(`"email":"a@b.c, d@e.f"`), 704, "email"},
		{"users.create", member(`"email":"Tina <a@b.c>"`), 704, "email"},
		{"users.create", member(`"email":"a@b.c\r\nBcc: d@e.f"`), 704, "email"},
		{"users.create", member(`"email":"%s@b.c"`, long), 704, "email"},
		{"users.create", member(`"email":"a@%s"`, strings.Repeat("x", 253)), 704, "email"},
		{"users.create", member(`"email":"@b.c"`), 704, "email"},
		{"users.create", member(`"email":"a@"`), 704, "email"},
		{"users.create", member(`"email":"tina+games@home.co.uk"`), 0, ""},
		{"users.create", member(`"email":null`), 0, ""},
		{"users.create", member(`"email":"a@b.c","confirmation":{"from_email":"x"}`), 704, "confirmation.from_email"},
		{"users.update", update(`"email":"x"`), 704, "update.email"},
		{"users.update", update(`"email":""`), 704, "update.email"},
		{"users.sendPasswordReset", `{"email":"x"}`, 704, "email"},

		// Null clears, in updates only.
		{"users.update", update(`"email":null`), 0, ""},
		{"users.update", update(`"extra":{"color":null}`), 0, ""},
		{"admin.users.update", update(`"extra":{"color":null},"group":null`), 0, ""},

		// 830: not JSON that anybody would agree about.
		{"users.create", `{"username":"a","username":"b","password":"p"}`, 830, "duplicate"},
		{"users.create", member(`"extra":{"a":1,"a":2}`), 830, "duplicate"},
		{"users.create", `{"username":`, 830, ""},
	} {
		m := protocol.Lookup(tt.typ)
		_, err := m.DecodeAny([]byte(tt.data))
		short := tt.data
		if len(short) > 120 {
			short = short[:120] + "…"
		}
		if got := statusOf(t, err); got != tt.status {
			t.Errorf("%s %s: status %d (%v), want %d", tt.typ, short, got, err, tt.status)
		} else if err != nil && !strings.Contains(err.Error(), tt.text) {
			t.Errorf("%s %s: %q does not name %q", tt.typ, short, err, tt.text)
		}
	}
}

func TestAnErrorNeverRepeatsWhatWasSent(t *testing.T) {
	const secret = "hunter2hunter2"
	for _, data := range []string{
		`{"username":"tiny","password":{"x":"` + secret + `"}}`,
		`{"username":"tiny","password":"` + strings.Repeat(secret, 100) + `"}`,
		`{"username":"tiny","password_hash":"` + secret + `"}`,
		`{"username":"` + strings.Repeat(secret, 10) + `","password":"p"}`,
		`{"username":"tiny","email":"` + secret + `"}`,
		`{"username":"tiny","password":"` + secret + `\q"}`,
	} {
		_, err := protocol.UsersCreate.Decode([]byte(data))
		if err == nil || strings.Contains(err.Error(), secret) {
			t.Errorf("%.60s…: %v", data, err)
		}
	}
}

func TestUpdatesTellAbsentEmptyAndNullApart(t *testing.T) {
	for data, want := range map[string]protocol.Clearable{
		`{"username":"x"}`:              {},
		`{"username":"x","group":null}`: protocol.Clear(),
		`{"username":"x","group":"a"}`:  protocol.Set("a"),
	} {
		p, err := protocol.UsersUpdate.Decode([]byte(`{"user_id":` + someID + `,"update":` + data + `}`))
		if err != nil {
			t.Fatal(err)
		}
		if p.Update.Group != want {
			t.Errorf("%s: group is %+v", data, p.Update.Group)
		}
	}
}

func TestNumbersOfExtraAreKeptAsWritten(t *testing.T) {
	for _, n := range []string{"1.50", "12345678901234567890", "-0", "0", "1e3", "1E+3", "3", "-12.25", "0.1000", "1.7976931348623157e308"} {
		data := `{"username":"tiny","password":"p","extra":{"n":` + n + `,"s":"` + n + `"}}`
		p, err := protocol.UsersCreate.Decode([]byte(data))
		if err != nil {
			t.Fatalf("%s: %v", n, err)
		}
		if got := p.Extra["n"]; got.Text() != n || got.Kind() != protocol.KindNumber {
			t.Errorf("%s became %v %q", n, got.Kind(), got.Text())
		}
		if got := p.Extra["s"]; got.Text() != n || got.Kind() != protocol.KindString {
			t.Errorf("%q became %v %q", n, got.Kind(), got.Text())
		}
		reply, err := protocol.AppendReply(nil, protocol.Request{}, protocol.User{Extra: p.Extra})
		if err != nil || !strings.Contains(string(reply), `"extra":{"n":`+n+`,"s":"`+n+`"}`) {
			t.Errorf("%s went out as %s, %v", n, reply, err)
		}
		stored, err := protocol.ParseStored(string(p.Extra["n"].AppendStored(nil)))
		if err != nil || stored != p.Extra["n"] {
			t.Errorf("%s was stored as %v, %v", n, stored, err)
		}
	}
}

func TestValidateHoldsGoValuesAgainstTheSameRules(t *testing.T) {
	good := protocol.CreateParams{Username: "tiny", Credentials: protocol.Credentials{Password: "p"}}
	if err := protocol.UsersCreate.Validate(&good); err != nil {
		t.Error(err)
	}
	bad := good
	bad.Email = "x"
	if got := statusOf(t, protocol.UsersCreate.Validate(&bad)); got != protocol.StatusEmailInvalid {
		t.Errorf("status %d", got)
	}
	if got := statusOf(t, protocol.UsersGet.Validate(&protocol.UserRef{})); got != protocol.StatusMissing {
		t.Errorf("status %d", got)
	}
	if err := protocol.Check("username", "username", "tiny"); err != nil {
		t.Error(err)
	}
	if got := statusOf(t, protocol.Check("scope", "scope", "")); got != protocol.StatusOutOfBounds {
		t.Errorf("status %d", got)
	}
}

// What the documentation says is required (no omitzero in the json tag) is what
// the rules ask for.
func TestRequiredMembersAreThoseThatAreAlwaysThere(t *testing.T) {
	for _, m := range protocol.Messages() {
		for _, f := range protocol.Fields(m.In) {
			_, err := m.DecodeAny([]byte(`{}`))
			if f.Required && statusOf(t, err) != protocol.StatusMissing {
				t.Errorf("%s: %s is documented as required, but may be left out", m.Type, f.Name)
			}
		}
	}
}
