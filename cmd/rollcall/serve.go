package main

import (
	"context"
	"fmt"
	"log/slog"
	"net/url"
	"runtime"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"rollcall/protocol"
	"rollcall/server"
	"rollcall/server/passwords"
	"rollcall/store"
)

// serveCommand runs a server. Its flags are the settings of the README's table,
// which a test compares with them.
type serveCommand struct {
	Listen      string `default:"127.0.0.1:7600" placeholder:"ADDR" help:"Address to listen on, host:port."`
	OpsListen   string `placeholder:"ADDR" help:"Address for /metrics, /healthz and /readyz. Without it /metrics is on the main address, for loopback peers only."`
	DebugListen string `placeholder:"ADDR" help:"Loopback address for Go's profiles (/debug/pprof/). Off when absent."`

	Redis     secret `placeholder:"URL" help:"Storage: redis://, rediss://, redis+sentinel:// or redis+cluster://. Without it the embedded store is used."`
	RedisFile string `placeholder:"FILE" help:"File that holds the storage URL."`
	Data      string `placeholder:"FILE" help:"Snapshot file of the embedded store. Without it nothing outlives the process."`

	Key               secret   `help:"Server key that clients show in core.init. Generated and printed at the first start when absent."`
	KeyFile           string   `placeholder:"FILE" help:"File that holds the server key."`
	AdminPassword     secret   `placeholder:"PASSWORD" help:"Password of the account admin, where that account does not exist yet. Generated and printed at the first start when absent."`
	AdminPasswordFile string   `placeholder:"FILE" help:"File that holds the admin password."`
	Scope             []string `sep:"none" placeholder:"NAME" help:"Scope that must exist; created if need be. May be repeated."`
	AutoScopes        *bool    `negatable:"" help:"Create a scope when a client names it. By default with the embedded store only."`

	RequirePasswordHash bool     `help:"Refuse passwords in the clear (801)."`
	Origin              []string `sep:"none" placeholder:"PATTERN" help:"Host whose web pages may connect, besides the server's own; * stands for any part. May be repeated."`

	TLSCert     string   `name:"tls-cert" placeholder:"FILE" help:"PEM file with the certificate chain. With it the main address speaks TLS 1.2 or later."`
	TLSKey      string   `name:"tls-key" placeholder:"FILE" help:"PEM file with the certificate's private key."`
	Autocert    []string `sep:"none" placeholder:"DOMAIN" help:"Domain to fetch a certificate for by ACME. May be repeated."`
	AutocertDir string   `placeholder:"DIR" help:"Folder where those certificates are kept."`

	SMTP      secret `name:"smtp" placeholder:"URL" help:"Mail server: smtp://user:pass@host:587 (STARTTLS) or smtps://user:pass@host (TLS). Without it mail is kept in the outbox."`
	SMTPFile  string `name:"smtp-file" placeholder:"FILE" help:"File that holds the mail server's URL."`
	MailFrom  string `placeholder:"ADDRESS" help:"Sender of mail where a client names none. Needed with smtp."`
	Outbox    string `default:"outbox" placeholder:"DIR" help:"Folder that keeps mail as .eml files when there is no mail server. Nobody is mailed then."`
	Templates string `placeholder:"DIR" help:"Folder with mail templates (registration, password) and pages. Built-in ones are used where it has none."`
	MailLimit int    `default:"5" placeholder:"N" help:"Mails that one recipient gets within an hour."`
	PublicURL string `placeholder:"URL" help:"What links in mails begin with, such as https://accounts.example.com. Without it links lead to this machine."`

	TokenKey       secret `placeholder:"KEYS" help:"Keys that seal the access tokens of providers: 32 bytes as hex or base64, or a phrase of 16 characters or more; several are parted by commas, the first one seals. Without one access tokens are not kept."`
	TokenKeyFile   string `placeholder:"FILE" help:"File that holds those keys."`
	PrivateIssuers bool   `help:"Allow OpenID Connect issuers at private addresses."`

	PrivateWebhooks bool `help:"Allow webhooks at private addresses, and http there."`

	HashMemory  uint32 `default:"19456" placeholder:"KIB" help:"Memory of one password hash (Argon2id), in KiB."`
	HashTime    uint32 `default:"2" placeholder:"N" help:"Passes of one password hash."`
	HashThreads uint8  `default:"1" placeholder:"N" help:"Lanes of one password hash."`
	HashWorkers int    `default:"0" placeholder:"N" help:"Password hashes made at once; 0 is the number of CPUs."`
	HashQueue   int    `default:"256" placeholder:"N" help:"Password hashes that may wait; more are answered 809."`
	HashHelper  bool   `default:"true" negatable:"" help:"Hash passwords in a process of its own, at the lowest priority, which is the first to go where memory runs out."`

	MaxConnections int           `default:"0" placeholder:"N" help:"Open connections; more get HTTP 503. 0 is the limit of open files less 200."`
	MaxInFlight    int           `default:"64" placeholder:"N" help:"Requests of one connection being worked on; more are answered 807."`
	LimitLoopback  bool          `help:"Hold peers of this machine to the limits by address too, such as the lockout after wrong passwords."`
	MaxOutbound    int           `default:"1048576" placeholder:"BYTES" help:"Bytes that may wait to be written to one connection."`
	PingInterval   time.Duration `default:"25s" help:"Time between pings of an idle connection; it is dropped after three without a sign of life."`
	InitTimeout    time.Duration `default:"10s" help:"Time a connection has for its first message."`
	RequestTimeout time.Duration `default:"10s" help:"Time the work on one request may take."`
	WriteTimeout   time.Duration `default:"10s" help:"Time one write to a connection may take; up to twice that when it was busy before."`
	DrainTimeout   time.Duration `default:"15s" help:"Time over which connections are closed when the server ends."`

	OfflineGrace time.Duration `default:"5s" help:"Time for which a user whose last connection broke still counts as online."`
	FeedEvents   int           `default:"100000" placeholder:"N" help:"Events that a scope's feed keeps for 7 days. Those of the last 15 minutes are kept in any case."`
	FeedBytes    int           `default:"67108864" placeholder:"BYTES" help:"Bytes that a scope's feed keeps at most."`
	FeedWait     int           `default:"0" placeholder:"N" help:"Redis replicas that must have an event before its login is answered."`

	SessionTTL      time.Duration `name:"session-ttl" default:"720h" help:"How long a session token is good after its last use."`
	AdminSessionTTL time.Duration `name:"admin-session-ttl" default:"12h" help:"How long an admin's token is good."`

	Node      string `placeholder:"NAME" help:"Name of this process among others on the same storage. Random when absent."`
	LogFormat string `default:"text" enum:"text,json" help:"Form of the log on stderr: text or json."`
	LogLevel  string `default:"info" enum:"debug,info,warn,error" help:"Least level that is logged: debug, info, warn or error."`

	CPUProfile  string `name:"cpuprofile" cli:"only" placeholder:"FILE" help:"Write a CPU profile of the whole run."`
	PrintConfig bool   `cli:"only" help:"Print the effective configuration as YAML, secrets masked, with where each value came from, and end."`
}

