package main

import (
	"errors"
	"log/slog"
	"runtime/debug"

	"github.com/KimMachineGun/automemlimit/memlimit"
)

const mib = 1 << 20

// leastMemory is what a server needs to do anything at all.
const leastMemory = 64 * mib

// memory is how much of it the server and its hashing helper aim to stay below,
// in bytes, as Go's GOMEMLIMIT: a limit at which garbage is collected
// more often, not one at which anything fails.
type memory struct {
	server int64 // 0: unlimited
	hashes int64
}

// planMemory divides what the cgroup allows (0: no limit). Hashes get their
// memory twice, since one that is done is garbage until the next collection, and
// 64 MiB for what a Go process needs besides: with half of that, the runtime spent
// time on giving memory back and taking it again. The server gets the rest less a tenth, which
// is for what Go does not count.
func planMemory(cgroup uint64, hash int64, workers int, helper bool) memory {
	m := memory{hashes: 2*hash*int64(workers) + 64*mib}
	if cgroup == 0 || cgroup > 1<<60 {
		return m
	}
	m.server = int64(cgroup / 10 * 9)
	if helper {
		m.server -= m.hashes
	}
	return m
}

// cgroupMemory returns the memory limit of this process's cgroup, 0 if it has none.
func cgroupMemory(log *slog.Logger) uint64 {
	limit, err := memlimit.FromCgroup()
	switch {
	case err == nil:
		return limit
	case errors.Is(err, memlimit.ErrNoLimit), errors.Is(err, memlimit.ErrNoCgroup), errors.Is(err, memlimit.ErrCgroupsNotSupported):
	default:
		log.Warn("the cgroup's memory limit can't be read; set GOMEMLIMIT", "error", err)
	}
	return 0
}

// limitServer tells Go's runtime the server's share, and returns what undoes it.
func (m memory) limitServer(log *slog.Logger) (undo func()) {
	if m.server == 0 {
		return func() {}
	}
	if m.server < leastMemory {
		log.Warn("the memory limit leaves little beside password hashes: lower hash-workers or raise it",
			"hashes_mib", m.hashes/mib, "server_mib", m.server/mib)
		m.server = leastMemory
	}
	before := debug.SetMemoryLimit(m.server)
	return func() { debug.SetMemoryLimit(before) }
}
