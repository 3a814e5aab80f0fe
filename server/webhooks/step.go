package webhooks

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"

	"rollcall/protocol"
	"rollcall/store"
)

// filteredEvents is how many events are read at once where a filter leaves out
// some of them.
const filteredEvents = 5 * protocol.MaxWebhookEvents

// work is what the steps of one hook keep between them.
type work struct {
	failed    bool                   // failing, when the worker took it
	start     *protocol.FeedPosition // where it begins, if its configuration does not say
	heldUntil time.Time              // the lease is ours until then, as far as we know
	pending   *pending               // a step that could not be noted
}

type pending struct {
	webhook *store.Webhook
	step    store.WebhookStep
}

// step goes from one place of the feed to the next: it takes the lease, reads a
// batch, posts it and notes what came of it.
func (d *Deliverer) step(ctx context.Context, h *hook, w *store.Webhook) result {
	if p := h.pending; p != nil {
		return d.note(h, p.webhook, p.step)
	}
	if w == nil {
		return d.forget(ctx, h)
	}
	reading, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	start, err := d.begin(reading, h, w)
	if err != nil {
		return d.storeFailed(h, err)
	}
	claimed := time.Now()
	cursor, err := d.cursors.ClaimWebhook(reading, h.scope, d.opts.Owner, w, start, d.opts.Lease)
	switch {
	case err != nil:
		return d.storeFailed(h, err)
	case cursor.Paused:
		return result{when: never, failing: true}
	case !cursor.Held:
		return result{when: later, wait: cursor.Wait + rand.N(time.Second/4), failing: h.failed}
	}
	h.heldUntil = claimed.Add(d.opts.Lease)
	if cursor.Failures > 0 && !h.failed {
		return result{when: now, failing: true} // to the workers for such
	}

	select {
	case <-h.wake: // of events that are read now
	default:
	}
	limit := protocol.MaxWebhookEvents
	if len(w.Events) > 0 {
		limit = filteredEvents
	}
	events, lost, err := d.feed.Since(reading, h.scope, cursor.Position, limit)
	if err != nil {
		return d.storeFailed(h, err)
	}
	b, err := collect(w, cursor, events, lost)
	if err != nil {
		return d.storeFailed(h, err)
	}
	if b.lost && len(events) == 0 {
		if b.to, err = d.feed.Head(reading, h.scope); err != nil {
			return d.storeFailed(h, err)
		}
	}
	switch {
	case b.to == cursor.Position:
		return result{when: idle, failing: cursor.Failures > 0}
	case len(b.events) == 0 && !b.lost: // all filtered out
		return d.note(h, w, store.WebhookStep{To: &b.to, Failures: cursor.Failures})
	}
	return d.attempt(ctx, h, w, cursor, b)
}

// begin returns where a webhook begins that has no place yet.
func (d *Deliverer) begin(ctx context.Context, h *hook, w *store.Webhook) (protocol.FeedPosition, error) {
	if w.Start != nil {
		return *w.Start, nil
	}
	if h.start == nil {
		head, err := d.feed.Head(ctx, h.scope)
		if err != nil {
			return head, err
		}
		h.start = &head
	}
	return *h.start, nil
}

// A batch is what one delivery carries, and the place behind it.
type batch struct {
	events []jsontext.Value
	lost   bool
	to     protocol.FeedPosition
}

// collect makes a batch of events. One that failed before ends where it ended.
func collect(w *store.Webhook, cursor store.WebhookCursor, events []protocol.Push, lost bool) (batch, error) {
	b := batch{lost: lost, to: cursor.Position}
	// A feed without events has no epoch yet, and loses nothing by its first one.
	if cursor.Position.Epoch == "" && len(events) > 0 && events[0].Seq == 1 {
		b.lost = false
	}
	size := 0
	for i, e := range events {
		if cursor.BatchEnd > 0 && e.Seq > cursor.BatchEnd && i > 0 {
			break
		}
		if len(w.Events) == 0 || slices.Contains(w.Events, e.Event) {
			text, err := json.Marshal(e, json.Deterministic(true), jsontext.AllowInvalidUTF8(true))
			if err != nil {
				return b, fmt.Errorf("encode event: %w", err)
			}
			size += len(text) + 1
			if len(b.events) == protocol.MaxWebhookEvents || len(b.events) > 0 && size > protocol.MaxWebhookBytes {
				break
			}
			b.events = append(b.events, text)
		}
		b.to = protocol.FeedPosition{Seq: e.Seq, Epoch: e.Epoch, EventID: e.EventID}
	}
	return b, nil
}