// Run serves until ctx ends, then drains.
func (c *serveCommand) Run(ctx context.Context, p Program, s *settings, parsed *kong.Context) error {
	if err := c.complete(s); err != nil {
		return err
	}
	shown, err := s.effective(parsed.Selected())
	if err != nil {
		return err
	}
	if c.PrintConfig {
		return printConfig(p.Stdout, shown)
	}
	log := c.logger(p)
	stopProfile, err := profileCPU(c.CPUProfile)
	if err != nil {
		return err
	}
	if err := c.run(ctx, p, log, shown); err != nil {
		_ = stopProfile()
		return err
	}
	return stopProfile()
}

// run opens the store and serves on it.
func (c *serveCommand) run(ctx context.Context, p Program, log *slog.Logger, shown []protocol.Setting) error {
	if c.DebugListen != "" {
		stop, err := listenForDebug(c.DebugListen, log)
		if err != nil {
			return err
		}
		defer stop()
	}
	if !c.HashHelper {
		p.Self = ""
	}
	if _, set := p.Env("GOMAXPROCS"); !set && p.Self == "" {
		defer makeRoomForHashes(c.HashWorkers)()
	}
	memory := planMemory(cgroupMemory(log), int64(c.HashMemory)<<10, c.HashWorkers, p.Self != "")
	if _, set := p.Env("GOMEMLIMIT"); !set {
		defer memory.limitServer(log)()
	}

	st, err := store.Open(ctx, store.Config{
		URL:        string(c.Redis),
		DataFile:   c.Data,
		SessionTTL: c.SessionTTL,
		FeedEvents: c.FeedEvents,
		FeedBytes:  c.FeedBytes,
		FeedWait:   c.FeedWait,
		Logger:     log,
	})
	if err != nil {
		return err
	}
	config := c.config(log)
	config.Settings, config.HashHelper = shown, p.helperCommand(memory.hashes)
	err = c.serve(ctx, p, st, config)
	if closeErr := st.Close(); err == nil && closeErr != nil {
		err = fmt.Errorf("close store: %w", closeErr)
	}
	return err
}

