package server_test

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"rollcall/server/wiretest"
	"rollcall/store"
	"rollcall/store/storetest"
)

// asksReset asks for a reset mail and returns it; n is how many mails there are then.
func asksReset(t *testing.T, c *wiretest.Client, po *postOffice, email string, n int) letter {
	t.Helper()
	wantResult(t, c.Call("users.sendPasswordReset", obj{"email": email}), "true")
	return po.last(n)
}

func TestAMailedLinkSetsANewPassword(t *testing.T) {
	po := startPostOffice(t)
	n := start(t, po.configure)
	u := n.elsewhere("tina", obj{"email": "tina@home.example"})
	c := n.client()
	token := login(t, c, u)
	other := n.client()
	login(t, other, u)

	l := asksReset(t, n.client(), po, "TINA@home.example", 1)
	l.wantHonest(t, "no-reply@rollcall.example", "tina@home.example")
	link, code := l.link(t), l.code(t)
	if !strings.HasPrefix(link, "http://"+n.addr+"/reset?code=") {
		t.Errorf("the link is %s", link)
	}
	for _, method := range []string{"GET", "HEAD", "GET"} {
		browse(t, method, link, nil).want(200)
	}
	page := open(t, link).want(200, "tina", theScope)
	if _, fields := page.form(); len(fields) != 3 || fields.Get("code") != code || fields.Get("password") != "" {
		t.Errorf("the form has %v, want the code and two empty fields", fields)
	}
	ok(t, c.Call("users.get", u.ref())) // nothing has happened yet

	problem := page.submit("password", "brand new", "again", "brand old")
	problem.want(422, "not the same")
	if strings.Contains(problem.body, "brand") {
		t.Errorf("the page shows a password:\n%s", problem.body)
	}
	for what, v := range map[string]visit{
		"an empty one":  problem.submit(),
		"a long one":    problem.submit("password", strings.Repeat("x", 1025), "again", strings.Repeat("x", 1025)),
		"one forgotten": browse(t, "POST", "http://"+n.addr+"/reset", url.Values{"code": {code}, "password": {"brand new"}}),
	} {
		if v.status != 422 {
			t.Errorf("%s answers %d, want 422:\n%s", what, v.status, v.body)
		}
	}
	ok(t, c.Call("users.get", u.ref())) // still
	login(t, n.client(), u)

	problem.submit("password", "brand new", "again", "brand new").want(200, "tina", theScope)
	wantEnd(t, c, 4506)
	wantEnd(t, other, 4506)
	want(t, resume(n.client(), token), 607)
	want(t, n.client().Call("users.login", u.login()), 603)
	u.password = "brand new"
	login(t, n.client(), u)

	page.submit("password", "third", "again", "third").want(410, "no longer good")
	open(t, link).want(410, "no longer good")
	login(t, n.client(), u)
	n.wantUnlogged(code, "brand new", "tina@home.example")
}

func TestAResetTakesAnyPasswordThatASocketTakes(t *testing.T) {
	po := startPostOffice(t)
	n := start(t, po.configure)
	u := n.elsewhere("tina", obj{"email": "tina@home.example"})
	for i, password := range []string{" spaces ", "+%20&=;", "pässwörd ✨", strings.Repeat("太", 341), "<b>\"'"} {
		l := asksReset(t, n.client(), po, "tina@home.example", i+1)
		open(t, l.link(t)).submit("password", password, "again", password).want(200)
		u.password = password
		login(t, n.client(), u)
		hashed := obj{"username": u.name, "password_hash": passwordHash(theScope, password)}
		ok(t, n.client().Call("users.login", hashed))
	}
}

func TestAUsedLinkOffersAnother(t *testing.T) {
	po := startPostOffice(t)
	n := start(t, po.configure)
	u := n.elsewhere("tina", obj{"email": "tina@home.example"})
	first := asksReset(t, n.client(), po, "tina@home.example", 1)
	open(t, first.link(t)).submit("password", "one", "again", "one").want(200)

	spent := open(t, first.link(t)).want(410)
	if strings.Contains(spent.body, "home.example") {
		t.Errorf("the page shows the address:\n%s", spent.body)
	}
	spent.submit().want(200)
	second := po.last(2)
	second.wantHonest(t, "no-reply@rollcall.example", "tina@home.example")
	if second.code(t) == first.code(t) {
		t.Fatal("the same code again")
	}
	open(t, second.link(t)).submit("password", "two", "again", "two").want(200)
	u.password = "two"
	login(t, n.client(), u)

	// The confirmation's page offers one to those who wait for one.
	c := n.client()
	p := registers(t, c, "petra")
	link := po.last(3).link(t)
	ok(t, c.Call("users.update", obj{"user_id": p.id, "update": obj{"email": "petra@work.example"}}))
	open(t, link).want(410).submit().want(200)
	again := po.last(4)
	again.wantHonest(t, "no-reply@rollcall.example", "petra@work.example")
	open(t, again.link(t)).submit().want(200)
	n.wantConfirmation(n.admin(), p, "")
	if strings.Contains(open(t, link).want(410).body, "<form") {
		t.Error("a confirmed user is offered another link")
	}
}

