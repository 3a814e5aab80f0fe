package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/google/uuid"

	"rollcall/protocol"
	"rollcall/protocol/client"
)

// A seeded dashboard has something to show on every page.
type seeded struct {
	*dashboard
	user uuid.UUID // with a ban, extra data, a provider, sessions and a history
}

var (
	seedNames = []string{"Ada", "bertram", "Chiara", "dmitri_77", "Eun-ji", "fox", "Gwendolyn", "hiro", "Ines", "jupiter", "Kofi", "lumen",
		"Maëlle", "nova", "Oskar", "pixel", "Quinn", "rook", "Søren", "tiny", "Umar", "vega", "Wiktoria", "xeno", "Yuki", "zoë"}
	seedClients = []protocol.ClientInfo{
		{Name: "space-race", Version: "1.4.2", Platform: "android"}, {Name: "space-race", Version: "1.4.2", Platform: "ios"},
		{Name: "space-race", Version: "1.5.0-beta", Platform: "windows"}, {Name: "space-race", Version: "1.3.9", Platform: "linux"},
	}
)

func seed(t testing.TB) *seeded {
	t.Helper()
	receiver := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(receiver.Close)
	d := &seeded{dashboard: startDashboard(t, "--scope", "Moon Base", "--scope", "Dungeon Chess", "--private-webhooks",
		"--offline-grace", "100ms", "--smtp", "smtp://mailer:s-5ecret@127.0.0.1:1", "--mail-from", "hello@example.com")}
	ask(t, d.owner, protocol.AdminScopesUpdate, protocol.ScopeParams{Name: theScope,
		Permissions: map[string]string{"users.get": protocol.PermitAny, "users.delete": protocol.PermitOff},
		Providers: map[string]*protocol.ProviderConfig{
			"google":   {ClientIDs: []string{"5127-space-race.apps.example.com"}},
			"openudid": {},
			"facebook": {Mode: protocol.ProviderTrust},
		},
		Webhook: &protocol.WebhookConfig{URL: receiver.URL + "/hooks/rollcall", Events: []string{"user.created", "user.banned"}},
	})
	d.newAdmin("night-shift", protocol.RoleOperator, theScope, "Moon Base")
	d.newAdmin("billing", protocol.RoleViewer)
	ops := d.as("night-shift", thePassword)

	ids := map[string]uuid.UUID{}
	for i, name := range seedNames {
		ids[name] = d.newUser(name, func(in *protocol.AdminCreateUserParams) {
			in.Group = []string{"red", "blue", "green", ""}[i%4]
			if i%3 != 0 {
				in.Email = fmt.Sprintf("player%02d@example.com", i)
			}
			in.Extra = protocol.Extra{"level": protocol.Int(int64(3 + i*7%40)), "ship": protocol.String([]string{"Kestrel", "Long Haul", "Mule"}[i%3]), "pro": protocol.Bool(i%5 == 0)}
		})
	}
	for i, name := range []string{"amelie", "bo", "cedric", "daria", "emre"} {
		if i%2 == 0 {
			pending(t, d.dashboard, name)
			continue
		}
		ask(t, d.owner, protocol.AdminUsersCreate, protocol.AdminCreateUserParams{Scope: "Moon Base", Username: name})
	}
	for i, name := range seedNames {
		c, err := client.Dial(t.Context(), "ws://"+d.address, client.Options{Scope: theScope, Key: secretKey, Info: seedClients[i%len(seedClients)]})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		if i%6 == 4 {
			_ = logIn(t, c, name, "wrong")
		}
		if err := logIn(t, c, name, thePassword); err != nil {
			t.Fatal(err)
		}
		if i%5 == 3 {
			c.Close()
		}
	}
	d.user = ids["dmitri_77"]
	ask(t, ops, protocol.AdminUsersBan, protocol.BanParams{UserRef: protocol.UserRef{UserID: ids["xeno"]}, Reason: "aimbot"})
	ask(t, ops, protocol.AdminUsersUpdate, protocol.AdminUpdateUserParams{UserRef: protocol.UserRef{UserID: d.user}, Update: protocol.UserUpdate{Group: protocol.Set("blue")}})
	ask(t, ops, protocol.AdminUsersBan, protocol.BanParams{UserRef: protocol.UserRef{UserID: d.user}, Reason: "insults in the chat", Until: protocol.Time{Time: time.Now().Add(72 * time.Hour)}})
	ask(t, ops, protocol.AdminUsersUnban, protocol.UserRef{UserID: d.user})
	for range 2 { // two sessions
		if err := logIn(t, d.player(theScope), "dmitri_77", thePassword); err != nil {
			t.Fatal(err)
		}
	}
	return d
}

// A view is one of the dashboard's pages, and a text that it shows once it is
// loaded.
type view struct{ name, page, shows string }

func (d *seeded) views() []view {
	return []view{
		{"live", "#/live", "dmitri_77"},
		{"overview", "#/overview?span=1h", "Logins, failures and joins of the last hour."},
		{"users", "#/users?scope=Space+Race", "Maëlle"},
		{"user", "#/users/" + d.user.String(), "insults in the chat"},
		{"pending", "#/pending?scope=Space+Race", "emre"},
		{"scopes", "#/scopes", "facebook: trust"},
		{"scope", "#/scopes/Space%20Race", "HTTP 200, taken"},
		{"admins", "#/admins", "admin.users.unban"},
		{"server", "#/server", "drain-timeout"},
	}
}

// bustle goes on with what players do, a few times a second, so that a picture of
// it has more than one moment in it.
func (d *seeded) bustle(most time.Duration) {
	d.t.Helper()
	pace := time.NewTicker(270 * time.Millisecond)
	defer pace.Stop()
	for i, end := 0, time.Now().Add(most); time.Now().Before(end); i++ {
		<-pace.C
		name := seedNames[(i*7)%len(seedNames)]
		if name == "xeno" {
			continue // is banned
		}
		c, err := client.Dial(d.t.Context(), "ws://"+d.address, client.Options{Scope: theScope, Key: secretKey, Info: seedClients[i%len(seedClients)]})
		if err != nil {
			d.t.Fatal(err)
		}
		d.t.Cleanup(func() { c.Close() })
		if i%9 == 5 {
			_ = logIn(d.t, c, name, "wrong")
		} else if err := logIn(d.t, c, name, thePassword); err != nil {
			d.t.Fatal(err)
		}
	}
}
