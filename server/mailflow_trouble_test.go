package server_test

import (
	"net"
	"testing"
	"time"

	"rollcall/server"
)

// What becomes of a confirmation when the mail server refuses, hangs, greylists
// or is not there, and of a second try.

// impatient ends the work on a request, and with it the wait for a mail, early.
func impatient(c *server.Config) { c.RequestTimeout = 400 * time.Millisecond }

func TestARefusedMailLeavesTheConfirmationFailed(t *testing.T) {
	po := startPostOffice(t)
	po.answers(refuse)
	n := start(t, po.configure)
	a, c := n.admin(), n.client()
	u, r := registersAs(t, c, "tina")
	if got := ok(t, r).Object().Text("confirmation"); got != "failed" {
		t.Errorf("create says %q, want failed: %s", got, r.Raw)
	}
	n.wantConfirmation(a, u, "failed")
	want(t, c.Call("users.resendConfirmation", u.ref()), 701)
	want(t, a.Call("admin.users.resendConfirmation", u.ref()), 701)
	n.wantConfirmation(a, u, "failed")

	po.answers(nil)
	wantResult(t, c.Call("users.resendConfirmation", u.ref()), `"`+u.id+`"`)
	n.wantConfirmation(a, u, "pending")
	open(t, po.last(1).link(t)).submit().want(200)
	n.wantConfirmation(a, u, "")
}

func TestAMailServerThatHangsLeavesTheConfirmationPending(t *testing.T) {
	tests := []struct {
		name   string
		config func(*server.Config)
		within time.Duration // that each mail may hold up its request
		again  bool
	}{
		{"past the time of a request", impatient, 5 * time.Second, true},
		{"past the time that a request waits for a mail", func(*server.Config) {}, 14 * time.Second, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			po := startPostOffice(t)
			n := start(t, po.configure, tt.config)
			release := po.hang()
			defer release()
			a, c := n.admin(), n.client()

			began := time.Now()
			u, r := registersAs(t, c, "tina")
			if got := ok(t, r).Object().Text("confirmation"); got != "pending" {
				t.Errorf("create says %q, want pending: %s", got, r.Raw)
			}
			n.wantConfirmation(a, u, "pending")
			// Others do not wait for that mail.
			create(t, n.client(), "other")
			mails := 1
			if tt.again {
				wantResult(t, c.Call("users.resendConfirmation", u.ref()), `"`+u.id+`"`)
				n.wantConfirmation(a, u, "pending")
				mails = 2
			}
			if took := time.Since(began); took > time.Duration(mails)*tt.within {
				t.Errorf("%d mails to a server that hangs took %v", mails, took)
			}

			release()
			for _, l := range po.wait(mails) {
				l.code(t)
			}
			open(t, po.last(mails).link(t)).submit().want(200)
			n.wantConfirmation(a, u, "")
		})
	}
}

func TestAGreylistedMailIsPendingAndSentLater(t *testing.T) {
	po := startPostOffice(t)
	po.answers(greylist)
	n := start(t, po.configure)
	a := n.admin()
	u := registers(t, n.client(), "tina")
	n.wantConfirmation(a, u, "pending")
	if all := po.letters(); len(all) != 0 {
		t.Fatalf("%d mails got through", len(all))
	}
	n.stop() // gives what waits a last attempt
	l := po.last(1)
	l.wantHonest(t, "no-reply@rollcall.example", "tina@home.example")
	l.code(t)
	if po.tried() != 2 {
		t.Errorf("%d attempts, want the second to be the last", po.tried())
	}
}

func TestAMailServerThatIsNotThereLeavesTheConfirmationPending(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := "smtp://" + l.Addr().String()
	l.Close()
	n := start(t, func(c *server.Config) { c.SMTP, c.MailFrom = nobody, theSender })
	c := n.client()
	u := registers(t, c, "tina")
	n.wantConfirmation(n.admin(), u, "pending")
	wantResult(t, c.Call("users.resendConfirmation", u.ref()), `"`+u.id+`"`)
}

func TestAConfirmationIsSentAgainToWhoeverWaitsForOne(t *testing.T) {
	po := startPostOffice(t)
	n := start(t, po.configure)
	a, c := n.admin(), n.client()
	u := registers(t, c, "tina")
	wantResult(t, c.Call("users.resendConfirmation", u.ref()), `"`+u.id+`"`)
	wantResult(t, a.Call("admin.users.resendConfirmation", u.ref()), `"`+u.id+`"`)
	all := po.wait(3)
	if all[0].code(t) == all[1].code(t) || all[1].code(t) == all[2].code(t) {
		t.Error("a code came twice")
	}
	want(t, n.client().Call("users.resendConfirmation", u.ref()), 606)

	open(t, all[0].link(t)).submit().want(200)
	n.wantConfirmation(a, u, "")
	want(t, c.Call("users.resendConfirmation", u.ref()), 614)
	want(t, a.Call("admin.users.resendConfirmation", u.ref()), 614)
	for _, l := range all {
		open(t, l.link(t)).want(410)
	}
	po.wait(3)

	plain := create(t, c, "plain", obj{"email": "plain@home.example"})
	want(t, c.Call("users.resendConfirmation", plain.ref()), 614)
	bare := registers(t, c, "bare")
	ok(t, c.Call("users.update", obj{"user_id": bare.id, "update": obj{"email": nil}}))
	want(t, c.Call("users.resendConfirmation", bare.ref()), 704)
	want(t, a.Call("admin.users.resendConfirmation", bare.ref()), 704)
}

func TestARecipientGetsAFewMailsAnHour(t *testing.T) {
	po := startPostOffice(t)
	n := start(t, po.configure, func(c *server.Config) { c.MailLimit = 3 })
	a, c := n.admin(), n.client()
	u := registers(t, c, "tina")
	for range 2 {
		ok(t, c.Call("users.resendConfirmation", u.ref()))
	}
	r := want(t, c.Call("users.resendConfirmation", u.ref()), 807)
	if wait := r.RetryAfterMS(); !r.Temporary() || wait <= 0 || wait > time.Hour.Milliseconds() {
		t.Errorf("got %s, want it temporary and for an hour at most", r.Raw)
	}
	n.wantConfirmation(a, u, "pending") // three mails are under way
	po.wait(3)
}

func TestWithoutMailNothingIsConfirmedByMail(t *testing.T) {
	n := start(t)
	a, c := n.admin(), n.client()
	u, r := registersAs(t, c, "tina")
	if got := ok(t, r).Object().Text("confirmation"); got != "failed" {
		t.Errorf("create says %q, want failed: %s", got, r.Raw)
	}
	want(t, c.Call("users.resendConfirmation", u.ref()), 702)
	want(t, c.Call("users.sendPasswordReset", obj{"email": "tina@home.example"}), 702)
	want(t, a.Call("admin.users.resendConfirmation", u.ref()), 702)
	want(t, a.Call("admin.users.sendPasswordReset", u.ref()), 702)
	// An owner can still hand a link over.
	link := ok(t, a.Call("admin.users.confirmLink", u.ref())).Object().Text("link")
	open(t, link).submit().want(200)
	n.wantConfirmation(a, u, "")
}
