package server

import (
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"

	"rollcall/protocol"
	"rollcall/server/guard"
	"rollcall/server/oauth"
	"rollcall/server/passwords"
	"rollcall/store"
)

// A caution is one thing that may be unsafe about a server. text is empty where
// it is not.
type caution struct {
	code string // never changes: programs know it
	text func(posture) string
}

// posture is what cautions look at.
type posture struct {
	cfg      Config // with its defaults
	embedded bool
	scopes   []store.Scope
}

// cautions stand in the order in which they are told.
var cautions = []caution{
	{"embedded_store", posture.embeddedStore},
	{"no_tls", posture.noTLS},
	{"plain_public_url", posture.plainPublicURL},
	{"trusted_providers", posture.trustedProviders},
	{"open_permissions", posture.openPermissions},
	{"auto_scopes", posture.autoScopes},
	{"weak_hash", posture.weakHash},
	{"mail_outbox", posture.mailOutbox},
	{"no_public_url", posture.noPublicURL},
	{"no_token_key", posture.noTokenKey},
	{"private_issuers", posture.privateIssuers},
	{"private_webhooks", posture.privateWebhooks},
}

// warnings tells what is unsafe.
func (p posture) warnings() []protocol.Warning {
	found := []protocol.Warning{}
	for _, c := range cautions {
		if text := c.text(p); text != "" {
			found = append(found, protocol.Warning{Code: c.code, Text: text})
		}
	}
	return found
}

func (p posture) embeddedStore() string {
	if !p.embedded {
		return ""
	}
	return "The embedded store is for trying Rollcall out and for tests: it serves one process and about ten thousand users, and a crash loses what came after its last snapshot, or everything where none is kept. For production set redis."
}

// reachable reports whether the main address can be reached from other machines.
func (p posture) reachable() bool {
	host, _, err := net.SplitHostPort(p.cfg.Listen)
	return err != nil || !guard.Loopback(strings.ToLower(host))
}

func (p posture) tls() bool { return p.cfg.TLSCert != "" || len(p.cfg.AutocertDomains) > 0 }

func (p posture) noTLS() string {
	if p.tls() || !p.reachable() || strings.HasPrefix(p.cfg.PublicURL, "https://") {
		return ""
	}
	return fmt.Sprintf("Other machines reach %s without TLS, so passwords, session tokens and the server key can be read on the way. "+
		"Set tls-cert and tls-key, or autocert; or, where a proxy in front speaks TLS, set public-url to its https:// address.", p.cfg.Listen)
}

func (p posture) plainPublicURL() string {
	u, err := url.Parse(p.cfg.PublicURL)
	if err != nil || u.Scheme != "http" || guard.Loopback(u.Hostname()) {
		return ""
	}
	return "The links in mails begin with http://, so the codes in them, and the passwords typed there, can be read on the way. Set public-url to an https:// address."
}

func (p posture) trustedProviders() string {
	which := p.perScope(func(s store.Scope) (names []string) {
		for name, config := range s.Providers {
			if config.Mode == protocol.ProviderTrust && name != oauth.OpenUDID { // that one's client_id is a secret in either mode
				names = append(names, name)
			}
		}
		return names
	})
	if which == "" {
		return ""
	}
	return "Providers in mode trust are believed without proof, so whoever knows a user's client_id can log in as that user: " + which +
		". Set their mode to verify, and their client_ids."
}

func (p posture) openPermissions() string {
	which := p.perScope(func(s store.Scope) (names []string) {
		for name, permit := range s.Permissions {
			if permit == protocol.PermitAny {
				names = append(names, name)
			}
		}
		return names
	})
	if which == "" {
		return ""
	}
	return "Any client with the server key may call these methods for any user: " + which +
		". Set their permission to self, unless the clients are servers of your own."
}

func (p posture) autoScopes() string {
	if !p.cfg.AutoScopes || !p.reachable() && p.cfg.PublicURL == "" {
		return ""
	}
	return "Any client with the server key makes a new scope by naming one. Unset auto-scopes, and name the scopes by scope or admin.scopes.create."
}

// weakest is the least of the Argon2id settings that OWASP's Password Storage
// Cheat Sheet holds equal, by memory times passes: 7 MiB in 5 passes.
const weakest = 7 * 1024 * 5

func (p posture) weakHash() string {
	h := p.cfg.Hash
	if uint64(h.Memory)*uint64(h.Time) >= weakest {
		return ""
	}
	return fmt.Sprintf("One password hash costs %d KiB in %d passes, less than OWASP advises, so stolen hashes are cheaper to guess. Set hash-memory to %d and hash-time to %d, the defaults, or more.",
		h.Memory, h.Time, passwords.OWASP.Memory, passwords.OWASP.Time)
}

func (p posture) mailOutbox() string {
	if p.cfg.SMTP != "" || p.cfg.Outbox == "" {
		return ""
	}
	return fmt.Sprintf("Mail is kept as files in the folder %s and reaches nobody: users can neither confirm an address nor reset a password. Set smtp and mail-from.", p.cfg.Outbox)
}

func (p posture) noPublicURL() string {
	if p.cfg.SMTP == "" || p.cfg.PublicURL != "" {
		return ""
	}
	return "Mail is sent, but its links lead to this machine's own address, which users may not reach. Set public-url to what they reach it by."
}

func (p posture) noTokenKey() string {
	if len(p.cfg.TokenKeys) > 0 {
		return ""
	}
	which := p.perScope(func(s store.Scope) (names []string) {
		for name := range s.Providers {
			if name != oauth.OpenUDID { // which has no access tokens
				names = append(names, name)
			}
		}
		return names
	})
	if which == "" {
		return ""
	}
	return "Without a token key no access token of these providers is kept, and users can't be created by Facebook (624): " + which + ". Set token-key, the same on every process."
}

func (p posture) privateIssuers() string {
	if !p.cfg.PrivateIssuers {
		return ""
	}
	return "A scope's owner may name OpenID Connect issuers at private addresses, and so have this server ask machines inside your network. Unset private-issuers, unless the issuers are there."
}

func (p posture) privateWebhooks() string {
	if !p.cfg.PrivateWebhooks {
		return ""
	}
	return "A scope's owner may name webhooks at private addresses, and so have this server post to machines inside your network, without TLS too. Unset private-webhooks, unless the webhooks are there."
}

// maxNamed is how many scopes a warning names.
const maxNamed = 10

// perScope says which names each scope has: "Space Race (google, studio)".
func (p posture) perScope(names func(store.Scope) []string) string {
	var all []string
	for _, s := range p.scopes {
		if found := names(s); len(found) > 0 {
			slices.Sort(found)
			all = append(all, fmt.Sprintf("%s (%s)", s.Name, strings.Join(found, ", ")))
		}
	}
	slices.Sort(all)
	if more := len(all) - maxNamed; more > 0 {
		all = append(all[:maxNamed], fmt.Sprintf("and %d more scopes", more))
	}
	return strings.Join(all, ", ")
}