func (c *serveCommand) serve(ctx context.Context, p Program, st *store.Store, config server.Config) error {
	log := config.Logger
	if st.Embedded() {
		c.tellAboutEmbedded(log)
	}
	srv, err := server.New(config, st)
	if err != nil {
		return err
	}
	defer srv.Close()
	if c.SMTP == "" {
		log.Warn("no mail server: mail is kept as files and reaches nobody", "outbox", c.Outbox)
	}
	generated, err := srv.Bootstrap(ctx, server.BootstrapOptions{
		AdminPassword: string(c.AdminPassword),
		Scopes:        c.Scope,
	})
	if err != nil {
		return fmt.Errorf("first start: %w", err)
	}
	// Once, to whoever started the server, and never to the log.
	if generated.Key != "" {
		fmt.Fprintf(p.Stderr, "server key: %s  (shown once; keep it)\n", generated.Key)
	}
	if generated.AdminPassword != "" {
		fmt.Fprintf(p.Stderr, "password of admin: %s  (shown once; keep it)\n", generated.AdminPassword)
	}
	return srv.Serve(ctx)
}

// complete reads the secrets, fills in what depends on other settings and holds
// the settings against each other.
func (c *serveCommand) complete(s *settings) error {
	var err error
	if c.Redis, err = s.secret("redis", c.Redis, c.RedisFile); err != nil {
		return err
	}
	if c.Key, err = s.secret("key", c.Key, c.KeyFile); err != nil {
		return err
	}
	if c.AdminPassword, err = s.secret("admin-password", c.AdminPassword, c.AdminPasswordFile); err != nil {
		return err
	}
	if c.SMTP, err = s.secret("smtp", c.SMTP, c.SMTPFile); err != nil {
		return err
	}
	if c.TokenKey, err = s.secret("token-key", c.TokenKey, c.TokenKeyFile); err != nil {
		return err
	}
	if c.AutoScopes == nil {
		embedded := c.Redis == ""
		c.AutoScopes = &embedded
	}
	if c.HashWorkers <= 0 {
		c.HashWorkers = runtime.NumCPU()
	}
	return c.check()
}

func (c *serveCommand) check() error {
	if c.Redis != "" {
		if err := store.CheckURL(string(c.Redis)); err != nil {
			return usagef("redis: %w", err)
		}
		if c.Data != "" {
			return usagef("data is for the embedded store, and redis is set: leave one out")
		}
	}
	if c.DebugListen != "" {
		if err := checkDebugListen(c.DebugListen); err != nil {
			return err
		}
	}
	if (c.TLSCert == "") != (c.TLSKey == "") {
		return usagef("tls-cert and tls-key belong together")
	}
	if len(c.Autocert) > 0 && c.TLSCert != "" {
		return usagef("autocert fetches a certificate, and tls-cert is one: leave one out")
	}
	if len(c.Autocert) > 0 && c.AutocertDir == "" {
		return usagef("autocert needs autocert-dir, where the certificates are kept")
	}
	if err := c.hash().Check(); err != nil {
		return usagef("hash-memory, hash-time, hash-threads: %w", err)
	}
	// A key that breaks the rule could be shown by no client.
	if c.Key != "" {
		if err := protocol.Check("token", "key", string(c.Key)); err != nil {
			return usageError{err}
		}
	}
	if c.SMTP != "" && c.MailFrom == "" {
		return usagef("smtp needs mail-from, the sender of mail")
	}
	if c.PublicURL != "" {
		u, err := url.Parse(c.PublicURL)
		if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" {
			return usagef("public-url is https:// or http:// and a host, without a path")
		}
	}
	if c.AdminPassword != "" {
		if err := protocol.Check("password", "admin-password", string(c.AdminPassword)); err != nil {
			return usageError{err}
		}
	}
	if c.Node != "" {
		if err := server.CheckNode(c.Node); err != nil {
			return usageError{err}
		}
	}
	for _, name := range c.Scope {
		if err := protocol.AdminScopesCreate.Validate(&protocol.ScopeParams{Name: name}); err != nil {
			return usagef("scope %q: %w", name, err)
		}
	}
	return nil
}

