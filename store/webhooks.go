package store

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/redis/go-redis/v9"

	"rollcall/protocol"
)

// A webhook's configuration is a field of its scope; how far it has come is a
// hash beside the scope's feed, so that whichever node delivers goes on where
// the last one stopped:
//
//	id  when the webhook was set up, ms: a later one begins anew
//	o   owner, the node that delivers; u  until when, ms
//	sq, ep, ev  the place: seq, epoch and event id of the last event that is done with
//	r   revision of the configuration that was last tried; what follows holds for it alone
//	f   failures in a row      b   when the next attempt is due, ms
//	be  end (seq) of the batch that failed, so that it is tried again as it was
//	pa  "1": paused
//	op  the last step, so that its repetition is answered and not done
//	l   the last attempts, newest first, a line each: "<ms> <HTTP status> <events> <ms it took> <error>"

// WebhookAttempts is how many attempts of a webhook are kept.
const WebhookAttempts = 20

var (
	scriptChangeWebhook = newScript("change_webhook")
	scriptHookClaim     = newScript("hook_claim")
	scriptHookAdvance   = newScript("hook_advance")
	scriptHookRelease   = newScript("hook_release")
)

// A Webhook is a scope's webhook.
type Webhook struct {
	protocol.WebhookConfig
	// Rev is another one each time that the webhook is set.
	Rev string `json:"rev"`
	// Start is where the feed was when the webhook was set up; nil if that is
	// not known.
	Start *protocol.FeedPosition `json:"start,omitzero"`
	// SetUp is when the scope got a webhook, by the storage's clock. Setting
	// another URL does not change it, removing and setting does.
	SetUp time.Time `json:"-"`
}

// A NewWebhook is what a webhook gets that is set up, and one that is there
// already has.
type NewWebhook struct {
	Secret string                 // where the configuration names none
	Start  *protocol.FeedPosition // the head of the scope's feed
}

// changed returns the stored form of the webhook that config makes of w, nil for
// none; "" removes it.
func (w *Webhook) changed(config protocol.WebhookConfig, fresh NewWebhook) (string, error) {
	if config.URL == "" {
		return "", nil
	}
	next := Webhook{WebhookConfig: config, Rev: randomID(), Start: fresh.Start}
	if w != nil {
		next.Start, fresh.Secret = w.Start, w.Secret
	}
	if next.Secret == "" {
		next.Secret = fresh.Secret
	}
	b, err := json.Marshal(next)
	return string(b), err
}

// changeWebhook changes a scope's webhook, which depends on the one that is
// there, and other fields with it. The reply is that of change_listed.
func (s *Store) changeWebhook(ctx context.Context, name string, u ScopeUpdate, tell effect, fields []any) (reply, error) {
	for range maxAttempts {
		cmd := redis.NewSliceCmd(ctx, "hmget", scopeKey(name), scopeWebhook)
		if err := s.do(ctx, cmd); err != nil {
			return nil, err
		}
		seen, _ := cmd.Val()[0].(string)
		var present *Webhook
		if seen != "" {
			present = new(Webhook)
			if err := json.Unmarshal([]byte(seen), present); err != nil {
				return nil, errors.New("stored webhook is malformed")
			}
		}
		next, err := present.changed(*u.Webhook, u.NewWebhook)
		if err != nil {
			return nil, err
		}
		s.fault("before webhook")
		r, err := s.runReply(ctx, scriptChangeWebhook, []string{scopeKey(name), outboxKey(scopesTag)},
			append([]any{tell.id, tell.String(), seen, next}, fields...)...)
		if err != nil || r.int(0) != 2 {
			return r, err
		}
	}
	return nil, ErrConflict
}

// A WebhookCursor is what ClaimWebhook found. Either it is Held, or Paused, or
// to be asked for again after Wait.
type WebhookCursor struct {
	Held   bool
	Paused bool          // until the webhook is set again
	Wait   time.Duration // until another owner's lease ends or the next attempt is due

	// Of a held one:
	Position protocol.FeedPosition
	Failures int   // in a row, with this revision
	BatchEnd int64 // seq of the last event of the batch that failed; 0: none did
}

// outdatedWebhook is how long a node waits that knows of an older webhook than
// the cursor's.
const outdatedWebhook = time.Second

// ClaimWebhook makes owner the one who delivers a scope's webhook, for as long as
// ttl, unless another one is or the next attempt is not due. Where nothing was
// delivered since the webhook was set up, it begins at start.
func (s *Store) ClaimWebhook(ctx context.Context, scope, owner string, w *Webhook, start protocol.FeedPosition, ttl time.Duration) (WebhookCursor, error) {
	r, err := s.runReply(ctx, scriptHookClaim, []string{feedPartOf(scope).hook(scope)},
		owner, ttl.Milliseconds(), w.SetUp.UnixMilli(), w.Rev, start.Seq, start.Epoch, start.EventID)
	if err != nil {
		return WebhookCursor{}, fmt.Errorf("claim webhook: %w", err)
	}
	switch r.int(0) {
	case 1:
		return WebhookCursor{
			Held:     true,
			Position: protocol.FeedPosition{Seq: r.int(1), Epoch: r.text(2), EventID: r.text(3)},
			Failures: int(r.int(4)), BatchEnd: r.int(5),
		}, nil
	case 3:
		return WebhookCursor{Paused: true}, nil
	case 4:
		return WebhookCursor{Wait: outdatedWebhook}, nil
	}
	return WebhookCursor{Wait: time.Duration(r.int(1)) * time.Millisecond}, nil
}

