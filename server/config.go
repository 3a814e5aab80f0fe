package server

import (
	"errors"
	"log/slog"
	"time"

	"rollcall/protocol"
	"rollcall/server/passwords"
)

// Config is what a server is told. The zero value of a field means its default.
type Config struct {
	// Listen is the address of the main listener, host:port. Default 127.0.0.1:7600.
	Listen string
	// OpsListen, if set, is the address that serves /metrics (and /healthz and
	// /readyz as well). Otherwise /metrics is on the main listener, for loopback
	// peers only.
	OpsListen string

	// TLSCert and TLSKey are PEM files; with both, the main listener speaks TLS
	// 1.2 or later.
	TLSCert, TLSKey string
	// AutocertDomains are the names for which certificates are fetched by ACME
	// (RFC 8555) instead, by the TLS-ALPN-01 challenge, and AutocertDir is where
	// they are kept.
	AutocertDomains []string
	AutocertDir     string

	// Key is the server key that clients show in core.init. Empty: the one whose
	// hash the store keeps, see Bootstrap.
	Key string
	// AutoScopes creates a scope that does not exist when a client names it.
	AutoScopes bool
	// RequirePasswordHash refuses passwords in the clear (801).
	RequirePasswordHash bool
	// Origins are patterns of hosts whose web pages may connect, besides the
	// server's own host.
	Origins []string

	// PublicURL is what links in mails begin with, such as https://accounts.example.com.
	// Default: http or https and the listener's address, which is good for this
	// machine only.
	PublicURL string
	// SMTP is the server that mail goes to, smtp://user:pass@host:587 (STARTTLS)
	// or smtps://user:pass@host (TLS). Without it mail goes to Outbox.
	SMTP string
	// Outbox is a folder that keeps mail as .eml files instead of sending it.
	// With neither, nothing that needs mail works (702).
	Outbox string
	// MailFrom is the sender of mail, where a client names none.
	MailFrom string
	// Templates is a folder of mail templates and pages; built-in ones are used
	// where it has none. See package mail and package pages.
	Templates string
	// MailLimit is how many mails one recipient gets within an hour. Default 5.
	MailLimit int

	// TokenKeys seal the access tokens that providers gave to users. The first
	// one seals, all open. Without one, access tokens are not kept (624).
	TokenKeys []string
	// PrivateIssuers allows OpenID Connect issuers at private addresses.
	PrivateIssuers bool
	// PrivateWebhooks allows webhooks at private addresses, and http there.
	PrivateWebhooks bool

	// Hash says how passwords are hashed: OWASP's Argon2id setting by default.
	Hash passwords.Params
	// HashWorkers is how many hashes run at once (default: the number of CPUs),
	// HashQueue how many more may wait (default 256) before clients are told 809.
	HashWorkers, HashQueue int
	// HashHelper, if set, starts the process that hashes, see
	// passwords.ServeHelper. Without it hashes are made in this process, where a
	// storm of them slows everybody down.
	HashHelper passwords.HelperCommand

	// PingInterval is how often an idle connection is pinged; a peer from which
	// nothing was heard for three of them is dropped. Default 25 s.
	PingInterval time.Duration
	// InitTimeout is how long a connection may live without its first message. Default 10 s.
	InitTimeout time.Duration
	// RequestTimeout bounds the work on one request. Default 10 s.
	RequestTimeout time.Duration
	// WriteTimeout bounds one write to a peer that does not read: it may take
	// between one and two of them. Default 10 s.
	WriteTimeout time.Duration
	// DrainTimeout is the time over which connections are closed at shutdown. Default 15 s.
	DrainTimeout time.Duration
	// AdminSessionTTL is how long an admin token is good for. Default 12 h.
	AdminSessionTTL time.Duration

	// OfflineGrace is how long a user whose last connection broke counts as
	// online, so that a reconnect does not flap. Default 5 s.
	OfflineGrace time.Duration
	// LimitLoopback holds peers of this machine to the limits by address too: the
	// lockout after wrong passwords. Otherwise they are exempt.
	LimitLoopback bool
	// MaxInFlight bounds the requests of one connection that are being worked
	// on; more are answered 807. Default 64.
	MaxInFlight int
	// MaxOutbound bounds the bytes that wait to be written to one connection.
	// Default 1 MiB.
	MaxOutbound int
	// MaxConnections bounds the open connections; beyond it a handshake gets 503.
	// Default: the process's open-file limit less 200.
	MaxConnections int

	// Node names this process among others on the same store, see CheckNode; no
	// two may have the same name at once. Default: random.
	Node string
	// Version is shown to admins.
	Version string
	// Settings are what this Config was made of, as admins are shown it, with no
	// secret in it.
	Settings []protocol.Setting
	// Logger is where the server logs. Default: slog.Default.
	Logger *slog.Logger
}

// CheckNode reports whether a name can be a node's: 1 to 64 letters, digits, dots,
// dashes and underscores. The name stands in records whose parts are separated by
// spaces.
func CheckNode(name string) error {
	ok := len(name) > 0 && len(name) <= 64
	for i := 0; ok && i < len(name); i++ {
		c := name[i]
		ok = c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '.' || c == '-' || c == '_'
	}
	if !ok {
		return errors.New("node: must be 1 to 64 letters, digits, dots, dashes and underscores")
	}
	return nil
}

func (c Config) withDefaults() Config {
	def := func(d *time.Duration, v time.Duration) {
		if *d <= 0 {
			*d = v
		}
	}
	num := func(n *int, v int) {
		if *n <= 0 {
			*n = v
		}
	}
	if c.Listen == "" {
		c.Listen = "127.0.0.1:7600"
	}
	def(&c.PingInterval, 25*time.Second)
	def(&c.InitTimeout, 10*time.Second)
	def(&c.RequestTimeout, 10*time.Second)
	def(&c.WriteTimeout, 10*time.Second)
	def(&c.DrainTimeout, 15*time.Second)
	def(&c.AdminSessionTTL, 12*time.Hour)
	def(&c.OfflineGrace, 5*time.Second)
	num(&c.MaxInFlight, 64)
	num(&c.MaxOutbound, 1<<20)
	num(&c.HashQueue, 256)
	num(&c.MailLimit, 5)
	num(&c.MaxConnections, maxOpenFiles()-200)
	if c.Hash == (passwords.Params{}) {
		c.Hash = passwords.OWASP
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	return c
}

func (c Config) hashing() passwords.Options {
	return passwords.Options{Params: c.Hash, Workers: c.HashWorkers, Queue: c.HashQueue, Helper: c.HashHelper, Logger: c.Logger}
}
