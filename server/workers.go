package server

import "sync"

// maxIdleWorkers is how many goroutines wait for the next request. A request
// grows its goroutine's stack to some 8 KiB, so they keep 2 MiB at most.
const maxIdleWorkers = 256

// workers run requests and the writing of frames, each on a goroutine of its
// own, at once. A goroutine that is done is kept for the next: a new one would
// start with a small stack and copy it as the work goes down through store,
// encoder and socket. The zero workers is ready to use.
type workers struct {
	mu     sync.Mutex
	idle   []chan work // of those that wait; the last to be done is the first to go on
	closed bool
}

// start runs a job side by side with its caller.
func (w *workers) start(job work) {
	w.mu.Lock()
	last := len(w.idle) - 1
	if last < 0 {
		w.mu.Unlock()
		go w.serve(job)
		return
	}
	next := w.idle[last]
	w.idle = w.idle[:last]
	w.mu.Unlock()
	next <- job // has room
}

func (w *workers) serve(job work) {
	next := make(chan work, 1)
	for ok := true; ok; job, ok = <-next {
		job.run()
		if !w.wait(next) {
			return
		}
	}
}

// wait enters a goroutine among those that wait, unless they are enough.
func (w *workers) wait(next chan work) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed || len(w.idle) >= maxIdleWorkers {
		return false
	}
	w.idle = append(w.idle, next)
	return true
}

// close ends the goroutines that wait; those at work end after it.
func (w *workers) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = true
	for _, next := range w.idle {
		close(next)
	}
	w.idle = nil
}
