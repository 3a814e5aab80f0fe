package main

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"rollcall/protocol"
)

// names are what the first cells of a table say, from the top.
func (p *browserPage) names(table string) []string {
	p.t.Helper()
	return eval[[]string](p, `[...document.querySelectorAll("main table")].filter((t) => t.caption?.textContent.startsWith(%s))
		.flatMap((t) => [...t.tBodies[0].rows].map((tr) => tr.querySelector("th").textContent))`, table)
}

// lists waits until a table is of these, in this order.
func (p *browserPage) lists(table string, want ...string) {
	p.t.Helper()
	await(p.t, fmt.Sprintf("%s are %q", table, want), func() error {
		if got := p.names(table); !slices.Equal(got, want) {
			return fmt.Errorf("they are %q", got)
		}
		return nil
	})
}

// addressHas waits until the address ends as one of the dashboard's pages.
func (p *browserPage) addressHas(want string) {
	p.t.Helper()
	await(p.t, "the address has "+want, func() error {
		if got := p.address(); !strings.HasSuffix(got, "/admin/"+want) {
			return fmt.Errorf("it is %s", got)
		}
		return nil
	})
}

func TestUsersAreSearched(t *testing.T) {
	t.Parallel()
	d := startDashboard(t)
	with := func(email, group string) func(*protocol.AdminCreateUserParams) {
		return func(in *protocol.AdminCreateUserParams) { in.Email, in.Group = email, group }
	}
	d.newUser("tiny", with("tina@home.com", "red"))
	d.newUser("tim", with("tim@home.com", "blue"))
	d.newUser("huge", with("hugo@home.com", "red"))
	pending(t, d, "waiting")
	banned := d.newUser("cheater")
	ask(t, d.owner, protocol.AdminUsersBan, protocol.BanParams{UserRef: protocol.UserRef{UserID: banned}, Reason: "aimbot"})
	c := d.player(theScope)
	if err := logIn(t, c, "huge", thePassword); err != nil {
		t.Fatal(err)
	}

	p := d.asOwner(wide)
	p.goTo("Users")
	p.addressHas("#/users?scope=Space+Race")
	p.lists("Users", "cheater", "huge", "tim", "tiny", "waiting")
	search := p.by("search", "Users")
	search.by("searchbox", "Username begins with").write("TI")
	p.lists("Users", "tim", "tiny")
	p.addressHas("#/users?scope=Space+Race&username=TI")
	search.by("searchbox", "Group is").write("red")
	p.press("\r")
	p.lists("Users", "tiny")
	search.by("button", "Clear").click()
	p.lists("Users", "cheater", "huge", "tim", "tiny", "waiting")
	search.by("searchbox", "Email is").write("Hugo@home.com")
	p.press("\r")
	p.lists("Users", "huge")
	search.by("button", "Clear").click()
	for _, tt := range []struct{ control, option, user string }{
		{"Email address", "pending", "waiting"}, {"Ban", "banned", "cheater"}, {"Presence", "online", "huge"}, {"Active", "inactive", "waiting"},
	} {
		search.by("combobox", tt.control).choose(tt.option)
		p.lists("Users", tt.user)
		search.by("button", "Clear").click()
		p.lists("Users", "cheater", "huge", "tim", "tiny", "waiting")
	}
	search.by("combobox", "Order").choose("creation, oldest first")
	p.lists("Users", "tiny", "tim", "huge", "waiting", "cheater")
	search.by("searchbox", "Username begins with").write("nobody")
	p.shows("No user is like that.")

	// A search stands in the address; a change of another's making is shown too.
	p.open(d.url("#/users?scope=Space+Race&group=red"))
	p.lists("Users", "huge", "tiny")
	p.by("link", "tiny").click()
	p.by("heading", "tiny").isThere()
	eval[bool](p, `(history.back(), true)`)
	p.lists("Users", "huge", "tiny")
}

