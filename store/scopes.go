package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/redis/go-redis/v9"

	"rollcall/protocol"
)

// A scope is a hash, one field a setting, so that changes of different settings
// don't undo one another:
//
//	ca            created_at, ms          o:hide_unknown  "1" or "0"
//	k             SHA-256 of its key      o:reauth        "1" or "0"
//	s             sessions policy         o:from_emails   JSON array
//	                                      o:confirm_email "1" or "0"
//	p:<method>    permission              v:<provider>    JSON of its configuration
//	w             JSON of its webhook     wi              when one was last set up, ms; absent: with the scope
const (
	scopeKeyHash     = "k"
	scopeSessions    = "s"
	scopePermission  = "p:"
	scopeProvider    = "v:"
	optionHide       = "o:hide_unknown"
	optionReauth     = "o:reauth"
	optionFromEmails = "o:from_emails"
	optionConfirm    = "o:confirm_email"
	scopeWebhook     = "w"
	scopeWebhookID   = "wi"
)

var (
	scriptCreateListed = newScript("create_listed")
	scriptChangeListed = newScript("change_listed")
	scriptDeleteListed = newScript("delete_listed")
)

// CreateScope creates a scope and tells every node. ErrScopeExists if the name
// is taken. Of a webhook it takes the configuration and the start.
func (s *Store) CreateScope(ctx context.Context, sc Scope) (Scope, error) {
	providers := make(map[string]*protocol.ProviderConfig, len(sc.Providers))
	for name, config := range sc.Providers {
		providers[name] = &config
	}
	change := ScopeUpdate{
		KeyHash: sc.KeyHash, Permissions: sc.Permissions, Providers: providers, Sessions: sc.Sessions, Options: sc.Options,
	}
	fields, err := change.fields()
	if err != nil {
		return Scope{}, fmt.Errorf("create scope: %w", err)
	}
	if sc.Webhook != nil {
		text, err := (*Webhook)(nil).changed(sc.Webhook.WebhookConfig, NewWebhook{Start: sc.Webhook.Start})
		if err != nil {
			return Scope{}, fmt.Errorf("create scope: %w", err)
		}
		fields = append(fields, scopeWebhook, text)
	}
	set := fields[:0]
	for i := 0; i < len(fields); i += 2 {
		if fields[i+1] != "" {
			set = append(set, fields[i], fields[i+1])
		}
	}
	tell := scopeEffect(sc.Name)
	keys := []string{scopeKey(sc.Name), scopeNamesKey, opKey(scopesTag, randomID()), outboxKey(scopesTag)}
	r, err := s.runReply(ctx, scriptCreateListed, keys, append([]any{sc.Name, opTTL.Milliseconds(), tell.id, tell.String()}, set...)...)
	if err == nil && r.int(0) == 0 {
		err = ErrScopeExists
	}
	return s.changedScope(ctx, "create scope", sc.Name, r, tell, err)
}

// UpdateScope changes a scope's settings, each by itself, and tells every node.
// ErrScopeNotFound, or ErrConflict when others kept changing its webhook.
func (s *Store) UpdateScope(ctx context.Context, name string, u ScopeUpdate) (Scope, error) {
	fields, err := u.fields()
	if err != nil {
		return Scope{}, fmt.Errorf("update scope: %w", err)
	}
	tell := scopeEffect(name)
	var r reply
	if u.Webhook != nil {
		r, err = s.changeWebhook(ctx, name, u, tell, fields)
	} else {
		r, err = s.runReply(ctx, scriptChangeListed, []string{scopeKey(name), outboxKey(scopesTag)},
			append([]any{tell.id, tell.String()}, fields...)...)
	}
	if err == nil && r.int(0) == 0 {
		err = ErrScopeNotFound
	}
	return s.changedScope(ctx, "update scope", name, r, tell, err)
}

// changedScope finishes a change whose script replied r.
func (s *Store) changedScope(ctx context.Context, doing, name string, r reply, tell effect, err error) (Scope, error) {
	if err != nil {
		return Scope{}, fmt.Errorf("%s: %w", doing, err)
	}
	s.finish(ctx, outboxKey(scopesTag), tell)
	sc, err := decodeScope(name, r.texts(1))
	if err != nil {
		return Scope{}, fmt.Errorf("%s: %w", doing, err)
	}
	return sc, nil
}

func scopeEffect(name string) effect { return signalEffect(Signal{Kind: SignalScope, Scope: name}) }

// Scope returns a scope's definition, or ErrScopeNotFound.
func (s *Store) Scope(ctx context.Context, name string) (Scope, error) {
	cmd := scopeCmd(ctx, name)
	err := s.do(ctx, cmd)
	if err == nil {
		var sc Scope
		if sc, err = decodeScope(name, cmd.Val()); err == nil {
			return sc, nil
		}
	}
	return Scope{}, fmt.Errorf("read scope: %w", err)
}

func scopeCmd(ctx context.Context, name string) *redis.StringSliceCmd {
	return redis.NewStringSliceCmd(ctx, "hgetall", scopeKey(name))
}

// Scopes returns all scopes by name.
func (s *Store) Scopes(ctx context.Context) ([]Scope, error) {
	names, err := s.listed(ctx, scopeNamesKey)
	if err != nil {
		return nil, fmt.Errorf("list scopes: %w", err)
	}
	cmds := make([]redis.Cmder, len(names))
	for i, name := range names {
		cmds[i] = scopeCmd(ctx, name)
	}
	if err := s.doAll(ctx, cmds...); err != nil {
		return nil, fmt.Errorf("list scopes: %w", err)
	}
	all := make([]Scope, 0, len(names))
	for i, name := range names {
		sc, err := decodeScope(name, cmds[i].(*redis.StringSliceCmd).Val())
		if errors.Is(err, ErrScopeNotFound) {
			continue // deleted just now
		}
		if err != nil {
			return nil, fmt.Errorf("list scopes: %w", err)
		}
		all = append(all, sc)
	}
	return all, nil
}

