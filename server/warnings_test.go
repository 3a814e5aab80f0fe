package server

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"rollcall/protocol"
	"rollcall/server/passwords"
	"rollcall/store"
)

// safe is a server about which there is nothing to say.
func safe() posture {
	return posture{
		cfg: Config{
			Listen: ":7600", TLSCert: "cert.pem", TLSKey: "key.pem", PublicURL: "https://accounts.example.com",
			SMTP: "smtps://mail.example.com", MailFrom: "a@example.com", Outbox: "outbox", TokenKeys: []string{"k"}, Hash: passwords.OWASP,
		},
		scopes: []store.Scope{scopeWith("Space Race", nil, nil), scopeWith("Chess",
			map[string]protocol.ProviderConfig{"google": {Mode: protocol.ProviderVerify}, "openudid": {Mode: protocol.ProviderTrust}},
			map[string]string{"users.get": protocol.PermitSelf, "users.delete": protocol.PermitOff})},
	}
}

func scopeWith(name string, providers map[string]protocol.ProviderConfig, permissions map[string]string) store.Scope {
	return store.Scope{Name: name, Providers: providers, Permissions: permissions}
}

func codes(warnings []protocol.Warning) string {
	var all []string
	for _, w := range warnings {
		all = append(all, w.Code)
	}
	return strings.Join(all, " ")
}

func TestNothingIsSaidOfASafeServer(t *testing.T) {
	if got := safe().warnings(); got == nil || len(got) > 0 {
		t.Errorf("got %#v", got)
	}
}

