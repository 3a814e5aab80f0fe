package loadtest

import (
	"errors"
	"fmt"
	"time"
)

// rampPatience is for how long after the last connection should have been opened
// the ramp waits for those that could not be.
const rampPatience = 30 * time.Second

// rampUp opens the connections from start on, at the share's rate. It is over
// when every player was there once, or patience is; then the run goes on with
// those who are, since how many is a measurement too. With nobody it is an error.
func (w *worker) rampUp(start moment) error {
	var all []*player
	for _, s := range Scenarios {
		all = append(all, w.players[s]...)
	}
	if len(all) == 0 {
		return nil // a share of admins, or of nothing
	}
	// Mixed, so that where not all get in each scenario has its part of those who do.
	w.random(opConnect).Shuffle(len(all), func(i, k int) { all[i], all[k] = all[k], all[i] })
	total := len(all)
	finished := make(chan struct{})
	go func() {
		defer close(finished)
		schedule{rate: w.Ramp}.run(w.ctx, w.clock, start, 0, len(all), func(intended moment, _ bool) {
			p := all[0]
			all = all[1:]
			w.tasks.Go(func() {
				p.enter(opConnect, intended)
				if p.scenario == Churn {
					p.leave() // it has its session now
				}
			})
		})
		patience := w.clock.now().add(rampPatience)
		for int(w.entered.Load()) < total && w.clock.until(patience) > 0 {
			if !w.sleep(w.clock.now().add(20 * time.Millisecond)) {
				return
			}
		}
	}()
	w.tellProgress(&w.entered, int64(total), finished)
	if w.entered.Load() == 0 && w.ctx.Err() == nil {
		return w.explain()
	}
	return nil
}

// explain says why nobody could connect.
func (w *worker) explain() error {
	err := w.lastNote()
	if err == nil {
		return errors.New("nobody could connect")
	}
	if known := w.fatal(err); known != nil {
		return known
	}
	return fmt.Errorf("nobody could connect: %w", err)
}
