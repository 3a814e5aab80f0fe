package server

import (
	"context"
	"errors"
	"log/slog"
	"testing"

	"rollcall/protocol"
)

func TestAPanicInAHandlerCostsItsRequestAlone(t *testing.T) {
	s := &Server{log: slog.New(slog.DiscardHandler), ctx: context.Background()}
	s.deadlines = deadlines{parent: s.ctx, timeout: 1}
	w := &request{
		conn: &conn{srv: s, phase: phaseAdmin},
		route: &route{
			message: protocol.CorePing.Message,
			handle:  func(context.Context, *conn, any) (any, func(), error) { panic("oh") },
		},
	}
	if _, _, err := s.call(w); !errors.Is(err, &protocol.Error{Status: protocol.StatusGeneral}) {
		t.Errorf("got %v, want 810", err)
	}
}
