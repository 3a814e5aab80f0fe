package server

import (
	"context"
	"time"

	"rollcall/protocol"
)

func (s *Server) adminStatRoutes() {
	handle(s, protocol.AdminStats, s.adminStats)
	handle(s, protocol.AdminNodes, s.adminNodes)
}

// defaultSteps is how many steps admin.stats answers with when no time is named.
const defaultSteps = 60

func (s *Server) adminStats(ctx context.Context, c *conn, in *protocol.StatsParams) (protocol.Stats, error) {
	scopes, err := s.scopesFor(ctx, c, in.Scope)
	if err != nil {
		return protocol.Stats{}, err
	}
	step := time.Duration(in.Step) * time.Second
	if step == 0 {
		step = time.Minute
	}
	from, to, err := s.statSpan(in, step)
	if err != nil {
		return protocol.Stats{}, err
	}
	var stats protocol.Stats
	for _, scope := range scopes {
		if scope == protocol.AllScopes {
			continue // no users there
		}
		one, err := s.scopeStats(ctx, scope, from, to, step)
		if err != nil {
			return protocol.Stats{}, err
		}
		addStats(&stats, &one)
	}
	if stats.Steps == nil {
		stats.Steps = []protocol.StatStep{}
	}
	return stats, nil
}

// statSpan is the time that is asked for.
func (s *Server) statSpan(in *protocol.StatsParams, step time.Duration) (from, to time.Time, err error) {
	from, to = in.From.Time, in.To.Time
	if to.IsZero() {
		to = s.store.Now().Add(time.Millisecond) // the step that has begun is among them
	}
	if from.IsZero() {
		from = to.Add(-(defaultSteps - 1) * step)
	}
	if from.After(to) {
		return from, to, protocol.Errorf(protocol.StatusOutOfBounds, "from: must not be after to")
	}
	if to.Sub(from.Truncate(step)) > protocol.MaxStatSteps*step {
		return from, to, protocol.Errorf(protocol.StatusOutOfBounds, "from: at most %d steps before to", protocol.MaxStatSteps)
	}
	return from, to, nil
}

func (s *Server) scopeStats(ctx context.Context, scope string, from, to time.Time, step time.Duration) (stats protocol.Stats, err error) {
	if stats.Online, err = s.store.CountOnline(ctx, scope); err != nil {
		return stats, err
	}
	if stats.Users, err = s.store.CountUsers(ctx, scope); err != nil {
		return stats, err
	}
	if stats.Pending, err = s.store.CountPending(ctx, scope); err != nil {
		return stats, err
	}
	active, err := s.store.ActiveUsers(ctx, scope, 1, 7, 30)
	if err != nil {
		return stats, err
	}
	stats.DAU, stats.WAU, stats.MAU = active[0], active[1], active[2]
	stats.Steps, err = s.store.StatSteps(ctx, scope, from, to, step)
	if now := s.store.Now(); err == nil && len(stats.Steps) > 0 {
		last := &stats.Steps[len(stats.Steps)-1]
		if now.Sub(last.Time.Time) < step { // it has begun, and its peak is this or higher
			last.OnlinePeak = max(last.OnlinePeak, stats.Online)
		}
	}
	return stats, err
}

// addStats adds one scope's statistics to those of all. Users are of one scope
// each, so their numbers can be summed.
func addStats(all, one *protocol.Stats) {
	all.Online += one.Online
	all.Users += one.Users
	all.Pending += one.Pending
	all.DAU += one.DAU
	all.WAU += one.WAU
	all.MAU += one.MAU
	if all.Steps == nil {
		all.Steps = one.Steps
		return
	}
	for i := range min(len(all.Steps), len(one.Steps)) {
		to, from := &all.Steps[i], &one.Steps[i]
		to.Joins += from.Joins
		to.Logins += from.Logins
		to.Failures += from.Failures
		to.Resumes += from.Resumes
		to.OnlinePeak += from.OnlinePeak
	}
}

func (s *Server) adminNodes(ctx context.Context, _ *conn, _ *protocol.None) ([]protocol.NodeObject, error) {
	return s.store.Nodes(ctx)
}

// about is what this node says of itself to the others.
func (s *Server) about() protocol.NodeObject {
	return protocol.NodeObject{
		Node: s.cfg.Node, Version: s.cfg.Version, StartedAt: wireTime(s.started.UTC()),
		Connections: int64(s.node.Connections()), Sessions: int64(s.node.Sessions()), HashQueue: int64(s.hashes.Waiting()),
	}
}
