package server

import (
	"slices"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/google/uuid"

	"rollcall/protocol"
)

// orderProbe adds named tasks to an order and records which run.
type orderProbe struct {
	order order
	mu    sync.Mutex
	ran   []string
	gates map[string]chan struct{}
}

func (p *orderProbe) add(name string, kind protocol.Order, subject uuid.UUID) {
	gate := make(chan struct{})
	p.gates[name] = gate
	t := &turn{kind: kind, subject: subject}
	t.work = workFunc(func() {
		p.mu.Lock()
		p.ran = append(p.ran, name)
		p.mu.Unlock()
		<-gate
		p.order.finish(t)
	})
	if p.order.add(t) {
		go t.work.run()
	}
}

type workFunc func()

func (f workFunc) run() { f() }

// running returns what has started and not been let go, in name order.
func (p *orderProbe) started() []string {
	synctest.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	s := slices.Clone(p.ran)
	slices.Sort(s)
	return s
}

func TestOrderOfOneConnection(t *testing.T) {
	a, b := uuid.New(), uuid.New()
	const (
		none    = protocol.OrderNone
		read    = protocol.OrderRead
		write   = protocol.OrderWrite
		barrier = protocol.OrderBarrier
	)
	type add struct {
		name    string
		kind    protocol.Order
		subject uuid.UUID
	}
	tests := []struct {
		name    string
		adds    []add
		first   []string // started at once
		release string
		then    []string // started after that one finished
	}{
		{"what is unordered runs side by side", []add{{"1", none, a}, {"2", none, a}}, []string{"1", "2"}, "1", []string{"1", "2"}},
		{"reads of one user run side by side", []add{{"1", read, a}, {"2", read, a}}, []string{"1", "2"}, "1", []string{"1", "2"}},
		{"a write waits for the write before it", []add{{"1", write, a}, {"2", write, a}, {"3", write, a}}, []string{"1"}, "1", []string{"1", "2"}},
		{"a read waits for the write before it", []add{{"1", write, a}, {"2", read, a}, {"3", read, a}}, []string{"1"}, "1", []string{"1", "2", "3"}},
		{"a write waits for the read before it", []add{{"1", read, a}, {"2", write, a}}, []string{"1"}, "1", []string{"1", "2"}},
		{"writes of two users run side by side", []add{{"1", write, a}, {"2", write, b}}, []string{"1", "2"}, "1", []string{"1", "2"}},
		{"an unordered one passes a write", []add{{"1", write, a}, {"2", none, a}}, []string{"1", "2"}, "1", []string{"1", "2"}},
		{"what follows a barrier waits for it", []add{{"1", barrier, a}, {"2", none, b}, {"3", read, b}}, []string{"1"}, "1", []string{"1", "2", "3"}},
		{"a barrier waits for all before it", []add{{"1", none, a}, {"2", barrier, b}, {"3", none, a}}, []string{"1"}, "1", []string{"1", "2"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := &orderProbe{gates: make(map[string]chan struct{})}
				for _, ad := range tt.adds {
					p.add(ad.name, ad.kind, ad.subject)
				}
				if got := p.started(); !slices.Equal(got, tt.first) {
					t.Errorf("started %v, want %v", got, tt.first)
				}
				close(p.gates[tt.release])
				if got := p.started(); !slices.Equal(got, tt.then) {
					t.Errorf("after %s: started %v, want %v", tt.release, got, tt.then)
				}
				for name, gate := range p.gates {
					if name != tt.release {
						close(gate)
					}
				}
				synctest.Wait()
				if got := p.started(); len(got) != len(tt.adds) {
					t.Errorf("%d of %d ran", len(got), len(tt.adds))
				}
				if n := len(p.order.pending); n != 0 {
					t.Errorf("%d turns are left", n)
				}
			})
		})
	}
}

func TestIdleComesAfterAllThatWasAdded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &orderProbe{gates: make(map[string]chan struct{})}
		p.add("1", protocol.OrderNone, uuid.Nil)
		idle := false
		p.order.whenIdle(func() { idle = true })
		synctest.Wait()
		if idle {
			t.Error("idle while a request was running")
		}
		close(p.gates["1"])
		synctest.Wait()
		if !idle {
			t.Error("never idle")
		}
	})
}
