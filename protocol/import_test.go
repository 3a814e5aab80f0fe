package protocol_test

import (
	"strings"
	"testing"

	"rollcall/protocol"
)

func TestAnImportedUserIsWrongByItself(t *testing.T) {
	for _, tt := range []struct {
		user   string
		status protocol.Status
		text   string
	}{
		{`{"username":"tiny"}`, 0, ""},
		{`{"username":"tiny","kind":"unknown","active":false,"extra":{"a":1},"created_at":"2020-01-01T00:00:00Z","user_id":` + someID + `}`, 0, ""},
		{`{"username":"tiny","kind":"bcrypt","hash":"x"}`, 0, ""}, // whether it is one is the server's to say
		{`{}`, 804, "username"},
		{`{"username":""}`, 802, "username"},
		{`{"username":" x"}`, 802, "username"},
		{`{"username":5}`, 801, "username"},
		{`null`, 801, "users"},
		{`"tiny"`, 801, "users"},
		{`{"username":"tiny","email":"x"}`, 704, "email"},
		{`{"username":"tiny","user_id":"x"}`, 802, "user_id"},
		{`{"username":"tiny","created_at":"yesterday"}`, 802, "created_at"},
		{`{"username":"tiny","active":"yes"}`, 801, "active"},
		{`{"username":"tiny","extra":{"a":{}}}`, 801, "extra"},
		{`{"username":"tiny","hash":"x"}`, 804, "kind"},
		{`{"username":"tiny","kind":"bcrypt"}`, 804, "hash"},
		{`{"username":"tiny","kind":"unknown","hash":"x"}`, 802, "hash"},
		{`{"username":"tiny","kind":"md5","hash":"x"}`, 802, "kind"},
		{`{"username":"tiny","kind":"bcrypt","hash":"` + strings.Repeat("x", 257) + `"}`, 802, "hash"},
	} {
		in, err := protocol.AdminUsersImport.Decode([]byte(`{"scope":"s","users":[{"username":"first"},` + tt.user + `,{"username":"last"}]}`))
		if err != nil {
			t.Errorf("%s spoils the message: %v", tt.user, err)
			continue
		}
		if in.Users[0].Err() != nil || in.Users[2].Err() != nil || in.Users[2].Username != "last" {
			t.Errorf("%s spoils its neighbours: %+v", tt.user, in.Users)
		}
		if err := in.Users[1].Err(); tt.status == 0 && err != nil {
			t.Errorf("%s: %v", tt.user, err)
		} else if tt.status != 0 && (err == nil || statusOf(t, err) != tt.status || !strings.Contains(err.Error(), tt.text)) {
			t.Errorf("%s: got %v, want %d and %q", tt.user, err, tt.status, tt.text)
		}
	}
}
