package server

import (
	"context"

	"rollcall/protocol"
	"rollcall/store"
)

func (s *Server) adminScopeRoutes() {
	handle(s, protocol.AdminScopesList, s.adminScopesList)
	handle(s, protocol.AdminScopesCreate, s.adminScopesCreate)
	handle(s, protocol.AdminScopesUpdate, s.adminScopesUpdate)
	handle(s, protocol.AdminScopesDelete, s.adminScopesDelete)
	handle(s, protocol.AdminScopesDeliveries, s.adminScopesDeliveries)
}

func (s *Server) adminScopesList(ctx context.Context, c *conn, _ *protocol.None) ([]protocol.Scope, error) {
	scopes, err := s.store.Scopes(ctx)
	if err != nil {
		return nil, err
	}
	list := make([]protocol.Scope, 0, len(scopes))
	for _, scope := range scopes {
		if c.admin.covers(scope.Name) {
			list = append(list, scopeObject(scope))
		}
	}
	return list, nil
}

func (s *Server) adminScopesCreate(ctx context.Context, c *conn, in *protocol.ScopeParams) (protocol.Scope, error) {
	if !c.admin.coversAll() {
		return protocol.Scope{}, &protocol.Error{Status: protocol.StatusNotPermitted}
	}
	scope := newScope(in.Name)
	if key, ok := in.Key.Value(); ok {
		scope.KeyHash = hashKey(key)
	}
	scope.Permissions, scope.Options = explicit(in.Permissions), in.Options
	if in.Sessions != "" {
		scope.Sessions = in.Sessions
	}
	scope.Providers = make(map[string]protocol.ProviderConfig, len(in.Providers))
	for name, config := range in.Providers {
		if config != nil {
			scope.Providers[name] = *config
		}
	}
	fresh, err := s.newWebhook(ctx, in.Name, in.Webhook)
	if err != nil {
		return protocol.Scope{}, err
	}
	if in.Webhook != nil && in.Webhook.URL != "" {
		scope.Webhook = &store.Webhook{WebhookConfig: *in.Webhook, Start: fresh.Start}
		if in.Webhook.Secret == "" {
			scope.Webhook.Secret = fresh.Secret
		}
	}
	scope, err = s.store.CreateScope(ctx, scope)
	if err != nil {
		return protocol.Scope{}, err
	}
	note(ctx, func(n *auditNote) { n.scope, n.target = in.Name, in.Name })
	s.scopes.put(scope)
	s.warnOfProviders(scope)
	return tellSecret(scopeObject(scope), scope, fresh.Secret), nil
}

func (s *Server) adminScopesUpdate(ctx context.Context, c *conn, in *protocol.ScopeParams) (protocol.Scope, error) {
	entry, err := s.scopeForAdmin(ctx, c, in.Name)
	if err != nil {
		return protocol.Scope{}, err
	}
	note(ctx, func(n *auditNote) { n.target = in.Name })
	fresh, err := s.newWebhook(ctx, in.Name, in.Webhook)
	if err != nil {
		return protocol.Scope{}, err
	}
	up := store.ScopeUpdate{
		ClearKey: in.Key.IsClear(), Permissions: in.Permissions, Providers: in.Providers,
		Sessions: in.Sessions, Options: in.Options, Webhook: in.Webhook, NewWebhook: fresh,
	}
	if key, ok := in.Key.Value(); ok {
		up.KeyHash = hashKey(key)
	}
	scope, err := s.scopes.change(entry, func() (store.Scope, error) { return s.store.UpdateScope(ctx, in.Name, up) })
	if err != nil {
		return protocol.Scope{}, err
	}
	s.warnOfProviders(scope)
	return tellSecret(scopeObject(scope), scope, fresh.Secret), nil
}

func (s *Server) adminScopesDelete(ctx context.Context, c *conn, in *protocol.ScopeRef) (bool, error) {
	entry, err := s.scopeForAdmin(ctx, c, in.Name)
	if err != nil {
		return false, err
	}
	note(ctx, func(n *auditNote) { n.scope, n.target = protocol.AllScopes, in.Name })
	err = s.scopes.remove(entry, func() error { return s.store.DeleteScope(ctx, in.Name) })
	return err == nil, err
}

// warnOfProviders tells the log of configurations by which nobody can sign in;
// those who try get 624.
func (s *Server) warnOfProviders(scope store.Scope) {
	for name, config := range scope.Providers {
		if err := s.oauth.Check(name, config); err != nil {
			s.log.Warn("a provider is configured but not usable", "scope", scope.Name, "provider", name, "error", err)
		}
	}
}

// explicit leaves out the permissions that say what holds anyway.
func explicit(permissions map[string]string) map[string]string {
	kept := make(map[string]string, len(permissions))
	for method, permit := range permissions {
		if permit != "" && permit != protocol.PermitSelf {
			kept[method] = permit
		}
	}
	return kept
}

// scopeObject is a scope as admins see it: no key, no provider's or webhook's
// secret.
func scopeObject(scope store.Scope) protocol.Scope {
	object := protocol.Scope{
		Name: scope.Name, CreatedAt: wireTime(scope.CreatedAt), HasKey: scope.KeyHash != nil,
		Permissions: explicit(scope.Permissions), Providers: make(map[string]protocol.ProviderConfig, len(scope.Providers)),
		Sessions: scope.Sessions, Options: scope.Options,
	}
	for name, config := range scope.Providers {
		config.AppSecret = ""
		object.Providers[name] = config
	}
	if w := scope.Webhook; w != nil {
		object.Webhook = &protocol.WebhookConfig{URL: w.URL, Events: w.Events}
	}
	return object
}
