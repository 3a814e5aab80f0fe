package main

import (
	"log/slog"
	"runtime/debug"
	"testing"
)

func TestMemoryIsDividedBetweenServerAndHashes(t *testing.T) {
	const hash = 19 * mib
	for name, tt := range map[string]struct {
		cgroup  uint64
		workers int
		helper  bool
		want    memory
	}{
		"no limit":                      {0, 2, true, memory{0, 140 * mib}},
		"what cgroups call no limit":    {1<<63 - 4096, 2, true, memory{0, 140 * mib}},
		"a helper":                      {1000 * mib, 2, true, memory{760 * mib, 140 * mib}},
		"hashes in the server":          {1000 * mib, 2, false, memory{900 * mib, 140 * mib}},
		"many CPUs":                     {4000 * mib, 32, true, memory{2320 * mib, 1280 * mib}},
		"more for hashes than there is": {100 * mib, 2, true, memory{-50 * mib, 140 * mib}},
	} {
		got := planMemory(tt.cgroup, hash, tt.workers, tt.helper)
		if got.server>>20 != tt.want.server>>20 || got.hashes != tt.want.hashes {
			t.Errorf("%s: got %+v, want %+v", name, got, tt.want)
		}
	}
}

func TestTheServersShareIsGosMemoryLimitWhileItServes(t *testing.T) {
	before := debug.SetMemoryLimit(-1)
	for share, want := range map[int64]int64{0: before, 500 * mib: 500 * mib, -50 * mib: leastMemory} {
		undo := memory{server: share}.limitServer(slog.New(slog.DiscardHandler))
		if got := debug.SetMemoryLimit(-1); got != want {
			t.Errorf("share of %d: limit %d, want %d", share, got, want)
		}
		undo()
		if got := debug.SetMemoryLimit(-1); got != before {
			t.Errorf("share of %d: limit %d afterwards, want %d", share, got, before)
		}
	}
}
