// Package oauth decides whether a client may call an identity of a provider its
// own: an OpenID Connect id_token, an access token of Facebook, or the secret
// that an openudid is.
//
// A [Verifier] asks issuers over the network, so a call of [Verifier.Verify] may
// take seconds and belongs on no reader. An issuer that is down or hangs costs
// those who name it and nobody else: there is one load of an issuer's keys at a
// time, everyone who needs it waits for that one, few may wait, nobody waits
// longer than [Options.Timeout], and a failure is remembered for some seconds.
//
// A [Sealer] encrypts the access tokens that are stored.
//
// Nothing here logs a token or an app's secret, or puts one in an error. The
// package keeps no identity and knows no user; that is the store's.
package oauth

import (
	"context"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"rollcall/protocol"
)

// Providers that are known by name. Every other name is an OpenID Connect
// issuer, and its configuration must say which.
const (
	Facebook = "facebook"
	Google   = "google"
	Apple    = "apple"
	OpenUDID = "openudid"
)

const defaultTimeout = 5 * time.Second

// A Proof is what a client shows: ClientID is the identity that it claims, the
// user's id at the provider, and one of the tokens proves it.
type Proof struct {
	ClientID    string
	IDToken     string
	AccessToken string
}

// Options is what a Verifier is told. The zero value of a field means its default.
type Options struct {
	// HTTPClient is how issuers are asked. Its transport is used as it is, so
	// whoever gives one guards its dialing himself; redirects are bounded all
	// the same. Default: a client without a proxy that connects to public
	// addresses only, and to loopback where an issuer's URL names loopback.
	HTTPClient *http.Client
	// Clock tells the time against which tokens and caches are held. Default: time.Now.
	Clock func() time.Time
	// Logger is told about issuers that fail and, at debug level, about refused
	// proofs. Default: slog.Default.
	Logger *slog.Logger
	// FacebookURL is where the Graph API is. Default: https://graph.facebook.com.
	FacebookURL string
	// Issuers are the issuers of providers whose configuration names none.
	// Default: those of Google and Apple.
	Issuers map[string]string
	// Timeout bounds one verification, whatever it has to ask. Default 5 s.
	Timeout time.Duration
	// AllowPrivateIssuers lets issuers have private addresses (RFC 1918, RFC
	// 4193, RFC 6598), as inside a company. Link-local ones, where clouds keep
	// their metadata, stay refused.
	AllowPrivateIssuers bool
}

// A Verifier checks proofs. It is safe for concurrent use; Close ends it.
type Verifier struct {
	// Static after construction.
	client   *http.Client // for issuers: follows few redirects
	graph    *http.Client // for Facebook: follows none, the URL holds the token
	clock    func() time.Time
	log      *slog.Logger
	facebook string
	issuers  map[string]string
	timeout  time.Duration
	private  bool
	ctx      context.Context // ends at Close
	cancel   context.CancelFunc
	loads    sync.WaitGroup // of the issuers' keys
	debug    debugEndpoint

	mu     sync.Mutex
	closed bool
	known  map[string]*issuer // by URL; guarded by mu
}

// New returns a Verifier. It asks nobody yet.
func New(o Options) *Verifier {
	v := &Verifier{
		clock: o.Clock, log: o.Logger, facebook: o.FacebookURL, issuers: o.Issuers,
		timeout: o.Timeout, private: o.AllowPrivateIssuers,
		known: make(map[string]*issuer),
		debug: debugEndpoint{slots: make(chan struct{}, maxDebugCalls)},
	}
	if v.clock == nil {
		v.clock = time.Now
	}
	if v.log == nil {
		v.log = slog.Default()
	}
	if v.facebook == "" {
		v.facebook = "https://graph.facebook.com"
	}
	if v.issuers == nil {
		v.issuers = map[string]string{Google: "https://accounts.google.com", Apple: "https://appleid.apple.com"}
	}
	if v.timeout <= 0 {
		v.timeout = defaultTimeout
	}
	v.client, v.graph = clients(o.HTTPClient, v.private, v.timeout)
	v.ctx, v.cancel = context.WithCancel(context.Background())
	return v
}

// Close ends what is being fetched, waits for it, and closes idle connections.
// A Verify that is under way, or comes later, may answer 815.
func (v *Verifier) Close() {
	v.mu.Lock()
	v.closed = true
	v.mu.Unlock()
	v.cancel()
	v.loads.Wait()
	v.client.CloseIdleConnections()
}

