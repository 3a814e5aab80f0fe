package server

import "sync"

// background is work that outlives the request that began it. The server waits
// for what runs when it closes, and lets nothing more begin.
type background struct {
	mu      sync.Mutex
	closed  bool
	running sync.WaitGroup
}

// start runs work on a goroutine of its own. It reports false, and runs nothing,
// once the server closes.
func (b *background) start(work func()) bool {
	b.mu.Lock() // a WaitGroup must not be added to while it is waited for
	defer b.mu.Unlock()
	if b.closed {
		return false
	}
	b.running.Go(work)
	return true
}

// close waits for what runs.
func (b *background) close() {
	b.mu.Lock()
	b.closed = true
	b.mu.Unlock()
	b.running.Wait()
}
