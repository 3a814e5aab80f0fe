package main

import (
	"context"

	"rollcall/protocol"
	"rollcall/protocol/client"
)

type scopeSet struct {
	scopeTarget
	outputFlags
	Sessions string `cli:"only" placeholder:"HOW" help:"How often a user may be connected: many or single."`

	Key      secret `cli:"only" xor:"key" placeholder:"KEY" help:"A server key of the scope's own. Others may see a command line: better --key-file."`
	KeyFile  string `cli:"only" xor:"key" placeholder:"FILE" help:"File that holds that key; - is standard input."`
	ClearKey bool   `cli:"only" xor:"key" help:"Go back to the server's key."`

	HideUnknown     *bool    `cli:"only" negatable:"" help:"Whether a login of an unknown user is answered as a wrong password."`
	Reauth          *bool    `cli:"only" negatable:"" help:"Whether changes of password and email ask for the current password."`
	ConfirmEmail    *bool    `cli:"only" negatable:"" help:"Whether a changed email address has to be confirmed."`
	FromEmail       []string `cli:"only" sep:"none" xor:"from" placeholder:"ADDRESS" help:"Sender that clients may name; the list takes the former one's place. May be repeated."`
	ClearFromEmails bool     `cli:"only" xor:"from" help:"Let clients name no sender."`

	Webhook           string   `cli:"only" xor:"hook" placeholder:"URL" help:"Where the scope's events are posted to."`
	WebhookEvent      []string `cli:"only" sep:"none" placeholder:"EVENT" help:"Event to post, such as user.login; all when absent. May be repeated."`
	WebhookSecret     secret   `cli:"only" xor:"hooksecret" placeholder:"SECRET" help:"What signs the posts; made and printed once when a new webhook has none. Better --webhook-secret-file."`
	WebhookSecretFile string   `cli:"only" xor:"hooksecret" placeholder:"FILE" help:"File that holds that secret; - is standard input."`
	ClearWebhook      bool     `cli:"only" xor:"hook" help:"Post no more events."`
}

// Help describes the command further.
func (scopeSet) Help() string {
	return "Only what is given changes. Prints the scope as it is then."
}

// params returns the change that the flags ask for.
func (ss *scopeSet) params(p Program) (protocol.ScopeParams, error) {
	params := protocol.ScopeParams{
		Name: ss.Name, Sessions: ss.Sessions,
		Options: protocol.ScopeOptions{HideUnknown: ss.HideUnknown, Reauth: ss.Reauth, ConfirmEmail: ss.ConfirmEmail, FromEmails: ss.FromEmail},
	}
	if ss.ClearFromEmails {
		params.Options.FromEmails = []string{}
	}
	key, err := secretOrFile(p, ss.Key, ss.KeyFile)
	switch {
	case err != nil:
		return params, err
	case key != "":
		params.Key = protocol.Set(key)
	case ss.ClearKey:
		params.Key = protocol.Clear()
	}
	signs, err := secretOrFile(p, ss.WebhookSecret, ss.WebhookSecretFile)
	switch {
	case err != nil:
		return params, err
	case ss.Webhook != "":
		params.Webhook = &protocol.WebhookConfig{URL: ss.Webhook, Secret: signs, Events: ss.WebhookEvent}
	case signs != "" || ss.WebhookEvent != nil:
		return params, usagef("--webhook-event and --webhook-secret go with --webhook URL, which replaces the former webhook")
	case ss.ClearWebhook:
		params.Webhook = &protocol.WebhookConfig{}
	}
	if err := protocol.AdminScopesUpdate.Validate(&params); err != nil {
		return params, usageError{err}
	}
	return params, nil
}