func (c *serveCommand) hash() passwords.Params {
	return passwords.Params{Memory: c.HashMemory, Time: c.HashTime, Threads: c.HashThreads}
}

// tokenKeys parts the keys.
func (c *serveCommand) tokenKeys() []string {
	if c.TokenKey == "" {
		return nil
	}
	return strings.Split(string(c.TokenKey), ",")
}

func (c *serveCommand) config(log *slog.Logger) server.Config {
	return server.Config{
		Listen:              c.Listen,
		OpsListen:           c.OpsListen,
		TLSCert:             c.TLSCert,
		TLSKey:              c.TLSKey,
		AutocertDomains:     c.Autocert,
		AutocertDir:         c.AutocertDir,
		Key:                 string(c.Key),
		AutoScopes:          *c.AutoScopes,
		RequirePasswordHash: c.RequirePasswordHash,
		Origins:             c.Origin,
		PublicURL:           c.PublicURL,
		SMTP:                string(c.SMTP),
		Outbox:              c.Outbox,
		MailFrom:            c.MailFrom,
		Templates:           c.Templates,
		MailLimit:           c.MailLimit,
		TokenKeys:           c.tokenKeys(),
		PrivateIssuers:      c.PrivateIssuers,
		PrivateWebhooks:     c.PrivateWebhooks,
		Hash:                c.hash(),
		HashWorkers:         c.HashWorkers,
		HashQueue:           c.HashQueue,
		PingInterval:        c.PingInterval,
		InitTimeout:         c.InitTimeout,
		RequestTimeout:      c.RequestTimeout,
		WriteTimeout:        c.WriteTimeout,
		DrainTimeout:        c.DrainTimeout,
		OfflineGrace:        c.OfflineGrace,
		AdminSessionTTL:     c.AdminSessionTTL,
		LimitLoopback:       c.LimitLoopback,
		MaxInFlight:         c.MaxInFlight,
		MaxOutbound:         c.MaxOutbound,
		MaxConnections:      c.MaxConnections,
		Node:                c.Node,
		Version:             version(),
		Logger:              log,
	}
}

// logger returns a log on stderr, in the form that was asked for.
func (c *serveCommand) logger(p Program) *slog.Logger {
	var level slog.Level
	_ = level.UnmarshalText([]byte(c.LogLevel)) // an enum, checked before
	opts := &slog.HandlerOptions{Level: level}
	if c.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(p.Stderr, opts))
	}
	return slog.New(slog.NewTextHandler(p.Stderr, opts))
}

func (c *serveCommand) tellAboutEmbedded(log *slog.Logger) {
	const use = "embedded store: for trying it out and for tests, up to about ten thousand users"
	if c.Data == "" {
		log.Warn(use, "kept", "nothing outlives this process; --data FILE keeps it, --redis URL is for production")
		return
	}
	log.Warn(use, "kept", "a clean stop loses nothing, a crash what came after the last snapshot; --redis URL is for production", "data", c.Data)
}

// makeRoomForHashes lets the Go scheduler run that many more threads at once
// than there are CPUs, and returns what undoes it. Hashes run on threads of
// their own that the operating system ranks lowest; without the room they would
// keep everything else from the scheduler's places.
func makeRoomForHashes(workers int) (undo func()) {
	runtime.SetDefaultGOMAXPROCS()
	runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + workers)
	return runtime.SetDefaultGOMAXPROCS
}