// Verify returns nil if the proof shows that the client owns the identity
// p.ClientID of the provider, and otherwise a *protocol.Error:
//
//	624 the configuration does not let the provider be used; the text says why
//	625 the proof was refused; the text says why, and holds nothing of the token
//	802 an openudid is too short to be a secret
//	804 client_id, or the token that the provider needs, is missing
//	815 the provider can't be asked now; temporary, with a time to wait
//
// The caller answers 624 itself where the scope has no entry for the provider:
// an empty cfg is enough for openudid. The scope is for the log alone.
//
// A provider in mode "trust" believes the client_id. An openudid must be long
// enough in either mode, since it is all that protects its user.
func (v *Verifier) Verify(ctx context.Context, scope, provider string, cfg protocol.ProviderConfig, p Proof) error {
	ctx, cancel := context.WithTimeout(ctx, v.timeout)
	defer cancel()
	if err := v.verify(ctx, provider, cfg, p); err != nil {
		v.log.Debug("provider proof not accepted", "scope", scope, "provider", provider, "status", int(err.Status), "reason", err.Text())
		return err
	}
	return nil
}

func (v *Verifier) verify(ctx context.Context, provider string, cfg protocol.ProviderConfig, p Proof) *protocol.Error {
	if err := v.check(provider, cfg); err != nil {
		return err
	}
	switch {
	case p.ClientID == "":
		return missing("client_id")
	case provider == OpenUDID:
		return checkOpenUDID(p.ClientID)
	case cfg.Mode == protocol.ProviderTrust:
		return nil
	case provider == Facebook:
		if p.AccessToken == "" {
			return missing("access_token")
		}
		return v.verifyFacebook(ctx, cfg, p)
	default:
		if p.IDToken == "" {
			return missing("id_token")
		}
		return v.verifyIDToken(ctx, v.issuerURL(provider, cfg), audiences(cfg), p)
	}
}

// Check reports, by a *protocol.Error of status 624, why a configuration does
// not let the provider be used. It asks nobody.
func (v *Verifier) Check(provider string, cfg protocol.ProviderConfig) error {
	if err := v.check(provider, cfg); err != nil {
		return err
	}
	return nil
}

func (v *Verifier) check(provider string, cfg protocol.ProviderConfig) *protocol.Error {
	switch {
	case provider == "":
		return notUsable("it has no name")
	case provider == OpenUDID, cfg.Mode == protocol.ProviderTrust:
		return nil
	case len(audiences(cfg)) == 0:
		return notUsable("no client_ids are configured")
	case provider == Facebook:
		if cfg.AppSecret == "" {
			return notUsable("no app_secret is configured")
		}
		if err := checkIssuerURL(v.facebook, v.private); err != nil {
			return notUsable("the address of Facebook's API " + err.Error())
		}
		return nil
	}
	issuer := v.issuerURL(provider, cfg)
	if issuer == "" {
		return notUsable("no issuer is configured")
	}
	if err := checkIssuerURL(issuer, v.private); err != nil {
		return notUsable("its issuer " + err.Error())
	}
	return nil
}

func (v *Verifier) issuerURL(provider string, cfg protocol.ProviderConfig) string {
	if cfg.Issuer != "" {
		return cfg.Issuer
	}
	return v.issuers[provider]
}

// audiences are the client_ids that are not empty: an empty one must match no token.
func audiences(cfg protocol.ProviderConfig) []string {
	var ids []string
	for _, id := range cfg.ClientIDs {
		if id != "" {
			ids = append(ids, id)
		}
	}
	return ids
}

func notUsable(why string) *protocol.Error {
	return protocol.Errorf(protocol.StatusProviderNotFound, "provider not usable: %s", why)
}

func rejected(why string) *protocol.Error {
	return protocol.Errorf(protocol.StatusProofRejected, "provider proof rejected: %s", why)
}

func missing(field string) *protocol.Error {
	return protocol.Errorf(protocol.StatusMissing, "%s: required parameter missing", field)
}

// unavailable says that the provider can't be asked, and when to try again.
func unavailable(wait time.Duration) *protocol.Error {
	return &protocol.Error{
		Status: protocol.StatusUnavailable, Message: "the provider can't be reached",
		Temporary: true, RetryAfter: max(wait, time.Second),
	}
}
