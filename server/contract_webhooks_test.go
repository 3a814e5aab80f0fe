package server_test

import (
	"strings"
	"testing"

	"rollcall/server"
)

const webhookSecret = "whsec-secret-0123"

func TestAWebhookIsSetChangedAndRemovedAndItsSecretToldOnce(t *testing.T) {
	n := start(t)
	a := n.admin()
	set := func(webhook obj) string {
		t.Helper()
		o := ok(t, a.Call("admin.scopes.update", obj{"name": theScope, "webhook": webhook})).Object()
		return o.Raw("webhook")
	}
	first := ok(t, a.Call("admin.scopes.update", obj{"name": theScope, "webhook": obj{"url": "https://hooks.example/a?b=c"}})).Object().Object("webhook")
	if first.Text("url") != "https://hooks.example/a?b=c" || len(first.Text("secret")) < 32 {
		t.Errorf("got %v", first)
	}
	if got := set(obj{"url": "https://hooks.example/d", "events": []string{"user.banned"}}); got != `{"url":"https://hooks.example/d","events":["user.banned"]}` {
		t.Errorf("got %s", got)
	}
	if got := set(obj{"url": "https://hooks.example/d", "secret": webhookSecret}); got != `{"url":"https://hooks.example/d"}` {
		t.Errorf("a secret that was named is told: %s", got)
	}
	ok(t, a.Call("admin.scopes.update", obj{"name": theScope, "sessions": "many"}))
	all := ok(t, a.Call("admin.scopes.list", nil))
	if !strings.Contains(all.Raw, `"webhook":{"url":"https://hooks.example/d"}`) || strings.Contains(all.Raw, webhookSecret) {
		t.Errorf("the list is %s", all.Raw)
	}
	if got := set(obj{"url": ""}); got != "" {
		t.Errorf("removed, but %s", got)
	}
	again := ok(t, a.Call("admin.scopes.update", obj{"name": theScope, "webhook": obj{"url": "https://hooks.example"}})).Object().Object("webhook")
	if again.Text("secret") == "" || again.Text("secret") == first.Text("secret") {
		t.Error("one that is set up anew has no secret of its own")
	}

	made := ok(t, a.Call("admin.scopes.create", obj{"name": "Moon", "webhook": obj{"url": "https://hooks.example"}})).Object().Object("webhook")
	if made.Text("secret") == "" {
		t.Errorf("created with %v", made)
	}
	named := ok(t, a.Call("admin.scopes.create", obj{"name": "Mars", "webhook": obj{"url": "https://hooks.example", "secret": webhookSecret}})).Object()
	if named.Raw("webhook") != `{"url":"https://hooks.example"}` {
		t.Errorf("created with %s", named.Raw("webhook"))
	}
	if none := ok(t, a.Call("admin.scopes.create", obj{"name": "Io", "webhook": obj{"url": ""}})).Object(); none.Raw("webhook") != "" {
		t.Errorf("created with %v", none)
	}
}

func TestAWebhooksURLIsCheckedWhenItIsSet(t *testing.T) {
	for private, urls := range map[bool]map[string]int{
		false: {
			"https://hooks.example": 0, "http://127.0.0.1:9": 0, "http://hooks.example": 802, "https://10.0.0.1": 802,
			"http://10.0.0.1": 802, "https://169.254.169.254/latest": 802, "https://user:secret@hooks.example": 802, "nonsense": 802,
		},
		true: {"https://10.0.0.1": 0, "http://10.0.0.1": 0, "http://93.184.216.34": 802, "https://169.254.169.254": 802},
	} {
		n := start(t, func(c *server.Config) { c.PrivateWebhooks = private })
		a := n.admin()
		for url, status := range urls {
			r := want(t, a.Call("admin.scopes.update", obj{"name": theScope, "webhook": obj{"url": url}}), status)
			if status != 0 && !strings.Contains(r.Raw, "webhook.url: ") {
				t.Errorf("%s: the answer does not say what is wrong: %s", url, r.Raw)
			}
		}
		want(t, a.Call("admin.scopes.create", obj{"name": "Moon", "webhook": obj{"url": "ftp://x"}}), 802)
		want(t, a.Call("admin.scopes.deliveries", obj{"name": "Moon"}), 1004)
	}
}