func TestUsersAreTurnedPageByPage(t *testing.T) {
	t.Parallel()
	d := startDashboard(t)
	var all []string
	for i := range 120 {
		all = append(all, fmt.Sprintf("user-%03d", i))
	}
	d.importUsers(all...)
	p := d.asOwner(wide)
	p.goTo("Users")
	p.lists("Users", all[:50]...)
	p.by("button", "Next").click()
	p.lists("Users", all[50:100]...)
	p.by("button", "Next").click()
	p.lists("Users", all[100:]...)
	p.by("button", "Next").is("disabled", "true")
	p.by("button", "Previous").click()
	p.lists("Users", all[50:100]...)
	eval[bool](p, `(history.back(), true)`)
	p.lists("Users", all[100:]...)
	eval[bool](p, `(history.back(), true)`)
	p.lists("Users", all[50:100]...)
	eval[bool](p, `(history.forward(), true)`)
	p.lists("Users", all[100:]...)
	p.reload()
	p.lists("Users", all[100:]...)
}

// importUsers brings in many users without passwords.
func (d *dashboard) importUsers(names ...string) {
	d.t.Helper()
	for batch := range slices.Chunk(names, 200) {
		in := protocol.ImportParams{Scope: theScope}
		for _, name := range batch {
			in.Users = append(in.Users, protocol.ImportUser{Username: name, Kind: "unknown"})
		}
		for i, result := range ask(d.t, d.owner, protocol.AdminUsersImport, in) {
			if result.Error != "" {
				d.t.Fatalf("%s: %+v", batch[i], result)
			}
		}
	}
}

func TestUsersOfASearchAreDownloaded(t *testing.T) {
	t.Parallel()
	d := startDashboard(t)
	var all []string
	for i := range 450 {
		all = append(all, fmt.Sprintf("user-%03d", i))
	}
	d.importUsers(all...)
	d.newUser("=evil(1)", func(in *protocol.AdminCreateUserParams) {
		in.Email, in.Group = "evil@home.com", `a "b", c`
		in.Extra = protocol.Extra{"level": protocol.Int(3), "note": protocol.String("x\ny")}
	})
	p := d.asOwner(wide)
	p.goTo("Users")
	p.lists("Users", append([]string{"=evil(1)"}, all[:49]...)...)
	download := p.downloads()

	name, text := download(func() { p.by("button", "Download as CSV").click() })
	records, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil || !strings.HasPrefix(name, "users-Space-Race-") || !strings.HasSuffix(name, ".csv") {
		t.Fatalf("%s: %v", name, err)
	}
	column := map[string]int{}
	for i, head := range records[0] {
		column[head] = i
	}
	if len(records) != 1+1+len(all) {
		t.Fatalf("%d records", len(records))
	}
	evil := records[1]
	for head, want := range map[string]string{"username": "'=evil(1)", "email": "evil@home.com", "group": `a "b", c`, "active": "true", "banned": "false", "logins": "0"} {
		if got := evil[column[head]]; got != want {
			t.Errorf("%s is %q, want %q", head, got, want)
		}
	}
	for i, name := range all {
		if got := records[2+i][column["username"]]; got != name {
			t.Fatalf("record %d is of %q, want %q", 2+i, got, name)
		}
	}
	p.shows("451 users downloaded.")

	// Of the search that is shown, and not of all.
	p.by("search", "Users").by("searchbox", "Username begins with").write("user-44")
	p.lists("Users", all[440:450]...)
	name, text = download(func() { p.by("button", "Download as NDJSON").click() })
	if !strings.HasSuffix(name, ".ndjson") {
		t.Error(name)
	}
	var got []string
	for line := range strings.Lines(text) {
		var user protocol.User
		if err := json.Unmarshal([]byte(line), &user); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		got = append(got, user.Username)
	}
	if !slices.Equal(got, all[440:450]) {
		t.Errorf("downloaded are %q", got)
	}
}

