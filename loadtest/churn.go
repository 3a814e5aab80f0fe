package loadtest

import "time"

// Churn: players come at the plan's rate, stay, and leave. One who is there can't
// come: when all are, a coming is missed.
type churn struct {
	free chan *player // those who are away
}

// churning begins with everybody away: the ramp has logged all in once.
func (w *worker) churning(warmup, drain moment) {
	hold := time.Duration(w.Hold)
	schedule{rate: w.Rates.Churn, random: w.random(opResume)}.run(w.ctx, w.clock, warmup, drain, 0, func(intended moment, late bool) {
		var p *player
		select {
		case p = <-w.churn.free:
		default:
		}
		if p == nil || late {
			w.meter.missed(opResume, intended)
			if p != nil {
				w.churn.free <- p
			}
			return
		}
		w.tasks.Go(func() {
			p.enter(opConnect, intended)
			if w.sleep(w.clock.now().add(hold)) {
				p.leave()
			}
		})
	})
}

// leave closes the player's connection; when that is done the player is free to
// come again. One that was lost just now, and is about to come back, leaves as
// soon as it has.
func (p *player) leave() {
	p.leaving.Store(true)
	for p.leaving.Load() {
		if c := p.conn.Load(); c != nil {
			c.leave()
			return
		}
		if !p.w.sleep(p.w.clock.now().add(50 * time.Millisecond)) {
			return
		}
	}
}
