package loadtest

import (
	"strconv"
	"sync/atomic"
)

// Chatter: requests of the players' own users, spread over their connections,
// however many are under way.

// tries is how many connections are looked at for one that has room.
const tries = 16

// A rota hands out players in turn.
type rota struct {
	players []*player
	next    atomic.Uint64
}

// free returns the connection of the next player that is there and has room for a
// request; nil when there is none among those looked at.
func (r *rota) free() (*player, *conn) {
	for range min(tries, len(r.players)) {
		p := r.players[r.next.Add(1)%uint64(len(r.players))]
		if c := p.conn.Load(); c != nil && c.inFlight() < maxInFlight {
			return p, c
		}
	}
	return nil, nil
}

// offer sends requests of one kind over the connections of a scenario's players,
// as a schedule says. A request for which there is no connection is missed.
func (w *worker) offer(op operation, rate float64, s Scenario, warmup, drain moment, request func(p *player) (*account, func([]byte) []byte)) {
	turn := rota{players: w.players[s]}
	schedule{rate: rate, random: w.random(op)}.run(w.ctx, w.clock, warmup, drain, 0, func(intended moment, late bool) {
		p, c := turn.free()
		if late || c == nil {
			w.meter.missed(op, intended)
			return
		}
		account, data := request(p)
		if c.send(pending{op: op, intended: intended, account: account}, data) != nil {
			w.meter.missed(op, intended)
		}
	})
}

func (w *worker) chatterGet(warmup, drain moment) {
	w.offer(opGet, w.Rates.Get, Chatter, warmup, drain, func(p *player) (*account, func([]byte) []byte) {
		return nil, p.account.appendRef
	})
}

// chatterUpdate changes one key of extra, as a score does.
func (w *worker) chatterUpdate(warmup, drain moment) {
	score := int64(0)
	w.offer(opUpdate, w.Rates.Update, Chatter, warmup, drain, func(p *player) (*account, func([]byte) []byte) {
		score++
		n := score
		return nil, func(b []byte) []byte {
			b = append(b, `{"user_id":"`...)
			b = appendUUID(b, p.account.id)
			b = append(b, `","update":{"extra":{"score":`...)
			b = strconv.AppendInt(b, n, 10)
			return append(b, `}}}`...)
		}
	})
}
