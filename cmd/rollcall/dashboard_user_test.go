package main

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/google/uuid"

	"rollcall/protocol"
)

// user is what the server knows of a user.
func (d *dashboard) user(id uuid.UUID) protocol.UserDetail {
	d.t.Helper()
	return ask(d.t, d.owner, protocol.AdminUsersGet, protocol.UserRef{UserID: id})
}

// awaitMails waits until there are so many mails to an address.
func awaitMails(t testing.TB, outbox, to string, want int) {
	t.Helper()
	await(t, fmt.Sprintf("there are %d mails to %s", want, to), func() error {
		files, err := filepath.Glob(filepath.Join(outbox, "*.eml"))
		if err != nil {
			return err
		}
		found := 0
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				return err
			}
			if strings.Contains(string(text), "To: <"+to+">") {
				found++
			}
		}
		if found != want {
			return fmt.Errorf("%d of %d", found, len(files))
		}
		return nil
	})
}

func TestAProfileIsEdited(t *testing.T) {
	t.Parallel()
	d := startDashboard(t)
	id := d.newUser("tiny", func(in *protocol.AdminCreateUserParams) { in.Email, in.Group = "tina@home.com", "red" })
	p := d.asOwner(wide)
	p.open(d.url("#/users/" + id.String()))
	p.by("heading", "tiny").isThere()
	profile := p.by("region", "Profile")
	profile.by("textbox", "Username").write("huge")
	profile.by("textbox", "Email").write("")
	profile.by("textbox", "Group").write("green")
	profile.by("button", "Save profile").click()
	p.by("heading", "huge").isThere()
	p.shows("Profile saved.")
	if u := d.user(id); u.Username != "huge" || u.Email != "" || u.Group != "green" || !u.Active {
		t.Errorf("stored is %+v", u.User)
	}
	profile.by("textbox", "Group").write("x")
	profile.by("button", "Discard").click()
	if got := profile.by("textbox", "Group").value(); got != "green" {
		t.Errorf("after Discard the group is %q", got)
	}

	// An edit that is not saved is not lost to somebody else's.
	profile.by("textbox", "Group").write("mine")
	ask(t, d.owner, protocol.AdminUsersUpdate, protocol.AdminUpdateUserParams{UserRef: protocol.UserRef{UserID: id}, Update: protocol.UserUpdate{Group: protocol.Set("theirs")}})
	profile.by("status", "").shows("changed meanwhile")
	if got := profile.by("textbox", "Group").value(); got != "mine" {
		t.Errorf("the edit became %q", got)
	}
	profile.by("button", "Load what is stored").click()
	if got := profile.by("textbox", "Group").value(); got != "theirs" {
		t.Errorf("the group is %q", got)
	}
}

func TestExtraDataIsEditedAndKeepsItsTypes(t *testing.T) {
	t.Parallel()
	d := startDashboard(t)
	id := d.newUser("tiny", func(in *protocol.AdminCreateUserParams) {
		in.Extra = protocol.Extra{
			"level": protocol.Int(3), "ratio": protocol.Number(0.25), "color": protocol.String("blue"), "digits": protocol.String("007"),
			"pro": protocol.Bool(true), "old": protocol.String("x"), "lines": protocol.String("a\nb"),
		}
	})
	p := d.asOwner(wide)
	p.open(d.url("#/users/" + id.String()))
	extra := p.by("region", "Extra")
	extra.by("textbox", "Value of level").write("41")
	extra.by("textbox", "Value of color").write("<b>red</b>")
	extra.by("combobox", "Value of pro").choose("false")
	extra.by("button", "Remove old").click()
	extra.by("button", "Add a key").click()
	extra.by("textbox", "Key").write("born")
	extra.by("combobox", "Type of born").choose("number")
	extra.by("textbox", "Value of born").write("1989.5")
	extra.by("button", "Save extra").click()
	p.shows("Extra data saved.")
	got, err := json.Marshal(d.user(id).Extra)
	if err != nil {
		t.Fatal(err)
	}
	var have, want any
	_ = json.Unmarshal(got, &have)
	_ = json.Unmarshal([]byte(`{"level":41,"ratio":0.25,"color":"<b>red</b>","digits":"007","pro":false,"lines":"a\nb","born":1989.5}`), &want)
	if fmt.Sprintf("%#v", have) != fmt.Sprintf("%#v", want) {
		t.Errorf("stored is %s", got)
	}

	extra.by("textbox", "Value of level").write("many")
	extra.by("button", "Save extra").click()
	p.shows("level")
	if level, _ := d.user(id).Extra["level"].Float(); level != 41 {
		t.Errorf("a number became %v", d.user(id).Extra["level"])
	}
}

