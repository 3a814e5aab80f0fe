package sessions

import (
	"fmt"

	"github.com/go-json-experiment/json/jsontext"

	"rollcall/protocol"
	"rollcall/store"
)

// A push is an encoded event, with what decides who gets it.
type push struct {
	text  []byte
	event int // index in protocol.Events, -1 for what everybody gets
	seq   int64
	epoch string
	lost  bool // tells of a loss
}

func indexOf(event string) int {
	for i := range protocol.Events {
		if protocol.Events[i].Name == event {
			return i
		}
	}
	return -1 // of a newer version: it goes to everybody
}

// encode makes the push of an event.
func encode(e *store.FeedEvent) (push, error) {
	text, err := protocol.AppendPush(nil, protocol.Push{
		Event: e.Name, Scope: e.Scope, Seq: e.Seq, Epoch: e.Epoch, EventID: e.ID, Time: protocol.Time{Time: e.Time},
	}, jsontext.Value(e.Data))
	if err != nil {
		return push{}, fmt.Errorf("encode event: %w", err)
	}
	return push{text: text, event: indexOf(e.Name), seq: e.Seq, epoch: e.Epoch}, nil
}

// lostPush tells that events up to a position are lost.
func lostPush(scope string, pos protocol.FeedPosition) push {
	p := positionPush(protocol.EventFeedLost, scope, pos)
	p.lost = true
	return p
}

func positionPush(event, scope string, pos protocol.FeedPosition) push {
	text, err := protocol.AppendPosition(nil, event, scope, pos)
	if err != nil {
		panic("sessions: a position always has a JSON form: " + err.Error())
	}
	return push{text: text, event: -1, seq: pos.Seq, epoch: pos.Epoch}
}
