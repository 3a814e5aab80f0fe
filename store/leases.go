package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/redis/go-redis/v9"

	"rollcall/protocol"
)

// A node holds a lease for as long as it renews it. The places of a node whose
// lease has ended are reaped by whichever node sees it first; a node whose lease
// is being reaped, because it was away for too long, goes on under another one.
//
// When nobody has renewed for leaseGap the storage itself was away. Then nobody
// reaps for leaseQuiet, so that all nodes have the time to come back.
const (
	LeaseRenewal = 2 * time.Second // how often a node should renew
	leaseTTL     = 8 * time.Second
	leaseGap     = 5 * time.Second
	leaseQuiet   = 15 * time.Second
)

var (
	scriptLease    = newScript("lease")
	scriptLeaseEnd = newScript("lease_end")
)

// ErrLeaseLost means that the node was taken for dead: its places are being
// reaped.
var ErrLeaseLost = errors.New("lease lost")

// NewLease returns the name of a lease.
func NewLease() string { return strings.NewReplacer("-", "a", "_", "b").Replace(newEffectID()) }

// RenewLease renews a node's lease, or makes it if it is new, and returns the
// leases that have ended and may be reaped. ErrLeaseLost when it can't be
// renewed.
func (s *Store) RenewLease(ctx context.Context, lease string, isNew bool, about protocol.NodeObject) (ended []string, err error) {
	text, err := json.Marshal(about)
	if err != nil {
		return nil, fmt.Errorf("renew lease: %w", err)
	}
	asked := time.Now()
	r, err := s.runReply(ctx, scriptLease, []string{leasesKey, clockKey},
		lease, leaseTTL.Milliseconds(), string(text), flag(isNew), leaseGap.Milliseconds(), leaseQuiet.Milliseconds(), flag(s.embedded))
	if err != nil {
		return nil, fmt.Errorf("renew lease: %w", err)
	}
	s.skew.Store(int64(millis(r.int(1)).Sub(asked)))
	if r.int(0) == 0 {
		return nil, fmt.Errorf("renew lease: %w", ErrLeaseLost)
	}
	for i := 2; i < len(r); i++ {
		ended = append(ended, r.text(i))
	}
	return ended, nil
}

// EndLease lets a lease end after a while, when its node stops: the connections
// that do not come back elsewhere until then are reaped.
func (s *Store) EndLease(ctx context.Context, lease string, after time.Duration) error {
	if _, err := s.run(ctx, scriptLeaseEnd, []string{leasesKey}, lease, "soon", after.Milliseconds()); err != nil {
		return fmt.Errorf("end lease: %w", err)
	}
	return nil
}

// Reap takes out all places of a lease that has ended, with their events. It may
// run on several nodes at once.
func (s *Store) Reap(ctx context.Context, lease string) (places int, err error) {
	n, err := s.run(ctx, scriptLeaseEnd, []string{leasesKey}, lease, "reap", flag(s.embedded))
	if err != nil {
		return 0, fmt.Errorf("reap: %w", err)
	}
	reason := protocol.OfflineNodeLost
	switch n {
	case int64(0):
		return 0, nil
	case int64(2):
		reason = protocol.OfflineDrained
	}
	for part := range Partitions {
		all, err := s.Present(ctx, lease, part)
		if err != nil {
			return places, fmt.Errorf("reap: %w", err)
		}
		for chunk := range slices.Chunk(all, reapersAtOnce) {
			if err := s.reapAll(ctx, chunk, reason); err != nil {
				return places, fmt.Errorf("reap: %w", err)
			}
			places += len(chunk)
		}
	}
	if _, err := s.run(ctx, scriptLeaseEnd, []string{leasesKey}, lease, "gone", 0); err != nil {
		return places, fmt.Errorf("reap: %w", err)
	}
	return places, nil
}

// reapersAtOnce is how many places are taken out together, sharing round trips.
const reapersAtOnce = 64

func (s *Store) reapAll(ctx context.Context, all []Presence, reason string) error {
	errs := make(chan error, len(all))
	for _, pr := range all {
		go func() { errs <- s.Depart(ctx, pr, reason) }()
	}
	var err error
	for range all {
		err = errors.Join(err, <-errs)
	}
	return err
}

// Nodes returns what the nodes say of themselves, by name. A node that died is
// among them until its lease has ended, one that stopped is not.
func (s *Store) Nodes(ctx context.Context) ([]protocol.NodeObject, error) {
	cmd := redis.NewMapStringStringCmd(ctx, "hgetall", leasesKey)
	if err := s.do(ctx, cmd); err != nil {
		return nil, fmt.Errorf("list nodes: %w", err)
	}
	now := s.now().UnixMilli()
	nodes := make([]protocol.NodeObject, 0, len(cmd.Val()))
	for _, text := range cmd.Val() {
		ms, about, _ := strings.Cut(text, " ")
		if strings.HasPrefix(about, "~") {
			continue // it has stopped
		}
		ends, err := parseMillis(ms)
		var node protocol.NodeObject
		if err := errors.Join(err, json.Unmarshal([]byte(about), &node)); err != nil {
			return nil, fmt.Errorf("list nodes: stored lease is malformed: %w", err)
		}
		if ends.UnixMilli() > now {
			nodes = append(nodes, node)
		}
	}
	slices.SortFunc(nodes, func(a, b protocol.NodeObject) int { return strings.Compare(a.Node, b.Node) })
	return nodes, nil
}