func TestASessionIsKicked(t *testing.T) {
	t.Parallel()
	d := startDashboard(t)
	id := d.newUser("tiny")
	first, second := d.player(theScope), d.player(theScope)
	if err := logIn(t, first, "tiny", thePassword); err != nil {
		t.Fatal(err)
	}
	p := d.asOwner(wide)
	p.open(d.url("#/users/" + id.String()))
	sessions := p.by("region", "Sessions")
	sessions.shows("space-race 1.4.2 (android)")
	if err := logIn(t, second, "tiny", thePassword); err != nil {
		t.Fatal(err)
	}
	await(t, "both sessions are shown", func() error {
		if n := len(p.names("Sessions")); n != 2 {
			return fmt.Errorf("%d", n)
		}
		return nil
	})
	sessions.by("button", "Kick all").click()
	dialog := p.by("dialog", "Kick all sessions of tiny?")
	dialog.by("textbox", "Reason").write("maintenance")
	dialog.by("button", "Kick").click()
	p.shows("2 sessions ended.")
	sessions.shows("None. The user would have to log in.")
	for _, c := range []interface{ Err() error }{first, second} {
		await(t, "the player is kicked", func() error {
			if err := c.Err(); err == nil || !strings.Contains(err.Error(), "maintenance") {
				return fmt.Errorf("it has %v", err)
			}
			return nil
		})
	}
}

func TestAUserIsBannedUntilAMomentAndTheBanIsLifted(t *testing.T) {
	t.Parallel()
	d := startDashboard(t)
	id := d.newUser("tiny")
	if err := logIn(t, d.player(theScope), "tiny", thePassword); err != nil {
		t.Fatal(err)
	}
	p := d.asOwner(wide)
	p.open(d.url("#/users/" + id.String()))
	p.by("button", "Ban…").click()
	dialog := p.by("dialog", "Ban tiny?")
	dialog.by("combobox", "How long").choose("7 days")
	dialog.by("textbox", "Reason").write("aimbot <1>")
	dialog.by("button", "Ban").click()
	dialog.isGone()
	p.by("region", "Account").shows("aimbot <1>")
	p.by("region", "Sessions").shows("None. The user would have to log in.")
	if ban := d.user(id).Ban; ban == nil || ban.Reason != "aimbot <1>" ||
		time.Until(ban.Until.Time) > 7*24*time.Hour || time.Until(ban.Until.Time) < 7*24*time.Hour-uiGuard {
		t.Errorf("the ban is %+v", ban)
	}
	if err := logIn(t, d.player(theScope), "tiny", thePassword); !isStatus(err, protocol.StatusUserBanned) {
		t.Errorf("login: %v", err)
	}
	p.by("button", "Change the ban…").click()
	dialog = p.by("dialog", "Change the ban of tiny")
	dialog.by("combobox", "How long").choose("for good")
	dialog.by("button", "Ban").click()
	p.by("region", "Account").shows("for good")
	if ban := d.user(id).Ban; ban == nil || !ban.Until.IsZero() || ban.Reason != "aimbot <1>" {
		t.Errorf("the ban is %+v", ban)
	}
	p.by("button", "Lift the ban").click()
	p.by("button", "Ban…").isThere()
	if err := logIn(t, d.player(theScope), "tiny", thePassword); err != nil {
		t.Errorf("login: %v", err)
	}
	history := p.by("region", "History")
	for _, event := range []string{"created", "banned", "unbanned", "login failed"} {
		history.shows(event)
	}
}

func TestMailsAreSentFromAUsersPage(t *testing.T) {
	t.Parallel()
	outbox := t.TempDir()
	d := startDashboard(t, "--outbox", outbox)
	id := pending(t, d, "tiny")
	awaitMails(t, outbox, "tiny@home.com", 1)
	p := d.asOwner(wide)
	p.open(d.url("#/users/" + id.String()))
	p.by("button", "Resend confirmation").click()
	p.shows("Confirmation mail sent.")
	awaitMails(t, outbox, "tiny@home.com", 2)
	p.by("button", "Send password reset").click()
	p.shows("Reset mail sent.")
	awaitMails(t, outbox, "tiny@home.com", 3)
}

