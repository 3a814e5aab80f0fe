package loadtest

import (
	"context"
	"fmt"
	"slices"

	"rollcall/protocol"
	"rollcall/protocol/client"
)

// setUp makes the scope where it is absent and returns an admin's token for the
// workers. Without admin credentials in the plan it does nothing: then the scope
// has to be there.
func setUp(ctx context.Context, p *Plan) (token string, err error) {
	if p.Admin == nil {
		return "", nil
	}
	u, err := socketURL(p.Servers[0])
	if err != nil {
		return "", err
	}
	c, err := client.Dial(ctx, u.String(), client.Options{Admin: p.Admin, NoReconnect: true})
	if err != nil {
		return "", fmt.Errorf("log in as an admin: %w", err)
	}
	defer c.Close()
	scopes, err := client.Call(ctx, c, protocol.AdminScopesList, protocol.None{})
	if err != nil {
		return "", err
	}
	i := slices.IndexFunc(scopes, func(s protocol.Scope) bool { return s.Name == p.Scope })
	if i < 0 {
		if role := c.Admin().Role; role != protocol.RoleOwner {
			return "", fmt.Errorf("scope %q does not exist, or not for admin %q, whose role %s makes none: an owner has to", p.Scope, c.Admin().Name, role)
		}
		_, err := client.Call(ctx, c, protocol.AdminScopesCreate, protocol.ScopeParams{
			Name: p.Scope, Providers: map[string]*protocol.ProviderConfig{provider: {}},
		})
		if err != nil {
			return "", fmt.Errorf("make scope %q: %w", p.Scope, err)
		}
		return c.Admin().Token, nil
	}
	if _, ok := scopes[i].Providers[provider]; !ok && p.hasPlayers() {
		return "", fmt.Errorf("scope %q allows no logins by %s: add that provider to it, or name a scope that does not exist, so that it is made", p.Scope, provider)
	}
	if scopes[i].Sessions == protocol.SessionsSingle && p.Weights[Passwords] > 0 {
		return "", fmt.Errorf("scope %q allows a user one session at a time; the scenario passwords logs in to the same users again and again", p.Scope)
	}
	return c.Admin().Token, nil
}
