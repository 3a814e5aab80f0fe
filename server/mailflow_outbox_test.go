package server_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func TestAnOutboxKeepsMailsAsFilesAndTheFlowWorks(t *testing.T) {
	dir, keep := outbox(t)
	n := start(t, keep)
	a, c := n.admin(), n.client()
	tina, bert := registers(t, c, "tina"), registers(t, c, "bert")
	ok(t, c.Call("users.sendPasswordReset", obj{"email": "tina@home.example"}))
	await(t, "the reset mail is kept", func() bool {
		_, names := outboxLetters(t, dir)
		return len(names) == 3
	})
	letters, names := outboxLetters(t, dir)
	if !slices.IsSorted(names) {
		t.Errorf("the names %q", names)
	}
	for i, to := range []string{"tina@home.example", "bert@home.example", "tina@home.example"} {
		letters[i].wantHonest(t, "rollcall@localhost", to)
	}
	for i, name := range names {
		if !regexp.MustCompile(`^[0-9A-Za-z.-]+\.eml$`).MatchString(filepath.Base(name)) {
			t.Errorf("the file is called %s", name)
		}
		await(t, "the log says where the mail is", func() bool { return n.logged(name) })
		n.wantUnlogged(letters[i].code(t), letters[i].link(t), "tina@home.example")
	}
	if all, _ := filepath.Glob(filepath.Join(dir, "*")); len(all) != 3 {
		t.Errorf("the folder holds %q", all)
	}

	open(t, letters[0].link(t)).submit().want(200)
	n.wantConfirmation(a, tina, "")
	n.wantConfirmation(a, bert, "pending")
	open(t, letters[2].link(t)).submit("password", "anew", "again", "anew").want(200)
	tina.password = "anew"
	login(t, n.client(), tina)
	for _, l := range letters {
		n.wantUnlogged(l.code(t))
	}
}

func TestAnOutboxTakesAnySenderSinceNobodyIsMailed(t *testing.T) {
	dir, keep := outbox(t)
	n := start(t, keep)
	registers(t, n.client(), "tina", obj{"confirmation": obj{"from_email": "anybody@elsewhere.example"}})
	letters, _ := outboxLetters(t, dir)
	if len(letters) != 1 {
		t.Fatalf("%d mails are kept, want one", len(letters))
	}
	letters[0].wantHonest(t, "anybody@elsewhere.example", "tina@home.example")
}

func TestAnOutboxThatIsGoneFailsAndRecovers(t *testing.T) {
	dir, keep := outbox(t)
	n := start(t, keep)
	moved := dir + ".moved"
	rename(t, dir, moved)
	c := n.client()
	u, r := registersAs(t, c, "tina")
	if got := ok(t, r).Object().Text("confirmation"); got != "failed" {
		t.Errorf("create says %s, want the confirmation failed", r.Raw)
	}
	if e := want(t, c.Call("users.resendConfirmation", u.ref()), 701); strings.Contains(e.Message(), "/") {
		t.Errorf("the error tells of files: %s", e.Raw)
	}
	rename(t, moved, dir)
	ok(t, c.Call("users.resendConfirmation", u.ref()))
	if letters, _ := outboxLetters(t, dir); len(letters) != 1 {
		t.Errorf("%d mails are kept, want one", len(letters))
	}
}

func rename(t *testing.T, from, to string) {
	t.Helper()
	if err := os.Rename(from, to); err != nil {
		t.Fatal(err)
	}
}
