package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/coder/websocket"
	"github.com/google/uuid"

	"rollcall/protocol"
)

// How long a player stays and is away: most come back within the grace of 5 s
// after which they count as offline, some after it.
const (
	leastStay, mostStay         = 4 * time.Second, 9 * time.Second
	mostAbsence                 = 2 * time.Second
	leastLongAway, mostLongAway = 5500 * time.Millisecond, 7 * time.Second
	longAwayOneIn               = 10
)

// A chaosPlayer logs in, moves, leaves and comes back on another node, until it is
// told to leave for good. One goroutine owns it until that ends.
type chaosPlayer struct {
	run  *chaosRun
	name string
	hash string // of the password

	node    int
	made    bool // the server said that the user exists
	certain bool // that it was made was acknowledged
	token   string
	ids     []string // user_ids; more than one only where a storage forgot the user
	acks    []ack
	down    time.Time // since when the player can't play; zero while it can
	outage  time.Duration
	outages int
	took    []time.Duration // from request to acknowledgement of logins and resumes
	tries   int             // that failed, one after the other
}

func newChaosPlayer(r *chaosRun, number int) *chaosPlayer {
	name := fmt.Sprintf("p%d", number)
	return &chaosPlayer{run: r, name: name, node: number % len(r.nodes), hash: protocol.PasswordHash(chaosScope, "of "+name)}
}

// play plays until ctx ends. What is under way then is finished: an answer that
// comes is waited for.
func (p *chaosPlayer) play(ctx context.Context) {
	for ctx.Err() == nil {
		if p.down.IsZero() && !p.run.admit(ctx) {
			return
		}
		w := p.arrive()
		if w == nil {
			p.fails()
			chaosPause(ctx, 50*time.Millisecond, min(time.Second, 200*time.Millisecond<<min(p.tries, 4)))
			p.tries++
			continue
		}
		p.recovers()
		if !p.stay(ctx, w) {
			p.fails()
			w.drop()
			continue
		}
		p.leave(w)
		if rand.IntN(longAwayOneIn) == 0 {
			chaosPause(ctx, leastLongAway, mostLongAway)
		} else {
			chaosPause(ctx, 0, mostAbsence)
		}
	}
}

// fails notes that the player can't play, and turns to another node.
func (p *chaosPlayer) fails() {
	if p.down.IsZero() {
		p.down = time.Now()
		p.outages++
	}
	p.node = (p.node + 1) % len(p.run.nodes)
}

func (p *chaosPlayer) recovers() {
	if !p.down.IsZero() {
		p.outage = max(p.outage, time.Since(p.down))
		p.down = time.Time{}
	}
	p.tries = 0
}

// note counts a request that must leave an event in the feed, if it was done. It
// reports whether it was.
func (p *chaosPlayer) note(typ, event string, from time.Time, err error) bool {
	known := err == nil
	if !known {
		switch statusOf(err) {
		case 0: // the connection broke
		case protocol.StatusUnavailable, protocol.StatusGeneral, protocol.StatusIO, protocol.StatusUnknown:
			p.run.surprise(typ, err)
		default:
			p.run.surprise(typ, err)
			return false // refused: nothing happened
		}
	}
	a := ack{event, p.run.nodes[p.node].name, from, time.Now(), known}
	p.acks = append(p.acks, a)
	if known && event != protocol.EventUserCreated {
		p.took = append(p.took, a.to.Sub(from))
	}
	return known
}

func (p *chaosPlayer) is(id uuid.UUID) {
	if s := id.String(); !slices.Contains(p.ids, s) {
		p.ids = append(p.ids, s)
	}
}

// arrive connects and becomes the user, by the session where there is one, else
// by the password. It returns nil when that failed on the way.
func (p *chaosPlayer) arrive() *chaosWire {
	ctx := context.Background()
	for range p.run.nodes {
		w, err := openWire(ctx, p.run.nodes[p.node].address)
		if err != nil { // that node is dead
			p.node = (p.node + 1) % len(p.run.nodes)
			continue
		}
		if p.enter(ctx, w) {
			return w
		}
		w.drop()
		return nil
	}
	return nil
}