func TestAPasswordIsSetByTheDashboard(t *testing.T) {
	t.Parallel()
	d := startDashboard(t)
	id := d.newUser("tiny")
	p := d.asOwner(wide)
	p.open(d.url("#/users/" + id.String()))
	p.by("button", "Set a password…").click()
	dialog := p.by("dialog", "Set a new password for tiny")
	dialog.by("button", "Make one up").click()
	made := dialog.by("textbox", "New password").value()
	if len(made) < 12 {
		t.Errorf("%q was made up", made)
	}
	dialog.by("button", "Set password").click()
	p.shows("Password set.")
	if err := logIn(t, d.player(theScope), "tiny", made); err != nil {
		t.Error(err)
	}
	if err := logIn(t, d.player(theScope), "tiny", thePassword); !isStatus(err, protocol.StatusPasswordInvalid) {
		t.Errorf("the old password: %v", err)
	}
}

func TestAUserIsExportedAndDeleted(t *testing.T) {
	t.Parallel()
	d := startDashboard(t)
	id := d.newUser("tiny", func(in *protocol.AdminCreateUserParams) { in.Extra = protocol.Extra{"level": protocol.Int(3)} })
	p := d.asOwner(wide)
	p.open(d.url("#/users/" + id.String()))
	p.by("heading", "tiny").isThere()
	name, text := p.downloads()(func() { p.by("button", "Export…").click() })
	var export protocol.Export
	if err := json.Unmarshal([]byte(text), &export); err != nil || name != "user-"+id.String()+".json" {
		t.Errorf("%s: %v", name, err)
	}
	if level, _ := export.User.Extra["level"].Float(); export.User.Username != "tiny" || level != 3 || len(export.Events) == 0 {
		t.Errorf("exported is %s", text)
	}
	p.by("button", "Delete…").click()
	p.press("\x1b")
	p.by("dialog", "Delete tiny?").isGone()
	p.by("button", "Delete…").is("focused", "true")
	d.user(id) // is still there
	p.by("button", "Delete…").click()
	confirmTyped(p, "Delete tiny?", "tiny", "Delete")
	p.shows("tiny deleted.")
	p.addressHas("#/users?scope=Space+Race")
	p.shows("This scope has no users yet.")
	p.open(d.url("#/users/" + id.String()))
	p.by("alert", "").shows("user not found")
}

// What a user types is text wherever it is shown.
func TestMarkupInANameStaysText(t *testing.T) {
	t.Parallel()
	const evil = `<img src=x onerror="window.hit=1">`
	const more = `"><script>window.hit=1</script>`
	d := startDashboard(t)
	id := d.newUser(evil, func(in *protocol.AdminCreateUserParams) {
		in.Group, in.Extra = more, protocol.Extra{"<i>k": protocol.String(more)}
	})
	c := d.player(theScope)
	if err := logIn(t, c, evil, thePassword); err != nil {
		t.Fatal(err)
	}
	_ = logIn(t, c, evil, "wrong")
	waiting, err := d.player(theScope).Create(t.Context(), protocol.CreateParams{
		Username: evil + "2", Email: "evil@home.com", Credentials: protocol.Credentials{Password: thePassword}, Confirmation: &protocol.Confirmation{},
	})
	if err != nil {
		t.Fatal(err)
	}
	ask(t, d.owner, protocol.AdminUsersBan, protocol.BanParams{UserRef: protocol.UserRef{UserID: waiting.UserID}, Reason: more})
	ask(t, d.owner, protocol.AdminScopesCreate, protocol.ScopeParams{Name: evil})
	d.newAdmin(more, protocol.RoleViewer, evil)

	p := d.asOwner(wide)
	for page, shown := range map[string]string{
		"#/live": evil, "#/live?q=%3Cimg": evil, "#/overview": evil, "#/users?scope=Space+Race": evil,
		"#/users/" + id.String(): more, "#/users/" + waiting.UserID.String(): more, "#/pending?scope=Space+Race": evil + "2",
		"#/scopes": evil, "#/scopes/" + url.PathEscape(evil): evil, "#/admins": more,
	} {
		p.open(d.url(page))
		await(t, page+" shows it", func() error {
			text := eval[string](p, `(document.querySelector("main")?.innerText ?? "") + [...document.querySelectorAll("main input, main textarea")].map((e) => e.value)`)
			if !strings.Contains(text, shown) {
				return fmt.Errorf("it shows %s", text)
			}
			return nil
		})
		if n := eval[int](p, `document.querySelectorAll("img:not([src='icon.svg']), script:not([src='main.js']), main i").length`); n > 0 {
			t.Errorf("%s has %d elements that were typed", page, n)
		}
		if title := eval[string](p, `document.title`); !strings.HasSuffix(title, "Rollcall") {
			t.Errorf("%s: the title is %q", page, title)
		}
	}
	p.by("banner", "").by("button", "Sign out").click()
	p.signIn("admin", secretPassword)
	p.by("navigation", "Pages").isThere()
	if eval[bool](p, `"hit" in window`) {
		t.Error("script that a user typed has run")
	}
}