func TestEachWarningSaysWhatIsWrongAndWhatToSet(t *testing.T) {
	trusting := map[string]protocol.ProviderConfig{"google": {Mode: protocol.ProviderTrust}, "apple": {Mode: protocol.ProviderTrust}, "studio": {}}
	for _, tt := range []struct {
		code string // "" for none
		made func(*posture)
		says []string // besides what it begins with
	}{
		{"embedded_store", func(p *posture) { p.embedded = true }, []string{"For production set redis."}},

		{"no_tls", func(p *posture) { p.cfg.TLSCert, p.cfg.PublicURL, p.cfg.SMTP, p.cfg.Outbox = "", "", "", "" }, []string{":7600", "tls-cert", "public-url"}},
		{"no_tls", func(p *posture) {
			p.cfg = Config{Listen: "192.0.2.1:80", Hash: passwords.OWASP, TokenKeys: []string{"k"}}
		}, []string{"192.0.2.1:80"}},
		{"", func(p *posture) { p.cfg.TLSCert = "" }, nil}, // a proxy in front speaks it
		{"", func(p *posture) { p.cfg.TLSCert, p.cfg.AutocertDomains = "", []string{"example.com"} }, nil},
		{"", func(p *posture) {
			p.cfg = Config{Listen: "127.0.0.1:7600", Hash: passwords.OWASP, TokenKeys: []string{"k"}, AutoScopes: true}
		}, nil},
		{"", func(p *posture) {
			p.cfg = Config{Listen: "LocalHost:0", Hash: passwords.OWASP, TokenKeys: []string{"k"}}
		}, nil},
		{"", func(p *posture) {
			p.cfg = Config{Listen: "[::1]:7600", Hash: passwords.OWASP, TokenKeys: []string{"k"}}
		}, nil},

		{"plain_public_url", func(p *posture) { p.cfg.PublicURL = "http://accounts.example.com" }, []string{"public-url to an https:// address"}},
		{"", func(p *posture) { p.cfg.PublicURL = "http://localhost:7600" }, nil},

		{"trusted_providers", func(p *posture) { p.scopes[0].Providers = trusting }, []string{": Space Race (apple, google).", "mode to verify"}},
		{"trusted_providers", func(p *posture) { p.scopes[0].Providers, p.scopes[1].Providers = trusting, trusting }, []string{": Chess (apple, google), Space Race (apple, google)."}},
		{"trusted_providers", func(p *posture) {
			p.scopes = nil
			for i := range 13 {
				p.scopes = append(p.scopes, scopeWith(fmt.Sprintf("s%02d", i), trusting, nil))
			}
		}, []string{"s09 (apple, google), and 3 more scopes."}},

		{"open_permissions", func(p *posture) {
			p.scopes[1].Permissions = map[string]string{"users.get": "any", "users.delete": "any", "users.update": "off"}
		}, []string{": Chess (users.delete, users.get).", "permission to self"}},

		{"auto_scopes", func(p *posture) { p.cfg.AutoScopes = true }, []string{"Unset auto-scopes"}},
		{"auto_scopes", func(p *posture) { p.cfg.AutoScopes, p.cfg.Listen = true, "127.0.0.1:7600" }, nil}, // behind a proxy

		{"weak_hash", func(p *posture) { p.cfg.Hash.Time = 1 }, []string{"19456 KiB in 1 passes", "hash-memory to 19456 and hash-time to 2"}},
		{"", func(p *posture) { p.cfg.Hash = passwords.Params{Memory: 7168, Time: 5, Threads: 1} }, nil},
		{"", func(p *posture) { p.cfg.Hash = passwords.Params{Memory: 1 << 20, Time: 64, Threads: 1} }, nil},

		{"mail_outbox", func(p *posture) { p.cfg.SMTP = "" }, []string{"the folder outbox", "Set smtp and mail-from."}},
		{"", func(p *posture) { p.cfg.SMTP, p.cfg.Outbox = "", "" }, nil}, // without mail at all, which is told by 702

		{"no_public_url", func(p *posture) { p.cfg.PublicURL = "" }, []string{"Set public-url"}},

		{"no_token_key", func(p *posture) { p.cfg.TokenKeys = nil }, []string{": Chess (google).", "Set token-key"}},
		{"", func(p *posture) { p.cfg.TokenKeys = nil; delete(p.scopes[1].Providers, "google") }, nil},

		{"private_issuers", func(p *posture) { p.cfg.PrivateIssuers = true }, []string{"Unset private-issuers"}},
		{"private_webhooks", func(p *posture) { p.cfg.PrivateWebhooks = true }, []string{"Unset private-webhooks"}},
	} {
		p := safe()
		tt.made(&p)
		got := p.warnings()
		if codes(got) != tt.code {
			t.Errorf("warned of %q, want %q", codes(got), tt.code)
			continue
		}
		for _, say := range tt.says {
			if !strings.Contains(got[0].Text, say) {
				t.Errorf("%s does not say %q: %s", tt.code, say, got[0].Text)
			}
		}
	}
}

func TestWarningsAreTextsOfWholeSentences(t *testing.T) {
	worst := posture{embedded: true, cfg: Config{
		Listen: ":80", PublicURL: "http://example.com", AutoScopes: true, Outbox: "outbox", PrivateIssuers: true, PrivateWebhooks: true,
		Hash: passwords.Params{Memory: 64, Time: 1, Threads: 1},
	}, scopes: []store.Scope{scopeWith("a", map[string]protocol.ProviderConfig{"google": {Mode: protocol.ProviderTrust}}, map[string]string{"users.get": "any"})}}
	got := worst.warnings()
	var all []string
	for _, c := range cautions {
		if c.code != "no_public_url" { // needs a mail server, which excludes mail_outbox
			all = append(all, c.code)
		}
	}
	if codes(got) != strings.Join(all, " ") {
		t.Errorf("warned of %s, want %s", codes(got), all)
	}
	for _, w := range got {
		if !strings.HasSuffix(w.Text, ".") || strings.Contains(w.Text, "\n") || len(w.Text) < 60 || len(w.Text) > 400 {
			t.Errorf("%s: %q", w.Code, w.Text)
		}
	}
	if slices.Sort(all); len(slices.Compact(all)) != len(cautions)-1 {
		t.Errorf("codes are used twice: %s", all)
	}
}
