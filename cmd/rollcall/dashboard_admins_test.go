package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"rollcall/protocol"
	"rollcall/protocol/client"
)

// adminLogin tells how a login as an admin ends.
func (d *dashboard) adminLogin(name, password string) error {
	c, err := client.Dial(d.t.Context(), "ws://"+d.address, client.Options{NoReconnect: true, Admin: &protocol.AdminLoginParams{Name: name, Password: password}})
	if err == nil {
		c.Close()
	}
	return err
}

func TestAdminsAreManaged(t *testing.T) {
	t.Parallel()
	d := startDashboard(t, "--scope", "Moon Base")
	p := d.asOwner(wide)
	p.goTo("Admins")
	p.lists("Admin accounts", "admin (you)")
	p.by("button", "New admin").click()
	dialog := p.by("dialog", "New admin")
	dialog.by("textbox", "Name").write("ops")
	dialog.by("combobox", "Role").choose("operator")
	dialog.by("checkbox", theScope).click()
	dialog.by("textbox", "New password").write("first-password")
	dialog.by("textbox", "The same again").write("another-password")
	dialog.by("button", "Create").click()
	dialog.by("alert", "").shows("not the same")
	dialog.by("textbox", "The same again").write("first-password")
	dialog.by("button", "Create").click()
	p.lists("Admin accounts", "admin (you)", "ops")
	if err := d.adminLogin("ops", "first-password"); err != nil {
		t.Error(err)
	}
	admins := ask(t, d.owner, protocol.AdminAdminsList, protocol.None{})
	if ops := admins[slices.IndexFunc(admins, func(a protocol.Admin) bool { return a.Name == "ops" })]; ops.Role != protocol.RoleOperator || !slices.Equal(ops.Scopes, []string{theScope}) {
		t.Errorf("ops is %+v", ops)
	}

	// One for some scopes sees these, and no Server page.
	other := newPage(t, wide)
	d.signIn(other, "ops", "first-password")
	other.by("banner", "").shows("ops, operator")
	other.by("navigation", "Pages").by("link", "Server").isGone()
	other.goTo("Scopes")
	other.lists("Scopes", theScope)
	other.goTo("Admins")
	other.by("button", "Change my password").click()
	dialog = other.by("dialog", "Change my password")
	dialog.by("textbox", "New password").write("second-password")
	dialog.by("textbox", "The same again").write("second-password")
	dialog.by("button", "Change").click()
	other.shows("Your password is changed")
	if err := d.adminLogin("ops", "second-password"); err != nil {
		t.Error(err)
	}

	p.by("button", "Set password of ops").click()
	dialog = p.by("dialog", "Set the password of ops")
	dialog.by("textbox", "New password").write("third-password")
	dialog.by("textbox", "The same again").write("third-password")
	dialog.by("button", "Set").click()
	p.shows("The password of ops is set")
	other.by("button", "Sign in").isThere() // signed out everywhere
	if err := d.adminLogin("ops", "third-password"); err != nil {
		t.Error(err)
	}
	p.by("button", "Delete ops").click()
	confirmTyped(p, "Delete an admin", "ops", "Delete")
	p.lists("Admin accounts", "admin (you)")
	if err := d.adminLogin("ops", "third-password"); !isStatus(err, protocol.StatusPasswordInvalid) {
		t.Error(err)
	}
}

func TestTheAuditTellsWhatAdminsDid(t *testing.T) {
	t.Parallel()
	d := startDashboard(t)
	d.newUser("tiny")
	p := d.asOwner(wide)
	p.goTo("Admins")
	actions := func() []string {
		return eval[[]string](p, `[...document.querySelectorAll("main section.audit tbody tr")].map((tr) =>
			[...tr.cells].slice(1, 5).map((td) => td.innerText.trim()).join(" "))`)
	}
	is := func(want ...string) {
		t.Helper()
		await(t, fmt.Sprintf("the audit is %q", want), func() error {
			if got := actions(); !slices.Equal(got, want) {
				return fmt.Errorf("it is %q", got)
			}
			return nil
		})
	}
	is("admin admin.users.create tiny Space Race")
	// As it happens.
	d.newAdmin("ops", protocol.RoleOperator)
	is("admin admin.admins.create ops all", "admin admin.users.create tiny Space Race")
	ask(t, d.as("ops", thePassword), protocol.AdminUsersCreate, protocol.AdminCreateUserParams{Scope: theScope, Username: "huge"})
	p.by("search", "Filter the audit").by("combobox", "Admin").choose("ops")
	is("ops admin.users.create huge Space Race")
	p.addressHas("#/admins?admin=ops")
	p.open(d.url("#/admins?action=admin.admins.create"))
	is("admin admin.admins.create ops all")
	p.by("search", "Filter the audit").by("button", "Clear").click()
	p.by("search", "Filter the audit").by("searchbox", "Text").write("tin")
	is("admin admin.users.create tiny Space Race")
}

func TestTheConfigurationIsShownWithItsSecretsMaskedAndItsDangers(t *testing.T) {
	t.Parallel()
	d := startDashboard(t, "--token-key", "t-5ecret-t-5ecret-t-5ecret", "--smtp", "smtp://user:m-5ecret@127.0.0.1:1", "--mail-from", "a@home.com")
	ask(t, d.owner, protocol.AdminScopesUpdate, protocol.ScopeParams{Name: theScope, Providers: map[string]*protocol.ProviderConfig{
		"google": {Mode: protocol.ProviderTrust},
	}})
	p := d.asOwner(wide)
	p.goTo("Server")
	warnings := p.by("region", "Warnings")
	warnings.shows("embedded")
	warnings.shows(theScope)
	p.lists("Settings", eval[[]string](p, `document.querySelector("main").firstElementChild.session.admin.server().then((s) => s.settings.map((x) => x.name))`)...)
	text := p.by("main", "").text()
	for _, secret := range []string{"5ecret"} {
		if at := strings.Index(text, secret); at >= 0 {
			t.Errorf("a secret is shown: %s", text[max(0, at-100):at+20])
		}
	}
	p.by("searchbox", "Filter").write("drain")
	p.lists("Settings", "drain-timeout")
	p.addressHas("#/server?q=drain")
	p.shows("1s")
	p.by("button", "Refresh").click()
	p.lists("Settings", "drain-timeout")
}