func TestAUserIsCreated(t *testing.T) {
	t.Parallel()
	d := startDashboard(t)
	p := d.asOwner(wide)
	p.goTo("Users")
	p.by("button", "Create user").click()
	dialog := p.by("dialog", "Create a user in Space Race")
	dialog.by("textbox", "Username").write("tiny")
	dialog.by("textbox", "Password").write(thePassword)
	dialog.by("textbox", "Email").write("tina@home.com")
	dialog.by("textbox", "Group").write("red")
	dialog.by("button", "Create").click()
	p.by("heading", "tiny").isThere()
	if err := logIn(t, d.player(theScope), "tiny", thePassword); err != nil {
		t.Errorf("with the password that was given: %v", err)
	}

	// What the server refuses is told in the dialog, which stays.
	p.goTo("Users")
	p.by("button", "Create user").click()
	dialog.by("textbox", "Username").write("Tiny")
	dialog.by("button", "Create").click()
	dialog.by("alert", "").shows("exists")
	dialog.by("textbox", "Username").write("huge")
	dialog.by("button", "Create").click()
	p.by("heading", "huge").isThere()
}

func TestWhoHasYetToConfirmIsShownAndMailedAgain(t *testing.T) {
	t.Parallel()
	outbox := t.TempDir()
	d := startDashboard(t, "--outbox", outbox)
	anna := pending(t, d, "anna")
	for _, name := range []string{"bert", "carl", "dora"} {
		pending(t, d, name)
	}
	d.newUser("tiny")
	p := d.asOwner(wide)
	p.goTo("Pending")
	p.lists("Pending users", "anna", "bert", "carl", "dora")
	awaitMails(t, outbox, "anna@home.com", 1)
	p.by("button", "Resend: anna").click()
	p.shows("Confirmation mail sent to anna.")
	awaitMails(t, outbox, "anna@home.com", 2)

	p.by("checkbox", "Select bert").click()
	p.by("checkbox", "Select carl").click()
	p.by("button", "Resend to 2 selected users").click()
	p.shows("2 mails sent.")
	for name, want := range map[string]int{"anna": 2, "bert": 2, "carl": 2, "dora": 1} {
		awaitMails(t, outbox, name+"@home.com", want)
	}

	p.by("button", "Activate: bert").click()
	p.lists("Pending users", "anna", "carl", "dora")
	p.by("button", "Delete: carl").click()
	confirmTyped(p, "Delete carl?", "carl", "Delete")
	p.lists("Pending users", "anna", "dora")
	p.by("button", "Link: anna").click()
	link := p.by("dialog", "Confirmation link for anna").by("textbox", "Link").value()
	p.by("dialog", "Confirmation link for anna").by("button", "Close").click()
	other := newPage(t, wide)
	other.mayLog("favicon") // the page of the link has none
	other.open(link)
	other.by("button", "").at(0).click() // the page asks, so that a mail scanner confirms nothing
	await(t, "anna is confirmed", func() error {
		if user := d.user(anna); !user.Validated {
			return fmt.Errorf("%+v", user)
		}
		return nil
	})
	p.by("button", "Refresh").click()
	p.lists("Pending users", "dora")
	p.by("combobox", "Order").choose("username")
	p.addressHas("#/pending?scope=Space+Race&orderby=username")
}

// confirmTyped types a name into a dialog that asks for it; before that the button
// is disabled, also with a name that is nearly right.
func confirmTyped(p *browserPage, title, name, button string) {
	p.t.Helper()
	dialog := p.by("dialog", title)
	dialog.by("button", button).is("disabled", "true")
	field := dialog.by("textbox", "Type "+name+" to confirm")
	field.write(name + "x")
	dialog.by("button", button).is("disabled", "true")
	field.write(name)
	dialog.by("button", button).is("disabled", "false")
	dialog.by("button", button).click()
	dialog.isGone()
}
