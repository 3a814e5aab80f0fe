package server

import (
	"context"
	"errors"

	"rollcall/protocol"
	"rollcall/server/webhooks"
	"rollcall/store"
)

// scopeWebhooks keeps a deliverer told of the webhooks of all scopes, also of
// those that no client of this node has named.
type scopeWebhooks struct {
	*webhooks.Deliverer
	feed  webhooks.Feed
	store *store.Store
	*scopeWatch
}

// deliverWebhooks starts a deliverer of a feed. It has no webhooks before run
// has read them, and must be closed.
func (s *Server) deliverWebhooks(feed webhooks.Feed) *scopeWebhooks {
	w := &scopeWebhooks{
		Deliverer: webhooks.New(feed, s.store, webhooks.Options{
			Owner:     s.cfg.Node,
			Private:   s.cfg.PrivateWebhooks,
			Delivered: func(outcome string) { s.metrics.webhooks.WithLabelValues(outcome).Inc() },
			Logger:    s.log,
		}),
		feed: feed, store: s.store,
	}
	w.scopeWatch = newScopeWatch("webhooks", s.log, w.read)
	return w
}

// read tells the deliverer of one scope, or of all.
func (w *scopeWebhooks) read(ctx context.Context, name string) error {
	if name != "" {
		scope, err := w.store.Scope(ctx, name)
		if err != nil && !errors.Is(err, store.ErrScopeNotFound) {
			return err
		}
		w.Set(name, scope.Webhook)
		return nil
	}
	scopes, err := w.store.Scopes(ctx)
	if err != nil {
		return err
	}
	gone := make(map[string]bool)
	for _, name := range w.Scopes() {
		gone[name] = true
	}
	for _, scope := range scopes {
		delete(gone, scope.Name)
		w.Set(scope.Name, scope.Webhook)
	}
	for name := range gone {
		w.Set(name, nil)
	}
	return nil
}

// head is where a webhook begins that is set up now; nil where that is not known.
func (w *scopeWebhooks) head(ctx context.Context, scope string) (*protocol.FeedPosition, error) {
	head, err := w.feed.Head(ctx, scope)
	return &head, err
}

func (w *scopeWebhooks) failing() float64 {
	return float64(w.Failing())
}

func (w *scopeWebhooks) close(ctx context.Context) {
	w.Close(ctx)
}
