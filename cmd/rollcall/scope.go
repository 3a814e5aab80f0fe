package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"rollcall/protocol"
	"rollcall/protocol/client"
)

type scopeCommands struct {
	Add         scopeAdd         `cmd:"" help:"Add a scope."`
	List        scopeList        `cmd:"" help:"List the scopes."`
	Show        scopeShow        `cmd:"" help:"Show everything about a scope."`
	Set         scopeSet         `cmd:"" help:"Change a scope's settings."`
	Permissions scopePermissions `cmd:"" help:"Show or change what clients of a scope may do."`
	Provider    scopeProvider    `cmd:"" help:"Configure a provider that a scope's users may log in by, or remove it."`
	Remove      scopeRemove      `cmd:"" help:"Remove a scope that has no users."`
}

type scopeAdd struct {
	connectFlags
	outputFlags
	Name       string   `arg:"" help:"Name: 1 to 64 bytes. It never changes."`
	Permission []string `cli:"only" sep:"none" placeholder:"METHOD=WHO" help:"Who may call a method: self, any or off. May be repeated."`
	Sessions   string   `cli:"only" default:"many" enum:"many,single" help:"How often a user may be connected: many or single."`
}

// Run adds the scope.
func (a *scopeAdd) Run(ctx context.Context, p Program, s *settings) error {
	permissions, err := parsePermissions(a.Permission)
	if err != nil {
		return err
	}
	params := protocol.ScopeParams{Name: a.Name, Permissions: permissions, Sessions: a.Sessions}
	if err := protocol.AdminScopesCreate.Validate(&params); err != nil {
		return usageError{err}
	}
	ctx, c, done, err := a.connect(ctx, p, s)
	if err != nil {
		return err
	}
	defer done()
	scope, err := client.Call(ctx, c, protocol.AdminScopesCreate, params)
	if err != nil {
		return fmt.Errorf("add scope: %w", err)
	}
	return printScopes(p.Stdout, []protocol.Scope{scope}, a.JSON)
}

type scopeList struct {
	connectFlags
	outputFlags
}

// Run lists the scopes.
func (l *scopeList) Run(ctx context.Context, p Program, s *settings) error {
	ctx, c, done, err := l.connect(ctx, p, s)
	if err != nil {
		return err
	}
	defer done()
	scopes, err := client.Call(ctx, c, protocol.AdminScopesList, protocol.None{})
	if err != nil {
		return fmt.Errorf("list scopes: %w", err)
	}
	return printScopes(p.Stdout, scopes, l.JSON)
}

type scopePermissions struct {
	connectFlags
	outputFlags
	Name   string   `arg:"" help:"The scope."`
	Change []string `arg:"" optional:"" placeholder:"METHOD=WHO" help:"METHOD=self, METHOD=any or METHOD=off, such as users.get=any."`
}

// Help describes the command further.
func (scopePermissions) Help() string {
	return "self: the user himself, or the connection that created him (the default). any: every client of the scope. off: nobody. Without a change it shows what holds."
}

// Run changes the permissions, if asked to, and shows them.
func (sp *scopePermissions) Run(ctx context.Context, p Program, s *settings) error {
	change, err := parsePermissions(sp.Change)
	if err != nil {
		return err
	}
	params := protocol.ScopeParams{Name: sp.Name, Permissions: change}
	if err := protocol.AdminScopesUpdate.Validate(&params); err != nil {
		return usageError{err}
	}
	ctx, c, done, err := sp.connect(ctx, p, s)
	if err != nil {
		return err
	}
	defer done()
	var scope protocol.Scope
	if len(change) > 0 {
		scope, err = client.Call(ctx, c, protocol.AdminScopesUpdate, params)
	} else {
		scope, err = findScope(ctx, c, sp.Name)
	}
	if err != nil {
		return fmt.Errorf("permissions of scope: %w", err)
	}
	if sp.JSON {
		return printJSON(p.Stdout, scope.Permissions)
	}
	return printPermissions(p.Stdout, scope)
}

func findScope(ctx context.Context, c *client.Client, name string) (protocol.Scope, error) {
	scopes, err := client.Call(ctx, c, protocol.AdminScopesList, protocol.None{})
	if err != nil {
		return protocol.Scope{}, err
	}
	for _, scope := range scopes {
		if scope.Name == name {
			return scope, nil
		}
	}
	return protocol.Scope{}, &protocol.Error{Status: protocol.StatusScopeNotFound}
}

// parsePermissions reads METHOD=WHO. Which methods and words there are is the
// protocol's to say.
func parsePermissions(list []string) (map[string]string, error) {
	if len(list) == 0 {
		return nil, nil
	}
	permissions := map[string]string{}
	for _, e := range list {
		method, who, ok := strings.Cut(e, "=")
		if !ok || method == "" || who == "" {
			return nil, usagef("permission %q: want METHOD=self, METHOD=any or METHOD=off", e)
		}
		if _, twice := permissions[method]; twice {
			return nil, usagef("permission %s: given twice", method)
		}
		permissions[method] = who
	}
	return permissions, nil
}

func printScopes(w io.Writer, scopes []protocol.Scope, asJSON bool) error {
	rows := [][]string{{"SCOPE", "CREATED", "KEY", "SESSIONS", "PERMISSIONS"}}
	for _, scope := range scopes {
		if asJSON {
			if err := printJSON(w, scope); err != nil {
				return err
			}
			continue
		}
		key := "server's"
		if scope.HasKey {
			key = "own"
		}
		rows = append(rows, []string{scope.Name, timeText(scope.CreatedAt), key, scope.Sessions, changedPermissions(scope)})
	}
	if asJSON {
		return nil
	}
	return printTable(w, rows)
}

// changedPermissions lists the permissions that differ from the default.
func changedPermissions(scope protocol.Scope) string {
	var list []string
	for _, m := range protocol.Messages() {
		if who := scope.Permissions[m.Type]; who != "" && who != protocol.PermitSelf {
			list = append(list, m.Type+"="+who)
		}
	}
	if list == nil {
		return "default"
	}
	return strings.Join(list, " ")
}

// printPermissions writes every method that a scope decides about.
func printPermissions(w io.Writer, scope protocol.Scope) error {
	rows := [][]string{{"METHOD", "WHO", "MEANING"}}
	for _, m := range protocol.Messages() {
		if m.Access != protocol.AccessKey && m.Access != protocol.AccessUser && m.Access != protocol.AccessSubject {
			continue
		}
		who := scope.Permissions[m.Type]
		if who == "" {
			who = protocol.PermitSelf
		}
		meaning := m.Access.String()
		switch who {
		case protocol.PermitAny:
			meaning = "any client of the scope"
		case protocol.PermitOff:
			meaning = "nobody"
		}
		rows = append(rows, []string{m.Type, who, meaning})
	}
	return printTable(w, rows)
}