func TestAnExpiredLinkSaysSoAndOffersAnother(t *testing.T) {
	redis := storetest.Redis(t)
	po := startPostOffice(t)
	n := startOn(t, redis.URL(), po.configure)
	u := n.elsewhere("tina", obj{"email": "tina@home.example"})
	link := "http://" + n.addr + "/reset?code=" + shortLived(t, redis.URL(), u, "tina@home.example")
	await(t, "the code has expired", func() bool { return open(t, link).status != 200 })
	expired := open(t, link).want(410, "expired")
	form := url.Values{"code": {codeIn(t, link)}, "password": {"p"}, "again": {"p"}}
	browse(t, "POST", "http://"+n.addr+"/reset", form).want(410, "expired")
	login(t, n.client(), u)
	expired.submit().want(200)
	open(t, po.last(1).link(t)).submit("password", "p", "again", "p").want(200)
	u.password = "p"
	login(t, n.client(), u)
}

// shortLived makes a reset code that expires at once, as no server does.
func shortLived(t *testing.T, storeURL string, u user, email string) (code string) {
	t.Helper()
	st, err := store.Open(t.Context(), store.Config{URL: storeURL})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	code, err = st.NewCodeFor(t.Context(), uuid.MustParse(u.id), email, store.CodeReset, time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	return code
}

func TestAResetCodeIsForOneUse(t *testing.T) {
	po := startPostOffice(t)
	n := start(t, po.configure)
	u := n.elsewhere("tina", obj{"email": "tina@home.example"})
	page := open(t, asksReset(t, n.client(), po, "tina@home.example", 1).link(t))
	const posts = 8
	statuses := make(chan int, posts)
	address, fields := page.form()
	for i := range posts {
		go func() {
			form := url.Values{"code": fields["code"], "password": {strings.Repeat("p", i+1)}, "again": {strings.Repeat("p", i+1)}}
			statuses <- browse(t, "POST", address, form).status
		}()
	}
	count := map[int]int{}
	for range posts {
		count[<-statuses]++
	}
	if count[200] != 1 || count[410] != posts-1 {
		t.Errorf("the answers are %v, want one 200 and the others 410", count)
	}
	works := 0
	for i := range posts {
		u.password = strings.Repeat("p", i+1)
		if n.client().Call("users.login", u.login()).OK() {
			works++
		}
	}
	if works != 1 {
		t.Errorf("%d of the passwords work, want one", works)
	}
}

func TestAChangeOfEmailOrPasswordVoidsOpenCodes(t *testing.T) {
	changes := map[string]obj{
		"another email":    {"email": "new@home.example"},
		"no email":         {"email": nil},
		"another password": {"password": "another one"},
	}
	for name, change := range changes {
		t.Run(name, func(t *testing.T) {
			po := startPostOffice(t)
			n := start(t, po.configure)
			c := n.client()
			u := registers(t, c, "tina")
			confirm := po.last(1).link(t)
			reset := asksReset(t, c, po, "tina@home.example", 2).link(t)
			handed := ok(t, n.admin().Call("admin.users.resetLink", u.ref())).Object().Text("link")
			forms := []visit{open(t, confirm), open(t, reset), open(t, handed)}

			ok(t, c.Call("users.update", obj{"user_id": u.id, "update": change}))
			for i, link := range []string{confirm, reset, handed} {
				open(t, link).want(410)
				if i == 0 {
					forms[i].submit().want(410)
				} else {
					forms[i].submit("password", "p", "again", "p").want(410)
				}
			}
			n.wantConfirmation(n.admin(), u, "pending")
			want(t, n.client().Call("users.login", obj{"username": "tina", "password": "p"}), 603)
		})
	}
}

func TestAMailedResetConfirmsTheAddressAndAHandedOneDoesNot(t *testing.T) {
	po := startPostOffice(t)
	n := start(t, po.configure)
	a, c := n.admin(), n.client()
	u := registers(t, c, "tina")
	handed := ok(t, a.Call("admin.users.resetLink", u.ref())).Object().Text("link")
	open(t, handed).submit("password", "one", "again", "one").want(200)
	n.wantConfirmation(a, u, "pending")
	wantResult(t, a.Call("admin.users.sendPasswordReset", u.ref()), "true")
	open(t, po.last(2).link(t)).submit("password", "two", "again", "two").want(200)
	n.wantConfirmation(a, u, "")
}

func TestTextOfAUserStaysTextOnThePages(t *testing.T) {
	po := startPostOffice(t)
	n := start(t, po.configure)
	name := `<img src=x onerror=alert(1)>"'&`
	c := n.client("<script>alert(1)</script>")
	registers(t, c, name, obj{"email": "tina@home.example"})
	confirm := po.last(1).link(t)
	reset := asksReset(t, c, po, "tina@home.example", 2).link(t)
	pages := []visit{open(t, confirm), open(t, reset), open(t, reset).submit("password", "<b>", "again", "<i>")}
	pages = append(pages, pages[0].submit(), open(t, confirm), pages[1].submit("password", "p", "again", "p"), open(t, reset))
	for i, v := range pages {
		for _, bad := range []string{"<img", "<script", "onerror=alert(1)>\"", "<b>", "<i>"} {
			if strings.Contains(v.body, bad) {
				t.Errorf("page %d has %s:\n%s", i, bad, v.body)
			}
		}
		if i < 2 && !strings.Contains(v.body, "&lt;img src=x onerror=alert(1)&gt;") {
			t.Errorf("page %d does not name the user:\n%s", i, v.body)
		}
	}
}