// listed returns the members of a set of names, sorted.
func (s *Store) listed(ctx context.Context, key string) ([]string, error) {
	cmd := redis.NewStringSliceCmd(ctx, "smembers", key)
	if err := s.do(ctx, cmd); err != nil {
		return nil, err
	}
	names := cmd.Val()
	slices.Sort(names)
	return names, nil
}

// DeleteScope deletes a scope that has no users, else ErrScopeNotEmpty, and
// tells every node. A create that is under way on a node meanwhile may still
// succeed; its user is there again if the scope is ever created anew.
func (s *Store) DeleteScope(ctx context.Context, name string) error {
	if _, err := s.Scope(ctx, name); err != nil {
		return fmt.Errorf("delete scope: %w", err)
	}
	users, err := s.CountUsers(ctx, name)
	if err != nil {
		return fmt.Errorf("delete scope: %w", err)
	}
	if users > 0 {
		return fmt.Errorf("delete scope: %w", ErrScopeNotEmpty)
	}
	tell := scopeEffect(name)
	keys := []string{scopeKey(name), scopeNamesKey, opKey(scopesTag, randomID()), outboxKey(scopesTag)}
	n, err := s.run(ctx, scriptDeleteListed, keys, name, opTTL.Milliseconds(), tell.id, tell.String())
	if err != nil {
		return fmt.Errorf("delete scope: %w", err)
	}
	if n != int64(1) {
		return fmt.Errorf("delete scope: %w", ErrScopeNotFound)
	}
	s.finish(ctx, outboxKey(scopesTag), tell)
	return nil
}

// fields returns what changes as field, value, … in which an empty value
// removes the field.
func (u *ScopeUpdate) fields() ([]any, error) {
	var f []any
	switch {
	case u.ClearKey:
		f = append(f, scopeKeyHash, "")
	case u.KeyHash != nil:
		f = append(f, scopeKeyHash, string(u.KeyHash))
	}
	if u.Sessions != "" {
		f = append(f, scopeSessions, u.Sessions)
	}
	for method, permit := range u.Permissions {
		if permit == protocol.PermitSelf {
			permit = ""
		}
		f = append(f, scopePermission+method, permit)
	}
	for name, config := range u.Providers {
		text := ""
		if config != nil {
			b, err := json.Marshal(config)
			if err != nil {
				return nil, err
			}
			text = string(b)
		}
		f = append(f, scopeProvider+name, text)
	}
	if b := u.Options.HideUnknown; b != nil {
		f = append(f, optionHide, flag(*b))
	}
	if b := u.Options.Reauth; b != nil {
		f = append(f, optionReauth, flag(*b))
	}
	if b := u.Options.ConfirmEmail; b != nil {
		f = append(f, optionConfirm, flag(*b))
	}
	if u.Options.FromEmails != nil {
		b, err := json.Marshal(u.Options.FromEmails)
		if err != nil {
			return nil, err
		}
		f = append(f, optionFromEmails, string(b))
	}
	return f, nil
}

// decodeScope makes a scope of its hash, field, value, …
func decodeScope(name string, flat []string) (Scope, error) {
	sc := Scope{Name: name, Permissions: map[string]string{}, Providers: map[string]protocol.ProviderConfig{}}
	if len(flat) == 0 {
		return Scope{}, ErrScopeNotFound
	}
	webhookSetUp := ""
	for i := 0; i+1 < len(flat); i += 2 {
		if flat[i] == scopeWebhookID {
			webhookSetUp = flat[i+1]
			continue
		}
		if err := sc.set(flat[i], flat[i+1]); err != nil {
			return Scope{}, fmt.Errorf("stored scope is malformed: %w", err)
		}
	}
	if sc.Webhook == nil {
		return sc, nil
	}
	sc.Webhook.SetUp = sc.CreatedAt
	if webhookSetUp != "" {
		var err error
		if sc.Webhook.SetUp, err = parseMillis(webhookSetUp); err != nil {
			return Scope{}, fmt.Errorf("stored scope is malformed: %w", err)
		}
	}
	return sc, nil
}

func (sc *Scope) set(field, value string) (err error) {
	switch field {
	case fieldCreatedAt:
		sc.CreatedAt, err = parseMillis(value)
	case scopeKeyHash:
		sc.KeyHash = []byte(value)
	case scopeSessions:
		sc.Sessions = value
	case optionHide:
		sc.Options.HideUnknown = new(value == "1")
	case optionReauth:
		sc.Options.Reauth = new(value == "1")
	case optionConfirm:
		sc.Options.ConfirmEmail = new(value == "1")
	case scopeWebhook:
		sc.Webhook = new(Webhook)
		if json.Unmarshal([]byte(value), sc.Webhook) != nil {
			err = errors.New("webhook") // whose secret an error might quote
		}
	case optionFromEmails:
		err = json.Unmarshal([]byte(value), &sc.Options.FromEmails)
	default:
		if method, ok := strings.CutPrefix(field, scopePermission); ok {
			sc.Permissions[method] = value
		} else if provider, ok := strings.CutPrefix(field, scopeProvider); ok {
			var config protocol.ProviderConfig
			err = json.Unmarshal([]byte(value), &config)
			sc.Providers[provider] = config
		}
	}
	return err
}
