package sessions

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	"rollcall/protocol"
	"rollcall/store"
)

// The lease says that the node lives. Whoever holds one looks after those who
// don't any more, and after what the store has of its own connections.

// KeepLease makes or renews the node's lease. It should be called before the
// first connection; from then on Run sees to it, and to what falls to a node that
// lives.
func (n *Node) KeepLease(ctx context.Context) error {
	_, err := n.renewLease(ctx) // what has ended is named again at the next renewal
	return err
}

// renewLease returns the leases that have ended and are to be reaped.
func (n *Node) renewLease(ctx context.Context) (ended []string, err error) {
	p := &n.presence
	p.mu.Lock()
	lease, isNew := p.lease, !p.renewed
	p.mu.Unlock()
	ended, err = n.store.RenewLease(ctx, lease, isNew, n.about())
	switch {
	case errors.Is(err, store.ErrLeaseLost):
		n.log.Warn("this node was taken for dead; its connections are noted anew")
		n.moveTo(store.NewLease())
		n.auditDue.Store(true)
		return n.renewLease(ctx)
	case err != nil:
		return nil, err
	}
	p.mu.Lock()
	p.renewed = true
	p.mu.Unlock()
	return ended, nil
}

// moveTo brings the node's bindings under another lease.
func (n *Node) moveTo(lease string) {
	p := &n.presence
	p.mu.Lock()
	p.former = append(p.former, p.lease)
	p.lease, p.renewed = lease, false
	p.mu.Unlock()
	n.registry.each(func(b *binding) { b.lease = lease })
}

// checkLease looks whether a binding that the store was asked to note is under
// another lease by now. Those who reap the former one may have been through.
func (n *Node) checkLease(b *binding, asked string) {
	if n.noted(b).Lease == asked {
		return
	}
	n.presence.mu.Lock()
	n.presence.former = append(n.presence.former, asked)
	n.presence.mu.Unlock()
	n.auditDue.Store(true)
}

// leaveFormer takes away what was noted under leases that the node lost, once
// who is here is noted under the present one.
func (n *Node) leaveFormer(ctx context.Context) error {
	n.presence.mu.Lock()
	former := slices.Clone(n.presence.former)
	n.presence.mu.Unlock()
	for _, lease := range slices.Compact(slices.Clone(former)) {
		for part := range store.Partitions {
			left, err := n.store.Present(ctx, lease, part)
			if err != nil {
				return err
			}
			err = atOnce(left, func(pr store.Presence) error { return n.store.Depart(ctx, pr, protocol.OfflineNodeLost) })
			if err != nil {
				return err
			}
		}
	}
	n.presence.mu.Lock()
	n.presence.former = slices.Delete(n.presence.former, 0, len(former))
	n.presence.mu.Unlock()
	return nil
}

// placesAtOnce is how many places are noted or taken away together, sharing
// round trips.
const placesAtOnce = 64

func atOnce(all []store.Presence, do func(store.Presence) error) error {
	for chunk := range slices.Chunk(all, placesAtOnce) {
		errs := make([]error, len(chunk))
		var doing sync.WaitGroup
		for i, pr := range chunk {
			doing.Go(func() { errs[i] = do(pr) })
		}
		doing.Wait()
		if err := errors.Join(errs...); err != nil {
			return err
		}
	}
	return nil
}

// lookAfter reaps leases that have ended, audits one partition at a time, or all
// after an outage, and does what is due once a minute and once a day. How long it
// takes depends on how many are connected, so no renewal may wait for it.
func (n *Node) lookAfter(ctx context.Context, ended []string) error {
	for _, dead := range ended {
		places, err := n.store.Reap(ctx, dead)
		if err != nil {
			return err
		}
		if places > 0 {
			n.log.Warn("connections of a node that is gone were taken out", "connections", places)
		}
	}
	if outages := n.store.Outages(); outages != n.lastOutages {
		n.lastOutages = outages
		n.auditDue.Store(true) // what was written before may be lost
	}
	if n.auditDue.CompareAndSwap(true, false) {
		for part := range store.Partitions {
			if err := n.audit(ctx, part); err != nil {
				n.auditDue.Store(true)
				return err
			}
		}
		if err := n.leaveFormer(ctx); err != nil {
			n.auditDue.Store(true)
			return err
		}
	} else if err := n.audit(ctx, n.nextAudit%store.Partitions); err != nil {
		return err
	}
	n.nextAudit++
	now := n.store.Now()
	if minute := now.Unix() / 60; minute != n.lastMinute {
		if _, err := n.store.TakeCensus(ctx); err != nil {
			return err
		}
		n.lastMinute = minute
	}
	if day := now.Unix() / 86400; day != n.lastDay {
		if err := n.markActive(ctx); err != nil {
			return err
		}
		n.lastDay = day
	}
	return nil
}

// audit compares one user partition's places of this node with who is here. A
// binding is entered before the store is asked to note its place and dropped
// after, so a place that the store had and nobody has here now is a leftover.
func (n *Node) audit(ctx context.Context, part int) error {
	lease := n.presence.current()
	here := map[string]store.Presence{}
	n.registry.each(func(b *binding) {
		if b.held && b.lease == lease && store.PartitionOf(b.user) == part {
			here[b.place] = store.Presence{
				Lease: b.lease, Place: b.place, User: b.user, Session: b.session, Scope: b.where.Scope, Via: b.where.Via,
			}
		}
	})
	stored, err := n.store.Present(ctx, lease, part)
	if err != nil {
		return err
	}
	var left []store.Presence
	for _, pr := range stored {
		if _, ok := here[pr.Place]; ok {
			delete(here, pr.Place)
		} else if !n.isDeparting(pr.Place) && !n.registry.bound(pr.User, pr.Place) {
			left = append(left, pr)
		}
	}
	err = atOnce(left, func(pr store.Presence) error { return n.store.Depart(ctx, pr, protocol.OfflineLost) })
	if err != nil {
		return err
	}
	return atOnce(slices.Collect(maps.Values(here)), func(pr store.Presence) error { return n.enterAgain(ctx, pr) })
}

// markActive counts everybody who is here as active today.
func (n *Node) markActive(ctx context.Context) error {
	const chunk = 500
	users := map[string][]uuid.UUID{}
	n.registry.each(func(b *binding) {
		if b.held {
			users[b.where.Scope] = append(users[b.where.Scope], b.user)
		}
	})
	for scope, all := range users {
		for len(all) > 0 {
			some := all[:min(chunk, len(all))]
			all = all[len(some):]
			if err := n.store.MarkActive(ctx, scope, some); err != nil {
				return err
			}
		}
	}
	return nil
}

// endLease lets the lease end once those who are here had the time to come back
// elsewhere.
func (n *Node) endLease() {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	if err := n.store.EndLease(ctx, n.presence.current(), n.presence.grace); err != nil {
		n.log.Warn("this node's lease could not be ended; it ends by itself", "error", err)
	}
}
