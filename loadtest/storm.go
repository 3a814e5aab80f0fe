package loadtest

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/google/uuid"

	"rollcall/protocol"
)

// stormPatience is for how long a storm may go on behind the measured time.
const stormPatience = 10 * time.Second

// A storm cuts the players of the scenario off at once, and counts how they come
// back.
type storm struct {
	mu    sync.Mutex
	cut   []*player // those who were
	at    moment
	last  moment // when the last one was back
	back  int
	wrong int
	over  chan struct{} // closed when all are back
}

// run cuts all at the given moment and waits until they are back, or patience
// is over.
func (s *storm) run(w *worker, at moment) {
	if len(w.players[Storm]) == 0 || !w.sleep(at) {
		return
	}
	s.mu.Lock()
	s.over = make(chan struct{})
	s.at = w.clock.now()
	s.last = s.at
	var conns []*conn
	for _, p := range w.players[Storm] {
		if c := p.conn.Load(); c != nil {
			p.cut.Store(int64(s.at))
			s.cut = append(s.cut, p)
			conns = append(conns, c)
		}
	}
	if len(s.cut) == 0 {
		close(s.over)
	}
	s.mu.Unlock()
	for _, c := range conns {
		c.close() // by a reset, as dial has set it
	}
	patience := time.NewTimer(w.clock.until(moment(w.meter.to.Load()).add(stormPatience)))
	defer patience.Stop()
	select {
	case <-s.over:
	case <-patience.C:
	case <-w.ctx.Done():
	}
}

// returned counts one who has resumed.
func (s *storm) returned(now moment) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.back++
	s.last = now
	if s.back == len(s.cut) {
		close(s.over)
	}
}

// verify asks for the presence of those who came back and are there, once the
// server can't show them as online for any other reason.
func (s *storm) verify(w *worker) {
	s.mu.Lock()
	last, cut := s.last, s.cut
	s.mu.Unlock()
	if len(cut) == 0 || !w.sleep(last.add(graceOfPresence)) {
		return
	}
	wrong := 0
	for batch := range slices.Chunk(cut, 100) {
		n, err := w.offline(batch)
		if err != nil {
			w.note(err)
			n = len(batch) // nobody has shown that they are online
		}
		wrong += n
	}
	s.mu.Lock()
	s.wrong = wrong
	s.mu.Unlock()
}

// offline returns how many of the players, who are connected, are shown as
// offline.
func (w *worker) offline(players []*player) (wrong int, err error) {
	var asker *conn
	var ids []uuid.UUID
	for _, p := range players {
		if c := p.conn.Load(); c != nil {
			asker = c
			ids = append(ids, p.account.id)
		}
	}
	if asker == nil {
		return 0, nil
	}
	r, err := asker.ask(opPresence, jsonData(protocol.PresenceParams{UserIDs: ids}))
	if err != nil {
		return 0, err
	}
	if r.status != 0 {
		return 0, fmt.Errorf("users.presence: %w", &protocol.Error{Status: r.status, Message: r.text})
	}
	var shown map[uuid.UUID]string
	if err := json.Unmarshal(r.result, &shown); err != nil {
		return 0, err
	}
	for _, id := range ids {
		if shown[id] != protocol.Online {
			wrong++
		}
	}
	return wrong, nil
}

// result is nil where nobody was cut off.
func (s *storm) result() *stormResult {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over == nil {
		return nil
	}
	return &stormResult{Connections: len(s.cut), Back: s.back, Seconds: s.last.since(s.at).Seconds(), WrongOnline: s.wrong}
}
