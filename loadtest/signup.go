package loadtest

import (
	"fmt"

	"rollcall/protocol"
)

// Signup: new users at the plan's rate. Their names have the run's own in them,
// so that a second run makes new ones.
func (w *worker) signup(warmup, drain moment) {
	n := 0
	w.offer(opCreate, w.Rates.Signup, Signup, warmup, drain, func(*player) (*account, func([]byte) []byte) {
		n++
		name := fmt.Sprintf("%s%s-%d-%d", namePrefix(w.Seed), w.Run, w.Worker, n)
		return nil, jsonData(protocol.CreateParams{Username: name, Proof: protocol.Proof{Provider: provider, ClientID: "loadtest " + name}})
	})
}
