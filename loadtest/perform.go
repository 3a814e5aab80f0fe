package loadtest

import (
	"math/rand/v2"
	"time"
)

// graceOfPresence is how long a server shows a user as online whose last
// connection broke (5 s by default), with a second more. Only after it does the
// presence of users say that they came back.
const graceOfPresence = 6 * time.Second

// perform does what the scenarios do between the moments that the phases begin:
// from warmup until drain, where what is measured begins at measure. It returns
// when all that was begun is answered or given up.
func (w *worker) perform(warmup, measure, drain moment) {
	w.meter.from.Store(int64(measure))
	w.meter.to.Store(int64(drain))
	running := make(chan struct{})
	begun := 0
	start := func(scenario func(warmup, drain moment)) {
		begun++
		w.tasks.Go(func() {
			scenario(warmup, drain)
			running <- struct{}{}
		})
	}
	start(w.chatterGet)
	start(w.chatterUpdate)
	start(w.churning)
	start(w.signup)
	start(w.passwordLogins)
	start(func(_, _ moment) { w.storm.run(w, measure) })
	start(func(_, drain moment) { w.sleep(drain) })
	for range begun {
		<-running // each ends with the worker's context
	}
	// What was begun is answered or expires; those who are still coming back may
	// go on to.
	patience := drain.add(answerTimeout + 2*time.Second)
	for w.conns.pending() > 0 && w.clock.until(patience) > 0 && w.ctx.Err() == nil {
		w.sleep(w.clock.now().add(20 * time.Millisecond))
	}
	w.storm.verify(w)
}

// random is the source of random numbers for one purpose of this worker.
func (w *worker) random(op operation) *rand.Rand {
	return rand.New(rand.NewPCG(w.Seed, uint64(w.Worker)<<8|uint64(op)))
}
