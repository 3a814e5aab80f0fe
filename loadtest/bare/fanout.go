package bare

import (
	"context"
	"net/http"
	"sync"

	"github.com/coder/websocket"
)

// A FanOut sends each message to all its connections, one library write after
// another: what a push to many costs when nothing else is done. It does not read
// from its connections.
type FanOut struct {
	mu    sync.Mutex
	conns []*websocket.Conn
}

// ServeHTTP takes a connection in, which stays.
func (f *FanOut) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ws, err := websocket.Accept(w, r, nil)
	if err != nil {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.conns = append(f.conns, ws)
}

// Connections is how many there are.
func (f *FanOut) Connections() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.conns)
}

// Send writes a text message to all.
func (f *FanOut) Send(ctx context.Context, message []byte) error {
	f.mu.Lock()
	conns := f.conns
	f.mu.Unlock()
	for _, ws := range conns {
		if err := ws.Write(ctx, websocket.MessageText, message); err != nil {
			return err
		}
	}
	return nil
}

// Close closes all connections.
func (f *FanOut) Close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, ws := range f.conns {
		_ = ws.CloseNow()
	}
	f.conns = nil
}