// A WebhookStep is what an owner did.
type WebhookStep struct {
	// ID names the step; repeated with the same ID it counts once.
	ID string
	// To is the new place; nil leaves it.
	To *protocol.FeedPosition
	// Failures in a row so far; the next attempt is due after Retry, by whoever
	// claims it then. BatchEnd is the seq up to which it goes.
	Failures int
	Retry    time.Duration
	BatchEnd int64
	// Pause the webhook until it is set again.
	Pause bool
	// Attempt is for the list of the last ones; its time is the storage's. nil
	// when nothing was sent.
	Attempt *protocol.WebhookAttempt
}

// AdvanceWebhook notes a step of the owner, and extends the lease to ttl from
// now; after a step with Retry or Pause the lease is given up. It reports
// whether the webhook was the owner's: another one goes on otherwise, and
// nothing was noted.
func (s *Store) AdvanceWebhook(ctx context.Context, scope, owner string, w *Webhook, step WebhookStep, ttl time.Duration) (held bool, err error) {
	if step.Retry > 0 || step.Pause {
		ttl = 0
	}
	seq, to := "", protocol.FeedPosition{}
	if step.To != nil {
		seq, to = strconv.FormatInt(step.To.Seq, 10), *step.To
	}
	line := ""
	if a := step.Attempt; a != nil {
		line = fmt.Sprintf("%d %d %d %s", a.HTTPStatus, a.Events, a.DurationMS, strings.ReplaceAll(a.Error, "\n", " "))
	}
	n, err := s.run(ctx, scriptHookAdvance, []string{feedPartOf(scope).hook(scope)},
		owner, w.SetUp.UnixMilli(), step.ID, ttl.Milliseconds(), seq, to.Epoch, to.EventID,
		w.Rev, step.Failures, step.Retry.Milliseconds(), step.BatchEnd, flag(step.Pause), line, WebhookAttempts)
	if err != nil {
		return false, fmt.Errorf("advance webhook: %w", err)
	}
	return n == int64(1), nil
}

// ReleaseWebhook gives up the owner's lease, so that another node goes on at once.
func (s *Store) ReleaseWebhook(ctx context.Context, scope, owner string) error {
	if _, err := s.run(ctx, scriptHookRelease, []string{feedPartOf(scope).hook(scope)}, owner, 0); err != nil {
		return fmt.Errorf("release webhook: %w", err)
	}
	return nil
}

// ForgetWebhook removes how far a scope's webhook has come, when it was removed
// itself. One that was set up after setUp stays.
func (s *Store) ForgetWebhook(ctx context.Context, scope string, setUp time.Time) error {
	if _, err := s.run(ctx, scriptHookRelease, []string{feedPartOf(scope).hook(scope)}, "", setUp.UnixMilli()); err != nil {
		return fmt.Errorf("forget webhook: %w", err)
	}
	return nil
}

// WebhookState returns how far a scope's webhook has come. It is empty where
// nothing was tried since the webhook was set up.
func (s *Store) WebhookState(ctx context.Context, scope string, w *Webhook) (protocol.WebhookState, error) {
	clock := redis.NewTimeCmd(ctx, "time")
	cmd := redis.NewMapStringStringCmd(ctx, "hgetall", feedPartOf(scope).hook(scope))
	if err := s.doAll(ctx, clock, cmd); err != nil {
		return protocol.WebhookState{}, fmt.Errorf("read webhook: %w", err)
	}
	state := protocol.WebhookState{Deliveries: []protocol.WebhookAttempt{}}
	h := cmd.Val()
	if id, err := strconv.ParseInt(h["id"], 10, 64); err != nil || w == nil || id != w.SetUp.UnixMilli() {
		return state, nil
	}
	state.Position = protocol.FeedPosition{Epoch: h["ep"], EventID: h["ev"]}
	state.Position.Seq, _ = strconv.ParseInt(h["sq"], 10, 64)
	for line := range strings.SplitSeq(h["l"], "\n") {
		if a, ok := parseAttempt(line); ok {
			state.Deliveries = append(state.Deliveries, a)
		}
	}
	if h["r"] != w.Rev {
		return state, nil
	}
	state.Paused = h["pa"] == "1"
	state.Failures, _ = strconv.Atoi(h["f"])
	if due, err := parseMillis(h["b"]); err == nil && !state.Paused && due.After(clock.Val()) {
		state.RetryAt = protocol.Time{Time: due}
	}
	return state, nil
}

func parseAttempt(line string) (a protocol.WebhookAttempt, ok bool) {
	parts := strings.SplitN(line, " ", 5)
	if len(parts) < 5 {
		return a, false
	}
	at, err := parseMillis(parts[0])
	if err != nil {
		return a, false
	}
	a.Time, a.Error = protocol.Time{Time: at}, parts[4]
	a.HTTPStatus, _ = strconv.Atoi(parts[1])
	a.Events, _ = strconv.Atoi(parts[2])
	a.DurationMS, _ = strconv.ParseInt(parts[3], 10, 64)
	return a, true
}
