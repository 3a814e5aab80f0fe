package main

import "testing"

func TestScratch(t *testing.T) {
	d := startDashboard(t)
	p := d.asOwner(wide)
	for _, n := range []string{"tiny", "huge", "<img src=x onerror=alert(1)>"} {
		d.newUser(n)
		if err := logIn(t, d.player(theScope), n, thePassword); err != nil {
			t.Error(err)
		}
	}
	_ = logIn(t, d.player(theScope), "tiny", "wrong")
	for _, page := range []string{"Live", "Overview", "Users", "Pending", "Scopes", "Admins", "Server"} {
		p.goTo(page)
		t.Log(page, p.text())
		p.screenshot("/tmp/e2e/"+page+".png", true)
	}
}
