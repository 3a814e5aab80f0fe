package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"rollcall/protocol"
	"rollcall/protocol/client"
)

// scope is what the server knows of a scope.
func (d *dashboard) scope(name string) protocol.Scope {
	d.t.Helper()
	scopes := ask(d.t, d.owner, protocol.AdminScopesList, protocol.None{})
	i := slices.IndexFunc(scopes, func(s protocol.Scope) bool { return s.Name == name })
	if i < 0 {
		d.t.Fatalf("there is no scope %q", name)
	}
	return scopes[i]
}

func TestAScopeIsCreatedAndDeleted(t *testing.T) {
	t.Parallel()
	d := startDashboard(t)
	p := d.asOwner(wide)
	p.goTo("Scopes")
	p.lists("Scopes", theScope)
	p.by("button", "New scope").click()
	dialog := p.by("dialog", "New scope")
	dialog.by("textbox", "Name").write(theScope)
	dialog.by("button", "Create").click()
	dialog.by("alert", "").shows("exists")
	dialog.by("textbox", "Name").write("Moon Base")
	dialog.by("combobox", "Sessions").choose("single")
	dialog.by("button", "Generate").click()
	key := dialog.by("textbox", "Key of its own (optional)").value()
	dialog.by("button", "Create").click()
	dialog.isGone()

	// The key is shown once, and opens the scope.
	shown := p.by("group", "The key of Moon Base")
	if got := shown.by("textbox", "").value(); got != key || len(key) < 40 {
		t.Errorf("the key %q is shown as %q", key, got)
	}
	shown.by("button", "I have kept it").click()
	p.lists("Scopes", "Moon Base", theScope)
	for k, ok := range map[string]bool{key: true, secretKey: false} {
		c, err := client.Dial(t.Context(), "ws://"+d.address, client.Options{Scope: "Moon Base", Key: k, NoReconnect: true})
		if err == nil {
			c.Close()
		}
		if (err == nil) != ok {
			t.Errorf("with the key %q: %v", k, err)
		}
	}
	if got := d.scope("Moon Base").Sessions; got != protocol.SessionsSingle {
		t.Errorf("sessions are %s", got)
	}

	p.by("link", "Moon Base").click()
	p.by("heading", "Moon Base").isThere()
	p.by("button", "Back to the server's key").click()
	p.by("dialog", "Back to the server's key").by("button", "Use the server's key").click()
	p.by("region", "Key").shows("The server's key opens the scope.")
	p.by("button", "Delete this scope").click()
	confirmTyped(p, "Delete the scope", "Moon Base", "Delete")
	p.lists("Scopes", theScope)

	// One with users stays.
	d.newUser("tiny")
	p.by("link", theScope).click()
	p.by("button", "Delete this scope").click()
	dialog = p.by("dialog", "Delete the scope")
	dialog.by("textbox", "Type "+theScope+" to confirm").write(theScope)
	dialog.by("button", "Delete").click()
	dialog.by("alert", "").shows("still has users")
	d.scope(theScope)
}

func TestAScopesSettingsAreSavedPartByPart(t *testing.T) {
	t.Parallel()
	d := startDashboard(t)
	p := d.asOwner(wide)
	p.open(d.url("#/scopes/Space%20Race"))

	permissions := p.by("form", "Permissions")
	permissions.by("combobox", "users.get").choose("any")
	permissions.shows("Warning: any client of the scope may do it")
	permissions.by("combobox", "users.delete").choose("off")
	permissions.by("button", "Save").click()
	permissions.by("status", "").shows("Saved: users.delete is off, users.get is any.")
	if got := d.scope(theScope).Permissions; got["users.get"] != protocol.PermitAny || got["users.delete"] != protocol.PermitOff {
		t.Errorf("permissions are %v", got)
	}

	sessions := p.by("form", "Sessions")
	sessions.by("combobox", "Policy").choose("single")
	sessions.by("button", "Save").click()
	sessions.by("status", "").shows("Saved")
	if got := d.scope(theScope).Sessions; got != protocol.SessionsSingle {
		t.Errorf("sessions are %s", got)
	}

	options := p.by("form", "Options")
	options.by("checkbox", "Hide unknown users").click()
	options.by("button", "Save").click()
	options.by("status", "").shows("hide unknown users is on")
	senders := p.by("form", "Mail senders")
	senders.by("textbox", "Addresses, one a line").write("no address")
	senders.by("button", "Save").click()
	senders.by("alert", "").shows("Not saved")
	senders.by("textbox", "Addresses, one a line").write("hello@home.com\ringo@home.com")
	senders.by("button", "Save").click()
	senders.by("status", "").shows("Saved")
	if got := d.scope(theScope).Options; got.HideUnknown == nil || !*got.HideUnknown || !slices.Equal(got.FromEmails, []string{"hello@home.com", "ingo@home.com"}) {
		t.Errorf("options are %+v", got)
	}
	if err := logIn(t, d.player(theScope), "nobody", thePassword); !isStatus(err, protocol.StatusPasswordInvalid) {
		t.Errorf("login of an unknown user: %v", err)
	}
}

