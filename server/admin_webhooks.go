package server

import (
	"context"

	"rollcall/protocol"
	"rollcall/server/webhooks"
	"rollcall/store"
)

// newWebhook checks the webhook that an owner sets, and returns what one gets
// that is set up by it: a secret for where the owner names none, and its place.
func (s *Server) newWebhook(ctx context.Context, scope string, config *protocol.WebhookConfig) (store.NewWebhook, error) {
	if config == nil || config.URL == "" {
		return store.NewWebhook{}, nil
	}
	if err := webhooks.CheckURL(config.URL, s.cfg.PrivateWebhooks); err != nil {
		return store.NewWebhook{}, protocol.Errorf(protocol.StatusOutOfBounds, "webhook.url: %s", err)
	}
	head, err := s.webhooks.head(ctx, scope)
	return store.NewWebhook{Secret: randomSecret(), Start: head}, err
}

// tellSecret shows a webhook's secret to whom it was generated for.
func tellSecret(object protocol.Scope, scope store.Scope, generated string) protocol.Scope {
	if scope.Webhook != nil && generated != "" && scope.Webhook.Secret == generated {
		object.Webhook.Secret = generated
	}
	return object
}

func (s *Server) adminScopesDeliveries(ctx context.Context, c *conn, in *protocol.ScopeRef) (protocol.WebhookState, error) {
	if !c.admin.covers(in.Name) {
		return protocol.WebhookState{}, store.ErrScopeNotFound
	}
	// Not from the cache: the answer is about the webhook that is set now.
	scope, err := s.store.Scope(ctx, in.Name)
	if err != nil {
		return protocol.WebhookState{}, err
	}
	return s.store.WebhookState(ctx, in.Name, scope.Webhook)
}