// changes reports whether any flag asks for a change.
func (ss *scopeSet) changes() bool {
	return ss.Sessions != "" || ss.Key != "" || ss.KeyFile != "" || ss.ClearKey ||
		ss.HideUnknown != nil || ss.Reauth != nil || ss.ConfirmEmail != nil || ss.FromEmail != nil || ss.ClearFromEmails ||
		ss.Webhook != "" || ss.ClearWebhook || ss.WebhookEvent != nil || ss.WebhookSecret != "" || ss.WebhookSecretFile != ""
}

// Run changes the scope.
func (ss *scopeSet) Run(ctx context.Context, p Program, s *settings) error {
	if !ss.changes() {
		return usagef("nothing to change: see rollcall scope set --help")
	}
	params, err := ss.params(p)
	if err != nil {
		return err
	}
	return ss.with(ctx, p, s, "change scope", func(ctx context.Context, c *client.Client) error {
		scope, err := client.Call(ctx, c, protocol.AdminScopesUpdate, params)
		if err != nil {
			return err
		}
		return printScope(p.Stdout, scope, ss.JSON)
	})
}

type scopeProvider struct {
	scopeTarget
	outputFlags
	Provider      string   `arg:"" help:"google, apple, facebook, openudid, or a name of your own for another OpenID Connect issuer."`
	Mode          string   `cli:"only" placeholder:"MODE" help:"verify (the default) asks for proof; trust believes the user's id alone."`
	Issuer        string   `cli:"only" placeholder:"URL" help:"URL of an OpenID Connect issuer, for a name of your own."`
	ClientID      []string `cli:"only" name:"client-id" sep:"none" placeholder:"ID" help:"Id of your app at the provider. May be repeated."`
	AppSecret     secret   `cli:"only" xor:"secret" placeholder:"SECRET" help:"Secret of your app at Facebook. Others may see a command line: better --app-secret-file."`
	AppSecretFile string   `cli:"only" xor:"secret" placeholder:"FILE" help:"File that holds that secret; - is standard input."`
	Remove        bool     `cli:"only" help:"Remove the provider."`
}

// Help describes the command further.
func (scopeProvider) Help() string {
	return "Replaces the provider's configuration as a whole: what is not given is not kept, the app secret neither. openudid needs none of the flags."
}

// params returns the change that the flags ask for.
func (sp *scopeProvider) params(p Program) (protocol.ScopeParams, error) {
	params := protocol.ScopeParams{Name: sp.Name, Providers: map[string]*protocol.ProviderConfig{sp.Provider: nil}}
	appSecret, err := secretOrFile(p, sp.AppSecret, sp.AppSecretFile)
	if err != nil {
		return params, err
	}
	given := sp.Mode != "" || sp.Issuer != "" || sp.ClientID != nil || appSecret != ""
	switch {
	case sp.Remove && given:
		return params, usagef("--remove goes with none of the other flags")
	case !sp.Remove && !given && sp.Provider != "openudid":
		return params, usagef("nothing to configure: see rollcall scope provider --help")
	case !sp.Remove:
		params.Providers[sp.Provider] = &protocol.ProviderConfig{Mode: sp.Mode, Issuer: sp.Issuer, ClientIDs: sp.ClientID, AppSecret: appSecret}
	}
	if err := protocol.AdminScopesUpdate.Validate(&params); err != nil {
		return params, usageError{err}
	}
	return params, nil
}

// Run configures the provider.
func (sp *scopeProvider) Run(ctx context.Context, p Program, s *settings) error {
	params, err := sp.params(p)
	if err != nil {
		return err
	}
	return sp.with(ctx, p, s, "configure provider", func(ctx context.Context, c *client.Client) error {
		scope, err := client.Call(ctx, c, protocol.AdminScopesUpdate, params)
		if err != nil {
			return err
		}
		return printScope(p.Stdout, scope, sp.JSON)
	})
}

// secretOrFile returns a secret that is given, or that a file holds.
func secretOrFile(p Program, value secret, file string) (string, error) {
	if file == "" {
		return string(value), nil
	}
	return readSecretFile(p, file)
}