// body returns the delivery and its id, which depends on nothing but the events:
// so it is the same at every attempt, on every node.
func (b *batch) body(h *hook, from protocol.FeedPosition) (id string, body []byte, err error) {
	sum := sha256.Sum256(fmt.Appendf(nil, "delivery:%q:%d:%d:%q:%d:%q", h.scope, h.setUp.UnixMilli(), from.Seq, from.Epoch, b.to.Seq, b.to.Epoch))
	id = base64.RawURLEncoding.EncodeToString(sum[:16])
	if b.events == nil {
		b.events = []jsontext.Value{}
	}
	body, err = json.Marshal(struct { // a protocol.WebhookDelivery whose events are encoded
		Scope    string           `json:"scope"`
		Delivery string           `json:"delivery"`
		Lost     bool             `json:"lost"`
		Events   []jsontext.Value `json:"events"`
	}{h.scope, id, b.lost, b.events}, jsontext.AllowInvalidUTF8(true))
	return id, body, err
}

// attempt posts a batch and notes the answer.
func (d *Deliverer) attempt(ctx context.Context, h *hook, w *store.Webhook, cursor store.WebhookCursor, b batch) result {
	id, body, err := b.body(h, cursor.Position)
	if err != nil {
		return d.storeFailed(h, err)
	}
	if time.Until(h.heldUntil) < d.opts.Timeout+d.opts.Timeout/10 {
		return result{when: now, failing: h.failed} // too late to end within the lease
	}
	a := d.post(ctx, w, id, body)
	if !a.taken() && ctx.Err() != nil {
		return result{when: now, failing: false} // broken off: it was changed or removed, or we close
	}
	step := store.WebhookStep{Attempt: &protocol.WebhookAttempt{
		HTTPStatus: a.status, Error: a.reason, Events: len(b.events), DurationMS: a.took.Milliseconds(),
	}}
	log := d.log.With("scope", h.scope, "host", host(w.URL), "events", len(b.events))
	switch {
	case a.taken():
		step.To = &b.to
		d.opts.Delivered(Taken)
		if cursor.Failures > 0 {
			log.Info("webhook is taken again", "failures", cursor.Failures)
		}
	case a.status == http.StatusGone:
		step.Pause, step.Failures = true, cursor.Failures+1
		d.opts.Delivered(Gone)
		log.Warn("webhook is paused: its receiver is gone (410)")
	default:
		step.Failures = cursor.Failures + 1
		step.Retry = max(d.opts.Backoff(step.Failures), a.retryAfter)
		step.BatchEnd = b.to.Seq
		d.opts.Delivered(Failed)
		level := log.Debug
		if step.Failures == 1 || step.Failures%10 == 0 {
			level = log.Warn
		}
		level("webhook not taken", "status", a.status, "error", a.reason, "failures", step.Failures, "retry", step.Retry)
	}
	return d.note(h, w, step)
}

// note tells the store what a step came to, also when the hook was changed
// meanwhile. Where it can't be told now, it is told before anything else happens.
func (d *Deliverer) note(h *hook, w *store.Webhook, step store.WebhookStep) result {
	if step.ID == "" {
		step.ID = uuid.NewString()
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(d.ctx), storeTimeout)
	defer cancel()
	before := time.Now()
	held, err := d.cursors.AdvanceWebhook(ctx, h.scope, d.opts.Owner, w, step, d.opts.Lease)
	if err != nil {
		h.pending = &pending{w, step}
		return d.storeFailed(h, err)
	}
	h.pending = nil
	failing := step.Failures > 0
	switch {
	case !held: // another node has it: the claim says for how long
		h.heldUntil = time.Time{}
		return result{when: now, failing: failing}
	case step.Pause:
		h.heldUntil = time.Time{}
		return result{when: never, failing: true}
	case step.Retry > 0:
		h.heldUntil = time.Time{}
		return result{when: later, wait: step.Retry, failing: true}
	}
	h.heldUntil = before.Add(d.opts.Lease)
	return result{when: now, failing: failing}
}

// forget removes the place of a webhook that was removed.
func (d *Deliverer) forget(ctx context.Context, h *hook) result {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	if err := d.cursors.ForgetWebhook(ctx, h.scope, h.setUp); err != nil {
		return d.storeFailed(h, err)
	}
	return result{when: never}
}

// storeFailed lets a hook wait for the store.
func (d *Deliverer) storeFailed(h *hook, err error) result {
	if d.ctx.Err() == nil {
		d.log.Debug("webhook waits for the storage", "scope", h.scope, "error", err)
	}
	return result{when: later, wait: storePause + rand.N(storePause), failing: h.failed}
}