func TestProvidersAreAddedEditedAndRemoved(t *testing.T) {
	t.Parallel()
	d := startDashboard(t)
	p := d.asOwner(wide)
	p.open(d.url("#/scopes/Space%20Race"))
	providers := p.by("region", "Providers")
	providers.by("button", "Add provider").click()
	dialog := p.by("dialog", "Add provider")
	dialog.by("combobox", "Provider").choose("google")
	dialog.by("textbox", "Client ids, one a line").write("123.apps.example.com")
	dialog.by("button", "Add").click()
	providers.by("status", "").shows("Saved: google is added.")
	if got := d.scope(theScope).Providers["google"]; !slices.Equal(got.ClientIDs, []string{"123.apps.example.com"}) {
		t.Errorf("google is %+v", got)
	}
	providers.by("button", "Edit google").click()
	dialog = p.by("dialog", "Edit google")
	dialog.by("combobox", "Mode").choose("trust: the client's word is believed")
	dialog.shows("can log in as that user")
	dialog.by("button", "Save").click()
	providers.shows("Trust is set.")
	p.goTo("Scopes")
	p.shows("google: trust")
	p.by("link", theScope).click()
	providers.by("button", "Remove google").click()
	p.by("dialog", "Remove google").by("button", "Remove").click()
	providers.shows("None: users log in by a password only.")
	if got := d.scope(theScope).Providers; len(got) != 0 {
		t.Errorf("providers are %v", got)
	}
}

func TestAWebhookIsSetUpAndItsDeliveriesAreShown(t *testing.T) {
	t.Parallel()
	var fails atomic.Bool
	posts := make(chan string, 100)
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if fails.Load() {
			w.WriteHeader(http.StatusTeapot)
			return
		}
		posts <- string(body)
	}))
	defer receiver.Close()
	d := startDashboard(t, "--private-webhooks")
	p := d.asOwner(wide)
	p.open(d.url("#/scopes/Space%20Race"))
	webhook := p.by("region", "Webhook")
	webhook.by("button", "Set up").click()
	dialog := p.by("dialog", "Set up a webhook")
	dialog.by("textbox", "URL").write(receiver.URL)
	dialog.by("checkbox", "user.created").click()
	dialog.by("button", "Save").click()
	if secret := webhook.by("group", "The webhook's secret").by("textbox", "").value(); len(secret) < 16 {
		t.Errorf("the secret is %q", secret)
	}
	d.newUser("tiny")
	if post := <-posts; !strings.Contains(post, "user.created") || !strings.Contains(post, "tiny") {
		t.Errorf("posted is %s", post)
	}
	webhook.shows("HTTP 200, taken")
	fails.Store(true)
	d.newUser("huge")
	webhook.shows("HTTP 418")
	fails.Store(false)
	webhook.by("button", "Try now").click()
	if post := <-posts; !strings.Contains(post, "huge") {
		t.Errorf("posted is %s", post)
	}
	if hook := d.scope(theScope).Webhook; hook == nil || hook.URL != receiver.URL || !slices.Equal(hook.Events, []string{"user.created"}) {
		t.Errorf("the webhook is %+v", hook)
	}
	webhook.by("button", "Remove").click()
	p.by("dialog", "Remove the webhook").by("button", "Remove").click()
	webhook.shows("None: nothing is posted.")
	await(t, "there is no webhook", func() error {
		if hook := d.scope(theScope).Webhook; hook != nil {
			return fmt.Errorf("%+v", hook)
		}
		return nil
	})
}
