package server

import "sync/atomic"

// maxIdleWorkers is how many goroutines wait for the next request. A request
// grows its goroutine's stack to some 8 KiB, so they keep 2 MiB at most.
const maxIdleWorkers = 256

// workers run requests and the writing of pushes, each on a goroutine of its
// own, at once. A goroutine that is done is kept for the next: a new one would
// start with a small stack and copy it as the work goes down through store,
// encoder and socket.
type workers struct {
	next chan work // unbuffered: only a goroutine that waits takes from it
	idle atomic.Int32
	quit chan struct{}
}

func (w *workers) init() {
	w.next, w.quit = make(chan work), make(chan struct{})
}

// start runs a job side by side with its caller.
func (w *workers) start(job work) {
	select {
	case w.next <- job:
	default:
		go w.serve(job)
	}
}

func (w *workers) serve(job work) {
	for {
		job.run()
		if w.idle.Add(1) > maxIdleWorkers {
			w.idle.Add(-1)
			return
		}
		select {
		case job = <-w.next:
			w.idle.Add(-1)
		case <-w.quit:
			return
		}
	}
}

// close ends the goroutines that wait; those at work end after it.
func (w *workers) close() { close(w.quit) }
