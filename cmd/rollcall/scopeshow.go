package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"rollcall/protocol"
	"rollcall/protocol/client"
)

// scopeTarget is what the commands about one scope share.
type scopeTarget struct {
	connectFlags
	Name string `arg:"" help:"The scope."`
}

// with connects and runs do. doing begins the text of an error.
func (st *scopeTarget) with(ctx context.Context, p Program, s *settings, doing string, do func(ctx context.Context, c *client.Client) error) error {
	ctx, c, done, err := st.connect(ctx, p, s)
	if err != nil {
		return err
	}
	defer done()
	if err := do(ctx, c); err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	return nil
}

type scopeShow struct {
	scopeTarget
	outputFlags
}

// Run shows the scope.
func (sh *scopeShow) Run(ctx context.Context, p Program, s *settings) error {
	return sh.with(ctx, p, s, "show scope", func(ctx context.Context, c *client.Client) error {
		scope, err := findScope(ctx, c, sh.Name)
		if err != nil {
			return err
		}
		return printScope(p.Stdout, scope, sh.JSON)
	})
}

type scopeRemove struct {
	scopeTarget
	confirmFlags
}

// Help describes the command further.
func (scopeRemove) Help() string {
	return "Only a scope that has no users can be removed."
}

// Run removes the scope.
func (r *scopeRemove) Run(ctx context.Context, p Program, s *settings) error {
	params := protocol.ScopeRef{Name: r.Name}
	if err := protocol.AdminScopesDelete.Validate(&params); err != nil {
		return usageError{err}
	}
	if err := r.confirm(p, "scope", r.Name); err != nil {
		return err
	}
	return r.with(ctx, p, s, "remove scope", func(ctx context.Context, c *client.Client) error {
		if _, err := client.Call(ctx, c, protocol.AdminScopesDelete, params); err != nil {
			return err
		}
		_, err := fmt.Fprintf(p.Stdout, "removed %s\n", printable(r.Name))
		return err
	})
}

// printScope writes everything about one scope, a line for each thing.
func printScope(w io.Writer, scope protocol.Scope, asJSON bool) error {
	if asJSON {
		return printJSON(w, scope)
	}
	key := "the server's"
	if scope.HasKey {
		key = "its own"
	}
	o := scope.Options
	rows := [][]string{
		{"scope", scope.Name},
		{"created_at", timeText(scope.CreatedAt)},
		{"key", key},
		{"sessions", scope.Sessions},
		{"hide_unknown", isOn(o.HideUnknown)},
		{"reauth", isOn(o.Reauth)},
		{"confirm_email", isOn(o.ConfirmEmail)},
		{"from_emails", orDash(strings.Join(o.FromEmails, ", "))},
		{"permissions", changedPermissions(scope)},
	}
	for _, name := range slices.Sorted(maps.Keys(scope.Providers)) {
		rows = append(rows, []string{"provider " + name, providerText(scope.Providers[name])})
	}
	if hook := scope.Webhook; hook != nil {
		events := "all"
		if len(hook.Events) > 0 {
			events = strings.Join(hook.Events, ", ")
		}
		rows = append(rows, []string{"webhook", hook.URL}, []string{"webhook events", events})
	}
	if err := printTable(w, rows); err != nil {
		return err
	}
	if scope.Webhook != nil && scope.Webhook.Secret != "" {
		_, err := fmt.Fprintf(w, "secret of the webhook: %s  (shown once; keep it)\n", printable(scope.Webhook.Secret))
		return err
	}
	return nil
}

func isOn(option *bool) string { return yesNo(option != nil && *option) }

// providerText describes a provider's configuration; an app secret is never
// read back.
func providerText(config protocol.ProviderConfig) string {
	mode := config.Mode
	if mode == "" {
		mode = protocol.ProviderVerify
	}
	parts := []string{mode}
	if config.Issuer != "" {
		parts = append(parts, "issuer "+config.Issuer)
	}
	if len(config.ClientIDs) > 0 {
		parts = append(parts, "client ids "+strings.Join(config.ClientIDs, ", "))
	}
	return strings.Join(parts, "; ")
}