func (p *chaosPlayer) enter(ctx context.Context, w *chaosWire) bool {
	init := protocol.CoreInitParams{Scope: chaosScope, Key: secretKey}
	if p.token != "" && rand.IntN(2) == 0 {
		init.Session = p.token
	}
	var welcome protocol.CoreInitResult
	started := time.Now()
	err := w.call(ctx, "core.init", init, &welcome)
	switch {
	case init.Session != "" && err == nil && welcome.User == nil: // the session is gone, and that is no event
		p.run.surprise("core.init", &protocol.Error{Status: protocol.StatusSessionInvalid})
		p.token = ""
	case init.Session != "":
		if !p.note("core.init", protocol.EventUserResumed, started, err) {
			return false
		}
		p.is(welcome.User.UserID)
		return true
	case err != nil:
		p.run.surprise("core.init", err)
		return false
	}

	if p.token != "" {
		var user protocol.Login
		started := time.Now()
		err := w.call(ctx, "users.resume", protocol.ResumeParams{Session: p.token}, &user)
		if p.note("users.resume", protocol.EventUserResumed, started, err) {
			p.is(user.UserID)
			return true
		}
		if statusOf(err) != protocol.StatusSessionInvalid {
			return false
		}
		p.token = ""
	}
	return (p.made || p.create(ctx, w)) && p.login(ctx, w)
}

// create makes the user. That it exists already is what an earlier try left
// whose answer never came.
func (p *chaosPlayer) create(ctx context.Context, w *chaosWire) bool {
	var made protocol.CreateResult
	started := time.Now()
	err := w.call(ctx, "users.create", protocol.CreateParams{Username: p.name, Credentials: protocol.Credentials{PasswordHash: p.hash}}, &made)
	switch {
	case statusOf(err) == protocol.StatusUserExists:
	case !p.note("users.create", protocol.EventUserCreated, started, err):
		return false
	default:
		p.is(made.UserID)
		p.certain = true
	}
	p.made = true
	return true
}

func (p *chaosPlayer) login(ctx context.Context, w *chaosWire) bool {
	var user protocol.Login
	started := time.Now()
	err := w.call(ctx, "users.login", protocol.LoginParams{Username: p.name, Credentials: protocol.Credentials{PasswordHash: p.hash}}, &user)
	if statusOf(err) == protocol.StatusUserNotFound {
		p.made = false // a storage forgot the user
		if !p.certain {
			// The node died in the middle of the create: for ten seconds the name
			// is reserved, and nobody's.
			chaosPause(ctx, 500*time.Millisecond, time.Second)
			return false
		}
	}
	if !p.note("users.login", protocol.EventUserLogin, started, err) {
		return false
	}
	p.is(user.UserID)
	p.token = user.Session.Token
	return true
}

// stay plays a while and moves in the middle of it. It reports whether the
// connection still held.
func (p *chaosPlayer) stay(ctx context.Context, w *chaosWire) bool {
	id, err := uuid.Parse(p.ids[len(p.ids)-1])
	if err != nil {
		panic(err) // it was one
	}
	half, most := leastStay/2, mostStay/2
	if !chaosPause(ctx, half, most) {
		return true
	}
	var x protocol.Extra
	move := fmt.Sprintf(`{"x":%d,"y":%d}`, rand.IntN(100), rand.IntN(100))
	if err := protocol.DecodeResult([]byte(move), &x); err != nil {
		panic(err)
	}
	err = w.call(context.Background(), "users.update", protocol.UpdateParams{UserRef: protocol.UserRef{UserID: id}, Update: protocol.UserUpdate{Extra: x}}, nil)
	if err == nil && rand.IntN(3) == 0 {
		err = w.call(context.Background(), "users.get", protocol.UserRef{UserID: id}, nil)
	}
	if err != nil {
		if statusOf(err) == 0 {
			return false
		}
		p.run.surprise("users.update", err)
	}
	chaosPause(ctx, half, most)
	return true
}

// leave leaves in one of three ways: by a crash, by a close, by a logout.
func (p *chaosPlayer) leave(w *chaosWire) {
	switch rand.IntN(5) {
	case 0:
		_ = w.call(context.Background(), "users.logout", protocol.LogoutParams{}, nil)
		p.token = ""
		w.drop()
	case 1, 2:
		w.drop()
	default:
		_ = w.ws.Close(websocket.StatusNormalClosure, "")
	}
	p.node = (p.node + 1 + rand.IntN(len(p.run.nodes)-1)) % len(p.run.nodes)
}

// chaosPause waits for a random time. It reports whether ctx lasted.
func chaosPause(ctx context.Context, least, most time.Duration) bool {
	t := time.NewTimer(least + rand.N(most-least))
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
